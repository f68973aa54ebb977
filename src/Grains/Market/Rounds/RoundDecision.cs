using System.Diagnostics;
using EmrMarket.Analytics.Matching;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Grains.Exchange;
using Demand = EmrMarket.Analytics.Pricing.RequestTerms;
using LedgerSale = EmrMarket.Contracts.Batches.Sale;
using LedgerTermsRow = EmrMarket.Contracts.Bindings.RequestTerms;

namespace EmrMarket.Grains.Market.Rounds;

/// <summary>A site's classes in the epoch that a round sells.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="Classes">Its class leaves by index.</param>
public sealed record RoundSupply(EpochReference Epoch, IReadOnlyList<ClassLeaf> Classes);

/// <summary>A request of the book.</summary>
/// <param name="RequestId">Its id on the ledger.</param>
/// <param name="Terms">Its terms on the ledger.</param>
/// <param name="Capacity">N, as the contract computed it.</param>
/// <param name="Cancelled">Whether it was withdrawn while the book was open; it keeps its index and gets nothing.</param>
public sealed record RoundDemand(ulong RequestId, LedgerTermsRow Terms, uint Capacity, bool Cancelled);

/// <summary>
/// One round as a problem and back: classes by site and index, requests by their index in the book. A pure function of what the ledger
/// fixed, so the market, the sites and every auditor get the same one.
/// </summary>
public sealed class RoundDecision
{
    private readonly (uint Site, uint Index, ClassLeaf Leaf)[] _classes;

    // A round needs the weights alone; only who compares matchings asks for the asks.
    private readonly Lazy<WeightMatrix> _asks;

    private RoundDecision(QualityTable table, IReadOnlyList<RoundSupply> supply, IReadOnlyList<RoundDemand> demand)
    {
        long started = Stopwatch.GetTimestamp();
        (Supply, Demand) = ([.. supply.OrderBy(s => s.Epoch.Site)], demand);
        _classes = [.. Supply.SelectMany(s => s.Classes.Select((leaf, index) => (s.Epoch.Site, (uint)index, leaf)))];
        OfferTerms[] offers = [.. _classes.Select(c => c.Leaf.ToOffer(c.Site))];
        Demand?[] demands = [.. demand.Select(d => d.Cancelled ? null : d.Terms.ToDemand())];
        Problem = new MatchProblem(
            [.. _classes.Select(c => new ClassSupply(checked((int)c.Leaf.Size), c.Leaf.Quota))],
            [.. demand.Select(d => new RequestDemand(checked((long)d.RequestId), d.Capacity, d.Cancelled ? 0 : d.Terms.MinimumRecords))],
            PriceRules.Weights(table, offers, demands));
        _asks = new Lazy<WeightMatrix>(() => PriceRules.Asks(table, offers, demands));
        ProblemTime = Stopwatch.GetElapsedTime(started);
    }

    /// <summary>The classes by rising site.</summary>
    public IReadOnlyList<RoundSupply> Supply { get; }

    /// <summary>The requests by index.</summary>
    public IReadOnlyList<RoundDemand> Demand { get; }

    /// <summary>The problem.</summary>
    public MatchProblem Problem { get; }

    /// <summary>What each class asks of each request per record, token units; <see cref="WeightMatrix.Inadmissible"/> where the pair may
    /// not trade.</summary>
    public WeightMatrix Asks => _asks.Value;

    /// <summary>How long setting it up took.</summary>
    public TimeSpan ProblemTime { get; }

