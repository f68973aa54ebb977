namespace EmrMarket.Grains.Embedded.Calls;

/// <summary>A call whose answer somebody waits for, linked into <see cref="PendingCalls"/>.</summary>
internal abstract class PendingCall : Message
{
    internal PendingCall? Previous { get; set; }

    internal PendingCall? Next { get; set; }

    /// <summary>When the caller stops to wait, in ticks of the runtime's clock; <see cref="long.MaxValue"/> for never.</summary>
    internal long Deadline { get; set; } = long.MaxValue;

    internal int Shard { get; set; } = -1;

    /// <summary>Ends the wait without an answer.</summary>
    internal abstract void TimeOut();
}

/// <summary>
/// Every call that waits for an answer, so that a time-out needs no timer of its own: one timer is set to the earliest deadline seen, and
/// what it finds expired it ends. Sharded, since every call enters and leaves.
/// </summary>
internal sealed class PendingCalls : IDisposable
{
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private readonly Lock _timerGate = new();
    private readonly Shard[] _shards;
    private long _wakeAt = long.MaxValue;

    internal PendingCalls(TimeProvider clock)
    {
        _clock = clock;
        _shards = new Shard[Environment.ProcessorCount];
        for (var i = 0; i < _shards.Length; i++)
        {
            _shards[i] = new Shard();
        }

        _timer = clock.CreateTimer(
            static pending => ((PendingCalls)pending!).EndExpired(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Adds a call; false when the runtime has ended.</summary>
    internal bool TryAdd(PendingCall call, TimeSpan timeout)
    {
        if (timeout != Timeout.InfiniteTimeSpan)
        {
            call.Deadline = _clock.GetTimestamp() + (long)(timeout.TotalSeconds * _clock.TimestampFrequency);
        }

        call.Shard = Thread.GetCurrentProcessorId() % _shards.Length;
        if (!_shards[call.Shard].TryAdd(call))
        {
            return false;
        }

        if (call.Deadline < Volatile.Read(ref _wakeAt))
        {
            WakeAt(call.Deadline);
        }

        return true;
    }

    internal void Remove(PendingCall call) => _shards[call.Shard].Remove(call);

    /// <summary>Takes every call out and lets no more in.</summary>
    internal List<PendingCall> Close()
    {
        var calls = new List<PendingCall>();
        foreach (var shard in _shards)
        {
            shard.Close();
            shard.Take(long.MaxValue, calls);
        }

        return calls;
    }

    public void Dispose() => _timer.Dispose();

    private void EndExpired()
    {
        var expired = new List<PendingCall>();
        var earliest = long.MaxValue;
        lock (_timerGate)
        {
            _wakeAt = long.MaxValue;
        }

        var now = _clock.GetTimestamp();
        foreach (var shard in _shards)
        {
            earliest = Math.Min(earliest, shard.Take(now, expired));
        }

        if (earliest < long.MaxValue)
        {
            WakeAt(earliest);
        }

        // In the order of their deadlines, so that a clock that jumps ends them as one that creeps would.
        expired.Sort(static (one, other) => one.Deadline.CompareTo(other.Deadline));
        foreach (var call in expired)
        {
            call.TimeOut();
        }
    }

    private void WakeAt(long deadline)
    {
        lock (_timerGate)
        {
            if (deadline >= _wakeAt)
            {
                return;
            }

            _wakeAt = deadline;

            // Rounded up to a millisecond, the resolution of timers: waking too early would only mean to wake twice.
            var due = TimeSpan.FromMilliseconds(
                Math.Ceiling(Math.Max(0, _clock.GetElapsedTime(_clock.GetTimestamp(), deadline).TotalMilliseconds)));
            _timer.Change(due, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>A doubly linked list under a lock.</summary>
    private sealed class Shard
    {
        private readonly Lock _gate = new();
        private PendingCall? _first;
        private bool _isClosed;

        internal bool TryAdd(PendingCall call)
        {
            lock (_gate)
            {
                if (_isClosed)
                {
                    return false;
                }

                call.Next = _first;
                if (_first is not null)
                {
                    _first.Previous = call;
                }

                _first = call;
                return true;
            }
        }

        internal void Remove(PendingCall call)
        {
            lock (_gate)
            {
                if (call.Previous is null && !ReferenceEquals(_first, call))
                {
                    return;
                }

                Unlink(call);
            }
        }

        /// <summary>Takes out what is due and tells the earliest deadline of the rest.</summary>
        internal long Take(long due, List<PendingCall> taken)
        {
            var earliest = long.MaxValue;
            lock (_gate)
            {
                for (var call = _first; call is not null;)
                {
                    var next = call.Next;
                    if (call.Deadline <= due)
                    {
                        Unlink(call);
                        taken.Add(call);
                    }
                    else
                    {
                        earliest = Math.Min(earliest, call.Deadline);
                    }

                    call = next;
                }
            }

            return earliest;
        }

        internal void Close()
        {
            lock (_gate)
            {
                _isClosed = true;
            }
        }

        private void Unlink(PendingCall call)
        {
            if (call.Previous is null)
            {
                _first = call.Next;
            }
            else
            {
                call.Previous.Next = call.Next;
            }

            if (call.Next is not null)
            {
                call.Next.Previous = call.Previous;
            }

            call.Previous = call.Next = null;
        }
    }
}
