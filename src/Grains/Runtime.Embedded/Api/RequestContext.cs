namespace Orleans.Runtime;

/// <summary>Named values that travel with a call and with the calls it makes in turn. Values set in a callee do not come back.</summary>
public static class RequestContext
{
    // The dictionary is never changed once it is in the slot, since slots are shared by every flow that branched off.
    private static readonly AsyncLocal<Dictionary<string, object>?> Slot = new();

    internal static Dictionary<string, object>? Values
    {
        get => Slot.Value;
        set
        {
            if (!ReferenceEquals(Slot.Value, value))
            {
                Slot.Value = value;
            }
        }
    }

    /// <summary>The names in use.</summary>
    public static IEnumerable<string> Keys => Values?.Keys ?? Enumerable.Empty<string>();

    /// <summary>The names and values in use.</summary>
    public static IEnumerable<KeyValuePair<string, object>> Entries => Values ?? Enumerable.Empty<KeyValuePair<string, object>>();

    /// <summary>The value under a name, or null.</summary>
    public static object? Get(string key) => Values is { } values && values.TryGetValue(key, out var value) ? value : null;

    /// <summary>Sets a value for this flow and the calls that it makes from here on. The value is copied into each call.</summary>
    public static void Set(string key, object value)
    {
        ArgumentNullException.ThrowIfNull(key);
        Values = Values is { } values ? new(values, StringComparer.Ordinal)
        {
            [key] = value,
        } : new(StringComparer.Ordinal) { [key] = value };
    }

    /// <summary>Removes a value; false when there was none.</summary>
    public static bool Remove(string key)
    {
        if (Values is not { } values || !values.ContainsKey(key))
        {
            return false;
        }

        var rest = new Dictionary<string, object>(values, StringComparer.Ordinal);
        rest.Remove(key);
        Values = rest.Count == 0 ? null : rest;
        return true;
    }

    /// <summary>Removes every value.</summary>
    public static void Clear() => Values = null;
}
