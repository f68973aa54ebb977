using System.Globalization;
using System.Numerics;
using System.Text.Json;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Matching;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using FsCheck;
using FsCheck.Fluent;

namespace EmrMarket.Analytics.Tests.Pricing;

public sealed class PriceRulesTests
{
    private static readonly JsonElement Vectors = JsonDocument.Parse(
        File.ReadAllText(Path.Combine(Tools.RepositoryRoot, "docs", "vectors", "rounding.json"))).RootElement;

    private static readonly QualityTable Table = ReadTable(Vectors.GetProperty("schema"));

    /// <summary>2^96 less one is the highest rate of the ledger; asks of it are far above 64 bits.</summary>
    [Fact]
    public void Ask_beyond_the_matrix_is_its_limit()
    {
        TokenAmount highest = new((UInt128.One << 96) - 1);
        OfferTerms offer = new(
            1, "", AttributeGrades.Of(Enumerable.Repeat(1, Table.Attributes).ToArray()), default,
            new TierRates(highest, highest, highest, highest), 1, PurposeTree.Default.Closure([0]), 0);
        AttributeGrades grades = AttributeGrades.Of(Enumerable.Repeat(1, Table.Attributes).ToArray());
        RequestTerms request = new(grades, grades, new TokenAmount(1), "", 2, 0);
        Assert.Equal(WeightMatrix.Limit, PriceRules.Asks(Table, [offer], [request])[0, 0]);
        Assert.Equal(-WeightMatrix.Limit, PriceRules.Weights(Table, [offer], [request])[0, 0]);
    }

    public static TheoryData<int> Quotes => [.. Enumerable.Range(0, Vectors.GetProperty("quotes").GetArrayLength())];

    [Theory]
    [MemberData(nameof(Quotes))]
    public void Prices_equal_the_ledgers_vectors(int index)
    {
        var quote = Vectors.GetProperty("quotes")[index];
        var offer = new OfferTerms(
            1,
            "",
            Grades(quote, "ceilings"),
            default,
            new TierRates(Amount(quote.GetProperty("rates")[0]), Amount(
                quote.GetProperty("rates")[1]), Amount(quote.GetProperty("rates")[2]), Amount(quote.GetProperty("rates")[3])),
            1,
            PurposeTree.Default.Closure([0]),
            0);
        var request = new RequestTerms(
            Grades(quote, "minimumGrades"), Grades(quote, "topGrades"), Amount(quote.GetProperty("bid")), "", 2, 0);

        var price = PriceRules.Price(Table, offer, request);
        Assert.Equal(quote.GetProperty("admissible").GetBoolean(), price.Obstacle == Obstacle.None);
        Assert.Equal(Number(quote, "ask"), (BigInteger)price.Ask.Units);
        Assert.Equal(Number(quote, "score"), price.ScorePpb);
        Assert.Equal(Number(quote, "value"), (BigInteger)price.Value.Units);
        Assert.Equal(Number(quote, "weight"), (BigInteger)price.Weight);

        var premium = Amount(quote.GetProperty("premium"));
        if (Number(quote, "payment") < BigInteger.Pow(2, 128))
        {
            Assert.Equal(Number(quote, "payment"), (BigInteger)price.Payment(premium).Units);
        }
        else
        {
            Assert.Throws<OverflowException>(() => price.Payment(premium));
        }

        var maxScore = PriceRules.MaxScorePpb(Table, request.Minimum, request.Top);
        Assert.Equal(Number(quote, "maximumScore"), maxScore);
        Assert.Equal(
            Number(quote, "capacity"),
            PriceRules.Capacity((long)Number(quote, "targetRecords"), Amount(quote.GetProperty("budget")), request.Bid, maxScore, Amount(
                quote.GetProperty("relayFee"))));
    }

    [Fact]
    public void Ask_is_the_ceiling_of_the_exact_product()
        => Prop.ForAll(
            ArbMap.Default.ArbFor<ulong>(),
            ArbMap.Default.ArbFor<uint>(),
            (rate, micro) => (BigInteger)PriceRules.Ask(new TokenAmount(rate), new EpsilonMicro(micro))
                .Units == ((new BigInteger(rate) * micro) + 999_999) / 1_000_000)
            .QuickCheckThrowOnFailure();

