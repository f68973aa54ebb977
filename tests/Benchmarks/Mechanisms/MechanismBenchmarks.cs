using BenchmarkDotNet.Attributes;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Tests.Mechanisms;

namespace EmrMarket.Benchmarks.Mechanisms;

/// <summary>The whole default ladder of 2,000 records beside the plain sampler, for every mechanism.</summary>
[MemoryDiagnoser]
public class MechanismBenchmarks
{
    private static readonly int[] AllGrades = [1, 2, 3, 4, 5, 6];
    private RecordColumn _column = null!;
    private ulong[] _facts = [];
    private IReportLadder _ladder = null!;
    private ColumnKey _key = null!;
    private PlainCoins _coins = null!;
    private Func<int, Array> _plain = null!;

    /// <summary>The mechanism.</summary>
    [Params("grr", "ss", "oue", "olh", "dsw")]
    public string Mechanism { get; set; } = "grr";

    /// <summary>Values of the domain.</summary>
    [Params(10, 100)]
    public int Size { get; set; }

    /// <summary>Draws once with both and compares.</summary>
    [GlobalSetup]
    public void Setup()
    {
        (_column, _facts) = MechanismsBench.Input(Mechanism, Size, MechanismsBench.PlainRecords);
        _ladder = MechanismCatalogue.Get(Mechanism).CreateLadder(_column.Attribute.Domain, GradeLadder.Default);
        _key = ColumnKey.Derive(MechanismsBench.SiteKey, "source");
        _coins = MechanismsBench.CoinsOf(Mechanism, Size, GradeLadder.Default);
        _plain = MechanismsBench.Plain(_coins, Mechanism, Size, GradeLadder.Default, _column, _facts);
        MechanismsBench.Check(_plain, Size, Draw());
    }

    /// <summary>Frees the platform's cipher.</summary>
    [GlobalCleanup]
    public void Cleanup() => _coins.Dispose();

    /// <summary>The sampler.</summary>
    [Benchmark]
    public IReadOnlyList<ReportColumn> Draw() => _ladder.Draw(_key, _column, _facts, AllGrades);

    /// <summary>The baseline.</summary>
    [Benchmark(Baseline = true)]
    public Array Plain()
    {
        Array last = Array.Empty<int>();
        for (int i = 0; i < _facts.Length; i++)
        {
            last = _plain(i);
        }

        return last;
    }
}
