using System.Collections.Concurrent;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>What all mechanisms do alike: they refuse the domains that they cannot randomise, and make each ladder once.</summary>
public abstract class LadderMechanism : IMechanism
{
    // Lazily, so that attributes which ask for the same ladder at the same time do not each make it.
    private readonly ConcurrentDictionary<string, Lazy<IReportLadder>> _ladders = new(StringComparer.Ordinal);
    private readonly int _largest;

    private protected LadderMechanism(string id, string name, int largest = int.MaxValue) => (Id, Name, _largest) = (id, name, largest);

    /// <inheritdoc/>
    public string Id { get; }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public virtual bool CanRandomise(AttributeDomain domain, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(domain);
        reason = domain.Size < 2 ? "the domain has fewer than two values: there is nothing to hide, so declare it Public or leave it out"
            : domain.Size > _largest ? $"the domain has {domain.Size} values, {Id} takes at most {_largest}: use "
                + $"{(domain is GridDomain ? "a larger step" : "olh")}"
            : null;
        return reason is null;
    }

    /// <inheritdoc/>
    public IReportLadder CreateLadder(AttributeDomain domain, GradeLadder grades)
    {
        ArgumentNullException.ThrowIfNull(grades);
        if (!CanRandomise(domain, out string? reason))
        {
            throw new ArgumentException($"{Id} cannot randomise this attribute: {reason}.", nameof(domain));
        }

        (int size, int shape) = (domain.Size, ShapeOf(domain.Size));
        return _ladders.GetOrAdd(LadderUse.Of(Id, size, shape, grades), _ => new Lazy<IReportLadder>(() => Create(size, shape, grades)))
            .Value;
    }

    /// <summary>What a ladder depends on besides domain size and grades.</summary>
    private protected virtual int ShapeOf(int size) => 0;

    /// <summary>Makes the ladder.</summary>
    private protected abstract IReportLadder Create(int size, int shape, GradeLadder grades);
}
