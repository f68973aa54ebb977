// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Batch ids
/// @notice An id binds the chain and the contract, so that no leaf, root or signature of one deployment means anything in another.
library Identifiers {
    function epoch(address accessControl, uint32 site, bytes32 schemaId, uint32 number) internal view returns (bytes32) {
        return keccak256(abi.encode(uint8(1), block.chainid, accessControl, site, schemaId, number));
    }

    function round(address matching, bytes32 schemaId, uint32 ordinal, uint32 attempt) internal view returns (bytes32) {
        return keccak256(abi.encode(uint8(2), block.chainid, matching, schemaId, ordinal, attempt));
    }

    function delivery(address evaluation, uint64 requestId, uint32 site, uint32 attempt) internal view returns (bytes32) {
        return keccak256(abi.encode(uint8(3), block.chainid, evaluation, requestId, site, attempt));
    }
}
