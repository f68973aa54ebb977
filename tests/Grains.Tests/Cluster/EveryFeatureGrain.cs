using Orleans.Concurrency;
using Orleans.Serialization.Invocation;
using Orleans.Storage;

namespace EmrMarket.Grains.Tests.Cluster;

/// <summary>Uses everything that grains may use. The same text compiles against Orleans and runs on the embedded runtime.</summary>
[Alias("EmrMarket.Grains.Tests.Cluster.IEveryFeatureGrain")]
public interface IEveryFeatureGrain : IGrainWithStringKey
{
    Task<string> WhoAsync();

    [ReadOnly]
    Task<TallyMessage> ReadAsync();

    [AlwaysInterleave]
    ValueTask<int> TicksAsync();

    [OneWay]
    Task AddAsync(TallyMessage message);

    Task AddAndWaitAsync(TallyMessage message);

    [ResponseTimeout("00:00:05")]
    ValueTask ClearAsync(CancellationToken cancellationToken);

    Task<string?> TraceAsync(string text);

    Task RetireAsync();
}

/// <summary>A grain named by a number.</summary>
[Alias("EmrMarket.Grains.Tests.Cluster.INumberGrain")]
public interface INumberGrain : IGrainWithIntegerKey
{
    Task<long> KeyAsync();
}

/// <summary>A grain named by a GUID.</summary>
[Alias("EmrMarket.Grains.Tests.Cluster.IIdentityGrain")]
public interface IIdentityGrain : IGrainWithGuidKey
{
    Task<Guid> KeyAsync();
}

/// <summary>A message.</summary>
[GenerateSerializer, Immutable, Alias("EmrMarket.Grains.Tests.Cluster.TallyMessage")]
public sealed record TallyMessage
{
    [Id(0)]
    public required int Sum { get; init; }

    [Id(1)]
    public List<string>? Notes { get; init; }
}

/// <summary>State.</summary>
[GenerateSerializer, Alias("EmrMarket.Grains.Tests.Cluster.TallyState")]
public sealed record TallyState
{
    [Id(0)]
    public int Sum { get; init; }
}

/// <inheritdoc cref="IEveryFeatureGrain"/>
[GrainType("every-feature"), CollectionAgeLimit(Minutes = 10), MayInterleave(nameof(Interleaves))]
public sealed class EveryFeatureGrain([PersistentState("tally", "Default")] IPersistentState<TallyState> tally) : Grain, IEveryFeatureGrain
{
    private IGrainTimer? _timer;
    private int _ticks;

    public static bool Interleaves(IInvokable request) =>
        request.GetArgumentCount() == 0 && request.GetMethodName().Length > 0 && request.GetInterfaceName().Length > 0
            && request.GetInterfaceType().IsInterface;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _timer = this.RegisterGrainTimer(
            TickAsync, new GrainTimerCreationOptions(TimeSpan.Zero, TimeSpan.FromSeconds(1)) { Interleave = true, KeepAlive = true });
        this.RegisterGrainTimer(TickAsync, TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan).Dispose();
        _timer.Change(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        DelayDeactivation(TimeSpan.FromMinutes(20));
        return base.OnActivateAsync(cancellationToken);
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        reason.ReasonCode == DeactivationReasonCode.ApplicationRequested && reason.Description.Length > 0 && reason.Exception is null
            ? Task.CompletedTask
            : base.OnDeactivateAsync(reason, cancellationToken);

    public Task<string> WhoAsync() => Task.FromResult(this.GetPrimaryKeyString());

    public Task<TallyMessage> ReadAsync() => Task.FromResult(new TallyMessage { Sum = tally.State.Sum });

    public ValueTask<int> TicksAsync() => ValueTask.FromResult(_ticks);

    public Task AddAsync(TallyMessage message) => AddAndWaitAsync(message);

    public async Task AddAndWaitAsync(TallyMessage message)
    {
        if (message.Sum < 0)
        {
            throw new ArgumentException($"A sum is not negative: {message.Sum}.", nameof(message));
        }

        tally.State = tally.State with { Sum = tally.State.Sum + message.Sum };
        try
        {
            await tally.WriteStateAsync(CancellationToken.None);
        }
        catch (InconsistentStateException conflict) when (conflict.StoredEtag != conflict.CurrentEtag)
        {
            await tally.ReadStateAsync();
            throw;
        }
    }

    public async ValueTask ClearAsync(CancellationToken cancellationToken)
    {
        if (tally.RecordExists && tally.Etag is not null)
        {
            await tally.ClearStateAsync(cancellationToken);
        }
    }

    public async Task<string?> TraceAsync(string text)
    {
        RequestContext.Set("trace", text);
        var who = await GrainFactory.GetGrain<IEveryFeatureGrain>(text).WhoAsync();
        return RequestContext.Remove("trace") ? who : null;
    }

    public Task RetireAsync()
    {
        _timer?.Dispose();
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    private Task TickAsync(CancellationToken cancellationToken)
    {
        _ticks++;
        return Task.CompletedTask;
    }
}

/// <inheritdoc cref="INumberGrain"/>
[Reentrant, KeepAlive]
public sealed class NumberGrain : Grain, INumberGrain
{
    public Task<long> KeyAsync() => Task.FromResult(this.GetPrimaryKeyLong());
}

/// <inheritdoc cref="IIdentityGrain"/>
[StatelessWorker(2)]
public sealed class IdentityGrain : Grain, IIdentityGrain
{
    public Task<Guid> KeyAsync() => Task.FromResult(this.AsReference<IIdentityGrain>().GetPrimaryKey());
}
