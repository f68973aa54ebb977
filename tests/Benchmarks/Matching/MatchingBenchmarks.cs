using BenchmarkDotNet.Attributes;
using EmrMarket.Analytics.Matching;
using EmrMarket.Analytics.Tests.Matching;

namespace EmrMarket.Benchmarks.Matching;

/// <summary>The exact match beside successive longest paths, at sizes where both end soon.</summary>
[MemoryDiagnoser]
public class MatchingBenchmarks
{
    private MatchProblem _problem = null!;

    /// <summary>Shape of the market.</summary>
    [ParamsAllValues]
    public MarketShape Shape { get; set; }

    /// <summary>Classes; a tenth as many requests.</summary>
    [Params(100, 300)]
    public int Classes { get; set; }

    /// <summary>Builds the market and checks that both answers agree.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _problem = SyntheticMarkets.Make(Shape, Classes, Classes / 10, seed: 1);
        if (Welfare(Exact().SalesByClass) != Welfare(SuccessivePaths()))
        {
            throw new InvalidOperationException($"{Shape} {Classes}: the two matches differ in welfare.");
        }
    }

    /// <summary>The solver.</summary>
    [Benchmark]
    public MatchOutcome Exact() => ExactMatcher.Solve(_problem);

    /// <summary>The baseline, without prices.</summary>
    [Benchmark(Baseline = true)]
    public List<Sale> SuccessivePaths() => Oracles.SuccessivePaths(_problem);

    private Int128 Welfare(IEnumerable<Sale> sales)
        => sales.Aggregate((Int128)0, (sum, s) => sum + ((Int128)_problem.Weights[s.ClassIndex, s.RequestIndex] * s.Records));
}
