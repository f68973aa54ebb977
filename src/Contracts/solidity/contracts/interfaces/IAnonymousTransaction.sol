// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { Delivery, DeliveryLeaf, DeliveryOpening, Round, RowOpening, Sibling } from "../Types.sol";

/// @title All the money: escrows, claims, bonds and deposits
/// @notice The only contract that holds tokens. No role can take money; nothing here can be paused. For every request, at its end:
/// funded = paid + relay fees + refunded + expired to the patients' fund.
interface IAnonymousTransaction {
    /// @param balance what is left of the budget
    /// @param owed part of it that pending and final deliveries reserve
    /// @param pending deliveries that are neither final nor void
    struct Escrow {
        uint112 balance;
        uint112 owed;
        uint32 pending;
    }

    /// @param closed refunded: no delivery can follow
    struct EscrowEnd {
        bool closed;
        bool expired;
        uint64 lastFinalisedAt;
    }

    event Deposited(address indexed account, address indexed payer, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event Locked(address indexed account, uint256 amount);
    event Unlocked(address indexed account, uint256 amount);
    event Slashed(address indexed beneficiary, uint256 reward, uint256 burned);
    event Burned(uint256 amount);
    event Funded(uint64 indexed requestId, address indexed researcher, uint256 amount);
    /// @notice Part of an escrow is owed to a recorded delivery, whose committer's bond is locked.
    event Reserved(uint64 indexed requestId, address committer, uint256 amount, uint256 bond);
    event Unreserved(uint64 indexed requestId, uint256 amount);
    event Settled(uint64 indexed requestId);
    event Claimed(bytes32 indexed deliveryId, uint32 indexed slot, address indexed payee, uint256 amount);
    /// @notice A payee that the token refuses: the leaf stays claimable.
    event ClaimFailed(bytes32 indexed deliveryId, uint32 indexed slot, address indexed payee, uint256 amount);
    event RelayFeePaid(address indexed relayer, uint256 amount);
    event Refunded(uint64 indexed requestId, address indexed researcher, uint256 amount);
    event Expired(uint64 indexed requestId, uint256 amount);

    error Unauthorised(address caller);
    error InsufficientBalance(address account, uint256 available, uint256 needed);
    error InsufficientEscrow(uint64 requestId, uint256 available, uint256 needed);
    /// @notice The token moved another amount than it was asked to.
    error FeeOnTransferToken(uint256 expected, uint256 received);
    error TransferFailed(address to, uint256 amount);
    error EscrowClosed(uint64 requestId);
    error EscrowExpired(uint64 requestId);
    error EscrowOpen(uint64 requestId);
    error DeliveryNotFinal(bytes32 deliveryId);
    error UnknownDelivery(bytes32 deliveryId);
    error AlreadyClaimed(bytes32 deliveryId, uint32 slot);
    error NothingToClaim(bytes32 deliveryId);
    error RefundNotDue(uint64 requestId, uint256 due);
    error DeliveriesPending(uint64 requestId, uint256 count);
    error NotSettled(uint64 requestId, uint256 sold, uint256 delivered);
    error ExpiryNotDue(uint64 requestId, uint256 due);
    error NothingToBurn();
    error TooManyLeaves(uint256 count, uint256 limit);
    error UnknownRequest(uint64 requestId);
    error UnknownRound(bytes32 roundId);
    error ZeroAmount();

    // ---- accounts for bonds and deposits ----

    /// @notice Adds tokens of the caller to an account's free balance.
    function deposit(address account, uint256 amount) external;

    /// @notice Pays free balance out to its owner.
    function withdraw(uint256 amount) external;

    /// @notice Sends the burned halves of lost bonds to 0x...dEaD. Anyone.
    function burn() external;

    // ---- claims and refunds ----

    /// @notice Pays one leaf of a final delivery to its payout address, and the relay fee to the caller.
    function claim(Delivery calldata delivery, DeliveryOpening calldata opening) external;

    /// @notice Pays an aligned subtree of 2^min(6, depth) leaves. Leaves paid before, and payees that the token refuses, are skipped.
    /// @param subtree index of the subtree: its first slot is subtree * 2^min(6, depth)
    /// @param leaves the subtree's leaves from its first slot on; trailing empty ones may be left out
    /// @param path from the subtree's node to the root
    function claimMany(Delivery calldata delivery, uint32 subtree, DeliveryLeaf[] calldata leaves, Sibling[] calldata path) external;

    /// @notice Pays back what no delivery reserved: after cancellation, or after the deadline and its grace with nothing pending. Anyone.
    function refund(uint64 requestId) external;

    /// @notice Pays back at once when everything that the round sold to the request is delivered and final (also when that is nothing).
    /// @param row the request's row of Y
    function refundSettled(uint64 requestId, Round calldata round, RowOpening calldata row) external;

    /// @notice Moves what nobody claimed to the patients' fund, a claim period after the last final delivery. Anyone.
    function expire(uint64 requestId) external;

    // ---- the other three contracts ----

    function fund(uint64 requestId, address researcher, uint112 amount) external;
    function lock(address account, uint256 amount) external;
    function unlock(address account, uint256 amount) external;
    /// @notice Gives half of a locked bond (floor) to the beneficiary and burns the rest.
    function slash(address beneficiary, uint256 amount) external;
    /// @notice Locks the site's bond and reserves a delivery's money in one call.
    function reserve(address committer, uint256 bond, uint64 requestId, uint256 amount) external;
    function unreserve(uint64 requestId, uint256 amount) external;
    function settle(uint64 requestId) external;

    // ---- views ----

    function token() external view returns (address);
    function patientsFund() external view returns (address);
    function relayFee() external view returns (uint256);
    function balanceOf(address account) external view returns (uint256);
    function burnable() external view returns (uint256);
    function escrowOf(uint64 requestId) external view returns (Escrow memory, EscrowEnd memory);
    function isClaimed(bytes32 deliveryId, uint32 slot) external view returns (bool);
}
