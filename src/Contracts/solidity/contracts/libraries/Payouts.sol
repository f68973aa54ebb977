// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Small arithmetic of the money, apart so that it can be proved
library Payouts {
    /// @notice Half of a lost bond, rounded down, rewards whoever showed the fault; the rest is burned, so that a fault shown by its own author costs.
    function splitBond(uint256 amount) internal pure returns (uint256 reward, uint256 burned) {
        reward = amount / 2;
        burned = amount - reward;
    }
}
