using System.Collections.Concurrent;
using Orleans.Concurrency;
using Orleans.Serialization.Invocation;

namespace EmrMarket.Grains.Tests.Runtime.Driving;

/// <summary>What the scripted grains do, by the name of the step that a test calls, and what they wrote down.</summary>
internal sealed class Script
{
    private readonly ConcurrentDictionary<string, Func<ScriptedGrain, CancellationToken, Task<string>>> _steps = new(
        StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _journal = new();

    internal IReadOnlyList<string> Journal => [.. _journal];

    internal Func<ScriptedGrain, Task>? OnActivate { get; set; }

    internal Func<ScriptedGrain, DeactivationReason, Task>? OnDeactivate { get; set; }

    internal Func<ScriptedGrain, CancellationToken, Task<string>> this[string step]
    {
        get => _steps[step];
        set => _steps[step] = value;
    }

    internal void Note(string entry) => _journal.Enqueue(entry);

    /// <summary>A step that notes its begin, waits for a gate that the test opens, and notes its end.</summary>
    internal TaskCompletionSource Gated(string step)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        this[step] = async (_, _) =>
        {
            Note($"{step} begins");
            await gate.Task;
            Note($"{step} ends");
            return step;
        };
        return gate;
    }

    internal void Do(string step, Func<ScriptedGrain, string> action) => this[step] = (grain, _) => Task.FromResult(action(grain));
}

internal interface IScripted : IGrainWithStringKey
{
    Task<string> RunAsync(string step);

    Task<string> RunCancellablyAsync(string step, CancellationToken cancellationToken);

    [ReadOnly]
    Task<string> ReadAsync(string step);

    [AlwaysInterleave]
    Task<string> InterleaveAsync(string step);

    [OneWay]
    Task NotifyAsync(string step);

    [ResponseTimeout("00:00:05")]
    Task<string> RunWithinFiveSecondsAsync(string step);

    ValueTask<int> CountAsync();

    ValueTask TouchAsync();
}

internal interface IPlainGrain : IScripted;

internal interface IReentrantGrain : IScripted;

internal interface IChoosyGrain : IScripted;

internal interface IShortLivedGrain : IScripted;

internal interface IKeptGrain : IScripted;

internal interface IWorkerGrain : IScripted;

internal abstract class ScriptedGrain(Script script) : Grain, IScripted
{
    private static int s_activations;
    private int _calls;

    internal Script Script { get; } = script;

    /// <summary>Tells one activation from another.</summary>
    internal int Incarnation { get; } = Interlocked.Increment(ref s_activations);

    internal IGrainFactory Factory => GrainFactory;

    public override Task OnActivateAsync(CancellationToken cancellationToken) => Script.OnActivate?.Invoke(this) ?? Task.CompletedTask;

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        Script.OnDeactivate?.Invoke(this, reason) ?? Task.CompletedTask;

    public Task<string> RunAsync(string step) => DoAsync(step, default);

    public Task<string> RunCancellablyAsync(string step, CancellationToken cancellationToken) => DoAsync(step, cancellationToken);

    public Task<string> ReadAsync(string step) => DoAsync(step, default);

    public Task<string> InterleaveAsync(string step) => DoAsync(step, default);

    public Task NotifyAsync(string step) => DoAsync(step, default);

    public Task<string> RunWithinFiveSecondsAsync(string step) => DoAsync(step, default);

    public ValueTask<int> CountAsync() => ValueTask.FromResult(++_calls);

    public ValueTask TouchAsync()
    {
        _calls++;
        return ValueTask.CompletedTask;
    }

    internal void EndWhenIdle() => DeactivateOnIdle();

    internal void Delay(TimeSpan time) => DelayDeactivation(time);

    private Task<string> DoAsync(string step, CancellationToken cancellationToken) => Script[step](this, cancellationToken);
}

internal sealed class PlainGrain(Script script) : ScriptedGrain(script), IPlainGrain;

[Reentrant]
internal sealed class ReentrantGrain(Script script) : ScriptedGrain(script), IReentrantGrain;

[MayInterleave(nameof(Interleaves))]
internal sealed class ChoosyGrain(Script script) : ScriptedGrain(script), IChoosyGrain
{
    public static bool Interleaves(IInvokable request) =>
        request.GetMethodName() is nameof(RunAsync) && request.GetArgumentCount() == 1 && request.GetArgument(0) is "polite";
}

[CollectionAgeLimit(Minutes = 2)]
internal sealed class ShortLivedGrain(Script script) : ScriptedGrain(script), IShortLivedGrain;

[KeepAlive]
internal sealed class KeptGrain(Script script) : ScriptedGrain(script), IKeptGrain;

[StatelessWorker(2)]
internal sealed class WorkerGrain(Script script) : ScriptedGrain(script), IWorkerGrain;
