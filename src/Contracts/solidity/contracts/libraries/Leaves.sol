// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ClassLeaf, DeliveryLeaf, MemberLeaf, PriceLeaf, RequestLeaf } from "../Types.sol";

/// @title The leaves of every tree
/// @notice leaf = keccak256(0x00, kind, rootId, position, payload words, sum); an empty leaf is zero and has no second form: what would be empty
/// must be all zero, so that nothing can be smuggled into an opening of an empty position. Layout: docs/WIRE.md.
library Leaves {
    uint8 internal constant MEMBER = 1;
    uint8 internal constant CLASS = 2;
    uint8 internal constant PRICE = 3;
    uint8 internal constant REQUEST = 4;
    uint8 internal constant SALES_BY_CLASS = 5;
    uint8 internal constant SALES_BY_REQUEST = 6;
    uint8 internal constant DELIVERY = 7;
    uint8 internal constant PAYOUT = 8;

    error EmptyLeafNotZero(uint8 kind);
    error FieldOutOfRange(uint8 kind);

    function member(bytes32 rootId, uint64 position, MemberLeaf calldata leaf) internal pure returns (bytes32 hash, uint256 sum) {
        return _hash(MEMBER, rootId, position, abi.encode(leaf), leaf.pseudonym == 0, 1);
    }

    function class_(bytes32 rootId, uint64 position, ClassLeaf calldata leaf) internal pure returns (bytes32 hash, uint256 sum) {
        return _hash(CLASS, rootId, position, abi.encode(leaf), leaf.size == 0, leaf.size);
    }

    function price(bytes32 rootId, uint64 position, PriceLeaf calldata leaf) internal pure returns (bytes32 hash, uint256 sum) {
        return _hash(PRICE, rootId, position, abi.encode(leaf), leaf.premium == 0, 0);
    }

    function request(bytes32 rootId, uint64 position, RequestLeaf calldata leaf) internal pure returns (bytes32 hash, uint256 sum) {
        return _hash(REQUEST, rootId, position, abi.encode(leaf), leaf.surplus == 0 && !leaf.dropped, 0);
    }

    /// @param kind SALES_BY_CLASS or SALES_BY_REQUEST
    function sales(uint8 kind, bytes32 rootId, uint64 position, uint32 quantity) internal pure returns (bytes32 hash, uint256 sum) {
        return _hash(kind, rootId, position, "", quantity == 0, quantity);
    }

    /// @dev The bytes of _hash without its copies, because a claim hashes 64 of these. Raw reads do not refuse dirty upper bits as typed ones do,
    /// so this does: such a leaf could be claimed and never challenged.
    function delivery(bytes32 rootId, uint64 position, DeliveryLeaf calldata leaf) internal pure returns (bytes32 hash, uint256 sum) {
        uint256 dirty;
        uint256 payee;
        assembly ("memory-safe") {
            payee := calldataload(add(leaf, 64))
            let amount := calldataload(add(leaf, 128))
            let effective := calldataload(add(leaf, 160))
            dirty := or(shr(32, calldataload(leaf)), shr(32, calldataload(add(leaf, 32))))
            dirty := or(dirty, or(shr(160, payee), or(shr(128, amount), shr(96, effective))))
            // The lanes value, count = 1, effective.
            sum := or(or(amount, shl(128, 1)), shl(160, effective))
            let start := mload(0x40)
            mstore(start, 0)
            mstore8(add(start, 1), DELIVERY)
            mstore(add(start, 2), rootId)
            mstore(add(start, 34), shl(192, position))
            calldatacopy(add(start, 42), leaf, 128)
            mstore(add(start, 170), sum)
            hash := keccak256(start, 202)
        }
        if (dirty != 0) revert FieldOutOfRange(DELIVERY);
        if (payee == 0) return _hash(DELIVERY, rootId, position, abi.encode(leaf), true, 0);
    }

    /// @param pseudonym the owner: the payout tree is made before its epoch has a number
    function payout(bytes32 pseudonym, uint64 index, address payoutAddress) internal pure returns (bytes32 hash, uint256 sum) {
        return _hash(PAYOUT, pseudonym, index, abi.encode(payoutAddress), payoutAddress == address(0), 0);
    }

    function _hash(
        uint8 kind,
        bytes32 rootId,
        uint64 position,
        bytes memory payload,
        bool empty,
        uint256 leafSum
    ) private pure returns (bytes32 hash, uint256 sum) {
        if (!empty) return (keccak256(abi.encodePacked(uint8(0), kind, rootId, position, payload, leafSum)), leafSum);
        for (uint256 offset = 32; offset <= payload.length; offset += 32) {
            bytes32 word;
            assembly ("memory-safe") {
                word := mload(add(payload, offset))
            }
            if (word != 0) revert EmptyLeafNotZero(kind);
        }
    }
}
