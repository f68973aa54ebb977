using System.Numerics;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Grr;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Quality;

/// <summary>
/// The quality of one report of an attribute at a grade: the unperturbed records that it is worth, in 0..1 (docs/ESTIMATORS.md, "Effective
/// records").
/// </summary>
public static class ReportQuality
{
    /// <summary>
    /// (1/k)(1 - 1/k)(p - q)^2 / (P (1 - P)), P = p/k + (1 - 1/k) q: clear over report variance at the uniform reference.
    /// </summary>
    public static double OfFrequency(double p, double q, int domainSize)
    {
        double f = 1.0 / domainSize;
        double support = (p * f) + ((1 - f) * q);
        return f * (1 - f) * (p - q) * (p - q) / (support * (1 - support));
    }

    /// <summary>
    /// The quality in parts per billion, floored, from the realised probabilities as exact fractions: the number that prices and contracts
    /// use. A grid attribute is judged by its mean, any other by its frequencies.
    /// </summary>
    /// <param name="attribute">The attribute.</param>
    /// <param name="channel">Its channel at a grade.</param>
    /// <returns>0..1,000,000,000; the latter for Public attributes.</returns>
    public static long PartsPerBillion(AttributeDefinition attribute, Channel channel)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        ArgumentNullException.ThrowIfNull(channel);
        Rational quality = channel switch
        {
            PublicChannel => Rational.One,
            DswChannel dsw => ExactMean(dsw.Cells, dsw.Window, dsw.ExactPOut, dsw.ExactQOut),
            GrrChannel grr when attribute.Domain is GridDomain => ExactMean(grr.DomainSize, 1, grr.ExactP, grr.ExactQ),
            _ => ExactFrequency(channel.ExactP, channel.ExactQ, channel.DomainSize),
        };
        return (long)(quality.Numerator * QualityTable.Unit / quality.Denominator);
    }

    /// <summary>The table Q(attribute, grade) of a schema.</summary>
    public static QualityTable Table(Schema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        var quality = new long[schema.Attributes.Count * schema.Grades.Count];
        Parallel.For(0, schema.Attributes.Count, a =>
        {
            AttributeDefinition attribute = schema.Attributes[a];
            IReportLadder? ladder = attribute.Mechanism is null
                ? null
                : MechanismCatalogue.Get(attribute.Mechanism).CreateLadder(attribute.Domain, schema.Grades);
            for (int grade = 1; grade <= schema.Grades.Count; grade++)
            {
                quality[(a * schema.Grades.Count) + grade - 1] = ladder is null
                    ? QualityTable.Unit
                    : PartsPerBillion(attribute, ladder[grade]);
            }
        });
        return new QualityTable([.. schema.Attributes.Select(a => a.Tier)], schema.Grades, quality);
    }

    /// <summary>
    /// V / (V + N): V = (d^2 - 1)/12 the variance of a uniform cell, N the mean noise variance of one report's estimate of the cell.
    /// </summary>
    internal static double OfMean(SquareWave law)
    {
        double clear = (((double)law.Cells * law.Cells) - 1) / 12;
        return clear / (clear + OrderedSample.MeanNoise(law));
    }

    private static Rational ExactFrequency(Rational p, Rational q, int domainSize)
    {
        var f = new Rational(1, domainSize);
        Rational other = Rational.One - f;
        Rational support = (p * f) + (other * q);
        return f * other * (p - q) * (p - q) / (support * (Rational.One - support));
    }

    /// <summary>
    /// The same as <see cref="OfMean"/> in closed form. The estimator adds t/(p - q) to the t-th output of each residue class modulo the
    /// window w, centred in its class; so V + N is the sum over classes of [sum P t^2 - (sum P t)^2 / sum P] / (p - q)^2, P the output
    /// probabilities at the uniform reference, whose sum over a class of m outputs is m q + p - q.
    /// </summary>
    internal static Rational ExactMean(int cells, int window, Rational p, Rational q)
    {
        int outputs = cells + window - 1;
        Rational boost = p - q;

        // P_j = q + boost * (windows that hold output j) / d: the sums need only integers beside q and boost.
        Rational total = Rational.Zero;
        for (int size = (outputs / window); size <= (outputs / window) + 1; size++)
        {
            BigInteger classes = 0;
            BigInteger squares = 0;
            BigInteger weightedSquares = 0;
            var sumOfProducts = (Constant: BigInteger.Zero, Linear: BigInteger.Zero, Quadratic: BigInteger.Zero);
            for (int residue = 0; residue < window; residue++)
            {
                if ((outputs - residue + window - 1) / window != size)
                {
                    continue;
                }

                BigInteger plain = 0;
                BigInteger weighted = 0;
                for (int t = 0, j = residue; j < outputs; t++, j += window)
                {
                    long holding = Math.Min(j, cells - 1) - Math.Max(0, j - window + 1) + 1;
                    plain += t;
                    weighted += holding * t;
                    squares += (long)t * t;
                    weightedSquares += holding * t * t;
                }

                classes++;
                sumOfProducts = (sumOfProducts.Constant + (plain * plain), sumOfProducts.Linear
                    + (2 * plain * weighted), sumOfProducts.Quadratic + (weighted * weighted));
            }

            if (classes.IsZero)
            {
                continue;
            }

            Rational share = boost / cells;
            Rational squared = (q * q * sumOfProducts.Constant) + (q * share * sumOfProducts.Linear)
                + (share * share * sumOfProducts.Quadratic);
            total += (q * squares) + (share * weightedSquares) - (squared / ((size * q) + boost));
        }

        Rational clear = new(((BigInteger)cells * cells) - 1, 12);
        return clear * boost * boost / total;
    }
}
