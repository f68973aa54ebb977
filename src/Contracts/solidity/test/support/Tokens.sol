// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// A token that the tests make behave badly.
contract HostileToken is ERC20 {
    uint256 public feePerMille;
    mapping(address account => bool) public barred;
    address private _hookTarget;
    bytes private _hookCall;
    bool public hookDone;
    bool public hookSucceeded;
    bytes public hookAnswer;

    constructor() ERC20("Hostile", "BAD") { }

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function setFee(uint256 perMille) external {
        feePerMille = perMille;
    }

    function bar(address account, bool barred_) external {
        barred[account] = barred_;
    }

    /// The next transfer calls back.
    function arm(address target, bytes calldata call_) external {
        (_hookTarget, _hookCall, hookDone) = (target, call_, false);
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!barred[to], "barred");
        if (_hookTarget != address(0)) {
            address target = _hookTarget;
            _hookTarget = address(0);
            hookDone = true;
            (hookSucceeded, hookAnswer) = target.call(_hookCall);
        }
        super._update(from, to, amount);
        if (from != address(0) && to != address(0) && feePerMille != 0) super._update(to, address(0), amount * feePerMille / 1000);
    }
}
