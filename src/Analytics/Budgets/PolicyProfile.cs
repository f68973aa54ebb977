using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Budgets;

/// <summary>A choice of privacy: the highest grade that may be released, for every attribute of a schema.</summary>
public sealed class PolicyProfile
{
    private readonly int[] _ceilings;

    /// <summary>A profile with one ceiling per attribute in schema order; the entries of Public attributes are 0 and unused.</summary>
    internal PolicyProfile(string name, int[] ceilings) => (Name, _ceilings) = (name, ceilings);

    /// <summary>The name, for people.</summary>
    public string Name { get; }

    /// <summary>Per attribute in schema order the ceiling grade, 0 for withheld (and for Public attributes, which have none).</summary>
    public ReadOnlySpan<int> Ceilings => _ceilings;

    /// <summary>The ceiling grade of an attribute by its index in the schema.</summary>
    public int this[int attribute] => _ceilings[attribute];

    /// <summary>A profile from ceilings per tier, which single attributes may override.</summary>
    /// <exception cref="ArgumentException">A grade is not on the ladder, or an override names no randomised attribute.</exception>
    public static PolicyProfile Create(
        string name, IReadOnlyList<AttributeDefinition> attributes, GradeLadder grades, TierCeilings ceilings,
        IReadOnlyDictionary<string, int>? overrides = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(attributes);
        ArgumentNullException.ThrowIfNull(grades);
        ArgumentNullException.ThrowIfNull(ceilings);
        foreach ((string attribute, int _) in overrides ?? new Dictionary<string, int>())
        {
            if (!attributes.Any(a => a.Name == attribute && a.Tier != Tier.Public))
            {
                throw new ArgumentException(
                    $"Profile '{name}' sets a ceiling for '{attribute}', which is no randomised attribute of the schema.",
                    nameof(overrides));
            }
        }

        int[] result = new int[attributes.Count];
        for (int a = 0; a < attributes.Count; a++)
        {
            if (attributes[a].Tier == Tier.Public)
            {
                continue;
            }

            int ceiling = overrides is not null && overrides.TryGetValue(attributes[a].Name, out int own)
                ? own
                : ceilings[attributes[a].Tier];
            if (ceiling < 0 || ceiling > grades.Count)
            {
                throw new ArgumentException(
                    $"Profile '{name}' sets grade {ceiling} for '{attributes[a].Name}'; grades run from 0 (withheld) to {grades.Count}.",
                    nameof(ceilings));
            }

            result[a] = ceiling;
        }

        return new PolicyProfile(name, result);
    }

    /// <summary>Whether no field of this profile allows more than the same field of the other.</summary>
    public bool IsAtLeastAsStrictAs(PolicyProfile other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other._ceilings.Length != _ceilings.Length)
        {
            throw new ArgumentException("The profiles are of different schemas.", nameof(other));
        }

        for (int a = 0; a < _ceilings.Length; a++)
        {
            if (_ceilings[a] > other._ceilings[a])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// The loss of a record when everything that the profile allows has been released: the sum over attributes of their ceilings' losses.
    /// </summary>
    public EpsilonMicro TotalLoss(GradeLadder grades)
    {
        ArgumentNullException.ThrowIfNull(grades);
        EpsilonMicro total = EpsilonMicro.Zero;
        foreach (int ceiling in _ceilings)
        {
            total += grades[ceiling];
        }

        return total;
    }
}
