using System.Globalization;

namespace EmrMarket.Simulation.Market;

/// <summary>How a site behaves on the wire.</summary>
internal enum SiteConduct
{
    Honest,

    /// <summary>Its deliveries never arrive.</summary>
    DeliversNothing,

    /// <summary>Its deliveries lack a slot.</summary>
    DeliversTooLittle,

    /// <summary>Its deliveries arrive after the deadline.</summary>
    DeliversLate,

    /// <summary>A report is another one than was drawn.</summary>
    Alters,

    /// <summary>It delivers what the other site delivered.</summary>
    DeliversAnothers,

    /// <summary>Its deliveries are right, and it does not open the leaves that are demanded of them.</summary>
    WithholdsLeaves,
}

/// <summary>How the market behaves.</summary>
internal enum MarketConduct
{
    Honest,

    /// <summary>It does not open the leaves that are demanded of its rounds.</summary>
    WithholdsLeaves,

    /// <summary>It decides no rounds.</summary>
    DecidesNothing,
}

/// <summary>What becomes of a request's money on its way to the ledger.</summary>
internal enum Funding
{
    Funds,

    /// <summary>The terms are handed in, and no money follows.</summary>
    Never,

    /// <summary>Money comes for terms that the market was never told.</summary>
    Unheard,

    /// <summary>Money comes for other terms than were handed in.</summary>
    Otherwise,

    /// <summary>Before the money comes, another researcher funds a request under the same terms document.</summary>
    Copied,

    /// <summary>Money comes twice for one terms document.</summary>
    Twice,
}

/// <summary>A request that somebody wants.</summary>
/// <param name="Records">Records wanted.</param>
internal sealed record Want(uint Records)
{
    public string Statistic { get; init; } = "frequency:ill";

    public uint Minimum { get; init; }

    public string Bid { get; init; } = "4000";

    /// <summary>Seconds from the beginning to the deadline.</summary>
    public long Seconds { get; init; } = 200_000;

    public Funding Funding { get; init; }
}

/// <summary>What a run is to do.</summary>
/// <param name="Seed">Decides everything that is not named here.</param>
internal sealed record MarketScenario(int Seed)
{
    /// <summary>The fault point at which the process that passes it is killed; none when null.</summary>
    public int? KillAt { get; init; }

    /// <summary>Faults strike at random points, the chain is reorganised, forgets its pool, raises prices and gas, and people change their
    /// minds.</summary>
    public bool HasRandomFaults { get; init; }

    /// <summary>How the second site behaves.</summary>
    public SiteConduct Conduct { get; init; }

    /// <summary>Whether the first site behaves like the second.</summary>
    public bool BothSites { get; init; }

    /// <summary>How the market behaves.</summary>
    public MarketConduct MarketConduct { get; init; }

    /// <summary>What is wanted, by patients who change nothing by themselves unless there are takeovers; some of each by chance when
    /// null.</summary>
    public IReadOnlyList<Want>? Wants { get; init; }

    /// <summary>The moment of a request, as <see cref="MarketRun.Moments"/> names it, at which its researcher cancels; never when
    /// null.</summary>
    public string? CancelMoment { get; init; }

    /// <summary>Whether the researcher cancels on the ledger at once, without asking the market.</summary>
    public bool CancelsOnLedger { get; init; }

    /// <summary>The moment of a request at which a patient of each site withdraws, of whom it buys; never when null.</summary>
    public string? WithdrawMoment { get; init; }

    /// <summary>A patient of each site takes over with a seed of the own before the site's first epoch, and patients who change their minds
    /// hand in seeds now and then.</summary>
    public bool HasOwnSeeds { get; init; }

    /// <summary>The moment of a request at which a patient of each site, of whom it buys, takes over with a new seed and withdraws with it
    /// at once; never when null.</summary>
    public string? OwnSeedMoment { get; init; }

    /// <summary>An auditor demands leaves, and has void what is not opened in time.</summary>
    public bool HasDemands { get; init; }

    /// <summary>The step from which on a researcher cancels each request; never when null.</summary>
    public int? CancelAt { get; init; }

    /// <summary>The step from which on a patient of each site withdraws; never when null.</summary>
    public int? WithdrawAt { get; init; }

    /// <summary>A second process works on the stores of the first site, and nothing keeps it from them.</summary>
    public bool HasTwin { get; init; }

