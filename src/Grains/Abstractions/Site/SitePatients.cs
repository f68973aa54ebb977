namespace EmrMarket.Grains.Abstractions.Site;

/// <summary>A payout account in the place of a person's seed.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.SiteTakeOver")]
public sealed record SiteTakeOver
{
    /// <summary>The schema.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>A pseudonym of the person, 64 lower-case hexadecimal digits.</summary>
    [Id(1)]
    public required string Pseudonym { get; init; }

    /// <summary>The controller that signed for it, 20 bytes.</summary>
    [Id(2)]
    public required byte[] Controller { get; init; }

    /// <summary>The account's public key, compressed: 33 bytes.</summary>
    [Id(3)]
    public required byte[] PublicKey { get; init; }

    /// <summary>The account's chain code, 32 bytes.</summary>
    [Id(4)]
    public required byte[] ChainCode { get; init; }
}

/// <summary>Revocations that a person signed.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.SiteRevocations")]
public sealed record SiteRevocations
{
    /// <summary>The schema.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>The pseudonym that commands, 64 lower-case hexadecimal digits.</summary>
    [Id(1)]
    public required string Pseudonym { get; init; }

    /// <summary>The revocations, of pseudonyms of the same person.</summary>
    [Id(2)]
    public required PublisherRevocation[] Revocations { get; init; }
}

/// <summary>A person at the site's desk.</summary>
[GenerateSerializer]
[Alias("emr.SitePerson")]
public sealed record SitePerson
{
    /// <summary>What the person allows and asks: the only one in its columns. A quota of 0 is of who never had a policy.</summary>
    [Id(0)]
    public required SetPolicies Policy { get; init; }

    /// <summary>The pseudonyms of the person's records, 64 lower-case hexadecimal digits each.</summary>
    [Id(1)]
    public required string[] Pseudonyms { get; init; }
}

/// <summary>What a person needs to command their pseudonyms.</summary>
[GenerateSerializer]
[Alias("emr.SiteEnrolment")]
public sealed record SiteEnrolment
{
    /// <summary>The site's number on the ledger.</summary>
    [Id(0)]
    public required uint Site { get; init; }

    /// <summary>The person's seed, 32 bytes: whoever has it commands the pseudonyms and spends what they were paid.</summary>
    [Id(1)]
    public required byte[] Seed { get; init; }

    /// <summary>The pseudonyms of the person's records, 64 lower-case hexadecimal digits each.</summary>
    [Id(2)]
    public required string[] Pseudonyms { get; init; }
}

/// <summary>What was measured of re-identification.</summary>
[GenerateSerializer]
[Alias("emr.SiteReidentification")]
public sealed record SiteReidentification
{
    /// <summary>The size of the crowd: a blind guess is right once in as many.</summary>
    [Id(0)]
    public required int People { get; init; }

    /// <summary>Per profile of the menu, the share of people whose own reports the attacker ranks first, in 0..1.</summary>
    [Id(1)]
    public required double[] TopOne { get; init; }
}
