// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "../contracts/interfaces/ICommitments.sol";
import "../contracts/Types.sol";
import { Trees } from "./support/Trees.sol";
import { DeliveryData, EpochData, RoundData, RoundSpec, World } from "./support/World.sol";

/// What each call costs as a transaction of its own, at the depths of a large deployment: 1,024 sites with 16,384 classes each, 4,096 requests a
/// book, a million members a site, 131,072 records a delivery, ten attributes requested of a schema with six grades.
/// forge-config: default.isolate = true
contract GasTest is World {
    uint256 private constant POST_LIMIT = 90_000;
    uint256 private constant CHALLENGE_LIMIT = 500_000;
    uint256 private constant CLAIM_LIMIT = 34_000;

    struct Case {
        EpochData[2] epochs;
        RoundData round;
    }

    function setUp() public override {
        (askedGrades, ceilings) = (0x3333333333, 0x3333333333);
        super.setUp();
    }

    /// Ten attributes whose asks and scores at grade 3 add up to those of the small schema's first attribute.
    function publishSchema(bytes32 schemaId) internal override {
        uint32[] memory ladder = new uint32[](6);
        uint32[] memory quality = new uint32[](60);
        for (uint32 g = 0; g < 6; ++g) {
            ladder[g] = g < 2 ? 50_000 * (g + 1) : 100_000 * g;
            for (uint256 a = 0; a < 10; ++a) {
                quality[6 * a + g] = 50_000_000 * g;
            }
        }
        evaluation.publishSchema(schemaId, 0x55555, 4_000_000, ladder, quality);
    }

    function _measure(string memory name, address target, address sender, bytes memory call_, uint256 limit) private {
        vm.prank(sender);
        (bool done, bytes memory answer) = target.call(call_);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        if (!done) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
        vm.snapshotValue("gas", name, used);
        holds(used <= limit, string.concat(name, " costs ", vm.toString(used)));
    }

    function _epoch(uint32 site, uint32 number) private view returns (EpochData memory data) {
        data = draftEpoch(site, number, siteClasses(site));
        (data.epoch.header.memberDepth, data.epoch.header.classDepth) = (20, 14);
        plant(data);
    }

    function _case() private returns (Case memory case_) {
        return _case(honestSpec(10, 14, 12));
    }

    function _case(RoundSpec memory spec) private returns (Case memory case_) {
        for (uint32 site = 1; site <= 2; ++site) {
            case_.epochs[site - 1] = _epoch(site, 1);
            postFinal(case_.epochs[site - 1]);
        }
        openRequests();
        closeBook();
        case_.round = postRound(spec);
    }

    function test_Posting_costsTheSameForAnyBatch() public {
        EpochData memory warm = _epoch(2, 1);
        post(warm);
        EpochData memory small = draftEpoch(1, 1, siteClasses(1));
        uint256 snapshot = vm.snapshotState();
        bytes memory call_ = abi.encodeCall(access.postEpoch, (small.epoch.header));
        _measure("postEpoch of 5 members", address(access), siteAccounts[0], call_, POST_LIMIT);
        vm.revertToState(snapshot);
        EpochHeader memory large = _epoch(1, 1).epoch.header;
        large.memberCount = 1_000_000;
        _measure("postEpoch of 1,000,000 members", address(access), siteAccounts[0], abi.encodeCall(access.postEpoch, (large)), POST_LIMIT);
    }

    function test_Round_costs() public {
        Case memory case_;
        for (uint32 site = 1; site <= 2; ++site) {
            case_.epochs[site - 1] = _epoch(site, 1);
            postFinal(case_.epochs[site - 1]);
        }
        vm.prank(researchers[0]);
        matching.openRequest(terms("first", 100, 5));
        bytes memory call_ = abi.encodeCall(matching.openRequest, (terms("one", 100, 5)));
        _measure("openRequest", address(matching), researchers[0], call_, 400_000);
        closeBook();
        case_.round = draftRound(honestSpec(10, 14, 12));
        call_ = abi.encodeCall(matching.commitRound, (case_.round.round.header));
        _measure("commitRound", address(matching), market, call_, POST_LIMIT);
        case_.round.round.posting = Posting(market, uint64(block.timestamp), uint64(block.number));
        roll(3);
        _measure("sealSeed", address(matching), market, abi.encodeCall(matching.sealSeed, (case_.round.round)), POST_LIMIT);
        pass(parameters.roundWindow);
        call_ = abi.encodeCall(matching.finaliseRound, (case_.round.round, REVEAL));
        _measure("finaliseRound", address(matching), market, call_, 150_000);
    }

    function test_RoundChallenges_cost() public {
        RoundSpec memory spec = honestSpec(10, 14, 12);
        spec.prices[1].premium = 29;
        Case memory case_ = _case(spec);
        bytes memory call_ = abi.encodeCall(
            matching.challengePair,
            (
                case_.round.round,
                classEvidence(case_.epochs[0], 1),
                openPrice(case_.round, 1),
                openSurplus(case_.round, 2, 1),
                openX(case_.round, 1, 1)
            )
        );
        _measure("challengePair (E1)", address(matching), challenger, call_, CHALLENGE_LIMIT);
        spec = honestSpec(10, 14, 12);
        spec.attempt = 1;
        spec.prices[2] = PriceLeaf(1, 1, 1, 1);
        (spec.y[0], spec.y[1]) = (2, 4);
        spec.prices[1].supportClass = 0;
        case_.round = postRound(spec);
        uint32 c = spec.classes[3];
        _challenge(
            "challengeClass (E3)",
            abi.encodeCall(
                matching.challengeClass,
                (case_.round.round, classEvidence(case_.epochs[1], 0), openPrice(case_.round, c), openClassRow(case_.round, c))
            )
        );
        _challenge(
            "challengeSymmetry (E7)",
            abi.encodeCall(matching.challengeSymmetry, (case_.round.round, 0, 0, openX(case_.round, 0, 0), openY(case_.round, 0, 0)))
        );
        _challenge(
            "challengeSupport (E8)",
            abi.encodeCall(
                matching.challengeSupport,
                (
                    case_.round.round,
                    classEvidence(case_.epochs[0], 1),
                    openPrice(case_.round, 1),
                    openSurplus(case_.round, 2, 1),
                    openX(case_.round, 1, 1),
                    openRequestRow(case_.round, 1),
                    classEvidence(case_.epochs[0], 0),
                    openPrice(case_.round, 0),
                    openX(case_.round, 0, 1)
                )
            )
        );
        spec = honestSpec(10, 14, 12);
        spec.attempt = 2;
        spec.classes[3] = c + 1;
        spec.surpluses[3].surplus = 1;
        vm.prank(market);
        matching.voidUnsealed(_expired(case_.round).round);
        case_.round = postRound(spec);
        _challenge(
            "challengeRequest",
            abi.encodeCall(matching.challengeRequest, (case_.round.round, openSurplus(case_.round, 4, 3), openRequestRow(case_.round, 3)))
        );
        _challenge(
            "challengePhantom",
            abi.encodeCall(matching.challengePhantom, (case_.round.round, c + 1, 1, openX(case_.round, c + 1, 1), case_.epochs[1].epoch))
        );
    }

    function _expired(RoundData memory round) private returns (RoundData memory) {
        roll(300);
        return round;
    }

    /// Measured, and taken back for the next one.
    function _challenge(string memory name, bytes memory call_) private {
        uint256 snapshot = vm.snapshotState();
        _measure(name, address(matching), challenger, call_, CHALLENGE_LIMIT);
        vm.revertToState(snapshot);
    }

    function test_EpochChallenges_cost() public {
        EpochData memory first = _epoch(1, 1);
        first.classes[1].highWater = 0x21;
        plant(first);
        postFinal(first);
        EpochData memory second = _epoch(1, 2);
        second.members[1].pseudonym = second.members[0].pseudonym;
        second.members[2].previousEpoch = 2;
        second.members[3].localClass = 0;
        second.classes[0].highWater = 0x77;
        plant(second);
        post(second);
        _epochChallenge(
            "challengeClassRange", abi.encodeCall(access.challengeClassRange, (second.epoch, openClass(second, 1), openMember(second, 3)))
        );
        _epochChallenge(
            "challengeDuplicate", abi.encodeCall(access.challengeDuplicate, (second.epoch, openMember(second, 0), openMember(second, 1)))
        );
        _epochChallenge("challengeEpsilonCap", abi.encodeCall(access.challengeEpsilonCap, (second.epoch, openClass(second, 0))));
        _epochChallenge("challengePointer", abi.encodeCall(access.challengePointer, (second.epoch, openMember(second, 2), first.epoch)));
        _epochChallenge(
            "challengeHistory",
            abi.encodeCall(
                access.challengeHistory,
                (second.epoch, openMember(second, 4), openClass(second, 1), first.epoch, openMember(first, 4), openClass(first, 1))
            )
        );
    }

    function _epochChallenge(string memory name, bytes memory call_) private {
        uint256 snapshot = vm.snapshotState();
        _measure(name, address(access), challenger, call_, CHALLENGE_LIMIT);
        vm.revertToState(snapshot);
    }

    function _delivered() private returns (Case memory case_, DeliveryData memory data) {
        case_ = _case();
        finalise(case_.round);
        data = draftDelivery(case_.epochs[0], case_.round, 1, 0);
        data.delivery.header.depth = 17;
    }

    function test_DeliveryChallenges_cost() public {
        (Case memory case_, DeliveryData memory data) = _delivered();
        uint32 member = data.leaves[3].memberPosition;
        DeliveryLeaf[] memory leaves = new DeliveryLeaf[](6);
        for (uint256 i = 0; i < 6; ++i) {
            leaves[i] = data.leaves[i < 5 ? i : 0];
        }
        data.leaves = leaves;
        data.leaves[4].amount = 39;
        data.leaves[3].payoutAddress = address(0xBAD);
        plant(data);
        _revoke(case_, data.leaves[0].memberPosition);
        pass(parameters.revocationGrace);
        bytes memory call_ = abi.encodeCall(evaluation.recordDelivery, (data.delivery.header, receipt(data)));
        _measure("recordDelivery", address(evaluation), siteAccounts[0], call_, POST_LIMIT);
        data.delivery.posting = Posting(siteAccounts[0], uint64(block.timestamp), uint64(block.number));
        SlotEvidence memory evidence = slotEvidence(case_.epochs[0], case_.round, 1, 0);
        _deliveryChallenge("challengeSlot", abi.encodeCall(evaluation.challengeSlot, (data.delivery, openSlot(data, 4), evidence)));
        _deliveryChallenge(
            "challengeExcess",
            abi.encodeCall(
                evaluation.challengeExcess, (data.delivery, openSlot(data, 5), case_.round.round, openSiteRow(case_.round, 0, 1))
            )
        );
        _deliveryChallenge(
            "challengePayee",
            abi.encodeCall(
                evaluation.challengePayee,
                (data.delivery, openSlot(data, 3), evidence, openMember(case_.epochs[0], member), openPayout(case_.epochs[0], member, 0))
            )
        );
        _deliveryChallenge(
            "challengeRevoked",
            abi.encodeCall(
                evaluation.challengeRevoked,
                (data.delivery, openSlot(data, 0), case_.epochs[0].epoch, openMember(case_.epochs[0], data.leaves[0].memberPosition))
            )
        );
    }

    function _revoke(Case memory case_, uint32 member) private {
        Revocation[] memory list = new Revocation[](1);
        list[0].epoch = case_.epochs[0].epoch;
        list[0].member = openMember(case_.epochs[0], member);
        bytes32 structHash =
            keccak256(abi.encode(keccak256("Revocation(uint32 site,bytes32 pseudonym)"), 1, case_.epochs[0].members[member].pseudonym));
        list[0].signature = signed(CONTROLLER_KEY + member, digest(address(access), block.chainid, structHash));
        _measure("revoke", address(access), relayer, abi.encodeCall(access.revoke, (list)), 150_000);
    }

    function _deliveryChallenge(string memory name, bytes memory call_) private {
        uint256 snapshot = vm.snapshotState();
        _measure(name, address(evaluation), challenger, call_, CHALLENGE_LIMIT);
        vm.revertToState(snapshot);
    }

    function test_Claims_cost() public {
        (, DeliveryData memory data) = _delivered();
        data.leaves = new DeliveryLeaf[](64);
        for (uint256 i = 0; i < 64; ++i) {
            data.leaves[i] = DeliveryLeaf({
                localClass: 3,
                memberPosition: uint32(uint256(keccak256(abi.encode(i))) % 1_000_000),
                payoutAddress: payoutAddress(bytes32(i), 0),
                reportHash: keccak256(abi.encode(i)),
                amount: 1,
                effective: 1e9 + uint96(i)
            });
        }
        plant(data);
        postFinal(data);
        token.mint(relayer, 1);
        uint256 snapshot = vm.snapshotState();
        _measure("claim", address(payments), relayer, abi.encodeCall(payments.claim, (data.delivery, openSlot(data, 9))), 160_000);
        vm.revertToState(snapshot);
        bytes memory call_ = abi.encodeCall(payments.claimMany, (data.delivery, 0, data.leaves, Trees.path(data.tree, 6, 0)));
        _measure("claimMany of 64 payees", address(payments), relayer, call_, 64 * CLAIM_LIMIT);
        vm.snapshotValue("gas", "claimMany per payee", vm.lastCallGas().gasTotalUsed / 64);
    }

    /// The baseline: one transfer of the token to a new holder, as a transaction.
    function test_Baseline_tokenTransfer() public {
        bytes memory call_ = abi.encodeCall(token.transfer, (address(0xABCDEF), 1));
        _measure("token transfer to a new holder", address(token), researchers[0], call_, 60_000);
    }
}
