using System.Globalization;
using System.Numerics;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Tests.Merkle;

public sealed class SumTreeTests
{
    private static readonly JsonElement Vectors = WireVectors.Read("trees.json");

    [Fact]
    public void Join_equals_the_vectors()
    {
        foreach (JsonElement node in Vectors.GetProperty("nodes").EnumerateArray())
        {
            Assert.Equal(Node(node), TreeNode.Join(Node(node.GetProperty("left")), Node(node.GetProperty("right"))));
        }
    }

    [Fact]
    public void Empty_subtrees_equal_the_vectors()
    {
        int height = 0;
        foreach (JsonElement root in Vectors.GetProperty("emptyRoots").EnumerateArray())
        {
            Assert.Equal(new TreeNode(Bytes32.Parse(root.GetString()!), default), TreeNode.Empty(height++));
        }
    }

    [Fact]
    public void Sums_that_carry_out_of_a_lane_are_refused()
    {
        foreach (JsonElement pair in Vectors.GetProperty("sumOverflows").EnumerateArray())
        {
            SumWord left = Sum(pair[0]);
            SumWord right = Sum(pair[1]);
            Assert.False(SumWord.TryAdd(left, right, out _));
            Assert.Throws<OverflowException>(() => left + right);
        }
    }

    [Fact]
    public void Sales_trees_equal_the_vectors()
    {
        foreach (JsonElement tree in Vectors.GetProperty("sales").EnumerateArray())
        {
            LeafKind kind = (LeafKind)tree.GetProperty("kind").GetByte();
            Bytes32 rootId = Bytes32.Parse(tree.GetProperty("rootId").GetString()!);
            TreeNode[] leaves = [.. tree.GetProperty("quantities").EnumerateArray().Select((quantity, position) => quantity.GetUInt32() == 0
                ? default
                : LeafHash.Of(kind, rootId, (ulong)position, [], new SumWord(quantity.GetUInt32())))];
            RequireEqual(tree, SumTree.Build(tree.GetProperty("depth").GetInt32(), leaves));
        }
    }

    [Fact]
    public void Delivery_trees_equal_the_vectors()
    {
        foreach (JsonElement tree in Vectors.GetProperty("deliveries").EnumerateArray())
        {
            Bytes32 rootId = Bytes32.Parse(tree.GetProperty("rootId").GetString()!);
            TreeNode[] leaves = [.. tree.GetProperty("leaves").EnumerateArray().Select((leaf, position) =>
            {
                Address payee = Address.Parse(leaf.GetProperty("payoutAddress").GetString()!);
                if (payee == Address.Zero)
                {
                    return default;
                }

                byte[] words = new byte[4 * 32];
                leaf.GetProperty("localClass").GetUInt32().CopyWord(words.AsSpan(0));
                leaf.GetProperty("memberPosition").GetUInt32().CopyWord(words.AsSpan(32));
                payee.CopyTo(words.AsSpan(64 + 12));
                Bytes32.Parse(leaf.GetProperty("reportHash").GetString()!).CopyTo(words.AsSpan(96));
                SumWord sum = new((UInt128)Integer(leaf.GetProperty("amount")), 1, (UInt128)Integer(leaf.GetProperty("effective")));
                return LeafHash.Of(LeafKind.Delivery, rootId, (ulong)position, words, sum);
            })];
            RequireEqual(tree, SumTree.Build(tree.GetProperty("depth").GetInt32(), leaves));
        }
    }

