namespace EmrMarket.Grains.Abstractions.Market;

/// <summary>Decides a schema's rounds, one after the other. Key: the schema's id, 64 hexadecimal digits.</summary>
[Alias("emr.IMarketGrain")]
public interface IMarketGrain : IGrainWithStringKey
{
    /// <summary>
    /// Goes on: closes the book when it is due and not empty, solves, verifies and keeps the round before it is committed, seals its seed,
    /// finalises it, and places the sites' orders.
    /// </summary>
    [Alias("Advance")]
    [ResponseTimeout("00:02:00")]
    Task<Advance> AdvanceAsync();

    /// <summary>The rounds so far, oldest first.</summary>
    [Alias("Rounds")]
    Task<RoundStatus[]> RoundsAsync();
}

/// <summary>Where a round stands.</summary>
[GenerateSerializer]
[Alias("emr.RoundState")]
public enum RoundState
{
    /// <summary>The book is closed on the ledger, and the match is not computed yet.</summary>
    Closed = 0,

    /// <summary>The match is computed, verified and kept, with the seed's reveal.</summary>
    Decided = 1,

    /// <summary>The ledger has its header.</summary>
    Committed = 2,

    /// <summary>The ledger has the block hash of its seed.</summary>
    Sealed = 3,

    /// <summary>Ended: final, its seed is known, the orders are placed.</summary>
    Final = 4,

    /// <summary>Ended: a fault was proved or a term was missed; the next attempt takes its place.</summary>
    Void = 5,
}

/// <summary>A round as anybody may see it.</summary>
[GenerateSerializer]
[Alias("emr.RoundStatus")]
public sealed record RoundStatus
{
    /// <summary>The book's ordinal, from 0.</summary>
    [Id(0)]
    public required uint Ordinal { get; init; }

    /// <summary>The attempt, from 0.</summary>
    [Id(1)]
    public required uint Attempt { get; init; }

    /// <summary>Where it stands.</summary>
    [Id(2)]
    public required RoundState State { get; init; }

    /// <summary>SHA-256 of the round file, 64 hexadecimal digits; empty while it is not decided.</summary>
    [Id(3)]
    public string FileHash { get; init; } = "";

    /// <summary>Records sold.</summary>
    [Id(4)]
    public ulong Sales { get; init; }

    /// <summary>Milliseconds that setting up the problem took.</summary>
    [Id(5)]
    public double ProblemMilliseconds { get; init; }

    /// <summary>Milliseconds that the solver took.</summary>
    [Id(6)]
    public double SolveMilliseconds { get; init; }

    /// <summary>Milliseconds that the independent verifier took.</summary>
    [Id(7)]
    public double VerifyMilliseconds { get; init; }
}
