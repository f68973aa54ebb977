// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ClassEvidence, PriceOpening, RequestLeaf, RoundHeader, RowOpening, SalesOpening, Sibling } from "../Types.sol";
import { ICommitments } from "../interfaces/ICommitments.sol";
import { Identifiers } from "./Identifiers.sol";
import { Leaves } from "./Leaves.sol";
import { SumTree } from "./SumTree.sol";

/// @title Openings of a round's trees
/// @notice Classes stand at (site - 1) * 2^classBits + index, requests at their index in the book.
library Rounds {
    function id(RoundHeader calldata header, address matching) internal view returns (bytes32) {
        return Identifiers.round(matching, header.schemaId, header.ordinal, header.attempt);
    }

    /// @notice Position of a class in C; a class outside the round's bits cannot stand there.
    function classPosition(RoundHeader calldata header, uint32 site, uint32 index) internal pure returns (uint32) {
        if (index >> header.classBits != 0) revert ICommitments.Unrelated();
        return ((site - 1) << header.classBits) | index;
    }

    function classPosition(RoundHeader calldata header, ClassEvidence calldata evidence) internal pure returns (uint32) {
        return classPosition(header, evidence.epoch.header.site, evidence.class_.index);
    }

    /// @notice Opens C at the position of a class.
    function openPrice(bytes32 roundId, RoundHeader calldata header, uint32 position, PriceOpening calldata opening) internal pure {
        if (opening.position != position) revert ICommitments.Unrelated();
        (bytes32 hash, uint256 sum) = Leaves.price(roundId, position, opening.leaf);
        SumTree.verify(header.pricesRoot, 0, positionBits(header), hash, sum, position, opening.path, 0);
    }

    /// @notice Opens J at a request's index.
    function openRequest(
        bytes32 roundId,
        RoundHeader calldata header,
        uint32 index,
        RequestLeaf calldata leaf,
        Sibling[] calldata path
    ) internal pure {
        (bytes32 hash, uint256 sum) = Leaves.request(roundId, index, leaf);
        SumTree.verify(header.requestsRoot, 0, header.requestBits, hash, sum, index, path, 0);
    }

    /// @notice Opens a leaf of X or Y at its position.
    /// @return prefix what the row's earlier leaves sum to, within the aligned subtree of the given height
    function openSales(
        bytes32 roundId,
        RoundHeader calldata header,
        uint8 kind,
        uint64 position,
        SalesOpening calldata opening,
        uint256 prefixHeight
    ) internal pure returns (uint256 prefix) {
        (bytes32 hash, uint256 sum) = Leaves.sales(kind, roundId, position, opening.quantity);
        bytes32 root = kind == Leaves.SALES_BY_CLASS ? header.salesByClassRoot : header.salesByRequestRoot;
        return SumTree.verify(root, header.totalSales, salesDepth(header), hash, sum, position, opening.path, prefixHeight);
    }

    /// @notice Opens X(c, j).
    /// @return prefix what the class sold to earlier requests
    function openByClass(
        bytes32 roundId,
        RoundHeader calldata header,
        uint32 class_,
        uint32 request,
        SalesOpening calldata opening
    ) internal pure returns (uint256 prefix) {
        uint64 position = _position(class_, header.requestBits, request);
        return openSales(roundId, header, Leaves.SALES_BY_CLASS, position, opening, header.requestBits);
    }

    /// @notice Opens Y(j, c).
    /// @return prefix what earlier classes of the same site sold to the request
    function openByRequest(
        bytes32 roundId,
        RoundHeader calldata header,
        uint32 class_,
        uint32 request,
        SalesOpening calldata opening
    ) internal pure returns (uint256 prefix) {
        uint64 position = _position(request, positionBits(header), class_);
        return openSales(roundId, header, Leaves.SALES_BY_REQUEST, position, opening, header.classBits);
    }

    /// @notice Opens the row of a class in X: everything that it sold.
    function openClassRow(RoundHeader calldata header, uint32 class_, RowOpening calldata row) internal pure {
        _openRow(header.salesByClassRoot, header, header.requestBits, class_, row);
    }

    /// @notice Opens the row of a request in Y: everything that it got.
    function openRequestRow(RoundHeader calldata header, uint32 request, RowOpening calldata row) internal pure {
        _openRow(header.salesByRequestRoot, header, positionBits(header), request, row);
    }

    /// @notice Opens the part of a request's row that one site's classes fill.
    function openSiteRow(RoundHeader calldata header, uint32 request, uint32 site, RowOpening calldata row) internal pure {
        uint64 node = _position(request, header.siteBits, site - 1);
        _openRow(header.salesByRequestRoot, header, header.classBits, node, row);
    }

    function salesDepth(RoundHeader calldata header) internal pure returns (uint256) {
        return positionBits(header) + header.requestBits;
    }

    function _openRow(bytes32 root, RoundHeader calldata header, uint256 height, uint64 index, RowOpening calldata row) private pure {
        SumTree.verify(root, header.totalSales, salesDepth(header) - height, row.hash, row.sum, index, row.path, 0);
    }

    /// Row and column of a sales tree; a column outside its bits would fall into the next row.
    function _position(uint32 row, uint256 bits, uint32 column) private pure returns (uint64) {
        if (column >> bits != 0) revert ICommitments.Unrelated();
        // Row and column take at most 32 bits each.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64((uint256(row) << bits) | column);
    }

    /// @notice Depth of C, and of a request's row of Y.
    function positionBits(RoundHeader calldata header) internal pure returns (uint256) {
        return uint256(header.siteBits) + header.classBits;
    }
}
