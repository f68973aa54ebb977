// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Purposes of use
/// @notice A set of purposes is a word that is closed under descendants, so admitting a purpose is one bit. The tree: docs/WIRE.md.
library Purposes {
    function admits(uint256 set, uint8 purpose) internal pure returns (bool) {
        return (set >> purpose) & 1 == 1;
    }
}
