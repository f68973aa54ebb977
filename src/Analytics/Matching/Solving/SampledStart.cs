using System.Numerics;

namespace EmrMarket.Analytics.Matching.Solving;

/// <summary>
/// A good first match for the simplex: solve a market of one class in eight, each eight times as large, and fill the whole market at the
/// prices found there, which are close to the true ones (sampling columns to learn the dual: Devanur and Hayes 2009,
/// doi:10.1145/1566374.1566384).
/// Only the way to the optimum depends on it.
/// </summary>
internal static class SampledStart
{
    private const int OneIn = 8;

    /// <summary>A sample that stalls is not worth more pivots than this per node: its prices are a guess either way.</summary>
    private const int PivotsPerNode = 100;

    /// <summary>Fills the empty match of a solver.</summary>
    public static void Prepare<T>(
        NetworkSimplex<T> simplex, MatchProblem problem, SolverOptions options, CancellationToken cancellationToken)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var sample = problem.Classes.Count > options.SampleAbove
            ? [.. Enumerable.Range(0, problem.Classes.Count).Where(static c => Scatter.Of(c, 0, OneIn) == 0)]
            : Array.Empty<int>();
        if (sample.Length == 0 || sample.Length == problem.Classes.Count)
        {
            simplex.FillGreedily([]);
            return;
        }

        var smaller = new MatchProblem(
            [.. sample.Select(
                c => problem.Classes[c] with { Members = (int)Math.Min((long)problem.Classes[c].Members * OneIn, int.MaxValue) })],
            problem.Requests,
            problem.Weights.SelectRows(sample));
        var guide = new NetworkSimplex<T>(smaller, options.Vectorised);
        Prepare(guide, smaller, options, cancellationToken);
        var result = guide.Run((long)PivotsPerNode * (sample.Length + problem.Requests.Count), cancellationToken);
        simplex.FillGreedily(result == SimplexResult.Overflow ? [] : guide.RequestDuals);
    }
}
