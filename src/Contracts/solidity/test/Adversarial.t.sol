// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { DevelopmentToken } from "../contracts/development/DevelopmentToken.sol";
import { IAnonymousTransaction } from "../contracts/interfaces/IAnonymousTransaction.sol";
import { ICommitments } from "../contracts/interfaces/ICommitments.sol";
import { IMatchingDecision } from "../contracts/interfaces/IMatchingDecision.sol";
import { Leaves } from "../contracts/libraries/Leaves.sol";
import { SumTree } from "../contracts/libraries/SumTree.sol";
import "../contracts/Types.sol";
import { HostileToken } from "./support/Tokens.sol";
import { DeliveryData, EpochData, RoundData, RoundSpec, World } from "./support/World.sol";

/// Tokens, orders and signatures as an attacker would choose them. The token here is one that the test can make misbehave.
contract AdversarialTest is World {
    HostileToken private hostile;

    function setUp() public override {
        vm.warp(START);
        vm.roll(1000);
        hostile = new HostileToken();
        // The same calls as the honest token's: mint, approve, balanceOf.
        token = DevelopmentToken(address(hostile));
        deploy(address(hostile));
        populate();
    }

    function _sold() private returns (EpochData[2] memory epochs, RoundData memory round, DeliveryData memory delivery) {
        (epochs, round, delivery) = delivered();
        postFinal(delivery);
    }

    // ---- tokens -----------------------------------------------------------------------------------------------------

    function test_FeeOnTransferToken_isRefusedAtTheDoor() public {
        hostile.setFee(10);
        vm.startPrank(researchers[0]);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.FeeOnTransferToken.selector, 1000, 990));
        payments.deposit(researchers[0], 1000);
        RequestTerms memory terms_ = terms("one", 197, 5);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.FeeOnTransferToken.selector, 1000, 990));
        matching.openRequest(terms_);
        vm.stopPrank();
        equal(matching.requestCount(), 0, "no request");
    }

    /// Every way back in during a payment is closed, and the payment itself goes through once.
    function test_ReentrantToken_gainsNothing() public {
        (, RoundData memory round, DeliveryData memory data) = _sold();
        bytes[8] memory calls = [
            abi.encodeCall(payments.claim, (data.delivery, openSlot(data, 0))),
            abi.encodeCall(payments.claim, (data.delivery, openSlot(data, 1))),
            abi.encodeCall(payments.claimMany, (data.delivery, 0, data.leaves, new Sibling[](0))),
            abi.encodeCall(payments.refundSettled, (1, round.round, openRequestRow(round, 0))),
            abi.encodeCall(payments.refund, (1)),
            abi.encodeCall(payments.withdraw, (1)),
            abi.encodeCall(payments.deposit, (address(hostile), 1)),
            abi.encodeCall(payments.burn, ())
        ];
        bytes4 guarded = bytes4(keccak256("ReentrancyGuardReentrantCall()"));
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            hostile.arm(address(payments), calls[i]);
            payments.claim(data.delivery, openSlot(data, 0));
            holds(hostile.hookDone() && !hostile.hookSucceeded(), "re-entered");
            holds(bytes4(hostile.hookAnswer()) == guarded, "refused for another reason");
            equal(hostile.balanceOf(data.leaves[0].payoutAddress), 20, "paid once");
            vm.revertToState(snapshot);
        }
    }

    /// A request opened inside the funding of another: the guard refuses it, and the indices stay in order.
    function test_ReentrantToken_whileFunding_opensNothing() public {
        hostile.mint(address(hostile), 1e6);
        RequestTerms memory terms_ = terms("inner", 100, 5);
        hostile.arm(address(matching), abi.encodeCall(matching.openRequest, (terms_)));
        open(researchers[0], terms("outer", 100, 5));
        holds(hostile.hookDone() && !hostile.hookSucceeded(), "re-entered");
        equal(matching.requestCount(), 1, "requests");
        equal(matching.bookOf(SCHEMA, 0).requestCount, 1, "book");
    }

    /// One payee whom the token refuses does not keep the others from their money, and can be paid later.
    function test_RefusedPayee_isSkippedAndStaysClaimable() public {
        (,, DeliveryData memory data) = _sold();
        address payee = data.leaves[2].payoutAddress;
        hostile.bar(payee, true);
        DeliveryOpening memory opening = openSlot(data, 2);
        vm.expectRevert();
        payments.claim(data.delivery, opening);
        vm.expectEmit();
        emit IAnonymousTransaction.ClaimFailed(data.id, 2, payee, 20);
        vm.prank(relayer);
        payments.claimMany(data.delivery, 0, data.leaves, new Sibling[](0));
        equal(hostile.balanceOf(relayer), 4 * 3, "fees of the paid only");
        holds(!payments.isClaimed(data.id, 2) && payments.isClaimed(data.id, 3), "bitmap");
        hostile.bar(payee, false);
        payments.claimMany(data.delivery, 0, data.leaves, new Sibling[](0));
        equal(hostile.balanceOf(payee), 20, "paid later");
    }

    /// A challenge never moves a token, so a token cannot stop it.
    function test_RefusingToken_cannotStopAChallenge() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        data.members[1].pseudonym = data.members[0].pseudonym;
        plant(data);
        post(data);
        hostile.bar(challenger, true);
        hostile.bar(address(0xdEaD), true);
        vm.prank(challenger);
        access.challengeDuplicate(data.epoch, openMember(data, 0), openMember(data, 1));
        isVoid(access, data.id, "duplicate");
    }

    // ---- griefing ---------------------------------------------------------------------------------------------------

    /// Demanding every leaf costs the attacker a deposit each, pays the committer, and delays finality not beyond its window.
    function test_DemandsForEverything_payTheCommitter() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        post(data);
        uint256 attacker = payments.balanceOf(auditor);
        uint256 site = payments.balanceOf(siteAccounts[0]);
        vm.startPrank(auditor);
        for (uint64 i = 0; i < 16; ++i) {
            access.demandLeaf(data.epoch, Leaves.MEMBER, i);
        }
        vm.stopPrank();
        vm.startPrank(siteAccounts[0]);
        for (uint256 i = 0; i < 16; ++i) {
            access.answerMember(data.epoch, openMember(data, i));
        }
        vm.stopPrank();
        equal(attacker - payments.balanceOf(auditor), 16 * uint256(parameters.demandDeposit), "attacker pays");
        equal(payments.balanceOf(siteAccounts[0]) - site, 16 * uint256(parameters.demandDeposit), "committer earns");
        pass(parameters.epochWindow);
        access.finaliseEpoch(data.epoch);
    }

    function test_DustRequest_isRefused() public {
        RequestTerms memory dust = terms("dust", 1, 1);
        dust.budget = parameters.minimumBudget - 1;
        vm.prank(researchers[0]);
        refused(address(matching), abi.encodeCall(matching.openRequest, (dust)), IMatchingDecision.BudgetTooSmall.selector, "dust");
    }

    /// A leaf claimed by a front-runner is skipped; the rest of the subtree is paid all the same.
    function test_FrontRunClaim_doesNotStopASubtree() public {
        (,, DeliveryData memory data) = _sold();
        vm.prank(challenger);
        payments.claim(data.delivery, openSlot(data, 4));
        vm.prank(relayer);
        payments.claimMany(data.delivery, 0, data.leaves, new Sibling[](0));
        equal(hostile.balanceOf(relayer), 4 * 3, "the rest");
    }

    /// Whoever comes second gets nothing, and the fault is punished once.
    function test_FrontRunChallenge_isPaidOnce() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        data.members[1].pseudonym = data.members[0].pseudonym;
        plant(data);
        post(data);
        uint256 before = payments.balanceOf(challenger);
        access.challengeDuplicate(data.epoch, openMember(data, 0), openMember(data, 1));
        vm.prank(challenger);
        refused(
            address(access),
            abi.encodeCall(access.challengeDuplicate, (data.epoch, openMember(data, 0), openMember(data, 1))),
            ICommitments.NotPosted.selector,
            "second"
        );
        equal(payments.balanceOf(challenger), before, "nothing");
        equal(payments.balanceOf(address(this)), parameters.epochBond / 2, "first");
    }

    /// A market that dislikes its seed, or wants its round back, pays half a bond even when it challenges itself first.
    function test_SelfChallenge_costsHalfTheBond() public {
        finalEpochs();
        openRequests();
        closeBook();
        uint256 before = payments.balanceOf(market);
        RoundData memory round = postRound(honestSpec());
        roll(300);
        vm.prank(market);
        matching.voidUnsealed(round.round);
        equal(before - payments.balanceOf(market), parameters.roundBond - parameters.roundBond / 2, "cost");
        equal(payments.burnable(), parameters.roundBond - parameters.roundBond / 2, "burned");
    }

    /// Two sites and a market that agree on absurd figures cannot keep a researcher from the refund.
    function test_OverflowingEvaluation_doesNotBlockTheRefund() public {
        (EpochData[2] memory epochs, RoundData memory round, DeliveryData memory first) = delivered();
        for (uint256 i = 0; i < 2; ++i) {
            DeliveryData memory data = i == 0 ? first : draftDelivery(epochs[1], round, 1, 0);
            data.delivery.header.effective = type(uint96).max;
            postFinal(data);
        }
        equal(evaluation.effectiveRecords(1).effective, type(uint96).max, "stops at the limit");
        pass(60 days);
        payments.refund(1);
    }

    // ---- replays ----------------------------------------------------------------------------------------------------

    /// Nothing posted on one chain can be used on a copy of it with another id.
    function test_ReplayOnAnotherChain_isRefused() public {
        (EpochData[2] memory epochs,, DeliveryData memory data) = _sold();
        vm.chainId(1);
        DeliveryOpening memory opening = openSlot(data, 0);
        vm.expectPartialRevert(IAnonymousTransaction.UnknownDelivery.selector);
        payments.claim(data.delivery, opening);
        vm.expectPartialRevert(ICommitments.UnknownBatch.selector);
        access.finaliseEpoch(epochs[0].epoch);
        post(epochs[0]);
        MemberOpening memory member = openMember(epochs[0], 0);
        vm.prank(auditor);
        access.demandLeaf(epochs[0].epoch, Leaves.MEMBER, 0);
        vm.expectPartialRevert(SumTree.RootMismatch.selector);
        access.answerMember(epochs[0].epoch, member);
    }

    /// Leaves carry their batch: a tree copied to another site, epoch or request has no opening there.
    function test_TreeCopiedFromAnotherBatch_cannotBeOpened() public {
        EpochData memory first = draftEpoch(1, 1, siteClasses(1));
        post(first);
        first.epoch.header.site = 2;
        post(first);
        MemberOpening memory member = openMember(first, 0);
        vm.prank(auditor);
        access.demandLeaf(first.epoch, Leaves.MEMBER, 0);
        vm.expectPartialRevert(SumTree.RootMismatch.selector);
        access.answerMember(first.epoch, member);
        pass(parameters.epochWindow / 2 + 1);
        access.voidUnanswered(first.epoch, Leaves.MEMBER, 0);
        isVoid(access, access.epochIdOf(2, SCHEMA, 1), "a tree that nobody can open");
    }

    function test_ReceiptOfAnotherDelivery_isRefused() public {
        (EpochData[2] memory epochs, RoundData memory round, DeliveryData memory data) = delivered();
        bytes memory signature = receipt(data);
        DeliveryData memory other = draftDelivery(epochs[0], round, 2, 0);
        other.delivery.header.root = data.delivery.header.root;
        vm.prank(siteAccounts[0]);
        refused(
            address(evaluation),
            abi.encodeCall(evaluation.recordDelivery, (other.delivery.header, signature)),
            bytes4(keccak256("InvalidReceipt(address,address)")),
            "receipt"
        );
    }

    // ---- trees ------------------------------------------------------------------------------------------------------

    /// Sums that wrap around would let a tree hold more than its total says.
    function testFuzz_SumsThatWrapAround_cannotBeOpened(uint128 wrap) public {
        (EpochData[2] memory epochs,, DeliveryData memory data) = delivered();
        uint128 huge = uint128(between(wrap, uint256(type(uint128).max) - 1000, type(uint128).max));
        data.leaves[0].amount = huge;
        data.leaves[1].amount = type(uint128).max - huge + 11;
        plant(data);
        (data.delivery.header.amount, data.delivery.header.count, data.delivery.header.effective) = (110, 5, 5e9);
        holds(epochs[0].epoch.header.site == 1, "site");
        postFinal(data);
        DeliveryOpening memory opening = openSlot(data, 0);
        vm.expectRevert();
        payments.claim(data.delivery, opening);
        vm.expectPartialRevert(SumTree.SumOverflow.selector);
        payments.claimMany(data.delivery, 0, data.leaves, new Sibling[](0));
    }

    /// A rotated market key signs from now on; the old one does not.
    function test_RotatedMarketKey_isTheOneThatCounts() public {
        (,, DeliveryData memory data) = delivered();
        vm.prank(consortium);
        access.scheduleRotation(0, vm.addr(0xB0B));
        pass(parameters.rotationDelay);
        access.completeRotation(0);
        bytes memory old = receipt(data);
        vm.prank(siteAccounts[0]);
        refused(
            address(evaluation),
            abi.encodeCall(evaluation.recordDelivery, (data.delivery.header, old)),
            bytes4(keccak256("InvalidReceipt(address,address)")),
            "old key"
        );
        vm.prank(market);
        refused(address(matching), abi.encodeCall(matching.closeBook, (SCHEMA)), ICommitments.Unauthorised.selector, "old account");
        bytes32 structHash = receiptHash(data.id, data.delivery.header);
        bytes memory fresh = signed(0xB0B, digest(address(evaluation), block.chainid, structHash));
        vm.prank(siteAccounts[0]);
        evaluation.recordDelivery(data.delivery.header, fresh);
    }

    /// Pausing stops new requests; what is under way ends as if nothing had happened.
    function test_Pause_neverStopsClaimsOrRefunds() public {
        (, RoundData memory round, DeliveryData memory data) = delivered();
        vm.prank(consortium);
        access.setPaused(true);
        postFinal(data);
        payments.claim(data.delivery, openSlot(data, 0));
        payments.refundSettled(1, round.round, openRequestRow(round, 0));
        pass(60 days);
        payments.refund(2);
        pass(366 days);
        payments.expire(1);
    }
}
