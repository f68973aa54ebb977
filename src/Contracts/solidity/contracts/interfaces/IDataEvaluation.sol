// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "./ICommitments.sol";
import {
    Delivery,
    DeliveryHeader,
    DeliveryOpening,
    Epoch,
    MemberOpening,
    PayoutOpening,
    Round,
    RowOpening,
    SlotEvidence
} from "../Types.sol";

/// @title Quality tables, deliveries and findings
/// @notice One effective record is 10^9 ppb of score: a report that carries as much information as an unperturbed value.
interface IDataEvaluation is ICommitments {
    struct Finding {
        address author;
        uint64 recordedAt;
        uint8 kind;
        bytes32 contentHash;
    }

    /// @notice What the final deliveries of a request add up to.
    struct Evaluation {
        uint32 records;
        uint96 effective;
        uint112 amount;
    }

    event SchemaPublished(bytes32 indexed schemaId, uint8 attributes, uint8 grades, uint128 tiers, uint64 capMicro);
    event DeliveryRecorded(bytes32 indexed deliveryId, DeliveryHeader header, address committer);
    event FindingRecorded(uint32 indexed site, uint256 indexed index, address indexed author, uint8 kind, bytes32 contentHash);

    error SchemaExists(bytes32 schemaId);
    error UnknownSchema(bytes32 schemaId);
    error InvalidSchema(string field);
    /// @notice A grade outside 1 .. top of the ladder, a minimum above its top, an unknown attribute, or none requested.
    error InvalidGrades(uint256 attribute);
    error InvalidReceipt(address recovered, address expected);
    error RoundNotFinal(uint64 requestId);
    error DeliveryTooLate(uint256 deadline);
    error PreviousAttemptStands(bytes32 deliveryId);
    error UnknownSite(uint32 site);

    /// @notice Publishes a schema's quality table. The consortium; once per schema.
    /// @param schemaId SHA-256 of the canonical schema
    /// @param tiers two bits per attribute, attribute 0 lowest: 0 Public, 1 Low, 2 Moderate, 3 Private
    /// @param capMicro lifetime cap of a record in micro-epsilon
    /// @param ladderMicro epsilon of the grades 1, 2, ... in micro-epsilon, strictly increasing, at most 15 grades
    /// @param quality Q in ppb, floored, row by row: attribute 0 at grades 1 .. G, attribute 1, ...; at most 64 attributes; Public = 10^9
    function publishSchema(
        bytes32 schemaId,
        uint128 tiers,
        uint64 capMicro,
        uint32[] calldata ladderMicro,
        uint32[] calldata quality
    ) external;

    /// @notice Records a delivery: by the site, with its bond and the market's receipt (EIP-712). Reserves amount + count * relay fee of the
    /// request's escrow. Until the deadline; attempt k > 0 needs attempt k - 1 void and has the repost grace on top.
    function recordDelivery(DeliveryHeader calldata header, bytes calldata receipt) external returns (bytes32 deliveryId);

    /// @notice Makes an unchallenged delivery final after its window. Anyone.
    function finaliseDelivery(Delivery calldata delivery) external;

    /// @notice Faults of a slot against the sale that it belongs to: class, member drawn, amount, effective records.
    function challengeSlot(Delivery calldata delivery, DeliveryOpening calldata slot, SlotEvidence calldata evidence) external;

    /// @notice Fault: the payout address is not the member's for this round and lap.
    function challengePayee(
        Delivery calldata delivery,
        DeliveryOpening calldata slot,
        SlotEvidence calldata evidence,
        MemberOpening calldata member,
        PayoutOpening calldata payout
    ) external;

    /// @notice Fault: the member was revoked longer than the grace before the delivery was posted.
    /// @param epoch the site's epoch at the closing of the book
    function challengeRevoked(
        Delivery calldata delivery,
        DeliveryOpening calldata slot,
        Epoch calldata epoch,
        MemberOpening calldata member
    ) external;

    /// @notice Fault: a slot beyond everything that the site sold to the request.
    /// @param row the node of Y above the site's classes in the request's row
    function challengeExcess(
        Delivery calldata delivery,
        DeliveryOpening calldata slot,
        Round calldata round,
        RowOpening calldata row
    ) external;

    /// @notice Demands a leaf (kind 7), with the deposit, in the first half of the window. Anyone.
    function demandLeaf(Delivery calldata delivery, uint8 kind, uint64 position) external;

    function answerDelivery(Delivery calldata delivery, DeliveryOpening calldata slot) external;

    function voidUnanswered(Delivery calldata delivery, uint8 kind, uint64 position) external;

    /// @notice Records a finding about a site: registered auditors and the market.
    /// @param kind 1 channel (reports that the channel cannot produce), 2 estimates (apart from the pooled ones), 3 other
    function recordFinding(uint32 site, uint8 kind, bytes32 contentHash) external returns (uint256 index);

    // ---- views ----

    /// @notice Terms of one class for one request: admissible grades, ask in token units, score in ppb (both 0 when inadmissible).
    function quote(
        bytes32 schemaId,
        uint256 ceilings,
        uint96[4] calldata rates,
        uint256 minimumGrades,
        uint256 topGrades
    ) external view returns (bool admissible, uint256 ask, uint256 score);

    /// @notice Largest score that a request can be delivered at; refuses grades that no schema attribute allows.
    function maximumScore(bytes32 schemaId, uint256 minimumGrades, uint256 topGrades) external view returns (uint256);

    /// @notice Micro-epsilon of packed grades over the attributes that are not Public, and the cap. A grade off the ladder gives the maximum.
    function epsilonOf(bytes32 schemaId, uint256 grades) external view returns (uint256 micro, uint256 capMicro);

    /// @notice Sums over the final deliveries of a request.
    function effectiveRecords(uint64 requestId) external view returns (Evaluation memory);
    function deliveryIdOf(uint64 requestId, uint32 site, uint32 attempt) external view returns (bytes32);
    function schemaExists(bytes32 schemaId) external view returns (bool);
    function findingCount(uint32 site) external view returns (uint256);
    function findingAt(uint32 site, uint256 index) external view returns (Finding memory);
}
