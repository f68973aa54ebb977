using System.Buffers.Binary;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>
/// Children of a key by addition, as BIP-32 forms its non-hardened ones: of a private key p and a tweak t the child p + t mod n, whose
/// public key P + t G can be found from P and t alone (<see cref="PublicKey.ChildAddresses"/>). Whoever has t and one child's
/// private key has p (Gutoski and Stebila 2015, doi:10.1007/978-3-662-47854-7_31): tweaks are secrets between the two who derive them.
/// </summary>
public static class ChildKeys
{
    // SEC 2, 2.4.1, lowest limb first.
    private static ReadOnlySpan<ulong> Order => [0xBFD25E8CD0364141, 0xBAAEDCE6AF48A03B, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF];

    /// <summary>The private key of a child; where both sum to n, which only who chose them to meets, the key itself.</summary>
    /// <param name="privateKey">p, 32 bytes, in [1, n).</param>
    /// <param name="tweak">t, 32 bytes, in [1, n).</param>
    /// <exception cref="ArgumentException">One of them has another length.</exception>
    public static byte[] Private(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> tweak)
    {
        const int Limbs = 4;
        if (privateKey.Length != Limbs * sizeof(ulong) || tweak.Length != Limbs * sizeof(ulong))
        {
            throw new ArgumentException($"a private key and a tweak have {Limbs * sizeof(ulong)} bytes each", nameof(privateKey));
        }

        Span<ulong> sum = stackalloc ulong[Limbs], reduced = stackalloc ulong[Limbs];
        UInt128 carry = 0;
        ulong borrow = 0;
        for (int i = 0; i < Limbs; i++)
        {
            int at = (Limbs - 1 - i) * sizeof(ulong);
            carry += (UInt128)BinaryPrimitives.ReadUInt64BigEndian(privateKey[at..]) + BinaryPrimitives.ReadUInt64BigEndian(tweak[at..]);
            sum[i] = (ulong)carry;
            carry >>= 64;
            UInt128 difference = (UInt128)sum[i] - Order[i] - borrow;
            reduced[i] = (ulong)difference;
            borrow = (ulong)(difference >> 64) & 1;
        }

        // Both lie below n, so that one subtraction is enough.
        ReadOnlySpan<ulong> limbs = carry != 0 || borrow == 0 ? reduced : sum;
        byte[] child = new byte[Limbs * sizeof(ulong)];
        for (int i = 0; i < Limbs; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(child.AsSpan((Limbs - 1 - i) * sizeof(ulong)), limbs[i]);
        }

        return child.AsSpan().IndexOfAnyExcept((byte)0) >= 0 ? child : privateKey.ToArray();
    }
}
