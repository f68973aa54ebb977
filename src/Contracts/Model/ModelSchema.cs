using System.Numerics;

namespace EmrMarket.Contracts.Model;

/// <summary>A schema's quality table and its arithmetic (docs/WIRE.md, "Arithmetic").</summary>
/// <param name="Tiers">0 Public, 1 Low, 2 Moderate, 3 Private, per attribute.</param>
/// <param name="CapMicro">Lifetime cap in micro-epsilon.</param>
/// <param name="LadderMicro">Epsilon of the grades 1, 2, ...</param>
/// <param name="Quality">Q in ppb by attribute and grade - 1.</param>
internal sealed record ModelSchema(int[] Tiers, ulong CapMicro, uint[] LadderMicro, uint[][] Quality)
{
    private static readonly BigInteger Ppb = 1_000_000_000;
    private static readonly BigInteger Micro = 1_000_000;

    /// <summary>Micro-epsilon of packed grades, or null when a grade or an attribute is not in the table.</summary>
    public BigInteger? Epsilon(BigInteger packed)
    {
        BigInteger total = 0;
        for (int attribute = 0; packed >> (4 * attribute) != 0; attribute++)
        {
            int grade = Nibble(packed, attribute);
            if (grade == 0)
            {
                continue;
            }

            if (attribute >= Tiers.Length || grade > LadderMicro.Length)
            {
                return null;
            }

            total += EpsilonOf(attribute, grade);
        }

        return total;
    }

    /// <summary>The first attribute whose requested grades make no sense; null when all do.</summary>
    public int? InvalidAttribute(BigInteger minimum, BigInteger top)
    {
        if (top.IsZero)
        {
            return 0;
        }

        for (int attribute = 0; (minimum | top) >> (4 * attribute) != 0; attribute++)
        {
            int least = Nibble(minimum, attribute);
            int highest = Nibble(top, attribute);
            bool absent = least == 0 && highest == 0;
            if (!absent && (attribute >= Tiers.Length || least < 1 || least > highest || highest > LadderMicro.Length))
            {
                return attribute;
            }
        }

        return null;
    }

    /// <summary>The largest score within valid grades.</summary>
    public BigInteger MaximumScore(BigInteger minimum, BigInteger top) => Requested(top).Aggregate(
        BigInteger.Zero,
        (sum, attribute) =>
            sum + Enumerable.Range(Nibble(minimum, attribute), Nibble(top, attribute) - Nibble(minimum, attribute) + 1)
                .Max(grade => Quality[attribute][grade - 1]));

    /// <summary>Ask and score of a class for valid grades; null when the class does not reach a minimum.</summary>
    public (BigInteger Ask, BigInteger Score)? Quote(BigInteger ceilings, UInt128[] rates, BigInteger minimum, BigInteger top)
    {
        BigInteger ask = 0;
        BigInteger score = 0;
        foreach (int attribute in Requested(top))
        {
            int grade = Math.Min(Nibble(ceilings, attribute), Nibble(top, attribute));
            if (grade < Nibble(minimum, attribute))
            {
                return null;
            }

            ask += (rates[Tiers[attribute]] * (BigInteger)EpsilonOf(attribute, grade) + Micro - 1) / Micro;
            score += Quality[attribute][grade - 1];
        }

        return (ask, score);
    }

    public static BigInteger Value(UInt128 bid, BigInteger score) => bid * score / Ppb;

    public static int Nibble(BigInteger packed, int attribute) => (int)((packed >> (4 * attribute)) & 15);

    private IEnumerable<int> Requested(BigInteger top) => Enumerable.Range(0, Tiers.Length).Where(attribute => Nibble(top, attribute) > 0);

    private uint EpsilonOf(int attribute, int grade) => Tiers[attribute] == 0 ? 0 : LadderMicro[grade - 1];
}
