using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Merkle;

/// <summary>The typed leaves of every tree (docs/WIRE.md, "Trees"). A leaf that its table calls empty is the default node.</summary>
public static class Leaves
{
    /// <summary>A member of an epoch; empty when the pseudonym is zero.</summary>
    public static TreeNode Member(Bytes32 epochId, uint position, MemberLeaf leaf)
    {
        ArgumentNullException.ThrowIfNull(leaf);
        WordWriter words = new(stackalloc byte[7 * Bytes32.Length]);
        words.Write(leaf.Pseudonym);
        words.Write(leaf.Controller);
        words.Write((ulong)leaf.LocalClass);
        words.Write(leaf.PayoutRoot);
        words.Write((ulong)leaf.PreviousEpoch);
        words.Write((ulong)leaf.PreviousPosition);
        words.Write(leaf.Salt);
        return leaf.Pseudonym == Bytes32.Zero ? default : LeafHash.Of(LeafKind.Member, epochId, position, words.Written, new SumWord(1));
    }

    /// <summary>A class of an epoch; empty when it has no members.</summary>
    public static TreeNode Class(Bytes32 epochId, uint index, ClassLeaf leaf)
    {
        ArgumentNullException.ThrowIfNull(leaf);
        WordWriter words = new(stackalloc byte[11 * Bytes32.Length]);
        words.Write((ulong)leaf.Size);
        words.Write((ulong)leaf.Quota);
        words.Write(leaf.Ceilings);
        words.Write(leaf.HighWater);
        foreach (UInt128 rate in leaf.Rates)
        {
            words.Write(rate);
        }

        words.Write(leaf.Purposes);
        words.Write(leaf.ExpiresAt);
        words.Write(leaf.PublicCell);
        return leaf.Size == 0 ? default : LeafHash.Of(LeafKind.Class, epochId, index, words.Written, new SumWord(leaf.Size));
    }

    /// <summary>A class's premium in a round; empty when it is zero.</summary>
    public static TreeNode Price(Bytes32 roundId, uint position, PriceLeaf leaf)
    {
        ArgumentNullException.ThrowIfNull(leaf);
        WordWriter words = new(stackalloc byte[4 * Bytes32.Length]);
        words.Write(leaf.Premium);
        words.Write((ulong)leaf.SupportRequest);
        words.Write((ulong)leaf.SupportClass);
        words.Write((ulong)leaf.Rank);
        return leaf.Premium == 0 ? default : LeafHash.Of(LeafKind.Price, roundId, position, words.Written, default);
    }

    /// <summary>A request's surplus in a round; empty when it is zero and the request was not dropped.</summary>
    public static TreeNode Surplus(Bytes32 roundId, uint index, RequestLeaf leaf)
    {
        ArgumentNullException.ThrowIfNull(leaf);
        WordWriter words = new(stackalloc byte[2 * Bytes32.Length]);
        words.Write(leaf.Surplus);
        words.Write(leaf.Dropped);
        return leaf.Surplus == 0 && !leaf.Dropped ? default : LeafHash.Of(LeafKind.Surplus, roundId, index, words.Written, default);
    }

    /// <summary>A quantity in one of the two sales trees; empty when it is zero.</summary>
    /// <param name="kind">SalesByClass or SalesByRequest.</param>
    /// <param name="roundId">The round.</param>
    /// <param name="position">Row and column: see the table.</param>
    /// <param name="quantity">Records sold.</param>
    public static TreeNode Sales(LeafKind kind, Bytes32 roundId, ulong position, uint quantity) =>
        quantity == 0 ? default : LeafHash.Of(kind, roundId, position, [], new SumWord(quantity));

    /// <summary>A delivered record; empty when the payout address is zero.</summary>
    public static TreeNode Delivery(Bytes32 deliveryId, uint slot, DeliveryLeaf leaf)
    {
        ArgumentNullException.ThrowIfNull(leaf);
        WordWriter words = new(stackalloc byte[4 * Bytes32.Length]);
        words.Write((ulong)leaf.LocalClass);
        words.Write((ulong)leaf.MemberPosition);
        words.Write(leaf.PayoutAddress);
        words.Write(leaf.ReportHash);
        return leaf.PayoutAddress == Address.Zero
            ? default
            : LeafHash.Of(LeafKind.Delivery, deliveryId, slot, words.Written, new SumWord(leaf.Amount, 1, leaf.Effective));
    }

    /// <summary>A payout address of a member; empty when it is zero.</summary>
    public static TreeNode Payout(Bytes32 pseudonym, uint index, Address payoutAddress)
    {
        WordWriter words = new(stackalloc byte[Bytes32.Length]);
        words.Write(payoutAddress);
        return payoutAddress == Address.Zero ? default : LeafHash.Of(LeafKind.Payout, pseudonym, index, words.Written, default);
    }
}