    // The oracle is the definition itself: hash all 2^depth positions, level by level, empty ones included.
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(3, 5)]
    [InlineData(6, 64)]
    [InlineData(9, 333)]
    [InlineData(10, 0)]
    public void Tree_equals_its_definition_at_every_node(int depth, int count)
    {
        Random random = new(depth * 1000 + count);
        TreeNode[] level = new TreeNode[1 << depth];
        foreach (int position in Enumerable.Range(0, 1 << depth).OrderBy(_ => random.Next()).Take(count))
        {
            level[position] = RandomLeaf(random, (ulong)position);
        }

        SumTree tree = SumTree.Build(depth, level);
        TreeNode[] leaves = level;
        for (int height = 0; height <= depth; height++)
        {
            for (int i = 0; i < level.Length; i++)
            {
                Assert.Equal(level[i], tree.Node(height, (ulong)i));
                TreeNode[] path = tree.Open((ulong)i, height);
                Assert.True(SumPath.Proves(tree.Root, (ulong)i, level[i], path));
                SumWord before = leaves.Take(i << height).Aggregate(default(SumWord), (sum, leaf) => sum + leaf.Sum);
                Assert.Equal(before, SumPath.Prefix((ulong)i, path));
                int within = Math.Min(2, path.Length);
                SumWord beforeWithin = level.Skip(i >> within << within).Take(i & ((1 << within) - 1))
                    .Aggregate(default(SumWord), (sum, node) => sum + node.Sum);
                Assert.Equal(beforeWithin, SumPath.Prefix((ulong)i, path, within));
            }

            level = [.. level.Chunk(2).Where(pair => pair.Length == 2).Select(pair => TreeNode.Join(pair[0], pair[1]))];
        }
    }

    [Fact]
    public void Sparse_tree_equals_the_dense_one()
    {
        Random random = new(7);
        ulong[] positions = [.. Enumerable.Range(0, 4096).Where(_ => random.Next(3) == 0).Select(i => (ulong)i)];
        TreeNode[] leaves = [.. positions.Select(position => RandomLeaf(random, position))];
        TreeNode[] dense = new TreeNode[4096];
        for (int i = 0; i < positions.Length; i++)
        {
            dense[positions[i]] = leaves[i];
        }

        Assert.Equal(SumTree.Build(12, dense).Root, SumTree.Build(12, positions, leaves).Root);
    }

    [Fact]
    public void Deep_tree_opens_at_its_far_end()
    {
        ulong last = (1UL << 44) - 1;
        TreeNode leaf = RandomLeaf(new Random(1), last);
        SumTree tree = SumTree.Build(44, [last], [leaf]);
        Assert.True(SumPath.Proves(tree.Root, last, leaf, tree.Open(last)));
        Assert.True(SumPath.Proves(tree.Root, 0, default, tree.Open(0)));
    }

    [Fact]
    public void Every_altered_opening_is_refused()
    {
        Random random = new(3);
        TreeNode[] leaves = [.. Enumerable.Range(0, 37).Select(i => RandomLeaf(random, (ulong)i))];
        SumTree tree = SumTree.Build(6, leaves);
        TreeNode[] path = tree.Open(5);
        Assert.False(SumPath.Proves(tree.Root, 4, leaves[5], path));
        Assert.False(SumPath.Proves(tree.Root, 5, leaves[6], path));
        Assert.False(SumPath.Proves(tree.Root, 5, leaves[5], path.AsSpan(1)));
        Assert.False(SumPath.Proves(tree.Root, 5, leaves[5], [.. path, default]));
        Assert.False(SumPath.Proves(tree.Root, 64 + 5, leaves[5], path));
        for (int i = 0; i < path.Length; i++)
        {
            TreeNode[] altered = [.. path];
            altered[i] = altered[i] with { Sum = altered[i].Sum + new SumWord(1) };
            Assert.False(SumPath.Proves(tree.Root, 5, leaves[5], altered));
            altered[i] = new TreeNode(Keccak256.Hash([(byte)i]), path[i].Sum);
            Assert.False(SumPath.Proves(tree.Root, 5, leaves[5], altered));
            altered[i] = path[i] with { Sum = new SumWord(UInt128.MaxValue) };
            Assert.False(SumPath.Proves(tree.Root, 5, leaves[5], altered));
        }
    }

    [Fact]
    public void Node_preimage_is_never_a_leaf_preimage()
    {
        // A leaf's first byte is 0 and a node's 1, so a node offered as a leaf hashes to something else.
        TreeNode left = RandomLeaf(new Random(1), 0);
        TreeNode right = RandomLeaf(new Random(2), 1);
        byte[] words = new byte[64];
        left.Hash.CopyTo(words);
        right.Hash.CopyTo(words.AsSpan(32));
        Assert.NotEqual(TreeNode.Join(left, right).Hash, LeafHash.Of(LeafKind.Member, default, 0, words, left.Sum + right.Sum).Hash);
    }

    [Fact]
    public void Wrong_positions_are_refused()
    {
        TreeNode leaf = RandomLeaf(new Random(1), 0);
        Assert.Throws<ArgumentException>(() => SumTree.Build(2, [0, 4], [leaf, leaf]));
        Assert.Throws<ArgumentException>(() => SumTree.Build(2, [1, 1], [leaf, leaf]));
        Assert.Throws<ArgumentException>(() => SumTree.Build(2, [2, 1], [leaf, leaf]));
        Assert.Throws<ArgumentException>(() => SumTree.Build(2, [1], [leaf, leaf]));
        Assert.Throws<ArgumentOutOfRangeException>(() => SumTree.Build(2, [0], [leaf]).Open(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => SumTree.Build(65, [0], [leaf]));
    }

    [Fact]
    public void Overflow_of_the_total_is_refused_on_one_core_and_on_many()
    {
        TreeNode large = new(default, new SumWord(UInt128.MaxValue));
        TreeNode one = new(default, new SumWord(1));
        Assert.Throws<OverflowException>(() => SumTree.Build(1, [0, 1], [large, one]));
        Assert.Throws<OverflowException>(() => SumTree.Build(14, [.. Enumerable.Repeat(large, 1 << 14)]));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    [InlineData(1024, 10)]
    [InlineData(1025, 11)]
    [InlineData(200_000, 18)]
    public void Depth_is_the_smallest_that_fits(long leaves, int depth) => Assert.Equal(depth, SumTree.DepthFor(leaves));

    [Fact]
    [Trait("Duration", "Long")]
    public void Million_leaves_open_everywhere()
    {
        Random random = new(5);
        TreeNode[] leaves = [.. Enumerable.Range(0, 1_000_000).Select(i => RandomLeaf(random, (ulong)i))];
        SumTree tree = SumTree.Build(20, leaves);
        SumWord before = default;
        for (int i = 0; i < leaves.Length; i++)
        {
            TreeNode[] path = tree.Open((ulong)i);
            Assert.Equal(before, SumPath.Prefix((ulong)i, path));
            if (i % 97 == 0)
            {
                Assert.True(SumPath.Proves(tree.Root, (ulong)i, leaves[i], path));
            }

            before += leaves[i].Sum;
        }

        Assert.Equal(before, tree.Root.Sum);
    }

    private static TreeNode RandomLeaf(Random random, ulong position)
    {
        byte[] payload = new byte[64];
        random.NextBytes(payload);
        return LeafHash.Of(LeafKind.Delivery, Keccak256.Hash("tree"), position, payload,
            new SumWord((UInt128)random.NextInt64(), 1, (UInt128)random.Next()));
    }

    private static void RequireEqual(JsonElement expected, SumTree tree)
    {
        Assert.Equal(new TreeNode(Bytes32.Parse(expected.GetProperty("root").GetString()!), Sum(expected.GetProperty("sum"))), tree.Root);
        foreach (JsonElement opening in expected.GetProperty("openings").EnumerateArray())
        {
            ulong position = opening.GetProperty("position").GetUInt64();
            int height = opening.GetProperty("height").GetInt32();
            TreeNode[] path = [.. opening.GetProperty("path").EnumerateArray().Select(Node)];
            Assert.Equal(Node(opening), tree.Node(height, position));
            Assert.Equal(path, tree.Open(position, height));
            Assert.Equal(Sum(opening.GetProperty("prefix")), SumPath.Prefix(position, path));
        }
    }

    private static TreeNode Node(JsonElement json) =>
        new(Bytes32.Parse(json.GetProperty("hash").GetString()!), Sum(json.GetProperty("sum")));

    private static SumWord Sum(JsonElement json) => SumWord.FromInteger(Integer(json));

    private static BigInteger Integer(JsonElement json) => BigInteger.Parse(json.ToString(), CultureInfo.InvariantCulture);
}

internal static class WordExtensions
{
    public static void CopyWord(this uint value, Span<byte> word) =>
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(word[28..], value);
}
