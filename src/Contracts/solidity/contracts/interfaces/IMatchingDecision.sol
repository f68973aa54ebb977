// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "./ICommitments.sol";
import {
    Book,
    ClassEvidence,
    Epoch,
    PriceOpening,
    Request,
    RequestOpening,
    RequestTerms,
    Round,
    RoundHeader,
    RowOpening,
    SalesOpening
} from "../Types.sol";

/// @title Requests and the rounds that match them
/// @notice A request stands in the open book of its schema. The market closes the book, posts one round for it (prices, surpluses, sales), and
/// every claim of the round can be refuted from openings alone. E1 to E8 name the conditions of the match: docs/WIRE.md.
interface IMatchingDecision is ICommitments {
    event RequestOpened(
        uint64 indexed requestId,
        address indexed researcher,
        bytes32 indexed schemaId,
        uint32 book,
        uint32 index,
        uint32 capacity,
        RequestTerms terms
    );
    event RequestCancelled(uint64 indexed requestId);
    event BookClosed(bytes32 indexed schemaId, uint32 indexed ordinal, uint32 requestCount, uint64 closedAt, uint64 closedBlock);
    event RoundCommitted(bytes32 indexed roundId, bytes32 indexed schemaId, uint32 indexed ordinal, RoundHeader header, address committer);
    event SeedSealed(bytes32 indexed roundId, bytes32 blockHash);
    event SeedRevealed(bytes32 indexed roundId, bytes32 seed);

    error RequestsPaused();
    error RequestExists(uint64 requestId);
    error UnknownRequest(uint64 requestId);
    error DeadlineTooEarly(uint256 deadline, uint256 earliest);
    error DeadlineTooLate(uint256 deadline, uint256 latest);
    error BudgetTooSmall(uint256 budget, uint256 minimum);
    /// @notice The budget or the target does not reach the minimum number of records (at least one).
    error CapacityTooSmall(uint256 capacity, uint256 minimum);
    error BookIsClosed(uint64 requestId);
    error BookNotClosed(bytes32 schemaId, uint32 ordinal);
    error BookEmpty(bytes32 schemaId, uint32 ordinal);
    error BookOpenUntil(bytes32 schemaId, uint256 until);
    error AlreadyCancelled(uint64 requestId);
    /// @notice The block two after the commitment is not mined yet.
    error SeedBlockPending(uint256 blockNumber);
    /// @notice The block hash left the 256 blocks that the chain remembers.
    error SeedBlockGone(uint256 blockNumber);
    error SeedAlreadySealed(bytes32 roundId);
    error SeedNotSealedYet(bytes32 roundId);
    error WrongReveal(bytes32 expected, bytes32 actual);
    /// @notice The attempt before is not void.
    error PreviousAttemptStands(bytes32 roundId);

    // ---- requests ----

    /// @notice Opens and funds a request in one call; the caller has approved AnonymousTransaction for the budget.
    function openRequest(RequestTerms calldata terms) external returns (uint64 requestId);

    /// @notice As openRequest, with an ERC-2612 permit for AnonymousTransaction over exactly the budget. A permit that somebody else used first does not
    /// matter: the allowance decides.
    function openRequestWithPermit(
        RequestTerms calldata terms,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint64 requestId);

    /// @notice Cancels a request while its book is open and pays the whole budget back. Its index stays and takes no part.
    function cancelRequest(uint64 requestId) external;

    // ---- rounds ----

    /// @notice Closes the open book of a schema. The market; at most once per book interval; never an empty book.
    function closeBook(bytes32 schemaId) external returns (uint32 ordinal);

    /// @notice Posts the round of a closed book. The market, with its bond. Attempt k > 0 needs attempt k - 1 void.
    function commitRound(RoundHeader calldata header) external returns (bytes32 roundId);

    /// @notice Stores the hash of the block two after the commitment. Anyone, within 256 blocks.
    function sealSeed(Round calldata round) external;

    /// @notice Voids a round whose block hash was not sealed in time.
    function voidUnsealed(Round calldata round) external;

    /// @notice Voids a round whose seed was not revealed in time.
    function voidUnrevealed(Round calldata round) external;

    /// @notice Makes an unchallenged round final after its window and fixes its seed = keccak256(reveal, block hash). Anyone who knows the reveal.
    function finaliseRound(Round calldata round, bytes32 reveal) external;

