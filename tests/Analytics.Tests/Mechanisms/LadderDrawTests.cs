using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>What holds for the ladders of all mechanisms: reports are a function of key, fact, version and value alone.</summary>
public sealed class LadderDrawTests
{
    private static readonly byte[] SiteKey = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private static readonly int[] AllGrades = [1, 2, 3, 4, 5, 6];

    public static TheoryData<string, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            foreach (IMechanism mechanism in MechanismCatalogue.All)
            {
                foreach (int size in new[] { 2, 3, 10, 64, 65, 130, 1000 })
                {
                    cases.Add(mechanism.Id, size);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Draw_of_the_same_facts_in_another_order_and_split_gives_the_same_reports(string mechanism, int size)
    {
        (RecordColumn column, ulong[] facts) = Sample(mechanism, size, 1_000);
        IReportLadder ladder = MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, GradeLadder.Default);
        IReadOnlyList<ReportColumn> whole = ladder.Draw(Key(), column, facts, AllGrades);

        int[] order = [.. Enumerable.Range(0, facts.Length)];
        new Random(3).Shuffle(order);
        for (int start = 0, count = 1; start < order.Length; start += count, count = (3 * count) + 1)
        {
            int[] part = order[start..Math.Min(start + count, order.Length)];
            IReadOnlyList<ReportColumn> drawn = ladder.Draw(
                Key(), Take(column, part), part.Select(i => facts[i]).ToArray(), AllGrades);
            for (int g = 0; g < AllGrades.Length; g++)
            {
                for (int i = 0; i < part.Length; i++)
                {
                    Assert.Equal(Reports.Row(whole[g], part[i]), Reports.Row(drawn[g], i));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Draw_of_some_grades_gives_the_reports_that_all_grades_would(string mechanism, int size)
    {
        (RecordColumn column, ulong[] facts) = Sample(mechanism, size, 300);
        IReportLadder ladder = MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, GradeLadder.Default);
        IReadOnlyList<ReportColumn> all = ladder.Draw(Key(), column, facts, AllGrades);

        foreach (int[] grades in new[] { [6], [1], [3, 1], new[] { 2, 5, 2 } })
        {
            IReadOnlyList<ReportColumn> some = ladder.Draw(Key(), column, facts, grades);
            Assert.Equal(grades.Length, some.Count);
            for (int g = 0; g < grades.Length; g++)
            {
                Assert.Equal(Reports.Rows(all[grades[g] - 1]), Reports.Rows(some[g]));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Draw_under_another_key_source_version_or_ladder_gives_other_reports(string mechanism, int size)
    {
        (RecordColumn column, ulong[] facts) = Sample(mechanism, size, 500);
        IReportLadder ladder = MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, GradeLadder.Default);
        string Drawn(ColumnKey key, IReportLadder from) => string.Join('|', Reports.Rows(from.Draw(key, column, facts, [1])[0]));

        byte[] otherSite = [.. SiteKey];
        otherSite[31] ^= 1;
        IReportLadder other = MechanismCatalogue.Get(mechanism)
            .CreateLadder(column.Attribute.Domain, new GradeLadder([new(250_000), new(900_000)]));
        string[] drawn =
        [
            Drawn(Key(), ladder), Drawn(ColumnKey.Derive(otherSite, "source"), ladder),
            Drawn(ColumnKey.Derive(SiteKey, "other source"), ladder),
            Drawn(ColumnKey.Derive(SiteKey, "source", valueVersion: 1), ladder), Drawn(Key(), other),
        ];
        Assert.Equal(drawn.Length, drawn.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(drawn[0], Drawn(Key(), ladder));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void CountSupport_and_bitmaps_count_what_the_rows_say(string mechanism, int size)
    {
        (RecordColumn column, ulong[] facts) = Sample(mechanism, size, 333);
        IReportLadder ladder = MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, GradeLadder.Default);
        foreach (int grade in AllGrades)
        {
            Channel channel = ladder[grade];
            ReportColumn reports = ladder.Draw(Key(), column, facts, [grade])[0];
            long[] counts = channel.CountSupport(reports);
            int[] values = [.. Enumerable.Range(0, size)];
            SupportBitmaps bitmaps = channel.Support(reports, values);

            Assert.Equal(size, counts.Length);
            for (int v = 0; v < size; v++)
            {
                long expected = 0;
                for (int i = 0; i < facts.Length; i++)
                {
                    bool supports = Reports.Supports(channel, reports, i, v);
                    expected += supports ? 1 : 0;
                    Assert.Equal(supports, (bitmaps[v][i / 64] >> (i % 64) & 1) == 1);
                }

                Assert.Equal(expected, counts[v]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Draw_of_no_records_gives_empty_reports(string mechanism, int size)
    {
        (RecordColumn column, _) = Sample(mechanism, size, 0);
        IReportLadder ladder = MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, GradeLadder.Default);
        ReportColumn reports = ladder.Draw(Key(), column, ReadOnlyMemory<ulong>.Empty, [2])[0];
        Assert.Equal(0, reports.Count);
        Assert.All(ladder[2].CountSupport(reports), count => Assert.Equal(0, count));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Draw_of_a_code_outside_the_domain_is_refused_without_naming_it(string mechanism, int size)
    {
        (RecordColumn column, ulong[] facts) = Sample(mechanism, size, 20);
        column.Codes[13] = 54_321;
        IReportLadder ladder = MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, GradeLadder.Default);

        var error = Assert.Throws<ArgumentException>(() => ladder.Draw(Key(), column, facts, [1]));
        Assert.Contains("record 13", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("54321", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Draw_of_a_grade_that_does_not_exist_is_refused(string mechanism, int size)
    {
        (RecordColumn column, ulong[] facts) = Sample(mechanism, size, 5);
        IReportLadder ladder = MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, GradeLadder.Default);
        Assert.Throws<ArgumentOutOfRangeException>(() => ladder.Draw(Key(), column, facts, [0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => ladder.Draw(Key(), column, facts, [7]));
    }

    [Fact]
    public void Catalogue_ids_are_unique_and_known()
    {
        Assert.Equal(MechanismCatalogue.All.Count, MechanismCatalogue.All.Select(mechanism => mechanism.Id).Distinct(StringComparer.Ordinal)
            .Count());
        Assert.All(MechanismCatalogue.All, mechanism => Assert.Same(mechanism, MechanismCatalogue.Get(mechanism.Id)));
        Assert.Throws<ArgumentException>(() => MechanismCatalogue.Get("rappor"));
    }

    [Theory]
    [InlineData(2, 1_000_000, "grr")]
    [InlineData(3, 500_000, "grr")]
    [InlineData(10, 2_000_000, "grr")]
    [InlineData(10, 500_000, "ss")]
    [InlineData(256, 1_000_000, "ss")]
    [InlineData(257, 1_000_000, "olh")]
    [InlineData(900, 2_000_000, "olh")]
    public void Default_mechanism_has_the_least_variance_at_the_ceiling(int size, long ceiling, string expected)
    {
        var domain = new CategoricalDomain([.. Enumerable.Range(0, size).Select(i => $"v{i}")], Ordered: false);
        Assert.Equal(expected, MechanismCatalogue.Default(domain, new EpsilonMicro(ceiling)).Id);
    }

    [Fact]
    public void Default_mechanism_of_a_grid_is_dsw_and_of_a_single_value_is_refused()
    {
        Assert.Equal("dsw", MechanismCatalogue.Default(new GridDomain(0, 1, 64, "d"), new EpsilonMicro(500_000)).Id);
        Assert.Throws<ArgumentException>(
            () => MechanismCatalogue.Default(new CategoricalDomain(["only"], Ordered: false), new EpsilonMicro(500_000)));
    }

    internal static ColumnKey Key() => ColumnKey.Derive(SiteKey, "source");

    internal static (RecordColumn Column, ulong[] Facts) Sample(string mechanism, int size, int n)
    {
        var random = new Random(size);
        AttributeDomain domain = mechanism == "dsw"
            ? new GridDomain(0, 1, size, "1")
            : new CategoricalDomain([.. Enumerable.Range(0, size).Select(i => $"v{i}")], Ordered: false);
        var attribute = new AttributeDefinition
        {
            Name = "a", Source = "source", Domain = domain, Tier = Tier.Moderate, Mechanism = mechanism,
        };
        ushort[] codes = [.. Enumerable.Range(0, n).Select(_ => (ushort)random.Next(size))];
        ulong[] facts = [.. Enumerable.Range(0, n).Select(_ => (ulong)random.NextInt64())];
        return (new RecordColumn { Attribute = attribute, Codes = codes }, facts);
    }

    private static RecordColumn Take(RecordColumn column, int[] rows) =>
        new() { Attribute = column.Attribute, Codes = [.. rows.Select(i => column.Codes[i])] };
}
