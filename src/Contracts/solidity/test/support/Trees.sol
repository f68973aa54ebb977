// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { Sibling } from "../../contracts/Types.sol";

/// A sparse positional sum tree in memory, written from docs/WIRE.md and not from SumTree.sol. Leaves stand in ascending order of position.
struct Tree {
    uint256 depth;
    uint64[] positions;
    Sibling[] leaves;
    bytes32[] emptyRoots;
}

library Trees {
    function make(uint256 depth, uint64[] memory positions, Sibling[] memory leaves) internal pure returns (Tree memory tree) {
        tree = Tree(depth, positions, leaves, new bytes32[](depth + 1));
        for (uint256 height = 1; height <= depth; ++height) {
            bytes32 below = tree.emptyRoots[height - 1];
            tree.emptyRoots[height] = keccak256(abi.encodePacked(bytes1(0x01), below, uint256(0), below, uint256(0)));
        }
    }

    function root(Tree memory tree) internal pure returns (bytes32) {
        return node(tree, tree.depth, 0).hash;
    }

    function total(Tree memory tree) internal pure returns (uint256) {
        return node(tree, tree.depth, 0).sum;
    }

    function node(Tree memory tree, uint256 height, uint256 index) internal pure returns (Sibling memory) {
        return _node(tree, height, index, 0, tree.positions.length);
    }

    /// Siblings of the node at (height, index), from below upwards.
    function path(Tree memory tree, uint256 height, uint256 index) internal pure returns (Sibling[] memory siblings) {
        siblings = new Sibling[](tree.depth - height);
        for (uint256 i = 0; i < siblings.length; ++i) {
            siblings[i] = node(tree, height + i, (index >> i) ^ 1);
        }
    }

    function path(Tree memory tree, uint256 position) internal pure returns (Sibling[] memory) {
        return path(tree, 0, position);
    }

    /// The leaves from `first` to before `end` are all that may lie below this node.
    function _node(Tree memory tree, uint256 height, uint256 index, uint256 first, uint256 end) private pure returns (Sibling memory) {
        while (first < end && tree.positions[first] >> height < index) ++first;
        while (first < end && tree.positions[end - 1] >> height > index) --end;
        if (first == end) return Sibling(tree.emptyRoots[height], 0);
        if (height == 0) return tree.leaves[first];
        Sibling memory left = _node(tree, height - 1, 2 * index, first, end);
        Sibling memory right = _node(tree, height - 1, 2 * index + 1, first, end);
        return Sibling(keccak256(abi.encodePacked(bytes1(0x01), left.hash, left.sum, right.hash, right.sum)), left.sum + right.sum);
    }
}
