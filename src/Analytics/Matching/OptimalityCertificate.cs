namespace EmrMarket.Analytics.Matching;

/// <summary>
/// Proof by linear programming duality that a match has maximum welfare. Shares no code with the solver: it reads the problem, the sales
/// and the prices, nothing else. Any u, v >= 0 with s = max(0, w - u - v) bound the welfare of every match; where the bound equals
/// the welfare of this one, match and prices are both optimal and complementary slackness holds.
/// </summary>
/// <param name="Feasible">Every bound and capacity holds.</param>
/// <param name="Welfare">Sum of w x, token base units.</param>
/// <param name="DualValue">Sum of N v + n q u + n s, token base units; no match can exceed it.</param>
public readonly record struct OptimalityCertificate(bool Feasible, Int128 Welfare, Int128 DualValue)
{
    /// <summary>Whether the match is proven to have maximum welfare.</summary>
    public bool Holds => Feasible && Welfare == DualValue;

    /// <summary>Computes the certificate. O(classes * requests).</summary>
    /// <param name="problem">The market.</param>
    /// <param name="outcome">Sales by class and prices are read; requests marked dropped count as demanding nothing.</param>
    public static OptimalityCertificate Of(MatchProblem problem, MatchOutcome outcome)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(outcome);
        var weights = problem.Weights;
        var unsold = problem.Classes.Select(static supply => supply.Capacity).ToArray();
        var unfilled = problem.Requests.Select((demand, j) => outcome.Requests[j].Dropped ? 0 : demand.Records).ToArray();
        Int128 dual = 0;
        var feasible = true;
        for (var j = 0; j < unfilled.Length; j++)
        {
            dual += (Int128)unfilled[j] * outcome.Requests[j].Surplus;
            feasible &= outcome.Requests[j].Surplus is >= 0 and <= WeightMatrix.Limit;
        }

        Int128 welfare = 0;
        var previous = (Class: -1, Request: -1);
        foreach (var (c, j, records) in outcome.SalesByClass)
        {
            // Rising order rules out that a pair is listed twice.
            feasible &= (c, j).CompareTo(previous) > 0 && records > 0 && records <= problem.Classes[c].Members
                && weights[c, j] != WeightMatrix.Inadmissible;
            previous = (c, j);
            unsold[c] -= records;
            unfilled[j] -= records;
            welfare += (Int128)weights[c, j] * records;
        }

        feasible &= unsold.All(static left => left >= 0) && unfilled.All(static left => left >= 0);

        // A dropped request gains nothing from any class.
        var surplus = outcome.Requests.Select(static request => request.Dropped ? long.MaxValue : request.Surplus).ToArray();
        var row = new long[weights.Requests];
        for (var c = 0; c < weights.Classes; c++)
        {
            weights.CopyRow(c, row);
            var premium = outcome.Classes[c].Premium;
            feasible &= premium is >= 0 and <= WeightMatrix.Limit;
            var perMember = (Int128)premium * problem.Classes[c].Quota;
            for (var j = 0; j < row.Length; j++)
            {
                if (row[j] > surplus[j] && row[j] - surplus[j] > premium)
                {
                    perMember += row[j] - surplus[j] - premium;
                }
            }

            dual += perMember * problem.Classes[c].Members;
        }

        return new OptimalityCertificate(feasible, welfare, dual);
    }
}
