using System.Diagnostics.CodeAnalysis;
using EmrMarket.Grains.Embedded.Activations;
using Orleans.Runtime;

namespace Orleans.Runtime
{
    /// <summary>A timer of a grain; it ends with the activation.</summary>
    public interface IGrainTimer : IDisposable
    {
        /// <summary>Sets the time to the next tick and between the later ones. During a tick it takes effect when the tick is
        /// done.</summary>
        /// <param name="dueTime">Zero for at once, <see cref="Timeout.InfiniteTimeSpan"/> to stop.</param>
        /// <param name="period">From the end of a tick to the next, or <see cref="Timeout.InfiniteTimeSpan"/> for one tick.</param>
        /// <exception cref="ArgumentOutOfRangeException">A time is negative and not infinite, or longer than 4294967294 ms.</exception>
        void Change(TimeSpan dueTime, TimeSpan period);
    }

    /// <summary>How a grain timer runs.</summary>
    public readonly struct GrainTimerCreationOptions()
    {
        /// <summary>A timer that does not interleave and does not keep its grain alive.</summary>
        [SetsRequiredMembers]
        public GrainTimerCreationOptions(TimeSpan dueTime, TimeSpan period)
            : this()
        {
            DueTime = dueTime;
            Period = period;
        }

        /// <summary>Time to the first tick; zero for at once, <see cref="Timeout.InfiniteTimeSpan"/> for none until changed.</summary>
        public required TimeSpan DueTime { get; init; }

        /// <summary>Time from the end of a tick to the next; <see cref="Timeout.InfiniteTimeSpan"/> for one tick.</summary>
        public required TimeSpan Period { get; init; }

        /// <summary>Whether ticks may interleave with calls and other timers; false unless set.</summary>
        public bool Interleave { get; init; }

        /// <summary>Whether ticks count as use, so that the activation is not collected as idle; false unless set.</summary>
        public bool KeepAlive { get; init; }
    }
}

namespace Orleans
{
    /// <summary>What a grain asks of its activation.</summary>
    public static class GrainBaseExtensions
    {
        /// <summary>Starts a timer whose ticks are turns of the grain and never overlap one another.</summary>
        /// <exception cref="InvalidOperationException">Called from outside a turn of the grain.</exception>
        public static IGrainTimer RegisterGrainTimer(
            this IGrainBase grain, Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
        {
            ArgumentNullException.ThrowIfNull(grain);
            ArgumentNullException.ThrowIfNull(callback);
            return new GrainTimer(((Grain)grain).Activation, callback, options);
        }

        /// <inheritdoc cref="RegisterGrainTimer(IGrainBase, Func{CancellationToken, Task}, GrainTimerCreationOptions)"/>
        public static IGrainTimer RegisterGrainTimer(this IGrainBase grain, Func<Task> callback, GrainTimerCreationOptions options)
        {
            ArgumentNullException.ThrowIfNull(callback);
            return RegisterGrainTimer(grain, _ => callback(), options);
        }

        /// <inheritdoc cref="RegisterGrainTimer(IGrainBase, Func{CancellationToken, Task}, GrainTimerCreationOptions)"/>
        public static IGrainTimer RegisterGrainTimer(
            this IGrainBase grain, Func<CancellationToken, Task> callback, TimeSpan dueTime, TimeSpan period) =>
            RegisterGrainTimer(grain, callback, new GrainTimerCreationOptions(dueTime, period));

        /// <inheritdoc cref="RegisterGrainTimer(IGrainBase, Func{CancellationToken, Task}, GrainTimerCreationOptions)"/>
        public static IGrainTimer RegisterGrainTimer(this IGrainBase grain, Func<Task> callback, TimeSpan dueTime, TimeSpan period) =>
            RegisterGrainTimer(grain, callback, new GrainTimerCreationOptions(dueTime, period));
    }
}
