using EmrMarket.Grains.Abstractions.Market;

namespace EmrMarket.Simulation.Market;

/// <summary>
/// Everything that people can do at a time, done at every time: the moments are recorded from an undisturbed run, not typed, and every run
/// must reach its moment, at which its processes stand still until somebody has acted. The sites sell all that they have, so whoever
/// withdraws is among those who are sold.
/// </summary>
public sealed class SweepTests
{
    private static readonly Want[] Everything = [new Want(1_000)];

    private static readonly MarketScenario Undisturbed = new(11) { Wants = Everything };

    // A seed under which the first patient of each site is on offer, and not left over by their group's least number of persons.
    private static readonly MarketScenario OwnSeeds = new(15) { Wants = Everything };

    [Fact]
    public void Undisturbed_run_passes_every_state_of_request_book_round_order_and_delivery()
    {
        MarketRun run = MarketSimulation.Run(Undisturbed);
        Assert.Equal(RequestState.Settled, run.Ends[0].State);
        Assert.True(run.Uses >= 4, $"{run.Uses} uses were told to patients");
        foreach (string state in (string[])["Planned, ", "Funded, ", "Matched, ", "Delivering, ", "Delivered, ", "Evaluated, ", "Settled, ",
            "not on the ledger", "book open", "book closed",
            "round Posted", "round Sealed", "round Final", "order none", "order Reserved", "order Sending", "order Released",
            "delivery Posted", "delivery Final", "paid none", "paid all", "escrow closed"])
        {
            Assert.True(run.Moments.Any(moment => moment.Contains(state, StringComparison.Ordinal)),
                $"no moment has '{state}': {string.Join("; ", run.Moments)}");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Researcher_who_cancels_at_any_moment_gets_all_back_or_is_served(bool onLedger)
    {
        List<RequestState> ends = [];
        foreach (string moment in MarketSimulation.Run(Undisturbed).Moments)
        {
            MarketRun run = MarketSimulation.Run(Undisturbed with { CancelMoment = moment, CancelsOnLedger = onLedger });
            Assert.Contains(moment, run.Moments);
            RequestStatus status = Assert.Single(run.Statuses);
            ends.Add(status.Steps[^1].State);
            bool isTooLate = moment.Contains("book closed", StringComparison.Ordinal);
            if (isTooLate)
            {
                Assert.Equal((RequestState.Settled, true), (ends[^1], run.Delivered > 0));
            }
            else if (ends[^1] == RequestState.Cancelled)
            {
                Assert.Equal(((UInt128)(status.RequestId > 0 ? 10_000_000 : 0), 0L), (status.Refunded, run.Delivered));
            }
        }

        Assert.Contains(RequestState.Cancelled, ends);
        Assert.Contains(RequestState.Settled, ends);
    }

    [Fact]
    public void Patient_who_withdraws_at_any_moment_is_not_delivered_afterwards_and_is_paid_for_what_was_before()
    {
        long whole = MarketSimulation.Run(Undisturbed).Delivered;
        List<long> delivered = [];
        foreach (string moment in MarketSimulation.Run(Undisturbed).Moments)
        {
            MarketRun run = MarketSimulation.Run(Undisturbed with { WithdrawMoment = moment });
            Assert.Contains(moment, run.Moments);
            Assert.Equal(RequestState.Settled, Assert.Single(run.Ends).State);
            delivered.Add(run.Delivered);
        }

        // Whoever withdraws early is left out with both records at each site, and whoever withdraws late is in.
        Assert.Equal(whole - 4, delivered[0]);
        Assert.Equal(whole, delivered[^1]);
        Assert.All(delivered, count => Assert.InRange(count, whole - 4, whole));
    }

    /// <summary>Their leaves stand under seeds that the sites do not have: they sign for the ledger, and are paid to addresses whose keys
    /// nobody else has.</summary>
    [Fact]
    public void Patient_who_took_over_withdraws_at_any_moment_and_the_ledger_says_so()
    {
        MarketScenario undisturbed = OwnSeeds with { HasOwnSeeds = true };
        MarketRun honest = MarketSimulation.Run(undisturbed);
        Assert.True(honest.PaidToOwnSeeds >= 2, $"{honest.PaidToOwnSeeds} payments went to own seeds");
        foreach (string moment in honest.Moments)
        {
            MarketRun run = MarketSimulation.Run(undisturbed with { WithdrawMoment = moment });
            Assert.Contains(moment, run.Moments);
            Assert.Equal(RequestState.Settled, Assert.Single(run.Ends).State);
            Assert.InRange(run.Delivered, honest.Delivered - 4, honest.Delivered);
        }
    }

    /// <summary>What was sold was published under the earlier seed, and is paid under it; the new one commands at once.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Patient_who_takes_over_at_any_moment_withdraws_with_the_new_seed(bool hasOwnSeeds)
    {
        MarketScenario undisturbed = hasOwnSeeds ? OwnSeeds with { HasOwnSeeds = true } : Undisturbed;
        MarketRun honest = MarketSimulation.Run(undisturbed);
        List<long> delivered = [];
        foreach (string moment in honest.Moments)
        {
            MarketRun run = MarketSimulation.Run(undisturbed with { OwnSeedMoment = moment });
            Assert.Contains(moment, run.Moments);
            Assert.Equal(RequestState.Settled, Assert.Single(run.Ends).State);
            delivered.Add(run.Delivered);
        }

        Assert.Equal(honest.Delivered - 4, delivered[0]);
        Assert.Equal(honest.Delivered, delivered[^1]);
    }

    [Theory]
    [InlineData(nameof(SiteConduct.DeliversNothing), "")]
    [InlineData(nameof(SiteConduct.DeliversTooLittle), "do not rise, or one of them is empty")]
    [InlineData(nameof(SiteConduct.DeliversLate), "")]
    [InlineData(nameof(SiteConduct.Alters), "has another report than its leaf says")]
    [InlineData(nameof(SiteConduct.DeliversAnothers), "the seed draws")]
    [InlineData(nameof(SiteConduct.WithholdsLeaves), "")]
    public void Site_that_does_not_deliver_as_it_should_is_refused_and_the_others_are_paid(string conduct, string refusal)
    {
        MarketRun honest = MarketSimulation.Run(Undisturbed);
        MarketRun run = MarketSimulation.Run(
            Undisturbed with { Conduct = Enum.Parse<SiteConduct>(conduct), Wants = [new Want(1_000) { Seconds = 60_000 }] });
        RequestStatus status = Assert.Single(run.Statuses);
        Assert.Equal(RequestState.Settled, status.Steps[^1].State);
        Assert.Contains("the rest went back", status.Steps[^1].Reason, StringComparison.Ordinal);
        Assert.InRange(status.Delivered, 1, honest.Delivered - 1);
        Assert.Equal((UInt128)10_000_000, status.Paid + status.Refunded);
        if (refusal.Length > 0)
        {
            Assert.Contains(run.Refusals, said => said.Contains(refusal, StringComparison.Ordinal));
        }
        else
        {
            Assert.Empty(run.Refusals);
        }
    }
}
