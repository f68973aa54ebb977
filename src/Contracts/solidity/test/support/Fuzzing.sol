// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "../../contracts/interfaces/ICommitments.sol";
import { World } from "./World.sol";

/// What the fuzz tests of all contracts have in common.
abstract contract Fuzzing is World {
    /// The call is accepted. Changed in one word, by a bit, a half or all of it, it is refused, or has the very same effect because nothing reads that word.
    function changedWord(address sender, address target, bytes memory call_, uint256 seed) internal {
        changedWord(sender, target, call_, seed, 0, (call_.length - 4) / 32);
    }

    /// As above, for the words from `first` on.
    function changedWord(address sender, address target, bytes memory call_, uint256 seed, uint256 first, uint256 count) internal {
        bytes32 effect = _effect(sender, target, call_);
        holds(effect != 0, "the unchanged call is refused");
        uint256 offset = 36 + 32 * (first + seed % count);
        uint256 random = uint256(keccak256(abi.encode(seed)));
        uint256 mask = random | 1;
        if (random % 3 == 0) mask = 1 << (random >> 248);
        else if (random % 3 == 1) mask = random << 128 | (1 << 255);
        assembly {
            let word := add(call_, offset)
            mstore(word, xor(mload(word), mask))
        }
        bytes32 changed = _effect(sender, target, call_);
        assembly {
            let word := add(call_, offset)
            mstore(word, xor(mload(word), mask))
        }
        holds(changed == 0 || changed == effect, "a changed word has another effect");
    }

    /// Hash of what a call logs; zero when it is refused. The state is as before.
    function _effect(address sender, address target, bytes memory call_) private returns (bytes32 effect) {
        uint256 snapshot = vm.snapshotState();
        vm.recordLogs();
        vm.prank(sender);
        (bool done,) = target.call(call_);
        if (done) effect = keccak256(abi.encode(vm.getRecordedLogs()));
        vm.revertToState(snapshot);
    }

    /// The call is accepted exactly when it should be.
    function acceptedIf(bool expected, address sender, address target, bytes memory call_, string memory what) internal {
        vm.prank(sender);
        (bool done,) = target.call(call_);
        holds(done == expected, what);
    }

    /// Two leaves of a posted batch were demanded. Voiding it for want of the first is accepted when half a window has gone by, and only then can the deposit of
    /// the second, at position 0, be reclaimed.
    function onlyAfterHalfAWindow(ICommitments target, bytes memory voidUnanswered, bytes32 batchId, uint8 secondKind, bool late) internal {
        bytes memory reclaim = abi.encodeCall(target.reclaimDemand, (batchId, secondKind, 0));
        acceptedIf(false, relayer, address(target), reclaim, "the batch stands");
        acceptedIf(late, relayer, address(target), voidUnanswered, "half a window");
        acceptedIf(late, relayer, address(target), reclaim, "the other demand's deposit");
        equal(uint256(statusOf(target, batchId)), uint256(late ? ICommitments.Status.Void : ICommitments.Status.Posted), "state");
    }

    /// A batch that nobody posted has no state, commitment or demand.
    function unknownBatch(ICommitments target, bytes32 batchId, uint8 kind, uint64 position) internal view {
        equal(uint256(target.batchState(batchId).status), uint256(ICommitments.Status.Absent), "state");
        equal(target.commitmentOf(batchId), 0, "commitment");
        equal(target.demandOf(batchId, kind, position).demander, address(0), "demand");
    }
}
