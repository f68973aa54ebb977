using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using EmrMarket.Grains.Embedded.Activations;
using EmrMarket.Grains.Embedded.Copying;
using EmrMarket.Grains.Embedded.Hosting;
using Orleans;
using Orleans.Serialization;
using Orleans.Serialization.Invocation;
using Orleans.Storage;

namespace EmrMarket.Grains.Embedded.Calls;

/// <summary>One call: at most one run of a method, and at most one answer.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A cancellation source without a timer holds nothing to dispose.")]
internal sealed class Call<TArguments, TResult> : PendingCall, IInvokable
{
    private readonly EmbeddedGrainRuntime _runtime;
    private readonly GrainId _target;
    private readonly GrainMethod<TArguments, TResult> _method;
    private readonly Dictionary<string, object>? _requestContext;
    private readonly TaskCompletionSource<TResult>? _answer;
    private readonly Activity? _caller = RuntimeTelemetry.Caller;
    private TArguments _arguments;
    private CancellationTokenSource? _calleesCancellation;
    private CancellationTokenRegistration _callersCancellation;
    private Activation? _runner;
    private Task? _run;
    private Activity? _span;

    internal Call(
        EmbeddedGrainRuntime runtime, GrainId target, GrainMethod<TArguments, TResult> method, TArguments arguments,
        Dictionary<string, object>? requestContext)
    {
        _runtime = runtime;
        _target = target;
        _method = method;
        _arguments = arguments;
        _requestContext = requestContext;
        _answer = method.IsOneWay ? null : new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    internal override bool AlwaysInterleaves => _method.AlwaysInterleaves;

    internal override bool IsReadOnly => _method.IsReadOnly;

    internal override bool IsUse => true;

    internal override bool IsAbandoned => _answer?.Task.IsCompleted == true;

    internal override Dictionary<string, object>? RequestContext => _requestContext;

    private TimeSpan Timeout => _method.ResponseTimeout ?? _runtime.Options.ResponseTimeout;

    public int GetArgumentCount() => ((ITuple)_arguments!).Length;

    public object? GetArgument(int index) => ((ITuple)_arguments!)[index];

    public string GetMethodName() => _method.Name;

    public string GetInterfaceName() => _method.Interface.FullName!;

    public Type GetInterfaceType() => _method.Interface;

    public override string ToString() => $"{_method} of {_target}";

    internal Task<TResult> Send()
    {
        var token = TakeToken();
        if (_answer is null)
        {
            _target.Class.Deliver(_target.Key, this);
            return Task.FromResult(default(TResult)!);
        }

        if (token.IsCancellationRequested)
        {
            return Task.FromCanceled<TResult>(token);
        }

        if (!_runtime.Pending.TryAdd(this, Timeout))
        {
            return Task.FromException<TResult>(EmbeddedGrainRuntime.HasEnded(ToString()));
        }

        if (token.CanBeCanceled)
        {
            _callersCancellation = token.UnsafeRegister(
                static (call, token) => ((Call<TArguments, TResult>)call!).CancelledByCaller(token), this);
        }

        _target.Class.Deliver(_target.Key, this);
        return _answer.Task;
    }

    internal override void Start(Activation activation)
    {
        // Either this sees that the caller has cancelled, or the caller's cancellation sees who runs the call.
        Interlocked.Exchange(ref _runner, activation);
        if (IsAbandoned)
        {
            activation.Completed(this);
            return;
        }

        _span = RuntimeTelemetry.Begin(_method, _caller);
        try
        {
            _run = _method.Invoke(activation.Instance, ref _arguments)
                ?? throw new InvalidOperationException($"{_method} returned null instead of a task.");
        }
#pragma warning disable CA1031 // Every fault of a call is its answer.
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
            // Resumes as a turn: the activation is the current task scheduler here.
            _run.GetAwaiter().UnsafeOnCompleted(Finish);
        }
    }

    internal override void Reject(Exception exception) => Answer(exception);

    internal override void TimeOut()
    {
        _callersCancellation.Dispose();
        RuntimeTelemetry.Fault(_target.Class.Name, "timeout");
        var state = Volatile.Read(ref _runner) is null
            ? "It has not begun to run: the grain is busy, or calls itself in a cycle."
            : "It has begun to run and may still complete.";
        _answer!.TrySetException(new TimeoutException($"Response did not arrive on time in {Timeout} for {this}. {state}"));
    }

    private CancellationToken TakeToken()
    {
        if (_method.Token is null)
        {
            return default;
        }

        ref var place = ref _method.Token(ref _arguments);
        var token = place;
        if (_answer is null)
        {
            place = default;
        }
        else if (token.CanBeCanceled)
        {
            _calleesCancellation = new();
            place = _calleesCancellation.Token;
        }

        return token;
    }

    private void CancelledByCaller(CancellationToken token)
    {
        if (_answer!.TrySetCanceled(token))
        {
            _runtime.Pending.Remove(this);

            // In a turn of the callee, since the token may have callbacks that are the callee's code.
            if (Volatile.Read(ref _runner) is { } runner)
            {
                new Task(static source => ((CancellationTokenSource)source!).Cancel(), _calleesCancellation).Start(runner);
            }
        }
    }

    private void Finish()
    {
        var run = _run!;
        var activation = _runner!;
        if (run.IsCompletedSuccessfully)
        {
            if (_answer is not null)
            {
                AnswerWithResult(run);
            }
        }
        else
        {
            _span?.SetStatus(ActivityStatusCode.Error);
            AnswerWithFault(run, activation);
        }

        _span?.Dispose();
        _callersCancellation.Dispose();
        activation.Completed(this);
    }

    private void AnswerWithResult(Task run)
    {
        TResult result;
        try
        {
            result = run is Task<TResult> { Result: var value } ? _method.SharesResult ? value : DeepCopy.Copy(value) : default!;
        }
#pragma warning disable CA1031 // What cannot be copied is a fault of the call.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Answer(exception);
            return;
        }

        _runtime.Pending.Remove(this);
        _answer!.TrySetResult(result);
    }

    private void AnswerWithFault(Task run, Activation activation)
    {
        var exception = run.IsCanceled ? null : run.Exception!.InnerExceptions.Count == 1 ? run.Exception.InnerException! : run.Exception;
        if (exception is InconsistentStateException { IsSourceActivation: true } conflict)
        {
            conflict.IsSourceActivation = false;
            activation.RequestDeactivation(
                new(DeactivationReasonCode.ApplicationError, conflict, "What the activation holds is not what is stored."));
        }

        if (_answer is null)
        {
            _runtime.Log.OneWayCallFailed(_target.Class.Name, _method.ToString(), exception);
        }
        else if (exception is null or OperationCanceledException)
        {
            _runtime.Pending.Remove(this);
            _answer.TrySetCanceled(CancellationToken.None);
        }
        else
        {
            Answer(exception);
        }
    }

    private void Answer(Exception exception)
    {
        if (_answer is null)
        {
            _runtime.Log.OneWayCallFailed(_target.Class.Name, _method.ToString(), exception);
            return;
        }

        Exception copy;
        try
        {
            copy = DeepCopy.Copy(exception);
        }
#pragma warning disable CA1031 // A fault that cannot be copied must reach the caller all the same.
        catch (Exception refusal)
#pragma warning restore CA1031
        {
            copy = new CodecNotFoundException($"{refusal.Message} It was thrown by {this} with the message: {exception.Message}");
        }

        _runtime.Pending.Remove(this);
        _callersCancellation.Dispose();
        _answer.TrySetException(copy);
    }
}
