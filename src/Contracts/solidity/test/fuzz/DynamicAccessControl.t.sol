// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "../../contracts/interfaces/ICommitments.sol";
import { Leaves } from "../../contracts/libraries/Leaves.sol";
import "../../contracts/Types.sol";
import { Fuzzing } from "../support/Fuzzing.sol";
import { EpochData } from "../support/World.sol";

/// One test for every external function; a test's name lists the functions that it calls. Site 1 has a final epoch and a posted one with every fault.
/// forge-config: default.fuzz.runs = 64
/// forge-config: long.fuzz.runs = 2000
contract DynamicAccessControlFuzzTest is Fuzzing {
    struct Case {
        EpochData first;
        EpochData second;
        EpochData other;
    }

    function _case() private returns (Case memory) {
        EpochData memory first = draftEpoch(1, 1, siteClasses(1));
        first.classes[1].highWater = 0x21;
        plant(first);
        postFinal(first);
        EpochData memory second = draftEpoch(1, 2, siteClasses(1));
        second.members[1].pseudonym = second.members[0].pseudonym;
        second.members[2].previousEpoch = 2;
        second.members[3].localClass = 0;
        second.classes[0].highWater = 0x04;
        plant(second);
        post(second);
        EpochData memory other = draftEpoch(2, 1, siteClasses(2));
        post(other);
        return Case(first, second, other);
    }

    function testFuzz_ChallengeClassRange_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        EpochData memory data = case_.second;
        changedWord(
            challenger,
            address(access),
            abi.encodeCall(access.challengeClassRange, (data.epoch, openClass(data, 1), openMember(data, 3))),
            seed
        );
    }

    function testFuzz_ChallengeDuplicate_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        EpochData memory data = case_.second;
        changedWord(
            challenger,
            address(access),
            abi.encodeCall(access.challengeDuplicate, (data.epoch, openMember(data, 0), openMember(data, 1))),
            seed
        );
    }

    function testFuzz_ChallengeEpsilonCap_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        EpochData memory data = case_.second;
        changedWord(challenger, address(access), abi.encodeCall(access.challengeEpsilonCap, (data.epoch, openClass(data, 0))), seed);
    }

    function testFuzz_ChallengePointer_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        EpochData memory data = case_.second;
        changedWord(
            challenger, address(access), abi.encodeCall(access.challengePointer, (data.epoch, openMember(data, 2), case_.first.epoch)), seed
        );
    }

    function testFuzz_ChallengeHistory_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        (EpochData memory first, EpochData memory second) = (case_.first, case_.second);
        bytes memory call_ = abi.encodeCall(
            access.challengeHistory,
            (second.epoch, openMember(second, 4), openClass(second, 1), first.epoch, openMember(first, 4), openClass(first, 1))
        );
        changedWord(challenger, address(access), call_, seed);
    }

    function testFuzz_DemandLeaf_DemandOf_anyLeafOfTheTrees_isAccepted(uint8 kind, uint64 position) public {
        Case memory case_ = _case();
        kind = uint8(between(kind, 0, 3));
        position = uint64(between(position, 0, 20));
        bool exists = (kind == Leaves.MEMBER && position < 16) || (kind == Leaves.CLASS && position < 4);
        acceptedIf(
            exists, auditor, address(access), abi.encodeCall(access.demandLeaf, (case_.second.epoch, kind, position)), "a leaf of the trees"
        );
        equal(access.demandOf(case_.second.id, kind, position).demander, exists ? auditor : address(0), "demander");
    }

    function testFuzz_AnswerMember_changedOpening_isRefused(uint256 seed, uint8 position) public {
        Case memory case_ = _case();
        position %= 16;
        EpochData memory data = case_.second;
        vm.prank(auditor);
        access.demandLeaf(data.epoch, Leaves.MEMBER, position);
        changedWord(siteAccounts[0], address(access), abi.encodeCall(access.answerMember, (data.epoch, openMember(data, position))), seed);
    }

    function testFuzz_AnswerClass_changedOpening_isRefused(uint256 seed, uint8 index) public {
        Case memory case_ = _case();
        index %= 4;
        EpochData memory data = case_.second;
        vm.prank(auditor);
        access.demandLeaf(data.epoch, Leaves.CLASS, index);
        changedWord(siteAccounts[0], address(access), abi.encodeCall(access.answerClass, (data.epoch, openClass(data, index))), seed);
    }

    function testFuzz_FinaliseEpoch_BatchState_LatestFinalEpoch_HasEpochAt_CurrentCommitment_CommitmentOf_onceTheWindowIsOver(uint32 after_)
        public
    {
        Case memory case_ = _case();
        after_ = uint32(between(after_, 0, 2 * parameters.epochWindow));
        pass(after_);
        bool over = after_ >= parameters.epochWindow;
        acceptedIf(over, relayer, address(access), abi.encodeCall(access.finaliseEpoch, (case_.other.epoch)), "the window");
        equal(uint256(statusOf(access, case_.other.id)), uint256(over ? ICommitments.Status.Final : ICommitments.Status.Posted), "state");
        equal(access.latestFinalEpoch(2, SCHEMA), over ? 1 : 0, "latest");
        holds(access.hasEpochAt(2, SCHEMA, uint64(block.number)) == over, "epoch at this block");
        bytes memory call_ = abi.encodeCall(access.currentCommitment, (2, SCHEMA, 1, uint64(block.number)));
        (bool done, bytes memory answer) = address(access).staticcall(call_);
        holds(done == over, "current");
        if (over) equal(abi.decode(answer, (bytes32)), access.commitmentOf(case_.other.id), "commitment");
        equal(access.commitmentOf(case_.other.id), keccak256(abi.encode(case_.other.epoch)), "stored commitment");
    }

    function testFuzz_VoidUnanswered_ReclaimDemand_afterHalfAWindow(uint32 after_, uint64 position) public {
        Case memory case_ = _case();
        after_ = uint32(between(after_, 0, parameters.epochWindow));
        position %= 16;
        vm.startPrank(auditor);
        access.demandLeaf(case_.second.epoch, Leaves.MEMBER, position);
        access.demandLeaf(case_.second.epoch, Leaves.CLASS, 0);
        vm.stopPrank();
        pass(after_);
        bool late = after_ > parameters.epochWindow / 2;
        bytes memory call_ = abi.encodeCall(access.voidUnanswered, (case_.second.epoch, Leaves.MEMBER, position));
        onlyAfterHalfAWindow(access, call_, case_.second.id, Leaves.CLASS, late);
    }

    function testFuzz_SetPaused_Paused_byTheConsortiumAlone(address caller, bool value) public {
        acceptedIf(caller == consortium, caller, address(access), abi.encodeCall(access.setPaused, (value)), "caller");
        vm.prank(consortium);
        access.setPaused(value);
        holds(access.paused() == value, "paused");
    }

    function testFuzz_ScheduleRotation_CompleteRotation_RotationOf_Market_ofTheMarket_afterTheDelay(address account, uint32 after_) public {
        vm.assume(account != address(0));
        after_ = uint32(between(after_, 0, 2 * parameters.rotationDelay));
        vm.prank(consortium);
        access.scheduleRotation(0, account);
        (address scheduled, uint64 notBefore) = access.rotationOf(0);
        equal(scheduled, account, "scheduled");
        equal(notBefore, block.timestamp + parameters.rotationDelay, "delay");
        pass(after_);
        bool due = after_ >= parameters.rotationDelay;
        acceptedIf(due, relayer, address(access), abi.encodeCall(access.completeRotation, (0)), "due");
        equal(access.market(), due ? account : market, "market");
    }

    function testFuzz_RegisterSite_SetAuditor_SiteAccount_SiteOf_SiteCount_AccountsFor_IsAuditor_Consortium_tellWhoTakesPart(address account)
        public
    {
        vm.assume(account != address(0) && access.siteOf(account) == 0);
        vm.startPrank(access.consortium());
        uint32 site = access.registerSite(account, 0);
        access.setAuditor(account, true);
        vm.stopPrank();
        equal(site, access.siteCount(), "count");
        equal(access.siteAccount(site), account, "account");
        equal(access.siteOf(account), site, "site");
        (address ofSite, address marketNow) = access.accountsFor(site);
        equal(ofSite, account, "account for a delivery");
        equal(marketNow, market, "market for a delivery");
        holds(access.isAuditor(account), "auditor");
    }

    function testFuzz_PostEpoch_MaximumClassCount_keepsTheLargest(uint8 count, uint8 depth) public {
        Case memory case_ = _case();
        pass(parameters.epochWindow);
        access.finaliseEpoch(case_.other.epoch);
        EpochHeader memory header = case_.other.epoch.header;
        (header.epoch, header.classDepth, header.classCount) = (2, depth % 15, uint32(between(count, 1, 200)));
        bool fits = header.classCount <= 1 << header.classDepth;
        acceptedIf(fits, siteAccounts[1], address(access), abi.encodeCall(access.postEpoch, (header)), "depth");
        uint256 expected = fits && header.classCount > 2 ? header.classCount : 2;
        equal(access.maximumClassCount(SCHEMA), expected, "largest number of classes");
    }

    function testFuzz_Revoke_RevokedAt_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        EpochData memory data = case_.first;
        Revocation[] memory list = new Revocation[](1);
        (list[0].epoch, list[0].member) = (data.epoch, openMember(data, 2));
        bytes32 type_ = keccak256("Revocation(uint32 site,bytes32 pseudonym)");
        bytes32 structHash = keccak256(abi.encode(type_, 1, data.members[2].pseudonym));
        list[0].signature = signed(CONTROLLER_KEY + 2, digest(address(access), block.chainid, structHash));
        bytes memory call_ = abi.encodeCall(access.revoke, (list));
        changedWord(relayer, address(access), call_, seed);
        equal(access.revokedAt(1, data.members[2].pseudonym), 0, "not yet");
        acceptedIf(true, relayer, address(access), call_, "revocation");
        equal(access.revokedAt(1, data.members[2].pseudonym), block.timestamp, "time");
    }

    function testFuzz_EpochIdOf_Eip712Domain_differByEveryPart(uint32 site, bytes32 schemaId, uint32 number, uint8 part) public view {
        bytes32 id = access.epochIdOf(site, schemaId, number);
        equal(id, keccak256(abi.encode(uint8(1), block.chainid, address(access), site, schemaId, number)), "id");
        unchecked {
            if (part % 3 == 0) ++site;
            else if (part % 3 == 1) schemaId = bytes32(uint256(schemaId) + 1);
            else ++number;
        }
        holds(access.epochIdOf(site, schemaId, number) != id, "another epoch");
        unknownBatch(access, keccak256(abi.encode(id)), part, number);
        (, string memory name,, uint256 chainId, address contract_,,) = access.eip712Domain();
        equal(keccak256(bytes(name)), keccak256("EmrMarket"), "name");
        equal(chainId, block.chainid, "chain");
        equal(contract_, address(access), "contract");
    }
}
