using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using CryptographyAes = System.Security.Cryptography.Aes;
using HardwareAes = System.Runtime.Intrinsics.X86.Aes;

namespace EmrMarket.Analytics.Mechanisms.Coins;

/// <summary>
/// AES-256 as a pseudorandom function from 128-bit counters to 128-bit blocks of coins. Instances are immutable and safe for concurrent
/// use. Source: FIPS 197; used as in counter mode, NIST SP 800-38A.
/// </summary>
internal sealed class CoinCipher
{
    private const int Rounds = 14;
    private readonly byte[] _key;
    private readonly Vector128<byte>[] _roundKeys;

    /// <summary>Expands a 32-byte key.</summary>
    public CoinCipher(ReadOnlySpan<byte> key)
    {
        if (key.Length != 32)
        {
            throw new ArgumentException($"AES-256 takes a key of 32 bytes; got {key.Length}.", nameof(key));
        }

        _key = key.ToArray();
        _roundKeys = HardwareAes.IsSupported ? ExpandKey(key) : [];
    }

    /// <summary>Replaces each counter by its block of coins.</summary>
    public void Encrypt(Span<Vector128<byte>> counters)
    {
        if (counters.IsEmpty)
        {
            return;
        }

        if (HardwareAes.IsSupported)
        {
            EncryptPipelined(counters);
        }
        else
        {
            EncryptPortable(counters);
        }
    }

