// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { DevelopmentToken } from "../contracts/development/DevelopmentToken.sol";
import { IAnonymousTransaction } from "../contracts/interfaces/IAnonymousTransaction.sol";
import { ICommitments } from "../contracts/interfaces/ICommitments.sol";
import { SumTree } from "../contracts/libraries/SumTree.sol";
import "../contracts/Types.sol";
import { Trees } from "./support/Trees.sol";
import { DeliveryData, EpochData, RoundData, World } from "./support/World.sol";

contract AnonymousTransactionTest is World {
    struct Case {
        EpochData[2] epochs;
        RoundData round;
        DeliveryData delivery;
    }

    function _case() private returns (Case memory case_) {
        (case_.epochs, case_.round, case_.delivery) = delivered();
    }

    function _finalCase() private returns (Case memory case_) {
        case_ = _case();
        postFinal(case_.delivery);
    }

    // ---- accounts ---------------------------------------------------------------------------------------------------

    function testFuzz_DepositAndWithdraw_conserve(uint96 amount, uint96 out) public {
        uint256 paid = between(amount, 1, ADDED_FUNDS / 2);
        uint256 back = between(out, 1, paid);
        vm.startPrank(researchers[0]);
        vm.expectEmit();
        emit IAnonymousTransaction.Deposited(relayer, researchers[0], paid);
        payments.deposit(relayer, paid);
        vm.stopPrank();
        equal(payments.balanceOf(relayer), paid, "balance");
        vm.startPrank(relayer);
        vm.expectEmit();
        emit IAnonymousTransaction.Withdrawn(relayer, back);
        payments.withdraw(back);
        vm.stopPrank();
        equal(token.balanceOf(relayer), back, "tokens");
        equal(payments.balanceOf(relayer), paid - back, "rest");
        vm.prank(relayer);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.InsufficientBalance.selector, relayer, paid - back, paid - back + 1));
        payments.withdraw(paid - back + 1);
    }

    function test_DepositWithdrawBurn_ofNothing_areRefused() public {
        vm.expectRevert(IAnonymousTransaction.ZeroAmount.selector);
        payments.deposit(address(this), 0);
        vm.expectRevert(IAnonymousTransaction.ZeroAmount.selector);
        payments.withdraw(0);
        vm.expectRevert(IAnonymousTransaction.NothingToBurn.selector);
        payments.burn();
    }

    function testFuzz_InnerCalls_byOthers_areRefused(address caller) public {
        vm.assume(caller != address(access) && caller != address(matching) && caller != address(evaluation));
        bytes4 error_ = IAnonymousTransaction.Unauthorised.selector;
        vm.startPrank(caller);
        refused(address(payments), abi.encodeCall(payments.lock, (market, 1)), error_, "lock");
        refused(address(payments), abi.encodeCall(payments.unlock, (caller, 1)), error_, "unlock");
        refused(address(payments), abi.encodeCall(payments.slash, (caller, 1)), error_, "slash");
        refused(address(payments), abi.encodeCall(payments.fund, (1, researchers[0], 1)), error_, "fund");
        refused(address(payments), abi.encodeCall(payments.reserve, (market, 1, 1, 1)), error_, "reserve");
        refused(address(payments), abi.encodeCall(payments.unreserve, (1, 1)), error_, "unreserve");
        refused(address(payments), abi.encodeCall(payments.settle, (1)), error_, "settle");
        vm.stopPrank();
        vm.prank(address(access));
        refused(address(payments), abi.encodeCall(payments.fund, (1, researchers[0], 1)), error_, "fund by access control");
        vm.prank(address(matching));
        refused(address(payments), abi.encodeCall(payments.reserve, (market, 1, 1, 1)), error_, "reserve by matching");
    }

    function test_Burn_sendsLostHalvesAway() public {
        vm.prank(address(access));
        payments.lock(market, 1001);
        vm.prank(address(access));
        vm.expectEmit();
        emit IAnonymousTransaction.Slashed(challenger, 500, 501);
        payments.slash(challenger, 1001);
        payments.burn();
        equal(token.balanceOf(address(0xdEaD)), 501, "burned");
        equal(payments.burnable(), 0, "left");
    }

    function test_Views_tellTheDeployment() public view {
        equal(payments.token(), address(token), "token");
        equal(payments.patientsFund(), patientsFund, "fund");
        equal(payments.relayFee(), 3, "fee");
    }

    // ---- claims -----------------------------------------------------------------------------------------------------

    function test_Claim_paysThePayeeAndTheRelayer() public {
        Case memory case_ = _finalCase();
        DeliveryData memory data = case_.delivery;
        DeliveryOpening memory opening = openSlot(data, 3);
        vm.expectEmit();
        emit IAnonymousTransaction.Claimed(data.id, 3, opening.leaf.payoutAddress, 40);
        vm.prank(relayer);
        payments.claim(data.delivery, opening);
        equal(token.balanceOf(opening.leaf.payoutAddress), 40, "payee");
        equal(token.balanceOf(relayer), 3, "relayer");
        holds(payments.isClaimed(data.id, 3) && !payments.isClaimed(data.id, 2), "bitmap");
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.AlreadyClaimed.selector, data.id, 3));
        payments.claim(data.delivery, opening);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.NothingToClaim.selector, data.id));
        payments.claim(data.delivery, openSlot(data, 6));
    }

    function test_Claim_ofAnythingButTheCommittedLeaf_isRefused() public {
        Case memory case_ = _finalCase();
        vm.startPrank(relayer);
        everyWordMatters(
            address(payments), abi.encodeCall(payments.claim, (case_.delivery.delivery, openSlot(case_.delivery, 0))), 0, "claim"
        );
        everyWordMatters(
            address(payments),
            abi.encodeCall(payments.claimMany, (case_.delivery.delivery, 0, case_.delivery.leaves, new Sibling[](0))),
            0,
            "claimMany"
        );
        vm.stopPrank();
    }

    function testFuzz_Claims_inAnyOrder_payEachLeafOnce(uint256 order) public {
        Case memory case_ = _finalCase();
        uint256 total = 0;
        for (uint256 i = 0; i < 8; ++i) {
            uint256 pick = (order >> (8 * i)) % 7;
            bool many = pick >= 5;
            bytes memory call_ = many
                ? abi.encodeCall(payments.claimMany, (case_.delivery.delivery, 0, case_.delivery.leaves, new Sibling[](0)))
                : abi.encodeCall(payments.claim, (case_.delivery.delivery, openSlot(case_.delivery, pick)));
            bool fresh = many ? total < 5 : !payments.isClaimed(case_.delivery.id, uint32(pick));
            (bool done,) = address(payments).call(call_);
            holds(done == fresh, "claim");
            if (done) total = many ? 5 : total + 1;
            (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(1);
            equal(515 - escrow.balance, _paid(case_.delivery) + 3 * total, "conserved");
        }
    }

    function _paid(DeliveryData memory data) private view returns (uint256 paid) {
        for (uint256 i = 0; i < data.leaves.length; ++i) {
            paid += token.balanceOf(data.leaves[i].payoutAddress);
        }
    }

    /// A delivery of 70 slots, some empty: two aligned subtrees of 64.
    function _wide() private returns (Case memory case_) {
        case_ = _case();
        case_.delivery.delivery.header.depth = 7;
        case_.delivery.leaves = new DeliveryLeaf[](70);
        for (uint256 i = 0; i < 70; ++i) {
            if (i % 5 == 4) continue;
            case_.delivery.leaves[i] = DeliveryLeaf({
                localClass: 0,
                memberPosition: uint32(i),
                payoutAddress: payoutAddress(bytes32(i), 0),
                reportHash: keccak256(abi.encode(i)),
                amount: uint128(1 + i % 3),
                effective: 1e9
            });
        }
        plant(case_.delivery);
        postFinal(case_.delivery);
    }

    function _part(DeliveryData memory data, uint256 subtree) private pure returns (DeliveryLeaf[] memory leaves) {
        uint256 first = 64 * subtree;
        uint256 count = data.leaves.length - first;
        leaves = new DeliveryLeaf[](count > 64 ? 64 : count);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = data.leaves[first + i];
        }
    }

    function test_ClaimMany_alignedSubtrees_payAllButTheEmptyAndThePaid() public {
        Case memory case_ = _wide();
        DeliveryData memory data = case_.delivery;
        payments.claim(data.delivery, openSlot(data, 66));
        vm.startPrank(relayer);
        payments.claimMany(data.delivery, 1, _part(data, 1), pathAbove(data, 1));
        equal(token.balanceOf(relayer), 3 * 3, "four of six are leaves, one of them paid");
        payments.claimMany(data.delivery, 0, _part(data, 0), pathAbove(data, 0));
        vm.stopPrank();
        for (uint32 i = 0; i < 70; ++i) {
            bool leaf = i % 5 != 4;
            holds(payments.isClaimed(data.id, i) == leaf, "bitmap");
            if (leaf) equal(token.balanceOf(data.leaves[i].payoutAddress), 1 + i % 3, "paid");
        }
        (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(1);
        equal(escrow.owed, 0, "all paid");
        DeliveryLeaf[] memory rest = _part(data, 1);
        Sibling[] memory path = pathAbove(data, 1);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.NothingToClaim.selector, data.id));
        payments.claimMany(data.delivery, 1, rest, path);
    }

    function pathAbove(DeliveryData memory data, uint256 subtree) private pure returns (Sibling[] memory) {
        return Trees.path(data.tree, 6, subtree);
    }

    function test_ClaimMany_ofTheWrongSubtree_isRefused() public {
        Case memory case_ = _wide();
        DeliveryData memory data = case_.delivery;
        DeliveryLeaf[] memory leaves = _part(data, 1);
        Sibling[] memory path = pathAbove(data, 1);
        vm.expectPartialRevert(SumTree.RootMismatch.selector);
        payments.claimMany(data.delivery, 0, leaves, path);
        vm.expectPartialRevert(SumTree.OutsideTree.selector);
        payments.claimMany(data.delivery, 2, leaves, path);
        vm.expectPartialRevert(SumTree.RootMismatch.selector);
        payments.claimMany(data.delivery, 1, new DeliveryLeaf[](0), path);
        DeliveryLeaf[] memory tooMany = new DeliveryLeaf[](65);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.TooManyLeaves.selector, 65, 64));
        payments.claimMany(data.delivery, 1, tooMany, path);
    }

    function test_Claim_beforeFinalityOrOfAForgery_isRefused() public {
        Case memory case_ = _case();
        DeliveryData memory data = case_.delivery;
        DeliveryOpening memory opening = openSlot(data, 0);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.UnknownDelivery.selector, data.id));
        payments.claim(data.delivery, opening);
        post(data);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.DeliveryNotFinal.selector, data.id));
        payments.claim(data.delivery, opening);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.DeliveryNotFinal.selector, data.id));
        payments.claimMany(data.delivery, 0, data.leaves, new Sibling[](0));
        pass(parameters.deliveryWindow);
        evaluation.finaliseDelivery(data.delivery);
        data.delivery.header.amount += 1;
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.UnknownDelivery.selector, data.id));
        payments.claim(data.delivery, opening);
    }

    // ---- refunds and expiry -----------------------------------------------------------------------------------------

    function test_Refund_afterTheDeadline_leavesWhatIsOwed() public {
        Case memory case_ = _finalCase();
        uint256 due = matching.requestOf(1).deadline + parameters.repostGrace;
        vm.warp(due);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.RefundNotDue.selector, 1, due));
        payments.refund(1);
        vm.warp(due + 1);
        uint256 before = token.balanceOf(researchers[0]);
        vm.expectEmit();
        emit IAnonymousTransaction.Refunded(1, researchers[0], 515 - 155);
        payments.refund(1);
        equal(token.balanceOf(researchers[0]) - before, 515 - 155, "refund");
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.EscrowClosed.selector, 1));
        payments.refund(1);
        payments.claim(case_.delivery.delivery, openSlot(case_.delivery, 0));
        equal(token.balanceOf(case_.delivery.leaves[0].payoutAddress), 20, "a claim after the refund");
    }

    /// A refund of a request to come would close its escrow before it is funded, and let it expire at once.
    function test_Refund_ofARequestToCome_isRefused() public {
        Case memory case_ = _case();
        bytes4 error_ = IAnonymousTransaction.UnknownRequest.selector;
        refused(address(payments), abi.encodeCall(payments.refund, (5)), error_, "refund");
        bytes memory call_ = abi.encodeCall(payments.refundSettled, (5, case_.round.round, openRequestRow(case_.round, 0)));
        refused(address(payments), call_, error_, "refundSettled");
        refused(address(payments), abi.encodeCall(payments.expire, (5)), IAnonymousTransaction.EscrowOpen.selector, "expire");
    }

    function test_Refund_withADeliveryPending_waitsForIt() public {
        Case memory case_ = _case();
        vm.warp(matching.requestOf(1).deadline);
        post(case_.delivery);
        pass(parameters.repostGrace + 1);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.DeliveriesPending.selector, 1, 1));
        payments.refund(1);
        evaluation.finaliseDelivery(case_.delivery.delivery);
        payments.refund(1);
    }

    function test_Refund_withoutAnyDelivery_paysEverythingBack() public {
        _case();
        pass(60 days);
        uint256 before = token.balanceOf(researchers[0]);
        payments.refund(1);
        equal(token.balanceOf(researchers[0]) - before, 515, "all of it");
        payments.expire(1);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.EscrowExpired.selector, 1));
        payments.expire(1);
    }

    function test_RefundSettled_onceAllIsDelivered() public {
        Case memory case_ = _case();
        RowOpening memory row = openRequestRow(case_.round, 0);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.NotSettled.selector, 1, 5, 0));
        payments.refundSettled(1, case_.round.round, row);
        post(case_.delivery);
        pass(parameters.deliveryWindow);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.NotSettled.selector, 1, 5, 0));
        payments.refundSettled(1, case_.round.round, row);
        evaluation.finaliseDelivery(case_.delivery.delivery);
        everyWordMatters(address(payments), abi.encodeCall(payments.refundSettled, (1, case_.round.round, row)), 0, "refundSettled");
        (IAnonymousTransaction.Escrow memory escrow, IAnonymousTransaction.EscrowEnd memory end) = payments.escrowOf(1);
        holds(end.closed && escrow.balance == 155, "closed");
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.EscrowClosed.selector, 1));
        payments.refundSettled(1, case_.round.round, row);
    }

    function test_RefundSettled_ofAnotherRoundOrPending_isRefused() public {
        Case memory case_ = _case();
        RowOpening memory row = openRequestRow(case_.round, 0);
        case_.round.round.header.attempt = 1;
        vm.expectPartialRevert(IAnonymousTransaction.UnknownRound.selector);
        payments.refundSettled(1, case_.round.round, row);
        case_.round.round.header.attempt = 0;
        case_.round.round.header.dataHash = 0;
        vm.expectPartialRevert(IAnonymousTransaction.UnknownRound.selector);
        payments.refundSettled(1, case_.round.round, row);
    }

    /// After the refund nothing is left to reserve.
    function test_RecordDelivery_afterTheRefund_isRefused() public {
        Case memory case_ = _case();
        payments.refundSettled(4, case_.round.round, openRequestRow(case_.round, 3));
        DeliveryData memory late = case_.delivery;
        late.delivery.header.requestId = 4;
        plant(late);
        bytes memory signature = receipt(late);
        vm.prank(siteAccounts[0]);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.InsufficientEscrow.selector, 4, 0, 155));
        evaluation.recordDelivery(late.delivery.header, signature);
    }

    function test_Expire_afterTheClaimPeriod_paysThePatientsFund() public {
        Case memory case_ = _finalCase();
        uint256 due = block.timestamp + parameters.claimPeriod;
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.EscrowOpen.selector, 1));
        payments.expire(1);
        payments.refundSettled(1, case_.round.round, openRequestRow(case_.round, 0));
        payments.claim(case_.delivery.delivery, openSlot(case_.delivery, 0));
        vm.warp(due);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.ExpiryNotDue.selector, 1, due));
        payments.expire(1);
        vm.warp(due + 1);
        vm.expectEmit();
        emit IAnonymousTransaction.Expired(1, 155 - 23);
        payments.expire(1);
        equal(payments.balanceOf(patientsFund), 155 - 23, "fund");
        DeliveryOpening memory opening = openSlot(case_.delivery, 1);
        vm.expectRevert(abi.encodeWithSelector(IAnonymousTransaction.EscrowExpired.selector, 1));
        payments.claim(case_.delivery.delivery, opening);
    }

    /// Amounts that exceed the header's own total would pay out other requests' money; no opening of them exists.
    function test_Claim_ofATreeThatExceedsItsHeader_isImpossible() public {
        Case memory case_ = _case();
        case_.delivery.leaves[0].amount = 500;
        plant(case_.delivery);
        case_.delivery.delivery.header.amount = 140;
        postFinal(case_.delivery);
        DeliveryOpening memory opening = openSlot(case_.delivery, 0);
        vm.expectPartialRevert(SumTree.TotalMismatch.selector);
        payments.claim(case_.delivery.delivery, opening);
        vm.expectPartialRevert(SumTree.TotalMismatch.selector);
        payments.claimMany(case_.delivery.delivery, 0, case_.delivery.leaves, new Sibling[](0));
    }

    function test_DevelopmentToken_onAnotherChain_isRefused() public {
        vm.chainId(1);
        vm.expectRevert(abi.encodeWithSelector(DevelopmentToken.NotADevelopmentChain.selector, 1));
        new DevelopmentToken();
    }
}
