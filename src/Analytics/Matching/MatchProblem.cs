namespace EmrMarket.Analytics.Matching;

/// <summary>The supply of one class of interchangeable offers.</summary>
/// <param name="Members">n, the number of records; at least 1. No request takes a record twice, so it is also the most one request can
/// take.</param>
/// <param name="Quota">q, how often each record may be sold this period; at least 1: an offer that cannot be sold is none.</param>
public readonly record struct ClassSupply(int Members, int Quota)
{
    /// <summary>n * q, the sales that the class can make.</summary>
    public long Capacity => (long)Members * Quota;
}

/// <summary>The demand of one request.</summary>
/// <param name="Id">Breaks ties between requests; unique.</param>
/// <param name="Records">N, the most records it takes and can pay; at least 1.</param>
/// <param name="MinRecords">Below this many records the request takes none; in [0, <paramref name="Records"/>].</param>
public readonly record struct RequestDemand(long Id, long Records, long MinRecords);

/// <summary>
/// One round of the market: maximise the sum of w(c,j) x(c,j) subject to sum over j of x(c,j) at most n(c) q(c), sum over c of x(c,j) at
/// most N(j), and 0 &lt;= x(c,j) &lt;= n(c) (docs/MATCHING.md). The order of classes and requests is part of the problem: among several
/// optimal matches the solver returns the same one for the same order.
/// </summary>
public sealed class MatchProblem
{
    /// <summary>Builds a problem after checking that its parts agree.</summary>
    /// <param name="classes">The supply, one entry per row of <paramref name="weights"/>.</param>
    /// <param name="requests">The demand, one entry per column of <paramref name="weights"/>, ids unique.</param>
    /// <param name="weights">Surplus per record.</param>
    /// <exception cref="ArgumentException">The parts disagree, an id occurs twice, or a count is out of range.</exception>
    public MatchProblem(IReadOnlyList<ClassSupply> classes, IReadOnlyList<RequestDemand> requests, WeightMatrix weights)
    {
        ArgumentNullException.ThrowIfNull(classes);
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(weights);
        if (classes.Count != weights.Classes || requests.Count != weights.Requests)
        {
            throw new ArgumentException(
                $"Weights are {weights.Classes} x {weights.Requests}, expected {classes.Count} classes x {requests.Count} requests.",
                nameof(weights));
        }

        for (var c = 0; c < classes.Count; c++)
        {
            if (classes[c].Members < 1 || classes[c].Quota < 1)
            {
                throw new ArgumentException(
                    $"Class {c} needs at least one member and one sale per member, got {classes[c]}.", nameof(classes));
            }
        }

        var ids = new HashSet<long>(requests.Count);
        for (var j = 0; j < requests.Count; j++)
        {
            var (id, records, minRecords) = requests[j];
            if (records < 1 || minRecords < 0 || minRecords > records)
            {
                throw new ArgumentException(
                    $"Request {id} wants {minRecords} to {records} records, expected 0 <= least <= most and most >= 1.", nameof(requests));
            }

            if (!ids.Add(id))
            {
                throw new ArgumentException($"Request id {id} occurs twice, expected unique ids.", nameof(requests));
            }
        }

        (Classes, Requests, Weights) = ([.. classes], [.. requests], weights);
    }

    /// <summary>Supply per class.</summary>
    public IReadOnlyList<ClassSupply> Classes { get; }

    /// <summary>Demand per request.</summary>
    public IReadOnlyList<RequestDemand> Requests { get; }

    /// <summary>Surplus per record of every pair.</summary>
    public WeightMatrix Weights { get; }
}
