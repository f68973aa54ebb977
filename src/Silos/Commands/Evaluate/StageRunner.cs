using System.Diagnostics;
using EmrMarket.Silos.Reporting;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Evaluate;

/// <summary>Runs the stages of a command one after the other, times them and shows how far they are.</summary>
internal sealed class StageRunner(IStageDisplay display)
{
    private readonly List<StageTime> _times = [];

    /// <summary>The stages that ended, in order.</summary>
    public IReadOnlyList<StageTime> Times => _times;

    /// <summary>Runs a stage.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="work">The work; it is given a sink for the share that is done, in 0..1.</param>
    public T Run<T>(string name, Func<IProgress<double>, T> work)
    {
        long started = Stopwatch.GetTimestamp();
        display.Begin(name);
        T result = work(new Share(display));
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        _times.Add(new StageTime(name, Math.Round(seconds, 4)));
        display.End(seconds);
        return result;
    }

    // Progress<T> would post to a synchronisation context; the displays are thread-safe and want the value now.
    private sealed class Share(IStageDisplay display) : IProgress<double>
    {
        public void Report(double value) => display.Advance(Math.Clamp(value, 0, 1));
    }
}

/// <summary>Shows the stages of a command on standard error.</summary>
internal interface IStageDisplay
{
    /// <summary>A stage begins.</summary>
    void Begin(string name);

    /// <summary>The share of the current stage that is done. Thread-safe.</summary>
    void Advance(double share);

    /// <summary>The current stage has ended.</summary>
    void End(double seconds);
}

/// <summary>How stages are shown: as bars where a person watches, as lines everywhere else.</summary>
internal static class StageDisplay
{
    /// <summary>Runs work with the display that suits standard error.</summary>
    public static async Task<T> RunAsync<T>(Func<IStageDisplay, Task<T>> work)
    {
        if (Console.IsErrorRedirected)
        {
            return await work(new PlainStages(Console.Error));
        }

        // Spectre honours NO_COLOR by itself.
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        if (!console.Profile.Capabilities.Ansi)
        {
            return await work(new PlainStages(Console.Error));
        }

        return await console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new ElapsedTimeColumn())
            .StartAsync(context => work(new BarStages(context)));
    }

    private sealed class PlainStages(TextWriter output) : IStageDisplay
    {
        private string _name = "";

        public void Begin(string name) => _name = name;

        public void Advance(double share)
        {
            // A log wants one line per stage, not its percentages.
        }

        public void End(double seconds) => output.WriteLine($"emr: {_name}: {Numbers.Seconds(seconds)}");
    }

    private sealed class BarStages(ProgressContext context) : IStageDisplay
    {
        private ProgressTask? _task;

        public void Begin(string name) => _task = context.AddTask(Markup.Escape(name), maxValue: 1);

        public void Advance(double share) => _task!.Value = share;

        public void End(double seconds)
        {
            _task!.Value = 1;
            _task.StopTask();
        }
    }
}
