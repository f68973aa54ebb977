// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "../../contracts/interfaces/ICommitments.sol";
import { IDataEvaluation } from "../../contracts/interfaces/IDataEvaluation.sol";
import { Leaves } from "../../contracts/libraries/Leaves.sol";
import "../../contracts/Types.sol";
import { Fuzzing } from "../support/Fuzzing.sol";
import { DeliveryData, EpochData, RoundData } from "../support/World.sol";

/// One test for every external function; a test's name lists the functions that it calls.
/// forge-config: default.fuzz.runs = 64
/// forge-config: long.fuzz.runs = 2000
contract DataEvaluationFuzzTest is Fuzzing {
    struct Case {
        EpochData[2] epochs;
        RoundData round;
        DeliveryData delivery;
    }

    /// A delivery with every fault: of a revoked member (slot 0), to another address (3), of a wrong amount (4), and one record too many (5).
    function _case() private returns (Case memory case_) {
        (case_.epochs, case_.round, case_.delivery) = delivered();
        DeliveryData memory data = case_.delivery;
        DeliveryLeaf[] memory leaves = new DeliveryLeaf[](6);
        for (uint256 i = 0; i < 6; ++i) {
            leaves[i] = data.leaves[i < 5 ? i : 0];
        }
        data.leaves = leaves;
        data.leaves[4].amount = 39;
        data.leaves[3].payoutAddress = address(0xBAD);
        plant(data);
        _revoke(case_.epochs[0], data.leaves[0].memberPosition);
        pass(parameters.revocationGrace);
        post(data);
    }

    function _revoke(EpochData memory epoch, uint32 member) private {
        Revocation[] memory list = new Revocation[](1);
        (list[0].epoch, list[0].member) = (epoch.epoch, openMember(epoch, member));
        bytes32 type_ = keccak256("Revocation(uint32 site,bytes32 pseudonym)");
        bytes32 structHash = keccak256(abi.encode(type_, 1, epoch.members[member].pseudonym));
        list[0].signature = signed(CONTROLLER_KEY + member, digest(address(access), block.chainid, structHash));
        access.revoke(list);
    }

    // ---- challenges -------------------------------------------------------------------------------------------------

    function testFuzz_ChallengeSlot_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ = abi.encodeCall(
            evaluation.challengeSlot,
            (case_.delivery.delivery, openSlot(case_.delivery, 4), slotEvidence(case_.epochs[0], case_.round, 1, 0))
        );
        changedWord(challenger, address(evaluation), call_, seed);
    }

    function testFuzz_ChallengePayee_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        uint32 member = case_.delivery.leaves[3].memberPosition;
        bytes memory call_ = abi.encodeCall(
            evaluation.challengePayee,
            (
                case_.delivery.delivery,
                openSlot(case_.delivery, 3),
                slotEvidence(case_.epochs[0], case_.round, 1, 0),
                openMember(case_.epochs[0], member),
                openPayout(case_.epochs[0], member, 0)
            )
        );
        changedWord(challenger, address(evaluation), call_, seed);
    }

    function testFuzz_ChallengeRevoked_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        uint32 member = case_.delivery.leaves[0].memberPosition;
        bytes memory call_ = abi.encodeCall(
            evaluation.challengeRevoked,
            (case_.delivery.delivery, openSlot(case_.delivery, 0), case_.epochs[0].epoch, openMember(case_.epochs[0], member))
        );
        changedWord(challenger, address(evaluation), call_, seed);
    }

    function testFuzz_ChallengeExcess_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ = abi.encodeCall(
            evaluation.challengeExcess,
            (case_.delivery.delivery, openSlot(case_.delivery, 5), case_.round.round, openSiteRow(case_.round, 0, 1))
        );
        changedWord(challenger, address(evaluation), call_, seed);
    }

    // ---- deliveries -------------------------------------------------------------------------------------------------

    function testFuzz_RecordDelivery_CommitmentOf_BatchState_changedWord_isRefused(uint256 seed) public {
        (,, DeliveryData memory data) = delivered();
        bytes memory call_ = abi.encodeCall(evaluation.recordDelivery, (data.delivery.header, receipt(data)));
        changedWord(siteAccounts[0], address(evaluation), call_, seed);
        acceptedIf(true, siteAccounts[0], address(evaluation), call_, "delivery");
        data.delivery.posting = Posting(siteAccounts[0], uint64(block.timestamp), uint64(block.number));
        equal(evaluation.commitmentOf(data.id), keccak256(abi.encode(data.delivery)), "commitment");
        equal(uint256(statusOf(evaluation, data.id)), uint256(ICommitments.Status.Posted), "state");
    }

    function testFuzz_FinaliseDelivery_EffectiveRecords_onceTheWindowIsOver(uint32 after_, uint256 seed) public {
        Case memory case_ = _case();
        after_ = uint32(between(after_, 0, 2 * parameters.deliveryWindow));
        pass(after_);
        bool over = after_ >= parameters.deliveryWindow;
        bytes memory call_ = abi.encodeCall(evaluation.finaliseDelivery, (case_.delivery.delivery));
        if (over) changedWord(relayer, address(evaluation), call_, seed);
        acceptedIf(over, relayer, address(evaluation), call_, "window");
        DeliveryHeader memory header = case_.delivery.delivery.header;
        IDataEvaluation.Evaluation memory sum = evaluation.effectiveRecords(1);
        equal(sum.records, over ? header.count : 0, "records");
        equal(sum.effective, over ? header.effective : 0, "effective");
        equal(sum.amount, over ? header.amount : 0, "amount");
    }

    function testFuzz_DemandLeaf_DemandOf_anySlotOfTheTree_isAccepted(uint8 kind, uint64 position) public {
        Case memory case_ = _case();
        kind = uint8(between(kind, 6, 8));
        position = uint64(between(position, 0, 10));
        bool exists = kind == Leaves.DELIVERY && position < 8;
        bytes memory call_ = abi.encodeCall(evaluation.demandLeaf, (case_.delivery.delivery, kind, position));
        acceptedIf(exists, challenger, address(evaluation), call_, "a slot of the tree");
        equal(evaluation.demandOf(case_.delivery.id, kind, position).demander, exists ? challenger : address(0), "demander");
    }

    function testFuzz_AnswerDelivery_changedOpening_isRefused(uint256 seed, uint8 slot) public {
        Case memory case_ = _case();
        slot %= 8;
        vm.prank(challenger);
        evaluation.demandLeaf(case_.delivery.delivery, Leaves.DELIVERY, slot);
        bytes memory call_ = abi.encodeCall(evaluation.answerDelivery, (case_.delivery.delivery, openSlot(case_.delivery, slot)));
        changedWord(siteAccounts[0], address(evaluation), call_, seed);
    }

    function testFuzz_VoidUnanswered_ReclaimDemand_afterHalfAWindow(uint32 after_, uint64 slot) public {
        Case memory case_ = _case();
        after_ = uint32(between(after_, 0, parameters.deliveryWindow));
        slot = 1 + slot % 7;
        vm.startPrank(challenger);
        evaluation.demandLeaf(case_.delivery.delivery, Leaves.DELIVERY, slot);
        evaluation.demandLeaf(case_.delivery.delivery, Leaves.DELIVERY, 0);
        vm.stopPrank();
        pass(after_);
        bool late = after_ > parameters.deliveryWindow / 2;
        bytes memory call_ = abi.encodeCall(evaluation.voidUnanswered, (case_.delivery.delivery, Leaves.DELIVERY, slot));
        onlyAfterHalfAWindow(evaluation, call_, case_.delivery.id, Leaves.DELIVERY, late);
    }

    function testFuzz_DeliveryIdOf_Eip712Domain_differByEveryPart(uint64 requestId, uint32 site, uint32 attempt, uint8 part) public view {
        bytes32 id = evaluation.deliveryIdOf(requestId, site, attempt);
        equal(id, keccak256(abi.encode(uint8(3), block.chainid, address(evaluation), requestId, site, attempt)), "id");
        unchecked {
            if (part % 3 == 0) ++requestId;
            else if (part % 3 == 1) ++site;
            else ++attempt;
        }
        holds(evaluation.deliveryIdOf(requestId, site, attempt) != id, "another delivery");
        unknownBatch(evaluation, id, part, site);
        (,,, uint256 chainId, address contract_,,) = evaluation.eip712Domain();
        equal(chainId, block.chainid, "chain");
        equal(contract_, address(evaluation), "contract");
    }

    // ---- schemas and findings ---------------------------------------------------------------------------------------

    /// Any table is kept exactly as long as it follows the rules, and read back as it was written.
    function testFuzz_PublishSchema_SchemaExists_EpsilonOf_MaximumScore_Quote_keepTheTable(
        uint32[6] memory ladder,
        uint32[6] memory entries,
        uint8 grades,
        uint128 tiers,
        address caller
    ) public {
        uint256 count = between(grades, 1, 3);
        uint256 attributes = 6 / count;
        uint32[] memory ladderMicro = new uint32[](count);
        uint32[] memory quality = new uint32[](6);
        for (uint256 i = 0; i < count; ++i) {
            ladderMicro[i] = uint32(between(ladder[i], 0, 3) + 2 * i);
        }
        tiers = uint128(uint256(tiers) % (1 << (2 * attributes)));
        bool fits = true;
        for (uint256 i = 0; i < count; ++i) {
            fits = fits && ladderMicro[i] > (i == 0 ? 0 : ladderMicro[i - 1]);
        }
        for (uint256 i = 0; i < 6; ++i) {
            bool isPublic = (tiers >> (2 * (i / count))) & 3 == 0;
            quality[i] = isPublic ? 1e9 : uint32(between(entries[i], 0, 1e9 + 10));
            fits = fits && quality[i] <= 1e9;
        }
        bytes32 id = keccak256("any");
        bytes memory call_ = abi.encodeCall(evaluation.publishSchema, (id, tiers, 1e6, ladderMicro, quality));
        if (caller != consortium) acceptedIf(false, caller, address(evaluation), call_, "caller");
        acceptedIf(fits, consortium, address(evaluation), call_, "rules");
        holds(evaluation.schemaExists(id) == fits, "exists");
        if (!fits) return;
        acceptedIf(false, consortium, address(evaluation), call_, "published twice");
        _readBack(id, count, tiers & 3 == 0 ? 0 : ladderMicro[count - 1], quality[count - 1]);
    }

    /// Epsilon and score of the highest grade of the first attribute.
    function _readBack(bytes32 id, uint256 grade, uint256 epsilon, uint256 expected) private view {
        (uint256 micro, uint256 cap) = evaluation.epsilonOf(id, grade);
        equal(cap, 1e6, "cap");
        equal(micro, epsilon, "epsilon");
        equal(evaluation.maximumScore(id, grade, grade), expected, "score");
        uint96[4] memory rates;
        (bool admissible,, uint256 score) = evaluation.quote(id, grade, rates, grade, grade);
        holds(admissible && score == expected, "quote");
    }

    function testFuzz_RecordFinding_FindingCount_FindingAt_keepFindingsInOrder(
        address caller,
        uint32 site,
        uint8 kind,
        bytes32 content
    ) public {
        site = uint32(between(site, 0, 4));
        bytes memory call_ = abi.encodeCall(evaluation.recordFinding, (site, kind, content));
        bool exists = site == 1 || site == 2;
        if (caller != auditor && caller != market) acceptedIf(false, caller, address(evaluation), call_, "caller");
        acceptedIf(exists, auditor, address(evaluation), call_, "site");
        acceptedIf(exists, market, address(evaluation), call_, "site");
        equal(evaluation.findingCount(site), exists ? 2 : 0, "count");
        if (!exists) return;
        equal(evaluation.findingAt(site, 0).author, auditor, "first author");
        equal(evaluation.findingAt(site, 1).author, market, "second author");
        equal(evaluation.findingAt(site, 1).contentHash, content, "content");
        equal(evaluation.findingAt(site, 1).kind, kind, "kind");
    }
}
