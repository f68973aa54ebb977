using System.Diagnostics.CodeAnalysis;
using EmrMarket.Grains.Embedded.Calls;
using EmrMarket.Grains.Embedded.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Core;
using Orleans.Runtime;

namespace EmrMarket.Grains.Embedded.Activations;

/// <summary>
/// A grain in memory. It is a task scheduler that runs one turn at a time: a turn is the stretch of a call, a timer's tick or a
/// continuation between two awaits. What is marked "turns only" is touched by turns alone and therefore needs no lock.
/// </summary>
internal sealed class Activation : TaskScheduler, IThreadPoolWorkItem
{
    [ThreadStatic]
    private static Activation? s_underConstruction;

    // Under the lock on this: what other threads reach.
    private WorkQueue _queue;
    private bool _isScheduled;
    private Phase _phase;
    private List<GrainTimer>? _timers;

    // Turns only.
    private WaitingList _waiting;
    private bool _mayAdmitWaiting;
    private List<Message>? _running;
    private int _interleaving;
    private IStorage[] _states = [];
    private AsyncServiceScope? _scope;
    private DeactivationReason? _deactivation;
    private TaskCompletionSource? _ended;
    private long _idleSince;
    private long _keptAliveUntil = long.MinValue;

    internal Activation(EmbeddedGrainRuntime runtime, GrainId id, StatelessWorkers? workers)
    {
        Runtime = runtime;
        Id = id;
        Workers = workers;
        _idleSince = runtime.Clock.GetTimestamp();
    }

    private enum Phase : byte
    {
        /// <summary>No message has come yet.</summary>
        New,

        /// <summary>Building the grain, reading its state, OnActivateAsync.</summary>
        Activating,

        Active,

        /// <summary>OnDeactivateAsync.</summary>
        Deactivating,

        /// <summary>Takes no message; continuations that the grain left behind still run.</summary>
        Ended,

        /// <summary>Takes and runs nothing.</summary>
        Killed,
    }

    /// <summary>The activation whose grain's constructor runs on this thread.</summary>
    internal static Activation? UnderConstruction => s_underConstruction;

    internal EmbeddedGrainRuntime Runtime { get; }

    internal new GrainId Id { get; }

    internal StatelessWorkers? Workers { get; }

    internal Grain Instance { get; private set; } = null!;

    /// <summary>Whether it runs or is about to run something; from other threads a hint.</summary>
    internal bool IsBusy => _isScheduled || IsRunning || !_waiting.IsEmpty;

    public override int MaximumConcurrencyLevel => 1;

    private bool IsRunning => _interleaving > 0 || _running is { Count: > 0 };

    /// <summary>Adds a message; false when the activation has ended and the message must go to another one.</summary>
    internal bool TryEnqueue(Message message) => TryEnqueueWork(message);

    /// <summary>Throws unless a turn of this activation runs: what belongs to a grain is touched by its turns only.</summary>
    internal void RequireTurn(string what)
    {
        if (!ReferenceEquals(Current, this))
        {
            throw new InvalidOperationException(
                $"{what} of {Id} was used outside a turn of the grain, for example under Task.Run or after ConfigureAwait(false).");
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        if (Runtime.WasKilled)
        {
            Kill();
            return;
        }

        // Whoever drives the turns, a thread of the pool or a simulation, lends its thread and nothing of its own context, and gets it back
        // unchanged.
        var context = ExecutionContext.Capture();
        var synchronization = SynchronizationContext.Current;
        ExecutionContext.Restore(CleanContext.Value);
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            // Inside a task of this scheduler TaskScheduler.Current is this activation, and every await comes back to it.
            new Task(static activation => ((Activation)activation!).RunTurns(), this, TaskCreationOptions.DenyChildAttach).Start(this);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(synchronization);
            if (context is not null)
            {
                ExecutionContext.Restore(context);
            }
        }
    }

    /// <summary>A call or a tick has ended; called in a turn.</summary>
    internal void Completed(Message message)
    {
        if (message.AlwaysInterleaves)
        {
            _interleaving--;
        }
        else
        {
            _running!.Remove(message);
        }

        if (message.IsUse)
        {
            _idleSince = Runtime.Clock.GetTimestamp();
        }

        _mayAdmitWaiting = true;
        DeactivateIfDue();
    }

    /// <summary>Ends the activation once what runs is done; called in a turn.</summary>
    internal void RequestDeactivation(DeactivationReason reason)
    {
        _keptAliveUntil = long.MinValue;
        _deactivation ??= reason;
        DeactivateIfDue();
    }

