using System.Globalization;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;

namespace EmrMarket.Contracts.Bindings;

/// <summary>What generated records and exceptions do with values in the codec's form.</summary>
internal static class AbiValues
{
    /// <summary>A member of an enumeration; Solidity never encodes another number.</summary>
    /// <exception cref="AbiException">The number is no member.</exception>
    public static T ToEnum<T>(object value)
        where T : struct, Enum
    {
        T member = (T)Enum.ToObject(typeof(T), (byte)value);
        return Enum.IsDefined(member)
            ? member : throw new AbiException($"{value} is no {typeof(T).Name}: the contract is of another version than this program");
    }

    public static bool AreEqual(object left, object right) => (left, right) switch
    {
        (object[] a, object[] b) => a.Length == b.Length && a.Zip(b).All(pair => AreEqual(pair.First, pair.Second)),
        (byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b),
        _ => left.Equals(right),
    };

    public static int Hash(object value)
    {
        HashCode hash = default;
        switch (value)
        {
            case object[] items:
                foreach (object item in items)
                {
                    hash.Add(Hash(item));
                }

                break;
            case byte[] bytes:
                hash.AddBytes(bytes);
                break;
            default:
                hash.Add(value);
                break;
        }

        return hash.ToHashCode();
    }

    /// <summary>A value as a person reads it in a message.</summary>
    public static string Show(object value) => value switch
    {
        object[] items => "[" + string.Join(", ", items.Select(Show)) + "]",
        byte[] bytes => Hex.Encode(bytes),
        string text => Hex.Excerpt(text),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}

/// <summary>Compares code on a chain with the compiler's.</summary>
internal static class CodeComparison
{
    /// <summary>True when both are equal outside the places that the constructor fills.</summary>
    public static bool AreEqual(byte[] compiled, ReadOnlySpan<byte> onChain, (int Start, int Length)[] immutables)
    {
        if (compiled.Length != onChain.Length)
        {
            return false;
        }

        byte[] masked = onChain.ToArray();
        foreach ((int start, int length) in immutables)
        {
            masked.AsSpan(start, length).Clear();
        }

        return masked.AsSpan().SequenceEqual(compiled);
    }
}
