// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { Blob } from "../contracts/libraries/Blob.sol";
import { Leaves } from "../contracts/libraries/Leaves.sol";
import { SumTree } from "../contracts/libraries/SumTree.sol";
import "../contracts/Types.sol";
import { Libraries } from "./support/Libraries.sol";
import { Test } from "./support/Test.sol";
import { Tree, Trees } from "./support/Trees.sol";

contract LibrariesTest is Test {
    using Trees for Tree;

    Libraries private libraries;

    function setUp() public {
        libraries = new Libraries();
    }

    // ---- sums -------------------------------------------------------------------------------------------------------

    /// Addition of packed sums is addition of three integers, or a refusal.
    function testFuzz_SumTree_add_isThreeAdditions(uint128[2] memory value, uint32[2] memory count, uint96[2] memory effective) public {
        uint256 a = libraries.pack(value[0], count[0], effective[0]);
        uint256 b = libraries.pack(value[1], count[1], effective[1]);
        bool fits = uint256(value[0]) + value[1] <= type(uint128).max && uint256(count[0]) + count[1] <= type(uint32).max
            && uint256(effective[0]) + effective[1] <= type(uint96).max;
        if (!fits) vm.expectRevert(SumTree.SumOverflow.selector);
        uint256 sum = libraries.add(a, b);
        if (!fits) return;
        equal(sum, libraries.pack(uint256(value[0]) + value[1], uint256(count[0]) + count[1], uint256(effective[0]) + effective[1]), "sum");
    }

    function test_SumTree_fullLanes_addUpToTheLimitAndNoFurther() public {
        uint256 full = type(uint256).max;
        equal(libraries.add(full, 0), full, "nothing added");
        equal(libraries.add(libraries.pack(type(uint128).max - 1, 0, 0), 1), type(uint128).max, "value lane");
        uint256[3] memory ones = [uint256(1), 1 << 128, 1 << 160];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(SumTree.SumOverflow.selector);
            libraries.add(full, ones[i]);
        }
    }

    // ---- openings ---------------------------------------------------------------------------------------------------

    function _tree(uint256 seed, uint256 depth) private pure returns (Tree memory) {
        uint256 width = 1 << depth;
        uint64[] memory positions = new uint64[](width);
        Sibling[] memory leaves = new Sibling[](width);
        for (uint256 i = 0; i < width; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            positions[i] = uint64(i);
            if (random % 4 != 0) leaves[i] = Sibling(bytes32(random), random % 1000);
        }
        return Trees.make(depth, positions, leaves);
    }

    function testFuzz_SumTree_openings_verifyWithTheirPrefix(uint256 seed, uint256 depth, uint256 position, uint256 height) public view {
        depth = between(depth, 0, 6);
        position = between(position, 0, (1 << depth) - 1);
        height = between(height, 0, depth);
        Tree memory tree = _tree(seed, depth);
        Sibling memory leaf = tree.leaves[position];
        uint256 prefix = libraries.verify(tree.root(), tree.total(), depth, leaf.hash, leaf.sum, position, tree.path(position), height);
        uint256 expected = 0;
        for (uint256 i = position >> height << height; i < position; ++i) {
            expected += tree.leaves[i].sum;
        }
        equal(prefix, expected, "prefix");
    }

    struct Opening {
        bytes32 root;
        uint256 total;
        uint256 depth;
        Sibling leaf;
        uint256 position;
        Sibling[] path;
    }

    function testFuzz_SumTree_changedOpening_isRefused(uint256 seed, uint256 depth, uint256 position, uint256 change) public {
        Opening memory opening;
        opening.depth = between(depth, 1, 5);
        opening.position = between(position, 0, (1 << opening.depth) - 1);
        Tree memory tree = _tree(seed, opening.depth);
        (opening.root, opening.total) = (tree.root(), tree.total());
        opening.leaf = Sibling(tree.leaves[opening.position].hash, tree.leaves[opening.position].sum);
        opening.path = tree.path(opening.position);
        if (!_change(opening, tree, change)) return;
        vm.expectRevert();
        libraries.verify(
            opening.root, opening.total, opening.depth, opening.leaf.hash, opening.leaf.sum, opening.position, opening.path, opening.depth
        );
    }

    /// @return false when the change leaves a genuine opening: an empty twin moved, say
    function _change(Opening memory opening, Tree memory tree, uint256 change) private pure returns (bool) {
        uint256 step = (change >> 8) % opening.depth;
        bytes32 bit = bytes32(uint256(1) << ((change >> 16) % 256));
        uint256 kind = change % 8;
        if (kind == 0) {
            opening.leaf.hash ^= bit;
        } else if (kind == 1) {
            opening.leaf.sum += 1;
        } else if (kind == 2) {
            opening.path[step].hash ^= bit;
        } else if (kind == 3) {
            opening.path[step].sum += 1;
        } else if (kind == 5) {
            opening.total += 1;
        } else if (kind == 6) {
            opening.root ^= bit;
        } else if (kind == 7) {
            opening.path = tree.path(1, opening.position >> 1);
        } else {
            uint256 index = opening.position >> step;
            Sibling memory twin = tree.node(step, index ^ 1);
            Sibling memory own = tree.node(step, index);
            opening.position ^= 1 << step;
            return twin.hash != own.hash || twin.sum != own.sum;
        }
        return true;
    }

    function test_SumTree_wrongDepthPositionAndTotal_areNamed() public {
        Tree memory tree = _tree(1, 3);
        (bytes32 root, uint256 total, Sibling memory leaf) = (tree.root(), tree.total(), tree.leaves[2]);
        Sibling[] memory path = tree.path(2);
        vm.expectRevert(abi.encodeWithSelector(SumTree.WrongDepth.selector, 4, 3));
        libraries.verify(root, total, 4, leaf.hash, leaf.sum, 2, path, 0);
        vm.expectRevert(abi.encodeWithSelector(SumTree.OutsideTree.selector, 10, 3));
        libraries.verify(root, total, 3, leaf.hash, leaf.sum, 10, path, 0);
        vm.expectRevert(abi.encodeWithSelector(SumTree.TotalMismatch.selector, total + 1, total));
        libraries.verify(root, total + 1, 3, leaf.hash, leaf.sum, 2, path, 0);
        vm.expectPartialRevert(SumTree.RootMismatch.selector);
        libraries.verify(bytes32(uint256(1)), total, 3, leaf.hash, leaf.sum, 2, path, 0);
    }

    /// An inner node's hash offered as a leaf of a shallower tree needs a header of that depth; within one header it has no opening.
    function test_SumTree_innerNodeAsLeaf_isRefused() public {
        Tree memory tree = _tree(7, 4);
        Sibling memory inner = tree.node(1, 3);
        (bytes32 root, uint256 total) = (tree.root(), tree.total());
        Sibling[] memory path = tree.path(1, 3);
        vm.expectRevert(abi.encodeWithSelector(SumTree.WrongDepth.selector, 4, 3));
        libraries.verify(root, total, 4, inner.hash, inner.sum, 3, path, 0);
    }

    /// A leaf's preimage starts with 0 and a node's with 1; no leaf kind has a node's length.
    function testFuzz_Leaves_andNodes_neverCollide(bytes32 left, uint256 leftSum, bytes32 right, uint256 rightSum) public view {
        bytes32 node = libraries.node(left, leftSum, right, rightSum);
        (bytes32 sale,) = libraries.sales(5, left, uint64(leftSum), 1);
        holds(node != sale, "collision");
        equal(node, keccak256(abi.encodePacked(bytes1(0x01), left, leftSum, right, rightSum)), "layout");
    }

    // ---- leaves -----------------------------------------------------------------------------------------------------

    /// Every kind's empty leaf is zero and admits no stowaway field.
    function test_Leaves_empty_areZeroAndHoldNothing() public {
        bytes32 rootId = keccak256("id");
        MemberLeaf memory member;
        ClassLeaf memory class_;
        PriceLeaf memory price;
        RequestLeaf memory request;
        DeliveryLeaf memory delivery;
        _isZero(abi.encodeCall(Libraries.member, (rootId, 1, member)));
        _isZero(abi.encodeCall(Libraries.class_, (rootId, 1, class_)));
        _isZero(abi.encodeCall(Libraries.price, (rootId, 1, price)));
        _isZero(abi.encodeCall(Libraries.request, (rootId, 1, request)));
        _isZero(abi.encodeCall(Libraries.sales, (5, rootId, 1, 0)));
        _isZero(abi.encodeCall(Libraries.delivery, (rootId, 1, delivery)));
        _isZero(abi.encodeCall(Libraries.payout, (rootId, 1, address(0))));

        bytes4 error_ = Leaves.EmptyLeafNotZero.selector;
        member.localClass = 1;
        refused(address(libraries), abi.encodeCall(Libraries.member, (rootId, 1, member)), error_, "member");
        class_.highWater = 0xFF;
        refused(address(libraries), abi.encodeCall(Libraries.class_, (rootId, 1, class_)), error_, "class");
        price.rank = 1;
        refused(address(libraries), abi.encodeCall(Libraries.price, (rootId, 1, price)), error_, "price");
        delivery.amount = 1;
        refused(address(libraries), abi.encodeCall(Libraries.delivery, (rootId, 1, delivery)), error_, "delivery");
    }

    function _isZero(bytes memory call_) private {
        (bool done, bytes memory answer) = address(libraries).call(call_);
        holds(done, "empty leaf refused");
        (bytes32 hash, uint256 sum) = abi.decode(answer, (bytes32, uint256));
        equal(hash, bytes32(0), "hash");
        equal(sum, 0, "sum");
    }

    /// A field with dirty upper bits would be a leaf that can be claimed and not challenged, so no leaf may have one.
    function testFuzz_Leaves_dirtyUpperBits_areRefused(uint8 field, uint8 bit) public {
        DeliveryLeaf memory leaf = DeliveryLeaf(1, 2, address(3), bytes32(uint256(4)), 5, 6);
        bytes memory call_ = abi.encodeCall(Libraries.delivery, (keccak256("id"), 1, leaf));
        uint256 index = field % 6;
        if (index == 3) index = 0;
        uint256[6] memory widths = [uint256(32), 32, 160, 256, 128, 96];
        uint256 shift = between(bit, widths[index], 255);
        uint256 offset = 4 + 32 * (2 + index) + 32;
        assembly {
            let target := add(call_, offset)
            mstore(target, or(mload(target), shl(shift, 1)))
        }
        refused(address(libraries), call_, "dirty field");
    }

    // ---- arithmetic -------------------------------------------------------------------------------------------------

    function testFuzz_Quality_ask_isTheLeastIntegerAboveTheProduct(uint96 rate, uint32 micro) public view {
        uint256 ask = libraries.ask(rate, micro);
        uint256 product = uint256(rate) * micro;
        holds(ask * 1e6 >= product, "rounded down");
        holds(ask == 0 || (ask - 1) * 1e6 < product, "too large");
    }

    /// N records at the highest score never cost more than the budget, and one more would, or the target is reached.
    function testFuzz_Quality_capacity_neverExceedsTheBudget(
        uint112 budget,
        uint96 bid,
        uint64 score,
        uint96 fee,
        uint32 target
    ) public view {
        uint256 highest = between(score, 0, 64e9);
        uint256 capacity = libraries.capacity(budget, bid, highest, fee, target);
        uint256 each = uint256(bid) * highest / 1e9 + fee;
        holds(capacity * each <= budget, "overspent");
        holds(capacity == target || (capacity + 1) * each > budget, "too few");
    }

    function testFuzz_Payouts_splitBond_losesNothing(uint256 bond) public view {
        (uint256 reward, uint256 burned) = libraries.splitBond(bond);
        equal(reward + burned, bond, "conserved");
        holds(burned >= reward && burned - reward <= 1, "half");
    }

    function testFuzz_Feistel_permute_isAPermutation(bytes32 key, uint8 size) public view {
        uint32 n = uint32(between(size, 1, 64));
        uint256 seen = 0;
        for (uint32 x = 0; x < n; ++x) {
            uint32 image = libraries.permute(key, n, x);
            holds(image < n, "outside");
            seen |= 1 << image;
        }
        equal(seen, n == 64 ? type(uint64).max : (1 << n) - 1, "an image is missing");
    }

    function testFuzz_Purposes_admits_readsOneBit(uint256 set, uint8 purpose) public view {
        holds(libraries.admits(set, purpose) == (set & (1 << purpose) != 0), "bit");
        holds(!libraries.admits(0, purpose) && libraries.admits(type(uint256).max, purpose), "extremes");
    }

    function testFuzz_Blob_keepsBytes(bytes memory data) public {
        equal(keccak256(libraries.keep(data)), keccak256(data), "bytes");
    }

    /// Writing is all or nothing: without the gas for the code there is no table.
    function test_Blob_withoutGasForTheCode_isRefused() public {
        bytes memory call_ = abi.encodeCall(Libraries.keep, (new bytes(2000)));
        (bool done, bytes memory answer) = address(libraries).call{ gas: 300_000 }(call_);
        holds(!done && bytes4(answer) == Blob.BlobNotWritten.selector, "written");
    }
}
