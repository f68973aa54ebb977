// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { Vm } from "./Vm.sol";

/// Assertions that revert with both sides.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Differs(string what, uint256 actual, uint256 expected);
    error DiffersSigned(string what, int256 actual, int256 expected);
    error DiffersHash(string what, bytes32 actual, bytes32 expected);
    error NotHeld(string what);

    function equal(uint256 actual, uint256 expected, string memory what) internal pure {
        if (actual != expected) revert Differs(what, actual, expected);
    }

    function equalSigned(int256 actual, int256 expected, string memory what) internal pure {
        if (actual != expected) revert DiffersSigned(what, actual, expected);
    }

    function equal(bytes32 actual, bytes32 expected, string memory what) internal pure {
        if (actual != expected) revert DiffersHash(what, actual, expected);
    }

    function equal(address actual, address expected, string memory what) internal pure {
        if (actual != expected) revert DiffersHash(what, bytes32(uint256(uint160(actual))), bytes32(uint256(uint160(expected))));
    }

    function holds(bool condition, string memory what) internal pure {
        if (!condition) revert NotHeld(what);
    }

    function between(uint256 value, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + value % (most - least + 1);
    }

    /// The call must revert with this error, whatever its arguments.
    function refused(address target, bytes memory call_, bytes4 selector, string memory what) internal {
        (bool done, bytes memory answer) = target.call(call_);
        if (done) revert NotHeld(string.concat(what, ": was accepted"));
        if (bytes4(answer) != selector) revert DiffersHash(what, bytes32(answer), bytes32(selector));
    }

    /// The call must revert, and leave everything as it was.
    function refused(address target, bytes memory call_, string memory what) internal {
        (bool done,) = target.call(call_);
        if (done) revert NotHeld(string.concat(what, ": was accepted"));
    }

    /// The call is accepted, and none of the calls that differ from it in one bit of one word is, but for `unread` words.
    function everyWordMatters(address target, bytes memory call_, uint256 unread, string memory what) internal {
        uint256 accepted = 0;
        for (uint256 offset = 36; offset <= call_.length; offset += 32) {
            _flip(call_, offset);
            uint256 snapshot = vm.snapshotState();
            (bool done,) = target.call(call_);
            vm.revertToState(snapshot);
            _flip(call_, offset);
            if (done) ++accepted;
        }
        equal(accepted, unread, string.concat(what, ": changed words accepted"));
        (bool valid, bytes memory answer) = target.call(call_);
        if (valid) return;
        assembly {
            revert(add(answer, 32), mload(answer))
        }
    }

    /// Words that an argument takes in a call, its place in the head included.
    function words(bytes memory encodedArgument) internal pure returns (uint256) {
        return encodedArgument.length / 32;
    }

    function _flip(bytes memory data, uint256 offset) private pure {
        assembly {
            let word := add(data, offset)
            mstore(word, xor(mload(word), 1))
        }
    }
}
