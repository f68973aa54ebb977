// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What epochs, rounds and deliveries have in common
/// @notice A batch is posted as the hash of its header. It is posted, then either final or void; both are for ever. While it is posted, anybody may
/// prove a fault in it, and whoever may see its leaves may demand one; nothing is final while a demand is open.
interface ICommitments {
    enum Status {
        Absent,
        Posted,
        Final,
        Void
    }

    /// @notice Why a batch became void.
    enum Fault {
        None,
        LeafWithheld,
        // epochs
        ClassRange,
        DuplicatePseudonym,
        EpsilonCap,
        HistoryPointer,
        HistorySkipped,
        HighWaterFell,
        // rounds
        BlockingPair,
        Overcharge,
        UnsoldPremium,
        UnfilledSurplus,
        QuantityExceeded,
        Inadmissible,
        SalesDiffer,
        UnsupportedPremium,
        Dropping,
        Phantom,
        SeedNotSealed,
        SeedNotRevealed,
        // deliveries
        WrongClass,
        WrongMember,
        WrongPayoutAddress,
        WrongAmount,
        WrongEffective,
        RevokedMember,
        ExcessSlot
    }

    struct BatchState {
        Status status;
        uint32 openDemands;
        uint64 finalisedAt;
        uint64 finalisedBlock;
    }

    struct Demand {
        address demander;
        uint64 answerBy;
    }

    event BatchFinalised(bytes32 indexed batchId);
    event BatchVoided(bytes32 indexed batchId, Fault indexed fault, address indexed challenger);
    event LeafDemanded(bytes32 indexed batchId, uint8 indexed kind, uint64 indexed position, address demander, uint64 answerBy);
    event LeafAnswered(bytes32 indexed batchId, uint8 indexed kind, uint64 indexed position, address responder);
    event DemandReclaimed(bytes32 indexed batchId, uint8 indexed kind, uint64 indexed position, address demander);

    /// @notice A deployment parameter under which the rules would bind nobody.
    error InvalidParameter(string name);
    error BatchExists(bytes32 batchId);
    /// @notice The header handed in is not the one that was posted, or nothing was.
    error UnknownBatch(bytes32 batchId);
    error NotPosted(bytes32 batchId, Status status);
    error NotFinal(bytes32 batchId, Status status);
    error WindowOpen(bytes32 batchId, uint256 until);
    error DemandsOpen(bytes32 batchId, uint256 count);
    error DemandTooLate(bytes32 batchId, uint256 until);
    error DemandExists(bytes32 batchId, uint8 kind, uint64 position);
    error NoDemand(bytes32 batchId, uint8 kind, uint64 position);
    error AnswerTooLate(uint256 answerBy);
    error AnswerStillDue(uint256 answerBy);
    error BatchNotVoid(bytes32 batchId, Status status);
    error UnknownKind(uint8 kind);
    error PositionOutOfRange(uint64 position, uint256 limit);
    /// @notice The openings are genuine but prove no fault.
    error NoFault();
    /// @notice Openings that do not belong together (another site, schema, request, class or position than the context asks for).
    error Unrelated();
    error Unauthorised(address caller);
    error InvalidHeader(string field);

    /// @notice State of a batch.
    function batchState(bytes32 batchId) external view returns (BatchState memory);

    /// @notice keccak256(abi.encode(batch)), batch = header and posting; 0 when absent.
    function commitmentOf(bytes32 batchId) external view returns (bytes32);

    /// @notice The open demand of a leaf; zero when there is none.
    function demandOf(bytes32 batchId, uint8 kind, uint64 position) external view returns (Demand memory);

    /// @notice Takes the deposit of an unanswered demand back after the batch became void for another reason.
    function reclaimDemand(bytes32 batchId, uint8 kind, uint64 position) external;
}
