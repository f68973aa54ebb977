using EmrMarket.Grains.Abstractions.Market;

namespace EmrMarket.Simulation.Market;

/// <summary>The whole market under faults. A broken invariant names the scenario, and the same scenario breaks it again.</summary>
public sealed class MarketSimulationTests
{
    private const int RandomSeeds = 8;

    [Fact]
    public void Invariants_hold_without_faults()
    {
        MarketRun run = MarketSimulation.Run(new MarketScenario(0));
        Assert.True(run.Delivered > 0);
    }

    [Fact]
    public void Same_seed_passes_the_same_points_again()
    {
        MarketScenario scenario = new(3) { HasRandomFaults = true };
        Assert.Equal(MarketSimulation.Run(scenario).Points, MarketSimulation.Run(scenario).Points);
    }

    [Fact]
    public void Invariants_hold_under_random_faults() => Assert.All(Enumerable.Range(1_000, RandomSeeds), seed => MarketSimulation.Run(Random(seed)));

    [Fact]
    [Trait("Duration", "Long")]
    public void Invariants_hold_under_random_faults_of_many_seeds() => Assert.All(Enumerable.Range(100_000, 2_000), seed => MarketSimulation.Run(Random(seed)));

    /// <summary>Every kind of site and auditor comes, by the seed.</summary>
    private static MarketScenario Random(int seed) => new(seed)
    {
        HasRandomFaults = true,
        Conduct = (SiteConduct)(seed % Enum.GetValues<SiteConduct>().Length),
        HasDemands = seed / 7 % 2 == 0,
        CancelAt = seed % 5 == 0 ? seed * 37 % 700 : null,
        WithdrawAt = seed % 5 == 1 ? seed * 53 % 700 : null,
    };
}
