namespace EmrMarket.Analytics.Pricing;

/// <summary>What all offers of a class have in common: every field by which one could tell two offers apart.</summary>
/// <param name="Site">The site's number.</param>
/// <param name="PublicCell">The filterable cell as <c>attribute=value</c>, several joined by <c>&amp;</c> in schema order; empty for
/// none.</param>
/// <param name="Ceilings">The highest grades allowed; a Public attribute is released when its ceiling is not 0.</param>
/// <param name="HighWater">The highest grades released so far.</param>
/// <param name="Rates">What the patient asks.</param>
/// <param name="Quota">Sales per record and round, at least 1.</param>
/// <param name="Purposes">Closed under kinds (<see cref="PurposeTree.Closure"/>).</param>
/// <param name="ExpiresAtSeconds">Unix seconds; no request with a later deadline is served.</param>
public sealed record OfferTerms(
    int Site,
    string PublicCell,
    AttributeGrades Ceilings,
    AttributeGrades HighWater,
    TierRates Rates,
    int Quota,
    PurposeSet Purposes,
    long ExpiresAtSeconds)
{
    /// <summary>
    /// Whether an offer on these terms gives away no more in any field than one on the other terms, at the same site and cell.
    /// </summary>
    public bool IsAtLeastAsStrictAs(OfferTerms other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Site == other.Site && string.Equals(PublicCell, other.PublicCell, StringComparison.Ordinal)
            && Ceilings.IsAtMost(other.Ceilings) && other.HighWater.IsAtMost(HighWater) && Rates.IsAtLeast(other.Rates)
            && Quota <= other.Quota && Purposes.IsSubsetOf(other.Purposes) && ExpiresAtSeconds <= other.ExpiresAtSeconds;
    }
}

/// <summary>What a researcher asks for, as far as matching is concerned.</summary>
/// <param name="Minimum">Per attribute the lowest grade accepted; 0 when not requested.</param>
/// <param name="Top">Per attribute the grade delivered by everybody who allows it, at least the lowest; 0 when not requested.</param>
/// <param name="Bid">Token units per effective record.</param>
/// <param name="PublicCell">The cell wanted, empty for any.</param>
/// <param name="Purpose">One code.</param>
/// <param name="DeadlineSeconds">Unix seconds.</param>
public sealed record RequestTerms(
    AttributeGrades Minimum, AttributeGrades Top, TokenAmount Bid, string PublicCell, byte Purpose, long DeadlineSeconds);
