namespace EmrMarket.Simulation.Market;

/// <summary>The whole market under faults. A broken invariant names the scenario, and the same scenario breaks it again.</summary>
public sealed class MarketSimulationTests
{
    [Fact]
    public void Invariants_hold_without_faults()
    {
        MarketRun run = MarketSimulation.Run(new MarketScenario(1));
        Assert.True(run.Delivered > 0);
    }
}
