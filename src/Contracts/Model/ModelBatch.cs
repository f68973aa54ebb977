using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Model;

/// <summary>Where a batch stands; numbered as in ICommitments.</summary>
public enum BatchStatus
{
    /// <summary>Never posted.</summary>
    Absent,

    /// <summary>Open to challenges.</summary>
    Posted,

    /// <summary>Nothing was proved against it.</summary>
    Final,

    /// <summary>A fault was proved.</summary>
    Void,
}

/// <summary>Why a batch became void; numbered as in ICommitments.</summary>
public enum BatchFault
{
    /// <summary>It is not void.</summary>
    None,

    /// <summary>A demanded leaf was not opened.</summary>
    LeafWithheld,

    /// <summary>A position of a class's range is empty or names another class.</summary>
    ClassRange,

    /// <summary>Two members carry one pseudonym.</summary>
    DuplicatePseudonym,

    /// <summary>The high-water grades cost more than the cap.</summary>
    EpsilonCap,

    /// <summary>A member points to something that is not its past.</summary>
    HistoryPointer,

    /// <summary>A member leaves out a final epoch in which it stood.</summary>
    HistorySkipped,

    /// <summary>A high-water grade fell.</summary>
    HighWaterFell,

    /// <summary>E1.</summary>
    BlockingPair,

    /// <summary>E2.</summary>
    Overcharge,

    /// <summary>E3.</summary>
    UnsoldPremium,

    /// <summary>E4.</summary>
    UnfilledSurplus,

    /// <summary>E5.</summary>
    QuantityExceeded,

    /// <summary>E6.</summary>
    Inadmissible,

    /// <summary>E7.</summary>
    SalesDiffer,

    /// <summary>E8.</summary>
    UnsupportedPremium,

    /// <summary>Dropped without a minimum, or kept below it.</summary>
    Dropping,

    /// <summary>A sale by or to something that does not exist.</summary>
    Phantom,

    /// <summary>The block hash left the chain's memory.</summary>
    SeedNotSealed,

    /// <summary>The reveal did not come in time.</summary>
    SeedNotRevealed,

    /// <summary>A slot names another class than the sale's.</summary>
    WrongClass,

    /// <summary>A slot names another member than the one drawn.</summary>
    WrongMember,

    /// <summary>A slot pays another address than the member's.</summary>
    WrongPayoutAddress,

    /// <summary>A slot pays another amount than ask and premium.</summary>
    WrongAmount,

    /// <summary>A slot claims other effective records than its score.</summary>
    WrongEffective,

    /// <summary>The member was revoked.</summary>
    RevokedMember,

    /// <summary>A slot beyond everything that was sold.</summary>
    ExcessSlot,
}

/// <summary>One posted batch.</summary>
internal sealed class ModelBatch
{
    public required object Content { get; init; }

    public required Posting Posting { get; init; }

    public BatchStatus Status { get; set; } = BatchStatus.Posted;

    public uint OpenDemands { get; set; }

    public ulong FinalisedAt { get; set; }

    public ulong FinalisedBlock { get; set; }

    public Dictionary<(byte Kind, ulong Position), Demand> Demands { get; } = [];

    /// <summary>Rounds only: the hash of the block that seeds it, and the seed.</summary>
    public Bytes32 SealedHash { get; set; }

    public Bytes32 Seed { get; set; }
}
