using System.Collections.Concurrent;
using System.Reflection;

namespace EmrMarket.Simulation.Market;

/// <summary>A store as it is now, apart from what becomes of it: its collections are copied, and rows, which nobody changes, are
/// shared.</summary>
internal static class StoreCopy
{
    private const BindingFlags OfAnInstance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly Dictionary<Type, string> Collections = new()
    {
        [typeof(Dictionary<,>)] = nameof(Dictionary), [typeof(SortedDictionary<,>)] = nameof(SortedDictionary),
        [typeof(SortedList<,>)] = nameof(SortedList), [typeof(ConcurrentDictionary<,>)] = nameof(ConcurrentDictionary),
        [typeof(List<>)] = nameof(List), [typeof(HashSet<>)] = nameof(HashSet),
    };

    public static T Of<T>(T store)
        where T : class => (T)Any(store)!;

    private static object? Any(object? value)
    {
        if (value?.GetType() is not { IsValueType: false } type || value is string or Array or Lock
            || type.GetMethod("<Clone>$", OfAnInstance) is not null)
        {
            return value;
        }

        if (type.IsGenericType && Collections.TryGetValue(type.GetGenericTypeDefinition(), out string? name))
        {
            return typeof(StoreCopy).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!
                .MakeGenericMethod(type.GetGenericArguments()).Invoke(null, [value]);
        }

        if (type.Namespace?.StartsWith("EmrMarket", StringComparison.Ordinal) != true)
        {
            return value;
        }

        object copy = typeof(object).GetMethod("MemberwiseClone", BindingFlags.Instance | BindingFlags.NonPublic)!.Invoke(value, null)!;
        foreach (FieldInfo field in type.GetFields(OfAnInstance))
        {
            field.SetValue(copy, Any(field.GetValue(value)));
        }

        return copy;
    }

    private static Dictionary<TKey, TValue> Dictionary<TKey, TValue>(Dictionary<TKey, TValue> from)
        where TKey : notnull => from.ToDictionary(pair => pair.Key, pair => (TValue)Any(pair.Value)!, from.Comparer);

    private static SortedDictionary<TKey, TValue> SortedDictionary<TKey, TValue>(SortedDictionary<TKey, TValue> from)
        where TKey : notnull =>
        new(from.ToDictionary(pair => pair.Key, pair => (TValue)Any(pair.Value)!), from.Comparer);

    private static SortedList<TKey, TValue> SortedList<TKey, TValue>(SortedList<TKey, TValue> from)
        where TKey : notnull =>
        new(from.ToDictionary(pair => pair.Key, pair => (TValue)Any(pair.Value)!), from.Comparer);

    private static ConcurrentDictionary<TKey, TValue> ConcurrentDictionary<TKey, TValue>(ConcurrentDictionary<TKey, TValue> from)
        where TKey : notnull => new(from.Select(pair => KeyValuePair.Create(pair.Key, (TValue)Any(pair.Value)!)), from.Comparer);

    private static List<T> List<T>(List<T> from) => [.. from.Select(one => (T)Any(one)!)];

    private static HashSet<T> HashSet<T>(HashSet<T> from) => new(from, from.Comparer);
}
