using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Math.EC;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>
/// Multiples of secp256k1's generator by a table: for each byte of the scalar the 255 multiples of its place, so that a product is 31
/// additions and no doubling (Brickell, Gordon, McCurley and Wilson 1992, doi:10.1007/3-540-47555-9_18). Built from the library's points
/// once, 8,160 of them.
/// </summary>
internal static class GeneratorMultiples
{
    private const int Places = 32;
    private const int Digits = 256;
    private static readonly X9ECParameters Curve = CustomNamedCurves.GetByName("secp256k1");
    private static readonly ECPoint[] Table = Build();
    private static readonly AffinePoint[] AffineTable = Array.ConvertAll(
        Table, point => point.IsInfinity ? default : AffinePoint.Of(point));

    /// <summary>One multiple, in the library's coordinates.</summary>
    public static ECPoint Of(byte[] scalar)
    {
        ECPoint sum = Curve.Curve.Infinity;
        for (int place = 0; place < Places; place++)
        {
            int digit = scalar[Places - 1 - place];
            if (digit != 0)
            {
                sum = sum.Add(Table[(place * Digits) + digit]);
            }
        }

        return sum;
    }

    /// <summary>
    /// Those of many scalars, place by place for all of them, in affine coordinates: an addition then takes one inversion, which all share
    /// by three products each (Montgomery 1987, doi:10.1090/S0025-5718-1987-0866113-7, 10.3.1), and so half the products of one in Jacobian
    /// coordinates. Scalars are in [1, n): what has been summed is then never the point that is added to it, nor its opposite, because it
    /// is a smaller multiple and not the order's complement.
    /// </summary>
    public static AffinePoint[] Of(IReadOnlyList<byte[]> scalars)
    {
        AffinePoint[] sums = new AffinePoint[scalars.Count];
        bool[] isStarted = new bool[scalars.Count];
        AffineSums additions = new(scalars.Count);
        for (int place = 0; place < Places; place++)
        {
            for (int i = 0; i < scalars.Count; i++)
            {
                int digit = scalars[i][Places - 1 - place];
                if (digit == 0)
                {
                    continue;
                }

                AffinePoint point = AffineTable[(place * Digits) + digit];
                if (isStarted[i])
                {
                    additions.Enqueue(i, sums[i], point);
                }
                else
                {
                    (sums[i], isStarted[i]) = (point, true);
                }
            }

            additions.Apply(sums);
        }

        return sums;
    }

    /// <summary>Sums of a point and a multiple each; null where the sum is the point at infinity. Unlike the scalars' own, these may meet
    /// any case of the addition, since a point may come from somebody who chose it to.</summary>
    public static AffinePoint?[] Add(IReadOnlyList<AffinePoint> points, IReadOnlyList<byte[]> scalars)
    {
        AffinePoint[] sums = Of(scalars);
        AffineSums additions = new(sums.Length);
        Dictionary<int, AffinePoint?> exceptions = [];
        for (int i = 0; i < sums.Length; i++)
        {
            if (sums[i].X.Equals(points[i].X))
            {
                ECPoint sum = Of(scalars[i]).Add(points[i].ToLibrary(Curve.Curve)).Normalize();
                exceptions.Add(i, sum.IsInfinity ? null : AffinePoint.Of(sum));
            }
            else
            {
                additions.Enqueue(i, points[i], sums[i]);
            }
        }

        additions.Apply(sums);
        return [.. sums.Select((sum, i) => exceptions.TryGetValue(i, out AffinePoint? exception) ? exception : sum)];
    }

    private static ECPoint[] Build()
    {
        ECPoint[] table = new ECPoint[Places * Digits];
        ECPoint unit = Curve.G;
        for (int place = 0; place < Places; place++)
        {
            table[place * Digits] = Curve.Curve.Infinity;
            for (int digit = 1; digit < Digits; digit++)
            {
                table[(place * Digits) + digit] = table[(place * Digits) + digit - 1].Add(unit);
            }

            unit = table[(place * Digits) + Digits - 1].Add(unit);
        }

        Curve.Curve.NormalizeAll(table);
        return table;
    }
}
