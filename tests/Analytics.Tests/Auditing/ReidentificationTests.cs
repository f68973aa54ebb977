using EmrMarket.Analytics.Auditing;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Auditing;

public sealed class ReidentificationTests
{
    private static readonly byte[] SiteKey = [.. Enumerable.Range(100, 32).Select(i => (byte)i)];

    [Fact]
    public void Attacker_score_is_the_full_likelihood_computed_from_the_channels_law()
    {
        const int People = 60;
        RecordTable table = Table(People, ["grr", "grr", "dsw"], size: 5);
        ReleasedReport[] released = [new(0, 4), new(1, 3), new(2, 5)];
        ReidentificationFinding finding = Reidentification.Measure(table, GradeLadder.Default, released, [3], [], SiteKey)[0];

        // The oracle multiplies P[report | known value] of every attribute and ranks by the product.
        double successes = 0;
        var reports = released.Select(r => Draw(table, r)).ToArray();
        for (int target = 0; target < People; target++)
        {
            double[] likelihood = [.. Enumerable.Range(0, People).Select(row => Enumerable.Range(0, 3).Aggregate(1.0, (product, a) =>
            {
                int y = reports[a].Codes[row];
                int v = table.Columns[a].Codes[target];
                return product * Law(table.Columns[a].Attribute, released[a].Grade, y, v);
            }))];
            int better = likelihood.Count(l => l > likelihood[target] * (1 + 1e-9));
            successes += better == 0 ? 1.0 / likelihood.Count(l => l > likelihood[target] * (1 - 1e-9)) : 0;
        }

        Assert.Equal(successes / People, finding.TopOne, 9);
        Assert.Equal(new EpsilonMicro(6_000_000), finding.Loss);
        Assert.Equal(1.0 / People, finding.Chance);
    }

    [Fact]
    public void Attacker_who_also_knows_public_attributes_passes_over_everybody_who_differs()
    {
        RecordTable table = Table(40, ["grr", "grr"], size: 40);
        for (int i = 0; i < 40; i++)
        {
            table.Columns[1].Codes[i] = (ushort)i;
        }

        Assert.Equal(1.0, Reidentification.Measure(table, GradeLadder.Default, [new(0, 1)], [1], [1], SiteKey)[0].TopOne);
    }

    [Fact]
    public void Crowd_holds_one_record_of_each_of_distinct_persons()
    {
        RecordTable table = Table(300, ["grr"], size: 5);
        for (int i = 0; i < 300; i++)
        {
            (table.PersonIndex[i], table.PersonKeys[i]) = (i / 3, (ulong)(i / 3));
        }

        var persons = new RecordTable
        {
            RecordKeys = table.RecordKeys, PersonKeys = table.PersonKeys, PersonIndex = table.PersonIndex, PersonCount = 100,
            Columns = table.Columns,
        };
        RecordTable crowd = Reidentification.ChooseCrowd(persons, 40, SiteKey);
        Assert.Equal(40, crowd.Count);
        Assert.Equal(40, crowd.PersonKeys.Distinct().Count());
        Assert.Equal(crowd.RecordKeys, Reidentification.ChooseCrowd(persons, 40, SiteKey).RecordKeys);
        byte[] other = [.. SiteKey];
        other[0]++;
        Assert.NotEqual(crowd.RecordKeys, Reidentification.ChooseCrowd(persons, 40, other).RecordKeys);
        Assert.Throws<ArgumentOutOfRangeException>(() => Reidentification.ChooseCrowd(persons, 101, SiteKey));
    }

    private static double Law(AttributeDefinition attribute, int grade, int y, int v)
    {
        double e = Math.Exp(GradeLadder.Default[grade].Value);
        int size = attribute.Domain.Size;
        int b = attribute.Mechanism == "dsw" ? size / 4 : 0;
        double q = 1 / ((((2 * b) + 1) * e) + size - 1);
        return y >= v && y <= v + (2 * b) ? e * q : q;
    }

    private static CodeReports Draw(RecordTable table, ReleasedReport released)
    {
        AttributeDefinition attribute = table.Columns[released.Attribute].Attribute;
        return (CodeReports)MechanismCatalogue.Get(attribute.Mechanism!).CreateLadder(attribute.Domain, GradeLadder.Default)
            .Draw(ColumnKey.Derive(SiteKey, attribute.Source), table.Columns[released.Attribute], table.RecordKeys, [released.Grade])[0];
    }

    private static RecordTable Table(int n, string[] mechanisms, int size)
    {
        var random = new Random(n);
        return new RecordTable
        {
            RecordKeys = [.. Enumerable.Range(0, n).Select(i => (ulong)i)],
            PersonKeys = [.. Enumerable.Range(0, n).Select(i => (ulong)i)],
            PersonIndex = [.. Enumerable.Range(0, n)],
            PersonCount = n,
            Columns =
            [
                .. mechanisms.Select((mechanism, a) => new RecordColumn
                {
                    Attribute = new AttributeDefinition
                    {
                        Name = $"a{a}", Source = $"a{a}", Tier = Tier.Low, Mechanism = mechanism,
                        Domain = mechanism == "dsw"
                            ? new GridDomain(0, 1, size, "1")
                            : new CategoricalDomain([.. Enumerable.Repeat("v", size)], Ordered: false),
                    },
                    Codes = [.. Enumerable.Range(0, n).Select(_ => (ushort)random.Next(size))],
                }),
            ],
        };
    }
}
