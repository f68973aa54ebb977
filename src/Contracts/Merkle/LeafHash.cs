using System.Buffers.Binary;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Merkle;

/// <summary>The kinds of leaves, as they are hashed (docs/WIRE.md, "Trees").</summary>
public enum LeafKind : byte
{
    /// <summary>A member of an epoch.</summary>
    Member = 1,

    /// <summary>A class of an epoch.</summary>
    Class = 2,

    /// <summary>A class's premium in a round (C).</summary>
    Price = 3,

    /// <summary>A request's surplus in a round (J).</summary>
    Surplus = 4,

    /// <summary>A quantity, by class first (X).</summary>
    SalesByClass = 5,

    /// <summary>A quantity, by request first (Y).</summary>
    SalesByRequest = 6,

    /// <summary>A delivered record.</summary>
    Delivery = 7,

    /// <summary>A payout address of a member.</summary>
    Payout = 8,
}

/// <summary>Hashes one leaf: keccak(0x00, kind, root id, position, payload words, sum).</summary>
public static class LeafHash
{
    private const int HeadLength = 1 + 1 + Bytes32.Length + 8;

    /// <summary>The node of a leaf that is not empty.</summary>
    /// <param name="kind">The tree that it stands in.</param>
    /// <param name="rootId">The batch (or, for payouts, the pseudonym) that the tree belongs to.</param>
    /// <param name="position">Its position.</param>
    /// <param name="words">The payload, 32 bytes a field, at most 16 fields.</param>
    /// <param name="sum">What the leaf adds to the tree's total.</param>
    /// <exception cref="ArgumentException">The payload is not made of whole words, or too long.</exception>
    public static TreeNode Of(LeafKind kind, Bytes32 rootId, ulong position, ReadOnlySpan<byte> words, SumWord sum)
    {
        if (words.Length % Bytes32.Length != 0 || words.Length > 16 * Bytes32.Length)
        {
            throw new ArgumentException($"a payload has 0 to 16 words of {Bytes32.Length} bytes; got {words.Length} bytes", nameof(words));
        }

        Span<byte> preimage = stackalloc byte[HeadLength + words.Length + Bytes32.Length];
        preimage[0] = 0x00;
        preimage[1] = (byte)kind;
        rootId.CopyTo(preimage[2..]);
        BinaryPrimitives.WriteUInt64BigEndian(preimage[34..], position);
        words.CopyTo(preimage[HeadLength..]);
        sum.CopyTo(preimage[(HeadLength + words.Length)..]);
        return new TreeNode(Keccak256.Hash(preimage), sum);
    }
}
