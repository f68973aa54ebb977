using EmrMarket.Simulation.Driving;

namespace EmrMarket.Simulation.Ledger;

/// <summary>The ledger's grain and tables under faults. A broken invariant names the scenario, and the same scenario breaks it
/// again.</summary>
public sealed class LedgerSimulationTests
{
    private const int RandomSeeds = 100;

    [Fact]
    public void Invariants_hold_without_faults() => LedgerSimulation.Run(new LedgerScenario(1));

    [Fact]
    public void Same_seed_passes_the_same_points_again()
    {
        LedgerScenario scenario = new(7) { HasRandomFaults = true };
        Assert.Equal(LedgerSimulation.Run(scenario), LedgerSimulation.Run(scenario));
    }

    [Fact]
    public void Invariants_hold_when_the_process_is_killed_at_any_recorded_point()
    {
        IReadOnlyList<string> points = LedgerSimulation.Run(new LedgerScenario(2));
        HashSet<string> struck = new(StringComparer.Ordinal);
        for (int at = 0; at < points.Count; at++)
        {
            IReadOnlyList<string> passed = LedgerSimulation.Run(new LedgerScenario(2) { KillAt = at });
            Assert.Equal(points[at], passed[at]);
            struck.Add(passed[at]);
        }

        // Every write and every sending, before and after.
        foreach (string work in (string[])["store/AddCommands", "store/Outbox.Save", "store/Append", "store/Refuse", "chain/SendRaw"])
        {
            Assert.Contains(work + " before", struck);
            Assert.Contains(work + " after", struck);
        }
    }

    [Fact]
    public void Invariants_hold_under_random_faults() => Assert.All(
        Enumerable.Range(1_000, RandomSeeds), seed => LedgerSimulation.Run(new LedgerScenario(seed) { HasRandomFaults = true }));

    [Theory]
    [InlineData(100_511, "a command refused for want of one before it, whose pass had met a dead node")]
    [InlineData(100_763, "the same")]
    [InlineData(100_964, "the same")]
    [InlineData(106_525, "a write of a process that had died, which came after the next one had read the store")]
    public void Seed_that_once_broke_a_rule_breaks_none(int seed, string by) =>
        Assert.True(LedgerSimulation.Run(new LedgerScenario(seed) { HasRandomFaults = true }).Count > 0, by);

    public static TheoryData<int> Slices => Seeds.Slices(100_000, 20);

    [Theory]
    [Trait("Duration", "Long")]
    [MemberData(nameof(Slices))]
    public void Invariants_hold_under_random_faults_of_many_seeds(int first) =>
        Seeds.Hold(first, seed => LedgerSimulation.Run(new LedgerScenario(seed) { HasRandomFaults = true }));

    [Theory]
    [InlineData(nameof(Plant.OutboxForgets), "kept-before-sent")]
    [InlineData(nameof(Plant.OutboxDoesNotFind), "every-command-ends")]
    [InlineData(nameof(Plant.QueueForgets), "acknowledged-is-known")]
    [InlineData(nameof(Plant.UndoIsSkipped), "tables-are-the-chains")]
    [InlineData(nameof(Plant.EventsAreLost), "tables-are-the-chains")]
    [InlineData(nameof(Plant.FinalTooEarly), "outcome-stands")]
    [InlineData(nameof(Plant.OutcomeForgotten), "every-command-ends")]
    public void Planted_defect_is_found_by_the_invariant_that_it_breaks(string plant, string invariant)
    {
        List<string> found = [];
        for (int seed = 0; seed < RandomSeeds && !found.Contains(invariant); seed++)
        {
            try
            {
                LedgerSimulation.Run(new LedgerScenario(seed) { HasRandomFaults = true, Plant = Enum.Parse<Plant>(plant) });
            }
            catch (InvariantBrokenException broken)
            {
                Assert.Contains("Replay: new LedgerScenario(", broken.Message, StringComparison.Ordinal);
                Assert.Throws<InvariantBrokenException>(
                    () => LedgerSimulation.Run(new LedgerScenario(seed) { HasRandomFaults = true, Plant = Enum.Parse<Plant>(plant) }));
                found.Add(broken.Invariant);
            }
        }

        Assert.Contains(invariant, found);
    }

}
