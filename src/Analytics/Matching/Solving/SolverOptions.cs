using System.Numerics;

namespace EmrMarket.Analytics.Matching.Solving;

/// <summary>What tests and benchmarks vary in the solver; none of it changes welfare or prices.</summary>
/// <param name="Vectorised">Use hardware vectors where there are any.</param>
/// <param name="Wide">Skip the 32-bit attempt.</param>
/// <param name="PivotLimit">Pivots before the weights are perturbed, or 0 for the default.</param>
/// <param name="SampleAbove">Markets with more classes than this start from a sample's prices.</param>
internal readonly record struct SolverOptions(bool Vectorised, bool Wide, long PivotLimit, int SampleAbove)
{
    /// <summary>Factor on the weights while they are perturbed, and number of distinct perturbations.</summary>
    public const int PerturbationScale = 16;

    public static SolverOptions Default => new(Vector.IsHardwareAccelerated, Wide: false, PivotLimit: 0, SampleAbove: 500);

    /// <summary>Measured markets need 1 to 30 pivots per node; ones that stall need hundreds.</summary>
    public long PivotsBeforePerturbation(MatchProblem problem)
        => PivotLimit > 0 ? PivotLimit : 1000 + (60L * (problem.Classes.Count + problem.Requests.Count));
}

/// <summary>How a solution was found.</summary>
/// <param name="Pivots">Pivots of the simplex in all phases.</param>
/// <param name="Perturbations">How often stalling made the solver perturb the weights.</param>
/// <param name="Wide">Whether 64-bit rows were needed.</param>
/// <param name="Certificate">The proof of optimality.</param>
internal readonly record struct SolverReport(long Pivots, int Perturbations, bool Wide, OptimalityCertificate Certificate);

/// <summary>Fixed scattering, so that the solver does the same on every machine.</summary>
internal static class Scatter
{
    /// <summary>A hash of two numbers into [0, <paramref name="range"/>), range a power of two up to 2^16.</summary>
    public static int Of(int first, int second, int range)
    {
        var hash = (((ulong)(uint)first << 32) | (uint)second) * 0x9E3779B97F4A7C15;
        hash ^= hash >> 29;
        hash *= 0xBF58476D1CE4E5B9;
        return (int)((hash >> 48) & (uint)(range - 1));
    }
}
