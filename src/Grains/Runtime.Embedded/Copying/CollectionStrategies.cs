using System.Runtime.InteropServices;
using Orleans.Serialization;

namespace EmrMarket.Grains.Embedded.Copying;

internal sealed class ArrayStrategy<TItem> : CopyStrategy<TItem[]>
{
    internal override TItem[] Copy(TItem[] value, CopyContext context)
    {
        if (value.Length == 0)
        {
            return value;
        }

        if (value.GetType() != typeof(TItem[]))
        {
            return (TItem[])DeepCopy.CopyUntyped(value, context)!;
        }

        if (context.TryGet(value, out var known))
        {
            return known;
        }

        var copy = (TItem[])value.Clone();
        context.Record(value, copy);
        ItemsOf<TItem>.Replace(copy, context);
        return copy;
    }
}

internal sealed class ListStrategy<TItem> : CopyStrategy<List<TItem>>
{
    internal override List<TItem> Copy(List<TItem> value, CopyContext context)
    {
        if (context.TryGet(value, out var known))
        {
            return known;
        }

        Exactly.Of(value, typeof(List<TItem>));
        var copy = new List<TItem>(value);
        context.Record(value, copy);
        ItemsOf<TItem>.Replace(CollectionsMarshal.AsSpan(copy), context);
        return copy;
    }
}

internal sealed class DictionaryStrategy<TKey, TValue> : CopyStrategy<Dictionary<TKey, TValue>>
    where TKey : notnull
{
    internal override Dictionary<TKey, TValue> Copy(Dictionary<TKey, TValue> value, CopyContext context)
    {
        if (context.TryGet(value, out var known))
        {
            return known;
        }

        Exactly.Of(value, typeof(Dictionary<TKey, TValue>));
        var copy = new Dictionary<TKey, TValue>(value.Count, value.Comparer);
        context.Record(value, copy);
        foreach (var (key, item) in value)
        {
            copy.Add(Copier<TKey>.Copy(key, context), Copier<TValue>.Copy(item, context));
        }

        return copy;
    }
}

internal sealed class HashSetStrategy<TItem> : CopyStrategy<HashSet<TItem>>
{
    internal override HashSet<TItem> Copy(HashSet<TItem> value, CopyContext context)
    {
        if (context.TryGet(value, out var known))
        {
            return known;
        }

        Exactly.Of(value, typeof(HashSet<TItem>));
        var copy = new HashSet<TItem>(value.Count, value.Comparer);
        context.Record(value, copy);
        foreach (var item in value)
        {
            copy.Add(Copier<TItem>.Copy(item, context));
        }

        return copy;
    }
}

internal sealed class NullableStrategy<TValue> : CopyStrategy<TValue?>
    where TValue : struct
{
    internal override TValue? Copy(TValue? value, CopyContext context) => Copier<TValue>.Copy(value.GetValueOrDefault(), context);
}

internal static class ItemsOf<TItem>
{
    internal static void Replace(Span<TItem> items, CopyContext context)
    {
        if (Copier<TItem>.Shares)
        {
            return;
        }

        foreach (ref var item in items)
        {
            item = Copier<TItem>.Copy(item, context);
        }
    }
}

internal static class Exactly
{
    /// <summary>A collection that derives from a known one has fields that nobody would copy.</summary>
    internal static void Of(object value, Type type)
    {
        if (value.GetType() != type)
        {
            throw new CodecNotFoundException(
                $"{TypeName.Of(value.GetType())} may not cross a grain call or be stored: it derives from {TypeName.Of(type)}; pass that "
                    + "type itself.");
        }
    }
}
