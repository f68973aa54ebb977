using System.Globalization;
using System.Numerics;

namespace EmrMarket.Contracts.Ethereum;

/// <summary>Hexadecimal text as Ethereum's JSON-RPC writes it: data with two digits a byte, quantities without leading zeros.</summary>
public static class Hex
{
    /// <summary>Bytes as lower-case digits after 0x.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes) => "0x" + Convert.ToHexStringLower(bytes);

    /// <summary>The bytes that an even number of digits after 0x stands for.</summary>
    /// <exception cref="FormatException">No 0x, an odd number of digits, or a character that is no digit.</exception>
    public static byte[] Decode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!text.StartsWith("0x", StringComparison.Ordinal) || text.Length % 2 != 0)
        {
            throw new FormatException(
                $"expected 0x and an even number of hexadecimal digits, got {Excerpt(text)} ({text.Length} characters)");
        }

        try
        {
            return Convert.FromHexString(text.AsSpan(2));
        }
        catch (FormatException e)
        {
            throw new FormatException($"expected hexadecimal digits after 0x, got {Excerpt(text)}", e);
        }
    }

    /// <summary>An unsigned integer as the shortest digits after 0x.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The integer is negative.</exception>
    public static string Quantity(BigInteger value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        string digits = value.ToString("x", CultureInfo.InvariantCulture).TrimStart('0');
        return "0x" + (digits.Length == 0 ? "0" : digits);
    }

    /// <summary>The unsigned integer that 1 to 64 digits after 0x stand for.</summary>
    /// <exception cref="FormatException">No 0x, no digit, more than 64 digits, or a character that is no digit.</exception>
    public static BigInteger ParseQuantity(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.StartsWith("0x", StringComparison.Ordinal) && text.Length is > 2 and <= 66
            && BigInteger.TryParse(string.Concat("0", text.AsSpan(2)), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                out BigInteger value))
        {
            return value;
        }

        throw new FormatException($"expected 0x and 1 to 64 hexadecimal digits, got {Excerpt(text)}");
    }

    /// <summary>The first characters of a text that may be long or hostile, fit for a message.</summary>
    internal static string Excerpt(string text)
    {
        string head = text.Length <= 40 ? text : text[..40] + "...";
        return "\"" + string.Concat(head.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)) + "\"";
    }
}
