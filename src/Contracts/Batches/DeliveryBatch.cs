using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Batches;

/// <summary>What one site delivers to one request: a leaf per slot, empty where nothing was delivered.</summary>
public sealed class DeliveryBatch
{
    /// <summary>Leaves of the subtrees that a claim pays at once: 2^6.</summary>
    public const int SubtreeHeight = 6;

    private readonly DeliveryLeaf[] _leaves;

    private DeliveryBatch(Bytes32 id, DeliveryHeader header, DeliveryLeaf[] leaves, SumTree tree) =>
        (Id, Header, _leaves, Tree) = (id, header, leaves, tree);

    /// <summary>The leaf of a slot in which nothing was delivered.</summary>
    public static DeliveryLeaf Undelivered { get; } = new(0, 0, Address.Zero, Bytes32.Zero, 0, 0);

    /// <summary>The batch's id.</summary>
    public Bytes32 Id { get; }

    /// <summary>What is posted.</summary>
    public DeliveryHeader Header { get; }

    /// <summary>Leaves by slot.</summary>
    public IReadOnlyList<DeliveryLeaf> Leaves => _leaves;

    /// <summary>The tree of the slots.</summary>
    public SumTree Tree { get; }

    /// <summary>Number of aligned subtrees that together hold every slot.</summary>
    public int SubtreeCount => (_leaves.Length + (1 << ClaimHeight) - 1) >> ClaimHeight;

    private int ClaimHeight => Math.Min(SubtreeHeight, Tree.Depth);

    /// <summary>Builds the tree and the header.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="evaluation">The contract DataEvaluation.</param>
    /// <param name="requestId">The request.</param>
    /// <param name="site">The site.</param>
    /// <param name="attempt">0 for the first; one more after each void one.</param>
    /// <param name="leaves">Leaves by slot, one for every sale of the site to the request.</param>
    /// <param name="dataHash">Hash of the delivered report files.</param>
    public static DeliveryBatch Build(
        ulong chainId, Address evaluation, ulong requestId, uint site, uint attempt, DeliveryLeaf[] leaves, Bytes32 dataHash)
    {
        ArgumentNullException.ThrowIfNull(leaves);
        Bytes32 id = BatchId.Delivery(chainId, evaluation, requestId, site, attempt);
        TreeNode[] nodes = new TreeNode[leaves.Length];
        Parallel.For(0, leaves.Length, slot => nodes[slot] = Merkle.Leaves.Delivery(id, (uint)slot, leaves[slot]));
        SumTree tree = SumTree.Build(SumTree.DepthFor(leaves.Length), nodes);
        SumWord total = tree.Root.Sum;
        DeliveryHeader header = new(
            requestId, site, attempt, (byte)tree.Depth, total.Count, total.Value, total.Effective, tree.Root.Hash, dataHash);
        return new DeliveryBatch(id, header, leaves, tree);
    }

    /// <summary>The opening of a slot.</summary>
    public DeliveryOpening Open(uint slot) => new(slot, slot < _leaves.Length ? _leaves[slot] : Undelivered, Tree.Siblings(slot));

    /// <summary>The leaves of an aligned subtree and its path: the arguments of a claim of up to 64 payees.</summary>
    public (DeliveryLeaf[] Leaves, Sibling[] Path) OpenSubtree(uint subtree)
    {
        int first = checked((int)subtree << ClaimHeight);
        int count = Math.Min(1 << ClaimHeight, _leaves.Length - first);
        return (_leaves.AsSpan(first, count).ToArray(), Tree.Siblings(subtree, ClaimHeight));
    }
}
