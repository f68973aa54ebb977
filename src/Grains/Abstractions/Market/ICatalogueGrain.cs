namespace EmrMarket.Grains.Abstractions.Market;

/// <summary>What is on offer of a schema: sums over the sites' final epochs. Key: the schema's id, 64 hexadecimal digits.</summary>
[Alias("emr.ICatalogueGrain")]
public interface ICatalogueGrain : IGrainWithStringKey
{
    /// <summary>The catalogue of the epochs that are final now.</summary>
    [Alias("Read")]
    [ResponseTimeout("00:01:00")]
    Task<Catalogue> ReadAsync();

    /// <summary>What is on offer of one public cell; of all of them when it is empty.</summary>
    [Alias("ReadCell")]
    [ResponseTimeout("00:01:00")]
    Task<Catalogue> ReadCellAsync(string cell);
}

/// <summary>What is on offer. Counts below <see cref="SmallestCount"/> are suppressed: they stand as 0.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.Catalogue")]
public sealed record Catalogue
{
    /// <summary>Counts below this one are not shown.</summary>
    public const int SmallestCount = 20;

    /// <summary>The schema's id.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>The schema's canonical JSON.</summary>
    [Id(1)]
    public required string SchemaJson { get; init; }

    /// <summary>Records on offer.</summary>
    [Id(2)]
    public required long Records { get; init; }

    /// <summary>Published classes.</summary>
    [Id(3)]
    public required int Classes { get; init; }

    /// <summary>Per attribute in schema order, then per grade from 1: records whose ceiling is that grade or a higher one.</summary>
    [Id(4)]
    public required long[][] RecordsByGrade { get; init; }

    /// <summary>Records by the purpose that they may be used for, by code.</summary>
    [Id(5)]
    public required Dictionary<byte, long> RecordsByPurpose { get; init; }

    /// <summary>Records by public cell; the empty text for none.</summary>
    [Id(6)]
    public required Dictionary<string, long> RecordsByCell { get; init; }

    /// <summary>Records by site number.</summary>
    [Id(7)]
    public required Dictionary<uint, long> RecordsBySite { get; init; }

    /// <summary>The median rate per epsilon of the tiers Public, Low, Moderate, Private, token units; records weigh alike.</summary>
    [Id(8)]
    public required UInt128[] MedianRates { get; init; }

    /// <summary>Records by the rate per epsilon of their Private tier, token units.</summary>
    [Id(9)]
    public required Dictionary<UInt128, long> RecordsByPrivateRate { get; init; }
}
