using System.Security.Cryptography;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Grains.Site;

/// <summary>What a site is told when it starts. The key stays in memory and is part of no message, log or exception.</summary>
public sealed class SiteOptions
{
    /// <summary>Length of the site's key, bytes.</summary>
    public const int KeyBytes = 32;

    private readonly byte[] _key;

    /// <summary>The site's options.</summary>
    /// <param name="siteKey">The key from which pseudonyms, coins and the seeds that patients leave with the site derive, 32 bytes.</param>
    /// <param name="account">The account that posts for the site.</param>
    /// <param name="rates">The menu of rates, 1 to 8.</param>
    /// <exception cref="ArgumentException">The key has another length, or the menu is empty or too long.</exception>
    public SiteOptions(ReadOnlySpan<byte> siteKey, Address account, IReadOnlyList<TierRates> rates)
    {
        ArgumentNullException.ThrowIfNull(rates);
        if (siteKey.Length != KeyBytes || rates.Count is < 1 or > TierRates.MaxMenu)
        {
            throw new ArgumentException($"a site has a key of {KeyBytes} bytes and 1 to {TierRates.MaxMenu} rates", nameof(siteKey));
        }

        (_key, Account, Rates) = (siteKey.ToArray(), account, rates);
    }

    /// <summary>The account that posts for the site.</summary>
    public Address Account { get; }

    /// <summary>The menu of rates.</summary>
    public IReadOnlyList<TierRates> Rates { get; }

    /// <summary>Depth of every member's payout tree, in 0..16: 2^depth fresh addresses an epoch.</summary>
    public byte PayoutDepth { get; init; }

    /// <summary>The most that a person may lose over all releases.</summary>
    public EpsilonMicro Cap { get; init; } = BudgetBook.DefaultCap;

    /// <summary>Where the order of members and the salts of their leaves come from; a simulation gives its own.</summary>
    public RandomNumberGenerator Coins { get; init; } = RandomNumberGenerator.Create();

    internal ReadOnlySpan<byte> Key => _key;
}
