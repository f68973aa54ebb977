// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { DataEvaluation } from "../../contracts/DataEvaluation.sol";
import { DynamicAccessControl } from "../../contracts/DynamicAccessControl.sol";
import { MatchingDecision } from "../../contracts/MatchingDecision.sol";
import "../../contracts/Types.sol";
import { Fuzzing } from "../support/Fuzzing.sol";

/// What a deployment may be: windows that can be halved, bonds and deposits that bind, roles that somebody holds.
contract ConstructorsFuzzTest is Fuzzing {
    function tryAccess(Contracts memory contracts, Parameters memory parameters_) external {
        new DynamicAccessControl(contracts, parameters_);
    }

    function tryMatching(Contracts memory contracts, Parameters memory parameters_) external {
        new MatchingDecision(contracts, parameters_);
    }

    function tryEvaluation(Contracts memory contracts, Parameters memory parameters_) external {
        new DataEvaluation(contracts, parameters_);
    }

    function testFuzz_Constructors_acceptExactlyWhatBinds(
        uint32[3] memory windows,
        uint96[3] memory bonds,
        uint96 deposit,
        bool[2] memory roles
    ) public {
        Contracts memory contracts;
        Parameters memory changed = parameters;
        for (uint256 i = 0; i < 3; ++i) {
            // The smallest values matter most.
            windows[i] = windows[i] % 2 == 0 ? windows[i] % 8 / 2 : windows[i];
            bonds[i] = bonds[i] % 2 == 0 ? bonds[i] % 4 / 2 : bonds[i];
        }
        (changed.epochWindow, changed.roundWindow, changed.deliveryWindow) = (windows[0], windows[1], windows[2]);
        (changed.epochBond, changed.roundBond, changed.deliveryBond) = (bonds[0], bonds[1], bonds[2]);
        changed.demandDeposit = deposit % 4 == 0 ? 0 : deposit;
        if (roles[0]) changed.consortium = address(0);
        if (roles[1]) changed.market = address(0);
        bool[3] memory binds;
        for (uint256 i = 0; i < 3; ++i) {
            binds[i] = windows[i] >= 2 && bonds[i] > 0 && changed.demandDeposit > 0;
        }
        bool held = !roles[0] && !roles[1];
        acceptedIf(binds[0] && held, relayer, address(this), abi.encodeCall(this.tryAccess, (contracts, changed)), "access control");
        acceptedIf(binds[1], relayer, address(this), abi.encodeCall(this.tryMatching, (contracts, changed)), "matching");
        acceptedIf(binds[2], relayer, address(this), abi.encodeCall(this.tryEvaluation, (contracts, changed)), "evaluation");
    }
}
