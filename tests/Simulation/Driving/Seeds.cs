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

    /// <summary>The first seeds of as many slices. <c>EMR_SEEDS=105000-106999</c> has other seeds tried in their place, of the tests that
    /// the filter leaves.</summary>
    public static TheoryData<int> Slices(int first, int slices)
    {
        if (Environment.GetEnvironmentVariable("EMR_SEEDS") is { Length: > 0 } named)
        {
            int[] ends = [.. named.Split('-').Select(end => int.Parse(end, NumberStyles.None, CultureInfo.InvariantCulture))];
            (first, slices) = ends.Length == 2 && ends[1] > ends[0] && (ends[1] - ends[0] + 1) % Slice == 0
                ? (ends[0], (ends[1] - ends[0] + 1) / Slice)
                : throw new FormatException($"EMR_SEEDS is '{named}', and wants FIRST-LAST, {Slice} seeds or a multiple of that");
        }

        return [.. Enumerable.Range(0, slices).Select(slice => first + (slice * Slice))];
    }

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
