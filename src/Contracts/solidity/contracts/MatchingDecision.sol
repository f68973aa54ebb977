// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { IERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import { Commitments } from "./Commitments.sol";
import { IDataEvaluation } from "./interfaces/IDataEvaluation.sol";
import { IDynamicAccessControl } from "./interfaces/IDynamicAccessControl.sol";
import { IMatchingDecision } from "./interfaces/IMatchingDecision.sol";
import { Epochs } from "./libraries/Epochs.sol";
import { Identifiers } from "./libraries/Identifiers.sol";
import { Leaves } from "./libraries/Leaves.sol";
import { Purposes } from "./libraries/Purposes.sol";
import { Quality } from "./libraries/Quality.sol";
import { Rounds } from "./libraries/Rounds.sol";
import {
    Book,
    ClassEvidence,
    ClassLeaf,
    Contracts,
    Epoch,
    Parameters,
    PriceLeaf,
    PriceOpening,
    Request,
    RequestLeaf,
    RequestOpening,
    RequestTerms,
    Round,
    RoundHeader,
    RowOpening,
    SalesOpening
} from "./Types.sol";

/// @title MatchingDecision
/// @notice Who serves whom at which price, and why that cannot be otherwise: see IMatchingDecision.
contract MatchingDecision is IMatchingDecision, Commitments {
    uint256 private constant SEED_BLOCK_DISTANCE = 2;
    uint256 private constant BLOCK_HASHES_KEPT = 256;
    uint256 private constant MAXIMUM_LEAD = 366 days;
    uint256 private constant MAXIMUM_SITE_BITS = 10;
    uint256 private constant MAXIMUM_CLASS_BITS = 14;
    uint256 private constant MAXIMUM_REQUEST_BITS = 32;

    IDynamicAccessControl private immutable ACCESS;
    IDataEvaluation private immutable EVALUATION;
    IERC20Permit private immutable TOKEN;
    uint256 private immutable BOOK_INTERVAL;
    uint256 private immutable REVEAL_GRACE;
    uint256 private immutable RELAY_FEE;
    uint256 private immutable MINIMUM_BUDGET;
    /// @inheritdoc IMatchingDecision
    uint256 public immutable minimumLead;

    /// @inheritdoc IMatchingDecision
    uint64 public requestCount;
    /// @inheritdoc IMatchingDecision
    mapping(bytes32 schemaId => uint32 ordinal) public openBook;
    /// @inheritdoc IMatchingDecision
    mapping(bytes32 roundId => bytes32 seed) public seedOf;
    /// @inheritdoc IMatchingDecision
    mapping(bytes32 roundId => bytes32 blockHash) public sealedBlockHash;
    mapping(uint64 requestId => Request) private _requests;
    mapping(address researcher => mapping(bytes32 clientReference => uint64 requestId)) private _requestByReference;
    mapping(bytes32 schemaId => mapping(uint32 ordinal => Book)) private _books;
    /// By a book's first request, so that a request finds its round without its schema.
    mapping(uint56 firstRequest => bytes32 roundId) private _finalRounds;

    constructor(
        Contracts memory contracts,
        Parameters memory parameters
    ) Commitments(contracts, parameters, parameters.roundWindow, parameters.roundBond) {
        ACCESS = IDynamicAccessControl(contracts.accessControl);
        EVALUATION = IDataEvaluation(contracts.evaluation);
        TOKEN = IERC20Permit(parameters.token);
        BOOK_INTERVAL = parameters.bookInterval;
        REVEAL_GRACE = parameters.revealGrace;
        RELAY_FEE = parameters.relayFee;
        MINIMUM_BUDGET = parameters.minimumBudget;
        minimumLead = uint256(parameters.bookInterval) + parameters.roundWindow + parameters.revealGrace + parameters.deliveryWindow;
    }

    // ---- requests ---------------------------------------------------------------------------------------------------

    /// @inheritdoc IMatchingDecision
    function openRequest(RequestTerms calldata terms) public returns (uint64 requestId) {
        if (ACCESS.paused()) revert RequestsPaused();
        if (terms.deadline < block.timestamp + minimumLead) revert DeadlineTooEarly(terms.deadline, block.timestamp + minimumLead);
        if (terms.deadline > block.timestamp + MAXIMUM_LEAD) revert DeadlineTooLate(terms.deadline, block.timestamp + MAXIMUM_LEAD);
        if (terms.budget < MINIMUM_BUDGET) revert BudgetTooSmall(terms.budget, MINIMUM_BUDGET);
        uint64 earlier = _requestByReference[msg.sender][terms.clientReference];
        if (earlier != 0) revert RequestExists(earlier);

        uint256 capacity = _capacity(terms);
        uint256 least = terms.minimumRecords == 0 ? 1 : terms.minimumRecords;
        if (capacity < least) revert CapacityTooSmall(capacity, least);

        requestId = ++requestCount;
        _requestByReference[msg.sender][terms.clientReference] = requestId;
        uint32 ordinal = openBook[terms.schemaId];
        Book storage book = _books[terms.schemaId][ordinal];
        uint32 index = book.requestCount++;
        // No chain takes 2^56 requests.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (index == 0) book.firstRequest = uint56(requestId);
        // The capacity is at most the target, a uint32.
        // forge-lint: disable-next-line(unsafe-typecast)
        _store(requestId, terms, uint32(capacity), ordinal, index, book.firstRequest);
        // forge-lint: disable-next-line(unsafe-typecast)
        emit RequestOpened(requestId, msg.sender, terms.schemaId, ordinal, index, uint32(capacity), terms);
        PAYMENTS.fund(requestId, msg.sender, terms.budget);
    }

    /// @inheritdoc IMatchingDecision
    function openRequestWithPermit(
        RequestTerms calldata terms,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint64 requestId) {
        // Whoever saw the permit can use it first and make this call fail; what counts is the allowance that it leaves behind.
        try TOKEN.permit(msg.sender, address(PAYMENTS), terms.budget, permitDeadline, v, r, s) { } catch { }
        return openRequest(terms);
    }

    /// @inheritdoc IMatchingDecision
    function cancelRequest(uint64 requestId) external {
        Request storage request = _requests[requestId];
        if (msg.sender != request.researcher) revert Unauthorised(msg.sender);
        if (request.cancelled) revert AlreadyCancelled(requestId);
        if (request.book != openBook[request.schemaId]) revert BookIsClosed(requestId);
        request.cancelled = true;
        emit RequestCancelled(requestId);
        PAYMENTS.refund(requestId);
    }

    // ---- rounds -----------------------------------------------------------------------------------------------------

    /// @inheritdoc IMatchingDecision
    function closeBook(bytes32 schemaId) external returns (uint32 ordinal) {
        _onlyMarket();
        ordinal = openBook[schemaId];
        Book storage book = _books[schemaId][ordinal];
        if (book.requestCount == 0) revert BookEmpty(schemaId, ordinal);
        if (ordinal > 0) {
            uint256 until = _books[schemaId][ordinal - 1].closedAt + BOOK_INTERVAL;
            if (block.timestamp < until) revert BookOpenUntil(schemaId, until);
        }
        openBook[schemaId] = ordinal + 1;
        // Time and height fit 64 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        (book.closedAt, book.closedBlock) = (uint64(block.timestamp), uint64(block.number));
        emit BookClosed(schemaId, ordinal, book.requestCount, book.closedAt, book.closedBlock);
    }

    /// @inheritdoc IMatchingDecision
    function commitRound(RoundHeader calldata header) external returns (bytes32 roundId) {
        _onlyMarket();
        Book memory book = _books[header.schemaId][header.ordinal];
        if (book.closedAt == 0) revert BookNotClosed(header.schemaId, header.ordinal);
        if (header.siteBits > MAXIMUM_SITE_BITS || uint256(1) << header.siteBits < ACCESS.siteCount()) {
            revert InvalidHeader("siteBits");
        }
        if (header.classBits > MAXIMUM_CLASS_BITS || uint256(1) << header.classBits < ACCESS.maximumClassCount(header.schemaId)) {
            revert InvalidHeader("classBits");
        }
        if (header.requestBits > MAXIMUM_REQUEST_BITS || uint256(1) << header.requestBits < book.requestCount) {
            revert InvalidHeader("requestBits");
        }
        if (header.attempt > 0) {
            bytes32 earlier = roundIdOf(header.schemaId, header.ordinal, header.attempt - 1);
            if (batchState(earlier).status != Status.Void) revert PreviousAttemptStands(earlier);
        }
        roundId = Rounds.id(header, address(this));
        _post(roundId, keccak256(abi.encode(header, _posting())));
        emit RoundCommitted(roundId, header.schemaId, header.ordinal, header, msg.sender);
        PAYMENTS.lock(msg.sender, BOND);
    }

    /// @inheritdoc IMatchingDecision
    function sealSeed(Round calldata round) external {
        bytes32 roundId = _posted(round);
        uint256 seedBlock = round.posting.blockNumber + SEED_BLOCK_DISTANCE;
        if (sealedBlockHash[roundId] != 0) revert SeedAlreadySealed(roundId);
        if (block.number <= seedBlock) revert SeedBlockPending(seedBlock);
        bytes32 blockHash = blockhash(seedBlock);
        if (blockHash == 0) revert SeedBlockGone(seedBlock);
        sealedBlockHash[roundId] = blockHash;
        emit SeedSealed(roundId, blockHash);
    }

    /// @inheritdoc IMatchingDecision
    function voidUnsealed(Round calldata round) external {
        bytes32 roundId = _posted(round);
        if (sealedBlockHash[roundId] != 0) revert SeedAlreadySealed(roundId);
        uint256 last = round.posting.blockNumber + SEED_BLOCK_DISTANCE + BLOCK_HASHES_KEPT;
        if (block.number <= last) revert SeedBlockPending(last);
        _void(roundId, Fault.SeedNotSealed, msg.sender);
    }

    /// @inheritdoc IMatchingDecision
    function voidUnrevealed(Round calldata round) external {
        bytes32 roundId = _posted(round);
        uint256 until = round.posting.timestamp + WINDOW + REVEAL_GRACE;
        if (block.timestamp <= until) revert WindowOpen(roundId, until);
        _void(roundId, Fault.SeedNotRevealed, msg.sender);
    }

    /// @inheritdoc IMatchingDecision
    function finaliseRound(Round calldata round, bytes32 reveal) external {
        bytes32 roundId = _posted(round);
        bytes32 blockHash = sealedBlockHash[roundId];
        if (blockHash == 0) revert SeedNotSealedYet(roundId);
        bytes32 commit = keccak256(abi.encodePacked(reveal));
        if (commit != round.header.seedCommit) revert WrongReveal(round.header.seedCommit, commit);
        bytes32 seed = keccak256(abi.encodePacked(reveal, blockHash));
        seedOf[roundId] = seed;
        _finalRounds[_books[round.header.schemaId][round.header.ordinal].firstRequest] = roundId;
        emit SeedRevealed(roundId, seed);
        _finalise(roundId, round.posting);
    }

    // ---- challenges -------------------------------------------------------------------------------------------------

    /// @inheritdoc IMatchingDecision
    function challengePair(
        Round calldata round,
        ClassEvidence calldata class_,
        PriceOpening calldata price,
        RequestOpening calldata request,
        SalesOpening calldata sale
    ) external {
        bytes32 roundId = _posted(round);
        Request memory wanted = _requestIn(round.header, request.requestId);
        uint32 position = _openOffer(roundId, round.header, class_, price);
        Rounds.openRequest(roundId, round.header, wanted.index, request.leaf, request.path);
        Rounds.openByClass(roundId, round.header, position, wanted.index, sale);
        Fault fault = _pairFault(wanted, class_.class_.leaf, price.leaf, request.leaf, sale.quantity);
        _voidFor(roundId, fault);
    }

    /// @inheritdoc IMatchingDecision
    function challengeClass(
        Round calldata round,
        ClassEvidence calldata class_,
        PriceOpening calldata price,
        RowOpening calldata row
    ) external {
        bytes32 roundId = _posted(round);
        uint32 position = _openOffer(roundId, round.header, class_, price);
        Rounds.openClassRow(round.header, position, row);
        uint256 supply = uint256(class_.class_.leaf.size) * class_.class_.leaf.quota;
        Fault fault = Fault.None;
        if (row.sum > supply) fault = Fault.QuantityExceeded;
        else if (price.leaf.premium > 0 && row.sum < supply) fault = Fault.UnsoldPremium;
        _voidFor(roundId, fault);
    }

    /// @inheritdoc IMatchingDecision
    function challengeRequest(Round calldata round, RequestOpening calldata request, RowOpening calldata row) external {
        bytes32 roundId = _posted(round);
        Request memory wanted = _requestIn(round.header, request.requestId);
        Rounds.openRequest(roundId, round.header, wanted.index, request.leaf, request.path);
        Rounds.openRequestRow(round.header, wanted.index, row);
        _voidFor(roundId, _requestFault(wanted, request.leaf, row.sum));
    }

    /// @inheritdoc IMatchingDecision
    function challengeSymmetry(
        Round calldata round,
        uint32 classPosition,
        uint32 requestIndex,
        SalesOpening calldata byClass,
        SalesOpening calldata byRequest
    ) external {
        bytes32 roundId = _posted(round);
        Rounds.openByClass(roundId, round.header, classPosition, requestIndex, byClass);
        Rounds.openByRequest(roundId, round.header, classPosition, requestIndex, byRequest);
        _voidFor(roundId, byClass.quantity == byRequest.quantity ? Fault.None : Fault.SalesDiffer);
    }

    /// @inheritdoc IMatchingDecision
    function challengeSupport(
        Round calldata round,
        ClassEvidence calldata class_,
        PriceOpening calldata price,
        RequestOpening calldata request,
        SalesOpening calldata sale,
        RowOpening calldata row,
        ClassEvidence calldata supportClass,
        PriceOpening calldata supportPrice,
        SalesOpening calldata supportSale
    ) external {
        bytes32 roundId = _posted(round);
        uint32 j = price.leaf.supportRequest;
        bool supported = price.leaf.premium == 0;
        if (supported) revert NoFault();

        if (j >= _books[round.header.schemaId][round.header.ordinal].requestCount) {
            Rounds.openPrice(roundId, round.header, price.position, price);
        } else if (_isTight(roundId, round.header, class_, price, request, sale)) {
            Rounds.openRequestRow(round.header, j, row);
            supported = row.sum < _requests[request.requestId].capacity;
            if (!supported) {
                supported = _holds(roundId, round.header, price.leaf, request, supportClass, supportPrice, supportSale);
            }
        }
        _voidFor(roundId, supported ? Fault.None : Fault.UnsupportedPremium);
    }

    /// @inheritdoc IMatchingDecision
    function challengePhantom(
        Round calldata round,
        uint32 classPosition,
        uint32 requestIndex,
        SalesOpening calldata sale,
        Epoch calldata epoch
    ) external {
        bytes32 roundId = _posted(round);
        RoundHeader calldata header = round.header;
        Rounds.openByClass(roundId, header, classPosition, requestIndex, sale);
        if (sale.quantity == 0) revert NoFault();
        Book memory book = _books[header.schemaId][header.ordinal];
        uint32 site = (classPosition >> header.classBits) + 1;
        bool exists = requestIndex < book.requestCount && ACCESS.hasEpochAt(site, header.schemaId, book.closedBlock);
        if (exists) {
            if (epoch.header.site != site) revert Unrelated();
            Epochs.requireCurrent(epoch, ACCESS, header.schemaId, book.closedBlock);
            uint256 index = classPosition & ((1 << header.classBits) - 1);
            exists = index < epoch.header.classCount;
        }
        _voidFor(roundId, exists ? Fault.None : Fault.Phantom);
    }

    // ---- data availability ------------------------------------------------------------------------------------------

    /// @inheritdoc IMatchingDecision
    function demandLeaf(Round calldata round, uint8 kind, uint64 position) external {
        RoundHeader calldata header = round.header;
        uint256 depth;
        if (kind == Leaves.PRICE) depth = Rounds.positionBits(header);
        else if (kind == Leaves.REQUEST) depth = header.requestBits;
        else if (kind == Leaves.SALES_BY_CLASS || kind == Leaves.SALES_BY_REQUEST) depth = Rounds.salesDepth(header);
        else revert UnknownKind(kind);
        _demand(_posted(round), round.posting, kind, position, uint256(1) << depth);
    }

    /// @inheritdoc IMatchingDecision
    function answerPrice(Round calldata round, PriceOpening calldata price) external {
        bytes32 roundId = _posted(round);
        Rounds.openPrice(roundId, round.header, price.position, price);
        _answer(roundId, Leaves.PRICE, price.position);
    }

    /// @inheritdoc IMatchingDecision
    function answerRequest(Round calldata round, uint32 position, RequestOpening calldata request) external {
        bytes32 roundId = _posted(round);
        Rounds.openRequest(roundId, round.header, position, request.leaf, request.path);
        _answer(roundId, Leaves.REQUEST, position);
    }

    /// @inheritdoc IMatchingDecision
    function answerSales(Round calldata round, uint8 kind, uint64 position, SalesOpening calldata sale) external {
        if (kind != Leaves.SALES_BY_CLASS && kind != Leaves.SALES_BY_REQUEST) revert UnknownKind(kind);
        bytes32 roundId = _posted(round);
        Rounds.openSales(roundId, round.header, kind, position, sale, 0);
        _answer(roundId, kind, position);
    }

    /// @inheritdoc IMatchingDecision
    function voidUnanswered(Round calldata round, uint8 kind, uint64 position) external {
        _voidUnanswered(_posted(round), kind, position);
    }

    // ---- views ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IMatchingDecision
    function requestOf(uint64 requestId) external view returns (Request memory) {
        return _requests[requestId];
    }

    /// @inheritdoc IMatchingDecision
    function deliveryTermsOf(uint64 requestId) external view returns (bytes32 roundId, uint40 deadline) {
        Request storage request = _requests[requestId];
        return (_finalRounds[request.firstInBook], request.deadline);
    }

    /// @inheritdoc IMatchingDecision
    function bookOf(bytes32 schemaId, uint32 ordinal) external view returns (Book memory) {
        return _books[schemaId][ordinal];
    }

    /// @inheritdoc IMatchingDecision
    function finalRoundOf(bytes32 schemaId, uint32 ordinal) external view returns (bytes32) {
        return _finalRounds[_books[schemaId][ordinal].firstRequest];
    }

    /// @inheritdoc IMatchingDecision
    function roundIdOf(bytes32 schemaId, uint32 ordinal, uint32 attempt) public view returns (bytes32) {
        return Identifiers.round(address(this), schemaId, ordinal, attempt);
    }

    // ---- inside -----------------------------------------------------------------------------------------------------

    function _onlyMarket() private view {
        if (msg.sender != ACCESS.market()) revert Unauthorised(msg.sender);
    }

    function _posted(Round calldata round) private view returns (bytes32 roundId) {
        roundId = Rounds.id(round.header, address(this));
        _requirePosted(roundId, keccak256(abi.encode(round)));
    }

    function _voidFor(bytes32 roundId, Fault fault) private {
        if (fault == Fault.None) revert NoFault();
        _void(roundId, fault, msg.sender);
    }

    function _capacity(RequestTerms calldata terms) private view returns (uint256) {
        uint256 highest = EVALUATION.maximumScore(terms.schemaId, terms.minimumGrades, terms.topGrades);
        return Quality.capacity(terms.budget, terms.bid, highest, RELAY_FEE, terms.targetRecords);
    }

    function _store(
        uint64 requestId,
        RequestTerms calldata terms,
        uint32 capacity,
        uint32 ordinal,
        uint32 index,
        uint56 firstInBook
    ) private {
        _requests[requestId] = Request({
            schemaId: terms.schemaId,
            minimumGrades: terms.minimumGrades,
            topGrades: terms.topGrades,
            publicCell: terms.publicCell,
            researcher: msg.sender,
            deadline: terms.deadline,
            firstInBook: firstInBook,
            purpose: terms.purpose,
            cancelled: false,
            bid: terms.bid,
            capacity: capacity,
            minimumRecords: terms.minimumRecords,
            book: ordinal,
            index: index
        });
    }

    /// The stored request, which must stand in the round's book.
    function _requestIn(RoundHeader calldata header, uint64 requestId) private view returns (Request memory request) {
        request = _requests[requestId];
        if (request.researcher == address(0)) revert UnknownRequest(requestId);
        if (request.schemaId != header.schemaId || request.book != header.ordinal) revert Unrelated();
    }

    /// Opens a class in its epoch and its price in C.
    function _openOffer(
        bytes32 roundId,
        RoundHeader calldata header,
        ClassEvidence calldata evidence,
        PriceOpening calldata price
    ) private view returns (uint32 position) {
        uint64 closedBlock = _books[header.schemaId][header.ordinal].closedBlock;
        bytes32 epochId = Epochs.requireCurrent(evidence.epoch, ACCESS, header.schemaId, closedBlock);
        Epochs.openClass(epochId, evidence.epoch.header, evidence.class_);
        position = Rounds.classPosition(header, evidence);
        Rounds.openPrice(roundId, header, position, price);
    }

    /// w = floor(bid * score / 10^9) - ask. An inadmissible pair has no w.
    function _weigh(Request memory request, ClassLeaf calldata leaf) private view returns (bool admissible, int256 weight) {
        bool suits = !request.cancelled && Purposes.admits(leaf.purposes, request.purpose) && leaf.expiresAt >= request.deadline
            && (request.publicCell == 0 || request.publicCell == leaf.publicCell);
        if (!suits) return (false, 0);
        uint256 ask;
        uint256 score;
        (admissible, ask, score) = EVALUATION.quote(request.schemaId, leaf.ceilings, leaf.rates, request.minimumGrades, request.topGrades);
        // value < 2^103 and ask < 2^115: 64 attributes, rates below 2^96, epsilon below 2^13.
        // forge-lint: disable-next-line(unsafe-typecast)
        weight = int256(Quality.value(request.bid, score)) - int256(ask);
    }

    function _pairFault(
        Request memory request,
        ClassLeaf calldata leaf,
        PriceLeaf calldata price,
        RequestLeaf calldata surplus,
        uint256 quantity
    ) private view returns (Fault) {
        (bool admissible, int256 weight) = _weigh(request, leaf);
        if (!admissible || surplus.dropped) return quantity > 0 ? Fault.Inadmissible : Fault.None;
        if (quantity > leaf.size) return Fault.QuantityExceeded;
        int256 shares = _shares(price, surplus);
        if (quantity > 0 && weight < shares) return Fault.Overcharge;
        if (quantity < leaf.size && weight > shares) return Fault.BlockingPair;
        return Fault.None;
    }

    function _requestFault(Request memory request, RequestLeaf calldata leaf, uint256 filled) private pure returns (Fault) {
        if (leaf.dropped) {
            if (request.minimumRecords == 0 || filled > 0 || leaf.surplus > 0) return Fault.Dropping;
        } else if (!request.cancelled && filled < request.minimumRecords) {
            return Fault.Dropping;
        }
        if (filled > request.capacity) return Fault.QuantityExceeded;
        if (leaf.surplus > 0 && filled < request.capacity) return Fault.UnfilledSurplus;
        return Fault.None;
    }

    /// First half of E8: the class could sell more to its support request at no gain to either.
    function _isTight(
        bytes32 roundId,
        RoundHeader calldata header,
        ClassEvidence calldata class_,
        PriceOpening calldata price,
        RequestOpening calldata request,
        SalesOpening calldata sale
    ) private view returns (bool) {
        Request memory wanted = _requestIn(header, request.requestId);
        if (wanted.index != price.leaf.supportRequest) revert Unrelated();
        uint32 position = _openOffer(roundId, header, class_, price);
        Rounds.openRequest(roundId, header, wanted.index, request.leaf, request.path);
        Rounds.openByClass(roundId, header, position, wanted.index, sale);
        if (request.leaf.dropped || sale.quantity >= class_.class_.leaf.size) return false;
        (bool admissible, int256 weight) = _weigh(wanted, class_.class_.leaf);
        return admissible && weight == _shares(price.leaf, request.leaf);
    }

    /// Second half of E8: the request's surplus cannot rise, because a class of lower rank sells to it at no gain.
    function _holds(
        bytes32 roundId,
        RoundHeader calldata header,
        PriceLeaf calldata price,
        RequestOpening calldata request,
        ClassEvidence calldata supportClass,
        PriceOpening calldata supportPrice,
        SalesOpening calldata supportSale
    ) private view returns (bool) {
        // A class that no position of C holds sells nothing.
        if (price.supportClass >> Rounds.positionBits(header) != 0) return false;
        Rounds.openByClass(roundId, header, price.supportClass, price.supportRequest, supportSale);
        if (supportSale.quantity == 0) return false;
        if (_openOffer(roundId, header, supportClass, supportPrice) != price.supportClass) revert Unrelated();
        if (supportPrice.leaf.premium > 0 && supportPrice.leaf.rank >= price.rank) return false;
        (bool admissible, int256 weight) = _weigh(_requests[request.requestId], supportClass.class_.leaf);
        return admissible && weight == _shares(supportPrice.leaf, request.leaf);
    }

    /// u + v, both below 2^128.
    function _shares(PriceLeaf calldata price, RequestLeaf calldata surplus) private pure returns (int256) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return int256(uint256(price.premium) + surplus.surplus);
    }
}
