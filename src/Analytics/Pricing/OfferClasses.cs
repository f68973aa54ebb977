namespace EmrMarket.Analytics.Pricing;

/// <summary>One standing offer: a record of a person on some terms.</summary>
/// <param name="Person">The same for all records of a person at the site; never leaves the site.</param>
/// <param name="Terms">What the person chose, from the menus.</param>
public readonly record struct Offer(long Person, OfferTerms Terms);

/// <summary>Offers that are published as interchangeable.</summary>
/// <param name="Terms">The terms of all of them.</param>
/// <param name="Offers">Their positions in the input, rising.</param>
/// <param name="Persons">How many distinct persons stand behind them.</param>
public sealed record OfferClass(OfferTerms Terms, IReadOnlyList<int> Offers, int Persons);

/// <summary>
/// Groups the offers of a batch into the classes that are published. A class has at least 20 distinct persons. Too small a group joins
/// another whose terms are at least as strict in every field, so nobody gives away more than chosen, or is withheld. Re-evaluated at
/// batches only; publishing differences between batches would undo it.
/// </summary>
/// <param name="Classes">In canonical order.</param>
/// <param name="Withheld">Positions of the offers that are not published this time, rising.</param>
public sealed record OfferClasses(IReadOnlyList<OfferClass> Classes, IReadOnlyList<int> Withheld)
{
    /// <summary>The fewest distinct persons of a class.</summary>
    public const int MinPersons = 20;

    /// <summary>Groups a batch. O(offers + small groups * groups of the same site and cell).</summary>
    /// <param name="offers">The batch; the result depends on their terms and persons only, not on their order.</param>
    /// <param name="minPersons">The fewest distinct persons, at least 1.</param>
    public static OfferClasses Build(IReadOnlyList<Offer> offers, int minPersons = MinPersons)
    {
        ArgumentNullException.ThrowIfNull(offers);
        ArgumentOutOfRangeException.ThrowIfLessThan(minPersons, 1);
        var groups = new Dictionary<OfferTerms, Group>();
        for (var i = 0; i < offers.Count; i++)
        {
            if (!groups.TryGetValue(offers[i].Terms, out var group))
            {
                groups.Add(offers[i].Terms, group = new Group(offers[i].Terms));
            }

            group.Offers.Add(i);
            group.Persons.Add(offers[i].Person);
        }

        var withheld = new List<int>();
        var classes = new List<Group>();
        foreach (var cell in groups.Values.GroupBy(static g => (g.Terms.Site, g.Terms.PublicCell)))
        {
            // Whoever can join another group comes before it, so a group's members are complete when its turn comes.
            var ordered = cell.Order(Group.LooseFirst).ToList();
            for (var i = 0; i < ordered.Count; i++)
            {
                var group = ordered[i];
                if (group.Persons.Count >= minPersons)
                {
                    classes.Add(group);
                    continue;
                }

                var stricter = ordered.Skip(i + 1).Where(other => other.Terms.IsAtLeastAsStrictAs(group.Terms)).ToList();
                var host = stricter.Find(other => other.Persons.Count >= minPersons) ?? stricter.FirstOrDefault();
                if (host is null)
                {
                    withheld.AddRange(group.Offers);
                    continue;
                }

                host.Offers.AddRange(group.Offers);
                host.Persons.UnionWith(group.Persons);
            }
        }

        withheld = JoinPublished(offers, withheld, classes);
        return new OfferClasses(
            [.. classes.OrderBy(static g => g.Terms.Site).ThenBy(static g => g.Terms.PublicCell, StringComparer.Ordinal)
                .ThenBy(static g => g, Group.LooseFirst)
                .Select(static g => new OfferClass(g.Terms, [.. g.Offers.Order()], g.Persons.Count))],
            withheld);
    }

    /// <summary>
    /// A group may have joined one that stayed too small while another grew large enough: its offers get a second chance, one by one.
    /// </summary>
    private static List<int> JoinPublished(IReadOnlyList<Offer> offers, List<int> withheld, List<Group> classes)
    {
        var byCell = classes.Order(Group.LooseFirst).ToLookup(static g => (g.Terms.Site, g.Terms.PublicCell));
        var left = new List<int>();
        foreach (var i in withheld.Order())
        {
            var terms = offers[i].Terms;
            var host = byCell[(terms.Site, terms.PublicCell)].FirstOrDefault(g => g.Terms.IsAtLeastAsStrictAs(terms));
            if (host is null)
            {
                left.Add(i);
                continue;
            }

            host.Offers.Add(i);
            host.Persons.Add(offers[i].Person);
        }

        return left;
    }

    private sealed class Group(OfferTerms terms)
    {
        private readonly (int, int, UInt128, int, int, long) _key = Key(terms);

        /// <summary>
        /// A total order that puts every group before those that are stricter than it: each key moves one way as terms get stricter. What a
        /// move would spend for good comes first: the highest grades released can never fall again.
        /// </summary>
        public static IComparer<Group> LooseFirst { get; } = Comparer<Group>.Create(static (a, b) => a._key.CompareTo(b._key) is var order
            && order != 0
            ? order
            : TieBreak(a.Terms).CompareTo(TieBreak(b.Terms)));

        public OfferTerms Terms { get; } = terms;

        public List<int> Offers { get; } = [];

        public HashSet<long> Persons { get; } = [];

        private static (int, int, UInt128, int, int, long) Key(OfferTerms terms) => (
            terms.HighWater.Total,
            -terms.Ceilings.Total,
            checked(terms.Rates.Public.Units + terms.Rates.Low.Units + terms.Rates.Moderate.Units + terms.Rates.Private.Units),
            -terms.Quota,
            -terms.Purposes.Count,
            -terms.ExpiresAtSeconds);

        /// <summary>An order without meaning among terms that are equal by the key.</summary>
        private static ((UInt128, UInt128), (UInt128, UInt128), (UInt128, UInt128), TokenAmount, TokenAmount, TokenAmount) TieBreak(
            OfferTerms terms) => (
            (terms.HighWater.High, terms.HighWater.Low),
            (terms.Ceilings.High, terms.Ceilings.Low),
            (terms.Purposes.High, terms.Purposes.Low),
            terms.Rates.Public,
            terms.Rates.Low,
            terms.Rates.Moderate);
    }
}
