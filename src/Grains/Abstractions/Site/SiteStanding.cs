namespace EmrMarket.Grains.Abstractions.Site;

/// <summary>An epoch as its site knows it.</summary>
[GenerateSerializer]
[Alias("emr.SiteEpoch")]
public sealed record SiteEpoch
{
    /// <summary>Its number, from 1.</summary>
    [Id(0)]
    public required uint Epoch { get; init; }

    /// <summary>Records on offer.</summary>
    [Id(1)]
    public required int Members { get; init; }

    /// <summary>Classes.</summary>
    [Id(2)]
    public required int Classes { get; init; }

    /// <summary>Records that are not published because too few are like them, or their person takes no part.</summary>
    [Id(3)]
    public required int Withheld { get; init; }

    /// <summary>SHA-256 of the leaf file, 64 hexadecimal digits.</summary>
    [Id(4)]
    public required string FileHash { get; init; }
}

/// <summary>Where a site stands.</summary>
[GenerateSerializer]
[Alias("emr.SiteStatus")]
public sealed record SiteStatus
{
    /// <summary>Its number on the ledger; 0 while the consortium has not admitted it.</summary>
    [Id(0)]
    public required uint Site { get; init; }

    /// <summary>Records.</summary>
    [Id(1)]
    public required int Records { get; init; }

    /// <summary>Persons.</summary>
    [Id(2)]
    public required int Persons { get; init; }

    /// <summary>Epochs, oldest first.</summary>
    [Id(3)]
    public required SiteEpoch[] Epochs { get; init; }

    /// <summary>Deliveries, in the order of their orders.</summary>
    [Id(4)]
    public required SiteDelivery[] Deliveries { get; init; }

    /// <summary>The highest loss of any person so far, micro-epsilon.</summary>
    [Id(5)]
    public required long HighestLossMicro { get; init; }
}

/// <summary>Where a site stands whose store was put back from a backup (docs/BACKUP.md).</summary>
[GenerateSerializer]
[Alias("emr.SiteRestore")]
public sealed record SiteRestore
{
    /// <summary>The time of the backup, unix seconds; 0 when it was put back by other means, and the ledger gave it away.</summary>
    [Id(0)]
    public required long SnapshotSeconds { get; init; }

    /// <summary>Whether the site goes on.</summary>
    [Id(1)]
    public required bool IsConfirmed { get; init; }

    /// <summary>What the ledger shows and the site has not made good yet; empty when nothing is open.</summary>
    [Id(2)]
    public required string[] Open { get; init; }
}

/// <summary>A delivery as its site knows it.</summary>
[GenerateSerializer]
[Alias("emr.SiteDelivery")]
public sealed record SiteDelivery
{
    /// <summary>The order's sequence number.</summary>
    [Id(0)]
    public required long Sequence { get; init; }

    /// <summary>The request.</summary>
    [Id(1)]
    public required ulong RequestId { get; init; }

    /// <summary>Records sold.</summary>
    [Id(2)]
    public required int Sold { get; init; }

    /// <summary>Records delivered.</summary>
    [Id(3)]
    public required int Delivered { get; init; }

    /// <summary>Records left out because a cap would have been exceeded.</summary>
    [Id(4)]
    public required int OverCap { get; init; }

    /// <summary>Records left out because their person paused or withdrew, or the policy has changed since.</summary>
    [Id(5)]
    public required int NotAllowed { get; init; }

    /// <summary>Why the market refused it; empty otherwise.</summary>
    [Id(6)]
    public string Refusal { get; init; } = "";
}
