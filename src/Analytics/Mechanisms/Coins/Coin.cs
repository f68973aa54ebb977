using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EmrMarket.Analytics.Mechanisms.Coins;

/// <summary>
/// How coins are addressed. A counter is, from its least significant bit: fact id (64 bits), value version (16), value (16), step (8),
/// block (24). The value is part of it so that two values of one fact never meet the same coins: were they shared, a pair of reports of a
/// value corrected without a new version, or of a "constant" attribute that is not, could reveal both values outright; so their losses
/// merely add.
/// </summary>
internal static class Coin
{
    /// <summary>Bits of a coin word.</summary>
    public const int Bits = 32;

    /// <summary>Words in a block.</summary>
    public const int WordsPerBlock = 4;

    /// <summary>The step whose blocks replace coins that a uniform choice rejected.</summary>
    public const int RetryStep = 255;

    /// <summary>The counter of one block of coins of a fact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Counter(ulong fact, ushort version, ushort value, int step, int block) =>
        Vector128.Create(fact, version | ((ulong)value << 16) | ((ulong)(uint)step << 32) | ((ulong)(uint)block << 40)).AsByte();

    /// <summary>
    /// A uniform integer in 0..size-1 from a word: the high half of word * size, rejected when the low half falls in the incomplete last
    /// round (Lemire 2019, doi:10.1145/3230636). Whether a word is rejected does not depend on the raw value.
    /// </summary>
    /// <returns>False when the word has to be replaced by a fresh one.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryUniform(uint word, uint size, out uint choice)
    {
        ulong product = (ulong)word * size;
        choice = (uint)(product >> Bits);
        return (uint)product >= RejectBelow(size);
    }

    /// <summary>2^32 mod size: low halves below it are rejected.</summary>
    public static uint RejectBelow(uint size) => (uint)((1UL << Bits) % size);

    /// <summary>
    /// A uniform integer in 0..size-1 for a fact whose first word was rejected: the first acceptable word of its retry blocks for <paramref
    /// name="purpose"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static uint UniformAfterRejection(CoinCipher cipher, ulong fact, ushort version, ushort value, int purpose, uint size)
    {
        Span<Vector128<byte>> block = stackalloc Vector128<byte>[1];
        for (int attempt = 0; ; attempt++)
        {
            // 16 purposes of 2^20 blocks each: a word is rejected with probability below 2^-16, so their number is no limit.
            block[0] = Counter(fact, version, value, RetryStep, (purpose << 20) | attempt);
            cipher.Encrypt(block);
            for (int i = 0; i < WordsPerBlock; i++)
            {
                if (TryUniform(block[0].AsUInt32()[i], size, out uint choice))
                {
                    return choice;
                }
            }
        }
    }
}
