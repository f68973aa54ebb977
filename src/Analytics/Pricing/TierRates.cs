using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Pricing;

/// <summary>
/// What a patient asks per unit of epsilon, by the sensitivity of the attribute (linear valuation: Ghosh and Roth 2015,
/// doi:10.1016/j.geb.2013.06.013).
/// </summary>
/// <param name="Public">Unused in practice: a Public attribute costs no epsilon.</param>
/// <param name="Low">Token units per epsilon.</param>
/// <param name="Moderate">Token units per epsilon.</param>
/// <param name="Private">Token units per epsilon.</param>
public readonly record struct TierRates(TokenAmount Public, TokenAmount Low, TokenAmount Moderate, TokenAmount Private)
{
    /// <summary>The most rates of a menu that patients choose from: few, so that a rate singles nobody out.</summary>
    public const int MaxMenu = 8;

    /// <summary>The rate of a tier.</summary>
    public TokenAmount this[Tier tier] => tier switch
    {
        Tier.Public => Public,
        Tier.Low => Low,
        Tier.Moderate => Moderate,
        _ => Private,
    };

    /// <summary>Whether no tier's rate is below the other's.</summary>
    public bool IsAtLeast(TierRates other)
        => Public >= other.Public && Low >= other.Low && Moderate >= other.Moderate && Private >= other.Private;
}
