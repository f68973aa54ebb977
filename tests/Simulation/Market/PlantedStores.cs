using System.Reflection;
using System.Text;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site.Storage;
using DeliveryRow = EmrMarket.Grains.Market.Storage.DeliveryRow;

namespace EmrMarket.Simulation.Market;

/// <summary>Passes calls on, but for those that a defect takes over.</summary>
internal class Planted : DispatchProxy
{
    private object _target = null!;
    private Func<MethodInfo, object?[], Func<object?>, object?> _instead = null!;

    public static T Of<T>(T target, Func<MethodInfo, object?[], Func<object?>, object?> instead)
        where T : class
    {
        T proxy = Create<T, Planted>();
        var planted = (Planted)(object)proxy;
        (planted._target, planted._instead) = (target, instead);
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        _instead(targetMethod!, args!, () => targetMethod!.Invoke(_target, BindingFlags.DoNotWrapExceptions, null, args, null));
}

/// <summary>The defects, each where it would be.</summary>
internal static class PlantedStores
{
    public static ISiteStore Site(ISiteStore store, MarketPlant plant) => plant switch
    {
        MarketPlant.OrderForgotten => Planted.Of(store, (method, args, call) =>
            method.Name == nameof(ISiteStore.SaveOrderAsync) && args[0] is SiteOrderRow { State: SiteOrderState.Released or SiteOrderState.Reserved } row && row.Sequence % 2 == 1
                ? store.SaveOrderAsync(row with { RecordKeys = [], Grades = [] }, CancellationToken.None) : call()),
        MarketPlant.PolicyForgotten => Planted.Of(store, (method, args, call) =>
            method.Name == nameof(ISiteStore.SavePoliciesAsync) && args[0] is SetPolicies { PersonKeys.Length: 1 } ? Task.CompletedTask : call()),
        MarketPlant.CeilingRaised => Planted.Of(store, (method, _, call) => method.Name == nameof(ISiteStore.ReadPoliciesAsync)
            ? WithPoliciesAsync((Task<SetPolicies>)call()!, policies => policies with { Profiles = [.. policies.Profiles.Select(_ => (byte)4)] }) : call()),
        MarketPlant.PurposeWidened => Planted.Of(store, (method, _, call) => method.Name == nameof(ISiteStore.ReadPoliciesAsync)
            ? WithPoliciesAsync((Task<SetPolicies>)call()!, policies => policies with { Purposes = new byte[policies.Purposes.Length] }) : call()),
        MarketPlant.ErrorQuotesRecord => Planted.Of(store, (method, args, call) => method.Name == nameof(ISiteStore.SaveOrderAsync) && args[0] is SiteOrderRow { Version: > 0 } row && row.Sequence == 1
            ? throw new IOException($"cannot store record {row.RecordKeys.FirstOrDefault()}") : call()),
        _ => store,
    };

    public static IMarketStore Market(IMarketStore store, MarketPlant plant)
    {
        Dictionary<(uint, uint), RoundRow> rounds = [];
        return plant switch
        {
            MarketPlant.RoundReplaced => Planted.Of(store, (method, args, call) =>
            {
                if (method.Name == nameof(IMarketStore.KeepRoundAsync) && args[0] is RoundRow row)
                {
                    // Kept in memory only, as if each process replaced what the last one had kept.
                    rounds[(row.Ordinal, row.Attempt)] = row;
                    return Task.FromResult(row);
                }

                return method.Name == nameof(IMarketStore.FindRoundsAsync) ? Task.FromResult<RoundRow[]>([.. rounds.Values]) : call();
            }),
            MarketPlant.OrdersLost => Planted.Of(store, (method, _, call) => method.Name == nameof(IMarketStore.PlaceOrdersAsync) ? Task.CompletedTask : call()),
            MarketPlant.ResultsAltered => Planted.Of(store, (method, args, call) => method.Name == nameof(IMarketStore.KeepResultsAsync)
                ? store.KeepResultsAsync((string)args[0]!, new StringBuilder((string)args[1]!).Replace("\"estimate\":0", "\"estimate\":1").Replace("\"value\":0", "\"value\":1").Append(' ').ToString(), CancellationToken.None)
                : call()),
            _ => store,
        };
    }

    public static ISiteMarketLink Link(ISiteMarketLink link, MarketContext market, MarketPlant plant) => plant != MarketPlant.DeliveryUnchecked ? link
        : Planted.Of(link, (method, args, call) => method.Name == nameof(ISiteMarketLink.DeliverAsync) ? SignAsync(market, (DeliveryMessage)args[0]!) : call());

    private static async Task<DeliveryReceipt> SignAsync(MarketContext market, DeliveryMessage message)
    {
        DeliveryFile file = DeliveryFile.Read(message.DeliveryFile, MarketWorld.Schema);
        var hash = EpochFile.HashOf(message.DeliveryFile);
        var batch = file.Build(market.ChainId, market.Evaluation.Address, hash);
        await market.Store.KeepFileAsync(MarketContext.Name(hash), message.DeliveryFile, CancellationToken.None);
        DeliveryRow kept = await market.Store.KeepDeliveryAsync(
            new DeliveryRow
            {
                RequestId = file.RequestId, Site = file.Site, Attempt = file.Attempt, FileHash = MarketContext.Name(hash), Receipt = Convert.ToHexStringLower(market.Sign(batch.Id, batch.Header)),
            },
            CancellationToken.None);
        return new DeliveryReceipt { Signature = Convert.FromHexString(kept.Receipt) };
    }

    private static async Task<SetPolicies> WithPoliciesAsync(Task<SetPolicies> stored, Func<SetPolicies, SetPolicies> change) => change(await stored);
}
