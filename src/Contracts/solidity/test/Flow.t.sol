// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "../contracts/interfaces/ICommitments.sol";
import { IAnonymousTransaction } from "../contracts/interfaces/IAnonymousTransaction.sol";
import "../contracts/Types.sol";
import { DeliveryData, EpochData, RoundData, World } from "./support/World.sol";

contract FlowTest is World {
    /// One sale from epoch to refund; every token is accounted for.
    function test_Sale_fromEpochToRefund_conservesTheBudget() public {
        (EpochData[2] memory epochs, RoundData memory round, DeliveryData memory first) = delivered();
        postFinal(first);
        DeliveryData memory second = draftDelivery(epochs[0], round, 2, 0);
        DeliveryData memory third = draftDelivery(epochs[1], round, 2, 0);
        post(second);
        postFinal(third);
        evaluation.finaliseDelivery(second.delivery);

        equal(evaluation.effectiveRecords(1).records, 5, "records");
        equal(evaluation.effectiveRecords(1).effective, 5e9, "effective");
        equal(evaluation.effectiveRecords(1).amount, 3 * 20 + 2 * 40, "amount");

        vm.prank(relayer);
        payments.claimMany(first.delivery, 0, first.leaves, new Sibling[](0));
        vm.prank(relayer);
        payments.claim(second.delivery, openSlot(second, 1));
        uint256 before = token.balanceOf(researchers[0]);
        payments.refundSettled(1, round.round, openRequestRow(round, 0));
        equal(token.balanceOf(researchers[0]) - before, 515 - 140 - 15, "refund");
        equal(token.balanceOf(relayer), 6 * 3, "relay fees");
        payments.refundSettled(4, round.round, openRequestRow(round, 3));

        pass(40 days);
        payments.refund(2);
        pass(366 days);
        payments.expire(1);
        payments.expire(2);
        (IAnonymousTransaction.Escrow memory escrow,) = payments.escrowOf(2);
        equal(escrow.balance, 0, "escrow");
        equal(payments.balanceOf(patientsFund), 2 * 20 + 40 + 3 * 3, "patients' fund");
    }
}
