using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Grains.Exchange;

/// <summary>
/// Opens the leaf that somebody demands of a posted batch (docs/WIRE.md, "Life of a batch"): whoever posted it has half a window to, or
/// the batch is void. Empty positions are opened alike.
/// </summary>
public static class DemandAnswers
{
    /// <summary>Opens a member (kind 1) or a class (kind 2) of an epoch.</summary>
    public static ContractCall Epoch(DynamicAccessControl contract, EpochBatch batch, Posting posting, byte kind, ulong position)
    {
        ArgumentNullException.ThrowIfNull(contract);
        ArgumentNullException.ThrowIfNull(batch);
        Epoch epoch = new(batch.Header, posting);
        uint at = checked((uint)position);
        return (LeafKind)kind == LeafKind.Class
            ? contract.AnswerClass(epoch,
                at < batch.Classes.Count ? batch.OpenClass(at) : new ClassOpening(at, NoClass, batch.ClassTree.Siblings(at)))
            : contract.AnswerMember(
                epoch, at < batch.Members.Count ? batch.OpenMember(at) : new MemberOpening(at, NoMember, batch.MemberTree.Siblings(at)));
    }

    /// <summary>Opens a leaf of one of a round's four trees (kinds 3 to 6).</summary>
    /// <param name="contract">The contract.</param>
    /// <param name="batch">The round.</param>
    /// <param name="posting">Who posted it when.</param>
    /// <param name="requestIds">The requests by index.</param>
    /// <param name="kind">The tree.</param>
    /// <param name="position">The position in it.</param>
    public static ContractCall Round(
        MatchingDecision contract, RoundBatch batch, Posting posting, IReadOnlyList<ulong> requestIds, byte kind, ulong position)
    {
        ArgumentNullException.ThrowIfNull(contract);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(requestIds);
        Round round = new(batch.Header, posting);
        (uint requestMask, uint classMask) = ((1u << batch.Header.RequestBits) - 1, (uint)((1UL << batch.PositionBits) - 1));
        switch ((LeafKind)kind)
        {
            case LeafKind.Price:
                return contract.AnswerPrice(round, batch.OpenPrice((uint)position));
            case LeafKind.Surplus:
                return contract.AnswerRequest(round, (uint)position, position < (ulong)requestIds.Count
                    ? batch.OpenRequest(requestIds[(int)position], (uint)position)
                    : new RequestOpening(0, new RequestLeaf(0, false), batch.RequestTree.Siblings(position)));
            case LeafKind.SalesByClass:
                return contract.AnswerSales(
                    round, kind, position, batch.OpenByClass((uint)(position >> batch.Header.RequestBits), (uint)position & requestMask));
            default:
                return contract.AnswerSales(
                    round, kind, position, batch.OpenByRequest((uint)position & classMask, (uint)(position >> batch.PositionBits)));
        }
    }

    /// <summary>Opens a slot of a delivery.</summary>
    public static ContractCall Delivery(DataEvaluation contract, DeliveryBatch batch, Posting posting, ulong position)
    {
        ArgumentNullException.ThrowIfNull(contract);
        ArgumentNullException.ThrowIfNull(batch);
        return contract.AnswerDelivery(new Delivery(batch.Header, posting), batch.Open((uint)position));
    }

    private static MemberLeaf NoMember => new(Bytes32.Zero, Address.Zero, 0, Bytes32.Zero, 0, 0, Bytes32.Zero);

    private static ClassLeaf NoClass => new(0, 0, 0, 0, [0, 0, 0, 0], 0, 0, Bytes32.Zero);
}