    // ---- challenges ----

    /// @notice Faults of one (class, request): E1 blocking pair, E2 overcharge, E5 x > n, E6 inadmissible (or sold to a dropped or cancelled request).
    function challengePair(
        Round calldata round,
        ClassEvidence calldata class_,
        PriceOpening calldata price,
        RequestOpening calldata request,
        SalesOpening calldata sale
    ) external;

    /// @notice Faults of one class: E3 premium though unsold, E5 more than n q sold.
    /// @param row the class's row of X
    function challengeClass(
        Round calldata round,
        ClassEvidence calldata class_,
        PriceOpening calldata price,
        RowOpening calldata row
    ) external;

    /// @notice Faults of one request: E4 surplus though unfilled, E5 more than N, or dropped without a minimum, or kept below it.
    /// @param row the request's row of Y
    function challengeRequest(Round calldata round, RequestOpening calldata request, RowOpening calldata row) external;

    /// @notice E7: X(c, j) differs from Y(j, c).
    /// @param classPosition c, the position in C
    /// @param requestIndex j, the index in the book
    function challengeSymmetry(
        Round calldata round,
        uint32 classPosition,
        uint32 requestIndex,
        SalesOpening calldata byClass,
        SalesOpening calldata byRequest
    ) external;

    /// @notice E8: a premium whose named support does not hold it up. What a decided condition does not need may be left empty: with a support
    /// request outside the book only `price` is read; later arguments only when the earlier ones prove nothing.
    /// @param sale X(c, j) of the class and its support request
    /// @param row the support request's row of Y
    /// @param supportSale X(c', j) of the support class
    function challengeSupport(
        Round calldata round,
        ClassEvidence calldata class_,
        PriceOpening calldata price,
        RequestOpening calldata request,
        SalesOpening calldata sale,
        RowOpening calldata row,
        ClassEvidence calldata supportClass,
        PriceOpening calldata supportPrice,
        SalesOpening calldata supportSale
    ) external;

    /// @notice Something sold by a class, or to a request, that the round cannot contain.
    /// @param epoch the site's current epoch when the class index lies beyond its classes; ignored otherwise
    function challengePhantom(
        Round calldata round,
        uint32 classPosition,
        uint32 requestIndex,
        SalesOpening calldata sale,
        Epoch calldata epoch
    ) external;

    // ---- data availability ----

    /// @notice Demands a leaf of C (kind 3), J (4), X (5) or Y (6), with the deposit, in the first half of the window. Anyone.
    function demandLeaf(Round calldata round, uint8 kind, uint64 position) external;

    function answerPrice(Round calldata round, PriceOpening calldata price) external;

    /// @param position index in the book (`request.requestId` is not read)
    function answerRequest(Round calldata round, uint32 position, RequestOpening calldata request) external;

    /// @param kind 5 for X, 6 for Y
    function answerSales(Round calldata round, uint8 kind, uint64 position, SalesOpening calldata sale) external;

    function voidUnanswered(Round calldata round, uint8 kind, uint64 position) external;

    // ---- views ----

    function requestOf(uint64 requestId) external view returns (Request memory);
    /// @notice What a delivery needs to know: the final round of the request's book (0 = none yet) and the deadline.
    function deliveryTermsOf(uint64 requestId) external view returns (bytes32 roundId, uint40 deadline);
    function requestCount() external view returns (uint64);
    function bookOf(bytes32 schemaId, uint32 ordinal) external view returns (Book memory);
    /// @notice Ordinal of the book that new requests of the schema join.
    function openBook(bytes32 schemaId) external view returns (uint32);
    function roundIdOf(bytes32 schemaId, uint32 ordinal, uint32 attempt) external view returns (bytes32);
    /// @notice 0 until the round is final.
    function seedOf(bytes32 roundId) external view returns (bytes32);
    function sealedBlockHash(bytes32 roundId) external view returns (bytes32);
    /// @notice Round that decided the request's book; 0 until it is final.
    function finalRoundOf(bytes32 schemaId, uint32 ordinal) external view returns (bytes32);
    /// @notice Sum of the windows that a deadline must leave room for, in seconds.
    function minimumLead() external view returns (uint256);
}
