namespace EmrMarket.Analytics.Matching;

/// <summary>The faults of a round: the conditions of docs/WIRE.md, numbered as there.</summary>
public enum MatchFaultKind
{
    /// <summary>Not a match at all: an index out of range, an unsorted or repeated sale, a negative price.</summary>
    Malformed = 0,

    /// <summary>E1: a record left over for a request (x &lt; n) although w &gt; u + v.</summary>
    BlockingPair = 1,

    /// <summary>E2: a sale (x &gt; 0) although w &lt; u + v.</summary>
    Overcharge = 2,

    /// <summary>E3: u &gt; 0 although the class sold less than n q.</summary>
    UnsoldPremium = 3,

    /// <summary>E4: v &gt; 0 although the request is not filled.</summary>
    UnfilledSurplus = 4,

    /// <summary>E5: x &gt; n, more sold than n q, or more filled than N.</summary>
    QuantityExceeded = 5,

    /// <summary>E6: a sale of an inadmissible pair or to a dropped request.</summary>
    Inadmissible = 6,

    /// <summary>E7: the two lists of sales differ.</summary>
    SalesDiffer = 7,

    /// <summary>E8: a premium that nothing shows to be the least.</summary>
    UnsupportedPremium = 8,

    /// <summary>A request dropped without a minimum or with sales, or kept below its minimum.</summary>
    Dropping = 9,
}

/// <summary>One fault.</summary>
/// <param name="Kind">Which.</param>
/// <param name="ClassIndex">The class it concerns, or -1.</param>
/// <param name="RequestIndex">The request it concerns, or -1.</param>
/// <param name="Detail">Expected against got.</param>
public readonly record struct MatchFault(MatchFaultKind Kind, int ClassIndex, int RequestIndex, string Detail);

