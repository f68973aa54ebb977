using EmrMarket.Grains.Abstractions.Market;

namespace EmrMarket.Simulation.Market;

/// <summary>Every way in which a request ends, with the reason that its researcher is told.</summary>
public sealed class EveryEndTests
{
    private const long Soon = 40_000;

    private static readonly (MarketScenario Scenario, RequestState End, string Reason)[] Ends =
    [
        (Of(new Want(10)), RequestState.Settled, "all that was sold was delivered and paid"),
        (Of(new Want(1_000) { Seconds = Soon }) with { Conduct = SiteConduct.DeliversNothing }, RequestState.Settled,
            "records were delivered and paid, the rest went back"),
        (Of(new Want(10) { Bid = "1" }), RequestState.Refunded, "nothing on offer was worth its price to it"),
        (Of(new Want(500) { Minimum = 500 }), RequestState.Refunded, "the round could not reach its least number of records"),
        (Of(new Want(1_000) { Seconds = Soon }) with { Conduct = SiteConduct.DeliversNothing, BothSites = true }, RequestState.Refunded,
            "no site delivered before the deadline"),
        (Of(new Want(10) { Seconds = Soon }) with { MarketConduct = MarketConduct.DecidesNothing }, RequestState.Refunded,
            "no round became final before its deadline"),
        (Of(new Want(10) { Seconds = Soon }) with { MarketConduct = MarketConduct.WithholdsLeaves }, RequestState.Disputed,
            "no round became final before its deadline"),
        (Of(new Want(1_000) { Seconds = Soon }) with { Conduct = SiteConduct.WithholdsLeaves, BothSites = true }, RequestState.Disputed,
            "what was delivered was proved wrong, and nothing came in its place"),
        (Of(new Want(10) { Seconds = Soon, Funding = Funding.Never }), RequestState.Expired, "it was not funded before its deadline"),
        (Of(new Want(10) { Seconds = Soon, Funding = Funding.Never }) with { CancelMoment = "Planned, not on the ledger, order none" },
            RequestState.Cancelled, "it was withdrawn, and the ledger never had it"),
        (Of(new Want(10)) with { CancelMoment = "Funded, book open, round none, delivery none, paid none, escrow open, order none" },
            RequestState.Cancelled, "the researcher cancelled it before its book was closed"),
        (Of(new Want(10) { Funding = Funding.Otherwise }), RequestState.Failed,
            "the terms that were funded do not follow from the terms document"),
        (Of(new Want(1_000) { Funding = Funding.Copied }), RequestState.Settled, "all that was sold was delivered and paid"),
        (Of(new Want(1_000) { Funding = Funding.Copied }) with
            { CancelMoment = "Funded, book open, round none, delivery none, paid none, escrow open, order none" }, RequestState.Cancelled,
            "the researcher cancelled it before its book was closed"),
        (Of(new Want(20) { Funding = Funding.Twice }), RequestState.Settled, "all that was sold was delivered and paid"),
        (Of(new Want(20)) with { HasNewSite = true }, RequestState.Settled, "all that was sold was delivered and paid"),
        (Of(new Want(20)) with { RefusesPayees = true }, RequestState.Settled, "could not be paid in time and went to the patients' fund"),
    ];

    public static TheoryData<int> Each => [.. Enumerable.Range(0, Ends.Length)];

    [Theory]
    [MemberData(nameof(Each))]
    public void Request_ends_as_it_must_and_says_why(int which)
    {
        (MarketScenario scenario, RequestState end, string reason) = Ends[which];
        RequestStep step = Assert.Single(MarketSimulation.Run(scenario).Ends);
        Assert.Equal((end, true), (step.State, step.Reason.Contains(reason, StringComparison.Ordinal)));
    }

    /// <summary>What the ledger would not take yet or any more is refused before it is stored: it could never be funded, and would be
    /// looked after until its deadline.</summary>
    [Theory]
    [InlineData(1_000)]
    [InlineData(400L * 86_400)]
    public void Request_whose_deadline_the_ledger_refuses_is_refused_here(long seconds) =>
        Assert.Empty(MarketSimulation.Run(Of(new Want(10) { Seconds = seconds, Funding = Funding.Never })).Ends);

    [Fact]
    public void Every_state_in_which_a_request_ends_is_among_them() =>
        Assert.Equal(Enum.GetValues<RequestState>().Where(state => state >= RequestState.Settled),
            Ends.Select(end => end.End).Distinct().Order());

    private static MarketScenario Of(Want want) => new(5) { Wants = [want] };
}
