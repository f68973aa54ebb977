// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Bytes kept as the code of a contract
/// @notice Written once, read for the price of one account and three gas a word (after 0xsequence's SSTORE2). The leading zero byte (STOP) makes it uncallable.
library Blob {
    error BlobNotWritten();

    function write(bytes memory data) internal returns (address pointer) {
        // PUSH2 length; DUP1; PUSH1 10; PUSH0; CODECOPY; PUSH0; RETURN; the header is exactly ten bytes.
        // At most 24,575 bytes fit a contract; tables have at most 3,926.
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes memory creation = abi.encodePacked(hex"61", uint16(data.length + 1), hex"80600a5f395ff3", hex"00", data);
        assembly ("memory-safe") {
            pointer := create(0, add(creation, 32), mload(creation))
        }
        if (pointer == address(0)) revert BlobNotWritten();
    }

    function read(address pointer) internal view returns (bytes memory data) {
        uint256 length = pointer.code.length - 1;
        data = new bytes(length);
        assembly ("memory-safe") {
            extcodecopy(pointer, add(data, 32), 1, length)
        }
    }
}
