// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { Payouts } from "../../contracts/libraries/Payouts.sol";
import { Quality } from "../../contracts/libraries/Quality.sol";

/// One escrow under any sequence of the operations that AnonymousTransaction performs, for the SMTChecker: the assertions hold for all values and
/// all lengths, not for sampled ones. `funded` and `gone` are kept beside the escrow and know nothing of the arithmetic proved.
contract EscrowProperties {
    uint256 private _balance;
    uint256 private _owed;
    uint256 private _funded;
    uint256 private _gone;

    constructor(uint112 budget) {
        _balance = budget;
        _funded = budget;
    }

    function reserve(uint256 amount) external {
        require(amount <= Payouts.available(_balance, _owed));
        _owed = Payouts.reserve(_owed, amount);
    }

    function unreserve(uint256 amount) external {
        require(amount <= _owed);
        _owed = Payouts.unreserve(_owed, amount);
    }

    function pay(uint256 amount) external {
        require(amount <= _owed);
        _gone += amount;
        (_balance, _owed) = Payouts.pay(_balance, _owed, amount);
    }

    function refund() external {
        _gone += Payouts.available(_balance, _owed);
        _balance = _owed;
    }

    function expire() external {
        _gone += _balance;
        (_balance, _owed) = (0, 0);
    }

    /// Proved over all reachable states.
    function conservation() external view {
        assert(_owed <= _balance);
        assert(_gone + _balance == _funded);
    }

    function bondSplit(uint256 bond) external pure {
        (uint256 reward, uint256 burned) = Payouts.splitBond(bond);
        assert(reward <= burned);
        assert(burned - reward <= 1);
        assert(reward + burned == bond);
    }

    function askCoversTheProduct(uint96 rate, uint32 micro) external pure {
        uint256 ask = Quality.ask(rate, micro);
        assert(ask * Quality.MICRO >= uint256(rate) * micro);
        assert(ask * Quality.MICRO < uint256(rate) * micro + Quality.MICRO);
    }

    function valueNeverExceedsTheBid(uint96 bid, uint40 score) external pure {
        assert(Quality.value(bid, score) * Quality.PPB <= uint256(bid) * score);
    }
}
