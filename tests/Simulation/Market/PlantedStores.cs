using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Simulation.Market;

/// <summary>Passes calls on, but for those that a defect takes over.</summary>
[SuppressMessage("Performance", "CA1852", Justification = "DispatchProxy derives from it at run time.")]
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
            method.Name == nameof(ISiteStore.SaveOrderAsync)
                && args[0] is SiteOrderRow { State: SiteOrderState.Released or SiteOrderState.Reserved } row && row.Sequence % 2 == 1
                ? store.SaveOrderAsync(row with { RecordKeys = [], Grades = [] }, CancellationToken.None) : call()),
        MarketPlant.PolicyForgotten => Planted.Of(store, (method, args, call) =>
            method.Name == nameof(ISiteStore.SavePoliciesAsync) && args[0] is SetPolicies { PersonKeys.Length: 1 }
                ? Task.CompletedTask : call()),
        MarketPlant.AccountForgotten => Planted.Of(store, (method, _, call) =>
            method.Name == nameof(ISiteStore.KeepAccountAsync) ? Task.CompletedTask : call()),
        MarketPlant.CeilingRaised => Planted.Of(store, (method, _, call) => method.Name == nameof(ISiteStore.ReadPoliciesAsync)
            ? WithPoliciesAsync((Task<SetPolicies>)call()!,
                policies => policies with { Profiles = [.. policies.Profiles.Select(_ => (byte)4)] }) : call()),
        MarketPlant.PurposeWidened => Planted.Of(store, (method, _, call) => method.Name == nameof(ISiteStore.ReadPoliciesAsync)
            ? WithPoliciesAsync((Task<SetPolicies>)call()!, policies => policies with { Purposes = new byte[policies.Purposes.Length] })
            : call()),
        MarketPlant.ErrorQuotesRecord => Quoting(store),
        _ => store,
    };

    public static IMarketStore Market(IMarketStore store, MarketPlant plant) => plant switch
    {
        MarketPlant.OrdersLost =>
            Planted.Of(store, (method, _, call) => method.Name == nameof(IMarketStore.PlaceOrdersAsync) ? Task.CompletedTask : call()),
        MarketPlant.ResultsAltered => Planted.Of(store, (method, args, call) => method.Name == nameof(IMarketStore.KeepResultsAsync)
            ? store.KeepResultsAsync((string)args[0]!, (string)args[1]! + ' ', CancellationToken.None) : call()),
        _ => store,
    };

    private static ISiteStore Quoting(ISiteStore store)
    {
        bool hasQuoted = false;
        return Planted.Of(store, (method, args, call) =>
        {
            if (hasQuoted || method.Name != nameof(ISiteStore.SaveOrderAsync)
                || args[0] is not SiteOrderRow { RecordKeys: [ulong key, ..] })
            {
                return call();
            }

            hasQuoted = true;
            throw new IOException($"cannot store record {key}");
        });
    }

    private static async Task<SetPolicies> WithPoliciesAsync(Task<SetPolicies> stored, Func<SetPolicies, SetPolicies> change) =>
        change(await stored);
}
