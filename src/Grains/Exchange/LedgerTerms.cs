using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using Demand = EmrMarket.Analytics.Pricing.RequestTerms;
using LedgerRequest = EmrMarket.Contracts.Bindings.RequestTerms;

namespace EmrMarket.Grains.Exchange;

/// <summary>Between what prices and matching speak of and what the ledger holds (docs/WIRE.md, "Grades and purposes"). Exact both
/// ways.</summary>
public static class LedgerTerms
{
    private static readonly BigInteger LowMask = (BigInteger.One << 128) - 1;

    /// <summary>Grades as packed on the ledger.</summary>
    public static BigInteger ToPacked(this AttributeGrades grades) => ((BigInteger)grades.High << 128) | grades.Low;

    /// <summary>Grades from the ledger.</summary>
    /// <exception cref="OverflowException">More than 256 bits.</exception>
    public static AttributeGrades ToGrades(this BigInteger packed) => new(checked((UInt128)(packed >> 128)), (UInt128)(packed & LowMask));

    /// <summary>Purposes as packed on the ledger.</summary>
    public static BigInteger ToPacked(this PurposeSet purposes) => ((BigInteger)purposes.High << 128) | purposes.Low;

    /// <summary>Purposes from the ledger.</summary>
    /// <exception cref="OverflowException">More than 256 bits.</exception>
    public static PurposeSet ToPurposes(this BigInteger packed) => new(checked((UInt128)(packed >> 128)), (UInt128)(packed & LowMask));

    /// <summary>A class's leaf.</summary>
    /// <param name="terms">Its terms, with the text of its public cell.</param>
    /// <param name="size">Its members.</param>
    public static ClassLeaf ToLeaf(this OfferTerms terms, int size)
    {
        ArgumentNullException.ThrowIfNull(terms);
        return new ClassLeaf(
            checked((uint)size), checked((ushort)terms.Quota), terms.Ceilings.ToPacked(), terms.HighWater.ToPacked(),
            [terms.Rates.Public.Units, terms.Rates.Low.Units, terms.Rates.Moderate.Units, terms.Rates.Private.Units],
            terms.Purposes.ToPacked(), checked((ulong)terms.ExpiresAtSeconds), BatchId.PublicCell(terms.PublicCell));
    }

    /// <summary>A class's terms as matching needs them: the cell is named by its hash, since equality is all that counts.</summary>
    public static OfferTerms ToOffer(this ClassLeaf leaf, uint site)
    {
        ArgumentNullException.ThrowIfNull(leaf);
        return new OfferTerms(
            (int)site, CellName(leaf.PublicCell), leaf.Ceilings.ToGrades(), leaf.HighWater.ToGrades(),
            new TierRates(new TokenAmount(leaf.Rates[0]), new TokenAmount(leaf.Rates[1]), new TokenAmount(leaf.Rates[2]),
                new TokenAmount(leaf.Rates[3])),
            leaf.Quota, leaf.Purposes.ToPurposes(), checked((long)leaf.ExpiresAt));
    }

    /// <summary>A request's terms as matching needs them.</summary>
    public static Demand ToDemand(this LedgerRequest terms)
    {
        ArgumentNullException.ThrowIfNull(terms);
        return new Demand(
            terms.MinimumGrades.ToGrades(), terms.TopGrades.ToGrades(), new TokenAmount(terms.Bid), CellName(terms.PublicCell),
            terms.Purpose, checked((long)terms.Deadline));
    }

    /// <summary>The schema's id on the ledger.</summary>
    public static Bytes32 LedgerId(this Schema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        return Bytes32.ParseDigits(schema.Id);
    }

    /// <summary>A schema as it is published on the ledger: tiers, the cap of a person's loss, the ladder, and Q in parts per billion by
    /// attribute, then grade.</summary>
    public static SchemaPublication ToPublication(this Schema schema, EpsilonMicro cap)
    {
        ArgumentNullException.ThrowIfNull(schema);
        QualityTable table = ReportQuality.Table(schema);
        UInt128 tiers = 0;
        for (int a = 0; a < schema.Attributes.Count; a++)
        {
            tiers |= (UInt128)(int)schema.Attributes[a].Tier << (2 * a);
        }

        return new SchemaPublication(
            schema.LedgerId(), tiers, checked((ulong)cap.Micro),
            [.. Enumerable.Range(1, schema.Grades.Count).Select(grade => checked((uint)schema.Grades[grade].Micro))],
            [.. Enumerable.Range(0, schema.Attributes.Count)
                .SelectMany(a => Enumerable.Range(1, schema.Grades.Count).Select(grade => checked((uint)table.QualityOf(a, grade))))]);
    }

    private static string CellName(Bytes32 cell) => cell == Bytes32.Zero ? "" : cell.ToString();
}

/// <summary>The arguments of <c>publishSchema</c>.</summary>
/// <param name="SchemaId">The schema's id.</param>
/// <param name="Tiers">Two bits per attribute.</param>
/// <param name="CapMicro">The most that a person may lose, micro-epsilon.</param>
/// <param name="LadderMicro">The grades' losses, micro-epsilon.</param>
/// <param name="Quality">Q in ppb by attribute, then grade.</param>
public sealed record SchemaPublication(Bytes32 SchemaId, UInt128 Tiers, ulong CapMicro, uint[] LadderMicro, uint[] Quality);
