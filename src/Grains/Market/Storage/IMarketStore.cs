using EmrMarket.Grains.Abstractions.Market;

namespace EmrMarket.Grains.Market.Storage;

/// <summary>
/// What the market keeps. Every write is all or nothing and safe to repeat: a row that is kept once is never changed, but for requests,
/// which are changed by whoever read their latest version. Hashes and ids are 64 lower-case hexadecimal digits, addresses 0x and 40. The
/// ledger decides what is final; the store holds what the ledger's hashes stand for.
/// </summary>
public interface IMarketStore
{
    /// <summary>Keeps a file under its SHA-256; one that is there stays.</summary>
    Task KeepFileAsync(string sha256, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>The file with a hash; null when there is none.</summary>
    Task<byte[]?> FindFileAsync(string sha256, CancellationToken cancellationToken);

    /// <summary>A request; null when there is none.</summary>
    Task<RequestRow?> FindRequestAsync(string key, CancellationToken cancellationToken);

    /// <summary>Stores a request whose stored version is <see cref="RequestRow.Version"/> (0 for a new one) and gives it the next
    /// version.</summary>
    /// <exception cref="MarketStoreConflictException">Another version is stored; nothing was changed.</exception>
    Task SaveRequestAsync(RequestRow row, CancellationToken cancellationToken);

    /// <summary>The requests of a researcher, newest first.</summary>
    Task<RequestRow[]> FindRequestsOfAsync(string researcher, CancellationToken cancellationToken);

    /// <summary>The requests that have not ended, oldest first.</summary>
    Task<RequestRow[]> FindOpenRequestsAsync(CancellationToken cancellationToken);

    /// <summary>Keeps a decided round; answers with the one that was kept first for the same schema, ordinal and attempt.</summary>
    Task<RoundRow> KeepRoundAsync(RoundRow row, CancellationToken cancellationToken);

    /// <summary>The rounds of a schema by ordinal, then attempt.</summary>
    Task<RoundRow[]> FindRoundsAsync(string schemaId, CancellationToken cancellationToken);

    /// <summary>Places orders in the order given; each site's sequence numbers rise by 1 from 1. An order that stands already for the same
    /// site, request and attempt stays as it is.</summary>
    Task PlaceOrdersAsync(IReadOnlyList<OrderRow> orders, CancellationToken cancellationToken);

    /// <summary>A site's orders with a sequence number above the given one, rising, at most <paramref name="most"/>.</summary>
    Task<OrderRow[]> FindOrdersAsync(uint site, long afterSequence, int most, CancellationToken cancellationToken);

    /// <summary>Keeps a delivery that was accepted; answers with the one that was kept first of the same request, site, attempt and
    /// content. The ledger says whose content counts.</summary>
    Task<DeliveryRow> KeepDeliveryAsync(DeliveryRow row, CancellationToken cancellationToken);

    /// <summary>Keeps a request's results; answers with those that were kept first.</summary>
    Task<string> KeepResultsAsync(string requestKey, string resultsJson, CancellationToken cancellationToken);

    /// <summary>A request's results; null when there are none.</summary>
    Task<string?> FindResultsAsync(string requestKey, CancellationToken cancellationToken);
}

/// <summary>A request and its workflow.</summary>
public sealed record RequestRow
{
    /// <summary>The hash of the terms document.</summary>
    public required string Key { get; init; }

    /// <summary>The stored version that this row was read from; 0 for a new one.</summary>
    public long Version { get; init; }

    /// <summary>The researcher's address.</summary>
    public required string Researcher { get; init; }

    /// <summary>The schema's id.</summary>
    public required string SchemaId { get; init; }

    /// <summary>The terms document.</summary>
    public required string TermsJson { get; init; }

    /// <summary>The id on the ledger; 0 until it is funded.</summary>
    public ulong RequestId { get; init; }

    /// <summary>The steps, oldest first, at least one.</summary>
    public required RequestStep[] Steps { get; init; }

    /// <summary>Records that the round sells it.</summary>
    public long Sold { get; init; }

    /// <summary>Records delivered.</summary>
    public long Delivered { get; init; }

    /// <summary>Paid for them, token units, relay fees included.</summary>
    public UInt128 Paid { get; init; }

    /// <summary>Given back, token units.</summary>
    public UInt128 Refunded { get; init; }

    /// <summary>Effective records delivered, parts per billion.</summary>
    public UInt128 EffectivePpb { get; init; }

    /// <summary>Where it stands.</summary>
    public RequestState State => Steps[^1].State;

    /// <summary>
    /// Whether it ended. What was withdrawn before the ledger had it is looked after until its deadline: its money may have been on the
    /// way, and then it goes on as funded; the second step says that none came.
    /// </summary>
    public bool HasEnded => State >= RequestState.Settled
        && (State != RequestState.Cancelled || RequestId > 0 || (Steps.Length > 1 && Steps[^2].State == RequestState.Cancelled));
}

/// <summary>A round that was decided, before it is committed.</summary>
public sealed record RoundRow
{
    /// <summary>The schema's id.</summary>
    public required string SchemaId { get; init; }

    /// <summary>The book's ordinal.</summary>
    public required uint Ordinal { get; init; }

    /// <summary>The attempt.</summary>
    public required uint Attempt { get; init; }

    /// <summary>SHA-256 of the round file, which is kept before this row.</summary>
    public required string FileHash { get; init; }

    /// <summary>The seed's reveal, 32 bytes as hexadecimal digits: secret until the round is final.</summary>
    public required string Reveal { get; init; }

    /// <summary>Records sold.</summary>
    public required ulong Sales { get; init; }

    /// <summary>Milliseconds that setting up the problem, solving it and verifying the match took.</summary>
    public required double[] Milliseconds { get; init; }
}

/// <summary>An order to a site.</summary>
public sealed record OrderRow
{
    /// <summary>The site's number.</summary>
    public required uint Site { get; init; }

    /// <summary>Given by the store.</summary>
    public long Sequence { get; init; }

    /// <summary>The request's id on the ledger.</summary>
    public required ulong RequestId { get; init; }

    /// <summary>The request's key.</summary>
    public required string RequestKey { get; init; }

    /// <summary>SHA-256 of the round file.</summary>
    public required string RoundFileHash { get; init; }

    /// <summary>The attempt, from 0.</summary>
    public required uint Attempt { get; init; }
}

/// <summary>A delivery that the market accepted.</summary>
public sealed record DeliveryRow
{
    /// <summary>The request's id on the ledger.</summary>
    public required ulong RequestId { get; init; }

    /// <summary>The site's number.</summary>
    public required uint Site { get; init; }

    /// <summary>The attempt.</summary>
    public required uint Attempt { get; init; }

    /// <summary>SHA-256 of the delivery file, which is kept before this row.</summary>
    public required string FileHash { get; init; }

    /// <summary>The market's receipt, 65 bytes as hexadecimal digits.</summary>
    public required string Receipt { get; init; }
}

/// <summary>A row was changed by somebody else since it was read: read again.</summary>
[GenerateSerializer]
[Alias("emr.MarketStoreConflictException")]
public sealed class MarketStoreConflictException : Exception
{
    /// <summary>A conflict.</summary>
    public MarketStoreConflictException()
        : this("a row was changed since it was read")
    {
    }

    /// <summary>A conflict with its description.</summary>
    public MarketStoreConflictException(string message)
        : base(message)
    {
    }

    /// <summary>A conflict that another exception tells of.</summary>
    public MarketStoreConflictException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
