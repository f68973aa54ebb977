using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records;

/// <summary>
/// The 64-bit keys of records and persons. Integer ids are kept exactly, with the layout's salt as top byte; text ids become the first 64
/// bits of the SHA-256 of layout and text, with 64 more to tell a collision from a repetition.
/// </summary>
internal static class RecordKey
{
    /// <summary>The key of an id's text; null when an integer id is no whole number without leading zeros in range.</summary>
    public static (ulong Key, ulong Check)? Of(LayoutDocument layout, IdentifierKind kind, ReadOnlySpan<byte> text)
    {
        if (kind == IdentifierKind.Text)
        {
            Span<byte> hash = stackalloc byte[32];
            byte[] message = [.. Encoding.UTF8.GetBytes(layout.Name), 0, .. text];
            SHA256.HashData(message, hash);
            return (BinaryPrimitives.ReadUInt64LittleEndian(hash), BinaryPrimitives.ReadUInt64LittleEndian(hash[8..]));
        }

        bool canonical = Utf8Parser.TryParse(text, out ulong number, out int used) && used == text.Length
            && char.IsAsciiDigit((char)text[0]) && (text.Length == 1 || text[0] != '0');
        return canonical && (layout.Salt == 0 || number >> 56 == 0) ? (Salted(layout, number), 0) : null;
    }

    /// <summary>The key of a record without an id: the number of its row, from 1.</summary>
    public static (ulong Key, ulong Check) OfRow(LayoutDocument layout, long row) => (Salted(layout, (ulong)row), 0);

    private static ulong Salted(LayoutDocument layout, ulong number) => number | ((ulong)layout.Salt << 56);
}