    /// <summary>Sets up the problem.</summary>
    /// <param name="table">The schema's quality table.</param>
    /// <param name="supply">The final epochs at the closing of the book.</param>
    /// <param name="demand">The book's requests by index.</param>
    /// <exception cref="ArgumentException">A request asks for what the schema does not have.</exception>
    public static RoundDecision Of(QualityTable table, IReadOnlyList<RoundSupply> supply, IReadOnlyList<RoundDemand> demand)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(supply);
        ArgumentNullException.ThrowIfNull(demand);
        return new RoundDecision(table, supply, demand);
    }

    /// <summary>The file of an outcome.</summary>
    /// <param name="outcome">The match.</param>
    /// <param name="schemaId">The schema.</param>
    /// <param name="ordinal">The book.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="seedCommit">keccak of the reveal.</param>
    /// <param name="siteBits">Bits of a position that number the site, as in the round's header.</param>
    /// <param name="classBits">Bits of a position that number the class, as in the round's header.</param>
    public RoundFile ToFile(
        MatchOutcome outcome, Bytes32 schemaId, uint ordinal, uint attempt, Bytes32 seedCommit, byte siteBits, byte classBits)
    {
        ArgumentNullException.ThrowIfNull(outcome);
        RoundFile shape = new()
        {
            SchemaId = schemaId,
            Ordinal = ordinal,
            Attempt = attempt,
            SiteBits = siteBits,
            ClassBits = classBits,
            RequestBits = (byte)SumTree.DepthFor(Demand.Count),
            SeedCommit = seedCommit,
            Epochs = [.. Supply.Select(s => s.Epoch)],
            RequestIds = [.. Demand.Select(d => d.RequestId)],
            Prices = [],
            Requests = [.. outcome.Requests.Select(r => new RequestLeaf((UInt128)r.Surplus, r.Dropped))],
            Sales = [],
        };
        return shape with
        {
            Prices =
            [
                .. outcome.Classes.Select((premium, c) => (premium, c)).Where(pair => pair.premium.Premium > 0)
                .Select(pair => new PricedClass(
                    Position(shape, pair.c),
                    new PriceLeaf(
                        (UInt128)pair.premium.Premium, (uint)pair.premium.SupportRequest,
                        pair.premium.SupportClass < 0 ? 0 : Position(shape, pair.premium.SupportClass),
                        (uint)pair.premium.Rank))),
            ],
            Sales = [.. outcome.SalesByClass.Select(
                sale => new LedgerSale(Position(shape, sale.ClassIndex), (uint)sale.RequestIndex, (uint)sale.Records))],
        };
    }

    /// <summary>The outcome that a file claims, for the independent verifier.</summary>
    /// <exception cref="ExchangeFileException">It sells or prices a class that no epoch has.</exception>
    public MatchOutcome ToOutcome(RoundFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        Dictionary<uint, int> byPosition = Enumerable.Range(0, _classes.Length).ToDictionary(c => Position(file, c));
        int ClassOf(uint position) => byPosition.TryGetValue(position, out int c)
            ? c
            : throw new ExchangeFileException(
                "round-phantom", $"round {file.Ordinal} names class position {position}, which no final epoch has");

        ClassPremium[] premiums = new ClassPremium[_classes.Length];
        Array.Fill(premiums, ClassPremium.None);
        foreach ((uint position, PriceLeaf leaf) in file.Prices)
        {
            premiums[ClassOf(position)] = new ClassPremium(
                leaf.Premium > (UInt128)WeightMatrix.Limit ? long.MaxValue : (long)leaf.Premium, checked((int)leaf.SupportRequest),
                byPosition.GetValueOrDefault(leaf.SupportClass, -1), checked((int)leaf.Rank));
        }

        Sale[] sales = [.. file.Sales.Select(sale => new Sale(ClassOf(sale.Class), (int)sale.Request, checked((int)sale.Quantity)))];
        return new MatchOutcome(
            premiums,
            [.. file.Requests.Select(
                r => new RequestSurplus(r.Surplus > (UInt128)WeightMatrix.Limit ? long.MaxValue : (long)r.Surplus, r.Dropped))],
            sales, [.. sales.OrderBy(s => s.RequestIndex).ThenBy(s => s.ClassIndex)]);
    }

    private uint Position(RoundFile shape, int c) => shape.Position(_classes[c].Site, _classes[c].Index);
}
