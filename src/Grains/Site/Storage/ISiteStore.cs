using EmrMarket.Grains.Abstractions.Site;

namespace EmrMarket.Grains.Site.Storage;

/// <summary>
/// What a site keeps. Every write is all or nothing and safe to repeat. Records are encrypted at rest by whoever implements this; nothing
/// of them is in any other row. Hashes and ids are 64 lower-case hexadecimal digits.
/// </summary>
public interface ISiteStore
{
    /// <summary>Keeps a batch of records; one that is there stays.</summary>
    Task KeepRecordsAsync(LoadRecords batch, string schemaId, CancellationToken cancellationToken);

    /// <summary>The batches of a schema in the order in which they were kept.</summary>
    Task<LoadRecords[]> ReadRecordsAsync(string schemaId, CancellationToken cancellationToken);

    /// <summary>The schemas that there are records of.</summary>
    Task<string[]> ReadSchemasAsync(CancellationToken cancellationToken);

    /// <summary>Stores the policies of persons in place of their earlier ones.</summary>
    Task SavePoliciesAsync(SetPolicies policies, CancellationToken cancellationToken);

    /// <summary>The policies of all persons who have one, by rising person key.</summary>
    Task<SetPolicies> ReadPoliciesAsync(string schemaId, CancellationToken cancellationToken);

    /// <summary>Keeps the payout account of a person behind their earlier ones; one that is there stays where it stands.</summary>
    Task KeepAccountAsync(SiteAccountRow row, CancellationToken cancellationToken);

    /// <summary>All payout accounts, in the order in which they were kept.</summary>
    Task<SiteAccountRow[]> ReadAccountsAsync(CancellationToken cancellationToken);

    /// <summary>Keeps the revocation that a patient signed for a pseudonym in place of an earlier one.</summary>
    Task SaveRevocationAsync(SiteRevocationRow row, CancellationToken cancellationToken);

    /// <summary>The revocations of a schema that patients signed, by pseudonym.</summary>
    Task<SiteRevocationRow[]> ReadRevocationsAsync(string schemaId, CancellationToken cancellationToken);

    /// <summary>Keeps a file under its SHA-256; one that is there stays.</summary>
    Task KeepFileAsync(string sha256, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>The file with a hash; null when there is none.</summary>
    Task<byte[]?> FindFileAsync(string sha256, CancellationToken cancellationToken);

    /// <summary>Keeps a decided epoch, whose file is kept before; answers with the one that was kept first for the same schema and
    /// number.</summary>
    Task<SiteEpochRow> KeepEpochAsync(SiteEpochRow row, CancellationToken cancellationToken);

    /// <summary>The epochs of a schema by number.</summary>
    Task<SiteEpochRow[]> ReadEpochsAsync(string schemaId, CancellationToken cancellationToken);

    /// <summary>Stores an order whose stored version is <see cref="SiteOrderRow.Version"/> (0 for a new one), and gives it the next
    /// version: budgets change with these rows alone.</summary>
    /// <exception cref="SiteStoreConflictException">Another version is stored; nothing was changed.</exception>
    Task SaveOrderAsync(SiteOrderRow row, CancellationToken cancellationToken);

    /// <summary>The orders by sequence number.</summary>
    Task<SiteOrderRow[]> ReadOrdersAsync(CancellationToken cancellationToken);

    /// <summary>Keeps who had withdrawn when a day of the ledger's time began; answers with those that were kept first.</summary>
    /// <param name="schemaId">The schema.</param>
    /// <param name="day">The day, counted from 1970.</param>
    /// <param name="persons">Keys of persons, rising.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task<ulong[]> KeepWithdrawnAsync(string schemaId, long day, ulong[] persons, CancellationToken cancellationToken);

    /// <summary>That the store was put back from a backup, and what came of that; null when it never was.</summary>
    Task<SiteRestoreRow?> FindRestoreAsync(CancellationToken cancellationToken);

    /// <summary>Stores that in place of what was there.</summary>
    Task SaveRestoreAsync(SiteRestoreRow row, CancellationToken cancellationToken);

    /// <summary>
    /// Sees that the store is still this process's, and keeps every other process from taking it until what this returns is disposed of:
    /// what was read before then holds, and what leaves the site meanwhile is allowed by it. Fails, with what is an error of the store,
    /// when another process has it.
    /// </summary>
    Task<IAsyncDisposable> HoldAsync(CancellationToken cancellationToken);
}

/// <summary>The payout account that a patient handed in. Whoever has it can tell all that person's addresses on the ledger.</summary>
public sealed record SiteAccountRow
{
    /// <summary>The person.</summary>
    public required ulong PersonKey { get; init; }

