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

/// <summary>The rates that patients choose from. Few, so that a rate singles nobody out.</summary>
public sealed class RateMenu
{
    /// <summary>The most rates of a menu.</summary>
    public const int MaxRates = 8;

    /// <summary>Checks and holds a menu.</summary>
    /// <param name="rates">1 to 8, strictly rising.</param>
    /// <exception cref="ArgumentException">The rates are too many, none, or not strictly rising.</exception>
    public RateMenu(IReadOnlyList<TokenAmount> rates)
    {
        ArgumentNullException.ThrowIfNull(rates);
        if (rates.Count is < 1 or > MaxRates || rates.Zip(rates.Skip(1)).Any(static pair => pair.First >= pair.Second))
        {
            throw new ArgumentException(
                $"A menu has 1 to {MaxRates} strictly rising rates, got [{string.Join(", ", rates)}].", nameof(rates));
        }

        Rates = [.. rates];
    }

    /// <summary>Rising.</summary>
    public IReadOnlyList<TokenAmount> Rates { get; }

    /// <summary>
    /// The lowest rate of the menu that is not below what a patient wants; null when the patient wants more than any, and is then withheld.
    /// </summary>
    public TokenAmount? AtLeast(TokenAmount wanted)
    {
        foreach (var rate in Rates)
        {
            if (rate >= wanted)
            {
                return rate;
            }
        }

        return null;
    }
}
