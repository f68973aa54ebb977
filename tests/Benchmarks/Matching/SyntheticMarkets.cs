using EmrMarket.Analytics.Matching;

namespace EmrMarket.Benchmarks.Matching;

/// <summary>Shapes of market on which the matching is timed.</summary>
public enum MarketShape
{
    /// <summary>Bids and asks as the market makes them: few profiles and rates, many classes alike, 1.2 sales wanted for each on
    /// offer.</summary>
    Realistic,

    /// <summary>As <see cref="Realistic"/>, but every class with rates of its own, so that no two are alike.</summary>
    OwnRates,

    /// <summary>Independent uniform weights.</summary>
    Uniform,

    /// <summary>Weights 0 to 9: many ties.</summary>
    SmallIntegers,

    /// <summary>Weights 100 or 101 by chance and supply equal to demand: ties that no merging of classes removes.</summary>
    NearlyEqual,

    /// <summary>All weights equal and supply equal to demand: nothing but ties.</summary>
    AllEqual,

    /// <summary>Weights up to 10^12, beyond 32 bits.</summary>
    Wide,
}

/// <summary>Reproducible markets of a given size.</summary>
public static class SyntheticMarkets
{
    private const int MembersPerClass = 20;

    /// <summary>Makes the market; the same arguments make the same one.</summary>
    public static MatchProblem Make(MarketShape shape, int classes, int requests, int seed)
    {
        var random = new Random((((int)shape * 31) + classes) ^ (requests << 16) ^ seed);
        if (shape is MarketShape.AllEqual or MarketShape.NearlyEqual)
        {
            var supply = Enumerable.Repeat(new ClassSupply(MembersPerClass, 1), classes).ToArray();
            var each = (long)classes * MembersPerClass / requests;
            var demand = Enumerable.Range(0, requests).Select(j => new RequestDemand(j, Math.Max(1, each), 0)).ToArray();
            return new MatchProblem(supply, demand, WeightMatrix.Create(classes, requests, (_, row) =>
            {
                for (var j = 0; j < row.Length; j++)
                {
                    row[j] = shape == MarketShape.AllEqual ? 100 : 100 + random.Next(2);
                }
            }));
        }

        var offers = Enumerable.Range(0, classes)
            .Select(_ => new ClassSupply(Math.Max(1, MembersPerClass + random.Next(-10, 11)), random.Next(1, 4))).ToArray();
        var share = 1.2 * offers.Sum(static o => o.Capacity) / requests;
        var wanted = Enumerable.Range(0, requests)
            .Select(j => new RequestDemand(j, Math.Max(1, (long)(share * 2 * random.NextDouble())), 0)).ToArray();
        return new MatchProblem(offers, wanted, shape is MarketShape.Realistic or MarketShape.OwnRates
            ? PricedWeights(classes, requests, shape == MarketShape.OwnRates, random) : WeightMatrix.Create(classes, requests, (_, row) =>
        {
            for (var j = 0; j < row.Length; j++)
            {
                row[j] = random.Next(100) < 10 ? WeightMatrix.Inadmissible : shape switch
                {
                    MarketShape.SmallIntegers => random.Next(10),
                    MarketShape.Wide => random.NextInt64(1_000_000_000_000),
                    _ => random.Next(100_000),
                };
            }
        }));
    }

    /// <summary>Eight profiles of ceilings, eight rates per tier, twenty attributes, requests for one to five of them.</summary>
    private static WeightMatrix PricedWeights(int classes, int requests, bool ownRates, Random random)
    {
        const int attributes = 20;
        double[] epsilon = [0.25, 0.5, 1, 2, 3, 4];
        double[] quality = [0.02, 0.06, 0.21, 0.58, 0.82, 0.93];
        var tier = Enumerable.Range(0, attributes).Select(static a => a % 3).ToArray();
        var profiles = Enumerable.Range(0, 8)
            .Select(_ => Enumerable.Range(0, attributes).Select(a => random.Next(3 - tier[a], 6)).ToArray()).ToArray();
        var profileOf = Enumerable.Range(0, classes).Select(_ => random.Next(8)).ToArray();
        var rates = Enumerable.Range(0, classes).Select(
            _ => Enumerable.Range(0, 3).Select(_ => ownRates ? random.Next(1000, 8000) : 1000 << random.Next(4)).ToArray()).ToArray();
        var wants = Enumerable.Range(0, requests)
            .Select(_ => Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(attributes)).ToArray()).ToArray();
        var grades = Enumerable.Range(0, requests).Select(_ => random.Next(1, 5)).ToArray();
        var bids = Enumerable.Range(0, requests).Select(_ => random.Next(10_000, 40_000)).ToArray();
        return WeightMatrix.Create(classes, requests, (c, row) =>
        {
            for (var j = 0; j < row.Length; j++)
            {
                var (score, ask, admissible) = (0.0, 0.0, true);
                foreach (var a in wants[j])
                {
                    admissible &= profiles[profileOf[c]][a] >= grades[j];
                    score += quality[grades[j]];
                    ask += rates[c][tier[a]] * epsilon[grades[j]];
                }

                row[j] = admissible ? (long)((bids[j] * score) - ask) : WeightMatrix.Inadmissible;
            }
        });
    }
}
