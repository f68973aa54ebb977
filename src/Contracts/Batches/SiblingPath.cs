using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Batches;

/// <summary>Openings in the form that the contracts take.</summary>
public static class SiblingPath
{
    /// <summary>The siblings from a node of a tree upwards.</summary>
    public static Sibling[] Siblings(this SumTree tree, ulong index, int height = 0)
    {
        ArgumentNullException.ThrowIfNull(tree);
        return Array.ConvertAll(tree.Open(index, height), node => new Sibling(node.Hash, node.Sum.ToInteger()));
    }

    /// <summary>The siblings as nodes.</summary>
    public static TreeNode[] Nodes(this Sibling[] siblings) =>
        Array.ConvertAll(siblings, sibling => new TreeNode(sibling.Hash, SumWord.FromInteger(sibling.Sum)));
}