    /// <summary>Ends the activation in order; the task is done when it has ended.</summary>
    internal Task DeactivateAsync(DeactivationReason reason)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        StartTurn(() =>
        {
            if (_phase >= Phase.Ended)
            {
                ended.TrySetResult();
                return;
            }

            _ended = ended;
            if (_phase == Phase.New)
            {
                End();
            }
            else
            {
                RequestDeactivation(reason);
            }
        });
        return ended.Task;
    }

    internal void DelayDeactivation(TimeSpan time)
    {
        var clock = Runtime.Clock;
        _keptAliveUntil = time == Timeout.InfiniteTimeSpan || time == TimeSpan.MaxValue ? long.MaxValue
            : time <= TimeSpan.Zero ? long.MinValue
            : clock.GetTimestamp() + (long)(time.TotalSeconds * clock.TimestampFrequency);
    }

    /// <summary>Ends the activation if it has been idle for its class's age limit; called from any thread.</summary>
    internal void CollectIfIdle()
    {
        if (!IsCollectible() || _isScheduled)
        {
            return;
        }

        StartTurn(() =>
        {
            if (IsCollectible())
            {
                RequestDeactivation(new(DeactivationReasonCode.ActivationIdle, $"Idle for {Id.Class.CollectionAge}."));
            }
        });
    }

    /// <summary>Ends the activation as a crash of its process would: nothing more of it runs.</summary>
    internal void Kill()
    {
        lock (this)
        {
            // Its timers find the activation gone at their next tick and stop.
            _phase = Phase.Killed;
            _queue.Clear();
        }
    }

    internal void Add(GrainTimer timer)
    {
        lock (this)
        {
            (_timers ??= []).Add(timer);
        }
    }

    internal void Remove(GrainTimer timer)
    {
        lock (this)
        {
            _timers?.Remove(timer);
        }
    }

    protected override void QueueTask(Task task)
    {
        if (ReferenceEquals(task.AsyncState, this))
        {
            TryExecuteTask(task);
            return;
        }

        // A task that comes after the end is run still, since something may wait for it; after a kill it is dropped.
        TryEnqueueWork(task);
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        ReferenceEquals(Current, this) && !taskWasPreviouslyQueued && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => [];

    private void StartTurn(Action action)
    {
        // Whoever asks, a timer or a host that stops, lends nothing of its own context.
        var context = ExecutionContext.Capture();
        ExecutionContext.Restore(CleanContext.Value);
        new Task(action, TaskCreationOptions.DenyChildAttach).Start(this);
        if (context is not null)
        {
            ExecutionContext.Restore(context);
        }
    }

    private bool TryEnqueueWork(object work)
    {
        lock (this)
        {
            if (_phase == Phase.Killed || (_phase == Phase.Ended && work is Message))
            {
                return false;
            }

            _queue.Enqueue(work);
            if (_isScheduled)
            {
                return true;
            }

            _isScheduled = true;
        }

        Runtime.Turns.Schedule(this);
        return true;
    }

    private void RunTurns()
    {
        for (var turns = Runtime.Turns.TurnsPerSlice; turns > 0; turns--)
        {
            if (!RunTurn())
            {
                return;
            }
        }

        Runtime.Turns.Schedule(this);
    }

    private bool RunTurn()
    {
        if (_mayAdmitWaiting)
        {
            if (!_waiting.IsEmpty && TakeAdmissible() is { } message)
            {
                Begin(message);
                return true;
            }

            _mayAdmitWaiting = false;
        }

        object? work;
        lock (this)
        {
            work = _queue.Dequeue();
            if (work is null)
            {
                _isScheduled = false;
                return false;
            }
        }

        if (work is Task task)
        {
            TryExecuteTask(task);
        }
        else
        {
            Receive((Message)work);
        }

        return true;
    }

    private void Receive(Message message)
    {
        if (message.IsAbandoned)
        {
            return;
        }

        if (_phase == Phase.Active && _deactivation is null && _waiting.IsEmpty && Admits(message))
        {
            Begin(message);
            return;
        }

        if (_phase == Phase.Ended)
        {
            Forward(message);
            return;
        }

        _waiting.Add(message);
        if (_phase == Phase.New)
        {
            _phase = Phase.Activating;
            _ = ActivateAsync(message.RequestContext);
        }
        else
        {
            _mayAdmitWaiting = true;
        }
    }

    private Message? TakeAdmissible()
    {
        while (_phase == Phase.Active && _deactivation is null
            && _waiting.TakeFirst(message => message.IsAbandoned || Admits(message), Id.Class.Shape.LooksAtAllWaiting) is { } message)
        {
            if (!message.IsAbandoned)
            {
                return message;
            }
        }

        return null;
    }

    /// <summary>Whether a message may begin beside those that run.</summary>
    private bool Admits(Message message)
    {
        if (message.AlwaysInterleaves || Id.Class.Shape.IsReentrant || _running is not { Count: > 0 })
        {
            return true;
        }

        foreach (var running in _running)
        {
            if (!(running.IsReadOnly && message.IsReadOnly) && !Id.Class.MayInterleave(message) && !Id.Class.MayInterleave(running))
            {
                return false;
            }
        }

        return true;
    }

    private void Begin(Message message)
    {
        if (message.AlwaysInterleaves)
        {
            _interleaving++;
        }
        else
        {
            (_running ??= new(1)).Add(message);
        }

        RequestContext.Values = message.RequestContext;
        message.Start(this);
        ExecutionContext.Restore(CleanContext.Value);
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types",
        Justification = "Whatever fails in a grain's activation is told to those who called it.")]
    private async Task ActivateAsync(Dictionary<string, object>? requestContext)
    {
        try
        {
            RequestContext.Values = requestContext;
            Build();
            if (_states.Length > 0 || Id.Class.Shape.ActivatesAsync)
            {
                using var limit = new CancellationTokenSource(Runtime.Options.ActivationTimeout, Runtime.Clock);
                foreach (var state in _states)
                {
                    await state.ReadStateAsync(limit.Token);
                }

                await Instance.OnActivateAsync(limit.Token).WaitAsync(limit.Token);
            }
        }
        catch (Exception exception)
        {
            Runtime.Log.ActivationFailed(Id.Class.Name, exception);
            await FailAsync(exception);
            return;
        }

        _phase = Phase.Active;
        _idleSince = Runtime.Clock.GetTimestamp();
        _mayAdmitWaiting = true;
        DeactivateIfDue();
    }

    private void Build()
    {
        s_underConstruction = this;
        try
        {
            var services = Runtime.Services;
            if (Id.Class.Shape.NeedsServices)
            {
                var scope = services.CreateAsyncScope();
                _scope = scope;
                services = scope.ServiceProvider;
            }

            _states = Id.Class.CreateStates(this);
            Instance = Id.Class.Shape.Create(services, _states);
        }
        finally
        {
            s_underConstruction = null;
        }
    }

    private async Task FailAsync(Exception exception)
    {
        StopTimers();
        while (_waiting.TakeFirst() is { } message)
        {
            message.Reject(exception);
        }

        await DisposeAsync();
        End();
    }

    private void DeactivateIfDue()
    {
        if (_deactivation is { } reason && _phase == Phase.Active && !IsRunning)
        {
            _phase = Phase.Deactivating;
            _ = FinishAsync(reason);
        }
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types",
        Justification = "A fault of the grain must not keep its key from being activated again.")]
    private async Task FinishAsync(DeactivationReason reason)
    {
        StopTimers();
        if (Id.Class.Shape.DeactivatesAsync)
        {
            try
            {
                using var limit = new CancellationTokenSource(Runtime.Options.DeactivationTimeout, Runtime.Clock);
                await Instance.OnDeactivateAsync(reason, limit.Token).WaitAsync(limit.Token);
            }
            catch (Exception exception)
            {
                Runtime.Log.DeactivationFailed(Id.Class.Name, exception);
            }
        }

        await DisposeAsync();
        End();
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types",
        Justification = "A fault of the grain must not keep its key from being activated again.")]
    private async Task DisposeAsync()
    {
        try
        {
            switch (Instance)
            {
                case IAsyncDisposable disposable:
                    await disposable.DisposeAsync();
                    break;
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
            }

            if (_scope is { } scope)
            {
                await scope.DisposeAsync();
            }
        }
        catch (Exception exception)
        {
            Runtime.Log.DeactivationFailed(Id.Class.Name, exception);
        }
    }

    private void StopTimers()
    {
        List<GrainTimer> timers;
        lock (this)
        {
            timers = [.. _timers ?? []];
        }

        timers.ForEach(static timer => timer.Dispose());
    }

    /// <summary>Leaves the directory first, so that what is passed on meets a new activation.</summary>
    private void End()
    {
        Id.Class.Remove(this);
        lock (this)
        {
            if (_phase == Phase.Killed)
            {
                return;
            }

            _phase = Phase.Ended;
        }

        while (_waiting.TakeFirst() is { } message)
        {
            Forward(message);
        }

        _ended?.TrySetResult();
    }

    private void Forward(Message message)
    {
        if (message.IsAbandoned)
        {
            return;
        }

        message.Forwards++;
        if (message.Forwards > Runtime.Options.MostForwards)
        {
            message.Reject(new OrleansMessageRejectionException(
                $"{message} was not run: the activation that should have run it ended first, {message.Forwards} times in a row."));
            return;
        }

        Id.Class.Deliver(Id.Key, message);
    }

    private bool IsCollectible() =>
        _phase == Phase.Active && !IsRunning && _waiting.IsEmpty && Id.Class.CollectionAge is { } age
        && Runtime.Clock.GetElapsedTime(Volatile.Read(ref _idleSince), Runtime.Clock.GetTimestamp()) >= age
        && Volatile.Read(ref _keptAliveUntil) <= Runtime.Clock.GetTimestamp();

    /// <summary>The execution context of code that nobody has set anything for.</summary>
    private static class CleanContext
    {
        internal static readonly ExecutionContext Value = Capture();

        private static ExecutionContext Capture()
        {
            ExecutionContext? context = null;
            var thread = new Thread(() => context = ExecutionContext.Capture());
            thread.UnsafeStart();
            thread.Join();
            return context!;
        }
    }
}
