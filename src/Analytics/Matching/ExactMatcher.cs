using System.Numerics;
using EmrMarket.Analytics.Matching.Solving;

namespace EmrMarket.Analytics.Matching;

/// <summary>
/// Finds a match of maximum welfare, among those one of the most sales, with the least premiums, dropping requests that cannot reach their
/// least number of records
/// (docs/MATCHING.md). Deterministic: the same problem gives the same outcome on every machine.
/// </summary>
public static class ExactMatcher
{
    /// <summary>Solves, prices and certifies a round.</summary>
    /// <param name="problem">The market.</param>
    /// <param name="cancellationToken">Checked every few hundred pivots and between phases.</param>
    /// <exception cref="OverflowException">The weights are so large that path sums could leave 64 bits: quote prices in a coarser
    /// unit.</exception>
    public static MatchOutcome Solve(MatchProblem problem, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return Solve(problem, SolverOptions.Default, cancellationToken).Outcome;
    }

    internal static (MatchOutcome Outcome, SolverReport Report) Solve(
        MatchProblem problem, SolverOptions options, CancellationToken cancellationToken)
    {
        var merging = new ClassMerging(problem);
        if (!options.Wide && problem.Weights.Largest < NetworkSimplex<int>.Limit / 2
            && Run<int>(problem, merging, options, cancellationToken) is { } narrow)
        {
            return narrow;
        }

        if (Run<long>(problem, merging, options, cancellationToken) is { } wide)
        {
            return wide;
        }

        throw new OverflowException(
            $"A weight of {problem.Weights.Largest} over {problem.Requests.Count} requests leaves 64 bits; quote prices in a coarser "
            + $"token unit.");
    }

    /// <returns>Null when a potential left the range of <typeparamref name="T"/>.</returns>
    private static (MatchOutcome Outcome, SolverReport Report)? Run<T>(
        MatchProblem problem, ClassMerging merging, SolverOptions options, CancellationToken cancellationToken)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var merged = merging.Merged;
        var simplex = new NetworkSimplex<T>(merged, options.Vectorised);
        SampledStart.Prepare(simplex, merged, options, cancellationToken);
        var perturbations = 0;
        var dropped = new bool[problem.Requests.Count];
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!Optimise(simplex, merged, dropped, options, ref perturbations, cancellationToken))
            {
                return null;
            }

            var unmet = LeastFilled(problem, simplex.Filled, dropped);
            if (unmet.Count == 0)
            {
                break;
            }

            foreach (var j in unmet)
            {
                dropped[j] = true;
                if (!simplex.Withdraw(j))
                {
                    return null;
                }
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (!simplex.RestoreWeights() || simplex.Run(long.MaxValue, cancellationToken) == SimplexResult.Overflow)
        {
            return null;
        }

        var classDual = merging.GroupOf.Select(simplex.ClassDual).ToArray();
        var requestDual = dropped.Select((without, j) => without ? 0 : simplex.RequestDual(j)).ToArray();
        var sales = merging.Split(simplex.Sales());
        var premiums = PremiumSupports.Find(problem, sales, dropped, classDual, requestDual);
        var byRequest = sales.OrderBy(static s => s.RequestIndex).ThenBy(static s => s.ClassIndex).ToArray();
        var outcome = new MatchOutcome(
            premiums, [.. requestDual.Select((v, j) => new RequestSurplus(v, dropped[j]))], sales, byRequest);
        var certificate = OptimalityCertificate.Of(problem, outcome);
        if (!certificate.Holds)
        {
            throw new InvalidOperationException($"The match failed its own certificate, a defect of the solver: {certificate}.");
        }

        return (outcome, new SolverReport(simplex.Pivots, perturbations, typeof(T) == typeof(long), certificate));
    }

    private static bool Optimise<T>(
        NetworkSimplex<T> simplex, MatchProblem problem, bool[] dropped, SolverOptions options, ref int perturbations,
        CancellationToken cancellationToken)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var limit = options.PivotsBeforePerturbation(problem);
        var result = simplex.Run(limit, cancellationToken);
        if (result == SimplexResult.PivotLimit)
        {
            // Ties make pivots that move nothing. Weights that differ a little have fewer ties; from their optimum the true one is near.
            cancellationToken.ThrowIfCancellationRequested();
            perturbations++;
            if (!simplex.Reweigh(problem, (c, j, weight) => dropped[j]
                ? -1
                : (weight * SolverOptions.PerturbationScale) + Scatter.Of(c, j, SolverOptions.PerturbationScale))
                || simplex.Run(long.MaxValue, cancellationToken) == SimplexResult.Overflow)
            {
                return false;
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (!simplex.Reweigh(problem, (_, j, weight) => dropped[j] ? -1 : weight))
            {
                return false;
            }

            result = simplex.Run(long.MaxValue, cancellationToken);
        }

        return result == SimplexResult.Optimal;
    }

    /// <summary>
    /// The requests to drop next: all that got nothing, since leaving them out changes nothing, or else the one with the smallest
    /// share of its records filled, the lowest id among equals.
    /// </summary>
    private static List<int> LeastFilled(MatchProblem problem, Func<int, long> filledOf, bool[] dropped)
    {
        var filled = Enumerable.Range(0, dropped.Length).Select(filledOf).ToArray();
        var unmet = Enumerable.Range(0, filled.Length).Where(j => !dropped[j] && filled[j] < problem.Requests[j].MinRecords).ToList();
        var empty = unmet.FindAll(j => filled[j] == 0);
        if (empty.Count > 0 || unmet.Count == 0)
        {
            return empty;
        }

        var worst = unmet[0];
        foreach (var j in unmet)
        {
            var (left, right) = ((Int128)filled[j] * problem.Requests[worst].Records, (Int128)filled[worst] * problem.Requests[j].Records);
            if (left < right || (left == right && problem.Requests[j].Id < problem.Requests[worst].Id))
            {
                worst = j;
            }
        }

        return [worst];
    }
}
