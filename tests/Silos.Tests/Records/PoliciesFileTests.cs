using System.Security.Cryptography;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Tests.Records;

public sealed class PoliciesFileTests : IDisposable
{
    private static readonly byte[] Key = SHA256.HashData("k"u8);
    private static readonly Schema Schema = DataFolder.LoadSchema("synthetic");
    private static readonly RecordTable Table = DataFolder.LoadSynthetic(DataFolder.SyntheticSeed(2)).Generate(20_000);
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static int Profile(string name) => Schema.Profiles.TakeWhile(p => p.Name != name).Count();

    private int[] Assign(string name, string text) => PoliciesFile.Assign(_folder.Write(name, text), Schema, Table, Key);

    [Fact]
    public void Profile_name_holds_for_everybody() =>
        Assert.All(PoliciesFile.Assign("generous", Schema, Table, Key), p => Assert.Equal(Profile("generous"), p));

    [Fact]
    public void Shares_hold_over_persons_and_repeat_with_the_key()
    {
        const string Json = """{ "shares": { "conservative": 0.3, "balanced": 0.5, "generous": 0.2 } }""";
        int[] profiles = Assign("p.json", Json);
        Assert.Equal(profiles, Assign("p.json", Json));
        Assert.Equal(Table.PersonCount, Table.PersonIndex.Zip(profiles).Distinct().Count());
        double share = Table.PersonIndex.Zip(profiles).Distinct()
            .Count(p => p.Second == Profile("conservative")) / (double)Table.PersonCount;

        // Seven standard deviations of a share of 0.3 over the persons: 2.6e-12.
        double tolerance = 7 * Math.Sqrt(0.21 / Table.PersonCount);
        Assert.InRange(share, 0.3 - tolerance, 0.3 + tolerance);
    }

    [Fact]
    public void Choice_by_value_selects()
    {
        int[] profiles = Assign("p.json", """
            { "shares": { "generous": 1 }, "byValue": { "attribute": "diabetes", "labels": ["yes"], "shares": { "withheld": 1 } } }
            """);
        ushort[] diabetes = Table.Columns[Schema.IndexOf("diabetes")].Codes;
        HashSet<int> holders = [.. Enumerable.Range(0, Table.Count).Where(i => diabetes[i] == 1).Select(i => Table.PersonIndex[i])];
        Assert.All(Enumerable.Range(0, Table.Count), i => Assert.Equal(
            Profile(holders.Contains(Table.PersonIndex[i]) ? "withheld" : "generous"), profiles[i]));
    }

    [Fact]
    public void Lines_per_person_become_profiles_and_the_rest_is_withheld()
    {
        int[] profiles = Assign("p.csv", "person_id,profile\n1,generous\n2,conservative\n");
        Assert.All(Enumerable.Range(0, Table.Count), i => Assert.Equal(
            Table.PersonKeys[i] switch { 1 => Profile("generous"), 2 => Profile("conservative"), _ => SuppressionUnits.Withheld },
            profiles[i]));
    }

    [Fact]
    public void Own_ceilings_become_the_nearest_stricter_profile()
    {
        int[] profiles = Assign("p.csv", "person_id,low,moderate,private\n1,4,3,2\n2,6,6,2\n3,3,6,0\n");
        Dictionary<ulong, int> byPerson = Table.PersonKeys.Zip(profiles).Distinct().ToDictionary(p => p.First, p => p.Second);
        Assert.Equal((Profile("balanced"), Profile("balanced"), Profile("reserved")), (byPerson[1], byPerson[2], byPerson[3]));
    }

    [Theory]
    [InlineData("p.json", "{ \"shares\": { \"balanced\": 0.9 } }")]
    [InlineData("p.json", "{ \"shares\": { \"unknown\": 1 } }")]
    [InlineData("p.json", "{ \"shares\": { \"balanced\": 1e15 } }")]
    [InlineData("p.json", "{ \"shares\": { \"balanced\": 2, \"generous\": -1 } }")]
    [InlineData("p.json", "{ \"shares\": null }")]
    [InlineData("p.json", "{ \"share\": { \"balanced\": 1 } }")]
    [InlineData("p.json",
        "{ \"shares\": { \"balanced\": 1 }, \"byValue\": { \"attribute\": \"diabetes\", \"labels\": [\"maybe\"], \"shares\": { "
            + "\"withheld\": 1 } } }")]
    [InlineData("p.csv", "person_id,profile\n1,unknown\n")]
    [InlineData("p.csv", "person_id,profile\n01,balanced\n")]
    [InlineData("p.csv", "person_id,profile\n,balanced\n")]
    [InlineData("p.csv", "person_id,profile\n1,balanced\n1,generous\n")]
    [InlineData("p.csv", "person_id,profile\n1\n")]
    [InlineData("p.csv", "record_id,profile\n1,balanced\n")]
    [InlineData("p.csv", "person_id,low,moderate,private\n1,7,1,1\n")]
    [InlineData("p.csv", "person_id,grade\n1,1\n")]
    public void Bad_policies_are_refused(string name, string text) =>
        Assert.Equal("policies", Assert.Throws<InputException>(() => Assign(name, text)).Problems[0].Code);

    [Fact]
    public void Unknown_profile_lists_the_menu() =>
        Assert.Contains("balanced", Assert.Throws<InputException>(() => PoliciesFile.Assign("careful", Schema, Table, Key))
            .Message, StringComparison.Ordinal);
}
