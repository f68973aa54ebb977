using EmrMarket.Analytics.Mechanisms;
using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Estimation;

/// <summary>
/// The second moments of one report's estimates of a channel that treats all values alike (GRR, subset selection, OUE, OLH, Public): with
/// P[supports v | truth v] = p and q otherwise, a support of fixed size D has P[supports v and w | truth v] = r = p (D - 1)/(k - 1) and
/// P[supports v and w | other truth] = s = (q (D - 1) - r)/(k - 2) by symmetry; supports that are pairwise independent given the truth
/// (OUE's bits, OLH's hash) have r = p q and s = q^2.
/// </summary>
internal sealed class PairLaw
{
    private readonly double _both;
    private readonly double _bothWithTruth;

    /// <summary>The law of a channel. A square wave has none: how it confuses two values depends on their distance.</summary>
    public PairLaw(Channel channel)
    {
        (P, Q, DomainSize) = (channel.P, channel.Q, channel.DomainSize);
        HasFixedSize = HasFixedSupportSize(channel);
        double size = P + ((DomainSize - 1) * Q);
        _bothWithTruth = !HasFixedSize ? P * Q : DomainSize > 1 ? P * (size - 1) / (DomainSize - 1) : 0;
        _both = !HasFixedSize ? Q * Q : DomainSize > 2 ? ((Q * (size - 1)) - _bothWithTruth) / (DomainSize - 2) : 0;
    }

    /// <summary>P[supports v | truth v].</summary>
    public double P { get; }

    /// <summary>P[supports v | truth other].</summary>
    public double Q { get; }

    /// <summary>Domain size.</summary>
    public int DomainSize { get; }

    /// <summary>True when every report supports the same number of values: then the estimates of one record add to one.</summary>
    public bool HasFixedSize { get; }

    /// <summary>1 / (p - q).</summary>
    public double R => 1 / (P - Q);

    /// <summary>
    /// E[z_v z_w | truth u] = Constant(v, w) + Slope(v, w) (1[u = v] + 1[u = w]) for v other than w, and Constant + Slope 1[u = v] for v =
    /// w.
    /// </summary>
    public (double Constant, double Slope) Product(bool same)
    {
        double scale = R * R;
        if (same)
        {
            double silent = Q * (1 - Q);
            return (silent * scale, (((P * (1 - (2 * Q))) + (Q * Q)) - silent) * scale);
        }

        // E[(1_v - q)(1_w - q)] = P[both] - q (P[v] + P[w]) + q^2.
        double constant = _both - (Q * Q);
        double withTruth = _bothWithTruth - (Q * (P + Q)) + (Q * Q);
        return (constant * scale, (withTruth - constant) * scale);
    }

    /// <summary>The covariance matrix of one report's estimates of some values, when the truth has distribution f.</summary>
    public Matrix<double> Covariance(IReadOnlyList<double> f, IReadOnlyList<int> values) =>
        Matrix<double>.Build.Dense(values.Count, values.Count, (i, j) =>
    {
        (double constant, double slope) = Product(i == j);
        double fi = f[values[i]];
        double fj = f[values[j]];
        return constant + (slope * (i == j ? fi : fi + fj)) - (fi * fj);
    });

    /// <summary>
    /// True when p + (k - 1) q, the expected number of supported values, is a whole number exactly: GRR (1) and subset selection (d).
    /// </summary>
    private static bool HasFixedSupportSize(Channel channel) =>
        (channel.ExactP + ((channel.DomainSize - 1) * channel.ExactQ)).Denominator.IsOne;
}
