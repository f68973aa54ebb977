// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "../contracts/interfaces/ICommitments.sol";
import { IDataEvaluation } from "../contracts/interfaces/IDataEvaluation.sol";
import { IMatchingDecision } from "../contracts/interfaces/IMatchingDecision.sol";
import { Leaves } from "../contracts/libraries/Leaves.sol";
import { Quality } from "../contracts/libraries/Quality.sol";
import "../contracts/Types.sol";
import { Vm } from "./support/Vm.sol";
import { EpochData, RoundData, RoundSpec, World } from "./support/World.sol";

contract MatchingDecisionTest is World {
    uint256 private constant RESEARCHER_KEY = 0x5EA;

    // ---- requests ---------------------------------------------------------------------------------------------------

    function test_OpenRequest_fundsAndEntersTheBook() public {
        RequestTerms memory terms_ = terms("one", 100, 5);
        vm.expectEmit();
        emit IMatchingDecision.RequestOpened(1, researchers[0], SCHEMA, 0, 0, 5, terms_);
        equal(open(researchers[0], terms_), 1, "id");
        Request memory request = matching.requestOf(1);
        equal(request.capacity, 5, "capacity");
        equal(request.researcher, researchers[0], "researcher");
        equal(token.balanceOf(address(payments)), 6_000_000 + 515, "funded");
        open(researchers[1], terms("one", 100, 5));
        equal(matching.requestOf(2).index, 1, "index");
        equal(matching.bookOf(SCHEMA, 0).requestCount, 2, "count");
        equal(matching.requestCount(), 2, "requests");
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.RequestExists.selector, 1));
        open(researchers[0], terms_);
    }

    function testFuzz_OpenRequest_capacity_isWhatTheBudgetSurelyPays(uint96 bid, uint112 budget, uint32 target, uint32 minimum) public {
        RequestTerms memory terms_ = terms("one", bid, 1);
        (terms_.budget, terms_.targetRecords, terms_.minimumRecords) = (uint112(between(budget, 50, 1e24)), target, minimum);
        uint256 capacity = terms_.budget / (uint256(bid) + 3);
        if (target < capacity) capacity = target;
        if (capacity < (minimum == 0 ? 1 : minimum)) {
            vm.expectPartialRevert(IMatchingDecision.CapacityTooSmall.selector);
            open(researchers[0], terms_);
        } else {
            open(researchers[0], terms_);
            equal(matching.requestOf(1).capacity, capacity, "capacity");
        }
    }

    function test_OpenRequest_whatItRefuses() public {
        RequestTerms memory terms_ = terms("one", 100, 5);
        uint256 lead = matching.minimumLead();
        equal(lead, 1 hours + 2 days + 1 days + 3 days, "lead");
        terms_.deadline = uint40(block.timestamp + lead - 1);
        _refuses(terms_, IMatchingDecision.DeadlineTooEarly.selector);
        terms_.deadline = uint40(block.timestamp + 366 days + 1);
        _refuses(terms_, IMatchingDecision.DeadlineTooLate.selector);
        terms_.deadline = uint40(block.timestamp + lead);
        terms_.budget = 49;
        _refuses(terms_, IMatchingDecision.BudgetTooSmall.selector);
        terms_.budget = 102;
        _refuses(terms_, IMatchingDecision.CapacityTooSmall.selector);
        terms_.budget = 515;
        terms_.minimumRecords = 6;
        _refuses(terms_, IMatchingDecision.CapacityTooSmall.selector);
        terms_.minimumRecords = 5;
        terms_.schemaId = bytes32(uint256(1));
        _refuses(terms_, IDataEvaluation.UnknownSchema.selector);
        terms_.schemaId = SCHEMA;
        uint256[2][6] memory grades =
            [[uint256(0), 0], [uint256(3), 2], [uint256(0), 3], [uint256(4), 4], [uint256(0x103), 0x103], [uint256(0x13), 0x03]];
        for (uint256 i = 0; i < grades.length; ++i) {
            (terms_.minimumGrades, terms_.topGrades) = (grades[i][0], grades[i][1]);
            _refuses(terms_, Quality.GradesOutOfRange.selector);
        }
        (terms_.minimumGrades, terms_.topGrades) = (3, 3);
        vm.prank(consortium);
        access.setPaused(true);
        _refuses(terms_, IMatchingDecision.RequestsPaused.selector);
        vm.prank(consortium);
        access.setPaused(false);
        open(researchers[0], terms_);
    }

    function _refuses(RequestTerms memory terms_, bytes4 error_) private {
        vm.prank(researchers[0]);
        refused(address(matching), abi.encodeCall(matching.openRequest, (terms_)), error_, "terms");
    }

    function _permit(address owner, uint256 value, uint256 deadline) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 type_ = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(type_, owner, address(payments), value, token.nonces(owner), deadline));
        return vm.sign(RESEARCHER_KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
    }

    function test_OpenRequestWithPermit_needsNoApproval_andSurvivesAFrontRunner() public {
        address owner = vm.addr(RESEARCHER_KEY);
        token.mint(owner, 2000);
        (uint8 v, bytes32 r, bytes32 s) = _permit(owner, 515, block.timestamp);
        vm.prank(owner);
        equal(matching.openRequestWithPermit(terms("one", 100, 5), block.timestamp, v, r, s), 1, "id");
        (v, r, s) = _permit(owner, 515, block.timestamp);
        token.permit(owner, address(payments), 515, block.timestamp, v, r, s);
        vm.prank(owner);
        equal(matching.openRequestWithPermit(terms("two", 100, 5), block.timestamp, v, r, s), 2, "the permit was used already");
        equal(token.balanceOf(owner), 2000 - 2 * 515, "paid");
        vm.prank(owner);
        vm.expectRevert();
        matching.openRequestWithPermit(terms("three", 100, 5), block.timestamp, v, r, s);
    }

    function test_CancelRequest_paysBackAndKeepsTheIndex() public {
        uint256 before = token.balanceOf(researchers[0]);
        open(researchers[0], terms("one", 100, 5));
        vm.expectRevert(abi.encodeWithSelector(ICommitments.Unauthorised.selector, address(this)));
        matching.cancelRequest(1);
        vm.expectEmit();
        emit IMatchingDecision.RequestCancelled(1);
        vm.prank(researchers[0]);
        matching.cancelRequest(1);
        equal(token.balanceOf(researchers[0]), before, "paid back");
        vm.prank(researchers[0]);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.AlreadyCancelled.selector, 1));
        matching.cancelRequest(1);
        open(researchers[0], terms("two", 100, 5));
        equal(matching.requestOf(2).index, 1, "index");
        closeBook();
        vm.prank(researchers[0]);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.BookIsClosed.selector, 2));
        matching.cancelRequest(2);
    }

    // ---- rounds -----------------------------------------------------------------------------------------------------

    function test_CloseBook_byTheMarketOncePerInterval() public {
        vm.expectPartialRevert(ICommitments.Unauthorised.selector);
        matching.closeBook(SCHEMA);
        vm.startPrank(market);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.BookEmpty.selector, SCHEMA, 0));
        matching.closeBook(SCHEMA);
        vm.stopPrank();
        open(researchers[0], terms("one", 100, 5));
        vm.expectEmit();
        emit IMatchingDecision.BookClosed(SCHEMA, 0, 1, uint64(block.timestamp), uint64(block.number));
        closeBook();
        equal(matching.openBook(SCHEMA), 1, "next");
        open(researchers[0], terms("two", 100, 5));
        equal(matching.requestOf(2).book, 1, "book");
        pass(parameters.bookInterval - 1);
        vm.prank(market);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.BookOpenUntil.selector, SCHEMA, block.timestamp + 1));
        matching.closeBook(SCHEMA);
        pass(1);
        closeBook();
    }

    function _ready() private returns (EpochData[2] memory epochs) {
        epochs = finalEpochs();
        openRequests();
        closeBook();
    }

    function test_CommitRound_whatItRefuses() public {
        finalEpochs();
        openRequests();
        RoundData memory data = draftRound(honestSpec());
        RoundHeader memory header = data.round.header;
        vm.expectPartialRevert(ICommitments.Unauthorised.selector);
        matching.commitRound(header);
        vm.startPrank(market);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.BookNotClosed.selector, SCHEMA, 0));
        matching.commitRound(header);
        matching.closeBook(SCHEMA);
        vm.stopPrank();
        header.siteBits = 0;
        _invalid(header, "siteBits");
        header.siteBits = 11;
        _invalid(header, "siteBits");
        header.siteBits = 1;
        header.classBits = 0;
        _invalid(header, "classBits");
        header.classBits = 15;
        _invalid(header, "classBits");
        header.classBits = 1;
        header.requestBits = 1;
        _invalid(header, "requestBits");
        header.requestBits = 33;
        _invalid(header, "requestBits");
        header.requestBits = 2;
        header.attempt = 1;
        vm.prank(market);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.PreviousAttemptStands.selector, data.id));
        matching.commitRound(header);
        header.attempt = 0;
        uint256 before = payments.balanceOf(market);
        vm.expectEmit();
        emit IMatchingDecision.RoundCommitted(data.id, SCHEMA, 0, header, market);
        post(data);
        equal(before - payments.balanceOf(market), parameters.roundBond, "bond");
        equal(matching.commitmentOf(data.id), keccak256(abi.encode(data.round)), "commitment");
        vm.prank(market);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.BatchExists.selector, data.id));
        matching.commitRound(header);
    }

    function _invalid(RoundHeader memory header, string memory field) private {
        vm.prank(market);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.InvalidHeader.selector, field));
        matching.commitRound(header);
    }

    function testFuzz_CommitRound_anyHeaderInRange_isPosted(RoundHeader memory header) public {
        _ready();
        (header.schemaId, header.ordinal, header.attempt) = (SCHEMA, 0, 0);
        header.siteBits = uint8(between(header.siteBits, 1, 10));
        header.classBits = uint8(between(header.classBits, 1, 14));
        header.requestBits = uint8(between(header.requestBits, 2, 32));
        vm.prank(market);
        bytes32 id = matching.commitRound(header);
        equal(matching.commitmentOf(id), keccak256(abi.encode(header, market, block.timestamp, block.number)), "commitment");
    }

    function test_SealSeed_storesTheHashOfTheSecondBlock_once() public {
        _ready();
        RoundData memory data = draftRound(honestSpec());
        vm.prank(market);
        matching.commitRound(data.round.header);
        data.round.posting = Posting(market, uint64(block.timestamp), uint64(block.number));
        uint256 seedBlock = block.number + 2;
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.SeedBlockPending.selector, seedBlock));
            matching.sealSeed(data.round);
            roll(1);
        }
        vm.expectEmit();
        emit IMatchingDecision.SeedSealed(data.id, blockhash(seedBlock));
        matching.sealSeed(data.round);
        equal(matching.sealedBlockHash(data.id), blockhash(seedBlock), "hash");
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.SeedAlreadySealed.selector, data.id));
        matching.sealSeed(data.round);
        roll(1000);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.SeedAlreadySealed.selector, data.id));
        matching.voidUnsealed(data.round);
    }

    function test_VoidUnsealed_onceTheHashIsGone() public {
        _ready();
        RoundData memory data = postRound(honestSpec());
        vm.roll(data.round.posting.blockNumber + 2 + 256);
        vm.expectPartialRevert(IMatchingDecision.SeedBlockPending.selector);
        matching.voidUnsealed(data.round);
        uint256 snapshot = vm.snapshotState();
        matching.sealSeed(data.round);
        vm.revertToState(snapshot);
        roll(1);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.SeedBlockGone.selector, data.round.posting.blockNumber + 2));
        matching.sealSeed(data.round);
        vm.prank(challenger);
        matching.voidUnsealed(data.round);
        isVoid(matching, data.id, "unsealed");
        RoundSpec memory again = honestSpec();
        again.attempt = 1;
        RoundData memory next = postRound(again);
        finalise(next);
        equal(matching.finalRoundOf(SCHEMA, 0), next.id, "second attempt");
    }

    function test_FinaliseRound_fixesTheSeed() public {
        _ready();
        RoundData memory data = postRound(honestSpec());
        uint256 before = payments.balanceOf(market);
        vm.expectRevert(abi.encodeWithSelector(IMatchingDecision.SeedNotSealedYet.selector, data.id));
        matching.finaliseRound(data.round, REVEAL);
        matching.sealSeed(data.round);
        vm.expectPartialRevert(ICommitments.WindowOpen.selector);
        matching.finaliseRound(data.round, REVEAL);
        pass(parameters.roundWindow);
        vm.expectPartialRevert(IMatchingDecision.WrongReveal.selector);
        matching.finaliseRound(data.round, keccak256("another"));
        bytes32 seed = keccak256(abi.encodePacked(REVEAL, matching.sealedBlockHash(data.id)));
        vm.expectEmit();
        emit IMatchingDecision.SeedRevealed(data.id, seed);
        matching.finaliseRound(data.round, REVEAL);
        equal(matching.seedOf(data.id), seed, "seed");
        equal(payments.balanceOf(market) - before, parameters.roundBond, "bond");
        (bytes32 roundId, uint40 deadline) = matching.deliveryTermsOf(1);
        equal(roundId, data.id, "round");
        equal(deadline, matching.requestOf(1).deadline, "deadline");
        vm.expectPartialRevert(ICommitments.NotPosted.selector);
        matching.voidUnrevealed(data.round);
    }

    function test_VoidUnrevealed_afterTheGrace() public {
        _ready();
        RoundData memory data = postRound(honestSpec());
        matching.sealSeed(data.round);
        pass(parameters.roundWindow + parameters.revealGrace);
        vm.expectPartialRevert(ICommitments.WindowOpen.selector);
        matching.voidUnrevealed(data.round);
        pass(1);
        uint256 before = payments.balanceOf(challenger);
        vm.prank(challenger);
        matching.voidUnrevealed(data.round);
        isVoid(matching, data.id, "unrevealed");
        equal(payments.balanceOf(challenger) - before, parameters.roundBond / 2, "reward");
    }

    // ---- challenges: the honest round -------------------------------------------------------------------------------

    struct Case {
        EpochData[2] epochs;
        RoundData round;
    }

    function _case(RoundSpec memory spec) private returns (Case memory case_) {
        case_.epochs = _ready();
        case_.round = postRound(spec);
    }

    /// Classes by number: A = 0, B = 1 of site 1, C = 2 of site 2.
    function _class(Case memory case_, uint256 number) private pure returns (ClassEvidence memory) {
        return number < 2 ? classEvidence(case_.epochs[0], number) : classEvidence(case_.epochs[1], 0);
    }

    function _pair(Case memory case_, uint32 class_, uint32 request) private view returns (bytes memory) {
        return abi.encodeCall(
            matching.challengePair,
            (
                case_.round.round,
                _class(case_, class_),
                openPrice(case_.round, class_),
                openSurplus(case_.round, request + 1, request),
                openX(case_.round, class_, request)
            )
        );
    }

    function _totals(Case memory case_, uint32 class_) private view returns (bytes memory) {
        return abi.encodeCall(
            matching.challengeClass,
            (case_.round.round, _class(case_, class_), openPrice(case_.round, class_), openClassRow(case_.round, class_))
        );
    }

    function _filled(Case memory case_, uint32 request) private view returns (bytes memory) {
        return abi.encodeCall(
            matching.challengeRequest,
            (case_.round.round, openSurplus(case_.round, request + 1, request), openRequestRow(case_.round, request))
        );
    }

    function _symmetry(Case memory case_, uint32 class_, uint32 request) private view returns (bytes memory) {
        return abi.encodeCall(
            matching.challengeSymmetry,
            (case_.round.round, class_, request, openX(case_.round, class_, request), openY(case_.round, class_, request))
        );
    }

    function _support(Case memory case_, uint32 class_, uint32 request, uint32 supportClass) private view returns (bytes memory) {
        return abi.encodeCall(
            matching.challengeSupport,
            (
                case_.round.round,
                _class(case_, class_),
                openPrice(case_.round, class_),
                openSurplus(case_.round, request + 1, request),
                openX(case_.round, class_, request),
                openRequestRow(case_.round, request),
                _class(case_, supportClass),
                openPrice(case_.round, supportClass),
                openX(case_.round, supportClass, request)
            )
        );
    }

    function _phantom(Case memory case_, uint32 class_, uint32 request, Epoch memory epoch) private view returns (bytes memory) {
        return abi.encodeCall(matching.challengePhantom, (case_.round.round, class_, request, openX(case_.round, class_, request), epoch));
    }

    function _noFault(bytes memory call_, string memory what) private {
        refused(address(matching), call_, ICommitments.NoFault.selector, what);
    }

    /// The call proves this fault, and no call that differs from it in one word is accepted.
    function _proves(Case memory case_, bytes memory call_, ICommitments.Fault fault, uint256 unread) private {
        uint256 before = payments.balanceOf(challenger);
        vm.recordLogs();
        vm.startPrank(challenger);
        everyWordMatters(address(matching), call_, unread, "challenge");
        vm.stopPrank();
        isVoid(matching, case_.round.id, "round");
        equal(payments.balanceOf(challenger) - before, parameters.roundBond / 2, "reward");
        _lastFault(fault);
    }

    function _lastFault(ICommitments.Fault fault) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 last = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == ICommitments.BatchVoided.selector) last = uint256(logs[i].topics[2]);
        }
        equal(last, uint256(fault), "fault");
    }

    function test_Challenges_ofAnHonestRound_allFail() public {
        Case memory case_ = _case(honestSpec());
        for (uint32 class_ = 0; class_ < 3; ++class_) {
            for (uint32 request = 0; request < 4; ++request) {
                _noFault(_pair(case_, class_, request), "pair");
                _noFault(_symmetry(case_, class_, request), "symmetry");
                _noFault(_phantom(case_, class_, request, case_.epochs[class_ < 2 ? 0 : 1].epoch), "phantom");
            }
            _noFault(_totals(case_, class_), "class");
        }
        for (uint32 request = 0; request < 4; ++request) {
            _noFault(_filled(case_, request), "request");
        }
        _noFault(_support(case_, 1, 1, 2), "support");
        _noFault(_support(case_, 0, 1, 2), "no premium, no support needed");
        finalise(case_.round);
        refused(address(matching), _pair(case_, 0, 0), ICommitments.NotPosted.selector, "after finality");
    }

    // ---- challenges: one fault each ---------------------------------------------------------------------------------

    function test_E1_blockingPair_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].premium = 29;
        Case memory case_ = _case(spec);
        _noFault(_pair(case_, 1, 0), "sold out to the first request");
        _proves(case_, _pair(case_, 1, 1), ICommitments.Fault.BlockingPair, 0);
    }

    function test_E2_overcharge_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.surpluses[1].surplus = 21;
        Case memory case_ = _case(spec);
        _noFault(_pair(case_, 0, 1), "a pair with something to spare");
        _proves(case_, _pair(case_, 2, 1), ICommitments.Fault.Overcharge, 0);
    }

    function test_E3_premiumThoughUnsold_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[2] = PriceLeaf(1, 1, 1, 1);
        Case memory case_ = _case(spec);
        _noFault(_totals(case_, 1), "sold out");
        _proves(case_, _totals(case_, 2), ICommitments.Fault.UnsoldPremium, 0);
    }

    function test_E4_surplusThoughUnfilled_voids() public {
        RoundSpec memory spec = honestSpec();
        (spec.x[2], spec.y[2]) = (1, 1);
        Case memory case_ = _case(spec);
        _noFault(_filled(case_, 1), "filled");
        _proves(case_, _filled(case_, 0), ICommitments.Fault.UnfilledSurplus, 0);
    }

    function test_E4_surplusOfACancelledRequest_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.surpluses[2].surplus = 1;
        Case memory case_ = _case(spec);
        _proves(case_, _filled(case_, 2), ICommitments.Fault.UnfilledSurplus, 0);
    }

    function test_E5_moreThanAClassHasToOneRequest_voids() public {
        RoundSpec memory spec = honestSpec();
        (spec.x[0], spec.y[0], spec.x[1], spec.y[1]) = (4, 4, 2, 2);
        Case memory case_ = _case(spec);
        _proves(case_, _pair(case_, 0, 0), ICommitments.Fault.QuantityExceeded, 0);
    }

    function test_E5_moreThanTheQuota_voids() public {
        RoundSpec memory spec = honestSpec();
        (spec.x[2], spec.y[2]) = (3, 3);
        Case memory case_ = _case(spec);
        _proves(case_, _totals(case_, 1), ICommitments.Fault.QuantityExceeded, 0);
    }

    function test_E5_moreThanTheRequestPaysFor_voids() public {
        RoundSpec memory spec = honestSpec();
        (spec.x[3], spec.y[3]) = (2, 2);
        Case memory case_ = _case(spec);
        _proves(case_, _filled(case_, 1), ICommitments.Fault.QuantityExceeded, 0);
    }

    /// Sold to the cancelled request, to the dropped one, and outside purpose, expiry, cell and grade.
    function test_E6_inadmissibleSale_voids() public {
        RoundSpec memory spec = honestSpec();
        (spec.classes[3], spec.requests[3]) = (2, 2);
        Case memory case_ = _case(spec);
        _proves(case_, _pair(case_, 2, 2), ICommitments.Fault.Inadmissible, 0);
    }

    function test_E6_soldToADroppedRequest_voids() public {
        RoundSpec memory spec = honestSpec();
        (spec.classes[3], spec.requests[3]) = (2, 3);
        Case memory case_ = _case(spec);
        _proves(case_, _pair(case_, 2, 3), ICommitments.Fault.Inadmissible, 0);
    }

    function testFuzz_E6_everyTermOfAPolicy_isEnforced(uint8 which) public {
        uint256 kind = which % 5;
        ClassLeaf[] memory classes = siteClasses(1);
        if (kind == 0) classes[0].purposes = ~uint256(1 << 2);
        else if (kind == 1) classes[0].expiresAt = uint64(block.timestamp + 30 days);
        else if (kind == 2) classes[0].ceilings = 0x32;
        else if (kind == 3) classes[0].publicCell = keccak256("age=50-59");
        else classes[0].ceilings = 0x30;
        Case memory case_;
        case_.epochs[0] = draftEpoch(1, 1, classes);
        postFinal(case_.epochs[0]);
        case_.epochs[1] = draftEpoch(2, 1, siteClasses(2));
        postFinal(case_.epochs[1]);
        RequestTerms memory terms_ = terms("one", 100, 5);
        terms_.publicCell = keccak256("age=40-49");
        open(researchers[0], terms_);
        closeBook();
        RoundSpec memory spec = honestSpec();
        spec.surpluses[1] = RequestLeaf(0, false);
        spec.surpluses[3].dropped = false;
        case_.round = postRound(spec);
        (bool done,) = address(matching).call(_pair(case_, 0, 0));
        holds(done, "accepted");
        isVoid(matching, case_.round.id, "round");
    }

    function test_E7_treesThatDiffer_voids() public {
        RoundSpec memory spec = honestSpec();
        (spec.y[0], spec.y[1]) = (2, 4);
        Case memory case_ = _case(spec);
        _noFault(_symmetry(case_, 1, 0), "an equal pair");
        refused(
            address(matching),
            abi.encodeCall(matching.challengeSymmetry, (case_.round.round, 0, 4, openX(case_.round, 0, 0), openY(case_.round, 0, 0))),
            ICommitments.Unrelated.selector,
            "a column beyond its bits"
        );
        // The positions decide which leaves are compared; with the other one the openings are refused.
        _proves(case_, _symmetry(case_, 0, 0), ICommitments.Fault.SalesDiffer, 0);
    }

    function test_Dropping_withoutAMinimum_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.surpluses[1] = RequestLeaf(0, true);
        Case memory case_ = _case(spec);
        _proves(case_, _filled(case_, 1), ICommitments.Fault.Dropping, 0);
    }

    function test_Dropping_withASurplusOrSales_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.surpluses[3].surplus = 1;
        Case memory case_ = _case(spec);
        _proves(case_, _filled(case_, 3), ICommitments.Fault.Dropping, 0);

        spec = honestSpec();
        (spec.attempt, spec.requests[3]) = (1, 3);
        case_.round = postRound(spec);
        _proves(case_, _filled(case_, 3), ICommitments.Fault.Dropping, 0);
    }

    function test_Dropping_keptBelowTheMinimum_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.surpluses[3].dropped = false;
        Case memory case_ = _case(spec);
        _proves(case_, _filled(case_, 3), ICommitments.Fault.Dropping, 0);
    }

    // ---- E8 ---------------------------------------------------------------------------------------------------------

    /// The price of class 1 is unsupported by its first half alone: the request's row and all of the support class are not read, every other word is.
    function _provesNotTight(Case memory case_, uint32 request) private {
        uint256 unread = words(abi.encode(openRequestRow(case_.round, request))) + words(abi.encode(_class(case_, 2)))
            + words(abi.encode(openPrice(case_.round, 2))) + words(abi.encode(openX(case_.round, 2, request)));
        _proves(case_, _support(case_, 1, request, 2), ICommitments.Fault.UnsupportedPremium, unread);
    }

    function test_E8_supportOutsideTheBook_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].supportRequest = 4;
        Case memory case_ = _case(spec);
        refused(address(matching), _support(case_, 0, 1, 2), ICommitments.NoFault.selector, "no premium");
        PriceOpening memory price = openPrice(case_.round, 1);
        price.leaf = PriceLeaf(30, 5, 2, 1);
        refused(address(matching), _outsideTheBook(case_, price), "a forged price");
        price = openPrice(case_.round, 1);
        // All but the round and the price is empty: 7 arguments, and the words of their empty structs.
        ClassEvidence memory class_;
        RequestOpening memory request;
        SalesOpening memory sale;
        RowOpening memory row;
        uint256 unread = 2 * words(abi.encode(class_)) + words(abi.encode(request)) + 2 * words(abi.encode(sale)) + words(abi.encode(row));
        unread += words(abi.encode(price));
        _proves(case_, _outsideTheBook(case_, price), ICommitments.Fault.UnsupportedPremium, unread);
    }

    function _outsideTheBook(Case memory case_, PriceOpening memory price) private view returns (bytes memory) {
        ClassEvidence memory class_;
        RequestOpening memory request;
        SalesOpening memory sale;
        RowOpening memory row;
        return abi.encodeCall(matching.challengeSupport, (case_.round.round, class_, price, request, sale, row, class_, price, sale));
    }

    function test_E8_supportThatIsNotTight_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].premium = 31;
        _provesNotTight(_case(spec), 1);
    }

    function test_E8_supportSoldOut_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].supportRequest = 0;
        _provesNotTight(_case(spec), 0);
    }

    function test_E8_supportDroppedOrCancelled_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].supportRequest = 3;
        Case memory case_ = _case(spec);
        _provesNotTight(case_, 3);
        spec = honestSpec();
        (spec.attempt, spec.prices[1].supportRequest) = (1, 2);
        case_.round = postRound(spec);
        _provesNotTight(case_, 2);
    }

    function test_E8_unfilledSupport_holds() public {
        RoundSpec memory spec = honestSpec();
        (spec.x[3], spec.y[3]) = (0, 0);
        Case memory case_ = _case(spec);
        _noFault(_support(case_, 1, 1, 2), "its v cannot rise while it is unfilled");
    }

    function test_E8_supportClassThatSellsNothing_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].supportClass = 1;
        Case memory case_ = _case(spec);
        uint256 unread = words(abi.encode(_class(case_, 1))) + words(abi.encode(openPrice(case_.round, 1)));
        _proves(case_, _support(case_, 1, 1, 1), ICommitments.Fault.UnsupportedPremium, unread);
    }

    function test_E8_supportClassOutsideTheTree_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].supportClass = 4;
        Case memory case_ = _case(spec);
        uint256 unread = words(abi.encode(_class(case_, 2))) + words(abi.encode(openPrice(case_.round, 2)))
            + words(abi.encode(openX(case_.round, 2, 1)));
        _proves(case_, _support(case_, 1, 1, 2), ICommitments.Fault.UnsupportedPremium, unread);
    }

    function test_E8_supportClassThatIsNotTight_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].supportClass = 0;
        Case memory case_ = _case(spec);
        _proves(case_, _support(case_, 1, 1, 0), ICommitments.Fault.UnsupportedPremium, 0);
    }

    /// A circle of premiums that hold each other up is no support: ranks must fall.
    function test_E8_ranksThatDoNotFall_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].premium = 35;
        spec.prices[2] = PriceLeaf(5, 1, 1, 1);
        spec.surpluses[1].surplus = 15;
        Case memory case_ = _case(spec);
        _proves(case_, _support(case_, 1, 1, 2), ICommitments.Fault.UnsupportedPremium, 0);
        spec = honestSpec();
        spec.attempt = 1;
        spec.prices[1].premium = 35;
        spec.prices[2] = PriceLeaf(5, 1, 1, 0);
        spec.surpluses[1].surplus = 15;
        case_.round = postRound(spec);
        _noFault(_support(case_, 1, 1, 2), "a lower rank");
    }

    function test_E8_evidenceOfAnotherClassOrRequest_isRefused() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].supportClass = 0;
        Case memory case_ = _case(spec);
        refused(address(matching), _support(case_, 1, 0, 0), ICommitments.Unrelated.selector, "not the support request");
        ClassEvidence memory other = _class(case_, 2);
        bytes memory call_ = abi.encodeCall(
            matching.challengeSupport,
            (
                case_.round.round,
                _class(case_, 1),
                openPrice(case_.round, 1),
                openSurplus(case_.round, 2, 1),
                openX(case_.round, 1, 1),
                openRequestRow(case_.round, 1),
                other,
                openPrice(case_.round, 2),
                openX(case_.round, 0, 1)
            )
        );
        refused(address(matching), call_, ICommitments.Unrelated.selector, "not the support class");
    }

    // ---- phantoms ---------------------------------------------------------------------------------------------------

    function test_Phantom_classBeyondTheEpoch_voids() public {
        RoundSpec memory spec = honestSpec();
        spec.classes[3] = 3;
        Case memory case_ = _case(spec);
        refused(
            address(matching), _phantom(case_, 3, 1, case_.epochs[0].epoch), ICommitments.Unrelated.selector, "the epoch of another site"
        );
        _proves(case_, _phantom(case_, 3, 1, case_.epochs[1].epoch), ICommitments.Fault.Phantom, 0);
    }

    function test_Phantom_requestBeyondTheBook_voids() public {
        RoundSpec memory spec = honestSpec(1, 1, 3);
        spec.requests[3] = 4;
        Case memory case_ = _case(spec);
        Epoch memory none;
        _proves(case_, _phantom(case_, 2, 4, none), ICommitments.Fault.Phantom, words(abi.encode(none)));
    }

    function test_Phantom_siteWithoutEpoch_voids() public {
        RoundSpec memory spec = honestSpec(2, 1, 2);
        spec.classes[3] = 6;
        Case memory case_ = _case(spec);
        Epoch memory none;
        _proves(case_, _phantom(case_, 6, 1, none), ICommitments.Fault.Phantom, words(abi.encode(none)));
    }

    // ---- evidence ---------------------------------------------------------------------------------------------------

    function test_Challenge_withForeignEvidence_isRefused() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].premium = 29;
        Case memory case_ = _case(spec);
        bytes4 unrelated = ICommitments.Unrelated.selector;
        bytes memory call_ = abi.encodeCall(
            matching.challengePair,
            (case_.round.round, _class(case_, 1), openPrice(case_.round, 0), openSurplus(case_.round, 2, 1), openX(case_.round, 1, 1))
        );
        refused(address(matching), call_, unrelated, "the price of another class");
        call_ = abi.encodeCall(
            matching.challengePair,
            (case_.round.round, _class(case_, 1), openPrice(case_.round, 1), openSurplus(case_.round, 9, 1), openX(case_.round, 1, 1))
        );
        refused(address(matching), call_, IMatchingDecision.UnknownRequest.selector, "no such request");
        pass(parameters.bookInterval);
        open(researchers[0], terms("later", 60, 4));
        call_ = abi.encodeCall(
            matching.challengePair,
            (case_.round.round, _class(case_, 1), openPrice(case_.round, 1), openSurplus(case_.round, 5, 1), openX(case_.round, 1, 1))
        );
        refused(address(matching), call_, unrelated, "a request of the next book");
        vm.prank(consortium);
        publishSchema(keccak256("other"));
        case_.epochs[0].epoch.header.schemaId = keccak256("other");
        refused(address(matching), _pair(case_, 1, 1), unrelated, "another schema");
        case_.epochs[0].epoch.header.schemaId = SCHEMA;
        case_.epochs[0].epoch.header.dataHash = 0;
        refused(address(matching), _pair(case_, 1, 1), ICommitments.UnknownBatch.selector, "another epoch header");
    }

    /// Epochs that became final after the book closed do not count.
    function test_Challenge_withALaterEpoch_isRefused() public {
        RoundSpec memory spec = honestSpec();
        spec.prices[1].premium = 29;
        Case memory case_ = _case(spec);
        roll(1);
        case_.epochs[0] = draftEpoch(1, 2, siteClasses(1));
        postFinal(case_.epochs[0]);
        vm.expectPartialRevert(bytes4(keccak256("NotCurrentEpoch(uint32,bytes32,uint32,uint256)")));
        matching.challengePair(
            case_.round.round, _class(case_, 1), openPrice(case_.round, 1), openSurplus(case_.round, 2, 1), openX(case_.round, 1, 1)
        );
    }

    /// A class index beyond the round's bits would land on another class's position.
    function test_Challenge_withAClassBeyondTheBits_isRefused() public {
        ClassLeaf[] memory classes = new ClassLeaf[](1);
        classes[0] = classLeaf(4, 1, 20);
        Case memory case_;
        case_.epochs[0] = draftEpoch(1, 1, classes);
        postFinal(case_.epochs[0]);
        openRequests();
        closeBook();
        RoundSpec memory spec = honestSpec(1, 0, 2);
        spec.classes[2] = 1;
        case_.round = postRound(spec);
        refused(
            address(matching),
            abi.encodeCall(
                matching.challengePair,
                (
                    case_.round.round,
                    classEvidence(case_.epochs[0], 1),
                    openPrice(case_.round, 1),
                    openSurplus(case_.round, 1, 0),
                    openX(case_.round, 1, 0)
                )
            ),
            ICommitments.Unrelated.selector,
            "class 1 in a round of one class per site"
        );
    }

    // ---- data availability ------------------------------------------------------------------------------------------

    function test_DemandLeaf_ofEveryTree_isAnswered() public {
        Case memory case_ = _case(honestSpec());
        RoundData memory data = case_.round;
        vm.startPrank(challenger);
        matching.demandLeaf(data.round, Leaves.PRICE, 1);
        matching.demandLeaf(data.round, Leaves.REQUEST, 1);
        matching.demandLeaf(data.round, Leaves.SALES_BY_CLASS, 0);
        matching.demandLeaf(data.round, Leaves.SALES_BY_REQUEST, 15);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.UnknownKind.selector, 7));
        matching.demandLeaf(data.round, Leaves.DELIVERY, 0);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.PositionOutOfRange.selector, 16, 16));
        matching.demandLeaf(data.round, Leaves.SALES_BY_CLASS, 16);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.PositionOutOfRange.selector, 4, 4));
        matching.demandLeaf(data.round, Leaves.REQUEST, 4);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.PositionOutOfRange.selector, 4, 4));
        matching.demandLeaf(data.round, Leaves.PRICE, 4);
        vm.stopPrank();
        uint256 before = payments.balanceOf(market);
        vm.startPrank(market);
        matching.answerPrice(data.round, openPrice(data, 1));
        matching.answerRequest(data.round, 1, openSurplus(data, 0, 1));
        SalesOpening memory sale = openX(data, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ICommitments.UnknownKind.selector, 7));
        matching.answerSales(data.round, 7, 0, sale);
        vm.expectRevert();
        matching.answerSales(data.round, Leaves.SALES_BY_REQUEST, 15, sale);
        matching.answerSales(data.round, Leaves.SALES_BY_CLASS, 0, sale);
        matching.answerSales(data.round, Leaves.SALES_BY_REQUEST, 15, openY(data, 3, 3));
        vm.stopPrank();
        equal(payments.balanceOf(market) - before, 4 * uint256(parameters.demandDeposit), "deposits");
        finalise(data);
    }

    function test_DemandLeaf_unanswered_voidsTheRound() public {
        Case memory case_ = _case(honestSpec());
        vm.prank(challenger);
        matching.demandLeaf(case_.round.round, Leaves.PRICE, 1);
        pass(parameters.roundWindow / 2 + 1);
        matching.voidUnanswered(case_.round.round, Leaves.PRICE, 1);
        isVoid(matching, case_.round.id, "withheld");
    }
}
