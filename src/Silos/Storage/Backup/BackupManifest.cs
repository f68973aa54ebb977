namespace EmrMarket.Silos.Storage.Backup;

/// <summary>What a backup holds (docs/BACKUP.md): everything that a restore checks before it changes anything.</summary>
internal sealed record BackupManifest
{
    /// <summary>The only version there is.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The name of the format.</summary>
    public const string FormatName = "emr-backup";

    /// <summary><see cref="FormatName"/>.</summary>
    public required string Format { get; init; }

    /// <summary><see cref="CurrentVersion"/>.</summary>
    public required int Version { get; init; }

    /// <summary>The version of the program that made it.</summary>
    public required string Program { get; init; }

    /// <summary>When its snapshots were taken, unix seconds.</summary>
    public required long Seconds { get; init; }

    /// <summary>The chain.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>The contracts: token, DynamicAccessControl, MatchingDecision, DataEvaluation, AnonymousTransaction.</summary>
    public required string[] Contracts { get; init; }

    /// <summary>Whether the state of an embedded chain is in it.</summary>
    public required bool HasChain { get; init; }

    /// <summary>The databases, one a role.</summary>
    public required BackupDatabase[] Databases { get; init; }

    /// <summary>All files but the manifest and its signatures.</summary>
    public required BackupFile[] Files { get; init; }
}

/// <summary>The database of a role at one moment.</summary>
internal sealed record BackupDatabase
{
    /// <summary>The name of the market among sites' names; a site's name may not hold a slash.</summary>
    public const string Market = "/market";

    /// <summary>A site's name, or <see cref="Market"/>.</summary>
    public required string Name { get; init; }

    /// <summary>The role's account, which signs the manifest.</summary>
    public required string Account { get; init; }

    /// <summary>The migrations that were applied, by number.</summary>
    public required BackupMigration[] Migrations { get; init; }

    /// <summary>The block up to which the role had read the ledger; null before the first.</summary>
    public required BackupBlock? Block { get; init; }

    /// <summary>The tables, each after those that it refers to.</summary>
    public required BackupTable[] Tables { get; init; }

    /// <summary>The sequences.</summary>
    public required BackupSequence[] Sequences { get; init; }

    /// <summary>Of a site, its data keys as its storage key wraps them: with it, they open; they stand in the database as well.</summary>
    public required BackupKey[] Keys { get; init; }

    /// <summary>Of a site, HMAC-SHA256 of a fixed text under its site key: whoever has the key sees that it is the right one, and nobody
    /// else learns anything. Empty for the market.</summary>
    public required string SiteKeyMark { get; init; }

    /// <summary>The folder of its files in the backup.</summary>
    public string Folder => Name == Market ? "market" : "sites/" + Name;

    /// <summary>Whose form it has.</summary>
    public Postgres.DatabaseRole Role => Name == Market ? Postgres.DatabaseRole.Market : Postgres.DatabaseRole.Site;
}

/// <summary>A migration that was applied.</summary>
internal sealed record BackupMigration(int Number, string Name, string Sha256);

/// <summary>A block of the chain.</summary>
internal sealed record BackupBlock(long Number, string Hash);

/// <summary>The content of a table in PostgreSQL's binary COPY format.</summary>
internal sealed record BackupTable(string Name, string[] Columns, long Rows, string File);

/// <summary>Where a sequence stands.</summary>
internal sealed record BackupSequence(string Name, long Last, bool IsCalled);

/// <summary>A wrapped data key, hexadecimal.</summary>
internal sealed record BackupKey(int Id, string Wrapped);

/// <summary>A file by its path in the backup, with slashes.</summary>
internal sealed record BackupFile(string Name, long Bytes, string Sha256);

/// <summary>Who vouches for a manifest.</summary>
internal sealed record BackupSignatures(string Manifest, BackupSignature[] Signatures);

/// <summary>A role's signature of Keccak-256("emr-backup 1 " and the manifest's SHA-256 as 64 digits).</summary>
internal sealed record BackupSignature(string Account, string Signature);

/// <summary>A backup cannot be made, read or restored; the message says what to do.</summary>
internal sealed class BackupException(string message, Exception? inner = null) : Exception(message, inner);
