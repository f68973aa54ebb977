namespace EmrMarket.Grains.Abstractions.Site;

/// <summary>Records, column by column.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.LoadRecords")]
public sealed record LoadRecords
{
    /// <summary>The batch's own id, made once by whoever loads.</summary>
    [Id(0)]
    public required string Id { get; init; }

    /// <summary>The schema's canonical JSON.</summary>
    [Id(1)]
    public required string SchemaJson { get; init; }

    /// <summary>Per record its key, unique in the schema.</summary>
    [Id(2)]
    public required ulong[] RecordKeys { get; init; }

    /// <summary>Per record the key of its person.</summary>
    [Id(3)]
    public required ulong[] PersonKeys { get; init; }

    /// <summary>Per attribute in schema order and per record the code of the value; 65535 marks a missing value of a grid
    /// attribute.</summary>
    [Id(4)]
    public required ushort[][] Codes { get; init; }

    /// <summary>Per attribute, for grids with values off the grid, per record the distance to the lower cell as a 32-bit fraction of a
    /// cell; else empty.</summary>
    [Id(5)]
    public required uint[][] Fractions { get; init; }
}

/// <summary>Whether a person takes part.</summary>
[GenerateSerializer]
[Alias("emr.Participation")]
public enum Participation
{
    /// <summary>Offers are published and served.</summary>
    Active = 0,

    /// <summary>For the time being nothing is published or delivered.</summary>
    Paused = 1,

    /// <summary>Nothing is published or delivered any more.</summary>
    Withdrawn = 2,
}

/// <summary>What persons allow and ask, column by column.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.SetPolicies")]
public sealed record SetPolicies
{
    /// <summary>The schema.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>The persons.</summary>
    [Id(1)]
    public required ulong[] PersonKeys { get; init; }

    /// <summary>Per person the profile, an index into the schema's menu.</summary>
    [Id(2)]
    public required byte[] Profiles { get; init; }

    /// <summary>Per person the rate, an index into the site's menu of rates.</summary>
    [Id(3)]
    public required byte[] Rates { get; init; }

    /// <summary>Per person the sales per record and round, at least 1.</summary>
    [Id(4)]
    public required ushort[] Quotas { get; init; }

    /// <summary>Per person the code of the purpose that is admitted, with all below it.</summary>
    [Id(5)]
    public required byte[] Purposes { get; init; }

    /// <summary>Per person when the policy ends, unix seconds; published by the end of its quarter.</summary>
    [Id(6)]
    public required long[] ExpirySeconds { get; init; }

    /// <summary>Per person whether they take part.</summary>
    [Id(7)]
    public required Participation[] Participation { get; init; }

    /// <summary>The policies that these are to replace: they are refused as <c>command-nonce</c> when the persons have neither those nor
    /// already these. Null to replace any.</summary>
    [Id(8)]
    public SetPolicies? InPlaceOf { get; init; }
}

/// <summary>Policies for persons who have none.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.SetDefaultPolicies")]
public sealed record SetDefaultPolicies
{
    /// <summary>The schema.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>Per profile of the schema's menu its share in millionths.</summary>
    [Id(1)]
    public required int[] ProfileShares { get; init; }

    /// <summary>Per rate of the site's menu its share in millionths.</summary>
    [Id(2)]
    public required int[] RateShares { get; init; }

    /// <summary>The code of the purpose that is admitted, with all below it.</summary>
    [Id(3)]
    public required byte Purpose { get; init; }

    /// <summary>Sales per record and round, at least 1.</summary>
    [Id(4)]
    public required ushort Quota { get; init; }

    /// <summary>When the policies end, unix seconds.</summary>
    [Id(5)]
    public required long ExpirySeconds { get; init; }
}
