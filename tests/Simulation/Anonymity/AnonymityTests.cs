using System.Globalization;

namespace EmrMarket.Simulation.Anonymity;

/// <summary>Whoever has the market's database, the ledger and the wire cannot tell two patients of one class with equal records apart, by
/// any one thing or by several together; and planted leaks are found.</summary>
public sealed class AnonymityTests
{
    // What always has one order has a sum of 60; from 55 on it is no chance, see TwinTest.
    private const int Runs = 60;
    private const int LongRuns = 360;

    private static readonly Lazy<TwinViews[]> Honest = new(() => Observe(Runs, hasCoins: true));

    [Fact]
    public void Patients_with_equal_records_are_exchangeable_in_all_that_leaves_their_site()
    {
        TwinTest test = Test(Honest.Value);
        Assert.Empty(LeaksOf(test));

        // An order that no draw decides would be one more; what has one order by design has it in every run.
        Assert.Distinct(test.Draws);
        Assert.Equal(20, test.Draws.Count);
    }

    [Fact]
    [Trait("Duration", "Long")]
    public void Patients_with_equal_records_are_exchangeable_also_where_a_leak_is_rare()
    {
        TwinTest test = Test(Observe(LongRuns, hasCoins: true));
        Assert.Empty(LeaksOf(test));
    }

    [Theory]
    [InlineData("an index in the order of loading")]
    [InlineData("an amount of one's own")]
    [InlineData("an address that is used again")]
    [InlineData("the time of a withdrawal")]
    [InlineData("rows in the order of loading")]
    [InlineData("a salt of the record's key")]
    [InlineData("a salt that is used again")]
    [InlineData("claims in the order of members")]
    [InlineData("an order of loading that another order hides")]
    public void Planted_leak_is_found(string leak)
    {
        TwinViews[] runs = [.. Honest.Value.Select(run => new TwinViews(new(run.First), new(run.Second)))];
        foreach (TwinViews run in runs)
        {
            Plant(leak, run);
        }

        Assert.NotEmpty(LeaksOf(Test(runs)));
    }

    /// <summary>After a patient has taken over, the site has no key that the next epoch names, and the revocation that the patient signed
    /// is what the ledger takes.</summary>
    [Fact]
    public void Patients_with_own_seeds_command_from_the_next_epoch_on_and_their_signed_revocations_reach_the_ledger()
    {
        TwinViews run = ObservedFlow.Run(1, hasOwnSeeds: true);
        Assert.All([run.First, run.Second], twin =>
        {
            Assert.Equal("1", twin["epoch 1 is commanded by the site"]);
            Assert.Equal("0", twin["epoch 2 is commanded by the site"]);
            Assert.NotEqual(uint.MaxValue.ToString("x8", CultureInfo.InvariantCulture), twin["revocation"]);
        });
        TwinTest test = Test([run]);
        Assert.Empty(test.Unequal(IsEqual));
        Assert.Empty(test.Repeated(IsFresh));
    }

    /// <summary>Planted where it would be: in the coins of the site, through the whole flow.</summary>
    [Fact]
    public void Site_without_coins_is_found_by_the_salts_that_it_repeats() =>
        Assert.Contains(
            Test(Observe(2, hasCoins: false)).Repeated(IsFresh), salts => salts.Contains("epoch 2 salt", StringComparison.Ordinal));

    [Fact]
    [Trait("Duration", "Long")]
    public void Site_without_coins_is_found_by_the_order_of_its_members() =>
        Assert.Contains("epoch 1 position", Test(Observe(Runs, hasCoins: false)).Tellers());

    private static TwinViews[] Observe(int runs, bool hasCoins)
    {
        TwinViews[] views = new TwinViews[runs];
        Parallel.For(0, runs, seed => views[seed] = ObservedFlow.Run(seed, hasCoins));
        return views;
    }

    private static TwinTest Test(IReadOnlyList<TwinViews> runs) => new(runs, DrawOf, SourceOf);

    private static string[] LeaksOf(TwinTest test) =>
        [.. test.Tellers(), .. test.Followers(), .. test.Unequal(IsEqual), .. test.Repeated(IsFresh)];

    /// <summary>Orders that follow from each other by design: files and wire hold an epoch in the order of its members and a delivery in
    /// that of its slots, claims are sent by slot, and revocations by pseudonym.</summary>
    private static string DrawOf(string field)
    {
        string subject = field.Split(' ')[0];
        bool isPlace = field.Contains(" place in ", StringComparison.Ordinal);
        return subject == "sale" ? (isPlace || EndsWith(field, " claim", " person") ? field[..6] + " slot" : field)
            : field == "revocation" || field.EndsWith(" place in transactions", StringComparison.Ordinal) ? "epoch pseudonym"
            : field == "epoch 2 previous" || isPlace ? subject + " 1 position"
            : field;
    }

    /// <summary>One permutation of a class's members decides all that its round sells: whoever has the first slots of one request is who
    /// the next one buys. And a record's report that is sold again is the same report, with the same hash.</summary>
    private static string SourceOf(string draw) => !draw.StartsWith("sale ", StringComparison.Ordinal) ? draw
        : EndsWith(draw, " slot", " is made") ? "round" : EndsWith(draw, " reports") ? "reports" : draw;

    private static bool IsEqual(string field) => field is "revocation time" or "epoch 1 previous" or "other 1 previous" or "sale 1 is made"
        || field.Contains(" count in ", StringComparison.Ordinal) || field.Contains(" is commanded ", StringComparison.Ordinal)
        || EndsWith(field, " class", " amount", " effective");

    private static bool IsFresh(string field) => EndsWith(field, " salt", " payout root", " payee", " pseudonym", " controller");

    private static bool EndsWith(string field, params string[] ends) =>
        Array.Exists(ends, end => field.EndsWith(end, StringComparison.Ordinal));

    private static void Plant(string leak, TwinViews run)
    {
        switch (leak)
        {
            case "an index in the order of loading":
                Order(run, "epoch 2 position", isFirstSmaller: true);
                break;
            case "an amount of one's own":
                run.First["sale 1 amount"] += "1";
                break;
            case "an address that is used again":
                run.First["sale 2 payee"] = run.First["sale 1 payee"];
                break;
            case "the time of a withdrawal":
                run.Second["revocation time"] += "1";
                break;
            case "rows in the order of loading":
                Order(run, "epoch pseudonym place in market files", isFirstSmaller: true);
                break;
            case "a salt of the record's key":
                (run.First["epoch 2 salt"], run.Second["epoch 2 salt"]) = ("0xaf", "0x3c");
                break;
            case "a salt that is used again":
                run.First["epoch 2 salt"] = run.First["epoch 1 salt"];
                break;
            case "claims in the order of members":
                Order(run, "sale 1 claim", run.Order("epoch 2 position") < 0);
                break;
            default:
                Order(run, "epoch 2 position", run.Order("epoch controller") == run.Order("sale 1 payee"));
                break;
        }
    }

    private static void Order(TwinViews run, string field, bool isFirstSmaller)
    {
        string[] values = [.. new[] { run.First[field], run.Second[field] }.Order(StringComparer.Ordinal)];
        (run.First[field], run.Second[field]) = isFirstSmaller ? (values[0], values[1]) : (values[1], values[0]);
    }
}
