using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Merkle;

/// <summary>A node of a sum tree: its hash and the sums of the leaves below it. The default is the empty leaf.</summary>
/// <param name="Hash">Zero for an empty leaf.</param>
/// <param name="Sum">The packed sums.</param>
public readonly record struct TreeNode(Bytes32 Hash, SumWord Sum)
{
    /// <summary>The greatest depth that a tree may have: positions are 64-bit.</summary>
    public const int MaxDepth = 64;

    private const int PreimageLength = 1 + 4 * Bytes32.Length;

    private static readonly TreeNode[] EmptyByHeight = EmptySubtrees();

    /// <summary>The node above two children: keccak(0x01, left hash, left sum, right hash, right sum).</summary>
    /// <exception cref="OverflowException">A lane of the sums overflows.</exception>
    public static TreeNode Join(in TreeNode left, in TreeNode right)
    {
        Span<byte> preimage = stackalloc byte[PreimageLength];
        preimage[0] = 0x01;
        left.Hash.CopyTo(preimage[1..]);
        left.Sum.CopyTo(preimage[33..]);
        right.Hash.CopyTo(preimage[65..]);
        right.Sum.CopyTo(preimage[97..]);
        return new TreeNode(Keccak256.Hash(preimage), left.Sum + right.Sum);
    }

    /// <summary>The node above 2^height empty leaves, height in 0..64.</summary>
    public static TreeNode Empty(int height) => EmptyByHeight[height];

    private static TreeNode[] EmptySubtrees()
    {
        TreeNode[] nodes = new TreeNode[MaxDepth + 1];
        for (int height = 1; height < nodes.Length; height++)
        {
            nodes[height] = Join(nodes[height - 1], nodes[height - 1]);
        }

        return nodes;
    }
}