    /// <summary>Now and then a process loses its stores to another one of its role, and goes on for a while; where patients withdraw at a
    /// moment, the sites' processes do, right before that.</summary>
    public bool HasTakeovers { get; init; }

    /// <summary>Now and then a role is backed up, goes on, is destroyed, and put back; patients withdraw now and then.</summary>
    public bool HasRestores { get; init; }

    /// <summary>Payout addresses of a member: two to this power.</summary>
    public byte PayoutDepth { get; init; } = 1;

    /// <summary>A third site is registered as soon as a round is decided, before it is committed.</summary>
    public bool HasNewSite { get; init; }

    /// <summary>The token refuses every payee.</summary>
    public bool RefusesPayees { get; init; }

    /// <summary>A defect that is built in on purpose.</summary>
    public MarketPlant Plant { get; init; }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"new MarketScenario({Seed}) {{ KillAt = {Text(KillAt)}, HasRandomFaults = {(HasRandomFaults ? "true" : "false")}, Conduct = "
            + $"SiteConduct.{Conduct}, BothSites = {(BothSites ? "true" : "false")}, MarketConduct = MarketConduct.{MarketConduct}, "
            + $"CancelMoment = {Quoted(CancelMoment)}, CancelsOnLedger = {(CancelsOnLedger ? "true" : "false")}, WithdrawMoment = "
            + $"{Quoted(WithdrawMoment)}, HasDemands = {(HasDemands ? "true" : "false")}, CancelAt = {Text(CancelAt)}, WithdrawAt = "
            + $"{Text(WithdrawAt)}, HasTwin = {(HasTwin ? "true" : "false")}, "
            + $"HasTakeovers = {(HasTakeovers ? "true" : "false")}, HasRestores = {(HasRestores ? "true" : "false")}, "
            + $"HasOwnSeeds = {(HasOwnSeeds ? "true" : "false")}, "
            + $"OwnSeedMoment = {Quoted(OwnSeedMoment)}, HasNewSite = {(HasNewSite ? "true" : "false")}, "
            + $"RefusesPayees = {(RefusesPayees ? "true" : "false")}, Plant = MarketPlant.{Plant} "
            + $"}}{(Wants is null ? "" : $" with Wants = [{string.Join(", ", Wants)}]")}");

    private static string Quoted(string? text) => text is null ? "null" : $"\"{text}\"";

    private static string Text(int? value) => value is { } number ? number.ToString(CultureInfo.InvariantCulture) : "null";
}

/// <summary>A named rule that a run of the market broke.</summary>
internal sealed class MarketInvariantException(string invariant, string what, MarketScenario scenario, IReadOnlyList<string> journal)
    : Exception($"{invariant}: {what}. Replay: {scenario}. Last steps: {string.Join("; ", journal.TakeLast(14))}")
{
    public string Invariant { get; } = invariant;
}

/// <summary>Defects that are built in on purpose: a simulation that does not find them finds nothing.</summary>
internal enum MarketPlant
{
    None,

    /// <summary>The site's store says that it kept an order, and did not: what is released is not charged after a restart.</summary>
    OrderForgotten,

    /// <summary>The site's store says that it kept policies, and did not: a withdrawal is forgotten by a restart.</summary>
    PolicyForgotten,

    /// <summary>The site reads everybody's policy as its most generous one.</summary>
    CeilingRaised,

    /// <summary>The site reads everybody's purpose as any.</summary>
    PurposeWidened,

    /// <summary>The site reserves far beyond the cap.</summary>
    CapIgnored,

    /// <summary>The market's store says that it placed orders, and did not.</summary>
    OrdersLost,

    /// <summary>An error of the site's store quotes a record's key.</summary>
    ErrorQuotesRecord,

    /// <summary>The market's store keeps other results than those computed.</summary>
    ResultsAltered,

    /// <summary>A process that lost its stores is not kept from writing to them.</summary>
    FenceOff,

    /// <summary>A process that lost its stores is kept from writing to them alone: what needs no write, it does.</summary>
    HoldsOff,

    /// <summary>A process sees that the stores are its own before it hands something over, and may lose them before it did.</summary>
    HoldsBrief,

    /// <summary>The site's store says that it kept a payout account, and did not: a seed is forgotten by a restart.</summary>
    AccountForgotten,
}
