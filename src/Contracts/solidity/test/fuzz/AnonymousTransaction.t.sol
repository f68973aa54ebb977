// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { IAnonymousTransaction } from "../../contracts/interfaces/IAnonymousTransaction.sol";
import "../../contracts/Types.sol";
import { Fuzzing } from "../support/Fuzzing.sol";
import { DeliveryData, EpochData, RoundData } from "../support/World.sol";

/// One test for every external function; a test's name lists the functions that it calls.
/// forge-config: default.fuzz.runs = 64
/// forge-config: long.fuzz.runs = 2000
contract AnonymousTransactionFuzzTest is Fuzzing {
    struct Case {
        EpochData[2] epochs;
        RoundData round;
        DeliveryData delivery;
    }

    function _case() private returns (Case memory case_) {
        (case_.epochs, case_.round, case_.delivery) = delivered();
        postFinal(case_.delivery);
    }

    // ---- claims and refunds -----------------------------------------------------------------------------------------

    function testFuzz_Claim_IsClaimed_changedOpening_isRefused(uint256 seed, uint8 slot) public {
        Case memory case_ = _case();
        slot %= 5;
        bytes memory call_ = abi.encodeCall(payments.claim, (case_.delivery.delivery, openSlot(case_.delivery, slot)));
        changedWord(relayer, address(payments), call_, seed);
        holds(!payments.isClaimed(case_.delivery.id, slot), "not yet");
        acceptedIf(true, relayer, address(payments), call_, "claim");
        for (uint32 i = 0; i < 8; ++i) {
            holds(payments.isClaimed(case_.delivery.id, i) == (i == slot), "claimed");
        }
        acceptedIf(false, relayer, address(payments), call_, "claimed twice");
    }

    function testFuzz_ClaimMany_RelayFee_changedLeaf_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ = abi.encodeCall(payments.claimMany, (case_.delivery.delivery, 0, case_.delivery.leaves, new Sibling[](0)));
        changedWord(relayer, address(payments), call_, seed);
        acceptedIf(true, relayer, address(payments), call_, "claim");
        equal(token.balanceOf(relayer), 5 * payments.relayFee(), "fees");
        acceptedIf(false, relayer, address(payments), call_, "claimed twice");
    }

    function testFuzz_Refund_EscrowOf_afterTheDeadlineAndItsGrace(uint32 after_, uint64 requestId) public {
        Case memory case_ = _case();
        requestId = uint64(between(requestId, 0, 6));
        uint256 due = case_.round.round.header.schemaId == 0 ? 0 : matching.requestOf(1).deadline + parameters.repostGrace;
        uint256 until = block.timestamp + between(after_, 0, 60 days);
        vm.warp(until);
        bool open_ = requestId == 1 || requestId == 2 || requestId == 4;
        bool refunded = open_ && until > due;
        (IAnonymousTransaction.Escrow memory before,) = payments.escrowOf(requestId);
        address researcher = matching.requestOf(requestId).researcher;
        uint256 held = token.balanceOf(researcher);
        acceptedIf(refunded, relayer, address(payments), abi.encodeCall(payments.refund, (requestId)), "due");
        (IAnonymousTransaction.Escrow memory escrow, IAnonymousTransaction.EscrowEnd memory end) = payments.escrowOf(requestId);
        equal(escrow.balance, refunded ? before.owed : before.balance, "what is owed stays");
        equal(token.balanceOf(researcher) - held, before.balance - escrow.balance, "refund");
        holds(end.closed == (refunded || requestId == 3), "closed; the third was cancelled");
    }

    function testFuzz_RefundSettled_changedRow_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ = abi.encodeCall(payments.refundSettled, (1, case_.round.round, openRequestRow(case_.round, 0)));
        changedWord(relayer, address(payments), call_, seed);
        acceptedIf(true, relayer, address(payments), call_, "all sold is delivered");
        acceptedIf(false, relayer, address(payments), call_, "refunded twice");
    }

    function testFuzz_Expire_PatientsFund_BalanceOf_aClaimPeriodAfterTheLastDelivery(uint32 after_) public {
        Case memory case_ = _case();
        payments.refundSettled(1, case_.round.round, openRequestRow(case_.round, 0));
        (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(1);
        after_ = uint32(between(after_, 0, 2 * parameters.claimPeriod));
        pass(after_);
        bool due = after_ > parameters.claimPeriod;
        bytes memory call_ = abi.encodeCall(payments.expire, (1));
        acceptedIf(due, relayer, address(payments), call_, "due");
        equal(payments.balanceOf(payments.patientsFund()), due ? escrow.balance : 0, "fund");
        acceptedIf(false, relayer, address(payments), call_, "expired twice");
        acceptedIf(
            !due,
            relayer,
            address(payments),
            abi.encodeCall(payments.claim, (case_.delivery.delivery, openSlot(case_.delivery, 0))),
            "claims end"
        );
    }

    // ---- accounts ---------------------------------------------------------------------------------------------------

    function testFuzz_Deposit_Withdraw_Token_withinTheBalance(address account, uint96 amount, uint96 out) public {
        vm.assume(
            account != address(0) && account != address(payments) && token.balanceOf(account) == 0 && payments.balanceOf(account) == 0
        );
        equal(payments.token(), address(token), "token");
        bytes memory deposit = abi.encodeCall(payments.deposit, (account, amount));
        bool fits = amount > 0 && amount <= token.balanceOf(researchers[0]);
        acceptedIf(fits, researchers[0], address(payments), deposit, "deposit");
        uint256 held = fits ? amount : 0;
        equal(payments.balanceOf(account), held, "balance");
        bool paid = out > 0 && out <= held;
        acceptedIf(paid, account, address(payments), abi.encodeCall(payments.withdraw, (out)), "withdrawal");
        equal(token.balanceOf(account), paid ? out : 0, "tokens");
    }

    /// Bonds: what is locked comes back or is split, to the last token.
    function testFuzz_Lock_Unlock_Slash_Burn_Burnable_loseNothing(uint96 amount, uint8 contract_, bool lost) public {
        address[3] memory contracts = [address(access), address(matching), address(evaluation)];
        address caller = contracts[contract_ % 3];
        uint256 balance = payments.balanceOf(market);
        amount = uint96(between(amount, 0, 2 * balance));
        bool covered = amount <= balance;
        acceptedIf(covered, caller, address(payments), abi.encodeCall(payments.lock, (market, amount)), "lock");
        equal(payments.balanceOf(market), covered ? balance - amount : balance, "locked");
        if (!covered) return;
        bytes memory call_ =
            lost ? abi.encodeCall(payments.slash, (challenger, amount)) : abi.encodeCall(payments.unlock, (challenger, amount));
        uint256 before = payments.balanceOf(challenger);
        acceptedIf(true, caller, address(payments), call_, "end of a bond");
        equal(payments.balanceOf(challenger) - before, lost ? amount / 2 : amount, "beneficiary");
        equal(payments.burnable(), lost ? amount - amount / 2 : 0, "burnable");
        acceptedIf(payments.burnable() > 0, relayer, address(payments), abi.encodeCall(payments.burn, ()), "burn");
        equal(payments.burnable(), 0, "burned");
    }

    /// Escrows: what deliveries reserve never exceeds the budget, and comes back when they are void.
    function testFuzz_Fund_Reserve_Unreserve_Settle_keepOwedWithinTheBudget(uint112 budget, uint112 amount, bool void) public {
        budget = uint112(between(budget, 0, ADDED_FUNDS));
        vm.prank(address(matching));
        payments.fund(77, researchers[0], budget);
        vm.startPrank(address(evaluation));
        (bool done,) = address(payments).call(abi.encodeCall(payments.reserve, (market, 1, 77, amount)));
        holds(done == (amount <= budget), "within the budget");
        (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(77);
        equal(escrow.owed, done ? amount : 0, "owed");
        equal(escrow.pending, done ? 1 : 0, "pending");
        if (done) {
            (bool more,) = address(payments).call(abi.encodeCall(payments.reserve, (market, 1, 77, uint256(budget) - amount + 1)));
            holds(!more, "one token too many");
            if (void) payments.unreserve(77, amount);
            else payments.settle(77);
            (escrow,) = payments.escrowOf(77);
            equal(escrow.pending, 0, "pending");
            equal(escrow.owed, void ? 0 : amount, "owed");
            equal(escrow.balance, budget, "balance");
        }
        vm.stopPrank();
    }
}
