// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "../../contracts/interfaces/ICommitments.sol";
import { Leaves } from "../../contracts/libraries/Leaves.sol";
import "../../contracts/Types.sol";
import { Fuzzing } from "../support/Fuzzing.sol";
import { EpochData, RoundData, RoundSpec } from "../support/World.sol";

/// One test for every external function; a test's name lists the functions that it calls.
/// forge-config: default.fuzz.runs = 64
/// forge-config: long.fuzz.runs = 2000
contract MatchingDecisionFuzzTest is Fuzzing {
    struct Case {
        EpochData[2] epochs;
        RoundData round;
    }

    /// A round with every fault: an overcharge and an unsold premium of class 2, a surplus of a dropped request, sales that differ, an unsupported premium of
    /// class 1, and a class 3 that does not exist.
    function _case() private returns (Case memory case_) {
        case_.epochs = finalEpochs();
        openRequests();
        closeBook();
        case_.round = postRound(_faulty());
    }

    function _faulty() private pure returns (RoundSpec memory spec) {
        spec = honestSpec();
        spec.prices[2] = PriceLeaf(1, 1, 1, 1);
        spec.prices[1].supportClass = 0;
        spec.surpluses[3].surplus = 1;
        (spec.classes, spec.requests) = (_append(spec.classes, 3), _append(spec.requests, 1));
        (spec.x, spec.y) = (_append(spec.x, 1), _append(spec.y, 1));
        (spec.y[0], spec.y[1]) = (2, 4);
    }

    function _append(uint32[] memory list, uint32 last) private pure returns (uint32[] memory longer) {
        longer = new uint32[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = last;
    }

    // ---- challenges -------------------------------------------------------------------------------------------------

    function testFuzz_ChallengePair_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ = abi.encodeCall(
            matching.challengePair,
            (
                case_.round.round,
                classEvidence(case_.epochs[1], 0),
                openPrice(case_.round, 2),
                openSurplus(case_.round, 2, 1),
                openX(case_.round, 2, 1)
            )
        );
        changedWord(challenger, address(matching), call_, seed);
    }

    function testFuzz_ChallengeClass_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ = abi.encodeCall(
            matching.challengeClass,
            (case_.round.round, classEvidence(case_.epochs[1], 0), openPrice(case_.round, 2), openClassRow(case_.round, 2))
        );
        changedWord(challenger, address(matching), call_, seed);
    }

    function testFuzz_ChallengeRequest_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ =
            abi.encodeCall(matching.challengeRequest, (case_.round.round, openSurplus(case_.round, 4, 3), openRequestRow(case_.round, 3)));
        changedWord(challenger, address(matching), call_, seed);
    }

    function testFuzz_ChallengeSymmetry_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ =
            abi.encodeCall(matching.challengeSymmetry, (case_.round.round, 0, 0, openX(case_.round, 0, 0), openY(case_.round, 0, 0)));
        changedWord(challenger, address(matching), call_, seed);
    }

    function testFuzz_ChallengeSupport_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ = abi.encodeCall(
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
        );
        changedWord(challenger, address(matching), call_, seed);
    }

    function testFuzz_ChallengePhantom_changedEvidence_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        bytes memory call_ =
            abi.encodeCall(matching.challengePhantom, (case_.round.round, 3, 1, openX(case_.round, 3, 1), case_.epochs[1].epoch));
        changedWord(challenger, address(matching), call_, seed);
    }

    // ---- data availability ------------------------------------------------------------------------------------------

    function testFuzz_DemandLeaf_DemandOf_anyLeafOfTheTrees_isAccepted(uint8 kind, uint64 position) public {
        Case memory case_ = _case();
        kind = uint8(between(kind, 2, 8));
        position = uint64(between(position, 0, 20));
        uint256 width =
            kind == Leaves.PRICE || kind == Leaves.REQUEST ? 4 : kind == Leaves.SALES_BY_CLASS || kind == Leaves.SALES_BY_REQUEST ? 16 : 0;
        bytes memory call_ = abi.encodeCall(matching.demandLeaf, (case_.round.round, kind, position));
        acceptedIf(position < width, challenger, address(matching), call_, "a leaf of the trees");
        equal(matching.demandOf(case_.round.id, kind, position).demander, position < width ? challenger : address(0), "demander");
    }

    function testFuzz_AnswerPrice_changedOpening_isRefused(uint256 seed, uint8 position) public {
        Case memory case_ = _case();
        position %= 4;
        vm.prank(challenger);
        matching.demandLeaf(case_.round.round, Leaves.PRICE, position);
        changedWord(
            market, address(matching), abi.encodeCall(matching.answerPrice, (case_.round.round, openPrice(case_.round, position))), seed
        );
    }

    function testFuzz_AnswerRequest_changedOpening_isRefused(uint256 seed, uint8 position) public {
        Case memory case_ = _case();
        position %= 4;
        vm.prank(challenger);
        matching.demandLeaf(case_.round.round, Leaves.REQUEST, position);
        bytes memory call_ = abi.encodeCall(matching.answerRequest, (case_.round.round, position, openSurplus(case_.round, 0, position)));
        changedWord(market, address(matching), call_, seed);
    }

    function testFuzz_AnswerSales_changedOpening_isRefused(uint256 seed, uint8 position, bool byClass) public {
        Case memory case_ = _case();
        position %= 16;
        uint8 kind = byClass ? Leaves.SALES_BY_CLASS : Leaves.SALES_BY_REQUEST;
        vm.prank(challenger);
        matching.demandLeaf(case_.round.round, kind, position);
        SalesOpening memory sale = byClass ? openX(case_.round, position / 4, position % 4) : openY(case_.round, position % 4, position / 4);
        changedWord(market, address(matching), abi.encodeCall(matching.answerSales, (case_.round.round, kind, position, sale)), seed);
    }

    function testFuzz_VoidUnanswered_ReclaimDemand_afterHalfAWindow(uint32 after_, uint64 position) public {
        Case memory case_ = _case();
        after_ = uint32(between(after_, 0, parameters.roundWindow));
        position %= 16;
        vm.startPrank(challenger);
        matching.demandLeaf(case_.round.round, Leaves.SALES_BY_CLASS, position);
        matching.demandLeaf(case_.round.round, Leaves.PRICE, 0);
        vm.stopPrank();
        pass(after_);
        bool late = after_ > parameters.roundWindow / 2;
        bytes memory call_ = abi.encodeCall(matching.voidUnanswered, (case_.round.round, Leaves.SALES_BY_CLASS, position));
        onlyAfterHalfAWindow(matching, call_, case_.round.id, Leaves.PRICE, late);
    }

    // ---- requests ---------------------------------------------------------------------------------------------------

    function testFuzz_OpenRequest_RequestOf_RequestCount_BookOf_OpenBook_keepTheTerms(
        uint96 bid,
        uint32 target,
        uint8 purpose,
        uint8 number
    ) public {
        bid = uint96(between(bid, 50, 1e12));
        target = uint32(between(target, 1, 1e6));
        RequestTerms memory terms_;
        number = uint8(between(number, 1, 5));
        for (uint8 i = 0; i < number; ++i) {
            terms_ = terms(vm.toString(i), bid, target);
            terms_.purpose = purpose;
            equal(open(researchers[i % 2], terms_), i + 1, "id");
        }
        equal(matching.requestCount(), number, "count");
        Request memory request = matching.requestOf(number);
        equal(request.researcher, researchers[(number - 1) % 2], "researcher");
        equal(request.bid, bid, "bid");
        equal(request.capacity, target, "capacity");
        equal(request.purpose, purpose, "purpose");
        equal(request.deadline, terms_.deadline, "deadline");
        equal(request.index, number - 1, "index");
        equal(request.firstInBook, 1, "first of the book");
        Book memory book = matching.bookOf(SCHEMA, matching.openBook(SCHEMA));
        equal(book.requestCount, number, "requests");
        equal(book.firstRequest, 1, "first request");
        equal(matching.requestOf(number + 1).researcher, address(0), "no such request");
    }

    function testFuzz_OpenRequest_MinimumLead_deadlinesOutsideTheLead_areRefused(uint40 lead) public {
        lead = uint40(between(lead, 0, 400 days));
        RequestTerms memory terms_ = terms("one", 100, 5);
        terms_.deadline = uint40(block.timestamp + lead);
        bool fits = lead >= matching.minimumLead() && lead <= 366 days;
        acceptedIf(fits, researchers[0], address(matching), abi.encodeCall(matching.openRequest, (terms_)), "lead");
    }

    function testFuzz_OpenRequestWithPermit_changedPermit_isRefused(uint256 seed) public {
        address researcher = vm.addr(0xB0B);
        RequestTerms memory terms_ = terms("permit", 100, 5);
        token.mint(researcher, terms_.budget);
        bytes32 type_ = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(type_, researcher, address(payments), terms_.budget, 0, block.timestamp));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xB0B, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
        bytes memory call_ = abi.encodeCall(matching.openRequestWithPermit, (terms_, block.timestamp, v, r, s));
        // The permit is the last four words; what is asked for is the researcher's own choice.
        changedWord(researcher, address(matching), call_, seed, (call_.length - 4) / 32 - 4, 4);
    }

    function testFuzz_CancelRequest_byItsResearcherWhileTheBookIsOpen(uint8 caller, uint64 requestId, bool closed) public {
        open(researchers[0], terms("one", 100, 5));
        open(researchers[1], terms("two", 60, 4));
        if (closed) closeBook();
        requestId = uint64(between(requestId, 0, 4));
        address sender = researchers[caller % 2];
        bool own = requestId == 1 + caller % 2;
        uint256 before = token.balanceOf(sender);
        acceptedIf(own && !closed, sender, address(matching), abi.encodeCall(matching.cancelRequest, (requestId)), "researcher");
        uint256 budget = requestId == 1 ? 5 * 103 : 4 * 63;
        equal(token.balanceOf(sender) - before, own && !closed ? budget : 0, "refund");
    }

    // ---- rounds -----------------------------------------------------------------------------------------------------

    function testFuzz_CloseBook_byTheMarketOnceAnInterval(address caller, uint32 after_) public {
        after_ = uint32(between(after_, 0, 2 * parameters.bookInterval));
        bytes memory call_ = abi.encodeCall(matching.closeBook, (SCHEMA));
        acceptedIf(false, market, address(matching), call_, "an empty book");
        open(researchers[0], terms("one", 100, 5));
        acceptedIf(caller == market, caller, address(matching), call_, "caller");
        if (caller != market) acceptedIf(true, market, address(matching), call_, "market");
        open(researchers[0], terms("two", 100, 5));
        pass(after_);
        acceptedIf(after_ >= parameters.bookInterval, market, address(matching), call_, "interval");
    }

    function testFuzz_CommitRound_RoundIdOf_CommitmentOf_BatchState_byTheMarketAlone(address caller, uint32 attempt) public {
        openRequests();
        closeBook();
        RoundData memory data = draftRound(honestSpec());
        bytes memory call_ = abi.encodeCall(matching.commitRound, (data.round.header));
        acceptedIf(caller == market, caller, address(matching), call_, "caller");
        equal(matching.commitmentOf(data.id) != 0 ? 1 : 0, caller == market ? 1 : 0, "posted");
        bytes32 id = keccak256(abi.encode(uint8(2), block.chainid, address(matching), SCHEMA, 7, attempt));
        equal(matching.roundIdOf(SCHEMA, 7, attempt), id, "id");
        unknownBatch(matching, id, 3, attempt);
    }

    function testFuzz_SealSeed_VoidUnsealed_SealedBlockHash_withinTheBlocksKept(uint16 blocks, uint256 seed) public {
        Case memory case_ = _case();
        // Three blocks have passed already.
        roll(between(blocks, 0, 400));
        uint256 distance = block.number - case_.round.round.posting.blockNumber;
        bytes memory seal = abi.encodeCall(matching.sealSeed, (case_.round.round));
        bytes memory tooLate = abi.encodeCall(matching.voidUnsealed, (case_.round.round));
        if (distance <= 258) {
            acceptedIf(false, relayer, address(matching), tooLate, "still in time");
            changedWord(relayer, address(matching), seal, seed);
            acceptedIf(true, relayer, address(matching), seal, "in time");
            equal(matching.sealedBlockHash(case_.round.id), blockhash(case_.round.round.posting.blockNumber + 2), "block hash");
        } else {
            acceptedIf(false, relayer, address(matching), seal, "gone");
            changedWord(relayer, address(matching), tooLate, seed);
            acceptedIf(true, relayer, address(matching), tooLate, "never sealed");
            equal(matching.sealedBlockHash(case_.round.id), 0, "no block hash");
        }
    }

    function testFuzz_FinaliseRound_SeedOf_FinalRoundOf_DeliveryTermsOf_changedWord_isRefused(uint256 seed) public {
        Case memory case_ = _case();
        matching.sealSeed(case_.round.round);
        pass(parameters.roundWindow - 1);
        bytes memory call_ = abi.encodeCall(matching.finaliseRound, (case_.round.round, REVEAL));
        acceptedIf(false, relayer, address(matching), call_, "the window is open");
        (bytes32 roundId, uint256 deadline) = matching.deliveryTermsOf(1);
        equal(roundId, 0, "no round yet");
        equal(deadline, matching.requestOf(1).deadline, "deadline");
        pass(1);
        changedWord(relayer, address(matching), call_, seed);
        acceptedIf(true, relayer, address(matching), call_, "reveal");
        equal(matching.seedOf(case_.round.id), keccak256(abi.encodePacked(REVEAL, matching.sealedBlockHash(case_.round.id))), "seed");
        equal(matching.finalRoundOf(SCHEMA, 0), case_.round.id, "final round");
        (roundId,) = matching.deliveryTermsOf(1 + uint64(seed % 4));
        equal(roundId, case_.round.id, "round of every request of the book");
        (roundId,) = matching.deliveryTermsOf(uint64(between(seed, 5, type(uint64).max)));
        equal(roundId, 0, "no such request");
    }

    function testFuzz_VoidUnrevealed_afterTheGrace(uint32 after_, uint256 seed) public {
        Case memory case_ = _case();
        matching.sealSeed(case_.round.round);
        uint256 due = uint256(parameters.roundWindow) + parameters.revealGrace;
        after_ = uint32(between(after_, 0, 2 * due));
        pass(after_);
        bytes memory call_ = abi.encodeCall(matching.voidUnrevealed, (case_.round.round));
        if (after_ > due) changedWord(challenger, address(matching), call_, seed);
        acceptedIf(after_ > due, challenger, address(matching), call_, "grace");
    }
}
