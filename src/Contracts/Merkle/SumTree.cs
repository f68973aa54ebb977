namespace EmrMarket.Contracts.Merkle;

/// <summary>
/// A positional Merkle-sum tree (docs/WIRE.md, "Trees") over 2^depth positions, of which any number may be empty: only what is not empty is
/// stored, so a tree of depth 44 with a thousand leaves is as small as one of depth 10.
/// </summary>
public sealed class SumTree
{
    // Below this many nodes of a level the cost of starting tasks exceeds that of hashing.
    private const int ParallelThreshold = 4096;

    private readonly Level[] _levels;

    private SumTree(Level[] levels) => _levels = levels;

    /// <summary>Number of levels above the leaves, 0..64.</summary>
    public int Depth => _levels.Length - 1;

    /// <summary>The root's hash and the total of all leaves.</summary>
    public TreeNode Root => Node(Depth, 0);

    /// <summary>Builds a tree. O(n depth) hashes at worst, O(n) for adjacent positions; hashes on all cores.</summary>
    /// <param name="depth">In 0..64.</param>
    /// <param name="positions">The positions of the leaves that are not empty, strictly increasing, each below 2^depth.</param>
    /// <param name="leaves">The leaf at each of those positions.</param>
    /// <exception cref="ArgumentException">Different lengths, or positions out of range or order.</exception>
    /// <exception cref="OverflowException">A lane of the total overflows.</exception>
    public static SumTree Build(int depth, ulong[] positions, TreeNode[] leaves)
    {
        ArgumentNullException.ThrowIfNull(positions);
        ArgumentNullException.ThrowIfNull(leaves);
        ArgumentOutOfRangeException.ThrowIfNegative(depth);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(depth, TreeNode.MaxDepth);
        if (positions.Length != leaves.Length)
        {
            throw new ArgumentException($"{positions.Length} positions but {leaves.Length} leaves", nameof(leaves));
        }

        for (int i = 0; i < positions.Length; i++)
        {
            if (i > 0 && positions[i] <= positions[i - 1])
            {
                throw new ArgumentException(
                    $"positions must strictly increase: {positions[i]} follows {positions[i - 1]}", nameof(positions));
            }
        }

        if (positions.Length > 0 && depth < 64 && positions[^1] >> depth != 0)
        {
            throw new ArgumentException($"position {positions[^1]} lies outside a tree of depth {depth}", nameof(positions));
        }

        Level[] levels = new Level[depth + 1];
        levels[0] = new Level(positions, leaves);
        for (int height = 1; height <= depth; height++)
        {
            levels[height] = levels[height - 1].Parents(height);
        }

        return new SumTree(levels);
    }

    /// <summary>Builds a tree whose leaves stand at positions 0, 1, 2, ...; an empty leaf is the default node.</summary>
    /// <exception cref="ArgumentException">More than 2^depth leaves.</exception>
    public static SumTree Build(int depth, IReadOnlyList<TreeNode> leaves)
    {
        ArgumentNullException.ThrowIfNull(leaves);
        List<ulong> positions = new(leaves.Count);
        List<TreeNode> present = new(leaves.Count);
        for (int i = 0; i < leaves.Count; i++)
        {
            if (leaves[i] != default)
            {
                positions.Add((ulong)i);
                present.Add(leaves[i]);
            }
        }

        return Build(depth, [.. positions], [.. present]);
    }

    /// <summary>The smallest depth whose tree has room for a number of leaves: 0 for one leaf or none.</summary>
    public static int DepthFor(long leaves) => leaves <= 1 ? 0 : 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)leaves - 1);

    /// <summary>The node of a height in 0..Depth at an index in 0..2^(Depth-height)-1.</summary>
    public TreeNode Node(int height, ulong index)
    {
        RequireIndex(height, index);
        return _levels[height].Find(index, height);
    }

    /// <summary>The siblings from a node upwards, Depth - height of them: the opening of a leaf (height 0) or of the aligned subtree of
    /// 2^height leaves.</summary>
    public TreeNode[] Open(ulong index, int height = 0)
    {
        RequireIndex(height, index);
        TreeNode[] siblings = new TreeNode[Depth - height];
        for (int i = 0; i < siblings.Length; i++)
        {
            siblings[i] = _levels[height + i].Find((index >> i) ^ 1, height + i);
        }

        return siblings;
    }

    private void RequireIndex(int height, ulong index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(height);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(height, Depth);
        int bits = Depth - height;
        if (bits < 64 && index >> bits != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"the tree has 2^{bits} nodes of height {height}");
        }
    }

    private sealed record Level(ulong[] Indices, TreeNode[] Nodes)
    {
        public TreeNode Find(ulong index, int height)
        {
            // Where positions are adjacent from 0 on, which is the usual case, a node stands at its own index.
            int i = index < (ulong)Indices.Length && Indices[index] == index ? (int)index : Array.BinarySearch(Indices, index);
            return i < 0 ? TreeNode.Empty(height) : Nodes[i];
        }

        public Level Parents(int height)
        {
            List<int> firstChild = new(Indices.Length / 2 + 1);
            for (int i = 0; i < Indices.Length; i += HasRightSibling(i) ? 2 : 1)
            {
                firstChild.Add(i);
            }

            ulong[] indices = new ulong[firstChild.Count];
            TreeNode[] nodes = new TreeNode[firstChild.Count];
            void Join(int parent)
            {
                int child = firstChild[parent];
                indices[parent] = Indices[child] >> 1;
                TreeNode empty = TreeNode.Empty(height - 1);
                nodes[parent] = HasRightSibling(child) ? TreeNode.Join(Nodes[child], Nodes[child + 1])
                    : (Indices[child] & 1) == 0 ? TreeNode.Join(Nodes[child], empty)
                    : TreeNode.Join(empty, Nodes[child]);
            }

            if (nodes.Length < ParallelThreshold)
            {
                for (int parent = 0; parent < nodes.Length; parent++)
                {
                    Join(parent);
                }
            }
            else
            {
                InParallel(nodes.Length, Join);
            }

            return new Level(indices, nodes);
        }

        private bool HasRightSibling(int i) => (Indices[i] & 1) == 0 && i + 1 < Indices.Length && Indices[i + 1] == Indices[i] + 1;

        // An overflow is the caller's error and must reach it as such, not wrapped.
        private static void InParallel(int count, Action<int> body)
        {
            try
            {
                Parallel.For(0, count, body);
            }
            catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OverflowException))
            {
                throw new OverflowException(e.InnerException!.Message, e);
            }
        }
    }
}