    /// <summary>The account's public key, 33 bytes.</summary>
    public required byte[] PublicKey { get; init; }

    /// <summary>Its chain code, 32 bytes.</summary>
    public required byte[] ChainCode { get; init; }
}

/// <summary>A revocation for the ledger that only its patient could sign.</summary>
public sealed record SiteRevocationRow
{
    /// <summary>The schema.</summary>
    public required string SchemaId { get; init; }

    /// <summary>The pseudonym, 64 hexadecimal digits.</summary>
    public required string Pseudonym { get; init; }

    /// <summary>The signature, 65 bytes.</summary>
    public required byte[] Signature { get; init; }
}

/// <summary>That a store was put back from a backup (docs/BACKUP.md).</summary>
/// <param name="SnapshotSeconds">The time of the backup, unix seconds; 0 when nobody said so, and the ledger had what the store had
/// not.</param>
/// <param name="LedgerSeconds">The ledger's time when the site had made good what the ledger shows, unix seconds; 0 before. An order of a
/// round that was final by then may have been delivered before.</param>
/// <param name="IsConfirmed">Whether staff said that what nobody could know was entered again.</param>
public sealed record SiteRestoreRow(long SnapshotSeconds, long LedgerSeconds, bool IsConfirmed);

/// <summary>A decided epoch.</summary>
/// <param name="SchemaId">The schema.</param>
/// <param name="Epoch">What was decided.</param>
public sealed record SiteEpochRow(string SchemaId, SiteEpoch Epoch)
{
    /// <summary>SHA-256 of the file of those who stood in an earlier epoch and are not in this one, with their places; empty where nobody
    /// wrote it.</summary>
    public string AbsentHash { get; init; } = "";
}

/// <summary>Where an order stands at its site, which is also where its losses stand.</summary>
public enum SiteOrderState
{
    /// <summary>The delivery is drawn and kept, and its losses are reserved.</summary>
    Reserved = 0,

    /// <summary>The market has it: the losses are spent.</summary>
    Released = 1,

    /// <summary>The market refused it: it has seen the reports all the same, and the losses stay spent.</summary>
    Refused = 2,

    /// <summary>Nothing could be delivered.</summary>
    Empty = 3,

    /// <summary>It is being handed over and may have arrived: the losses are spent.</summary>
    Sending = 4,
}

/// <summary>An order with what it releases.</summary>
public sealed record SiteOrderRow
{
    /// <summary>The stored version that this row was read from; 0 for a new one.</summary>
    public long Version { get; init; }

    /// <summary>The order's sequence number.</summary>
    public required long Sequence { get; init; }

    /// <summary>The schema.</summary>
    public required string SchemaId { get; init; }

    /// <summary>The attempt.</summary>
    public required uint Attempt { get; init; }

    /// <summary>Where it stands.</summary>
    public required SiteOrderState State { get; init; }

    /// <summary>SHA-256 of the delivery file, kept before this row; empty when nothing is delivered.</summary>
    public required string FileHash { get; init; }

    /// <summary>The market's signature, 65 bytes; empty while it has none.</summary>
    public byte[] Receipt { get; init; } = [];

    /// <summary>Who gets to know it.</summary>
    public required SiteDelivery Delivery { get; init; }

    /// <summary>The records whose losses stand with it: those released, and any that were in an earlier file which may have
    /// arrived.</summary>
    public required ulong[] RecordKeys { get; init; }

    /// <summary>The randomised attributes released, indices in the schema.</summary>
    public required int[] Attributes { get; init; }

    /// <summary>Per record, then attribute, the grade.</summary>
    public required byte[] Grades { get; init; }
}

/// <summary>A row was changed by somebody else since it was read: two processes share one site's store, and one of them has to
/// end.</summary>
[GenerateSerializer]
[Alias("emr.SiteStoreConflictException")]
public sealed class SiteStoreConflictException : Exception
{
    /// <summary>A conflict.</summary>
    public SiteStoreConflictException()
        : this("a row was changed since it was read")
    {
    }

    /// <summary>A conflict with its description.</summary>
    public SiteStoreConflictException(string message)
        : base(message)
    {
    }

    /// <summary>A conflict that another exception tells of.</summary>
    public SiteStoreConflictException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
