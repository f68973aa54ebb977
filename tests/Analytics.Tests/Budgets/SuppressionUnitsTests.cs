using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Analytics.Tests.Schemas;

namespace EmrMarket.Analytics.Tests.Budgets;

public sealed class SuppressionUnitsTests
{
    private static readonly Schema Schema = Schema.Parse(SchemaTests.Small, "s");

    private static int Profile(string name) => Schema.Profiles.TakeWhile(p => p.Name != name).Count();

    private static int[] Assign(int[] cells, int[] profiles, int[] persons) =>
        SuppressionUnits.Assign(Schema.Profiles, Schema.Grades, cells, profiles, persons);

    [Fact]
    public void Unit_of_twenty_persons_stays_and_of_nineteen_joins_the_next_stricter()
    {
        int[] persons = [.. Enumerable.Range(0, 39)];
        int[] profiles = [.. Enumerable.Repeat(Profile("generous"), 19), .. Enumerable.Repeat(Profile("balanced"), 20)];
        Assert.All(Assign(new int[39], profiles, persons), p => Assert.Equal(Profile("balanced"), p));

        int[] twenty = [.. Enumerable.Repeat(Profile("generous"), 20)];
        Assert.Equal(twenty, Assign(new int[20], twenty, [.. Enumerable.Range(0, 20)]));
    }

    [Fact]
    public void Persons_are_counted_not_records()
    {
        int[] persons = [.. Enumerable.Range(0, 40).Select(i => i / 4)];
        int[] profiles = [.. Enumerable.Repeat(Profile("generous"), 40)];
        Assert.All(Assign(new int[40], profiles, persons), p => Assert.Equal(SuppressionUnits.Withheld, p));
    }

    [Fact]
    public void Small_units_of_several_profiles_add_up_on_the_way_down()
    {
        int[] profiles = [.. Enumerable.Repeat(Profile("generous"), 8), .. Enumerable.Repeat(Profile("balanced"), 8), .. Enumerable.Repeat(
            Profile("conservative"), 8)];
        Assert.All(Assign(new int[24], profiles, [.. Enumerable.Range(0, 24)]), p => Assert.Equal(Profile("conservative"), p));
    }

    [Fact]
    public void Cells_never_mix()
    {
        int[] cells = [.. Enumerable.Range(0, 40).Select(i => i < 25 ? 0 : 1)];
        int[] assigned = Assign(cells, [.. Enumerable.Repeat(Profile("balanced"), 40)], [.. Enumerable.Range(0, 40)]);
        Assert.All(assigned[..25], p => Assert.Equal(Profile("balanced"), p));
        Assert.All(assigned[25..], p => Assert.Equal(SuppressionUnits.Withheld, p));
    }

    [Fact]
    public void Nobody_is_published_more_generously_and_every_unit_has_its_persons()
    {
        var random = new Random(7);
        for (int run = 0; run < 200; run++)
        {
            int n = random.Next(1, 300);
            int[] cells = [.. Enumerable.Range(0, n).Select(_ => random.Next(3))];
            int[] persons = [.. Enumerable.Range(0, n).Select(_ => random.Next(1 + (n / 2)))];
            int[] profiles = [.. Enumerable.Range(0, n).Select(_ => random.Next(-1, Schema.Profiles.Count))];
            int[] assigned = Assign(cells, profiles, persons);
            for (int i = 0; i < n; i++)
            {
                Assert.True(assigned[i] == -1
                    || (profiles[i] >= 0 && Schema.Profiles[assigned[i]].IsAtLeastAsStrictAs(Schema.Profiles[profiles[i]])));
            }

            foreach (IGrouping<(int, int), int> unit in Enumerable.Range(0, n).Where(i => assigned[i] >= 0)
                .GroupBy(i => (cells[i], assigned[i])))
            {
                Assert.True(unit.Select(i => persons[i]).Distinct().Count() >= SuppressionUnits.MinPersons);
            }
        }
    }
}
