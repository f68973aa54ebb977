// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { Blob } from "../../contracts/libraries/Blob.sol";
import { Feistel } from "../../contracts/libraries/Feistel.sol";
import { Identifiers } from "../../contracts/libraries/Identifiers.sol";
import { Leaves } from "../../contracts/libraries/Leaves.sol";
import { Payouts } from "../../contracts/libraries/Payouts.sol";
import { Purposes } from "../../contracts/libraries/Purposes.sol";
import { Quality } from "../../contracts/libraries/Quality.sol";
import { SumTree } from "../../contracts/libraries/SumTree.sol";
import "../../contracts/Types.sol";

/// The libraries behind external functions, so that tests reach them as the contracts do: with calldata, and with errors that can be caught.
contract Libraries {
    function add(uint256 a, uint256 b) external pure returns (uint256) {
        return SumTree.add(a, b);
    }

    function pack(uint256 amount, uint256 count, uint256 effective) external pure returns (uint256) {
        return SumTree.pack(amount, count, effective);
    }

    function node(bytes32 left, uint256 leftSum, bytes32 right, uint256 rightSum) external pure returns (bytes32) {
        return SumTree.node(left, leftSum, right, rightSum);
    }

    function verify(
        bytes32 root,
        uint256 total,
        uint256 depth,
        bytes32 hash,
        uint256 sum,
        uint256 position,
        Sibling[] calldata path,
        uint256 prefixHeight
    ) external pure returns (uint256) {
        return SumTree.verify(root, total, depth, hash, sum, position, path, prefixHeight);
    }

    function member(bytes32 rootId, uint64 position, MemberLeaf calldata leaf) external pure returns (bytes32, uint256) {
        return Leaves.member(rootId, position, leaf);
    }

    function class_(bytes32 rootId, uint64 position, ClassLeaf calldata leaf) external pure returns (bytes32, uint256) {
        return Leaves.class_(rootId, position, leaf);
    }

    function price(bytes32 rootId, uint64 position, PriceLeaf calldata leaf) external pure returns (bytes32, uint256) {
        return Leaves.price(rootId, position, leaf);
    }

    function request(bytes32 rootId, uint64 position, RequestLeaf calldata leaf) external pure returns (bytes32, uint256) {
        return Leaves.request(rootId, position, leaf);
    }

    function sales(uint8 kind, bytes32 rootId, uint64 position, uint32 quantity) external pure returns (bytes32, uint256) {
        return Leaves.sales(kind, rootId, position, quantity);
    }

    function delivery(bytes32 rootId, uint64 position, DeliveryLeaf calldata leaf) external pure returns (bytes32, uint256) {
        return Leaves.delivery(rootId, position, leaf);
    }

    function payout(bytes32 pseudonym, uint64 index, address account) external pure returns (bytes32, uint256) {
        return Leaves.payout(pseudonym, index, account);
    }

    function epochId(address accessControl, uint32 site, bytes32 schemaId, uint32 number) external view returns (bytes32) {
        return Identifiers.epoch(accessControl, site, schemaId, number);
    }

    function roundId(address matching, bytes32 schemaId, uint32 ordinal, uint32 attempt) external view returns (bytes32) {
        return Identifiers.round(matching, schemaId, ordinal, attempt);
    }

    function deliveryId(address evaluation, uint64 requestId, uint32 site, uint32 attempt) external view returns (bytes32) {
        return Identifiers.delivery(evaluation, requestId, site, attempt);
    }

    function key(bytes32 seed, uint32 site, uint32 localClass) external pure returns (bytes32) {
        return Feistel.key(seed, site, localClass);
    }

    function permute(bytes32 permutationKey, uint32 size, uint32 x) external pure returns (uint32) {
        return Feistel.permute(permutationKey, size, x);
    }

    function capacity(uint256 budget, uint256 bid, uint256 score, uint256 fee, uint256 target) external pure returns (uint256) {
        return Quality.capacity(budget, bid, score, fee, target);
    }

    function ask(uint256 rate, uint256 epsilonMicro) external pure returns (uint256) {
        return Quality.ask(rate, epsilonMicro);
    }

    function value(uint256 bid, uint256 score) external pure returns (uint256) {
        return Quality.value(bid, score);
    }

    function splitBond(uint256 amount) external pure returns (uint256 reward, uint256 burned) {
        return Payouts.splitBond(amount);
    }

    function admits(uint256 set, uint8 purpose) external pure returns (bool) {
        return Purposes.admits(set, purpose);
    }

    function keep(bytes memory data) external returns (bytes memory) {
        return Blob.read(Blob.write(data));
    }
}
