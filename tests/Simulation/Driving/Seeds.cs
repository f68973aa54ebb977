using System.Collections.Concurrent;
using System.Globalization;
using EmrMarket.Simulation.Ledger;
using EmrMarket.Simulation.Market;

namespace EmrMarket.Simulation.Driving;

/// <summary>Runs many seeds on all cores, and tells of every one that fails.</summary>
internal static class Seeds
{
    /// <summary>Seeds in one slice: some minutes of work.</summary>
    public const int Slice = 250;

    /// <summary>The first seeds of as many slices.</summary>
    public static TheoryData<int> Slices(int first, int slices) =>
        [.. Enumerable.Range(0, slices).Select(slice => first + (slice * Slice))];

    public static void Hold(int first, Action<int> run)
    {
        ConcurrentDictionary<int, string> failed = [];
        Parallel.ForEach(Enumerable.Range(first, Slice),
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, seed =>
        {
            try
            {
                run(seed);
            }
            catch (Exception e)
            {
                failed[seed] = e is MarketInvariantException or InvariantBrokenException ? e.Message : e.ToString();
            }
        });
        Assert.True(failed.IsEmpty,
            string.Create(CultureInfo.InvariantCulture, $"{failed.Count} of the seeds {first} to {first + Slice - 1} failed:\n")
                + string.Join("\n", failed.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key}: {pair.Value}")));
    }
}
