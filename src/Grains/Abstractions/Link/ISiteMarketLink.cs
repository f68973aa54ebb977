namespace EmrMarket.Grains.Abstractions.Link;

/// <summary>
/// All that passes between a site and the market: the site calls outward. In process when one program runs both roles, HTTPS otherwise; the
/// messages are the same, and each carries what its receiver needs to check it against the ledger. Files have the formats of docs/WIRE.md,
/// "Exchanged files", and are named by their SHA-256, which stands in the header on the ledger.
/// </summary>
public interface ISiteMarketLink
{
    /// <summary>Which ledger, which contracts and which schemas the market works with.</summary>
    Task<MarketDescription> DescribeAsync(CancellationToken cancellationToken);

    /// <summary>Hands the market an epoch's leaf file before its header is posted. The market checks its form and keeps it; repeated
    /// hand-ins change nothing.</summary>
    /// <exception cref="LinkRefusedException">The file is malformed, of an unknown schema, or not of the site that hands it in.</exception>
    Task PublishEpochAsync(EpochPublication publication, CancellationToken cancellationToken);

    /// <summary>What the site is to deliver: the orders of final rounds with a sequence number above the given one, in order, at most
    /// 100.</summary>
    /// <exception cref="LinkRefusedException"><see cref="LinkRefusedException.EpochMissing"/>: the market lacks the file of an epoch of the
    /// site that is on the ledger, and can decide and replay nothing with it.</exception>
    Task<DeliveryOrder[]> GetOrdersAsync(uint site, long afterSequence, CancellationToken cancellationToken);

    /// <summary>
    /// Delivers the reports of one order. The market checks every leaf and every report against round, epoch and terms, keeps the file and
    /// signs; the site then posts the delivery with this receipt. A repeated delivery of the same content gets the same receipt.
    /// </summary>
    /// <exception cref="LinkRefusedException">Something is not as the round says; the message names the first fault.</exception>
    Task<DeliveryReceipt> DeliverAsync(DeliveryMessage message, CancellationToken cancellationToken);

    /// <summary>A file that the site handed in and lost since: of an epoch or delivery of its own that is on the ledger. Whoever gets it
    /// holds it against its hash.</summary>
    /// <returns>The file; null when the market does not have it either.</returns>
    /// <exception cref="LinkRefusedException">No batch of the site on the ledger has this file.</exception>
    Task<byte[]?> FindFileAsync(uint site, string sha256, CancellationToken cancellationToken);
}

/// <summary>The other side understood a message and refuses it: repeating it will not help, unless the code is
/// <see cref="NotReady"/>.</summary>
[GenerateSerializer]
[Alias("emr.LinkRefusedException")]
public sealed class LinkRefusedException : Exception
{
    /// <summary>The one code that means "not yet": the other side has not read the ledger as far as the sender, and the same message may be
    /// taken later.</summary>
    public const string NotReady = "not-ready";

    /// <summary>The market lost the file of an epoch, as one does that was put back from a backup: the site hands it in again.</summary>
    public const string EpochMissing = "epoch-missing";

    /// <summary>A refusal.</summary>
    /// <param name="code">A stable code for programs, for example <c>unknown-schema</c>.</param>
    /// <param name="message">What is wrong, expected against got, and how to mend it.</param>
    public LinkRefusedException(string code, string message)
        : base(message) => Code = code;

    /// <summary>For the runtime.</summary>
    public LinkRefusedException()
        : this("refused", "the other side refused the message")
    {
    }

    /// <summary>For the runtime.</summary>
    public LinkRefusedException(string message)
        : this("refused", message)
    {
    }

    /// <summary>For the runtime.</summary>
    public LinkRefusedException(string message, Exception innerException)
        : base(message, innerException) => Code = "refused";

    /// <summary>The code.</summary>
    [Id(0)]
    public string Code { get; init; }
}

/// <summary>The market as a site needs to know it.</summary>
[GenerateSerializer]
[Alias("emr.MarketDescription")]
public sealed record MarketDescription
{
    /// <summary>The chain's id.</summary>
    [Id(0)]
    public required ulong ChainId { get; init; }

    /// <summary>The address of DynamicAccessControl, from which the others are found; 20 bytes.</summary>
    [Id(1)]
    public required byte[] AccessControl { get; init; }

    /// <summary>The schemas, by id (64 hexadecimal digits), with their canonical JSON.</summary>
    [Id(2)]
    public required Dictionary<string, string> Schemas { get; init; }
}

/// <summary>An epoch's leaves, in a file.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.EpochPublication")]
public sealed record EpochPublication
{
    /// <summary>The site's number on the ledger.</summary>
    [Id(0)]
    public required uint Site { get; init; }

    /// <summary>The leaf file.</summary>
    [Id(1)]
    public required byte[] LeafFile { get; init; }
}

/// <summary>What one site is to deliver to one request.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.DeliveryOrder")]
public sealed record DeliveryOrder
{
    /// <summary>Rises by 1 for each order of the site, from 1.</summary>
    [Id(0)]
    public required long Sequence { get; init; }

    /// <summary>The request's id on the ledger.</summary>
    [Id(1)]
    public required ulong RequestId { get; init; }

    /// <summary>The request's terms document: its hash is on the ledger.</summary>
    [Id(2)]
    public required string TermsJson { get; init; }

    /// <summary>The round's file: from it and the chain the site finds what it sells to whom, and checks it.</summary>
    [Id(3)]
    public required byte[] RoundFile { get; init; }

    /// <summary>0 for the first delivery; one more after each one that was voided.</summary>
    [Id(4)]
    public required uint Attempt { get; init; }
}

/// <summary>A delivery, in a file.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.DeliveryMessage")]
public sealed record DeliveryMessage
{
    /// <summary>The site's number on the ledger.</summary>
    [Id(0)]
    public required uint Site { get; init; }

    /// <summary>The order's sequence number.</summary>
    [Id(1)]
    public required long Sequence { get; init; }

    /// <summary>The delivery file: leaves by slot, and the reports.</summary>
    [Id(2)]
    public required byte[] DeliveryFile { get; init; }
}

/// <summary>The market's word that it has a delivery.</summary>
[GenerateSerializer]
[Alias("emr.DeliveryReceipt")]
public sealed record DeliveryReceipt
{
    /// <summary>The market's EIP-712 signature of the delivery's header, 65 bytes (docs/WIRE.md, "Signatures").</summary>
    [Id(0)]
    public required byte[] Signature { get; init; }
}