    /// <summary>One block of coins per fact; the counters are made on the way, in registers.</summary>
    /// <param name="facts">The fact ids.</param>
    /// <param name="version">The value version.</param>
    /// <param name="values">As many values.</param>
    /// <param name="step">The step.</param>
    /// <param name="block">The block of the step.</param>
    /// <param name="coins">As many blocks, overwritten.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void EncryptFacts(
        ReadOnlySpan<ulong> facts, ushort version, ReadOnlySpan<ushort> values, int step, int block, Span<Vector128<byte>> coins)
    {
        values = values[..facts.Length];
        coins = coins[..facts.Length];
        ref ulong fact = ref MemoryMarshal.GetReference(facts);
        ref ushort value = ref MemoryMarshal.GetReference(values);
        ref Vector128<byte> coin = ref MemoryMarshal.GetReference(coins);
        int i = 0;
        if (HardwareAes.IsSupported)
        {
            ref Vector128<byte> key = ref MemoryMarshal.GetArrayDataReference(_roundKeys);
            Vector128<byte> rest = Coin.Counter(0, version, 0, step, block) ^ key;
            for (; i <= facts.Length - 8; i += 8)
            {
                Vector128<byte> b0 = Coin.Counter(Unsafe.Add(ref fact, i), 0, Unsafe.Add(ref value, i), 0, 0) ^ rest;
                Vector128<byte> b1 = Coin.Counter(Unsafe.Add(ref fact, i + 1), 0, Unsafe.Add(ref value, i + 1), 0, 0) ^ rest;
                Vector128<byte> b2 = Coin.Counter(Unsafe.Add(ref fact, i + 2), 0, Unsafe.Add(ref value, i + 2), 0, 0) ^ rest;
                Vector128<byte> b3 = Coin.Counter(Unsafe.Add(ref fact, i + 3), 0, Unsafe.Add(ref value, i + 3), 0, 0) ^ rest;
                Vector128<byte> b4 = Coin.Counter(Unsafe.Add(ref fact, i + 4), 0, Unsafe.Add(ref value, i + 4), 0, 0) ^ rest;
                Vector128<byte> b5 = Coin.Counter(Unsafe.Add(ref fact, i + 5), 0, Unsafe.Add(ref value, i + 5), 0, 0) ^ rest;
                Vector128<byte> b6 = Coin.Counter(Unsafe.Add(ref fact, i + 6), 0, Unsafe.Add(ref value, i + 6), 0, 0) ^ rest;
                Vector128<byte> b7 = Coin.Counter(Unsafe.Add(ref fact, i + 7), 0, Unsafe.Add(ref value, i + 7), 0, 0) ^ rest;
                Vector128<byte> k;
                for (int round = 1; round < Rounds; round++)
                {
                    k = Unsafe.Add(ref key, round);
                    b0 = HardwareAes.Encrypt(b0, k);
                    b1 = HardwareAes.Encrypt(b1, k);
                    b2 = HardwareAes.Encrypt(b2, k);
                    b3 = HardwareAes.Encrypt(b3, k);
                    b4 = HardwareAes.Encrypt(b4, k);
                    b5 = HardwareAes.Encrypt(b5, k);
                    b6 = HardwareAes.Encrypt(b6, k);
                    b7 = HardwareAes.Encrypt(b7, k);
                }

                k = Unsafe.Add(ref key, Rounds);
                ref Vector128<byte> b = ref Unsafe.Add(ref coin, i);
                b = HardwareAes.EncryptLast(b0, k);
                Unsafe.Add(ref b, 1) = HardwareAes.EncryptLast(b1, k);
                Unsafe.Add(ref b, 2) = HardwareAes.EncryptLast(b2, k);
                Unsafe.Add(ref b, 3) = HardwareAes.EncryptLast(b3, k);
                Unsafe.Add(ref b, 4) = HardwareAes.EncryptLast(b4, k);
                Unsafe.Add(ref b, 5) = HardwareAes.EncryptLast(b5, k);
                Unsafe.Add(ref b, 6) = HardwareAes.EncryptLast(b6, k);
                Unsafe.Add(ref b, 7) = HardwareAes.EncryptLast(b7, k);
            }
        }

        int first = i;
        for (; i < facts.Length; i++)
        {
            Unsafe.Add(ref coin, i) = Coin.Counter(Unsafe.Add(ref fact, i), version, Unsafe.Add(ref value, i), step, block);
        }

        Encrypt(coins[first..]);
    }

    /// <summary>Consecutive blocks of one fact: four or eight of them at a time run without waiting.</summary>
    /// <param name="fact">The fact id.</param>
    /// <param name="version">The value version.</param>
    /// <param name="value">The value.</param>
    /// <param name="step">The step.</param>
    /// <param name="firstBlock">The first block of the step.</param>
    /// <param name="coins">The blocks, overwritten.</param>
    public void EncryptRun(ulong fact, ushort version, ushort value, int step, int firstBlock, Span<Vector128<byte>> coins)
    {
        for (int i = 0; i < coins.Length; i++)
        {
            coins[i] = Coin.Counter(fact, version, value, step, firstBlock + i);
        }

        Encrypt(coins);
    }

    /// <summary>
    /// The platform's AES, one call for all counters: the path of machines without AES instructions, and the tests' oracle.
    /// </summary>
    internal void EncryptPortable(Span<Vector128<byte>> counters)
    {
        using CryptographyAes aes = CryptographyAes.Create();
        aes.Key = _key;
        Span<byte> bytes = MemoryMarshal.AsBytes(counters);
        aes.EncryptEcb(bytes, bytes, PaddingMode.None);
    }

    // Eight independent blocks hide the latency of the AES instruction (4 cycles at one or two per cycle); streams ask for four.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void EncryptPipelined(Span<Vector128<byte>> counters)
    {
        ref Vector128<byte> key = ref MemoryMarshal.GetArrayDataReference(_roundKeys);
        ref Vector128<byte> block = ref MemoryMarshal.GetReference(counters);
        int i = 0;
        for (; i <= counters.Length - 8; i += 8)
        {
            ref Vector128<byte> b = ref Unsafe.Add(ref block, i);
            Vector128<byte> k = key;
            Vector128<byte> b0 = b ^ k;
            Vector128<byte> b1 = Unsafe.Add(ref b, 1) ^ k;
            Vector128<byte> b2 = Unsafe.Add(ref b, 2) ^ k;
            Vector128<byte> b3 = Unsafe.Add(ref b, 3) ^ k;
            Vector128<byte> b4 = Unsafe.Add(ref b, 4) ^ k;
            Vector128<byte> b5 = Unsafe.Add(ref b, 5) ^ k;
            Vector128<byte> b6 = Unsafe.Add(ref b, 6) ^ k;
            Vector128<byte> b7 = Unsafe.Add(ref b, 7) ^ k;
            for (int round = 1; round < Rounds; round++)
            {
                k = Unsafe.Add(ref key, round);
                b0 = HardwareAes.Encrypt(b0, k);
                b1 = HardwareAes.Encrypt(b1, k);
                b2 = HardwareAes.Encrypt(b2, k);
                b3 = HardwareAes.Encrypt(b3, k);
                b4 = HardwareAes.Encrypt(b4, k);
                b5 = HardwareAes.Encrypt(b5, k);
                b6 = HardwareAes.Encrypt(b6, k);
                b7 = HardwareAes.Encrypt(b7, k);
            }

            k = Unsafe.Add(ref key, Rounds);
            b = HardwareAes.EncryptLast(b0, k);
            Unsafe.Add(ref b, 1) = HardwareAes.EncryptLast(b1, k);
            Unsafe.Add(ref b, 2) = HardwareAes.EncryptLast(b2, k);
            Unsafe.Add(ref b, 3) = HardwareAes.EncryptLast(b3, k);
            Unsafe.Add(ref b, 4) = HardwareAes.EncryptLast(b4, k);
            Unsafe.Add(ref b, 5) = HardwareAes.EncryptLast(b5, k);
            Unsafe.Add(ref b, 6) = HardwareAes.EncryptLast(b6, k);
            Unsafe.Add(ref b, 7) = HardwareAes.EncryptLast(b7, k);
        }

        for (; i <= counters.Length - 4; i += 4)
        {
            ref Vector128<byte> b = ref Unsafe.Add(ref block, i);
            Vector128<byte> k = key;
            Vector128<byte> b0 = b ^ k;
            Vector128<byte> b1 = Unsafe.Add(ref b, 1) ^ k;
            Vector128<byte> b2 = Unsafe.Add(ref b, 2) ^ k;
            Vector128<byte> b3 = Unsafe.Add(ref b, 3) ^ k;
            for (int round = 1; round < Rounds; round++)
            {
                k = Unsafe.Add(ref key, round);
                b0 = HardwareAes.Encrypt(b0, k);
                b1 = HardwareAes.Encrypt(b1, k);
                b2 = HardwareAes.Encrypt(b2, k);
                b3 = HardwareAes.Encrypt(b3, k);
            }

            k = Unsafe.Add(ref key, Rounds);
            b = HardwareAes.EncryptLast(b0, k);
            Unsafe.Add(ref b, 1) = HardwareAes.EncryptLast(b1, k);
            Unsafe.Add(ref b, 2) = HardwareAes.EncryptLast(b2, k);
            Unsafe.Add(ref b, 3) = HardwareAes.EncryptLast(b3, k);
        }

        for (; i < counters.Length; i++)
        {
            Vector128<byte> b = Unsafe.Add(ref block, i) ^ key;
            for (int round = 1; round < Rounds; round++)
            {
                b = HardwareAes.Encrypt(b, Unsafe.Add(ref key, round));
            }

            Unsafe.Add(ref block, i) = HardwareAes.EncryptLast(b, Unsafe.Add(ref key, Rounds));
        }
    }

    // FIPS 197, section 5.2, for eight-word keys: even round keys take the rotated and round-constant word, odd ones only the S-box.
    private static Vector128<byte>[] ExpandKey(ReadOnlySpan<byte> key)
    {
        var keys = new Vector128<byte>[Rounds + 1];
        keys[0] = Vector128.Create(key[..16]);
        keys[1] = Vector128.Create(key[16..]);
        keys[2] = MixEven(keys[0], HardwareAes.KeygenAssist(keys[1], 0x01));
        keys[3] = MixOdd(keys[1], keys[2]);
        keys[4] = MixEven(keys[2], HardwareAes.KeygenAssist(keys[3], 0x02));
        keys[5] = MixOdd(keys[3], keys[4]);
        keys[6] = MixEven(keys[4], HardwareAes.KeygenAssist(keys[5], 0x04));
        keys[7] = MixOdd(keys[5], keys[6]);
        keys[8] = MixEven(keys[6], HardwareAes.KeygenAssist(keys[7], 0x08));
        keys[9] = MixOdd(keys[7], keys[8]);
        keys[10] = MixEven(keys[8], HardwareAes.KeygenAssist(keys[9], 0x10));
        keys[11] = MixOdd(keys[9], keys[10]);
        keys[12] = MixEven(keys[10], HardwareAes.KeygenAssist(keys[11], 0x20));
        keys[13] = MixOdd(keys[11], keys[12]);
        keys[14] = MixEven(keys[12], HardwareAes.KeygenAssist(keys[13], 0x40));
        return keys;

        static Vector128<byte> MixEven(Vector128<byte> previous, Vector128<byte> assist) =>
            PrefixXor(previous) ^ Sse2.Shuffle(assist.AsInt32(), 0b_11_11_11_11).AsByte();

        static Vector128<byte> MixOdd(Vector128<byte> previous, Vector128<byte> even) =>
            PrefixXor(previous) ^ Sse2.Shuffle(HardwareAes.KeygenAssist(even, 0x00).AsInt32(), 0b_10_10_10_10).AsByte();

        static Vector128<byte> PrefixXor(Vector128<byte> value)
        {
            value ^= Sse2.ShiftLeftLogical128BitLane(value, 4);
            return value ^ Sse2.ShiftLeftLogical128BitLane(value, 8);
        }
    }
}
