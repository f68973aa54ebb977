using EmrMarket.Grains.Embedded.Calls;
using EmrMarket.Grains.Embedded.Hosting;
using Orleans.Runtime;

namespace EmrMarket.Grains.Embedded.Activations;

/// <summary>A timer whose ticks are requests of its activation. It is armed for one tick at a time, so that ticks never overlap.</summary>
internal sealed class GrainTimer : IGrainTimer
{
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private readonly Activation _activation;
    private readonly Func<CancellationToken, Task> _callback;
    private readonly CancellationTokenSource _cancellation = new();
    private readonly Tick _tick;
    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private TimeSpan _dueTime;
    private TimeSpan _period;
    private bool _isTicking;
    private bool _wasChanged;

    internal GrainTimer(Activation activation, Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
    {
        activation.RequireTurn("A timer");
        Require(options.DueTime, options.Period);
        _activation = activation;
        _callback = callback;
        _tick = new(this, options.Interleave, options.KeepAlive);
        (_dueTime, _period) = (options.DueTime, options.Period);
        _timer = activation.Runtime.Clock.CreateTimer(
            static timer => ((GrainTimer)timer!).BeginTick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        activation.Add(this);
        _timer.Change(_dueTime, Timeout.InfiniteTimeSpan);
    }

    public void Change(TimeSpan dueTime, TimeSpan period)
    {
        Require(dueTime, period);
        lock (_gate)
        {
            (_dueTime, _period, _wasChanged) = (dueTime, period, true);
            if (!_isTicking && !_cancellation.IsCancellationRequested)
            {
                _timer.Change(dueTime, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose()
    {
        Stop();
        _cancellation.Cancel();
        _activation.Remove(this);
    }

    private static void Require(TimeSpan dueTime, TimeSpan period)
    {
        Require(dueTime, nameof(dueTime));
        Require(period, nameof(period));

        static void Require(TimeSpan time, string name)
        {
            if ((time < TimeSpan.Zero && time != Timeout.InfiniteTimeSpan) || time > Longest)
            {
                throw new ArgumentOutOfRangeException(name, time, $"A timer's time is infinite or from zero to {Longest}.");
            }
        }
    }

    private void Stop()
    {
        lock (_gate)
        {
            _timer.Dispose();
        }
    }

    private void BeginTick()
    {
        lock (_gate)
        {
            if (_isTicking)
            {
                return;
            }

            _isTicking = true;
        }

        if (!_activation.TryEnqueue(_tick))
        {
            Stop();
        }
    }

    private void EndTick()
    {
        lock (_gate)
        {
            _isTicking = false;
            if (!_cancellation.IsCancellationRequested)
            {
                _timer.Change(_wasChanged ? _dueTime : _period, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>The one message of a timer, sent again for each tick.</summary>
    private sealed class Tick(GrainTimer timer, bool interleaves, bool isUse) : Message
    {
        private Task _run = Task.CompletedTask;

        internal override bool AlwaysInterleaves => interleaves;

        internal override bool IsReadOnly => false;

        internal override bool IsUse => isUse;

        internal override bool IsAbandoned => timer._cancellation.IsCancellationRequested;

        public override string ToString() => $"A timer of {timer._activation.Id}";

        internal override void Start(Activation activation)
        {
            timer._wasChanged = false;
            try
            {
                _run = timer._callback(timer._cancellation.Token) ?? Task.CompletedTask;
            }
#pragma warning disable CA1031 // A tick's fault is logged, and the next tick comes.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                _run = Task.FromException(exception);
            }

            if (_run.IsCompleted)
            {
                Finish();
            }
            else
            {
                _run.GetAwaiter().UnsafeOnCompleted(Finish);
            }
        }

        internal override void Reject(Exception exception) => timer.Stop();

        private void Finish()
        {
            if (_run.Exception is { } fault)
            {
                timer._activation.Runtime.Log.TimerFailed(timer._activation.Id.Class.Name, fault.InnerException!);
            }

            timer.EndTick();
            timer._activation.Completed(this);
        }
    }
}
