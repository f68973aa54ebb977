using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Batches;

/// <summary>A site's members and classes for one schema, with their trees: what is posted, and every opening of it.</summary>
public sealed class EpochBatch
{
    private EpochBatch(Bytes32 id, EpochHeader header, MemberLeaf[] members, ClassLeaf[] classes, uint[] starts, SumTree memberTree,
        SumTree classTree) =>
        (Id, Header, Members, Classes, Starts, MemberTree, ClassTree) = (id, header, members, classes, starts, memberTree, classTree);

    /// <summary>The batch's id.</summary>
    public Bytes32 Id { get; }

    /// <summary>What is posted.</summary>
    public EpochHeader Header { get; }

    /// <summary>Members by position; class k holds Starts[k] .. Starts[k] + Size - 1.</summary>
    public IReadOnlyList<MemberLeaf> Members { get; }

    /// <summary>Classes by index.</summary>
    public IReadOnlyList<ClassLeaf> Classes { get; }

    /// <summary>First member position of each class.</summary>
    public IReadOnlyList<uint> Starts { get; }

    /// <summary>The tree of the members.</summary>
    public SumTree MemberTree { get; }

    /// <summary>The tree of the classes.</summary>
    public SumTree ClassTree { get; }

    /// <summary>Builds the trees and the header. Hashes on all cores.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="accessControl">The contract DynamicAccessControl.</param>
    /// <param name="site">The site's number, from 1.</param>
    /// <param name="schemaId">The schema.</param>
    /// <param name="epoch">The epoch's number, from 1.</param>
    /// <param name="payoutDepth">Depth of every member's payout tree, in 0..16.</param>
    /// <param name="classes">The classes by index; each has at least one member.</param>
    /// <param name="members">The members by position, in the order of their classes.</param>
    /// <param name="dataHash">Hash of the leaf file that sites and auditors mirror.</param>
    /// <exception cref="ArgumentException">The members do not fill the classes one after the other.</exception>
    public static EpochBatch Build(
        ulong chainId, Address accessControl, uint site, Bytes32 schemaId, uint epoch, byte payoutDepth, ClassLeaf[] classes,
        MemberLeaf[] members, Bytes32 dataHash)
    {
        ArgumentNullException.ThrowIfNull(classes);
        ArgumentNullException.ThrowIfNull(members);
        uint[] starts = new uint[classes.Length];
        uint start = 0;
        for (int i = 0; i < classes.Length; i++)
        {
            starts[i] = start;
            for (uint position = start; position < start + classes[i].Size; position++)
            {
                if (position >= members.Length || members[position].LocalClass != i)
                {
                    throw new ArgumentException(
                        $"class {i} has {classes[i].Size} members from position {start} on, but the member at {position} is of another "
                            + "class or missing", nameof(members));
                }
            }

            start += classes[i].Size;
        }

        if (start != members.Length || start == 0)
        {
            throw new ArgumentException(
                $"the classes have {start} members together, but {members.Length} are given, and an epoch has at least one",
                nameof(members));
        }

        Bytes32 id = BatchId.Epoch(chainId, accessControl, site, schemaId, epoch);
        TreeNode[] memberNodes = new TreeNode[members.Length];
        Parallel.For(0, members.Length, position => memberNodes[position] = Leaves.Member(id, (uint)position, members[position]));
        TreeNode[] classNodes = [.. classes.Select((leaf, index) => Leaves.Class(id, (uint)index, leaf))];
        SumTree memberTree = SumTree.Build(SumTree.DepthFor(members.Length), memberNodes);
        SumTree classTree = SumTree.Build(SumTree.DepthFor(classes.Length), classNodes);
        EpochHeader header = new(
            site, schemaId, epoch, (byte)memberTree.Depth, (byte)classTree.Depth, payoutDepth, (uint)members.Length, (uint)classes.Length,
            memberTree.Root.Hash, classTree.Root.Hash, dataHash);
        return new EpochBatch(id, header, members, classes, starts, memberTree, classTree);
    }

    /// <summary>The opening of a member.</summary>
    public MemberOpening OpenMember(uint position) => new(position, Members[(int)position], MemberTree.Siblings(position));

    /// <summary>The opening of a class.</summary>
    public ClassOpening OpenClass(uint index) => new(index, Classes[(int)index], ClassTree.Siblings(index));

    /// <summary>The opening of a class together with its epoch.</summary>
    public ClassEvidence Evidence(Posting posting, uint index) => new(new Epoch(Header, posting), OpenClass(index));
}
