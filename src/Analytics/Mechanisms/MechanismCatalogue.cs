using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Grr;
using EmrMarket.Analytics.Mechanisms.Olh;
using EmrMarket.Analytics.Mechanisms.Oue;
using EmrMarket.Analytics.Mechanisms.Ss;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>All mechanisms, in the order in which people are shown them. One line each.</summary>
public static class MechanismCatalogue
{
    // A subset of more values is a larger report than an OLH report, for at most a few per cent less variance.
    private const int LargestSubsetDomain = 256;

    /// <summary>The mechanisms.</summary>
    public static IReadOnlyList<IMechanism> All { get; } =
        [new GrrMechanism(), new SsMechanism(), new OueMechanism(), new OlhMechanism(), new DswMechanism()];

    /// <summary>The mechanism with an id.</summary>
    /// <exception cref="ArgumentException">No mechanism has this id.</exception>
    public static IMechanism Get(string id) => All.FirstOrDefault(mechanism => string.Equals(mechanism.Id, id, StringComparison.Ordinal))
        ?? throw new ArgumentException(
            $"There is no mechanism '{id}': expected one of {string.Join(", ", All.Select(mechanism => mechanism.Id))}.", nameof(id));

    /// <summary>
    /// The mechanism that a schema means when it names none: DSW for grids; otherwise the least frequency variance at a loss among GRR, SS
    /// (up to 256 values) and OLH (above), and the simpler one where they agree to 1 %. OUE is never the least and is there for those who
    /// want independent bits.
    /// </summary>
    /// <param name="domain">The domain.</param>
    /// <param name="ceiling">The loss at which attributes of this kind are mostly sold: the tier's default ceiling.</param>
    /// <exception cref="ArgumentException">No mechanism can randomise the domain.</exception>
    public static IMechanism Default(AttributeDomain domain, EpsilonMicro ceiling)
    {
        ArgumentNullException.ThrowIfNull(domain);
        string[] candidates = domain is GridDomain ? ["dsw"] : domain.Size <= LargestSubsetDomain ? ["grr", "ss"] : ["grr", "olh"];
        var ladder = new GradeLadder([ceiling]);
        (IMechanism Mechanism, double Variance)[] choices =
        [
            .. candidates.Select(Get).Where(mechanism => mechanism.CanRandomise(domain, out _))
                .Select(mechanism => (mechanism, FrequencyVariance(mechanism.CreateLadder(domain, ladder)[1]))),
        ];
        if (choices.Length == 0)
        {
            Get(candidates[0]).CanRandomise(domain, out string? reason);
            throw new ArgumentException($"No mechanism can randomise this domain: {reason}.", nameof(domain));
        }

        double least = choices.Min(choice => choice.Variance);
        return choices.First(choice => choice.Variance <= 1.01 * least).Mechanism;
    }

    /// <summary>
    /// The variance of one report's frequency estimate for a rare value, q(1-q)/(p-q)^2 (Wang et al., USENIX Security 2017, equation 2).
    /// </summary>
    public static double FrequencyVariance(Channel channel)
    {
        ArgumentNullException.ThrowIfNull(channel);
        return channel.Q * (1 - channel.Q) / ((channel.P - channel.Q) * (channel.P - channel.Q));
    }
}
