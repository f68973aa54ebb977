using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Storage;

namespace EmrMarket.Simulation.Market;

/// <summary>What a run came to.</summary>
/// <param name="Points">The fault points that its processes passed.</param>
/// <param name="Ends">How its requests ended.</param>
/// <param name="Delivered">Records delivered.</param>
internal sealed record MarketRun(IReadOnlyList<string> Points, IReadOnlyList<RequestStep> Ends, long Delivered)
{
    /// <summary>The moments of requests that were seen, each once: request, book, round, and the first site's order and delivery.</summary>
    public required IReadOnlyList<string> Moments { get; init; }

    /// <summary>The chain, its tables and the market's store, for whoever audits.</summary>
    public required (ILedgerView View, IMarketStore Store, IEthereumClient Chain) Evidence { get; init; }

    /// <summary>Where the requests stand.</summary>
    public required IReadOnlyList<RequestStatus> Statuses { get; init; }

    /// <summary>Uses that patients were told of, each as the ledger has it.</summary>
    public required int Uses { get; init; }

    /// <summary>Payments to addresses of seeds that only patients have.</summary>
    public required int PaidToOwnSeeds { get; init; }

    /// <summary>How often a process lost its stores to another.</summary>
    public required int Takeovers { get; init; }

    /// <summary>How often a backup was put back.</summary>
    public required int Restores { get; init; }

    /// <summary>Final rounds whose files a market lost with its later past.</summary>
    public required int LostRounds { get; init; }

    /// <summary>Deliveries that sites forgot with their later past.</summary>
    public required int ForgottenDeliveries { get; init; }

    /// <summary>What the market refused to the sites.</summary>
    public required IReadOnlyList<string> Refusals { get; init; }
}
