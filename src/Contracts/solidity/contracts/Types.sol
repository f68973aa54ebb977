// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// Every structure that crosses a contract boundary. Byte layouts: docs/WIRE.md, section "Ledger".

/// @notice Addresses of the four contracts; each holds the other three as immutables.
struct Contracts {
    address accessControl;
    address matching;
    address evaluation;
    address payments;
}

/// @notice Deployment parameters; the same structure goes to every constructor. Times in seconds, money in token units.
struct Parameters {
    address token;
    address consortium;
    address market;
    address patientsFund;
    /// challenge windows, counted from posting
    uint32 epochWindow;
    uint32 roundWindow;
    uint32 deliveryWindow;
    /// least time between two closings of one schema's book
    uint32 bookInterval;
    /// time after the round's window in which the market must reveal its seed
    uint32 revealGrace;
    /// time after a request's deadline in which a voided delivery may be posted again
    uint32 repostGrace;
    /// a delivery posted earlier than revocation + grace is not at fault
    uint32 revocationGrace;
    /// delay of a key rotation
    uint32 rotationDelay;
    /// after the last final delivery, unclaimed money goes to the patients' fund
    uint32 claimPeriod;
    uint96 epochBond;
    uint96 roundBond;
    uint96 deliveryBond;
    uint96 demandDeposit;
    /// paid from the escrow to whoever relays a claim, per leaf
    uint96 relayFee;
    uint96 minimumBudget;
}

/// @notice Who posted a batch and when; part of the stored commitment.
struct Posting {
    address committer;
    uint64 timestamp;
    uint64 blockNumber;
}

/// @notice One step of a path from a leaf to the root: the sibling's hash and its packed sum.
struct Sibling {
    bytes32 hash;
    uint256 sum;
}

// ---- epochs ---------------------------------------------------------------------------------------------------------

/// @notice A site's members and classes for one schema. Epochs of a (site, schema) are numbered 1, 2, 3, ...
/// @param memberCount total of both trees: members one by one, and the sum of the classes' sizes
/// @param classCount classes have indices 0 .. classCount - 1; later positions are empty
struct EpochHeader {
    uint32 site;
    bytes32 schemaId;
    uint32 epoch;
    uint8 memberDepth;
    uint8 classDepth;
    uint8 payoutDepth;
    uint32 memberCount;
    uint32 classCount;
    bytes32 membersRoot;
    bytes32 classesRoot;
    bytes32 dataHash;
}

struct Epoch {
    EpochHeader header;
    Posting posting;
}

/// @notice Leaf of the member tree, sum 1. All-zero for an empty position.
struct MemberLeaf {
    bytes32 pseudonym;
    address controller;
    uint32 localClass;
    bytes32 payoutRoot;
    uint32 previousEpoch;
    uint32 previousPosition;
    bytes32 salt;
}

struct MemberOpening {
    uint32 position;
    MemberLeaf leaf;
    Sibling[] path;
}

/// @notice Leaf of the class tree, sum = size. Its members hold the positions [prefix sum, prefix sum + size).
/// @param size n, the number of members
/// @param quota q, sales per member and round
/// @param ceilings one nibble per attribute, attribute 0 lowest; 0 = withheld
/// @param highWater highest grades ever released, same packing
/// @param rates token units per epsilon for the tiers Public, Low, Moderate, Private
/// @param purposes bit p set when purpose p is admitted (closed under descendants)
/// @param expiresAt unix seconds; no request with a later deadline is served
struct ClassLeaf {
    uint32 size;
    uint16 quota;
    uint256 ceilings;
    uint256 highWater;
    uint96[4] rates;
    uint256 purposes;
    uint64 expiresAt;
    bytes32 publicCell;
}

struct ClassOpening {
    uint32 index;
    ClassLeaf leaf;
    Sibling[] path;
}

/// @notice A class with the epoch that it stands in.
struct ClassEvidence {
    Epoch epoch;
    ClassOpening class_;
}

struct PayoutOpening {
    address payoutAddress;
    Sibling[] path;
}

/// @notice A revocation signed (EIP-712) by the controller of an opened member.
struct Revocation {
    Epoch epoch;
    MemberOpening member;
    bytes signature;
}

// ---- requests and rounds --------------------------------------------------------------------------------------------

