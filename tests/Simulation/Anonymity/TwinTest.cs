namespace EmrMarket.Simulation.Anonymity;

/// <summary>
/// Looks in independent runs for what tells two exchangeable patients apart, or what nobody drew. Three kinds of questions:
/// <list type="number">
/// <item>Exchangeable patients have every order as often as its opposite, and so has every product of three orders: were a product of two
/// a context (an order that nobody's identity decides), the third would tell who is who in that context only. (A product of two stays as it
/// is when they are exchanged, and says nothing here.)</item>
/// <item>Two orders that come from different draws agree as often as not: a product of two that does not says that one follows from the
/// other.</item>
/// <item>What has to be equal in one class always is, and what has to be fresh is never seen twice.</item>
/// </list>
/// Under each of the hypotheses a sum of n signs is at least t in absolute value with probability at most 2 exp(-t^2 / 2n) (Hoeffding 1963,
/// doi:10.1080/01621459.1963.10500830); all hypotheses together share one false-alarm rate.
/// </summary>
internal sealed class TwinTest
{
    /// <summary>Of all hypotheses together.</summary>
    public const double FalseAlarm = 1e-7;

    private readonly IReadOnlyList<TwinViews> _runs;
    private readonly string[] _fields;
    private readonly string[] _draws;
    private readonly string[] _sources;
    private readonly sbyte[][] _orders;

    /// <param name="runs">Independent runs.</param>
    /// <param name="drawOf">By which draw the order of a field is decided, by design; fields of one draw may follow from each
    /// other.</param>
    /// <param name="sourceOf">Draws of one source may follow from each other too, in the runs in which both give an order.</param>
    public TwinTest(IReadOnlyList<TwinViews> runs, Func<string, string> drawOf, Func<string, string> sourceOf)
    {
        _runs = runs;
        Fields = [.. runs.SelectMany(run => run.First.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

        // Fields of one draw that have one order throughout are one hypothesis.
        var distinct = Fields.Select(field => (Field: field, Draw: drawOf(field), Orders: OrdersOf(field)))
            .Where(one => Array.Exists(one.Orders, order => order != 0))
            .GroupBy(one => one.Draw + ' ' + string.Join(',', one.Orders), StringComparer.Ordinal).Select(same => same.First()).ToArray();
        _fields = [.. distinct.Select(one => one.Field)];
        _draws = [.. distinct.Select(one => one.Draw)];
        _sources = [.. _draws.Select(sourceOf)];
        _orders = [.. distinct.Select(one => one.Orders)];
    }

    /// <summary>All that is seen of a patient.</summary>
    public IReadOnlyList<string> Fields { get; }

    /// <summary>The draws that give patients an order, each as often as it gives another one.</summary>
    public IReadOnlyList<string> Draws => _draws;

    /// <summary>What tells the one from the other.</summary>
    public IEnumerable<string> Tellers()
    {
        int n = _fields.Length;
        double hypotheses = n + (n * (n - 1.0) * (n - 2) / 6);
        for (int f = 0; f < n; f++)
        {
            if (IsBiased(run => _orders[f][run], hypotheses))
            {
                yield return _fields[f];
            }

            for (int g = f + 1; g < n; g++)
            {
                for (int h = g + 1; h < n; h++)
                {
                    if (IsBiased(run => _orders[f][run] * _orders[g][run] * _orders[h][run], hypotheses))
                    {
                        yield return $"{_fields[f]}, {_fields[g]} and {_fields[h]} together";
                    }
                }
            }
        }
    }

    /// <summary>The orders of different sources of which one follows from the other.</summary>
    public IEnumerable<string> Followers()
    {
        int n = _fields.Length;
        for (int f = 0; f < n; f++)
        {
            for (int g = f + 1; g < n; g++)
            {
                if (_sources[f] != _sources[g] && IsBiased(run => _orders[f][run] * _orders[g][run], n * (n - 1.0) / 2))
                {
                    yield return $"{_fields[f]} follows {_fields[g]}";
                }
            }
        }
    }

    /// <summary>What has to be equal for patients of one class, and was not.</summary>
    public IEnumerable<string> Unequal(Func<string, bool> isEqual) =>
        Fields.Where(field => isEqual(field) && _runs.Any(run => run.Order(field) != 0));

    /// <summary>What has to be fresh, and stands under two names or at both patients.</summary>
    public IEnumerable<string> Repeated(Func<string, bool> isFresh) => _runs.SelectMany(run => run.First.Concat(run.Second)
        .Where(pair => isFresh(pair.Key)).GroupBy(pair => pair.Value, StringComparer.Ordinal).Where(same => same.Count() > 1)
        .Select(same => string.Join(" and ", same.Select(pair => pair.Key)))).Distinct(StringComparer.Ordinal);

    private sbyte[] OrdersOf(string field) => [.. _runs.Select(run => (sbyte)run.Order(field))];

    private bool IsBiased(Func<int, int> sign, double hypotheses)
    {
        int sum = 0, count = 0;
        for (int run = 0; run < _runs.Count; run++)
        {
            int one = sign(run);
            sum += one;
            count += one * one;
        }

        return count > 0 && Math.Abs(sum) >= Math.Sqrt(2.0 * count * Math.Log(2 * hypotheses / (FalseAlarm / 2)));
    }
}
