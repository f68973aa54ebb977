// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Arithmetic of the money, apart so that it can be proved (test/formal)
/// @notice An escrow holds a balance, and owes part of it to deliveries: owed <= balance, always.
library Payouts {
    /// @notice Half of a lost bond, rounded down, rewards whoever showed the fault; the rest is burned, so that a fault shown by its own author costs.
    function splitBond(uint256 amount) internal pure returns (uint256 reward, uint256 burned) {
        reward = amount / 2;
        burned = amount - reward;
    }

    /// @notice What no delivery reserves.
    function available(uint256 balance, uint256 owed) internal pure returns (uint256) {
        return balance - owed;
    }

    /// @notice What is owed once a delivery is recorded, for an amount within what is available.
    function reserve(uint256 owed, uint256 amount) internal pure returns (uint256 owedAfter) {
        return owed + amount;
    }

    /// @notice What is owed once a delivery is void.
    function unreserve(uint256 owed, uint256 amount) internal pure returns (uint256 owedAfter) {
        return owed - amount;
    }

    /// @notice Balance and debt once a reserved amount is paid.
    function pay(uint256 balance, uint256 owed, uint256 amount) internal pure returns (uint256 balanceAfter, uint256 owedAfter) {
        return (balance - amount, owed - amount);
    }
}