/// @notice What a researcher asks for. Grades as in ClassLeaf; nibble 0 in both = attribute not requested.
/// @param clientReference unique per researcher: the same request is never opened twice
/// @param bid token units per effective record (10^9 ppb of score)
/// @param publicCell 0 = any, otherwise the class's cell must be equal
struct RequestTerms {
    bytes32 clientReference;
    bytes32 schemaId;
    bytes32 termsHash;
    uint256 minimumGrades;
    uint256 topGrades;
    bytes32 publicCell;
    uint96 bid;
    uint112 budget;
    uint32 targetRecords;
    uint32 minimumRecords;
    uint8 purpose;
    uint40 deadline;
}

/// @notice A stored request.
/// @param capacity N = min(target, floor(budget / (floor(bid * maximum score / 10^9) + relay fee)))
/// @param firstInBook id of the first request of its book, which names the book among those of all schemas
/// @param book ordinal of the schema's book, which is also the ordinal of its round
/// @param index position in the book, 0, 1, 2, ...
struct Request {
    bytes32 schemaId;
    uint256 minimumGrades;
    uint256 topGrades;
    bytes32 publicCell;
    // One word tells a delivery all that it needs.
    address researcher;
    uint40 deadline;
    uint56 firstInBook;
    uint96 bid;
    uint32 capacity;
    uint32 minimumRecords;
    uint32 book;
    uint32 index;
    uint8 purpose;
    bool cancelled;
}

/// @notice The requests of one schema that one round decides.
/// @param firstRequest id of the request at index 0; 0 while there is none
struct Book {
    uint32 requestCount;
    uint64 closedAt;
    uint64 closedBlock;
    uint56 firstRequest;
}

/// @notice Depths: prices siteBits + classBits; requests requestBits; both sales trees siteBits + classBits + requestBits.
/// @param totalSales total of both sales trees
struct RoundHeader {
    bytes32 schemaId;
    uint32 ordinal;
    uint32 attempt;
    uint8 siteBits;
    uint8 classBits;
    uint8 requestBits;
    uint64 totalSales;
    bytes32 seedCommit;
    bytes32 dataHash;
    bytes32 pricesRoot;
    bytes32 requestsRoot;
    bytes32 salesByClassRoot;
    bytes32 salesByRequestRoot;
}

struct Round {
    RoundHeader header;
    Posting posting;
}

/// @notice Leaf of tree C. Empty when premium = 0.
/// @param premium u, token units on top of the ask
/// @param supportRequest index in the book of the request that keeps u from being lower
/// @param supportClass position in C of the class that keeps that request's v from rising (ignored when it is not filled)
/// @param rank supports point to strictly smaller ranks
struct PriceLeaf {
    uint128 premium;
    uint32 supportRequest;
    uint32 supportClass;
    uint32 rank;
}

struct PriceOpening {
    uint32 position;
    PriceLeaf leaf;
    Sibling[] path;
}

/// @notice Leaf of tree J. Empty when surplus = 0 and not dropped.
/// @param surplus v, token units per record
struct RequestLeaf {
    uint128 surplus;
    bool dropped;
}

struct RequestOpening {
    uint64 requestId;
    RequestLeaf leaf;
    Sibling[] path;
}

/// @notice Leaf of tree X or Y at (class, request). Empty when quantity = 0. The positions come from the context.
struct SalesOpening {
    uint32 quantity;
    Sibling[] path;
}

/// @notice A whole row of X (one class) or Y (one request): the node above its aligned subtree.
struct RowOpening {
    bytes32 hash;
    uint64 sum;
    Sibling[] path;
}

// ---- deliveries -----------------------------------------------------------------------------------------------------

/// @param amount total of the tree's amounts, relay fees not included
/// @param effective total effective records in ppb
struct DeliveryHeader {
    uint64 requestId;
    uint32 site;
    uint32 attempt;
    uint8 depth;
    uint32 count;
    uint112 amount;
    uint96 effective;
    bytes32 root;
    bytes32 dataHash;
}

struct Delivery {
    DeliveryHeader header;
    Posting posting;
}

/// @notice Leaf of a delivery tree; sums: count 1, amount, effective. Empty when payoutAddress = 0.
struct DeliveryLeaf {
    uint32 localClass;
    uint32 memberPosition;
    address payoutAddress;
    bytes32 reportHash;
    uint128 amount;
    uint96 effective;
}

struct DeliveryOpening {
    uint32 slot;
    DeliveryLeaf leaf;
    Sibling[] path;
}

/// @notice The sale that a slot belongs to: class, quantity (in Y, whose prefix places the slot; in X, whose prefix draws the members).
struct SlotEvidence {
    Round round;
    ClassEvidence class_;
    PriceOpening price;
    SalesOpening byRequest;
    SalesOpening byClass;
}
