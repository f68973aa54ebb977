// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "../interfaces/ICommitments.sol";
import { IDynamicAccessControl } from "../interfaces/IDynamicAccessControl.sol";
import { ClassOpening, Epoch, EpochHeader, MemberOpening } from "../Types.sol";
import { Identifiers } from "./Identifiers.sol";
import { Leaves } from "./Leaves.sol";
import { SumTree } from "./SumTree.sol";

/// @title Openings of an epoch's trees
library Epochs {
    function id(EpochHeader calldata header, address accessControl) internal view returns (bytes32) {
        return Identifiers.epoch(accessControl, header.site, header.schemaId, header.epoch);
    }

    /// @notice Checks that an epoch was its site's current one for a schema at the end of a block.
    function requireCurrent(
        Epoch calldata epoch,
        IDynamicAccessControl accessControl,
        bytes32 schemaId,
        uint64 blockNumber
    ) internal view returns (bytes32 epochId) {
        EpochHeader calldata header = epoch.header;
        if (header.schemaId != schemaId) revert ICommitments.Unrelated();
        epochId = id(header, address(accessControl));
        bytes32 commitment = accessControl.currentCommitment(header.site, schemaId, header.epoch, blockNumber);
        if (commitment != keccak256(abi.encode(epoch))) revert ICommitments.UnknownBatch(epochId);
    }

    /// @return start position of the class's first member
    function openClass(bytes32 epochId, EpochHeader calldata header, ClassOpening calldata opening) internal pure returns (uint256 start) {
        (bytes32 hash, uint256 sum) = Leaves.class_(epochId, opening.index, opening.leaf);
        return SumTree.verify(
            header.classesRoot, header.memberCount, header.classDepth, hash, sum, opening.index, opening.path, header.classDepth
        );
    }

    function openMember(bytes32 epochId, EpochHeader calldata header, MemberOpening calldata opening) internal pure {
        (bytes32 hash, uint256 sum) = Leaves.member(epochId, opening.position, opening.leaf);
        SumTree.verify(header.membersRoot, header.memberCount, header.memberDepth, hash, sum, opening.position, opening.path, 0);
    }
}
