using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Requests;

namespace EmrMarket.Silos.Services;

/// <summary>The results of a request with everything that a reader elsewhere needs to judge and to trace them.</summary>
internal sealed record RequestDossier
{
    /// <summary>Where it stands, step by step.</summary>
    public required RequestInfo Request { get; init; }

    /// <summary>What was asked for.</summary>
    public required TermsDocument Terms { get; init; }

    /// <summary>The schema.</summary>
    public required Schema Schema { get; init; }

    /// <summary>The answers.</summary>
    public required RequestResults Results { get; init; }

    /// <summary>The ledger's chain.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>The contract that numbers requests.</summary>
    public required string Contract { get; init; }

    /// <summary>Where the ledger holds the opening of the request.</summary>
    public required LedgerPlace Opened { get; init; }

    /// <summary>The final deliveries that the results were computed from.</summary>
    public required IReadOnlyList<DeliveredBatch> Deliveries { get; init; }

    /// <summary>When the results were computed.</summary>
    public DateTimeOffset Evaluated => DateTimeOffset.FromUnixTimeSeconds(EvaluatedSeconds(Request));

    /// <summary>When the results of a request were computed, unix seconds of the ledger.</summary>
    public static long EvaluatedSeconds(RequestInfo request) =>
        (request.Steps.LastOrDefault(step => step.State == "evaluated") ?? request.Steps[^1]).Seconds;
}

/// <summary>A place on the ledger.</summary>
/// <param name="Transaction">The transaction's hash, 64 hexadecimal digits.</param>
/// <param name="Block">The block.</param>
internal sealed record LedgerPlace(string Transaction, ulong Block);

/// <summary>A delivery that the ledger holds.</summary>
/// <param name="Id">Its batch id.</param>
/// <param name="Site">The site's number.</param>
/// <param name="Records">Records delivered.</param>
/// <param name="Root">The root of its leaves.</param>
/// <param name="DataHash">SHA-256 of its file.</param>
/// <param name="Place">Where it was recorded.</param>
internal sealed record DeliveredBatch(string Id, uint Site, long Records, string Root, string DataHash, LedgerPlace Place);
