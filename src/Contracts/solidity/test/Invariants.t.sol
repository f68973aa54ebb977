// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { AnonymousTransaction } from "../contracts/AnonymousTransaction.sol";
import { MatchingDecision } from "../contracts/MatchingDecision.sol";
import { DevelopmentToken } from "../contracts/development/DevelopmentToken.sol";
import { IAnonymousTransaction } from "../contracts/interfaces/IAnonymousTransaction.sol";
import "../contracts/Types.sol";
import { Handler } from "./support/Handler.sol";
import { Test } from "./support/Test.sol";

/// What holds after every sequence of calls, and what is left when all deadlines have passed.
contract InvariantsTest is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private handler;
    DevelopmentToken private token;
    AnonymousTransaction private payments;
    MatchingDecision private matching;

    function setUp() public {
        handler = new Handler();
        (address token_, address payments_, address matching_) = handler.system();
        (token, payments, matching) = (DevelopmentToken(token_), AnonymousTransaction(payments_), MatchingDecision(matching_));
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](32);
        bytes4[28] memory calls = [
            Handler.depositAndWithdraw.selector,
            Handler.burn.selector,
            Handler.openRequest.selector,
            Handler.cancelRequest.selector,
            Handler.closeBookOfRequests.selector,
            Handler.commitRound.selector,
            Handler.sealSeed.selector,
            Handler.postEpoch.selector,
            Handler.challengeEpoch.selector,
            Handler.revoke.selector,
            Handler.pauseOrResume.selector,
            Handler.setAuditor.selector,
            Handler.rotateSite.selector,
            Handler.recordFinding.selector,
            Handler.recordDelivery.selector,
            Handler.finaliseBatch.selector,
            Handler.voidRound.selector,
            Handler.challengeDelivery.selector,
            Handler.challengeRound.selector,
            Handler.demandLeaf.selector,
            Handler.answerDemand.selector,
            Handler.voidUnanswered.selector,
            Handler.reclaimDemand.selector,
            Handler.claim.selector,
            Handler.claimMany.selector,
            Handler.refund.selector,
            Handler.refundSettled.selector,
            Handler.expire.selector
        ];
        for (uint256 i = 0; i < 28; ++i) {
            selectors[i] = calls[i];
        }
        // The rare ways on get more tries.
        (selectors[28], selectors[29], selectors[30], selectors[31]) =
        (Handler.wait.selector, Handler.finaliseBatch.selector, Handler.recordDelivery.selector, Handler.openRequest.selector);
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// Solvency: the tokens held are exactly what is owed to accounts, escrows, the fire, and open bonds and deposits.
    function invariant_Solvency_tokensHeldAreTokensOwed() public view {
        uint256 owed = payments.burnable() + handler.locked();
        for (uint256 i = 0; i < 8; ++i) {
            owed += payments.balanceOf(handler.accountAt(i));
        }
        for (uint64 id = 1; id <= matching.requestCount(); ++id) {
            (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(id);
            owed += escrow.balance;
        }
        equal(token.balanceOf(address(payments)), owed, "tokens");
    }

    /// Conservation: a budget is in its escrow or has gone where it should.
    function invariant_Conservation_ofEveryBudget() public view {
        for (uint64 id = 1; id <= matching.requestCount(); ++id) {
            (uint256 funded, uint256 paid, uint256 fees, uint256 refunded, uint256 expired) = handler.moneyOf(id);
            (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(id);
            equal(paid + fees + refunded + expired + escrow.balance, funded, "budget");
            holds(escrow.owed <= escrow.balance, "owed more than there is");
        }
    }

    /// Nobody is paid twice, and nobody but the payee: each leaf has an address of its own.
    function invariant_Claims_payEachLeafOnce() public view {
        for (uint256 i = 0; i < handler.deliveryCount(); ++i) {
            for (uint32 slot = 0; slot < 4; ++slot) {
                (bytes32 id, bool exists, DeliveryLeaf memory leaf) = handler.leafOf(i, slot);
                if (!exists || leaf.payoutAddress == address(0)) continue;
                uint256 expected = payments.isClaimed(id, slot) ? leaf.amount : 0;
                equal(token.balanceOf(leaf.payoutAddress), expected, "payee");
            }
        }
    }

    /// A revocation is for ever, and epochs become final in their order.
    function invariant_Access_revocationsAndFinalEpochsStand() public view {
        holds(handler.accessStands(), "revocations and epochs");
    }

    /// Every path ends: after all deadlines no bond, deposit or budget is left, and no token stays behind.
    function afterInvariant() public {
        handler.finish();
        invariant_Solvency_tokensHeldAreTokensOwed();
        invariant_Conservation_ofEveryBudget();
        equal(handler.locked(), 0, "bonds and deposits");
        for (uint64 id = 1; id <= matching.requestCount(); ++id) {
            (IAnonymousTransaction.Escrow memory escrow, IAnonymousTransaction.EscrowEnd memory end) = payments.escrowOf(id);
            equal(escrow.balance, 0, "escrow");
            holds(end.closed, "closed");
        }
        equal(token.balanceOf(address(payments)), 0, "tokens left behind");
    }

    /// The handler reaches what the invariants are about; without this they could hold of an empty market.
    function test_Handler_canWalkTheWholeWay() public {
        // Site 1 may deliver 3, 1 and 3 records; site 2 none, so its delivery is challenged.
        handler.recordDelivery(0, 0, 0, 3, 7);
        handler.recordDelivery(1, 0, 0, 0, 8);
        handler.recordDelivery(2, 1, 0, 2, 9);
        handler.challengeDelivery(3);
        handler.recordDelivery(2, 0, 0, 2, 10);
        handler.demandLeaf(4, 0);
        handler.demandLeaf(1, 1);
        handler.answerDemand(1);
        for (uint256 i = 0; i < 2; ++i) {
            handler.wait(1 days, 10);
        }
        handler.voidUnanswered(0);
        // Site 1's first epoch is final, its second faulty; one of its members leaves.
        handler.postEpoch(0, 0, false);
        handler.demandLeaf(5, 1);
        handler.answerDemand(2);
        handler.revoke(0, 1);
        handler.wait(1 days, 10);
        handler.wait(1 days, 10);
        handler.finaliseBatch(5);
        handler.postEpoch(0, 1, true);
        handler.challengeEpoch(1);
        equal(handler.latestFinal(1), 1, "the honest epoch");
        handler.finaliseBatch(1);
        handler.finaliseBatch(2);
        handler.claim(0, 0);
        handler.claimMany(0);
        handler.claimMany(1);
        handler.refundSettled(1);
        // A second book, whose round claims a surplus for a request that it does not fill.
        handler.pauseOrResume(0);
        handler.openRequest(0, 100, 5, 0);
        handler.closeBookOfRequests();
        holds(handler.accepted("closeBook") == 1, "nothing is opened while paused");
        handler.pauseOrResume(1);
        handler.setAuditor(0);
        handler.setAuditor(1);
        handler.recordFinding(0, "finding");
        handler.rotateSite(1, 2, false);
        for (uint256 i = 0; i < 4; ++i) {
            handler.wait(2 days - 1, 10);
        }
        handler.rotateSite(1, 0, true);
        handler.openRequest(0, 100, 5, 0);
        handler.closeBookOfRequests();
        handler.commitRound(1, 0, 0x30000);
        handler.challengeRound(7);
        handler.commitRound(1, 1, 0);
        handler.sealSeed(2);
        bytes32[22] memory names = [
            bytes32("openRequest"),
            "closeBook",
            "commitRound",
            "sealSeed",
            "demand",
            "answer",
            "voidUnanswered",
            "finalise",
            "recordDelivery",
            "challengeDelivery",
            "challengeRound",
            "claim",
            "claimMany",
            "refundSettled",
            "postEpoch",
            "challengeEpoch",
            "revoke",
            "setPaused",
            "setAuditor",
            "scheduleRotation",
            "completeRotation",
            "recordFinding"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            holds(handler.accepted(names[i]) > 0, string(abi.encodePacked(names[i])));
        }
        invariant_Solvency_tokensHeldAreTokensOwed();
        invariant_Conservation_ofEveryBudget();
        invariant_Claims_payEachLeafOnce();
        invariant_Access_revocationsAndFinalEpochsStand();
        afterInvariant();
    }
}
