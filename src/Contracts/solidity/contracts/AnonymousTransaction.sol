// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { IAnonymousTransaction } from "./interfaces/IAnonymousTransaction.sol";
import { ICommitments } from "./interfaces/ICommitments.sol";
import { IDataEvaluation } from "./interfaces/IDataEvaluation.sol";
import { IMatchingDecision } from "./interfaces/IMatchingDecision.sol";
import { Identifiers } from "./libraries/Identifiers.sol";
import { Leaves } from "./libraries/Leaves.sol";
import { Payouts } from "./libraries/Payouts.sol";
import { Rounds } from "./libraries/Rounds.sol";
import { SumTree } from "./libraries/SumTree.sol";
import {
    Contracts,
    Delivery,
    DeliveryHeader,
    DeliveryLeaf,
    DeliveryOpening,
    Parameters,
    Request,
    Round,
    RowOpening,
    Sibling
} from "./Types.sol";

/// @title AnonymousTransaction
/// @notice Every token of the market, and the few ways in which it moves: see IAnonymousTransaction.
contract AnonymousTransaction is IAnonymousTransaction, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant SUBTREE_HEIGHT = 6;

    IERC20 private immutable TOKEN;
    address private immutable ACCESS;
    IMatchingDecision private immutable MATCHING;
    IDataEvaluation private immutable EVALUATION;
    uint256 private immutable REPOST_GRACE;
    uint256 private immutable CLAIM_PERIOD;
    /// @inheritdoc IAnonymousTransaction
    address public immutable patientsFund;
    /// @inheritdoc IAnonymousTransaction
    uint256 public immutable relayFee;

    /// @inheritdoc IAnonymousTransaction
    uint256 public burnable;
    /// @inheritdoc IAnonymousTransaction
    mapping(address account => uint256 amount) public balanceOf;
    mapping(uint64 requestId => Escrow) private _escrows;
    mapping(uint64 requestId => EscrowEnd) private _ends;
    mapping(bytes32 deliveryId => mapping(uint256 word => uint256 bits)) private _claimed;

    constructor(Contracts memory contracts, Parameters memory parameters) {
        TOKEN = IERC20(parameters.token);
        ACCESS = contracts.accessControl;
        MATCHING = IMatchingDecision(contracts.matching);
        EVALUATION = IDataEvaluation(contracts.evaluation);
        REPOST_GRACE = parameters.repostGrace;
        CLAIM_PERIOD = parameters.claimPeriod;
        patientsFund = parameters.patientsFund;
        relayFee = parameters.relayFee;
    }

    modifier only(address caller) {
        _only(caller);
        _;
    }

    modifier onlyContracts() {
        _onlyContracts();
        _;
    }

    // ---- accounts ---------------------------------------------------------------------------------------------------

    /// @inheritdoc IAnonymousTransaction
    function deposit(address account, uint256 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        balanceOf[account] += amount;
        emit Deposited(account, msg.sender, amount);
        _pull(msg.sender, amount);
    }

    /// @inheritdoc IAnonymousTransaction
    function withdraw(uint256 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        _take(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IAnonymousTransaction
    function burn() external nonReentrant {
        uint256 amount = burnable;
        if (amount == 0) revert NothingToBurn();
        burnable = 0;
        emit Burned(amount);
        TOKEN.safeTransfer(BURN_ADDRESS, amount);
    }

    /// @inheritdoc IAnonymousTransaction
    function lock(address account, uint256 amount) external onlyContracts {
        _take(account, amount);
        emit Locked(account, amount);
    }

    /// @inheritdoc IAnonymousTransaction
    function unlock(address account, uint256 amount) external onlyContracts {
        balanceOf[account] += amount;
        emit Unlocked(account, amount);
    }

    /// @inheritdoc IAnonymousTransaction
    function slash(address beneficiary, uint256 amount) external onlyContracts {
        (uint256 reward, uint256 burned) = Payouts.splitBond(amount);
        balanceOf[beneficiary] += reward;
        burnable += burned;
        emit Slashed(beneficiary, reward, burned);
    }

    // ---- escrows ----------------------------------------------------------------------------------------------------

    /// @inheritdoc IAnonymousTransaction
    function fund(uint64 requestId, address researcher, uint112 amount) external only(address(MATCHING)) nonReentrant {
        _escrows[requestId].balance = amount;
        emit Funded(requestId, researcher, amount);
        _pull(researcher, amount);
    }

    /// @inheritdoc IAnonymousTransaction
    function reserve(address committer, uint256 bond, uint64 requestId, uint256 amount) external only(address(EVALUATION)) {
        Escrow storage escrow = _escrows[requestId];
        (uint256 balance, uint256 owed, uint32 pending) = (escrow.balance, escrow.owed, escrow.pending);
        uint256 available = Payouts.available(balance, owed);
        if (amount > available) revert InsufficientEscrow(requestId, available, amount);
        // At most the balance.
        // forge-lint: disable-next-line(unsafe-typecast)
        (escrow.owed, escrow.pending) = (uint112(Payouts.reserve(owed, amount)), pending + 1);
        _take(committer, bond);
        emit Reserved(requestId, committer, amount, bond);
    }

    /// @inheritdoc IAnonymousTransaction
    function unreserve(uint64 requestId, uint256 amount) external only(address(EVALUATION)) {
        Escrow memory escrow = _escrows[requestId];
        // Less than before.
        // forge-lint: disable-next-line(unsafe-typecast)
        escrow.owed = uint112(Payouts.unreserve(escrow.owed, amount));
        --escrow.pending;
        _escrows[requestId] = escrow;
        emit Unreserved(requestId, amount);
    }

    /// @inheritdoc IAnonymousTransaction
    function settle(uint64 requestId) external only(address(EVALUATION)) {
        --_escrows[requestId].pending;
        // forge-lint: disable-next-line(unsafe-typecast)
        _ends[requestId].lastFinalisedAt = uint64(block.timestamp);
        emit Settled(requestId);
    }

    /// @inheritdoc IAnonymousTransaction
    function refund(uint64 requestId) external nonReentrant {
        Request memory request = _requestOf(requestId);
        uint256 due = request.deadline + REPOST_GRACE;
        if (!request.cancelled && block.timestamp <= due) revert RefundNotDue(requestId, due);
        _refund(requestId, request.researcher);
    }

    /// @inheritdoc IAnonymousTransaction
    function refundSettled(uint64 requestId, Round calldata round, RowOpening calldata row) external nonReentrant {
        Request memory request = _requestOf(requestId);
        bytes32 roundId = Rounds.id(round.header, address(MATCHING));
        if (roundId != MATCHING.finalRoundOf(request.schemaId, request.book)) revert UnknownRound(roundId);
        if (MATCHING.commitmentOf(roundId) != keccak256(abi.encode(round))) revert UnknownRound(roundId);
        Rounds.openRequestRow(round.header, request.index, row);
        uint256 delivered = EVALUATION.effectiveRecords(requestId).records;
        if (row.sum != delivered) revert NotSettled(requestId, row.sum, delivered);
        _refund(requestId, request.researcher);
    }

    /// @inheritdoc IAnonymousTransaction
    function expire(uint64 requestId) external {
        EscrowEnd memory end = _ends[requestId];
        if (!end.closed) revert EscrowOpen(requestId);
        if (end.expired) revert EscrowExpired(requestId);
        uint256 due = end.lastFinalisedAt + CLAIM_PERIOD;
        if (block.timestamp <= due) revert ExpiryNotDue(requestId, due);
        _ends[requestId].expired = true;
        uint256 amount = _escrows[requestId].balance;
        delete _escrows[requestId];
        balanceOf[patientsFund] += amount;
        emit Expired(requestId, amount);
    }

    // ---- claims -----------------------------------------------------------------------------------------------------

    /// @inheritdoc IAnonymousTransaction
    function claim(Delivery calldata delivery, DeliveryOpening calldata opening) external nonReentrant {
        DeliveryHeader calldata header = delivery.header;
        bytes32 deliveryId = _requireClaimable(delivery);
        (bytes32 hash, uint256 sum) = Leaves.delivery(deliveryId, opening.slot, opening.leaf);
        SumTree.verify(header.root, _total(header), header.depth, hash, sum, opening.slot, opening.path, 0);
        address payee = opening.leaf.payoutAddress;
        uint256 amount = opening.leaf.amount;
        if (payee == address(0)) revert NothingToClaim(deliveryId);
        if (isClaimed(deliveryId, opening.slot)) revert AlreadyClaimed(deliveryId, opening.slot);
        _claimed[deliveryId][opening.slot >> 8] |= 1 << (opening.slot & 255);
        _pay(header.requestId, amount + relayFee);
        emit Claimed(deliveryId, opening.slot, payee, amount);
        emit RelayFeePaid(msg.sender, relayFee);
        TOKEN.safeTransfer(payee, amount);
        TOKEN.safeTransfer(msg.sender, relayFee);
    }

    /// @inheritdoc IAnonymousTransaction
    function claimMany(
        Delivery calldata delivery,
        uint32 subtree,
        DeliveryLeaf[] calldata leaves,
        Sibling[] calldata path
    ) external nonReentrant {
        bytes32 deliveryId = _requireClaimable(delivery);
        (uint256 firstSlot, uint256 filled, Sibling memory node) = _foldSubtree(deliveryId, delivery.header.depth, subtree, leaves);
        _verifyNode(delivery.header, subtree, node, path);
        // An aligned subtree of at most 64 leaves lies within one word of the bitmap.
        uint256 fresh = filled & ~(_claimed[deliveryId][firstSlot >> 8] >> (firstSlot & 255));
        if (fresh == 0) revert NothingToClaim(deliveryId);
        // Marked before any transfer; what the token refuses is unmarked below.
        _claimed[deliveryId][firstSlot >> 8] |= fresh << (firstSlot & 255);
        (uint256 paid, uint256 count, uint256 refused) = _payLeaves(deliveryId, firstSlot, fresh, leaves);
        if (refused != 0) _claimed[deliveryId][firstSlot >> 8] &= ~(refused << (firstSlot & 255));
        uint256 fees = count * relayFee;
        _pay(delivery.header.requestId, paid + fees);
        emit RelayFeePaid(msg.sender, fees);
        TOKEN.safeTransfer(msg.sender, fees);
    }

    // ---- views ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IAnonymousTransaction
    function token() external view returns (address) {
        return address(TOKEN);
    }

    /// @inheritdoc IAnonymousTransaction
    function escrowOf(uint64 requestId) external view returns (Escrow memory, EscrowEnd memory) {
        return (_escrows[requestId], _ends[requestId]);
    }

    /// @inheritdoc IAnonymousTransaction
    function isClaimed(bytes32 deliveryId, uint32 slot) public view returns (bool) {
        return (_claimed[deliveryId][slot >> 8] >> (slot & 255)) & 1 == 1;
    }

    // ---- inside -----------------------------------------------------------------------------------------------------

    function _only(address caller) private view {
        if (msg.sender != caller) revert Unauthorised(msg.sender);
    }

    function _onlyContracts() private view {
        bool known = msg.sender == ACCESS || msg.sender == address(MATCHING) || msg.sender == address(EVALUATION);
        if (!known) revert Unauthorised(msg.sender);
    }

    function _take(address account, uint256 amount) private {
        uint256 available = balanceOf[account];
        if (amount > available) revert InsufficientBalance(account, available, amount);
        unchecked {
            balanceOf[account] = available - amount;
        }
    }

    /// Takes tokens in and refuses a token that keeps part of them.
    function _pull(address from, uint256 amount) private {
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(from, address(this), amount);
        uint256 received = TOKEN.balanceOf(address(this)) - before;
        if (received != amount) revert FeeOnTransferToken(amount, received);
    }

    /// The stored request. One that does not exist yet must not be refunded: its escrow would be closed before it is funded.
    function _requestOf(uint64 requestId) private view returns (Request memory request) {
        request = MATCHING.requestOf(requestId);
        if (request.researcher == address(0)) revert UnknownRequest(requestId);
    }

    function _refund(uint64 requestId, address researcher) private {
        EscrowEnd storage end = _ends[requestId];
        if (end.closed) revert EscrowClosed(requestId);
        Escrow memory escrow = _escrows[requestId];
        if (escrow.pending != 0) revert DeliveriesPending(requestId, escrow.pending);
        end.closed = true;
        uint256 amount = Payouts.available(escrow.balance, escrow.owed);
        // What is owed stays.
        _escrows[requestId].balance = escrow.owed;
        emit Refunded(requestId, researcher, amount);
        TOKEN.safeTransfer(researcher, amount);
    }

    /// Takes paid money off an escrow. It was reserved when the delivery was recorded, and every leaf is paid once.
    function _pay(uint64 requestId, uint256 amount) private {
        Escrow memory escrow = _escrows[requestId];
        (uint256 balance, uint256 owed) = Payouts.pay(escrow.balance, escrow.owed, amount);
        // Less than before.
        // forge-lint: disable-next-line(unsafe-typecast)
        (escrow.balance, escrow.owed) = (uint112(balance), uint112(owed));
        _escrows[requestId] = escrow;
    }

    function _requireClaimable(Delivery calldata delivery) private view returns (bytes32 deliveryId) {
        DeliveryHeader calldata header = delivery.header;
        deliveryId = Identifiers.delivery(address(EVALUATION), header.requestId, header.site, header.attempt);
        if (EVALUATION.commitmentOf(deliveryId) != keccak256(abi.encode(delivery))) revert UnknownDelivery(deliveryId);
        if (EVALUATION.batchState(deliveryId).status != ICommitments.Status.Final) revert DeliveryNotFinal(deliveryId);
        if (_ends[header.requestId].expired) revert EscrowExpired(header.requestId);
    }

    function _total(DeliveryHeader calldata header) private pure returns (uint256) {
        return SumTree.pack(header.amount, header.count, header.effective);
    }

    /// @return firstSlot where the aligned subtree begins
    /// @return filled bits of its leaves that are not empty
    /// @return node its root
    function _foldSubtree(
        bytes32 deliveryId,
        uint256 depth,
        uint32 subtree,
        DeliveryLeaf[] calldata leaves
    ) private pure returns (uint256 firstSlot, uint256 filled, Sibling memory node) {
        uint256 height = depth < SUBTREE_HEIGHT ? depth : SUBTREE_HEIGHT;
        if (leaves.length > 1 << height) revert TooManyLeaves(leaves.length, 1 << height);
        firstSlot = uint256(subtree) << height;
        uint256[] memory nodes = new uint256[](2 << height);
        for (uint256 i = 0; i < leaves.length; ++i) {
            // _verifyNode refuses a subtree outside the tree, so a slot is less than 2^24.
            // forge-lint: disable-next-line(unsafe-typecast)
            (bytes32 hash, uint256 sum) = Leaves.delivery(deliveryId, uint64(firstSlot + i), leaves[i]);
            // A leaf counts at least one.
            if (sum != 0) filled |= 1 << i;
            assembly ("memory-safe") {
                let target := add(add(nodes, 32), shl(6, i))
                mstore(target, hash)
                mstore(add(target, 32), sum)
            }
        }
        (node.hash, node.sum) = SumTree.fold(nodes);
    }

    /// The path is what the depth leaves above the subtree.
    function _verifyNode(DeliveryHeader calldata header, uint32 subtree, Sibling memory node, Sibling[] calldata path) private pure {
        uint256 above = header.depth < SUBTREE_HEIGHT ? 0 : header.depth - SUBTREE_HEIGHT;
        SumTree.verify(header.root, _total(header), above, node.hash, node.sum, subtree, path, 0);
    }

    /// @return paid money that reached its payees
    /// @return count payees paid
    /// @return refused bits of the leaves that the token would not pay
    function _payLeaves(
        bytes32 deliveryId,
        uint256 firstSlot,
        uint256 fresh,
        DeliveryLeaf[] calldata leaves
    ) private returns (uint256 paid, uint256 count, uint256 refused) {
        for (uint256 i = 0; i < leaves.length; ++i) {
            if ((fresh >> i) & 1 == 0) continue;
            DeliveryLeaf calldata leaf = leaves[i];
            // The slot lies in the tree, below 2^24.
            // forge-lint: disable-next-line(unsafe-typecast)
            uint32 slot = uint32(firstSlot + i);
            if (TOKEN.trySafeTransfer(leaf.payoutAddress, leaf.amount)) {
                paid += leaf.amount;
                ++count;
                emit Claimed(deliveryId, slot, leaf.payoutAddress, leaf.amount);
            } else {
                refused |= 1 << i;
                emit ClaimFailed(deliveryId, slot, leaf.payoutAddress, leaf.amount);
            }
        }
    }
}
