using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Quality;

/// <summary>
/// The quality of a record's reports for one cell of a table: it describes the table's error, not its price, since a table is computed from
/// reports already bought.
/// </summary>
public static class TableQuality
{
    /// <summary>f (1 - f) / (prod E[z_a^2] - f^2) at the uniform reference f = prod 1/k_a.</summary>
    public static double Of(IReadOnlyList<Channel> channels)
    {
        ArgumentNullException.ThrowIfNull(channels);
        double f = 1;
        double square = 1;
        foreach (Channel channel in channels)
        {
            double p = channel.P;
            double q = channel.Q;
            double share = 1.0 / channel.DomainSize;
            double support = (p * share) + (q * (1 - share));
            f *= share;
            square *= ((support * (1 - (2 * q))) + (q * q)) / ((p - q) * (p - q));
        }

        return f * (1 - f) / (square - (f * f));
    }
}
