namespace EmrMarket.Analytics.Matching.Drawing;

/// <summary>The keyed function of a Feistel network: pseudo-random bits from the round number and the right half.</summary>
/// <param name="round">In [0, 3].</param>
/// <param name="right">The right half, below 2^16.</param>
/// <returns>At least the low 16 bits are used.</returns>
public delegate uint FeistelRound(byte round, uint right);

/// <summary>
/// A permutation of 0..n-1 that anybody who knows the key can evaluate at one point: four Feistel rounds on the smallest even number of
/// bits
/// that holds n, repeated until the value is below n (cycle walking: Black and Rogaway 2002, doi:10.1007/3-540-45760-7_9). The bits and
/// their order
/// are fixed in docs/WIRE.md, "Seed and drawing".
/// </summary>
public sealed class FeistelPermutation
{
    private const int Rounds = 4;

    private readonly FeistelRound _roundFunction;
    private readonly int _halfBits;

    /// <summary>Fixes size and key.</summary>
    /// <param name="size">n, at least 1.</param>
    /// <param name="roundFunction">Depends on the key; must be pure.</param>
    public FeistelPermutation(int size, FeistelRound roundFunction)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentNullException.ThrowIfNull(roundFunction);
        _roundFunction = roundFunction;
        Size = size;
        _halfBits = 1;
        while (1L << (2 * _halfBits) < size)
        {
            _halfBits++;
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
            var mask = (1u << _halfBits) - 1;
            var value = (uint)position;
            do
            {
                var (left, right) = (value >> _halfBits, value & mask);
                for (byte round = 0; round < Rounds; round++)
                {
                    (left, right) = (right, left ^ (_roundFunction(round, right) & mask));
                }

                value = (left << _halfBits) | right;
            }
            while (value >= (uint)Size);

            return (int)value;
        }
    }
}
