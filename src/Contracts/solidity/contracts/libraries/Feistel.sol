// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Pseudorandom permutation of a class's members
/// @notice Four Feistel rounds over the smallest even number of bits that holds the class, walking the cycle until the image lies inside. The domain is less than
/// four times the class (or four), so fewer than four passes are expected, and never more than the domain has points.
library Feistel {
    /// @notice Key of one class under a round's seed.
    function key(bytes32 seed, uint32 site, uint32 localClass) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(seed, site, localClass));
    }

    /// @notice Image of x < size under the permutation.
    function permute(bytes32 permutationKey, uint32 size, uint32 x) internal pure returns (uint32) {
        uint256 bits = 2;
        while (uint256(1) << bits < size) bits += 2;
        uint256 half = bits / 2;
        uint256 mask = (1 << half) - 1;
        uint256 image = x;
        do {
            uint256 left = image >> half;
            uint256 right = image & mask;
            for (uint8 round = 0; round < 4; ++round) {
                // Both halves stay below 2^16.
                // forge-lint: disable-next-line(unsafe-typecast)
                uint256 mixed = uint256(keccak256(abi.encodePacked(permutationKey, round, uint32(right))));
                (left, right) = (right, left ^ (mixed & mask));
            }
            image = (left << half) | right;
        } while (image >= size);
        // image < size <= 2^32 - 1
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint32(image);
    }
}
