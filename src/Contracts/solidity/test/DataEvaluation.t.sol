// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { IAnonymousTransaction } from "../contracts/interfaces/IAnonymousTransaction.sol";
import { ICommitments } from "../contracts/interfaces/ICommitments.sol";
import { IDataEvaluation } from "../contracts/interfaces/IDataEvaluation.sol";
import { Leaves } from "../contracts/libraries/Leaves.sol";
import "../contracts/Types.sol";
import { Vm } from "./support/Vm.sol";
import { DeliveryData, EpochData, RoundData, World } from "./support/World.sol";

contract DataEvaluationTest is World {
    struct Case {
        EpochData[2] epochs;
        RoundData round;
        DeliveryData delivery;
    }

    function _case() private returns (Case memory case_) {
        (case_.epochs, case_.round, case_.delivery) = delivered();
    }

    // ---- schemas ----------------------------------------------------------------------------------------------------

    function _publish(uint128 tiers, uint32[] memory ladder, uint32[] memory quality) private returns (bytes4 error_) {
        vm.prank(consortium);
        (bool done, bytes memory answer) =
            address(evaluation).call(abi.encodeCall(evaluation.publishSchema, ("new", tiers, 1, ladder, quality)));
        return done ? bytes4(0) : bytes4(answer);
    }

    function _row(uint256 length, uint32 first, uint32 step) private pure returns (uint32[] memory row) {
        row = new uint32[](length);
        for (uint256 i = 0; i < length; ++i) {
            row[i] = first + step * uint32(i);
        }
    }

    function test_PublishSchema_whatItRefuses() public {
        bytes4 invalid = IDataEvaluation.InvalidSchema.selector;
        vm.expectPartialRevert(ICommitments.Unauthorised.selector);
        evaluation.publishSchema("new", 1, 1, _row(2, 1, 1), _row(2, 1, 0));
        holds(_publish(1, _row(0, 1, 1), _row(2, 1, 0)) == invalid, "no grades");
        holds(_publish(1, _row(16, 1, 1), _row(16, 1, 0)) == invalid, "16 grades");
        holds(_publish(1, _row(2, 1, 1), _row(0, 1, 0)) == invalid, "no attributes");
        holds(_publish(1, _row(1, 1, 1), _row(65, 1, 0)) == invalid, "65 attributes");
        holds(_publish(1, _row(2, 1, 1), _row(3, 1, 0)) == invalid, "half a row");
        holds(_publish(5, _row(2, 1, 1), _row(2, 1, 0)) == invalid, "a tier without its attribute");
        holds(_publish(1, _row(2, 1, 0), _row(2, 1, 0)) == invalid, "a ladder that does not rise");
        holds(_publish(1, _row(2, 0, 1), _row(2, 1, 0)) == invalid, "grade of no epsilon");
        holds(_publish(1, _row(1, 1, 0), _row(1, 1e9 + 1, 0)) == invalid, "Q above one");
        holds(_publish(0, _row(1, 1, 0), _row(1, 1e9 - 1, 0)) == invalid, "Public below one");
        holds(!evaluation.schemaExists("new"), "nothing published");
        vm.expectEmit();
        emit IDataEvaluation.SchemaPublished("new", 64, 15, 5, 1);
        uint32[] memory quality = _row(64 * 15, 1, 1);
        for (uint256 i = 0; i < quality.length; ++i) {
            if (i >= 30) quality[i] = 1e9;
        }
        holds(_publish(5, _row(15, 1, 1), quality) == 0, "the largest table");
        holds(_publish(5, _row(15, 1, 1), quality) == IDataEvaluation.SchemaExists.selector, "twice");
        equal(evaluation.maximumScore("new", 0x11, 0xFF), 15 + 30, "first and second rows");
        equal(evaluation.maximumScore("new", uint256(0xF) << 252, uint256(0xF) << 252), 1e9, "last attribute and grade");
        vm.expectRevert(abi.encodeWithSelector(IDataEvaluation.UnknownSchema.selector, bytes32("none")));
        evaluation.maximumScore("none", 1, 1);
    }

    function testFuzz_Quote_neverPassesTheCeiling(uint256 ceilings, uint96[4] memory rates, uint8 minimum, uint8 top) public view {
        uint256 minimumGrades = (minimum % 3) + 1;
        uint256 topGrades = minimumGrades + top % (4 - minimumGrades);
        (bool admissible, uint256 ask, uint256 score) = evaluation.quote(SCHEMA, ceilings, rates, minimumGrades, topGrades);
        uint256 grade = ceilings & 15;
        holds(admissible == (grade >= minimumGrades), "admissible");
        if (!admissible) return;
        if (grade > topGrades) grade = topGrades;
        (uint256 expectedAsk, uint256 expectedScore) = _firstAttribute(rates[1], grade);
        equal(ask, expectedAsk, "ask");
        equal(score, expectedScore, "score");
        holds(score <= evaluation.maximumScore(SCHEMA, minimumGrades, topGrades), "above the maximum");
    }

    /// Attribute 0 of the schema, written out.
    function _firstAttribute(uint256 rate, uint256 grade) private pure returns (uint256 ask, uint256 score) {
        uint24[4] memory epsilon = [0, 500_000, 1_000_000, 2_000_000];
        uint32[4] memory quality = [0, 100_000_000, 400_000_000, 1_000_000_000];
        return ((rate * epsilon[grade] + 999_999) / 1_000_000, quality[grade]);
    }

    function testFuzz_EpsilonOf_addsTheLadder(uint8 first, uint8 second) public view {
        (uint256 a, uint256 b) = (first % 5, second % 5);
        (uint256 micro, uint256 cap) = evaluation.epsilonOf(SCHEMA, a | (b << 4));
        equal(cap, 4_000_000, "cap");
        uint256[4] memory ladder = [uint256(0), 500_000, 1_000_000, 2_000_000];
        equal(micro, a > 3 || b > 3 ? type(uint256).max : ladder[a] + ladder[b], "epsilon");
    }

    // ---- recording --------------------------------------------------------------------------------------------------

    function test_RecordDelivery_reservesItsMoney() public {
        Case memory case_ = _case();
        DeliveryData memory data = case_.delivery;
        uint256 before = payments.balanceOf(siteAccounts[0]);
        vm.expectEmit();
        emit IDataEvaluation.DeliveryRecorded(data.id, data.delivery.header, siteAccounts[0]);
        post(data);
        equal(before - payments.balanceOf(siteAccounts[0]), parameters.deliveryBond, "bond");
        equal(evaluation.commitmentOf(data.id), keccak256(abi.encode(data.delivery)), "commitment");
        (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(1);
        equal(escrow.owed, 140 + 5 * 3, "owed");
        equal(escrow.pending, 1, "pending");
        bytes memory signature = receipt(data);
        vm.prank(siteAccounts[0]);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.BatchExists.selector, data.id));
        evaluation.recordDelivery(data.delivery.header, signature);
    }

    function _record(DeliveryData memory data, bytes memory signature, bytes4 error_, string memory what) private {
        vm.prank(siteAccounts[0]);
        refused(address(evaluation), abi.encodeCall(evaluation.recordDelivery, (data.delivery.header, signature)), error_, what);
    }

    function test_RecordDelivery_whatItRefuses() public {
        Case memory case_ = _case();
        DeliveryData memory data = case_.delivery;
        DeliveryHeader memory header = data.delivery.header;
        bytes memory signature = receipt(data);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.Unauthorised.selector, address(this)));
        evaluation.recordDelivery(header, signature);
        bytes32 structHash = receiptHash(data.id, header);
        bytes4 error_ = IDataEvaluation.InvalidReceipt.selector;
        _record(data, signed(0xBAD, digest(address(evaluation), block.chainid, structHash)), error_, "another signer");
        _record(data, signed(MARKET_KEY, digest(address(evaluation), 1, structHash)), error_, "another chain");
        _record(data, signed(MARKET_KEY, digest(address(matching), block.chainid, structHash)), error_, "another contract");
        _record(data, "", error_, "no receipt");
        header.depth = 25;
        _record(data, signature, ICommitments.InvalidHeader.selector, "too deep");
        header.depth = 2;
        _record(data, signature, ICommitments.InvalidHeader.selector, "more leaves than places");
        header.depth = 3;
        header.count = 0;
        _record(data, signature, ICommitments.InvalidHeader.selector, "empty");
        header.count = 5;
        header.attempt = 1;
        _record(data, signature, IDataEvaluation.PreviousAttemptStands.selector, "attempt before its turn");
        header.attempt = 0;
        header.requestId = 9;
        _record(data, signature, IDataEvaluation.RoundNotFinal.selector, "no such request");
        header.requestId = 1;
        header.amount = 515 - 5 * 3 + 1;
        _record(data, receipt(data), IAnonymousTransaction.InsufficientEscrow.selector, "more than the escrow");
        header.amount = 140;
        vm.warp(matching.requestOf(1).deadline + 1);
        _record(data, signature, IDataEvaluation.DeliveryTooLate.selector, "late");
        vm.warp(matching.requestOf(1).deadline);
        post(data);
    }

    function testFuzz_RecordDelivery_anyAmountWithinTheEscrow_isReserved(uint112 amount, uint32 count) public {
        Case memory case_ = _case();
        DeliveryHeader memory header = case_.delivery.delivery.header;
        header.count = uint32(between(count, 1, 8));
        header.amount = uint112(between(amount, 0, 1000));
        uint256 cost = header.amount + header.count * uint256(parameters.relayFee);
        bytes memory signature = receipt(case_.delivery);
        vm.prank(siteAccounts[0]);
        if (cost > 515) vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.InsufficientEscrow.selector, 1, 515, cost));
        evaluation.recordDelivery(header, signature);
        (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(1);
        equal(escrow.owed, cost > 515 ? 0 : cost, "owed");
    }

    function test_FinaliseDelivery_addsUpTheEvaluation() public {
        Case memory case_ = _case();
        uint256 before = payments.balanceOf(siteAccounts[0]);
        post(case_.delivery);
        vm.expectPartialRevert(ICommitments.WindowOpen.selector);
        evaluation.finaliseDelivery(case_.delivery.delivery);
        pass(parameters.deliveryWindow);
        evaluation.finaliseDelivery(case_.delivery.delivery);
        equal(payments.balanceOf(siteAccounts[0]), before, "bond");
        IDataEvaluation.Evaluation memory sum = evaluation.effectiveRecords(1);
        equal(sum.records, 5, "records");
        equal(sum.effective, 5e9, "effective");
        equal(sum.amount, 140, "amount");
        vm.expectPartialRevert(ICommitments.NotPosted.selector);
        evaluation.finaliseDelivery(case_.delivery.delivery);
    }

    function test_VoidedDelivery_isPostedAgainWithinTheGrace() public {
        Case memory case_ = _case();
        case_.delivery.leaves[0].amount = 21;
        plant(case_.delivery);
        vm.warp(matching.requestOf(1).deadline);
        post(case_.delivery);
        evaluation.challengeSlot(case_.delivery.delivery, openSlot(case_.delivery, 0), slotEvidence(case_.epochs[0], case_.round, 0, 0));
        DeliveryData memory again = draftDelivery(case_.epochs[0], case_.round, 1, 1);
        pass(parameters.repostGrace + 1);
        _record(again, receipt(again), IDataEvaluation.DeliveryTooLate.selector, "after the grace");
        vm.warp(block.timestamp - 1);
        postFinal(again);
        equal(evaluation.effectiveRecords(1).records, 5, "records");
    }

    // ---- challenges -------------------------------------------------------------------------------------------------

    function _slot(Case memory case_, uint32 slot, uint32 index) private view returns (bytes memory) {
        return abi.encodeCall(
            evaluation.challengeSlot,
            (case_.delivery.delivery, openSlot(case_.delivery, slot), slotEvidence(case_.epochs[0], case_.round, index, 0))
        );
    }

    function _payee(Case memory case_, uint32 slot, uint32 index, uint32 member, uint32 payout) private view returns (bytes memory) {
        return abi.encodeCall(
            evaluation.challengePayee,
            (
                case_.delivery.delivery,
                openSlot(case_.delivery, slot),
                slotEvidence(case_.epochs[0], case_.round, index, 0),
                openMember(case_.epochs[0], member),
                openPayout(case_.epochs[0], member, payout)
            )
        );
    }

    function _revoked(Case memory case_, uint32 slot) private view returns (bytes memory) {
        uint32 member = case_.delivery.leaves[slot].memberPosition;
        return abi.encodeCall(
            evaluation.challengeRevoked,
            (case_.delivery.delivery, openSlot(case_.delivery, slot), case_.epochs[0].epoch, openMember(case_.epochs[0], member))
        );
    }

    function _excess(Case memory case_, uint32 slot) private view returns (bytes memory) {
        return abi.encodeCall(
            evaluation.challengeExcess,
            (case_.delivery.delivery, openSlot(case_.delivery, slot), case_.round.round, openSiteRow(case_.round, 0, 1))
        );
    }

    function _noFault(bytes memory call_, string memory what) private {
        refused(address(evaluation), call_, ICommitments.NoFault.selector, what);
    }

    function _proves(Case memory case_, bytes memory call_, ICommitments.Fault fault, uint256 unread) private {
        uint256 before = payments.balanceOf(challenger);
        vm.recordLogs();
        vm.startPrank(challenger);
        everyWordMatters(address(evaluation), call_, unread, "challenge");
        vm.stopPrank();
        isVoid(evaluation, case_.delivery.id, "delivery");
        equal(payments.balanceOf(challenger) - before, parameters.deliveryBond / 2, "reward");
        (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(1);
        equal(escrow.owed, 0, "reserved");
        equal(escrow.pending, 0, "pending");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 last = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == ICommitments.BatchVoided.selector) last = uint256(logs[i].topics[2]);
        }
        equal(last, uint256(fault), "fault");
    }

    function test_Challenges_ofAnHonestDelivery_allFail() public {
        Case memory case_ = _case();
        post(case_.delivery);
        for (uint32 slot = 0; slot < 5; ++slot) {
            uint32 index = slot < 3 ? 0 : 1;
            uint32 member = case_.delivery.leaves[slot].memberPosition;
            _noFault(_slot(case_, slot, index), "slot");
            _noFault(_payee(case_, slot, index, member, 0), "payee");
            _noFault(_revoked(case_, slot), "revoked");
            _noFault(_excess(case_, slot), "excess");
            refused(address(evaluation), _slot(case_, slot, 1 - index), ICommitments.Unrelated.selector, "a class that owns other slots");
        }
        _noFault(_slot(case_, 6, 1), "an empty slot");
        pass(parameters.deliveryWindow);
        evaluation.finaliseDelivery(case_.delivery.delivery);
        refused(address(evaluation), _slot(case_, 0, 0), ICommitments.NotPosted.selector, "final");
    }

    function test_ChallengeSlot_wrongClass_voids() public {
        Case memory case_ = _case();
        case_.delivery.leaves[0].localClass = 1;
        plant(case_.delivery);
        post(case_.delivery);
        // The price (offset, position, 4 fields, offset, path of 1 + 2 * 2) is not read.
        _proves(case_, _slot(case_, 0, 0), ICommitments.Fault.WrongClass, 12);
    }

    function test_ChallengeSlot_wrongMember_voids() public {
        Case memory case_ = _case();
        (case_.delivery.leaves[0], case_.delivery.leaves[1]) = (case_.delivery.leaves[1], case_.delivery.leaves[0]);
        plant(case_.delivery);
        post(case_.delivery);
        _proves(case_, _slot(case_, 0, 0), ICommitments.Fault.WrongMember, 12);
    }

    function test_ChallengeSlot_wrongAmount_voids() public {
        Case memory case_ = _case();
        case_.delivery.leaves[4].amount = 39;
        plant(case_.delivery);
        post(case_.delivery);
        _proves(case_, _slot(case_, 4, 1), ICommitments.Fault.WrongAmount, 0);
    }

    function test_ChallengeSlot_wrongEffective_voids() public {
        Case memory case_ = _case();
        case_.delivery.leaves[4].effective = 1e9 - 1;
        plant(case_.delivery);
        post(case_.delivery);
        _proves(case_, _slot(case_, 4, 1), ICommitments.Fault.WrongEffective, 0);
    }

    function test_ChallengePayee_wrongAddress_voids() public {
        Case memory case_ = _case();
        uint32 member = case_.delivery.leaves[2].memberPosition;
        case_.delivery.leaves[2].payoutAddress = address(0xBAD);
        plant(case_.delivery);
        post(case_.delivery);
        refused(address(evaluation), _payee(case_, 2, 0, member, 1), "the payout of another round");
        refused(address(evaluation), _payee(case_, 2, 0, (member + 1) % 3, 0), ICommitments.Unrelated.selector, "another member");
        _proves(case_, _payee(case_, 2, 0, member, 0), ICommitments.Fault.WrongPayoutAddress, 12);
    }

    /// The second lap of a quota pays to the next address: class A sells three to the first request and, a lap later, three to the second.
    function test_ChallengePayee_ofTheSecondLap_takesTheNextAddress() public {
        Case memory case_ = _case();
        case_.delivery = draftDelivery(case_.epochs[0], case_.round, 2, 0);
        uint32 member = case_.delivery.leaves[0].memberPosition;
        equal(case_.delivery.leaves[0].payoutAddress, payoutAddress(case_.epochs[0].members[member].pseudonym, 1), "lap");
        case_.delivery.leaves[0].payoutAddress = payoutAddress(case_.epochs[0].members[member].pseudonym, 0);
        plant(case_.delivery);
        post(case_.delivery);
        bytes memory call_ = abi.encodeCall(
            evaluation.challengePayee,
            (
                case_.delivery.delivery,
                openSlot(case_.delivery, 0),
                slotEvidence(case_.epochs[0], case_.round, 0, 1),
                openMember(case_.epochs[0], member),
                openPayout(case_.epochs[0], member, 1)
            )
        );
        _proves(case_, call_, ICommitments.Fault.WrongPayoutAddress, 12);
    }

    function _revoke(Case memory case_, uint32 member) private {
        Revocation[] memory list = new Revocation[](1);
        list[0].epoch = case_.epochs[0].epoch;
        list[0].member = openMember(case_.epochs[0], member);
        bytes32 type_ = keccak256("Revocation(uint32 site,bytes32 pseudonym)");
        bytes32 structHash = keccak256(abi.encode(type_, 1, case_.epochs[0].members[member].pseudonym));
        list[0].signature = signed(CONTROLLER_KEY + member, digest(address(access), block.chainid, structHash));
        access.revoke(list);
    }

    function test_ChallengeRevoked_afterTheGrace_voids() public {
        Case memory case_ = _case();
        uint32 member = case_.delivery.leaves[3].memberPosition;
        _revoke(case_, member);
        pass(parameters.revocationGrace);
        post(case_.delivery);
        _noFault(_revoked(case_, 0), "somebody else");
        _proves(case_, _revoked(case_, 3), ICommitments.Fault.RevokedMember, 0);
    }

    function test_ChallengeRevoked_withinTheGrace_isNoFault() public {
        Case memory case_ = _case();
        _revoke(case_, case_.delivery.leaves[3].memberPosition);
        pass(parameters.revocationGrace - 1);
        post(case_.delivery);
        _noFault(_revoked(case_, 3), "within the grace");
    }

    function test_ChallengeExcess_slotBeyondTheSales_voids() public {
        Case memory case_ = _case();
        DeliveryLeaf[] memory leaves = new DeliveryLeaf[](6);
        for (uint256 i = 0; i < 5; ++i) {
            leaves[i] = case_.delivery.leaves[i];
        }
        leaves[5] = leaves[4];
        case_.delivery.leaves = leaves;
        plant(case_.delivery);
        post(case_.delivery);
        _noFault(_excess(case_, 4), "the last slot sold");
        _proves(case_, _excess(case_, 5), ICommitments.Fault.ExcessSlot, 0);
    }

    /// A site that joined later than the round has no place in its trees.
    function test_ChallengeExcess_ofASiteOutsideTheRound_voids() public {
        Case memory case_ = _case();
        vm.prank(consortium);
        access.registerSite(siteAccounts[2], 0);
        case_.delivery.delivery.header.site = 3;
        plant(case_.delivery);
        post(case_.delivery);
        RowOpening memory none;
        bytes memory call_ =
            abi.encodeCall(evaluation.challengeExcess, (case_.delivery.delivery, openSlot(case_.delivery, 0), case_.round.round, none));
        _proves(case_, call_, ICommitments.Fault.ExcessSlot, words(abi.encode(none)));
    }

    function test_Challenge_withForeignEvidence_isRefused() public {
        Case memory case_ = _case();
        case_.delivery.leaves[0].amount = 19;
        plant(case_.delivery);
        post(case_.delivery);
        bytes4 unrelated = ICommitments.Unrelated.selector;
        refused(
            address(evaluation),
            abi.encodeCall(
                evaluation.challengeSlot,
                (case_.delivery.delivery, openSlot(case_.delivery, 0), slotEvidence(case_.epochs[1], case_.round, 0, 1))
            ),
            unrelated,
            "the class of another site"
        );
        refused(
            address(evaluation),
            abi.encodeCall(
                evaluation.challengeRevoked,
                (
                    case_.delivery.delivery,
                    openSlot(case_.delivery, 0),
                    case_.epochs[0].epoch,
                    openMember(case_.epochs[0], (case_.delivery.leaves[0].memberPosition + 1) % 5)
                )
            ),
            unrelated,
            "another member"
        );
        case_.round.round.header.attempt = 1;
        refused(address(evaluation), _slot(case_, 0, 0), unrelated, "another attempt of the round");
        case_.round.round.header.attempt = 0;
        case_.round.round.header.dataHash = 0;
        refused(address(evaluation), _slot(case_, 0, 0), ICommitments.UnknownBatch.selector, "another round header");
    }

    // ---- data availability ------------------------------------------------------------------------------------------

    function test_DemandLeaf_answered_orVoid() public {
        Case memory case_ = _case();
        DeliveryData memory data = case_.delivery;
        post(data);
        vm.startPrank(challenger);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.UnknownKind.selector, 1));
        evaluation.demandLeaf(data.delivery, Leaves.MEMBER, 0);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.PositionOutOfRange.selector, 8, 8));
        evaluation.demandLeaf(data.delivery, Leaves.DELIVERY, 8);
        evaluation.demandLeaf(data.delivery, Leaves.DELIVERY, 0);
        evaluation.demandLeaf(data.delivery, Leaves.DELIVERY, 7);
        vm.stopPrank();
        evaluation.answerDelivery(data.delivery, openSlot(data, 7));
        equal(payments.balanceOf(address(this)), parameters.demandDeposit, "deposit");
        pass(parameters.deliveryWindow / 2 + 1);
        evaluation.voidUnanswered(data.delivery, Leaves.DELIVERY, 0);
        isVoid(evaluation, data.id, "withheld");
        (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(1);
        equal(escrow.owed + escrow.pending, 0, "reserved");
    }

    // ---- findings ---------------------------------------------------------------------------------------------------

    function testFuzz_RecordFinding_byAuditorOrMarket_isKept(uint8 kind, bytes32 content) public {
        vm.expectEmit();
        emit IDataEvaluation.FindingRecorded(2, 0, auditor, kind, content);
        vm.prank(auditor);
        evaluation.recordFinding(2, kind, content);
        vm.prank(market);
        equal(evaluation.recordFinding(2, 3, content), 1, "index");
        equal(evaluation.findingCount(2), 2, "count");
        IDataEvaluation.Finding memory finding = evaluation.findingAt(2, 0);
        equal(finding.author, auditor, "author");
        equal(finding.contentHash, content, "content");
        equal(finding.kind, kind, "kind");
        equal(finding.recordedAt, block.timestamp, "time");
    }

    function test_RecordFinding_byOthersOrAboutNobody_isRefused() public {
        vm.expectRevert(abi.encodeWithSelector(ICommitments.Unauthorised.selector, address(this)));
        evaluation.recordFinding(1, 1, 0);
        vm.startPrank(auditor);
        vm.expectRevert(abi.encodeWithSelector(IDataEvaluation.UnknownSite.selector, 0));
        evaluation.recordFinding(0, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IDataEvaluation.UnknownSite.selector, 3));
        evaluation.recordFinding(3, 1, 0);
        vm.stopPrank();
    }
}
