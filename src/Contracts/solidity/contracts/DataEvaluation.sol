// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { Commitments } from "./Commitments.sol";
import { IDataEvaluation } from "./interfaces/IDataEvaluation.sol";
import { IDynamicAccessControl } from "./interfaces/IDynamicAccessControl.sol";
import { IMatchingDecision } from "./interfaces/IMatchingDecision.sol";
import { Blob } from "./libraries/Blob.sol";
import { Epochs } from "./libraries/Epochs.sol";
import { Feistel } from "./libraries/Feistel.sol";
import { Identifiers } from "./libraries/Identifiers.sol";
import { Leaves } from "./libraries/Leaves.sol";
import { Quality } from "./libraries/Quality.sol";
import { Rounds } from "./libraries/Rounds.sol";
import { SumTree } from "./libraries/SumTree.sol";
import {
    ClassLeaf,
    Contracts,
    Delivery,
    DeliveryHeader,
    DeliveryLeaf,
    DeliveryOpening,
    Epoch,
    MemberOpening,
    Parameters,
    PayoutOpening,
    Request,
    Round,
    RoundHeader,
    RowOpening,
    SlotEvidence
} from "./Types.sol";

/// @title DataEvaluation
/// @notice What a report is worth, what was delivered, and what was found out about it: see IDataEvaluation.
contract DataEvaluation is IDataEvaluation, Commitments, EIP712 {
    /// @dev one record of a sale: which member, at which lap of the quota
    struct Draw {
        bytes32 epochId;
        uint32 memberPosition;
        uint32 lap;
    }

    bytes32 private constant RECEIPT_TYPE = keccak256(
        "DeliveryReceipt(bytes32 deliveryId,bytes32 root,uint8 depth,uint32 count,uint112 amount,uint96 effective,bytes32 dataHash)"
    );
    uint256 private constant MAXIMUM_DEPTH = 24;
    /// Nine words.
    uint256 private constant HEADER_BYTES = 288;

    IDynamicAccessControl private immutable ACCESS;
    IMatchingDecision private immutable MATCHING;
    uint256 private immutable REPOST_GRACE;
    uint256 private immutable REVOCATION_GRACE;
    uint256 private immutable RELAY_FEE;

    mapping(bytes32 schemaId => address table) private _tables;
    mapping(uint64 requestId => Evaluation) private _evaluations;
    mapping(uint32 site => Finding[]) private _findings;

    constructor(
        Contracts memory contracts,
        Parameters memory parameters
    ) Commitments(contracts, parameters, parameters.deliveryWindow, parameters.deliveryBond) EIP712("EmrMarket", "1") {
        ACCESS = IDynamicAccessControl(contracts.accessControl);
        MATCHING = IMatchingDecision(contracts.matching);
        REPOST_GRACE = parameters.repostGrace;
        REVOCATION_GRACE = parameters.revocationGrace;
        RELAY_FEE = parameters.relayFee;
    }

    // ---- schemas ----------------------------------------------------------------------------------------------------

    /// @inheritdoc IDataEvaluation
    function publishSchema(
        bytes32 schemaId,
        uint128 tiers,
        uint64 capMicro,
        uint32[] calldata ladderMicro,
        uint32[] calldata quality
    ) external {
        if (msg.sender != ACCESS.consortium()) revert Unauthorised(msg.sender);
        if (schemaExists(schemaId)) revert SchemaExists(schemaId);
        bytes memory table = _pack(tiers, capMicro, ladderMicro, quality);
        _tables[schemaId] = Blob.write(table);
        // forge-lint: disable-next-line(unsafe-typecast)
        emit SchemaPublished(schemaId, uint8(Quality.attributes(table)), uint8(Quality.grades(table)), tiers, capMicro);
    }

    /// @inheritdoc IDataEvaluation
    function quote(
        bytes32 schemaId,
        uint256 ceilings,
        uint96[4] calldata rates,
        uint256 minimumGrades,
        uint256 topGrades
    ) external view returns (bool admissible, uint256 ask, uint256 score) {
        return Quality.quote(_table(schemaId), ceilings, rates, minimumGrades, topGrades);
    }

    /// @inheritdoc IDataEvaluation
    function maximumScore(bytes32 schemaId, uint256 minimumGrades, uint256 topGrades) external view returns (uint256) {
        return Quality.maximumScore(_table(schemaId), minimumGrades, topGrades);
    }

    /// @inheritdoc IDataEvaluation
    function epsilonOf(bytes32 schemaId, uint256 grades) external view returns (uint256 micro, uint256 capMicro) {
        bytes memory table = _table(schemaId);
        return (Quality.epsilon(table, grades), Quality.capMicro(table));
    }

    /// @inheritdoc IDataEvaluation
    function schemaExists(bytes32 schemaId) public view returns (bool) {
        return _tables[schemaId] != address(0);
    }

    // ---- deliveries -------------------------------------------------------------------------------------------------

    /// @inheritdoc IDataEvaluation
    function recordDelivery(DeliveryHeader calldata header_, bytes calldata receipt) external returns (bytes32 deliveryId) {
        // One copy, whose fields are checked once; every read of the call's data would check again.
        DeliveryHeader memory header = header_;
        (address account, address market) = ACCESS.accountsFor(header.site);
        if (msg.sender != account) revert Unauthorised(msg.sender);
        if (header.depth > MAXIMUM_DEPTH) revert InvalidHeader("depth");
        if (header.count == 0 || header.count > 1 << header.depth) revert InvalidHeader("count");
        (bytes32 roundId, uint256 last) = MATCHING.deliveryTermsOf(header.requestId);
        if (roundId == 0) revert RoundNotFinal(header.requestId);
        if (header.attempt > 0) {
            bytes32 earlier = deliveryIdOf(header.requestId, header.site, header.attempt - 1);
            if (batchState(earlier).status != Status.Void) revert PreviousAttemptStands(earlier);
            last += REPOST_GRACE;
        }
        if (block.timestamp > last) revert DeliveryTooLate(last);

        deliveryId = deliveryIdOf(header.requestId, header.site, header.attempt);
        _requireReceipt(deliveryId, header, receipt, market);
        _post(deliveryId, _emitRecorded(deliveryId, header));
        PAYMENTS.reserve(msg.sender, BOND, header.requestId, _cost(header));
    }

    /// @inheritdoc IDataEvaluation
    function finaliseDelivery(Delivery calldata delivery) external {
        DeliveryHeader calldata header = delivery.header;
        bytes32 deliveryId = _posted(delivery);
        Evaluation memory sum = _evaluations[header.requestId];
        // Figures that no honest tree reaches stop at the limit: an overflow would keep the delivery, and with it the refund, from its end.
        // forge-lint: disable-start(unsafe-typecast)
        sum.records = uint32(Math.min(uint256(sum.records) + header.count, type(uint32).max));
        sum.effective = uint96(Math.min(uint256(sum.effective) + header.effective, type(uint96).max));
        // The escrow, a uint112, holds all amounts.
        sum.amount += header.amount;
        // forge-lint: disable-end(unsafe-typecast)
        _evaluations[header.requestId] = sum;
        _finalise(deliveryId, delivery.posting);
        PAYMENTS.settle(header.requestId);
    }

    /// @inheritdoc IDataEvaluation
    function effectiveRecords(uint64 requestId) external view returns (Evaluation memory) {
        return _evaluations[requestId];
    }

    // ---- challenges -------------------------------------------------------------------------------------------------

    /// @inheritdoc IDataEvaluation
    function challengeSlot(Delivery calldata delivery, DeliveryOpening calldata slot, SlotEvidence calldata evidence) external {
        (bytes32 deliveryId, Request memory request) = _openSlot(delivery, slot);
        bytes32 roundId = _requireRound(evidence.round, request);
        Draw memory draw = _draw(delivery.header.site, slot.slot, roundId, request, evidence);
        DeliveryLeaf calldata leaf = slot.leaf;
        Fault fault = Fault.None;
        if (leaf.localClass != evidence.class_.class_.index) {
            fault = Fault.WrongClass;
        } else if (leaf.memberPosition != draw.memberPosition) {
            fault = Fault.WrongMember;
        } else {
            fault = _termsFault(leaf, roundId, request, evidence);
        }
        _voidFor(deliveryId, delivery.header, fault);
    }

    /// @inheritdoc IDataEvaluation
    function challengePayee(
        Delivery calldata delivery,
        DeliveryOpening calldata slot,
        SlotEvidence calldata evidence,
        MemberOpening calldata member,
        PayoutOpening calldata payout
    ) external {
        (bytes32 deliveryId, Request memory request) = _openSlot(delivery, slot);
        bytes32 roundId = _requireRound(evidence.round, request);
        Draw memory draw = _draw(delivery.header.site, slot.slot, roundId, request, evidence);
        if (member.position != slot.leaf.memberPosition) revert Unrelated();
        Epochs.openMember(draw.epochId, evidence.class_.epoch.header, member);
        uint256 index = uint256(request.book) * evidence.class_.class_.leaf.quota + draw.lap;
        _openPayout(evidence.class_.epoch.header.payoutDepth, index, member, payout);
        bool right = payout.payoutAddress == slot.leaf.payoutAddress;
        _voidFor(deliveryId, delivery.header, right ? Fault.None : Fault.WrongPayoutAddress);
    }

    /// @inheritdoc IDataEvaluation
    function challengeRevoked(
        Delivery calldata delivery,
        DeliveryOpening calldata slot,
        Epoch calldata epoch,
        MemberOpening calldata member
    ) external {
        (bytes32 deliveryId, Request memory request) = _openSlot(delivery, slot);
        DeliveryHeader calldata header = delivery.header;
        bytes32 epochId = _requireEpoch(epoch, header.site, request);
        if (member.position != slot.leaf.memberPosition) revert Unrelated();
        Epochs.openMember(epochId, epoch.header, member);
        uint256 revokedAt = ACCESS.revokedAt(header.site, member.leaf.pseudonym);
        bool revoked = revokedAt != 0 && revokedAt + REVOCATION_GRACE <= delivery.posting.timestamp;
        _voidFor(deliveryId, header, revoked ? Fault.RevokedMember : Fault.None);
    }

    /// @inheritdoc IDataEvaluation
    function challengeExcess(
        Delivery calldata delivery,
        DeliveryOpening calldata slot,
        Round calldata round,
        RowOpening calldata row
    ) external {
        (bytes32 deliveryId, Request memory request) = _openSlot(delivery, slot);
        _requireRound(round, request);
        if ((delivery.header.site - 1) >> round.header.siteBits == 0) {
            Rounds.openSiteRow(round.header, request.index, delivery.header.site, row);
            if (slot.slot < row.sum) revert NoFault();
        }
        _voidFor(deliveryId, delivery.header, Fault.ExcessSlot);
    }

    // ---- data availability ------------------------------------------------------------------------------------------

    /// @inheritdoc IDataEvaluation
    function demandLeaf(Delivery calldata delivery, uint8 kind, uint64 position) external {
        if (kind != Leaves.DELIVERY) revert UnknownKind(kind);
        _demand(_posted(delivery), delivery.posting, kind, position, 1 << delivery.header.depth);
    }

    /// @inheritdoc IDataEvaluation
    function answerDelivery(Delivery calldata delivery, DeliveryOpening calldata slot) external {
        bytes32 deliveryId = _posted(delivery);
        _verifySlot(deliveryId, delivery.header, slot);
        _answer(deliveryId, Leaves.DELIVERY, slot.slot);
    }

    /// @inheritdoc IDataEvaluation
    function voidUnanswered(Delivery calldata delivery, uint8 kind, uint64 position) external {
        _voidUnanswered(_posted(delivery), kind, position);
        PAYMENTS.unreserve(delivery.header.requestId, _cost(delivery.header));
    }

    // ---- findings ---------------------------------------------------------------------------------------------------

    /// @inheritdoc IDataEvaluation
    function recordFinding(uint32 site, uint8 kind, bytes32 contentHash) external returns (uint256 index) {
        if (!ACCESS.isAuditor(msg.sender) && msg.sender != ACCESS.market()) revert Unauthorised(msg.sender);
        if (site == 0 || site > ACCESS.siteCount()) revert UnknownSite(site);
        index = _findings[site].length;
        // forge-lint: disable-next-line(unsafe-typecast)
        _findings[site].push(Finding({ author: msg.sender, recordedAt: uint64(block.timestamp), kind: kind, contentHash: contentHash }));
        emit FindingRecorded(site, index, msg.sender, kind, contentHash);
    }

    /// @inheritdoc IDataEvaluation
    function findingCount(uint32 site) external view returns (uint256) {
        return _findings[site].length;
    }

    /// @inheritdoc IDataEvaluation
    function findingAt(uint32 site, uint256 index) external view returns (Finding memory) {
        return _findings[site][index];
    }

    /// @inheritdoc IDataEvaluation
    function deliveryIdOf(uint64 requestId, uint32 site, uint32 attempt) public view returns (bytes32) {
        return Identifiers.delivery(address(this), requestId, site, attempt);
    }

    // ---- inside -----------------------------------------------------------------------------------------------------

    function _table(bytes32 schemaId) private view returns (bytes memory) {
        address table = _tables[schemaId];
        if (table == address(0)) revert UnknownSchema(schemaId);
        return Blob.read(table);
    }

    /// Checks a schema and lays its table out.
    function _pack(
        uint128 tiers,
        uint64 capMicro,
        uint32[] calldata ladderMicro,
        uint32[] calldata quality
    ) private pure returns (bytes memory table) {
        uint256 grades = ladderMicro.length;
        if (grades == 0 || grades > Quality.MAXIMUM_GRADES) revert InvalidSchema("ladderMicro");
        uint256 attributes = quality.length / grades;
        bool whole = attributes > 0 && attributes <= Quality.MAXIMUM_ATTRIBUTES && quality.length % grades == 0;
        if (!whole) revert InvalidSchema("quality");
        if (uint256(tiers) >> (2 * attributes) != 0) revert InvalidSchema("tiers");
        // attributes <= 64 and grades <= 15
        // forge-lint: disable-next-line(unsafe-typecast)
        table = abi.encodePacked(uint8(attributes), uint8(grades), capMicro, tiers, new bytes(4 * (grades + quality.length)));
        uint256 offset = Quality.LADDER_OFFSET;
        uint256 below = 0;
        for (uint256 i = 0; i < grades; ++i) {
            if (ladderMicro[i] <= below) revert InvalidSchema("ladderMicro");
            below = ladderMicro[i];
            offset = _put(table, offset, ladderMicro[i]);
        }
        for (uint256 i = 0; i < quality.length; ++i) {
            bool isPublic = Quality.tier(table, i / grades) == 0;
            bool fits = isPublic ? quality[i] == Quality.PPB : quality[i] <= Quality.PPB;
            if (!fits) revert InvalidSchema("quality");
            offset = _put(table, offset, quality[i]);
        }
    }

    /// Writes four bytes at an offset inside a table.
    function _put(bytes memory table, uint256 offset, uint32 entry) private pure returns (uint256 next) {
        assembly ("memory-safe") {
            let target := add(add(table, 32), offset)
            // The 28 bytes behind keep what they hold, be they the table's or not.
            mstore(target, or(shl(224, entry), and(mload(target), sub(shl(224, 1), 1))))
        }
        return offset + 4;
    }

    function _id(DeliveryHeader calldata header) private view returns (bytes32) {
        return deliveryIdOf(header.requestId, header.site, header.attempt);
    }

    /// What a delivery reserves of the escrow: its payments and the fees for relaying them.
    function _cost(DeliveryHeader memory header) private view returns (uint256) {
        // Below 2^112 + 2^32 * 2^96.
        unchecked {
            return header.amount + header.count * RELAY_FEE;
        }
    }

    function _posted(Delivery calldata delivery) private view returns (bytes32 deliveryId) {
        deliveryId = _id(delivery.header);
        _requirePosted(deliveryId, keccak256(abi.encode(delivery)));
    }

    function _voidFor(bytes32 deliveryId, DeliveryHeader calldata header, Fault fault) private {
        if (fault == Fault.None) revert NoFault();
        _void(deliveryId, fault, msg.sender);
        PAYMENTS.unreserve(header.requestId, _cost(header));
    }

    function _requireReceipt(bytes32 deliveryId, DeliveryHeader memory header, bytes calldata receipt, address market) private view {
        bytes32 structHash;
        bytes32 type_ = RECEIPT_TYPE;
        // abi.encode(RECEIPT_TYPE, deliveryId, root, depth, count, amount, effective, dataHash) of a header whose words 3 to 8 are depth, count, amount, effective,
        // root and dataHash.
        assembly ("memory-safe") {
            let receipt_ := mload(0x40)
            mstore(receipt_, type_)
            mstore(add(receipt_, 32), deliveryId)
            mstore(add(receipt_, 64), mload(add(header, 224)))
            mcopy(add(receipt_, 96), add(header, 96), 128)
            mstore(add(receipt_, 224), mload(add(header, 256)))
            structHash := keccak256(receipt_, 256)
        }
        (address signer,,) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(structHash), receipt);
        if (signer != market) revert InvalidReceipt(signer, market);
    }

    /// Writes the posting behind a copy of the header: a Delivery, word by word, whose first words are the data of DeliveryRecorded. Time and height fit 64 bits.
    function _emitRecorded(bytes32 deliveryId, DeliveryHeader memory header) private returns (bytes32 commitment) {
        bytes32 topic = DeliveryRecorded.selector;
        assembly ("memory-safe") {
            let delivery := mload(0x40)
            mcopy(delivery, header, HEADER_BYTES)
            let posting := add(delivery, HEADER_BYTES)
            mstore(posting, caller())
            mstore(add(posting, 32), timestamp())
            mstore(add(posting, 64), number())
            commitment := keccak256(delivery, add(HEADER_BYTES, 96))
            log2(delivery, add(HEADER_BYTES, 32), topic, deliveryId)
        }
    }

    /// Verifies the opening of a slot, empty or not.
    function _verifySlot(bytes32 deliveryId, DeliveryHeader calldata header, DeliveryOpening calldata slot) private pure {
        (bytes32 hash, uint256 sum) = Leaves.delivery(deliveryId, slot.slot, slot.leaf);
        uint256 total = SumTree.pack(header.amount, header.count, header.effective);
        SumTree.verify(header.root, total, header.depth, hash, sum, slot.slot, slot.path, 0);
    }

    /// Opens a slot of a posted delivery; an undelivered one is no fault.
    function _openSlot(
        Delivery calldata delivery,
        DeliveryOpening calldata slot
    ) private view returns (bytes32 deliveryId, Request memory request) {
        deliveryId = _posted(delivery);
        _verifySlot(deliveryId, delivery.header, slot);
        if (slot.leaf.payoutAddress == address(0)) revert NoFault();
        request = MATCHING.requestOf(delivery.header.requestId);
    }

    /// The epoch handed in is the site's at the closing of the request's book.
    function _requireEpoch(Epoch calldata epoch, uint32 site, Request memory request) private view returns (bytes32 epochId) {
        if (epoch.header.site != site) revert Unrelated();
        uint64 closedBlock = MATCHING.bookOf(request.schemaId, request.book).closedBlock;
        return Epochs.requireCurrent(epoch, ACCESS, request.schemaId, closedBlock);
    }

    /// The round handed in is the final one of the request's book.
    function _requireRound(Round calldata round, Request memory request) private view returns (bytes32 roundId) {
        roundId = Rounds.id(round.header, address(MATCHING));
        if (roundId != MATCHING.finalRoundOf(request.schemaId, request.book)) revert Unrelated();
        if (MATCHING.commitmentOf(roundId) != keccak256(abi.encode(round))) revert UnknownBatch(roundId);
    }

    /// The member that the round's seed draws for a slot of the class given; refuses a class that does not own the slot.
    function _draw(
        uint32 site,
        uint256 slot,
        bytes32 roundId,
        Request memory request,
        SlotEvidence calldata evidence
    ) private view returns (Draw memory draw) {
        RoundHeader calldata header = evidence.round.header;
        draw.epochId = _requireEpoch(evidence.class_.epoch, site, request);
        uint256 start = Epochs.openClass(draw.epochId, evidence.class_.epoch.header, evidence.class_.class_);
        uint32 position = Rounds.classPosition(header, evidence.class_);
        uint256 first = Rounds.openByRequest(roundId, header, position, request.index, evidence.byRequest);
        if (slot < first || slot >= first + evidence.byRequest.quantity) revert Unrelated();
        uint256 turn = Rounds.openByClass(roundId, header, position, request.index, evidence.byClass) + slot - first;
        uint32 size = evidence.class_.class_.leaf.size;
        bytes32 key = Feistel.key(MATCHING.seedOf(roundId), site, evidence.class_.class_.index);
        // The remainder is below a uint32, the position below the member count, and a class sells at most size * quota < 2^48 times.
        // forge-lint: disable-next-line(unsafe-typecast)
        draw.memberPosition = uint32(start + Feistel.permute(key, size, uint32(turn % size)));
        // forge-lint: disable-next-line(unsafe-typecast)
        draw.lap = uint32(turn / size);
    }

    function _termsFault(
        DeliveryLeaf calldata leaf,
        bytes32 roundId,
        Request memory request,
        SlotEvidence calldata evidence
    ) private view returns (Fault) {
        ClassLeaf calldata class_ = evidence.class_.class_.leaf;
        RoundHeader calldata header = evidence.round.header;
        Rounds.openPrice(roundId, header, Rounds.classPosition(header, evidence.class_), evidence.price);
        (, uint256 ask, uint256 score) =
            Quality.quote(_table(request.schemaId), class_.ceilings, class_.rates, request.minimumGrades, request.topGrades);
        if (leaf.amount != ask + evidence.price.leaf.premium) return Fault.WrongAmount;
        if (leaf.effective != score) return Fault.WrongEffective;
        return Fault.None;
    }

    /// Opens the payout address of a member at an index that wraps around its tree.
    function _openPayout(uint8 depth, uint256 index, MemberOpening calldata member, PayoutOpening calldata payout) private pure {
        uint256 position = index & ((1 << depth) - 1);
        bytes32 pseudonym = member.leaf.pseudonym;
        // position < 2^16
        // forge-lint: disable-next-line(unsafe-typecast)
        (bytes32 hash, uint256 sum) = Leaves.payout(pseudonym, uint64(position), payout.payoutAddress);
        SumTree.verify(member.leaf.payoutRoot, 0, depth, hash, sum, position, payout.path, 0);
    }
}
