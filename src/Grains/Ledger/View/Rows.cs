using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;

namespace EmrMarket.Grains.Ledger.View;

/// <summary>A registered site.</summary>
public sealed record SiteRow(uint Site, Address Account, Bytes32 ProfileHash);

/// <summary>A published schema. Its ladder and qualities stand in the call, and follow from the schema's document.</summary>
public sealed record SchemaRow(Bytes32 SchemaId, byte Attributes, byte Grades, UInt128 Tiers, ulong CapMicro);

/// <summary>What every batch has.</summary>
public abstract record BatchRow
{
    /// <summary>The batch's id (docs/WIRE.md, "Batches").</summary>
    public required Bytes32 Id { get; init; }

    /// <summary>Who posted it, when and in which block: part of what every later call hands in.</summary>
    public required Posting Posting { get; init; }

    /// <summary>Where it stands.</summary>
    public BatchStatus Status { get; init; } = BatchStatus.Posted;

    /// <summary>The fault that voided it.</summary>
    public BatchFault Fault { get; init; }

    /// <summary>Who proved the fault, and got half of the bond; null when it is not void.</summary>
    public Address? Challenger { get; init; }

    /// <summary>When it became final or void, unix seconds; 0 before.</summary>
    public ulong EndedSeconds { get; init; }

    /// <summary>The block in which it became final or void; 0 before.</summary>
    public ulong EndedBlock { get; init; }
}

/// <summary>A site's epoch.</summary>
public sealed record EpochRow : BatchRow
{
    /// <summary>What was posted.</summary>
    public required EpochHeader Header { get; init; }
}

/// <summary>A round of a schema: the match of one book.</summary>
public sealed record RoundRow : BatchRow
{
    /// <summary>What was posted.</summary>
    public required RoundHeader Header { get; init; }

    /// <summary>The sealed block hash; null before.</summary>
    public Bytes32? SealedBlockHash { get; init; }

    /// <summary>The seed, which follows from reveal and block hash; null before.</summary>
    public Bytes32? Seed { get; init; }
}

/// <summary>A site's delivery to a request.</summary>
public sealed record DeliveryRow : BatchRow
{
    /// <summary>What was posted.</summary>
    public required DeliveryHeader Header { get; init; }

    /// <summary>Slots that were paid out.</summary>
    public uint Claimed { get; init; }
}

/// <summary>An opened request.</summary>
public sealed record RequestRow
{
    /// <summary>Its number.</summary>
    public required ulong RequestId { get; init; }

    /// <summary>Who opened and funded it.</summary>
    public required Address Researcher { get; init; }

    /// <summary>The book that holds it.</summary>
    public required uint Book { get; init; }

    /// <summary>Its index in the book.</summary>
    public required uint Index { get; init; }

    /// <summary>The most records it can buy.</summary>
    public required uint Capacity { get; init; }

    /// <summary>Its terms, which name the schema.</summary>
    public required RequestTerms Terms { get; init; }

    /// <summary>When it was opened, unix seconds.</summary>
    public required ulong OpenedSeconds { get; init; }

    /// <summary>The block that holds its opening.</summary>
    public required ulong OpenedBlock { get; init; }

    /// <summary>Whether it was cancelled before its book was closed.</summary>
    public bool Cancelled { get; init; }
}

/// <summary>A closed book of requests.</summary>
public sealed record BookRow(Bytes32 SchemaId, uint Ordinal, uint RequestCount, ulong ClosedSeconds, ulong ClosedBlock);

/// <summary>A payment for one slot of a delivery.</summary>
/// <param name="DeliveryId">The delivery.</param>
/// <param name="Slot">The slot.</param>
/// <param name="Payee">The payout address.</param>
/// <param name="Amount">Token units.</param>
public readonly record struct ClaimRow(Bytes32 DeliveryId, uint Slot, Address Payee, UInt128 Amount);

/// <summary>A request's money, in token units.</summary>
public sealed record EscrowRow
{
    /// <summary>The request.</summary>
    public required ulong RequestId { get; init; }

    /// <summary>What the researcher paid in.</summary>
    public required BigInteger Funded { get; init; }

    /// <summary>What is reserved for deliveries, paid claims and relay fees included.</summary>
    public BigInteger Reserved { get; init; }

    /// <summary>What patients were paid.</summary>
    public BigInteger Claimed { get; init; }

    /// <summary>What went back to the researcher.</summary>
    public BigInteger Refunded { get; init; }

    /// <summary>What nobody claimed and the patients' fund got.</summary>
    public BigInteger Expired { get; init; }

    /// <summary>Deliveries that became final.</summary>
    public uint Settled { get; init; }

    /// <summary>Whether the rest was given back.</summary>
    public bool IsClosed { get; init; }
}

/// <summary>A pseudonym that takes no further part.</summary>
public sealed record RevocationRow(uint Site, Bytes32 Pseudonym, ulong RevokedSeconds);

/// <summary>A finding about a site.</summary>
public sealed record FindingRow(uint Site, ulong Index, Address Author, byte Kind, Bytes32 ContentHash, ulong RecordedSeconds);

/// <summary>What became of a demand.</summary>
public enum DemandEnd
{
    /// <summary>Nothing yet; or its batch is void, and nobody took the deposit back.</summary>
    None,

    /// <summary>The leaf was opened: the deposit is the responder's.</summary>
    Answered,

    /// <summary>The batch became void, and the deposit went back.</summary>
    Reclaimed,
}

/// <summary>A leaf that somebody demanded: the last demand of it.</summary>
public sealed record DemandRow(Bytes32 BatchId, byte Kind, ulong Position, Address Demander, ulong AnswerBySeconds)
{
    /// <summary>The block of the demand: what tells it from an earlier one of the same leaf.</summary>
    public required ulong DemandedBlock { get; init; }

    /// <summary>What became of it.</summary>
    public DemandEnd End { get; init; }

    /// <summary>Who opened the leaf; null when nobody did.</summary>
    public Address? Responder { get; init; }

    /// <summary>When it ended, unix seconds; 0 before.</summary>
    public ulong EndedSeconds { get; init; }
}
