using System.Buffers.Binary;
using System.Numerics;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Batches;

/// <summary>Which members serve a request: a keyed permutation of each class under the round's seed (docs/WIRE.md, "Seed and
/// drawing").</summary>
public static class Drawing
{
    private const int Passes = 4;

    /// <summary>keccak of the market's reveal: what a round commits to.</summary>
    public static Bytes32 SeedCommit(Bytes32 reveal) => Keccak256.Hash(reveal.ToArray());

    /// <summary>The round's seed: nobody alone decides it.</summary>
    public static Bytes32 Seed(Bytes32 reveal, Bytes32 blockHash) => Keccak256.Hash([.. reveal.ToArray(), .. blockHash.ToArray()]);

    /// <summary>The key of a class's permutation.</summary>
    public static Bytes32 ClassKey(Bytes32 seed, uint site, uint classIndex)
    {
        Span<byte> preimage = stackalloc byte[Bytes32.Length + 8];
        seed.CopyTo(preimage);
        BinaryPrimitives.WriteUInt32BigEndian(preimage[32..], site);
        BinaryPrimitives.WriteUInt32BigEndian(preimage[36..], classIndex);
        return Keccak256.Hash(preimage);
    }

    /// <summary>
    /// The image of x under the class's permutation of 0..size-1: a balanced Feistel network with cycle walking, as in format-preserving
    /// encryption (Black and Rogaway 2002, doi:10.1007/3-540-45760-7_9). At most four steps of walking are expected.
    /// </summary>
    /// <param name="key">The class's key.</param>
    /// <param name="size">n, in 1..2^30.</param>
    /// <param name="x">In 0..n-1.</param>
    public static uint Permute(Bytes32 key, uint size, uint x)
    {
        ArgumentOutOfRangeException.ThrowIfZero(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, 1u << 30);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(x, size);
        int bits = Math.Max(2, 32 - BitOperations.LeadingZeroCount(size - 1));
        int half = (bits + 1) / 2;
        uint mask = (1u << half) - 1;
        Span<byte> preimage = stackalloc byte[Bytes32.Length + 5];
        Span<byte> digest = stackalloc byte[Bytes32.Length];
        key.CopyTo(preimage);
        do
        {
            uint left = x >> half;
            uint right = x & mask;
            for (byte pass = 0; pass < Passes; pass++)
            {
                preimage[32] = pass;
                BinaryPrimitives.WriteUInt32BigEndian(preimage[33..], right);
                Keccak256.Hash(preimage).CopyTo(digest);
                (left, right) = (right, left ^ (BinaryPrimitives.ReadUInt32BigEndian(digest[28..]) & mask));
            }

            x = (left << half) | right;
        }
        while (x >= size);
        return x;
    }

    /// <summary>The member that serves the k-th sale of a class to a request.</summary>
    /// <param name="key">The class's key.</param>
    /// <param name="size">n.</param>
    /// <param name="soldBefore">What the class sold to earlier requests of the round.</param>
    /// <param name="k">0, 1, 2, ... among the sales to this request.</param>
    /// <returns>The member's offset within its class, and its lap: how often the class was gone through before.</returns>
    public static (uint Offset, uint Lap) Draw(Bytes32 key, uint size, ulong soldBefore, uint k)
    {
        (ulong lap, ulong index) = Math.DivRem(soldBefore + k, size);
        return (Permute(key, size, (uint)index), checked((uint)lap));
    }

    /// <summary>The index in a member's payout tree of a sale: a fresh address for every sale until the tree is used up.</summary>
    public static uint PayoutIndex(uint ordinal, ushort quota, uint lap, int payoutDepth) =>
        (uint)(((ulong)ordinal * quota + lap) & ((1UL << payoutDepth) - 1));
}
