using EmrMarket.Analytics.Pricing;

namespace EmrMarket.Analytics.Tests.Pricing;

public sealed class OfferClassesTests
{
    private static readonly OfferTerms Loose = new(
        1,
        "sex=female",
        AttributeGrades.Of([4, 4, 4]),
        AttributeGrades.Of([1, 1, 1]),
        new TierRates(new(0), new(10), new(10), new(10)),
        5,
        PurposeTree.Default.Closure([1, 7]),
        1000);

    [Fact]
    public void Offers_on_equal_terms_form_one_class()
    {
        var classes = OfferClasses.Build([.. Persons(1, 25, Loose), .. Persons(100, 30, Loose with { Site = 2 })]);
        Assert.Equal([25, 30], classes.Classes.Select(c => c.Persons));
        Assert.Equal(Enumerable.Range(0, 25), classes.Classes[0].Offers);
        Assert.Empty(classes.Withheld);
    }

    [Fact]
    public void Records_of_one_person_count_once()
    {
        var classes = OfferClasses.Build([.. Persons(1, 19, Loose), .. Persons(1, 19, Loose)]);
        Assert.Empty(classes.Classes);
        Assert.Equal(Enumerable.Range(0, 38), classes.Withheld);
        Assert.Equal(20, Assert.Single(OfferClasses.Build([.. Persons(1, 19, Loose), .. Persons(1, 20, Loose)]).Classes).Persons);
    }

    [Fact]
    public void Small_group_joins_a_stricter_class_and_never_a_looser_one()
    {
        foreach (var strict in StricterByOneField())
        {
            Assert.True(strict.IsAtLeastAsStrictAs(Loose));
            Assert.False(Loose.IsAtLeastAsStrictAs(strict));
            var joined = OfferClasses.Build([.. Persons(1, 5, Loose), .. Persons(100, 20, strict)]);
            Assert.Equal(strict, Assert.Single(joined.Classes).Terms);
            Assert.Equal(25, joined.Classes[0].Persons);

            var withheld = OfferClasses.Build([.. Persons(1, 20, Loose), .. Persons(100, 5, strict)]);
            Assert.Equal(Loose, Assert.Single(withheld.Classes).Terms);
            Assert.Equal(Enumerable.Range(20, 5), withheld.Withheld);
        }
    }

    [Fact]
    public void Small_group_never_joins_another_site_or_cell()
    {
        foreach (var other in new[] { Loose with
        {
            Site = 2, Quota = 1,
        }, Loose with { PublicCell = "sex=male", Quota = 1 }, Loose with { PublicCell = "", Quota = 1 } })
        {
            Assert.Equal(Enumerable.Range(0, 5), OfferClasses.Build([.. Persons(1, 5, Loose), .. Persons(100, 20, other)]).Withheld);
        }
    }

    [Fact]
    public void Small_groups_reach_the_least_number_together()
    {
        var stricter = Loose with { Quota = 4 };
        var strictest = Loose with { Quota = 3 };
        var classes = OfferClasses.Build([.. Persons(1, 7, Loose), .. Persons(100, 7, stricter), .. Persons(200, 7, strictest)]);
        Assert.Equal(strictest, Assert.Single(classes.Classes).Terms);
        Assert.Equal(21, classes.Classes[0].Persons);
        Assert.Empty(classes.Withheld);
    }

    [Fact]
    public void Nearest_of_two_stricter_classes_is_joined_and_spent_budget_is_spared_first()
    {
        var near = Loose with { Ceilings = AttributeGrades.Of([4, 3, 4]) };
        var far = Loose with { Ceilings = AttributeGrades.Of([1, 1, 1]) };
        var spent = Loose with { HighWater = AttributeGrades.Of([2, 1, 1]) };
        var classes = OfferClasses.Build(
            [.. Persons(1, 3, Loose), .. Persons(100, 20, far), .. Persons(200, 20, near), .. Persons(300, 20, spent)]);
        Assert.Equal(23, Assert.Single(classes.Classes, c => c.Terms == near).Persons);
    }

    [Fact]
    public void Random_batches_keep_every_promise_whatever_their_order()
    {
        for (var seed = 0; seed < 25; seed++)
        {
            var random = new Random(seed);
            OfferTerms Draw() => new(
                random.Next(1, 3),
                random.Next(2) == 0 ? "" : "a=b",
                AttributeGrades.Of([random.Next(3), random.Next(3)]),
                AttributeGrades.Of([random.Next(2)]),
                new TierRates(new(0), new((UInt128)random.Next(1, 3)), new(1), new(1)),
                random.Next(1, 3),
                PurposeTree.Default.Closure([(byte)random.Next(0, 3)]),
                random.Next(2));
            var offers = Enumerable.Range(0, 1500).Select(i => new Offer(random.Next(900), Draw())).ToList();
            var classes = OfferClasses.Build(offers);

            Assert.Equal(Enumerable.Range(0, offers.Count), classes.Classes.SelectMany(c => c.Offers).Concat(classes.Withheld).Order());
            foreach (var published in classes.Classes)
            {
                Assert.Equal(published.Persons, published.Offers.Select(i => offers[i].Person).Distinct().Count());
                Assert.True(published.Persons >= OfferClasses.MinPersons);
                Assert.All(published.Offers, i => Assert.True(published.Terms.IsAtLeastAsStrictAs(offers[i].Terms)));
            }

            Assert.Equal(classes.Classes.Count, classes.Classes.Select(c => c.Terms).Distinct().Count());
            // An offer is withheld only when no published class would have been strict enough for it.
            Assert.All(classes.Withheld, i => Assert.DoesNotContain(classes.Classes, c => c.Terms.IsAtLeastAsStrictAs(offers[i].Terms)));

            var order = Enumerable.Range(0, offers.Count).OrderBy(_ => random.Next()).ToArray();
            var shuffled = OfferClasses.Build([.. order.Select(i => offers[i])]);
            Assert.Equal(classes.Classes.Select(c => c.Terms), shuffled.Classes.Select(c => c.Terms));
            for (var k = 0; k < classes.Classes.Count; k++)
            {
                Assert.Equal(classes.Classes[k].Offers, shuffled.Classes[k].Offers.Select(i => order[i]).Order());
            }
        }
    }

    private static IEnumerable<OfferTerms> StricterByOneField() =>
    [
        Loose with { Ceilings = AttributeGrades.Of([4, 4, 3]) },
        Loose with { HighWater = AttributeGrades.Of([1, 2, 1]) },
        Loose with { Rates = Loose.Rates with { Moderate = new(11) } },
        Loose with { Quota = 4 },
        Loose with { Purposes = PurposeTree.Default.Closure([1]) },
        Loose with { ExpiresAtSeconds = 999 },
    ];

    private static IEnumerable<Offer> Persons(long first, int count, OfferTerms terms)
        => Enumerable.Range(0, count).Select(i => new Offer(first + i, terms));
}
