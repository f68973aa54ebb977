// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { IAnonymousTransaction } from "./interfaces/IAnonymousTransaction.sol";
import { ICommitments } from "./interfaces/ICommitments.sol";
import { Contracts, Parameters, Posting } from "./Types.sol";

/// @title The life of a batch
/// @notice Posted, then final or void. Posting writes one new word; demands, finality and faults write a second one.
abstract contract Commitments is ICommitments {
    IAnonymousTransaction internal immutable PAYMENTS;
    uint256 internal immutable WINDOW;
    uint256 internal immutable BOND;
    uint256 private immutable DEMAND_DEPOSIT;

    /// @inheritdoc ICommitments
    mapping(bytes32 batchId => bytes32 commitment) public commitmentOf;
    mapping(bytes32 batchId => BatchState) private _states;
    mapping(bytes32 demandId => Demand) private _demands;

    constructor(Contracts memory contracts, Parameters memory parameters, uint32 window, uint96 bond) {
        // Demands have half a window each to be made and answered; what costs nothing to lose binds nobody.
        if (window < 2) revert InvalidParameter("window");
        if (bond == 0) revert InvalidParameter("bond");
        if (parameters.demandDeposit == 0) revert InvalidParameter("demandDeposit");
        PAYMENTS = IAnonymousTransaction(contracts.payments);
        WINDOW = window;
        BOND = bond;
        DEMAND_DEPOSIT = parameters.demandDeposit;
    }

    /// @inheritdoc ICommitments
    function batchState(bytes32 batchId) public view returns (BatchState memory state) {
        state = _states[batchId];
        if (state.status == Status.Absent && commitmentOf[batchId] != 0) state.status = Status.Posted;
    }

    /// @inheritdoc ICommitments
    function demandOf(bytes32 batchId, uint8 kind, uint64 position) external view returns (Demand memory) {
        return _demands[_demandId(batchId, kind, position)];
    }

    /// @inheritdoc ICommitments
    function reclaimDemand(bytes32 batchId, uint8 kind, uint64 position) external {
        Status status = batchState(batchId).status;
        if (status != Status.Void) revert BatchNotVoid(batchId, status);
        Demand memory demand = _takeDemand(batchId, kind, position);
        emit DemandReclaimed(batchId, kind, position, demand.demander);
        PAYMENTS.unlock(demand.demander, DEMAND_DEPOSIT);
    }

    function _posting() internal view returns (Posting memory) {
        // Time and height fit 64 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        return Posting({ committer: msg.sender, timestamp: uint64(block.timestamp), blockNumber: uint64(block.number) });
    }

    /// Stores a new batch. The caller locks the bond.
    function _post(bytes32 batchId, bytes32 commitment) internal {
        if (commitmentOf[batchId] != 0) revert BatchExists(batchId);
        commitmentOf[batchId] = commitment;
    }

    /// The batch handed in is the one stored, and neither final nor void.
    function _requirePosted(bytes32 batchId, bytes32 commitment) internal view {
        _requireKnown(batchId, commitment);
        Status status = _states[batchId].status;
        // A posted batch has a state of its own only while it has, or had, demands.
        if (status == Status.Final || status == Status.Void) revert NotPosted(batchId, status);
    }

    function _requireFinal(bytes32 batchId, bytes32 commitment) internal view {
        _requireKnown(batchId, commitment);
        Status status = batchState(batchId).status;
        if (status != Status.Final) revert NotFinal(batchId, status);
    }

    function _requireKnown(bytes32 batchId, bytes32 commitment) internal view {
        if (commitmentOf[batchId] != commitment) revert UnknownBatch(batchId);
    }

    function _finalise(bytes32 batchId, Posting calldata posting) internal {
        BatchState storage state = _states[batchId];
        uint256 until = posting.timestamp + WINDOW;
        if (block.timestamp < until) revert WindowOpen(batchId, until);
        if (state.openDemands != 0) revert DemandsOpen(batchId, state.openDemands);
        state.status = Status.Final;
        // Time and height fit 64 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        (state.finalisedAt, state.finalisedBlock) = (uint64(block.timestamp), uint64(block.number));
        emit BatchFinalised(batchId);
        PAYMENTS.unlock(posting.committer, BOND);
    }

    function _void(bytes32 batchId, Fault fault, address beneficiary) internal {
        _states[batchId].status = Status.Void;
        emit BatchVoided(batchId, fault, beneficiary);
        PAYMENTS.slash(beneficiary, BOND);
    }

    /// @param positions number of positions of the tree
    function _demand(bytes32 batchId, Posting calldata posting, uint8 kind, uint64 position, uint256 positions) internal {
        uint256 until = posting.timestamp + WINDOW / 2;
        if (block.timestamp >= until) revert DemandTooLate(batchId, until);
        if (position >= positions) revert PositionOutOfRange(position, positions);
        Demand storage demand = _demands[_demandId(batchId, kind, position)];
        if (demand.demander != address(0)) revert DemandExists(batchId, kind, position);
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 answerBy = uint64(block.timestamp + WINDOW / 2);
        (demand.demander, demand.answerBy) = (msg.sender, answerBy);
        ++_states[batchId].openDemands;
        emit LeafDemanded(batchId, kind, position, msg.sender, answerBy);
        PAYMENTS.lock(msg.sender, DEMAND_DEPOSIT);
    }

    /// The leaf has been opened by the caller.
    function _answer(bytes32 batchId, uint8 kind, uint64 position) internal {
        Demand memory demand = _takeDemand(batchId, kind, position);
        if (block.timestamp > demand.answerBy) revert AnswerTooLate(demand.answerBy);
        --_states[batchId].openDemands;
        emit LeafAnswered(batchId, kind, position, msg.sender);
        PAYMENTS.unlock(msg.sender, DEMAND_DEPOSIT);
    }

    function _voidUnanswered(bytes32 batchId, uint8 kind, uint64 position) internal {
        Demand memory demand = _takeDemand(batchId, kind, position);
        if (block.timestamp <= demand.answerBy) revert AnswerStillDue(demand.answerBy);
        _void(batchId, Fault.LeafWithheld, demand.demander);
        PAYMENTS.unlock(demand.demander, DEMAND_DEPOSIT);
    }

    function _takeDemand(bytes32 batchId, uint8 kind, uint64 position) private returns (Demand memory demand) {
        bytes32 demandId = _demandId(batchId, kind, position);
        demand = _demands[demandId];
        if (demand.demander == address(0)) revert NoDemand(batchId, kind, position);
        delete _demands[demandId];
    }

    function _demandId(bytes32 batchId, uint8 kind, uint64 position) private pure returns (bytes32) {
        return keccak256(abi.encode(batchId, kind, position));
    }
}
