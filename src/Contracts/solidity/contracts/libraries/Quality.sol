// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Arithmetic of grades, asks and scores over one schema's table
/// @notice Table: attributes (1 byte), grades (1), cap in micro-epsilon (8), tiers (16, two bits per attribute), ladder (4 bytes per grade), Q in ppb (4 bytes per
/// attribute and grade, row by row). Grades are packed in nibbles, attribute 0 lowest. Rules: docs/WIRE.md, "Arithmetic".
library Quality {
    uint256 internal constant PPB = 1e9;
    uint256 internal constant MICRO = 1e6;
    uint256 internal constant MAXIMUM_ATTRIBUTES = 64;
    uint256 internal constant MAXIMUM_GRADES = 15;
    uint256 internal constant LADDER_OFFSET = 26;

    error GradesOutOfRange(uint256 attribute);

    function attributes(bytes memory table) internal pure returns (uint256) {
        return uint8(table[0]);
    }

    function grades(bytes memory table) internal pure returns (uint256) {
        return uint8(table[1]);
    }

    function capMicro(bytes memory table) internal pure returns (uint256) {
        return _word(table, 2) >> 192;
    }

    /// @notice ceil(rate * micro / 10^6): rounded up, for the patient.
    function ask(uint256 rate, uint256 epsilonMicro) internal pure returns (uint256) {
        return (rate * epsilonMicro + MICRO - 1) / MICRO;
    }

    /// @notice floor(bid * score / 10^9): rounded down, for the researcher.
    function value(uint256 bid, uint256 score) internal pure returns (uint256) {
        return bid * score / PPB;
    }

    /// @notice Records that a budget surely pays for; the target alone when a record costs nothing.
    function capacity(uint256 budget, uint256 bid, uint256 highestScore, uint256 relayFee, uint256 target) internal pure returns (uint256) {
        uint256 perRecord = value(bid, highestScore) + relayFee;
        if (perRecord == 0) return target;
        uint256 affordable = budget / perRecord;
        return affordable < target ? affordable : target;
    }

    /// @notice Epsilon of an attribute's grade, in micro: 0 for a Public attribute.
    function micro(bytes memory table, uint256 attribute, uint256 grade) internal pure returns (uint256) {
        return tier(table, attribute) == 0 ? 0 : _uint32(table, LADDER_OFFSET + 4 * (grade - 1));
    }

    /// @notice 0 Public, 1 Low, 2 Moderate, 3 Private.
    function tier(bytes memory table, uint256 attribute) internal pure returns (uint256) {
        return (_word(table, 10) >> (128 + 2 * attribute)) & 3;
    }

    /// @notice Q of an attribute's grade, in ppb.
    function quality(bytes memory table, uint256 attribute, uint256 grade) internal pure returns (uint256) {
        uint256 ladder = grades(table);
        return _uint32(table, LADDER_OFFSET + 4 * (ladder + attribute * ladder + grade - 1));
    }

    function nibble(uint256 packed, uint256 attribute) internal pure returns (uint256) {
        return (packed >> (4 * attribute)) & 15;
    }

    /// @notice Ask and score of a class's ceilings for a request's grades, which maximumScore has admitted.
    function quote(
        bytes memory table,
        uint256 ceilings,
        uint96[4] calldata rates,
        uint256 minimumGrades,
        uint256 topGrades
    ) internal pure returns (bool admissible, uint256 totalAsk, uint256 score) {
        for (uint256 attribute = 0; topGrades >> (4 * attribute) != 0; ++attribute) {
            uint256 grade = nibble(topGrades, attribute);
            if (grade == 0) continue;
            uint256 ceiling = nibble(ceilings, attribute);
            if (ceiling < grade) grade = ceiling;
            if (grade < nibble(minimumGrades, attribute)) return (false, 0, 0);
            totalAsk += ask(rates[tier(table, attribute)], micro(table, attribute, grade));
            score += quality(table, attribute, grade);
        }
        return (true, totalAsk, score);
    }

    /// @notice Largest score within a request's grades. Every requested attribute needs 1 <= minimum <= top <= G; at least one is requested.
    function maximumScore(bytes memory table, uint256 minimumGrades, uint256 topGrades) internal pure returns (uint256 score) {
        uint256 count = attributes(table);
        uint256 highest = grades(table);
        if (topGrades == 0) revert GradesOutOfRange(0);
        for (uint256 attribute = 0; (topGrades | minimumGrades) >> (4 * attribute) != 0; ++attribute) {
            uint256 minimum = nibble(minimumGrades, attribute);
            uint256 top = nibble(topGrades, attribute);
            if (minimum == 0 && top == 0) continue;
            if (attribute >= count || minimum == 0 || minimum > top || top > highest) revert GradesOutOfRange(attribute);
            uint256 best = 0;
            for (uint256 grade = minimum; grade <= top; ++grade) {
                uint256 candidate = quality(table, attribute, grade);
                if (candidate > best) best = candidate;
            }
            score += best;
        }
    }

    /// @notice Epsilon of packed grades over the attributes; the largest number when a grade or attribute is not in the table.
    function epsilon(bytes memory table, uint256 packed) internal pure returns (uint256 total) {
        uint256 count = attributes(table);
        uint256 highest = grades(table);
        for (uint256 attribute = 0; packed >> (4 * attribute) != 0; ++attribute) {
            uint256 grade = nibble(packed, attribute);
            if (grade == 0) continue;
            if (attribute >= count || grade > highest) return type(uint256).max;
            total += micro(table, attribute, grade);
        }
    }

    function _uint32(bytes memory table, uint256 offset) private pure returns (uint256) {
        return _word(table, offset) >> 224;
    }

    /// A word from the table; offsets are bounded by the callers (publishSchema fixes the length).
    function _word(bytes memory table, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(table, 32), offset))
        }
    }
}
