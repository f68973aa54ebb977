// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { Sibling } from "../Types.sol";

/// @title Positional Merkle-sum trees
/// @notice node = keccak256(0x01, hL, sumL, hR, sumR); leaves start with 0x00 (Leaves.sol), so that none is the other. Sums are packed in three lanes
/// that are checked apart: value (bits 0-127), count (128-159), effective (160-255). Layout: docs/WIRE.md.
library SumTree {
    /// A carry into one of these bits has left the lane below.
    uint256 private constant LANE_CARRIES = (1 << 128) | (1 << 160);

    error SumOverflow();
    error WrongDepth(uint256 expected, uint256 actual);
    error OutsideTree(uint256 position, uint256 depth);
    error RootMismatch(bytes32 expected, bytes32 actual);
    error TotalMismatch(uint256 expected, uint256 actual);

    /// @notice Adds two packed sums lane by lane.
    function add(uint256 a, uint256 b) internal pure returns (uint256 total) {
        unchecked {
            total = a + b;
        }
        // a ^ b ^ total holds the carries into every bit; the top lane overflows like any word.
        if (total < a || (a ^ b ^ total) & LANE_CARRIES != 0) revert SumOverflow();
    }

    /// @notice Packs the three lanes of a delivery.
    function pack(uint256 value, uint256 count, uint256 effective) internal pure returns (uint256) {
        return value | (count << 128) | (effective << 160);
    }

    /// @notice Hash of an inner node.
    function node(bytes32 left, uint256 leftSum, bytes32 right, uint256 rightSum) internal pure returns (bytes32 result) {
        // Scratch beyond the free pointer: nothing is kept, so nothing is allocated.
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore8(start, 1)
            mstore(add(start, 1), left)
            mstore(add(start, 33), leftSum)
            mstore(add(start, 65), right)
            mstore(add(start, 97), rightSum)
            result := keccak256(start, 129)
        }
    }

    /// @notice Folds the nodes of one height of an aligned subtree, laid out as (hash, sum) pairs, into the subtree's root. Overwrites them.
    /// @param nodes 2 * width words, width a power of two
    function fold(uint256[] memory nodes) internal pure returns (bytes32 hash, uint256 sum) {
        for (uint256 width = nodes.length / 4; width > 0; width /= 2) {
            for (uint256 i = 0; i < width; ++i) {
                uint256 left;
                uint256 right;
                uint256 parent;
                // A pair of children is four words in a row: a node's preimage but for its first byte.
                assembly ("memory-safe") {
                    let children := add(add(nodes, 32), shl(7, i))
                    let start := mload(0x40)
                    mstore8(start, 1)
                    mcopy(add(start, 1), children, 128)
                    left := mload(add(children, 32))
                    right := mload(add(children, 96))
                    parent := add(add(nodes, 32), shl(6, i))
                    mstore(parent, keccak256(start, 129))
                }
                uint256 total = add(left, right);
                assembly ("memory-safe") {
                    mstore(add(parent, 32), total)
                }
            }
        }
        assembly ("memory-safe") {
            hash := mload(add(nodes, 32))
            sum := mload(add(nodes, 64))
        }
    }

    /// @notice Climbs from a node to the root.
    /// @param prefixHeight left siblings below this height, counted from the node, make up the prefix
    /// @return root the hash reached
    /// @return total the sum reached
    /// @return prefix the sum of everything left of the node within its aligned subtree of that height
    function climb(
        bytes32 hash,
        uint256 sum,
        uint256 position,
        Sibling[] calldata path,
        uint256 prefixHeight
    ) internal pure returns (bytes32 root, uint256 total, uint256 prefix) {
        root = hash;
        total = sum;
        for (uint256 height = 0; height < path.length; ++height) {
            Sibling calldata sibling = path[height];
            if (position & 1 == 1) {
                root = node(sibling.hash, sibling.sum, root, total);
                if (height < prefixHeight) prefix = add(prefix, sibling.sum);
            } else {
                root = node(root, total, sibling.hash, sibling.sum);
            }
            total = add(total, sibling.sum);
            position >>= 1;
        }
    }

    /// @notice Verifies an opening against a root and its total; refuses a path of another length and a position outside the tree.
    function verify(
        bytes32 root,
        uint256 total,
        uint256 depth,
        bytes32 hash,
        uint256 sum,
        uint256 position,
        Sibling[] calldata path,
        uint256 prefixHeight
    ) internal pure returns (uint256 prefix) {
        if (path.length != depth) revert WrongDepth(depth, path.length);
        if (position >> depth != 0) revert OutsideTree(position, depth);
        bytes32 reached;
        uint256 reachedTotal;
        (reached, reachedTotal, prefix) = climb(hash, sum, position, path, prefixHeight);
        if (reached != root) revert RootMismatch(root, reached);
        if (reachedTotal != total) revert TotalMismatch(total, reachedTotal);
    }
}
