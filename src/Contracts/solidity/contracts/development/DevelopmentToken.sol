// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { ERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Token of the embedded chain
/// @notice Anybody mints, so it refuses to exist on any chain but the development one.
contract DevelopmentToken is ERC20Permit {
    uint256 private constant DEVELOPMENT_CHAIN = 31337;

    error NotADevelopmentChain(uint256 chainId);

    constructor() ERC20("EmrMarket development token", "EMR") ERC20Permit("EmrMarket development token") {
        if (block.chainid != DEVELOPMENT_CHAIN) revert NotADevelopmentChain(block.chainid);
    }

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }
}
