using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms.Coins;

/// <summary>
/// What happens to a value once, before its ladder: a value between two grid points is rounded to one of them with the probability that
/// keeps its mean, a missing value of a grid attribute becomes a uniform grid point. All grades see the same rounded value, and their coins
/// are keyed by it.
/// </summary>
internal static class ValueRounding
{
    private const int Batch = 256;

    /// <summary>The codes 0..size-1 that the ladder randomises; the column's own array when nothing has to be rounded.</summary>
    /// <exception cref="ArgumentException">The columns differ in length, or a code lies outside the domain.</exception>
    public static ushort[] Round(ColumnKey key, RecordColumn column, ReadOnlySpan<ulong> facts)
    {
        ushort[] codes = column.Codes;
        uint[]? fractions = column.Fractions;
        int size = column.Attribute.Domain.Size;
        bool grid = column.Attribute.Domain is GridDomain;
        if (facts.Length != codes.Length || (fractions is not null && fractions.Length != codes.Length))
        {
            throw new ArgumentException(
                $"Attribute '{column.Attribute.Name}': {codes.Length} values, {facts.Length} fact ids and "
                + $"{fractions?.Length ?? codes.Length} fractions must be equally many.", nameof(column));
        }

        // The common case, one vectorised look: all values on the grid or among the labels, nothing to round.
        if (fractions is null && Codes.Largest(codes) < size)
        {
            return codes;
        }

        for (int i = 0; i < codes.Length; i++)
        {
            if (codes[i] >= size && !(grid && codes[i] == RecordColumn.Missing))
            {
                // The offending value itself stays out of the message: it is a raw value.
                throw new ArgumentException(
                    $"Attribute '{column.Attribute.Name}', record {i}: the code lies outside the domain's 0..{size - 1}. Load the column "
                    + $"with the schema that describes it.", nameof(column));
            }
        }

        var rounded = new ushort[codes.Length];
        CoinCipher cipher = key.CipherFor(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"rounding size={size}"));
        Span<Vector128<byte>> coins = stackalloc Vector128<byte>[Batch];
        for (int start = 0; start < codes.Length; start += Batch)
        {
            int count = Math.Min(Batch, codes.Length - start);
            for (int i = 0; i < count; i++)
            {
                coins[i] = Coin.Counter(facts[start + i], key.ValueVersion, codes[start + i], step: 0, block: 0);
            }

            cipher.Encrypt(coins[..count]);
            Span<uint> words = MemoryMarshal.Cast<Vector128<byte>, uint>(coins[..count]);
            for (int i = 0; i < count; i++)
            {
                ushort code = codes[start + i];
                uint word = words[Coin.WordsPerBlock * i];
                if (code != RecordColumn.Missing)
                {
                    // Up with probability fraction / 2^32 exactly. The last cell has no upper neighbour.
                    int up = fractions is not null && word < fractions[start + i] ? 1 : 0;
                    rounded[start + i] = (ushort)Math.Min(code + up, size - 1);
                }
                else
                {
                    rounded[start + i] = (ushort)(Coin.TryUniform(word, (uint)size, out uint cell)
                        ? cell
                        : Coin.UniformAfterRejection(cipher, facts[start + i], key.ValueVersion, code, purpose: 0, (uint)size));
                }
            }
        }

        return rounded;
    }
}
