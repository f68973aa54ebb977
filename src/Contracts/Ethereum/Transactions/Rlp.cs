using System.Numerics;

namespace EmrMarket.Contracts.Ethereum.Transactions;

/// <summary>Recursive length prefix encoding, Ethereum Yellow Paper appendix B: byte strings and lists of encoded items.</summary>
internal static class Rlp
{
    private const int ShortString = 0x80;
    private const int ShortList = 0xc0;

    // Lengths up to 55 stand in the prefix itself; above, the prefix holds the number of bytes of the length.
    private const int LongestShort = 55;

    public static byte[] Bytes(ReadOnlySpan<byte> value) =>
        value.Length == 1 && value[0] < ShortString ? value.ToArray() : [.. Prefix(ShortString, value.Length), .. value];

    /// <summary>An unsigned integer: its big-endian bytes without leading zeros, zero being the empty string.</summary>
    public static byte[] Integer(BigInteger value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        return Bytes(value.IsZero ? [] : value.ToByteArray(isUnsigned: true, isBigEndian: true));
    }

    public static byte[] List(params ReadOnlySpan<byte[]> encodedItems)
    {
        int length = 0;
        foreach (byte[] item in encodedItems)
        {
            length += item.Length;
        }

        byte[] prefix = Prefix(ShortList, length);
        byte[] encoded = new byte[prefix.Length + length];
        prefix.CopyTo(encoded, 0);
        int at = prefix.Length;
        foreach (byte[] item in encodedItems)
        {
            item.CopyTo(encoded, at);
            at += item.Length;
        }

        return encoded;
    }

    private static byte[] Prefix(int kind, int length)
    {
        if (length <= LongestShort)
        {
            return [(byte)(kind + length)];
        }

        byte[] digits = new BigInteger(length).ToByteArray(isUnsigned: true, isBigEndian: true);
        return [(byte)(kind + LongestShort + digits.Length), .. digits];
    }
}
