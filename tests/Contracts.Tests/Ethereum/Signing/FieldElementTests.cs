using System.Numerics;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Contracts.Tests.Ethereum.Signing;

/// <summary>The own field arithmetic against exact integers, where carries and borrows are rare in random numbers above all.</summary>
public class FieldElementTests
{
    private static readonly BigInteger Prime = (BigInteger.One << 256) - (BigInteger.One << 32) - 977;

    [Fact]
    public void Products_differences_and_inverses_are_those_of_exact_integers()
    {
        BigInteger[] values = [.. Edges(), .. Random(40)];
        foreach (BigInteger x in values)
        {
            FieldElement a = Element(x);
            Assert.Equal(x % Prime, Number(a));
            Assert.Equal(BigInteger.ModPow(x, Prime - 2, Prime), Number(a.Invert()));
            Assert.Equal((x % Prime).IsZero, a.IsZero);
            foreach (BigInteger y in values)
            {
                FieldElement b = Element(y);
                Assert.Equal(x * y % Prime, Number(a * b));
                Assert.Equal((((x - y) % Prime) + Prime) % Prime, Number(a - b));
                Assert.Equal(x % Prime == y % Prime, a.Equals(b));
            }
        }
    }

    [Fact]
    public void Long_chains_of_products_and_differences_are_those_of_exact_integers()
    {
        BigInteger[] start = Random(3);
        (BigInteger x, BigInteger y) = (start[0] % Prime, start[1] % Prime);
        (FieldElement a, FieldElement b) = (Element(x), Element(y));
        for (int i = 0; i < 100_000; i++)
        {
            (x, y) = (x * y % Prime, (((y - x) % Prime) + Prime) % Prime);
            (a, b) = (a * b, b - a);
        }

        Assert.Equal(x, Number(a));
        Assert.Equal(y, Number(b));
    }

    /// <summary>Numbers at the ends of the field and of each limb, up to 2^256 - 1, which reading reduces.</summary>
    private static IEnumerable<BigInteger> Edges()
    {
        BigInteger all = (BigInteger.One << 256) - 1;
        BigInteger[] anchors = [
            0, Prime, all, Prime >> 1, (BigInteger.One << 32) + 977, .. Enumerable.Range(1, 4).Select(i => BigInteger.One << (64 * i))];
        return anchors.SelectMany(anchor => Enumerable.Range(-2, 5).Select(step => anchor + step))
            .Concat(Enumerable.Range(0, 16).Select(mask => Limbs(i => ((mask >> i) & 1) != 0 ? ulong.MaxValue : 0)))
            .Where(value => value >= 0 && value <= all).Distinct();
    }

    private static BigInteger[] Random(int count)
    {
        Random random = new(20261121);
        return [.. Enumerable.Range(0, count).Select(_ => Limbs(_ => (ulong)random.NextInt64(long.MinValue, long.MaxValue)))];
    }

    private static BigInteger Limbs(Func<int, ulong> limb) =>
        Enumerable.Range(0, 4).Aggregate(BigInteger.Zero, (sum, i) => sum + ((BigInteger)limb(i) << (64 * i)));

    private static FieldElement Element(BigInteger value)
    {
        byte[] bytes = value.ToByteArray(isUnsigned: true, isBigEndian: true);
        return FieldElement.Read([.. new byte[FieldElement.Length - bytes.Length], .. bytes]);
    }

    private static BigInteger Number(FieldElement element)
    {
        Span<byte> bytes = stackalloc byte[FieldElement.Length];
        element.Write(bytes);
        return new BigInteger(bytes, isUnsigned: true, isBigEndian: true);
    }
}