/// <summary>
/// Decides from the problem and the outcome alone whether the outcome is what the market promises: maximum welfare, individually rational,
/// pairwise stable, least premiums. Shares no code with the solver. A pair, class or request that has several faults is filed under one, in
/// the order in which the contract does. O(classes * requests + sales).
/// </summary>
public static class MatchVerifier
{
    /// <summary>Lists the faults.</summary>
    /// <param name="problem">The market.</param>
    /// <param name="outcome">What is claimed about it.</param>
    /// <param name="limit">Stop after this many faults, at least 1.</param>
    /// <returns>Empty exactly when the outcome is right.</returns>
    public static IReadOnlyList<MatchFault> FindFaults(MatchProblem problem, MatchOutcome outcome, int limit = 100)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(outcome);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var check = new Check(problem, outcome, limit);
        check.Run();
        return check.Faults;
    }

    private sealed class Check(MatchProblem problem, MatchOutcome outcome, int limit)
    {
        private readonly Dictionary<(int Class, int Request), int> _sold = [];
        private readonly long[] _soldByClass = new long[problem.Classes.Count];
        private readonly long[] _filledByRequest = new long[problem.Requests.Count];

        public List<MatchFault> Faults { get; } = [];

        private bool Done => Faults.Count >= limit;

        public void Run()
        {
            if (!IsWellFormed())
            {
                return;
            }

            foreach (var sale in outcome.SalesByClass)
            {
                _sold[(sale.ClassIndex, sale.RequestIndex)] = sale.Records;
                _soldByClass[sale.ClassIndex] += sale.Records;
            }

            foreach (var sale in outcome.SalesByRequest)
            {
                _filledByRequest[sale.RequestIndex] += sale.Records;
            }

            CompareLists();
            CheckSales();
            CheckTotals();
            CheckBlockingPairs();
            for (var c = 0; c < problem.Classes.Count && !Done; c++)
            {
                CheckSupport(c);
            }
        }

        private static bool IsRising(IReadOnlyList<Sale> sales, Func<Sale, (int, int)> key)
        {
            for (var i = 1; i < sales.Count; i++)
            {
                if (key(sales[i]).CompareTo(key(sales[i - 1])) <= 0)
                {
                    return false;
                }
            }

            return true;
        }

        private long Price(int c, int j) => outcome.Classes[c].Premium + outcome.Requests[j].Surplus;

        private void Add(MatchFaultKind kind, int c, int j, string detail)
        {
            if (!Done)
            {
                Faults.Add(new MatchFault(kind, c, j, detail));
            }
        }

        private bool IsWellFormed()
        {
            if (outcome.Classes.Count != problem.Classes.Count || outcome.Requests.Count != problem.Requests.Count)
            {
                Add(
                    MatchFaultKind.Malformed,
                    -1,
                    -1,
                    $"The outcome has {outcome.Classes.Count} classes and {outcome.Requests.Count} requests, expected "
                    + $"{problem.Classes.Count} and {problem.Requests.Count}.");
                return false;
            }

            foreach (var sale in outcome.SalesByClass.Concat(outcome.SalesByRequest))
            {
                if (sale.ClassIndex < 0 || sale.ClassIndex >= problem.Classes.Count || sale.RequestIndex < 0
                    || sale.RequestIndex >= problem.Requests.Count || sale.Records <= 0)
                {
                    Add(MatchFaultKind.Malformed, sale.ClassIndex, sale.RequestIndex, $"No such sale is possible: {sale}.");
                }
            }

            if (!IsRising(outcome.SalesByClass, static s => (s.ClassIndex, s.RequestIndex))
                || !IsRising(outcome.SalesByRequest, static s => (s.RequestIndex, s.ClassIndex)))
            {
                Add(MatchFaultKind.Malformed, -1, -1, "A list of sales is not in strictly rising order.");
            }

            // Prices beyond the weights' range could wrap the sums below.
            for (var c = 0; c < outcome.Classes.Count; c++)
            {
                if (outcome.Classes[c].Premium is < 0 or > WeightMatrix.Limit)
                {
                    Add(MatchFaultKind.Malformed, c, -1, $"Premium {outcome.Classes[c].Premium} is outside [0, 2^60].");
                }
            }

            for (var j = 0; j < outcome.Requests.Count; j++)
            {
                if (outcome.Requests[j].Surplus is < 0 or > WeightMatrix.Limit)
                {
                    Add(MatchFaultKind.Malformed, -1, j, $"Surplus {outcome.Requests[j].Surplus} is outside [0, 2^60].");
                }
            }

            return Faults.Count == 0;
        }

        private void CompareLists()
        {
            foreach (var sale in outcome.SalesByRequest)
            {
                if (_sold.GetValueOrDefault((sale.ClassIndex, sale.RequestIndex)) is var x && x != sale.Records)
                {
                    Add(MatchFaultKind.SalesDiffer, sale.ClassIndex, sale.RequestIndex, $"{x} records by class, {sale.Records} by "
                        + $"request.");
                }
            }

            // All of the second list agrees with the first; a longer first list holds sales that the second lacks.
            if (outcome.SalesByClass.Count > outcome.SalesByRequest.Count)
            {
                var listed = outcome.SalesByRequest.Select(static s => (s.ClassIndex, s.RequestIndex)).ToHashSet();
                foreach (var sale in outcome.SalesByClass.Where(s => !listed.Contains((s.ClassIndex, s.RequestIndex))))
                {
                    Add(MatchFaultKind.SalesDiffer, sale.ClassIndex, sale.RequestIndex, $"{sale.Records} records by class, none by "
                        + $"request.");
                }
            }
        }

        private void CheckSales()
        {
            foreach (var (c, j, x) in outcome.SalesByClass)
            {
                var weight = problem.Weights[c, j];
                if (weight == WeightMatrix.Inadmissible || outcome.Requests[j].Dropped)
                {
                    Add(MatchFaultKind.Inadmissible, c, j, $"{x} records sold of a pair that may not trade.");
                }
                else if (x > problem.Classes[c].Members)
                {
                    Add(MatchFaultKind.QuantityExceeded, c, j, $"{x} records of a class of {problem.Classes[c].Members}.");
                }
                else if (weight < Price(c, j))
                {
                    Add(MatchFaultKind.Overcharge, c, j, $"w = {weight} is below u + v = {Price(c, j)}.");
                }
            }
        }

        private void CheckTotals()
        {
            for (var c = 0; c < _soldByClass.Length; c++)
            {
                var (sales, capacity) = (_soldByClass[c], problem.Classes[c].Capacity);
                if (sales > capacity)
                {
                    Add(MatchFaultKind.QuantityExceeded, c, -1, $"{sales} sales, at most {capacity}.");
                }
                else if (sales < capacity && outcome.Classes[c].Premium > 0)
                {
                    Add(MatchFaultKind.UnsoldPremium, c, -1, $"u = {outcome.Classes[c].Premium}, {sales} of {capacity} sold.");
                }
            }

            for (var j = 0; j < _filledByRequest.Length; j++)
            {
                var (filled, demand, (surplus, dropped)) = (_filledByRequest[j], problem.Requests[j], outcome.Requests[j]);
                if (dropped ? demand.MinRecords == 0 || filled > 0 || surplus > 0 : filled < demand.MinRecords)
                {
                    Add(MatchFaultKind.Dropping, -1, j, $"dropped: {dropped}, {filled} filled, at least {demand.MinRecords} wanted, v = "
                        + $"{surplus}.");
                }
                else if (filled > demand.Records)
                {
                    Add(MatchFaultKind.QuantityExceeded, -1, j, $"{filled} records, at most {demand.Records}.");
                }
                else if (surplus > 0 && filled < demand.Records)
                {
                    Add(MatchFaultKind.UnfilledSurplus, -1, j, $"v = {surplus}, {filled} of {demand.Records} filled.");
                }
            }
        }

        private void CheckBlockingPairs()
        {
            var surplus = outcome.Requests.Select(static r => r.Dropped ? long.MaxValue : r.Surplus).ToArray();
            var row = new long[surplus.Length];
            for (var c = 0; c < problem.Classes.Count && !Done; c++)
            {
                problem.Weights.CopyRow(c, row);
                var premium = outcome.Classes[c].Premium;
                for (var j = 0; j < row.Length; j++)
                {
                    // An inadmissible weight and the surplus of a dropped request never satisfy the first comparison.
                    if (row[j] > surplus[j] && row[j] - surplus[j] > premium
                        && _sold.GetValueOrDefault((c, j)) < problem.Classes[c].Members)
                    {
                        Add(MatchFaultKind.BlockingPair, c, j, $"w = {row[j]} exceeds u + v = {Price(c, j)} and a record is left.");
                    }
                }
            }
        }

        private void CheckSupport(int c)
        {
            var (premium, j, other, rank) = outcome.Classes[c];
            if (premium == 0)
            {
                return;
            }

            if (j < 0 || j >= _filledByRequest.Length || outcome.Requests[j].Dropped)
            {
                Add(MatchFaultKind.UnsupportedPremium, c, j, "The premium names no request that supports it.");
            }
            else if (_sold.GetValueOrDefault((c, j)) >= problem.Classes[c].Members || problem.Weights[c, j] != Price(c, j))
            {
                Add(MatchFaultKind.UnsupportedPremium, c, j, "The supporting request would not take another record at a lower premium.");
            }
            else if (_filledByRequest[j] >= problem.Requests[j].Records && !HoldsDown(other, j, rank))
            {
                Add(MatchFaultKind.UnsupportedPremium, c, j, $"Class {other} does not hold the surplus of the supporting request down.");
            }
        }

        private bool HoldsDown(int c, int j, int rank)
            => c >= 0 && c < _soldByClass.Length && _sold.GetValueOrDefault((c, j)) > 0 && problem.Weights[c, j] == Price(c, j)
                && (outcome.Classes[c].Premium == 0 || outcome.Classes[c].Rank < rank);
    }
}
