// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { Fuzzing } from "../support/Fuzzing.sol";

/// One test for every external function; a test's name lists the functions that it calls.
/// forge-config: default.fuzz.runs = 64
/// forge-config: long.fuzz.runs = 2000
contract DevelopmentTokenFuzzTest is Fuzzing {
    function testFuzz_Mint_TotalSupply_BalanceOf_grow(address account, uint128 amount) public {
        vm.assume(account != address(0));
        (uint256 supply, uint256 balance) = (token.totalSupply(), token.balanceOf(account));
        token.mint(account, amount);
        equal(token.totalSupply(), supply + amount, "supply");
        equal(token.balanceOf(account), balance + amount, "balance");
    }

    function testFuzz_Transfer_withinTheBalance(uint128 held, uint128 amount) public {
        token.mint(relayer, held);
        acceptedIf(amount <= held, relayer, address(token), abi.encodeCall(token.transfer, (address(0xB0B), amount)), "balance");
        equal(token.balanceOf(address(0xB0B)), amount <= held ? amount : 0, "receiver");
    }

    function testFuzz_Approve_TransferFrom_Allowance_withinWhatIsAllowed(uint128 allowed, uint128 amount) public {
        token.mint(relayer, type(uint128).max);
        vm.prank(relayer);
        token.approve(address(0xB0B), allowed);
        bytes memory call_ = abi.encodeCall(token.transferFrom, (relayer, address(0xB0B), amount));
        acceptedIf(amount <= allowed, address(0xB0B), address(token), call_, "allowance");
        equal(token.allowance(relayer, address(0xB0B)), amount <= allowed ? allowed - amount : allowed, "rest");
    }

    function testFuzz_Permit_Nonces_DOMAIN_SEPARATOR_changedWord_isRefused(uint256 seed, uint128 amount) public {
        address owner = vm.addr(0xB0B);
        bytes32 type_ = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(type_, owner, relayer, amount, token.nonces(owner), block.timestamp));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xB0B, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
        bytes memory call_ = abi.encodeCall(token.permit, (owner, relayer, amount, block.timestamp, v, r, s));
        changedWord(relayer, address(token), call_, seed);
        acceptedIf(true, relayer, address(token), call_, "permit");
        equal(token.allowance(owner, relayer), amount, "allowance");
        equal(token.nonces(owner), 1, "nonce");
        acceptedIf(false, relayer, address(token), call_, "used twice");
    }

    function testFuzz_Name_Symbol_Decimals_Eip712Domain_stay(address caller) public {
        vm.prank(caller);
        equal(keccak256(bytes(token.name())), keccak256("EmrMarket development token"), "name");
        equal(keccak256(bytes(token.symbol())), keccak256("EMR"), "symbol");
        equal(token.decimals(), 18, "decimals");
        (,,, uint256 chainId, address contract_,,) = token.eip712Domain();
        equal(chainId, block.chainid, "chain");
        equal(contract_, address(token), "contract");
    }
}
