using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Grr;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>All mechanisms, in the order in which people are shown them. One line each.</summary>
public static class MechanismCatalogue
{
    /// <summary>The mechanisms.</summary>
    public static IReadOnlyList<IMechanism> All { get; } = [new GrrMechanism(), new DswMechanism()];

    /// <summary>The mechanism with an id.</summary>
    /// <exception cref="ArgumentException">No mechanism has this id.</exception>
    public static IMechanism Get(string id) => All.FirstOrDefault(mechanism => string.Equals(mechanism.Id, id, StringComparison.Ordinal))
        ?? throw new ArgumentException($"There is no mechanism '{id}': expected one of {string.Join(", ", All.Select(mechanism => mechanism.Id))}.", nameof(id));

    /// <summary>The mechanism that a schema means when it names none: DSW for grids, otherwise the least frequency variance at a loss.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="ceiling">The loss at which attributes of this kind are mostly sold: the tier's default ceiling.</param>
    /// <exception cref="ArgumentException">No mechanism can randomise the domain.</exception>
    public static IMechanism Default(AttributeDomain domain, EpsilonMicro ceiling)
    {
        if (domain is GridDomain)
        {
            return Get("dsw");
        }

        var ladder = new GradeLadder([ceiling]);
        return All.Where(mechanism => mechanism is not DswMechanism && mechanism.CanRandomise(domain, out _))
            .MinBy(mechanism => FrequencyVariance(mechanism.CreateLadder(domain, ladder)[1]))
            ?? throw new ArgumentException("No mechanism can randomise this domain: it has fewer than two values.", nameof(domain));
    }

    /// <summary>The variance of one report's frequency estimate for a rare value, q(1-q)/(p-q)^2 (Wang et al., USENIX Security 2017, equation 2).</summary>
    public static double FrequencyVariance(Channel channel)
    {
        ArgumentNullException.ThrowIfNull(channel);
        return channel.Q * (1 - channel.Q) / ((channel.P - channel.Q) * (channel.P - channel.Q));
    }
}
