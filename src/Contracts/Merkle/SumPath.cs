namespace EmrMarket.Contracts.Merkle;

/// <summary>What an opening proves: arithmetic on siblings, equal to the contracts' (docs/WIRE.md, "Trees").</summary>
public static class SumPath
{
    /// <summary>The root that a node at an index leads to with the given siblings from below upwards.</summary>
    /// <exception cref="ArgumentException">The index needs more bits than there are siblings.</exception>
    /// <exception cref="OverflowException">A lane of the sums overflows: the path is invalid.</exception>
    public static TreeNode Root(ulong index, TreeNode node, ReadOnlySpan<TreeNode> siblings)
    {
        RequireIndex(index, siblings.Length);
        for (int i = 0; i < siblings.Length; i++)
        {
            node = IsRight(index, i) ? TreeNode.Join(siblings[i], node) : TreeNode.Join(node, siblings[i]);
        }

        return node;
    }

    /// <summary>The sum of everything before the node within the aligned subtree of <paramref name="height"/> levels above it; by default
    /// of the whole tree.</summary>
    public static SumWord Prefix(ulong index, ReadOnlySpan<TreeNode> siblings, int? height = null)
    {
        RequireIndex(index, siblings.Length);
        SumWord prefix = default;
        for (int i = 0; i < (height ?? siblings.Length); i++)
        {
            prefix = IsRight(index, i) ? prefix + siblings[i].Sum : prefix;
        }

        return prefix;
    }

    /// <summary>Whether the siblings lead from the node to this root.</summary>
    public static bool Proves(TreeNode root, ulong index, TreeNode node, ReadOnlySpan<TreeNode> siblings)
    {
        try
        {
            return (siblings.Length >= 64 || index >> siblings.Length == 0) && Root(index, node, siblings) == root;
        }
        catch (OverflowException)
        {
            return false;
        }
    }

    private static bool IsRight(ulong index, int height) => ((index >> height) & 1) == 1;

    private static void RequireIndex(ulong index, int depth)
    {
        if (depth < 64 && index >> depth != 0)
        {
            throw new ArgumentException($"index {index} does not exist at depth {depth}", nameof(index));
        }
    }
}
