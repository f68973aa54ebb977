// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { DataEvaluation } from "../contracts/DataEvaluation.sol";
import { DynamicAccessControl } from "../contracts/DynamicAccessControl.sol";
import { MatchingDecision } from "../contracts/MatchingDecision.sol";
import { IAnonymousTransaction } from "../contracts/interfaces/IAnonymousTransaction.sol";
import { ICommitments } from "../contracts/interfaces/ICommitments.sol";
import { IDynamicAccessControl } from "../contracts/interfaces/IDynamicAccessControl.sol";
import { Leaves } from "../contracts/libraries/Leaves.sol";
import { SumTree } from "../contracts/libraries/SumTree.sol";
import "../contracts/Types.sol";
import { EpochData, World } from "./support/World.sol";

contract DynamicAccessControlTest is World {
    // ---- roles ------------------------------------------------------------------------------------------------------

    function test_Constructor_withoutConsortiumOrMarket_isRefused() public {
        Contracts memory contracts;
        Parameters memory bad = parameters;
        bad.market = address(0);
        vm.expectRevert(IDynamicAccessControl.ZeroAddress.selector);
        new DynamicAccessControl(contracts, bad);
        (bad.market, bad.consortium) = (market, address(0));
        vm.expectRevert(IDynamicAccessControl.ZeroAddress.selector);
        new DynamicAccessControl(contracts, bad);
    }

    function test_Constructor_withoutWindowBondOrDeposit_isRefused() public {
        Contracts memory contracts;
        Parameters memory bad = parametersOf(address(token));
        (bad.epochWindow, bad.roundWindow, bad.deliveryWindow) = (1, 1, 0);
        _isRefusedByAll(contracts, bad, "window");
        bad = parametersOf(address(token));
        (bad.epochBond, bad.roundBond, bad.deliveryBond) = (0, 0, 0);
        _isRefusedByAll(contracts, bad, "bond");
        bad = parametersOf(address(token));
        bad.demandDeposit = 0;
        _isRefusedByAll(contracts, bad, "demandDeposit");
    }

    function _isRefusedByAll(Contracts memory contracts, Parameters memory bad, string memory name) private {
        bytes memory refusal = abi.encodeWithSelector(ICommitments.InvalidParameter.selector, name);
        vm.expectRevert(refusal);
        new DynamicAccessControl(contracts, bad);
        vm.expectRevert(refusal);
        new MatchingDecision(contracts, bad);
        vm.expectRevert(refusal);
        new DataEvaluation(contracts, bad);
    }

    function testFuzz_RegisterSite_numbersSitesInOrder(address account, bytes32 profile) public {
        vm.assume(account != address(0) && access.siteOf(account) == 0);
        vm.expectEmit();
        emit IDynamicAccessControl.SiteRegistered(3, account, profile);
        vm.prank(consortium);
        equal(access.registerSite(account, profile), 3, "number");
        equal(access.siteAccount(3), account, "account");
        equal(access.siteOf(account), 3, "site of account");
        equal(access.siteCount(), 3, "count");
    }

    function test_RegisterSite_byOthersOrWithUsedAccounts_isRefused() public {
        vm.expectRevert(abi.encodeWithSelector(ICommitments.Unauthorised.selector, address(this)));
        access.registerSite(address(9), 0);
        vm.startPrank(consortium);
        vm.expectRevert(IDynamicAccessControl.ZeroAddress.selector);
        access.registerSite(address(0), 0);
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.AccountInUse.selector, siteAccounts[0]));
        access.registerSite(siteAccounts[0], 0);
        for (uint256 i = 3; i <= 1024; ++i) {
            access.registerSite(address(uint160(0x10000 + i)), 0);
        }
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.TooManySites.selector, 1024));
        access.registerSite(address(9), 0);
        vm.stopPrank();
    }

    function testFuzz_ConsortiumCalls_byOthers_areRefused(address caller) public {
        vm.assume(caller != consortium);
        bytes4 error_ = ICommitments.Unauthorised.selector;
        vm.startPrank(caller);
        refused(address(access), abi.encodeCall(access.setAuditor, (caller, true)), error_, "auditor");
        refused(address(access), abi.encodeCall(access.setPaused, (true)), error_, "pause");
        refused(address(access), abi.encodeCall(access.scheduleRotation, (0, caller)), error_, "rotation");
        refused(address(access), abi.encodeCall(access.registerSite, (caller, 0)), error_, "site");
        vm.stopPrank();
    }

    function testFuzz_SetAuditor_setsAndRemoves(address account) public {
        vm.startPrank(consortium);
        vm.expectEmit();
        emit IDynamicAccessControl.AuditorSet(account, true);
        access.setAuditor(account, true);
        holds(access.isAuditor(account), "set");
        access.setAuditor(account, false);
        holds(!access.isAuditor(account), "removed");
        vm.stopPrank();
    }

    function test_Rotation_ofTheMarket_takesItsDelay() public {
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.NoRotation.selector, 0));
        access.completeRotation(0);
        uint64 due = uint64(block.timestamp + parameters.rotationDelay);
        vm.expectEmit();
        emit IDynamicAccessControl.RotationScheduled(0, address(7), due);
        vm.prank(consortium);
        access.scheduleRotation(0, address(7));
        (address account, uint64 notBefore) = access.rotationOf(0);
        holds(account == address(7) && notBefore == due, "schedule");
        pass(parameters.rotationDelay - 1);
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.RotationNotDue.selector, 0, due));
        access.completeRotation(0);
        pass(1);
        vm.expectEmit();
        emit IDynamicAccessControl.RotationCompleted(0, address(7));
        access.completeRotation(0);
        equal(access.market(), address(7), "market");
    }

    function testFuzz_Rotation_ofASite_movesItsAccount(address account) public {
        vm.assume(account != address(0) && access.siteOf(account) == 0);
        vm.prank(consortium);
        access.scheduleRotation(2, account);
        pass(parameters.rotationDelay);
        access.completeRotation(2);
        equal(access.siteAccount(2), account, "account");
        equal(access.siteOf(account), 2, "new account");
        equal(access.siteOf(siteAccounts[1]), 0, "old account");
    }

    function test_Rotation_withdrawnUnknownOrTaken_isRefused() public {
        vm.startPrank(consortium);
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.UnknownSite.selector, 3));
        access.scheduleRotation(3, address(7));
        access.scheduleRotation(1, address(7));
        access.scheduleRotation(1, address(0));
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.NoRotation.selector, 1));
        access.completeRotation(1);
        vm.prank(consortium);
        access.scheduleRotation(1, siteAccounts[1]);
        pass(parameters.rotationDelay);
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.AccountInUse.selector, siteAccounts[1]));
        access.completeRotation(1);
    }

    // ---- posting ----------------------------------------------------------------------------------------------------

    function test_PostEpoch_storesItsCommitmentAndLocksTheBond() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        uint256 before = payments.balanceOf(siteAccounts[0]);
        vm.expectEmit();
        emit IDynamicAccessControl.EpochPosted(data.id, 1, SCHEMA, data.epoch.header, siteAccounts[0]);
        post(data);
        equal(access.commitmentOf(data.id), keccak256(abi.encode(data.epoch)), "commitment");
        equal(uint256(statusOf(access, data.id)), uint256(ICommitments.Status.Posted), "status");
        equal(before - payments.balanceOf(siteAccounts[0]), parameters.epochBond, "bond");
        equal(access.maximumClassCount(SCHEMA), 2, "classes");
        vm.prank(siteAccounts[0]);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.BatchExists.selector, data.id));
        access.postEpoch(data.epoch.header);
    }

    function test_PostEpoch_withAnInvalidHeader_namesTheField() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        EpochHeader memory header = data.epoch.header;
        header.memberDepth = 25;
        _invalid(header, "memberDepth");
        header.memberDepth = 2;
        _invalid(header, "memberCount");
        header.memberDepth = 4;
        header.memberCount = 0;
        _invalid(header, "memberCount");
        header.memberCount = 5;
        header.classDepth = 15;
        _invalid(header, "classDepth");
        header.classDepth = 0;
        _invalid(header, "classCount");
        header.classDepth = 2;
        header.classCount = 0;
        _invalid(header, "classCount");
        header.classCount = 2;
        header.payoutDepth = 17;
        _invalid(header, "payoutDepth");
        header.payoutDepth = 2;
        header.epoch = 0;
        _invalid(header, "epoch");
        header.epoch = 1;
        header.schemaId = bytes32(uint256(1));
        _invalid(header, "schemaId");
        header.schemaId = SCHEMA;
        header.site = 2;
        vm.prank(siteAccounts[0]);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.Unauthorised.selector, siteAccounts[0]));
        access.postEpoch(header);
    }

    function _invalid(EpochHeader memory header, string memory field) private {
        vm.prank(siteAccounts[0]);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.InvalidHeader.selector, field));
        access.postEpoch(header);
    }

    function testFuzz_PostEpoch_anyHeaderInRange_isPosted(EpochHeader memory header) public {
        (header.site, header.epoch, header.schemaId) = (1, 1, SCHEMA);
        header.memberDepth = uint8(between(header.memberDepth, 0, 24));
        header.classDepth = uint8(between(header.classDepth, 0, 14));
        header.payoutDepth = uint8(between(header.payoutDepth, 0, 16));
        header.memberCount = uint32(between(header.memberCount, 1, 1 << header.memberDepth));
        header.classCount = uint32(between(header.classCount, 1, 1 << header.classDepth));
        vm.prank(siteAccounts[0]);
        bytes32 id = access.postEpoch(header);
        bytes32 expected = keccak256(abi.encode(header, siteAccounts[0], block.timestamp, block.number));
        equal(access.commitmentOf(id), expected, "commitment");
        equal(access.maximumClassCount(SCHEMA), header.classCount, "classes");
    }

    function test_PostEpoch_outOfTurnOrWithoutBond_isRefused() public {
        EpochData memory first = draftEpoch(1, 1, siteClasses(1));
        EpochData memory second = draftEpoch(1, 2, siteClasses(1));
        bytes memory next = abi.encodeCall(access.postEpoch, (second.epoch.header));
        vm.prank(siteAccounts[0]);
        refused(address(access), next, IDynamicAccessControl.PreviousEpochOpen.selector, "before the first");
        post(first);
        vm.prank(siteAccounts[0]);
        refused(address(access), next, IDynamicAccessControl.PreviousEpochOpen.selector, "while the first is posted");

        vm.startPrank(siteAccounts[1]);
        payments.withdraw(payments.balanceOf(siteAccounts[1]));
        EpochData memory other = draftEpoch(2, 1, siteClasses(2));
        vm.expectPartialRevert(IAnonymousTransaction.InsufficientBalance.selector);
        access.postEpoch(other.epoch.header);
        vm.stopPrank();
    }

    function test_FinaliseEpoch_afterItsWindow_returnsTheBondAndBecomesCurrent() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        uint256 before = payments.balanceOf(siteAccounts[0]);
        post(data);
        pass(parameters.epochWindow - 1);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.WindowOpen.selector, data.id, block.timestamp + 1));
        access.finaliseEpoch(data.epoch);
        pass(1);
        roll(10);
        vm.expectEmit();
        emit ICommitments.BatchFinalised(data.id);
        access.finaliseEpoch(data.epoch);
        equal(payments.balanceOf(siteAccounts[0]), before, "bond");
        equal(access.latestFinalEpoch(1, SCHEMA), 1, "latest");
        ICommitments.BatchState memory state = access.batchState(data.id);
        equal(state.finalisedAt, block.timestamp, "time");
        equal(state.finalisedBlock, block.number, "height");
        equal(access.currentCommitment(1, SCHEMA, 1, uint64(block.number)), keccak256(abi.encode(data.epoch)), "current");
        holds(access.hasEpochAt(1, SCHEMA, uint64(block.number)), "has an epoch");
        holds(!access.hasEpochAt(1, SCHEMA, uint64(block.number - 1)), "had none");
        vm.expectPartialRevert(IDynamicAccessControl.NotCurrentEpoch.selector);
        access.currentCommitment(1, SCHEMA, 1, uint64(block.number - 1));
        vm.expectPartialRevert(ICommitments.NotPosted.selector);
        access.finaliseEpoch(data.epoch);
        data.epoch.posting.timestamp += 1;
        vm.expectPartialRevert(ICommitments.UnknownBatch.selector);
        access.finaliseEpoch(data.epoch);
    }

    function test_CurrentCommitment_ofASupersededEpoch_endsWhereTheNextBegins() public {
        EpochData memory first = draftEpoch(1, 1, siteClasses(1));
        postFinal(first);
        uint64 begin = uint64(block.number);
        roll(100);
        EpochData memory second = draftEpoch(1, 2, siteClasses(1));
        postFinal(second);
        uint64 end = uint64(block.number);
        equal(access.currentCommitment(1, SCHEMA, 1, begin), keccak256(abi.encode(first.epoch)), "first, at its beginning");
        equal(access.currentCommitment(1, SCHEMA, 1, end - 1), keccak256(abi.encode(first.epoch)), "first, at its end");
        equal(access.currentCommitment(1, SCHEMA, 2, end), keccak256(abi.encode(second.epoch)), "second");
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.NotCurrentEpoch.selector, 1, SCHEMA, 1, end));
        access.currentCommitment(1, SCHEMA, 1, end);
        vm.expectPartialRevert(IDynamicAccessControl.NotCurrentEpoch.selector);
        access.currentCommitment(1, SCHEMA, 2, end - 1);
        vm.expectPartialRevert(IDynamicAccessControl.NotCurrentEpoch.selector);
        access.currentCommitment(1, SCHEMA, 3, end);
        equal(access.latestFinalEpoch(1, SCHEMA), 2, "latest");
    }

    // ---- revocation -------------------------------------------------------------------------------------------------

    function test_Revoke_byTheController_relayedByAnyone_isForEver() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        post(data);
        Revocation[] memory list = revocation(data, 2);
        bytes32 pseudonym = data.members[2].pseudonym;
        vm.expectEmit();
        emit IDynamicAccessControl.PseudonymRevoked(1, pseudonym, uint64(block.timestamp));
        vm.prank(relayer);
        access.revoke(list);
        uint64 time = access.revokedAt(1, pseudonym);
        equal(time, block.timestamp, "time");
        pass(100);
        access.revoke(list);
        equal(access.revokedAt(1, pseudonym), time, "first time stands");
    }

    function testFuzz_Revoke_signedByAnotherKey_isRefused(uint256 key) public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        post(data);
        key = between(key, 1, type(uint128).max);
        vm.assume(vm.addr(key) != data.members[2].controller);
        Revocation[] memory list = revocation(data, 2);
        list[0].signature = signed(key, revocationDigest(address(access), block.chainid, 1, data.members[2].pseudonym));
        vm.expectPartialRevert(IDynamicAccessControl.InvalidSignature.selector);
        access.revoke(list);
    }

    function test_Revoke_signedForAnotherDomain_isRefused() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        post(data);
        Revocation[] memory list = revocation(data, 2);
        uint256 key = CONTROLLER_KEY + 2;
        bytes32 pseudonym = data.members[2].pseudonym;
        bytes[5] memory wrong = [
            signed(key, revocationDigest(address(access), block.chainid + 1, 1, pseudonym)),
            signed(key, revocationDigest(address(matching), block.chainid, 1, pseudonym)),
            signed(key, revocationDigest(address(access), block.chainid, 2, pseudonym)),
            signed(key, revocationDigest(address(access), block.chainid, 1, data.members[1].pseudonym)),
            bytes("too short")
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            list[0].signature = wrong[i];
            vm.expectPartialRevert(IDynamicAccessControl.InvalidSignature.selector);
            access.revoke(list);
        }
        data.members[2].controller = address(0);
        EpochData memory second = draftEpoch(2, 1, siteClasses(2));
        second.members[0].controller = address(0);
        plant(second);
        post(second);
        list = revocation(second, 0);
        list[0].signature = "";
        vm.expectPartialRevert(IDynamicAccessControl.InvalidSignature.selector);
        access.revoke(list);
    }

    function test_Revoke_ofForeignMembersVoidEpochsOrTooMany_isRefused() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        data.members[1].pseudonym = data.members[0].pseudonym;
        plant(data);
        post(data);
        Revocation[] memory list = revocation(data, 2);
        list[0].member.leaf.salt = 0;
        vm.expectPartialRevert(SumTree.RootMismatch.selector);
        access.revoke(list);
        list = revocation(data, 2);
        list[0].epoch.header.memberCount += 1;
        vm.expectPartialRevert(ICommitments.UnknownBatch.selector);
        access.revoke(list);
        list[0].epoch.header.memberCount -= 1;
        access.challengeDuplicate(data.epoch, openMember(data, 0), openMember(data, 1));
        list = revocation(data, 2);
        vm.expectPartialRevert(ICommitments.NotFinal.selector);
        access.revoke(list);
        vm.expectRevert(abi.encodeWithSelector(IDynamicAccessControl.TooManyRevocations.selector, 65, 64));
        access.revoke(new Revocation[](65));
    }

    // ---- challenges -------------------------------------------------------------------------------------------------

    /// Half of the bond to the challenger, the rest burned, the epoch void and its number used up.
    function _voided(EpochData memory data, uint256 challengerBefore, uint256 burnedBefore, string memory what) private {
        isVoid(access, data.id, what);
        equal(payments.balanceOf(challenger) - challengerBefore, parameters.epochBond / 2, "reward");
        equal(payments.burnable() - burnedBefore, parameters.epochBond - parameters.epochBond / 2, "burned");
        vm.expectPartialRevert(ICommitments.NotPosted.selector);
        access.finaliseEpoch(data.epoch);
        EpochData memory next = draftEpoch(data.epoch.header.site, data.epoch.header.epoch + 1, data.classes);
        post(next);
    }

    function _prove(EpochData memory data, bytes memory call_, uint256 unread, string memory what) private {
        uint256 before = payments.balanceOf(challenger);
        uint256 burned = payments.burnable();
        vm.startPrank(challenger);
        everyWordMatters(address(access), call_, unread, what);
        vm.stopPrank();
        _voided(data, before, burned, what);
    }

    function _noFault(bytes memory call_, string memory what) private {
        refused(address(access), call_, ICommitments.NoFault.selector, what);
    }

    function test_ChallengeClassRange_memberOfAnotherClassOrNone_voids() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        data.members[1].localClass = 1;
        plant(data);
        post(data);
        _noFault(abi.encodeCall(access.challengeClassRange, (data.epoch, openClass(data, 0), openMember(data, 2))), "honest member");
        refused(
            address(access),
            abi.encodeCall(access.challengeClassRange, (data.epoch, openClass(data, 1), openMember(data, 1))),
            ICommitments.Unrelated.selector,
            "member before the range"
        );
        refused(
            address(access),
            abi.encodeCall(access.challengeClassRange, (data.epoch, openClass(data, 0), openMember(data, 3))),
            ICommitments.Unrelated.selector,
            "member behind the range"
        );
        _prove(
            data,
            abi.encodeCall(access.challengeClassRange, (data.epoch, openClass(data, 0), openMember(data, 1))),
            0,
            "member of another class"
        );

        EpochData memory gap = draftEpoch(2, 1, siteClasses(2));
        delete gap.members[3];
        plant(gap);
        gap.epoch.header.memberCount = 4;
        post(gap);
        refused(
            address(access),
            abi.encodeCall(access.challengeClassRange, (gap.epoch, openClass(gap, 0), openMember(gap, 3))),
            "an omitted member breaks the total"
        );
    }

    /// An omitted member shows: either the totals differ and nothing opens, or a member stands outside the ranges and the gap is proved.
    function test_ChallengeClassRange_gapInTheRange_voids() public {
        EpochData memory data = draftEpoch(2, 1, siteClasses(2));
        MemberLeaf[] memory moved = new MemberLeaf[](6);
        for (uint256 i = 0; i < 3; ++i) {
            moved[i] = data.members[i];
        }
        moved[5] = data.members[3];
        data.members = moved;
        plant(data);
        post(data);
        _prove(data, abi.encodeCall(access.challengeClassRange, (data.epoch, openClass(data, 0), openMember(data, 3))), 0, "gap");
    }

    function test_ChallengeDuplicate_onePseudonymTwice_voids() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        data.members[4].pseudonym = data.members[0].pseudonym;
        plant(data);
        post(data);
        MemberOpening memory first = openMember(data, 0);
        _noFault(abi.encodeCall(access.challengeDuplicate, (data.epoch, first, first)), "one position twice");
        _noFault(abi.encodeCall(access.challengeDuplicate, (data.epoch, first, openMember(data, 1))), "two pseudonyms");
        _noFault(abi.encodeCall(access.challengeDuplicate, (data.epoch, openMember(data, 5), openMember(data, 6))), "two empty positions");
        _prove(data, abi.encodeCall(access.challengeDuplicate, (data.epoch, first, openMember(data, 4))), 0, "duplicate");
    }

    function test_ChallengeEpsilonCap_spentBeyondTheCapOrOffTheLadder_voids() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        data.classes[0].highWater = 0x33;
        data.classes[1].highWater = 0x04;
        plant(data);
        post(data);
        _noFault(abi.encodeCall(access.challengeEpsilonCap, (data.epoch, openClass(data, 0))), "exactly at the cap");
        _noFault(abi.encodeCall(access.challengeEpsilonCap, (data.epoch, openClass(data, 2))), "an empty class");
        _prove(data, abi.encodeCall(access.challengeEpsilonCap, (data.epoch, openClass(data, 1))), 0, "off the ladder");

        EpochData memory other = draftEpoch(2, 1, siteClasses(2));
        other.classes[0].highWater = 0x100;
        plant(other);
        post(other);
        _prove(other, abi.encodeCall(access.challengeEpsilonCap, (other.epoch, openClass(other, 0))), 0, "unknown attribute");
    }

    function test_ChallengeEpsilonCap_sumAboveTheCap_voids() public {
        bytes32 tight = keccak256("tight");
        uint32[] memory ladder = new uint32[](1);
        ladder[0] = 1_000_000;
        uint32[] memory quality = new uint32[](3);
        quality[0] = 1e9;
        vm.prank(consortium);
        evaluation.publishSchema(tight, 0x34, 1_999_999, ladder, quality);
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        data.epoch.header.schemaId = tight;
        data.classes[0].highWater = 0x011;
        data.classes[1].highWater = 0x110;
        plant(data);
        post(data);
        _noFault(abi.encodeCall(access.challengeEpsilonCap, (data.epoch, openClass(data, 0))), "Public costs nothing");
        bytes memory call_ = abi.encodeCall(access.challengeEpsilonCap, (data.epoch, openClass(data, 1)));
        everyWordMatters(address(access), call_, 0, "two grades of one epsilon");
        isVoid(access, data.id, "two grades of one epsilon");
    }

    function test_ChallengePointer_toAnEpochThatIsNoEarlierFinalOne_voids() public {
        EpochData memory first = draftEpoch(1, 1, siteClasses(1));
        _noFault(_pointer(first, 0, first), "posted first");
        EpochData memory second = draftEpoch(1, 2, siteClasses(1));
        (second.members[1].previousEpoch, second.members[2].previousEpoch) = (2, 0);
        second.members[3].previousPosition = 5;
        plant(second);
        pass(parameters.epochWindow);
        access.finaliseEpoch(first.epoch);
        post(second);
        _noFault(abi.encodeCall(access.challengePointer, (second.epoch, openMember(second, 0), first.epoch)), "honest pointer");
        _noFault(abi.encodeCall(access.challengePointer, (second.epoch, openMember(second, 2), first.epoch)), "no pointer");
        uint256 snapshot = vm.snapshotState();
        bytes memory call_ = abi.encodeCall(access.challengePointer, (second.epoch, openMember(second, 1), first.epoch));
        everyWordMatters(address(access), call_, words(abi.encode(first.epoch)), "points to itself");
        isVoid(access, second.id, "points to itself");
        vm.revertToState(snapshot);
        EpochData memory forged = draftEpoch(1, 1, siteClasses(1));
        refused(
            address(access),
            abi.encodeCall(access.challengePointer, (second.epoch, openMember(second, 3), forged.epoch)),
            ICommitments.UnknownBatch.selector,
            "another previous epoch"
        );
        _prove(
            second,
            abi.encodeCall(access.challengePointer, (second.epoch, openMember(second, 3), first.epoch)),
            0,
            "position beyond the members"
        );
    }

    function _pointer(EpochData memory data, uint256 position, EpochData memory previous) private returns (bytes memory) {
        if (statusOf(access, data.id) == ICommitments.Status.Absent) post(data);
        return abi.encodeCall(access.challengePointer, (data.epoch, openMember(data, position), previous.epoch));
    }

    function test_ChallengePointer_toAVoidEpoch_voids() public {
        EpochData memory first = draftEpoch(1, 1, siteClasses(1));
        first.members[1].pseudonym = first.members[0].pseudonym;
        plant(first);
        post(first);
        access.challengeDuplicate(first.epoch, openMember(first, 0), openMember(first, 1));
        EpochData memory second = draftEpoch(1, 2, siteClasses(1));
        post(second);
        bytes memory call_ = abi.encodeCall(access.challengePointer, (second.epoch, openMember(second, 0), first.epoch));
        _prove(second, call_, words(abi.encode(first.epoch)), "points to a void epoch");
    }

    function _twoEpochs() private returns (EpochData memory first, EpochData memory second) {
        first = draftEpoch(1, 1, siteClasses(1));
        first.classes[1].highWater = 0x21;
        plant(first);
        postFinal(first);
        second = draftEpoch(1, 2, siteClasses(1));
        second.classes[1].highWater = 0x21;
        plant(second);
    }

    function _history(EpochData memory later, uint256 a, EpochData memory earlier, uint256 b) private view returns (bytes memory) {
        uint256 classOf = later.members[a].localClass;
        uint256 classBefore = b < earlier.members.length ? earlier.members[b].localClass : 0;
        return abi.encodeCall(
            access.challengeHistory,
            (
                later.epoch,
                openMember(later, a),
                openClass(later, classOf),
                earlier.epoch,
                openMember(earlier, b),
                openClass(earlier, classBefore)
            )
        );
    }

    function test_ChallengeHistory_highWaterThatFell_voids() public {
        (EpochData memory first, EpochData memory second) = _twoEpochs();
        second.classes[1].highWater = 0x12;
        plant(second);
        post(second);
        _noFault(_history(second, 0, first, 0), "grades stayed");
        _noFault(_history(second, 0, first, 1), "not the leaf pointed to, and another person");
        bytes memory wrongClass = abi.encodeCall(
            access.challengeHistory,
            (second.epoch, openMember(second, 3), openClass(second, 0), first.epoch, openMember(first, 3), openClass(first, 1))
        );
        refused(address(access), wrongClass, ICommitments.Unrelated.selector, "a class that is not the member's");
        wrongClass = abi.encodeCall(
            access.challengeHistory,
            (second.epoch, openMember(second, 3), openClass(second, 1), first.epoch, openMember(first, 3), openClass(first, 0))
        );
        refused(address(access), wrongClass, ICommitments.Unrelated.selector, "a class that was not the member's");
        _prove(second, _history(second, 3, first, 3), 0, "a grade fell");
    }

    function test_ChallengeHistory_pointerToAnotherPerson_voids() public {
        (EpochData memory first, EpochData memory second) = _twoEpochs();
        second.members[0].previousPosition = 2;
        plant(second);
        post(second);
        // The two pseudonyms decide and the classes are not read: an offset, 13 words and a path of 1 + 2 * 2 words each.
        _prove(second, _history(second, 0, first, 2), 2 * 19, "another pseudonym");
    }

    function test_ChallengeHistory_skippedEpoch_voids() public {
        (EpochData memory first, EpochData memory second) = _twoEpochs();
        (second.members[0].previousEpoch, second.members[0].previousPosition) = (0, 0);
        plant(second);
        post(second);
        _noFault(_history(second, 0, first, 6), "an empty position");
        refused(address(access), _history(second, 0, second, 0), ICommitments.Unrelated.selector, "the same epoch is not an earlier one");
        uint256 unread = words(abi.encode(openClass(second, 0))) + words(abi.encode(openClass(first, 0)));
        _prove(second, _history(second, 0, first, 0), unread, "called new, though known");
    }

    function test_ChallengeHistory_againstForeignOrUnfinishedEpochs_isRefused() public {
        (EpochData memory first, EpochData memory second) = _twoEpochs();
        post(second);
        EpochData memory other = draftEpoch(2, 1, siteClasses(2));
        postFinal(other);
        refused(address(access), _history(second, 0, other, 0), ICommitments.Unrelated.selector, "another site");
        EpochData memory forged = draftEpoch(1, 1, siteClasses(1));
        refused(address(access), _history(second, 0, forged, 0), ICommitments.UnknownBatch.selector, "a forged epoch");
        first.epoch.header.schemaId = bytes32(uint256(1));
        refused(address(access), _history(second, 0, first, 0), ICommitments.Unrelated.selector, "another schema");
    }

    function test_ChallengeHistory_againstAVoidEpoch_isRefused() public {
        EpochData memory first = draftEpoch(1, 1, siteClasses(1));
        first.members[1].pseudonym = first.members[0].pseudonym;
        plant(first);
        post(first);
        access.challengeDuplicate(first.epoch, openMember(first, 0), openMember(first, 1));
        EpochData memory second = draftEpoch(1, 2, siteClasses(1));
        post(second);
        refused(address(access), _history(second, 0, first, 0), ICommitments.NotFinal.selector, "void");
    }

    function test_Challenge_afterFinality_isRefused() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        data.members[1].pseudonym = data.members[0].pseudonym;
        plant(data);
        postFinal(data);
        refused(
            address(access),
            abi.encodeCall(access.challengeDuplicate, (data.epoch, openMember(data, 0), openMember(data, 1))),
            ICommitments.NotPosted.selector,
            "final"
        );
    }

    // ---- data availability ------------------------------------------------------------------------------------------

    function test_DemandLeaf_answered_paysTheResponder() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        post(data);
        uint64 answerBy = uint64(block.timestamp + parameters.epochWindow / 2);
        vm.expectEmit();
        emit ICommitments.LeafDemanded(data.id, 1, 2, auditor, answerBy);
        vm.prank(auditor);
        access.demandLeaf(data.epoch, Leaves.MEMBER, 2);
        vm.prank(market);
        access.demandLeaf(data.epoch, Leaves.CLASS, 1);
        vm.prank(siteAccounts[1]);
        access.demandLeaf(data.epoch, Leaves.MEMBER, 9);
        equal(access.demandOf(data.id, 1, 2).demander, auditor, "demander");
        equal(access.batchState(data.id).openDemands, 3, "open");
        uint256 before = payments.balanceOf(siteAccounts[0]);
        vm.startPrank(siteAccounts[0]);
        vm.expectEmit();
        emit ICommitments.LeafAnswered(data.id, 1, 2, siteAccounts[0]);
        access.answerMember(data.epoch, openMember(data, 2));
        access.answerClass(data.epoch, openClass(data, 1));
        vm.stopPrank();
        pass(parameters.epochWindow / 2);
        vm.prank(siteAccounts[0]);
        access.answerMember(data.epoch, openMember(data, 9));
        equal(payments.balanceOf(siteAccounts[0]) - before, 3 * uint256(parameters.demandDeposit), "deposits");
        pass(parameters.epochWindow / 2);
        access.finaliseEpoch(data.epoch);
    }

    function test_DemandLeaf_unanswered_voidsForTheDemander() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        post(data);
        uint256 before = payments.balanceOf(auditor);
        vm.prank(auditor);
        access.demandLeaf(data.epoch, Leaves.MEMBER, 2);
        vm.prank(market);
        access.demandLeaf(data.epoch, Leaves.CLASS, 0);
        uint256 marketBefore = payments.balanceOf(market);
        pass(parameters.epochWindow / 2);
        vm.expectPartialRevert(ICommitments.AnswerStillDue.selector);
        access.voidUnanswered(data.epoch, Leaves.MEMBER, 2);
        pass(parameters.epochWindow / 2);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.DemandsOpen.selector, data.id, 2));
        access.finaliseEpoch(data.epoch);
        vm.expectPartialRevert(ICommitments.AnswerTooLate.selector);
        access.answerMember(data.epoch, openMember(data, 2));
        vm.expectPartialRevert(ICommitments.BatchNotVoid.selector);
        access.reclaimDemand(data.id, Leaves.CLASS, 0);
        vm.expectEmit();
        emit ICommitments.BatchVoided(data.id, ICommitments.Fault.LeafWithheld, auditor);
        access.voidUnanswered(data.epoch, Leaves.MEMBER, 2);
        equal(payments.balanceOf(auditor) - before, parameters.epochBond / 2, "reward, and the deposit back");
        access.reclaimDemand(data.id, Leaves.CLASS, 0);
        equal(payments.balanceOf(market) - marketBefore, parameters.demandDeposit, "the other deposit back");
        vm.expectPartialRevert(ICommitments.NoDemand.selector);
        access.reclaimDemand(data.id, Leaves.CLASS, 0);
    }

    function test_DemandLeaf_byOthersLateTwiceOrOutside_isRefused() public {
        EpochData memory data = draftEpoch(1, 1, siteClasses(1));
        post(data);
        vm.expectPartialRevert(ICommitments.Unauthorised.selector);
        access.demandLeaf(data.epoch, Leaves.MEMBER, 0);
        vm.startPrank(auditor);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.UnknownKind.selector, 3));
        access.demandLeaf(data.epoch, Leaves.PRICE, 0);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.PositionOutOfRange.selector, 16, 16));
        access.demandLeaf(data.epoch, Leaves.MEMBER, 16);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.PositionOutOfRange.selector, 4, 4));
        access.demandLeaf(data.epoch, Leaves.CLASS, 4);
        access.demandLeaf(data.epoch, Leaves.CLASS, 3);
        vm.expectPartialRevert(ICommitments.DemandExists.selector);
        access.demandLeaf(data.epoch, Leaves.CLASS, 3);
        pass(parameters.epochWindow / 2);
        vm.expectPartialRevert(ICommitments.DemandTooLate.selector);
        access.demandLeaf(data.epoch, Leaves.CLASS, 2);
        vm.stopPrank();
        vm.expectPartialRevert(ICommitments.NoDemand.selector);
        access.answerClass(data.epoch, openClass(data, 0));
        vm.expectPartialRevert(ICommitments.NoDemand.selector);
        access.voidUnanswered(data.epoch, Leaves.CLASS, 0);
        MemberOpening memory wrong = openMember(data, 0);
        wrong.leaf.salt = 0;
        vm.expectPartialRevert(SumTree.RootMismatch.selector);
        access.answerMember(data.epoch, wrong);
    }
}
