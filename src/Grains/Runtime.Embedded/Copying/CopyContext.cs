using System.Diagnostics.CodeAnalysis;

namespace EmrMarket.Grains.Embedded.Copying;

/// <summary>What was copied already in one message, so that shared references stay shared and cycles end.</summary>
internal sealed class CopyContext
{
    // A map that one huge message has grown is dropped: clearing it would cost every later message its size.
    private const int LargestKeptCount = 1024;

    [ThreadStatic]
    private static CopyContext? s_free;

    private Dictionary<object, object> _copies = new(ReferenceEqualityComparer.Instance);

    internal static CopyContext Rent()
    {
        var context = s_free ?? new CopyContext();
        s_free = null;
        return context;
    }

    internal void Return()
    {
        if (_copies.Count > LargestKeptCount)
        {
            _copies = new(ReferenceEqualityComparer.Instance);
        }
        else if (_copies.Count > 0)
        {
            _copies.Clear();
        }

        s_free = this;
    }

    internal bool TryGet<T>(T original, [NotNullWhen(true)] out T? copy)
        where T : class
    {
        if (_copies.Count > 0 && _copies.TryGetValue(original, out var known))
        {
            copy = (T)known;
            return true;
        }

        copy = null;
        return false;
    }

    internal void Record(object original, object copy) => _copies[original] = copy;
}
