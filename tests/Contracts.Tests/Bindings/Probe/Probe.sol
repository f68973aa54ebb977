// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A struct outside any contract.
/// @param id its number
/// @param data bytes of any length
struct Leaf {
    uint64 id;
    bytes data;
}

/// @title A contract that uses every form of the ABI
/// @notice Answers what it is given, so that a client's encoding and decoding can be checked against the compiler's.
contract Probe {
    /// @notice How far a thing has come.
    enum Stage {
        Draft,
        Open,
        Closed
    }

    struct Inner {
        uint8 small;
        int24 signed;
        bytes4 tag;
        Leaf[] leaves;
    }

    /// @param owner who holds it
    /// @param inner nested
    /// @param grid two arrays of any length
    struct Outer {
        address owner;
        Inner inner;
        uint256[][2] grid;
        string name;
        Stage stage;
        bool flag;
    }

    /// @notice The caller is not the owner.
    /// @param caller who called
    /// @param owner who may
    error NotOwner(address caller, address owner);
    error Everything(uint112 amount, int256 signed, bytes data, string text, Leaf leaf, Stage stage);
    error Bare();

    /// @notice Something was recorded.
    /// @param id its number
    event Recorded(uint64 indexed id, address indexed by, bytes32 root, uint128 amount);
    event Hashed(string indexed name, Leaf indexed leaf, uint16[] indexed numbers, bytes data);
    event Nested(Outer outer, Stage indexed stage);

    address public immutable owner;
    uint256 private immutable _offset;
    uint256 public count;

    constructor(address owner_, uint256 offset) {
        owner = owner_;
        _offset = offset;
    }

    /// @notice Gives back what it got.
    /// @param outer any value
    /// @return the same value
    function echo(Outer calldata outer) external pure returns (Outer memory) {
        return outer;
    }

    function echoMany(Outer[] calldata outers, uint8[3] calldata three, bytes[] calldata blobs)
        external
        pure
        returns (Outer[] memory same, uint8[3] memory numbers, bytes[] memory bytesBack)
    {
        return (outers, three, blobs);
    }

    function limits(uint8 a, uint16 b, uint32 c, uint64 d, uint128 e, uint256 f)
        external
        pure
        returns (uint8, uint16, uint32, uint64, uint128, uint256)
    {
        return (a, b, c, d, e, f);
    }

    function signedLimits(int8 a, int16 b, int32 c, int64 d, int128 e, int256 f)
        external
        pure
        returns (int8, int16, int32, int64, int128, int256)
    {
        return (a, b, c, d, e, f);
    }

    function offset() external view returns (uint256) {
        return _offset;
    }

    function overloaded(uint256 value) external pure returns (uint256) {
        return value + 1;
    }

    function overloaded(bytes32 value) external pure returns (bytes32) {
        return ~value;
    }

    function record(uint64 id, bytes32 root, uint128 amount) external {
        count += 1;
        emit Recorded(id, msg.sender, root, amount);
    }

    function recordMany(uint64 first, uint64 number) external {
        for (uint64 i = first; i < first + number; ++i) {
            emit Recorded(i, msg.sender, keccak256(abi.encode(i)), uint128(i) << 64);
        }
        count += number;
    }

    function announce(Outer calldata outer, uint16[] calldata numbers) external payable {
        emit Hashed(outer.name, outer.inner.leaves[0], numbers, abi.encode(msg.value));
        emit Nested(outer, outer.stage);
    }

    function onlyOwner() external {
        if (msg.sender != owner) revert NotOwner(msg.sender, owner);
        count += 1;
    }

    function refuse(uint256 how) external view returns (uint256) {
        if (how == 0) revert Bare();
        if (how == 1) revert Everything(type(uint112).max, type(int256).min, hex"00ff", unicode"Grüße", Leaf(7, hex"aa"), Stage.Closed);
        require(how != 2, "a reason in words");
        if (how == 3) assert(false);
        if (how == 4) return how / count / (count - count);
        if (how == 5) {
            assembly {
                revert(0, 0)
            }
        }
        return how;
    }
}