    [Fact]
    public void Ask_is_exact_where_the_fast_path_ends()
    {
        foreach (var rate in new UInt128[] { 0, 1, uint.MaxValue, (UInt128)uint.MaxValue + 1, ulong.MaxValue, (UInt128.One << 96) - 1 })
        {
            foreach (var micro in new[] { 0L, 1, 250_000, 999_999, 1_000_000, 4_000_000, uint.MaxValue, uint.MaxValue + 1L })
            {
                Assert.Equal(
                    (((BigInteger)rate * micro) + 999_999) / 1_000_000,
                    (BigInteger)PriceRules.Ask(new TokenAmount(rate), new EpsilonMicro(micro)).Units);
            }
        }

        Assert.Throws<OverflowException>(() => PriceRules.Ask(new TokenAmount(UInt128.MaxValue), new EpsilonMicro(2)));
    }

    [Fact]
    public void Value_is_the_floor_of_the_exact_product()
        => Prop.ForAll(
            ArbMap.Default.ArbFor<ulong>(),
            ArbMap.Default.ArbFor<uint>(),
            ArbMap.Default.ArbFor<ulong>(),
            (high, low, score) =>
            {
                var (bid, scorePpb) = (((UInt128)(uint)high << 64) | low, (long)(score % (64UL * 1_000_000_000)));
                return (BigInteger)PriceRules.Value(new TokenAmount(bid), scorePpb).Units == (BigInteger)bid * scorePpb / 1_000_000_000;
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void Round_never_spends_more_than_the_budget()
        => Prop.ForAll(
            ArbMap.Default.ArbFor<uint>(),
            ArbMap.Default.ArbFor<ulong>(),
            ArbMap.Default.ArbFor<uint>(),
            (bid, budget, fee) =>
            {
                const long maxScore = 1_349_887_194;
                var n = PriceRules.Capacity(int.MaxValue, new TokenAmount(budget), new TokenAmount(bid), maxScore, new TokenAmount(fee));
                var most = (BigInteger)PriceRules.Value(new TokenAmount(bid), maxScore).Units + fee;
                return (n * most <= budget || most == 0) && (n == int.MaxValue || (n + 1) * most > budget);
            }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(Obstacle.None, 2, 100, "")]
    [InlineData(Obstacle.None, 2, 100, "sex=female")]
    [InlineData(Obstacle.Purpose, 7, 100, "")]
    [InlineData(Obstacle.Expiry, 2, 101, "")]
    [InlineData(Obstacle.Cell, 2, 100, "sex=male")]
    public void Admissibility_tests_purpose_expiry_and_cell(Obstacle expected, byte purpose, long deadline, string cell)
    {
        var offer = Offer("sex=female", AttributeGrades.Of([1, 2, 3]));
        var request = new RequestTerms(
            AttributeGrades.Of([0, 2, 1]), AttributeGrades.Of([0, 3, 2]), new TokenAmount(1_000_000), cell, purpose, deadline);
        Assert.Equal(expected, PriceRules.Price(Table, offer, request).Obstacle);
    }

    [Fact]
    public void Grade_delivered_is_the_lower_of_ceiling_and_top_and_below_minimum_is_refused()
    {
        var request = new RequestTerms(AttributeGrades.Of([0, 2, 1]), AttributeGrades.Of([0, 3, 2]), new TokenAmount(1_000_000), "", 2, 0);
        var served = PriceRules.Price(Table, Offer("", AttributeGrades.Of([0, 2, 6])), request);
        Assert.Equal(Table.QualityOf(1, 2) + Table.QualityOf(2, 2), served.ScorePpb);
        Assert.Equal(Obstacle.Grade, PriceRules.Price(Table, Offer("", AttributeGrades.Of([0, 1, 6])), request).Obstacle);
        Assert.Equal(Obstacle.Grade, PriceRules.Price(Table, Offer("", AttributeGrades.Of([0, 2, 0])), request).Obstacle);
    }

    [Fact]
    public void Weights_hold_the_price_of_every_pair()
    {
        OfferTerms[] classes = [Offer("", AttributeGrades.Of([0, 2, 6])), Offer("a=b", AttributeGrades.Of([0, 1, 6])), Offer(
            "a=b", AttributeGrades.Of([1, 6, 6]))];
        RequestTerms[] requests =
        [
            new(AttributeGrades.Of([0, 2, 1]), AttributeGrades.Of([0, 3, 2]), new TokenAmount(1_000_000), "", 2, 0),
            new(AttributeGrades.Of([0, 1]), AttributeGrades.Of([0, 1]), new TokenAmount((UInt128.One << 96) - 1), "a=c", 2, 0),
        ];
        var weights = PriceRules.Weights(Table, classes, requests);
        for (var c = 0; c < 3; c++)
        {
            for (var j = 0; j < 2; j++)
            {
                var price = PriceRules.Price(Table, classes[c], requests[j]);
                Assert.Equal(price.Obstacle == Obstacle.None ? (long)price.Weight : WeightMatrix.Inadmissible, weights[c, j]);
            }
        }
    }

    [Theory]
    [InlineData(new[] { 0, 3 }, new[] { 0, 2 })]
    [InlineData(new[] { 0, 0 }, new[] { 0, 2 })]
    [InlineData(new[] { 0, 1 }, new[] { 0, 0 })]
    [InlineData(new[] { 0, 1 }, new[] { 0, 7 })]
    [InlineData(new[] { 0, 0, 0, 0, 0, 1 }, new[] { 0, 0, 0, 0, 0, 1 })]
    public void Requests_beyond_the_schema_are_refused(int[] minimum, int[] top)
        => Assert.Throws<ArgumentException>(() => PriceRules.Weights(
            Table, [Offer("", AttributeGrades.Of([6, 6]))],
            [new(AttributeGrades.Of(minimum), AttributeGrades.Of(top), new TokenAmount(1), "", 2, 0)]));

    [Fact]
    public void Amounts_outside_128_bits_throw()
    {
        Assert.Throws<OverflowException>(() => new TokenAmount(UInt128.MaxValue) + new TokenAmount(1));
        Assert.Throws<OverflowException>(() => TokenAmount.Zero - new TokenAmount(1));
        Assert.Throws<OverflowException>(() => new TokenAmount(5) * -1);
        Assert.Throws<OverflowException>(() => new TokenAmount(UInt128.MaxValue / 2) * 3);
    }

    private static OfferTerms Offer(string cell, AttributeGrades ceilings)
        => new(1, cell, ceilings, default, new TierRates(new(1), new(20), new(30), new(40)), 1, PurposeTree.Default.Closure([1]), 100);

    private static QualityTable ReadTable(JsonElement schema)
    {
        var tiers = ulong.Parse(schema.GetProperty("tiers").GetString()!, CultureInfo.InvariantCulture);
        var ladder = new GradeLadder([.. schema.GetProperty("ladderMicro").EnumerateArray().Select(e => new EpsilonMicro(e.GetInt64()))]);
        return new QualityTable(
            [.. Enumerable.Range(0, schema.GetProperty("attributes").GetInt32()).Select(a => (Tier)((tiers >> (2 * a)) & 3))],
            ladder,
            [.. schema.GetProperty("quality").EnumerateArray().Select(e => e.GetInt64())]);
    }

    private static BigInteger Number(JsonElement parent, string name) =>
        BigInteger.Parse(parent.GetProperty(name).GetString()!, CultureInfo.InvariantCulture);

    private static TokenAmount Amount(JsonElement text) => new(UInt128.Parse(text.GetString()!, CultureInfo.InvariantCulture));

    private static AttributeGrades Grades(JsonElement parent, string name)
    {
        var packed = Number(parent, name);
        return new AttributeGrades((UInt128)(packed >> 128), (UInt128)(packed & (BigInteger)UInt128.MaxValue));
    }
}
