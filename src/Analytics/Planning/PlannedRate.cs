using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;

namespace EmrMarket.Analytics.Planning;

/// <summary>
/// The half-width to expect of a rate within a group, P(first | others), before the data are seen: Fieller's limits at the expectations of
/// what they are computed from, on fixed records (docs/ESTIMATORS.md, "Tables").
/// </summary>
internal static class PlannedRate
{
    private const int RateSteps = 20;

    /// <summary>The half-width at the worst rate, inside the group and outside it; null when the group could not be told from
    /// empty.</summary>
    /// <param name="channels">The channels of the first attribute and of those that make the group, the first first; at least two.</param>
    /// <param name="share">The group's share of the records, in (0, 1].</param>
    /// <param name="records">The number of records, at least 1.</param>
    /// <param name="confidence">The confidence, strictly between 0 and 1.</param>
    public static double? Worst(IReadOnlyList<Channel> channels, double share, long records, double confidence)
    {
        double worst = 0;
        for (int step = 0; step <= RateSteps; step++)
        {
            foreach (double outside in (double[])[0, 1])
            {
                if (HalfWidth(channels, share, (double)step / RateSteps, outside, records, confidence) is not { } half)
                {
                    return null;
                }

                worst = Math.Max(worst, half);
            }
        }

        return worst;
    }

    /// <summary>The half-width at one rate inside the group and one outside; null when the group could not be told from empty.</summary>
    public static double? HalfWidth(
        IReadOnlyList<Channel> channels, double share, double rate, double outside, long records, double confidence)
    {
        if (channels.Any(channel => channel is DswChannel))
        {
            return null;
        }

        (double inGroup, double elsewhere) = GroupSquares(channels);
        (double has, double hasNot) = Squares(channels[0]);

        // Per record; Z = z_first z_others and W = z_others, whose truths are u v and v.
        double joint = 0, group = 0, both = 0;
        foreach ((double weight, double square, double u, double v) in ((double, double, double, double)[])
        [
            (share * rate, inGroup, 1, 1), (share * (1 - rate), inGroup, 0, 1), ((1 - share) * outside, elsewhere, 1, 0),
            ((1 - share) * (1 - outside), elsewhere, 0, 0),
        ])
        {
            joint += weight * ((square * (u > 0 ? has : hasNot)) - (u * v));
            group += weight * (square - v);
            both += weight * ((square * u) - (u * v));
        }

        return Intervals.Fieller(share * rate, share, joint / records, group / records, both / records, confidence) is { } limits
            ? (limits.High - limits.Low) / 2 : null;
    }

    /// <summary>E[z^2] of the group's product at a record inside it, and the largest at one outside.</summary>
    private static (double Inside, double Outside) GroupSquares(IReadOnlyList<Channel> channels)
    {
        int all = (1 << (channels.Count - 1)) - 1;
        double inside = 0, outside = 0;
        for (int match = 0; match <= all; match++)
        {
            double square = 1;
            for (int a = 1; a < channels.Count; a++)
            {
                (double has, double hasNot) = Squares(channels[a]);
                square *= (match >> (a - 1) & 1) == 1 ? has : hasNot;
            }

            (inside, outside) = match == all ? (square, outside) : (inside, Math.Max(outside, square));
        }

        return (inside, outside);
    }

    /// <summary>E[z^2] of z = (1[supports] - q) / (p - q) at a record that has the value, and at one that has not.</summary>
    private static (double Has, double HasNot) Squares(Channel channel)
    {
        (double p, double q) = (channel.P, channel.Q);
        return (Square(p), Square(q));

        double Square(double support) => ((support * (1 - q) * (1 - q)) + ((1 - support) * q * q)) / ((p - q) * (p - q));
    }
}
