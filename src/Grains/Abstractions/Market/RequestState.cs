namespace EmrMarket.Grains.Abstractions.Market;

/// <summary>Where a request stands. It ends in exactly one of the states from <see cref="Settled"/> on (docs/DATA_MODEL.md draws the ways
/// between them).</summary>
[GenerateSerializer]
[Alias("emr.RequestState")]
public enum RequestState
{
    /// <summary>Its terms were handed in.</summary>
    Draft = 0,

    /// <summary>The market has checked the terms against schema and catalogue and would serve them; the researcher has not funded it
    /// yet.</summary>
    Planned = 1,

    /// <summary>The ledger holds its escrow, and it waits for its book to be closed and its round to be final.</summary>
    Funded = 2,

    /// <summary>A final round says which classes sell it how many records.</summary>
    Matched = 3,

    /// <summary>The sites have their orders.</summary>
    Delivering = 4,

    /// <summary>Every delivery that will come is final.</summary>
    Delivered = 5,

    /// <summary>Its statistics are computed.</summary>
    Evaluated = 6,

    /// <summary>Ended: patients are paid for what was delivered, and the rest went back.</summary>
    Settled = 7,

    /// <summary>Ended: nothing was delivered, and all of the money went back.</summary>
    Refunded = 8,

    /// <summary>Ended: it was never funded before its deadline.</summary>
    Expired = 9,

    /// <summary>Ended: its researcher withdrew it; a funded one got its money back.</summary>
    Cancelled = 10,

    /// <summary>Ended: a round or delivery was proved wrong and nothing came in its place; all of the money went back.</summary>
    Disputed = 11,

    /// <summary>Ended: what was funded is not what was handed in, or reports that were paid for cannot carry the statistics.</summary>
    Failed = 12,
}

/// <summary>A step of a request.</summary>
[GenerateSerializer]
[Alias("emr.RequestStep")]
public sealed record RequestStep
{
    /// <summary>The state that it went into.</summary>
    [Id(0)]
    public required RequestState State { get; init; }

    /// <summary>The ledger's time, unix seconds.</summary>
    [Id(1)]
    public required long Seconds { get; init; }

    /// <summary>Why, for people.</summary>
    [Id(2)]
    public required string Reason { get; init; }
}

/// <summary>A request as its researcher sees it.</summary>
[GenerateSerializer]
[Alias("emr.RequestStatus")]
public sealed record RequestStatus
{
    /// <summary>The request's key: the hash of its terms document, 64 hexadecimal digits.</summary>
    [Id(0)]
    public required string Key { get; init; }

    /// <summary>Its id on the ledger; 0 until it is funded.</summary>
    [Id(1)]
    public ulong RequestId { get; init; }

    /// <summary>The researcher's address.</summary>
    [Id(2)]
    public required string Researcher { get; init; }

    /// <summary>The terms document.</summary>
    [Id(3)]
    public required string TermsJson { get; init; }

    /// <summary>The steps so far, oldest first; the last one is where it stands.</summary>
    [Id(4)]
    public required RequestStep[] Steps { get; init; }

    /// <summary>Records that the round sells it.</summary>
    [Id(5)]
    public long Sold { get; init; }

    /// <summary>Records delivered.</summary>
    [Id(6)]
    public long Delivered { get; init; }

    /// <summary>Paid for them, token units, relay fees included.</summary>
    [Id(7)]
    public UInt128 Paid { get; init; }

    /// <summary>Given back, token units.</summary>
    [Id(8)]
    public UInt128 Refunded { get; init; }

    /// <summary>Effective records delivered, in parts per billion.</summary>
    [Id(9)]
    public UInt128 EffectivePpb { get; init; }
}
