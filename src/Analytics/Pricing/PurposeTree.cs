namespace EmrMarket.Analytics.Pricing;

/// <summary>One purpose for which records may be used.</summary>
/// <param name="Code">Its number in offers and requests.</param>
/// <param name="Parent">The purpose that it is a kind of; itself for a root.</param>
/// <param name="Title">In plain words.</param>
public sealed record Purpose(byte Code, byte Parent, string Title);

/// <summary>The purposes of a consortium, a tree: whoever admits a purpose admits every kind of it.</summary>
public sealed class PurposeTree
{
    private readonly Dictionary<byte, Purpose> _byCode = [];

    /// <summary>Checks and holds the purposes.</summary>
    /// <param name="purposes">Codes unique, parents present, no circle.</param>
    /// <exception cref="ArgumentException">The purposes are not a forest.</exception>
    public PurposeTree(IReadOnlyCollection<Purpose> purposes)
    {
        ArgumentNullException.ThrowIfNull(purposes);
        foreach (var purpose in purposes)
        {
            if (!_byCode.TryAdd(purpose.Code, purpose))
            {
                throw new ArgumentException($"Purpose {purpose.Code} is declared twice.", nameof(purposes));
            }
        }

        foreach (var purpose in purposes)
        {
            var (at, steps) = (purpose, 0);
            while (at.Parent != at.Code)
            {
                if (!_byCode.TryGetValue(at.Parent, out var parent))
                {
                    throw new ArgumentException($"Purpose {at.Code} names parent {at.Parent}, which is not declared.", nameof(purposes));
                }

                if (++steps > purposes.Count)
                {
                    throw new ArgumentException($"Purpose {purpose.Code} is its own ancestor.", nameof(purposes));
                }

                at = parent;
            }
        }
    }

    /// <summary>The purposes of docs/WIRE.md.</summary>
    public static PurposeTree Default { get; } = new(
    [
        new(0, 0, "any purpose"),
        new(1, 0, "research"),
        new(2, 1, "medical research"),
        new(3, 1, "public health and epidemiology"),
        new(4, 1, "methods and statistics"),
        new(5, 1, "education"),
        new(6, 0, "quality of care"),
        new(7, 0, "commercial development"),
        new(8, 7, "drug and device development"),
        new(9, 2, "drug and device safety"),
    ]);

    /// <summary>The purposes in order of their codes.</summary>
    public IEnumerable<Purpose> Purposes => _byCode.Values.OrderBy(static p => p.Code);

    /// <summary>Everything that admitting the given purposes admits. O(purposes * depth).</summary>
    /// <param name="admitted">Declared codes.</param>
    /// <exception cref="ArgumentException">A code is not declared.</exception>
    public PurposeSet Closure(IEnumerable<byte> admitted)
    {
        ArgumentNullException.ThrowIfNull(admitted);
        var roots = admitted.ToHashSet();
        foreach (var code in roots)
        {
            if (!_byCode.ContainsKey(code))
            {
                throw new ArgumentException(
                    $"Purpose {code} is not declared; known are {string.Join(", ", _byCode.Keys.Order())}.", nameof(admitted));
            }
        }

        var closed = PurposeSet.Empty;
        foreach (var purpose in _byCode.Values)
        {
            for (var at = purpose; ; at = _byCode[at.Parent])
            {
                if (roots.Contains(at.Code))
                {
                    closed = closed.With(purpose.Code);
                    break;
                }

                if (at.Parent == at.Code)
                {
                    break;
                }
            }
        }

        return closed;
    }
}
