namespace EmrMarket.Silos.Records.Mapping;

/// <summary>What a load may take at most (docs/FHIR.md, "Limits").</summary>
internal sealed record MappingLimits
{
    /// <summary>The limits of every load, unless a test says otherwise.</summary>
    public static MappingLimits Default { get; } = new();

    /// <summary>The limits of a load that a server does for a caller: some 1 GB at the most.</summary>
    public static MappingLimits OfCall { get; } = new() { Units = 1_000_000, Medications = 1_000_000, FileNamesOnly = true };

    /// <summary>The most bytes of one resource, or of one row of a table.</summary>
    public int ResourceBytes { get; init; } = 16 << 20;

    /// <summary>The deepest nesting of objects and arrays in one resource.</summary>
    public int Depth { get; init; } = 64;

    /// <summary>How many times its packed size a file may have unpacked, once it is above <see cref="FreeUnpackedBytes"/>. Resources pack
    /// to a tenth or a thirtieth, gzip at most to a thousandth.</summary>
    public int UnpackRatio { get; init; } = 200;

    /// <summary>What a packed file may have in any case.</summary>
    public long FreeUnpackedBytes { get; init; } = 64L << 20;

    /// <summary>The most persons and visits together, mentioned or defined.</summary>
    public int Units { get; init; } = 20_000_000;

    /// <summary>The most names of Medications that a mapping follows.</summary>
    public int Medications { get; init; } = 4_000_000;

    /// <summary>The most bytes of different Medications that a mapping follows.</summary>
    public long MedicationBytes { get; init; } = 64L << 20;

    /// <summary>The most characters of a text value or an id.</summary>
    public int TextLength { get; init; } = 256;

    /// <summary>Whether a report names files without their folders, which are the server's own matter.</summary>
    public bool FileNamesOnly { get; init; }

    /// <summary>How many issues a report tells in full.</summary>
    public int ListedIssues { get; init; } = 100;
}
