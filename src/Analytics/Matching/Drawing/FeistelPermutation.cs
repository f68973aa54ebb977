namespace EmrMarket.Analytics.Matching.Drawing;

/// <summary>The keyed function of a Feistel network: pseudo-random bits from the round number and the right half.</summary>
/// <param name="round">In [0, 3].</param>
/// <param name="right">The right half, below 2^16.</param>
/// <returns>At least the low 16 bits are used.</returns>
public delegate uint FeistelRound(byte round, uint right);

/// <summary>
/// A permutation of 0..n-1 that anybody who knows the key can evaluate at one point: four Feistel rounds on the smallest even number of bits
/// that holds n, repeated until the value is below n (cycle walking: Black and Rogaway 2002, doi:10.1007/3-540-45760-7_9). The bits and their order
/// are fixed in docs/WIRE.md, "Seed and drawing".
/// </summary>
public sealed class FeistelPermutation
{
    private const int Rounds = 4;

    private readonly FeistelRound roundFunction;
    private readonly int halfBits;

    /// <summary>Fixes size and key.</summary>
    /// <param name="size">n, at least 1.</param>
    /// <param name="roundFunction">Depends on the key; must be pure.</param>
    public FeistelPermutation(int size, FeistelRound roundFunction)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentNullException.ThrowIfNull(roundFunction);
        this.roundFunction = roundFunction;
        Size = size;
        halfBits = 1;
        while (1L << (2 * halfBits) < size)
        {
            halfBits++;
        }
    }

    /// <summary>n.</summary>
    public int Size { get; }

    /// <summary>The image of a position. Four expected passes at most, each of four round functions.</summary>
    /// <param name="position">In [0, n - 1].</param>
    public int this[int position]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)position, (uint)Size, nameof(position));
            var mask = (1u << halfBits) - 1;
            var value = (uint)position;
            do
            {
                var (left, right) = (value >> halfBits, value & mask);
                for (byte round = 0; round < Rounds; round++)
                {
                    (left, right) = (right, left ^ (roundFunction(round, right) & mask));
                }

                value = (left << halfBits) | right;
            }
            while (value >= (uint)Size);

            return (int)value;
        }
    }
}
