using Org.BouncyCastle.Math.EC;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>A point of secp256k1 other than the one at infinity.</summary>
internal readonly record struct AffinePoint(FieldElement X, FieldElement Y)
{
    /// <summary>The library's point, which is normalised.</summary>
    public static AffinePoint Of(ECPoint point) =>
        new(FieldElement.Read(point.AffineXCoord.GetEncoded()), FieldElement.Read(point.AffineYCoord.GetEncoded()));

    /// <summary>The point in the library's coordinates.</summary>
    public ECPoint ToLibrary(ECCurve curve)
    {
        byte[] uncompressed = new byte[1 + (2 * FieldElement.Length)];
        uncompressed[0] = 4;
        X.Write(uncompressed.AsSpan(1));
        Y.Write(uncompressed.AsSpan(1 + FieldElement.Length));
        return curve.DecodePoint(uncompressed);
    }
}

/// <summary>Additions of pairs of points, which wait until all are known and then share one inversion.</summary>
/// <param name="capacity">How many at once.</param>
internal sealed class AffineSums(int capacity)
{
    private readonly int[] _targets = new int[capacity];
    private readonly AffinePoint[] _left = new AffinePoint[capacity], _right = new AffinePoint[capacity];
    private readonly FieldElement[] _distances = new FieldElement[capacity], _products = new FieldElement[capacity];
    private int _count;

    /// <summary>Adds two points whose x differ, for the target's place.</summary>
    /// <exception cref="ArgumentException">The x are equal: the points are one, or opposite.</exception>
    public void Enqueue(int target, in AffinePoint left, in AffinePoint right)
    {
        FieldElement distance = right.X - left.X;
        if (distance.IsZero)
        {
            throw new ArgumentException("a point is added to itself or to its opposite", nameof(right));
        }

        (_targets[_count], _left[_count], _right[_count]) = (target, left, right);
        _distances[_count] = distance;
        _products[_count] = _count == 0 ? distance : _products[_count - 1] * distance;
        _count++;
    }

    /// <summary>Writes the sums to their targets.</summary>
    public void Apply(AffinePoint[] sums)
    {
        if (_count == 0)
        {
            return;
        }

        FieldElement inverse = _products[_count - 1].Invert();
        for (int k = _count - 1; k >= 0; k--)
        {
            FieldElement ownInverse = k == 0 ? inverse : inverse * _products[k - 1];
            inverse *= _distances[k];
            FieldElement slope = (_right[k].Y - _left[k].Y) * ownInverse;
            FieldElement x = (slope * slope) - _left[k].X - _right[k].X;
            sums[_targets[k]] = new(x, (slope * (_left[k].X - x)) - _left[k].Y);
        }

        _count = 0;
    }
}
