using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting;

/// <summary>What an evaluation of the whole market measured: the <c>market</c> section of results.json.</summary>
internal sealed record MarketSection
{
    /// <summary>Time, gas and memory of each stage.</summary>
    public required IReadOnlyList<MarketStage> Stages { get; init; }

    /// <summary>The sites.</summary>
    public required IReadOnlyList<MarketSite> Sites { get; init; }

    /// <summary>The requests, with their ends.</summary>
    public required IReadOnlyList<MarketRequest> Requests { get; init; }

    /// <summary>The statistics of the served requests, from delivered reports, beside the truth of all records.</summary>
    public required IReadOnlyList<EvaluatedStatistic> Statistics { get; init; }

    /// <summary>The round's match and others for comparison.</summary>
    public required IReadOnlyList<MarketMatching> Matchings { get; init; }

    /// <summary>Who was paid what, by the profile that they chose.</summary>
    public required IReadOnlyList<MarketProfile> Profiles { get; init; }

    /// <summary>The money, token units.</summary>
    public required MarketMoney Money { get; init; }

    /// <summary>Served requests that an auditor's full replay from chain and files found without fault; a fault fails the run.</summary>
    public required int Replayed { get; init; }

    /// <summary>One pseudonym followed from policy to payout, every proof checked.</summary>
    public required IReadOnlyList<string> Trace { get; init; }
}

/// <summary>A stage.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Seconds">Wall-clock seconds.</param>
/// <param name="Transactions">Transactions that blocks took.</param>
/// <param name="Gas">Their gas.</param>
/// <param name="MemoryBytes">Memory of the process at its end.</param>
internal sealed record MarketStage(string Name, double Seconds, int Transactions, long Gas, long MemoryBytes);

/// <summary>A site.</summary>
/// <param name="Site">Its number.</param>
/// <param name="Records">Its records.</param>
/// <param name="Persons">Their persons.</param>
/// <param name="Members">Records on offer.</param>
/// <param name="Classes">Published classes.</param>
/// <param name="Withheld">Records that are not published, by choice or since too few others are like them.</param>
/// <param name="HighestLoss">The most that any of its persons has spent, epsilon.</param>
internal sealed record MarketSite(int Site, long Records, long Persons, long Members, int Classes, long Withheld, double HighestLoss);

/// <summary>A request.</summary>
internal sealed record MarketRequest
{
    /// <summary>Its id on the ledger.</summary>
    public required long Id { get; init; }

    /// <summary>Its title.</summary>
    public required string Title { get; init; }

    /// <summary>Records wanted.</summary>
    public required long Target { get; init; }

    /// <summary>Records sold.</summary>
    public required long Sold { get; init; }

    /// <summary>Records delivered.</summary>
    public required long Delivered { get; init; }

    /// <summary>Effective records delivered.</summary>
    public required double Effective { get; init; }

    /// <summary>In escrow, token units.</summary>
    public required long Budget { get; init; }

    /// <summary>Paid, fees included.</summary>
    public required long Paid { get; init; }

    /// <summary>Given back.</summary>
    public required long Refunded { get; init; }

    /// <summary>How it ended.</summary>
    public required string State { get; init; }

    /// <summary>Why.</summary>
    public required string Reason { get; init; }
}

/// <summary>A way to match.</summary>
/// <param name="Rule">Its name.</param>
/// <param name="Milliseconds">How long it took.</param>
/// <param name="Welfare">Sum of surpluses, token units.</param>
/// <param name="Records">Records sold.</param>
/// <param name="ShareMatched">Of those demanded.</param>
/// <param name="BlockingPairs">Pairs that would rather trade with each other.</param>
/// <param name="Gini">Inequality of what records earn.</param>
internal sealed record MarketMatching(
    string Rule, double Milliseconds, double Welfare, long Records, double ShareMatched, long BlockingPairs, double Gini);

/// <summary>What a profile earned.</summary>
/// <param name="Profile">Its name.</param>
/// <param name="Records">Records on offer with it.</param>
/// <param name="Sales">Records sold; one that was sold twice counts twice.</param>
/// <param name="Paid">Token units.</param>
internal sealed record MarketProfile(string Profile, long Records, long Sales, long Paid);

/// <summary>The money.</summary>
/// <param name="Funded">Paid in by researchers.</param>
/// <param name="Patients">Paid to patients' addresses.</param>
/// <param name="Fees">Paid to relayers.</param>
/// <param name="Refunded">Given back.</param>
internal sealed record MarketMoney(long Funded, long Patients, long Fees, long Refunded);
