// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { AnonymousTransaction } from "../../contracts/AnonymousTransaction.sol";
import { DataEvaluation } from "../../contracts/DataEvaluation.sol";
import { DynamicAccessControl } from "../../contracts/DynamicAccessControl.sol";
import { MatchingDecision } from "../../contracts/MatchingDecision.sol";
import { DevelopmentToken } from "../../contracts/development/DevelopmentToken.sol";
import { ICommitments } from "../../contracts/interfaces/ICommitments.sol";
import { Feistel } from "../../contracts/libraries/Feistel.sol";
import "../../contracts/Types.sol";
import { Test } from "./Test.sol";
import { Tree, Trees } from "./Trees.sol";

struct EpochData {
    Epoch epoch;
    bytes32 id;
    ClassLeaf[] classes;
    MemberLeaf[] members;
    Tree memberTree;
    Tree classTree;
}

/// x[i] and y[i] are the quantities of (classes[i], requests[i]) in X and in Y.
struct RoundSpec {
    bytes32 schemaId;
    uint32 ordinal;
    uint32 attempt;
    uint8 siteBits;
    uint8 classBits;
    uint8 requestBits;
    uint32[] pricePositions;
    PriceLeaf[] prices;
    RequestLeaf[] surpluses;
    uint32[] classes;
    uint32[] requests;
    uint32[] x;
    uint32[] y;
}

struct RoundData {
    Round round;
    bytes32 id;
    RoundSpec spec;
    Tree prices;
    Tree surpluses;
    Tree byClass;
    Tree byRequest;
}

struct DeliveryData {
    Delivery delivery;
    bytes32 id;
    DeliveryLeaf[] leaves;
    Tree tree;
}

/// The whole market in a small instance: two sites, three classes, four requests, and a match that satisfies E1 to E8 (see `honestRound`).
abstract contract World is Test {
    using Trees for Tree;

    uint256 internal constant MARKET_KEY = 0xA11CE;
    uint256 internal constant CONTROLLER_KEY = 0xC0DE;
    bytes32 internal constant SCHEMA = keccak256("schema");
    bytes32 internal constant REVEAL = keccak256("reveal");
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant ADDED_FUNDS = 1e24;

    address internal consortium = address(0xC0);
    address internal market = vm.addr(MARKET_KEY);
    address internal patientsFund = address(0xF0);
    address internal auditor = address(0xAD);
    address internal challenger = address(0xCA);
    address internal relayer = address(0x2E);
    address[3] internal siteAccounts = [address(0x51), address(0x52), address(0x53)];
    address[2] internal researchers = [address(0x2A), address(0x2B)];

    DevelopmentToken internal token;
    DynamicAccessControl internal access;
    MatchingDecision internal matching;
    DataEvaluation internal evaluation;
    AnonymousTransaction internal payments;
    Parameters internal parameters;

    /// What requests ask for and classes allow; the gas tests ask for more.
    uint256 internal askedGrades = 3;
    uint256 internal ceilings = 0x33;

    function parametersOf(address token_) internal view returns (Parameters memory) {
        return Parameters({
            token: token_,
            consortium: consortium,
            market: market,
            patientsFund: patientsFund,
            epochWindow: 1 days,
            roundWindow: 2 days,
            deliveryWindow: 3 days,
            bookInterval: 1 hours,
            revealGrace: 1 days,
            repostGrace: 5 days,
            revocationGrace: 12 hours,
            rotationDelay: 7 days,
            claimPeriod: 365 days,
            epochBond: 1001,
            roundBond: 5001,
            deliveryBond: 3001,
            demandDeposit: 50,
            relayFee: 3,
            minimumBudget: 50
        });
    }

    function deploy(address token_) internal {
        parameters = parametersOf(token_);
        uint256 nonce = vm.getNonce(address(this));
        Contracts memory contracts = Contracts({
            accessControl: vm.computeCreateAddress(address(this), nonce),
            matching: vm.computeCreateAddress(address(this), nonce + 1),
            evaluation: vm.computeCreateAddress(address(this), nonce + 2),
            payments: vm.computeCreateAddress(address(this), nonce + 3)
        });
        access = new DynamicAccessControl(contracts, parameters);
        matching = new MatchingDecision(contracts, parameters);
        evaluation = new DataEvaluation(contracts, parameters);
        payments = new AnonymousTransaction(contracts, parameters);
        equal(address(payments), contracts.payments, "predicted address");
    }

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(1000);
        token = new DevelopmentToken();
        deploy(address(token));
        populate();
    }

    function populate() internal {
        vm.startPrank(consortium);
        for (uint256 i = 0; i < 2; ++i) {
            access.registerSite(siteAccounts[i], keccak256("profile"));
        }
        access.setAuditor(auditor, true);
        publishSchema(SCHEMA);
        vm.stopPrank();
        address[6] memory stakers = [siteAccounts[0], siteAccounts[1], siteAccounts[2], market, auditor, challenger];
        for (uint256 i = 0; i < stakers.length; ++i) {
            stake(stakers[i], 1_000_000);
        }
        for (uint256 i = 0; i < 2; ++i) {
            fundAccount(researchers[i]);
        }
    }

    function fundAccount(address account) internal {
        token.mint(account, ADDED_FUNDS);
        vm.prank(account);
        token.approve(address(payments), type(uint256).max);
    }

    function stake(address account, uint256 amount) internal {
        fundAccount(account);
        vm.prank(account);
        payments.deposit(account, amount);
    }

    /// Two attributes (Low, Private), three grades; cap 4 epsilon. Attribute 0 at grade 3 is one effective record.
    function publishSchema(bytes32 schemaId) internal virtual {
        uint32[] memory ladder = new uint32[](3);
        (ladder[0], ladder[1], ladder[2]) = (500_000, 1_000_000, 2_000_000);
        uint32[] memory quality = new uint32[](6);
        (quality[0], quality[1], quality[2]) = (100_000_000, 400_000_000, 1_000_000_000);
        (quality[3], quality[4], quality[5]) = (50_000_000, 250_000_000, 500_000_000);
        evaluation.publishSchema(schemaId, 0xD, 4_000_000, ladder, quality);
    }

    // ---- epochs -----------------------------------------------------------------------------------------------------

    function classLeaf(uint32 size, uint16 quota, uint96 rate) internal view returns (ClassLeaf memory leaf) {
        leaf.size = size;
        leaf.quota = quota;
        leaf.ceilings = ceilings;
        leaf.highWater = 0x11;
        leaf.rates = [0, rate, rate, rate];
        leaf.purposes = 1 << 2;
        leaf.expiresAt = uint64(block.timestamp + 200 days);
        leaf.publicCell = keccak256("age=40-49");
    }

    function siteClasses(uint32 site) internal view returns (ClassLeaf[] memory classes) {
        classes = new ClassLeaf[](site == 1 ? 2 : 1);
        if (site == 1) (classes[0], classes[1]) = (classLeaf(3, 2, 10), classLeaf(2, 1, 5));
        else classes[0] = classLeaf(4, 1, 20);
    }

    /// Payout address of a member at an index of its payout tree.
    function payoutAddress(bytes32 pseudonym, uint256 index) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("payout", pseudonym, index)))));
    }

    function payoutTree(bytes32 pseudonym, uint256 depth) internal pure returns (Tree memory) {
        uint256 width = 1 << depth;
        uint64[] memory positions = new uint64[](width);
        Sibling[] memory leaves = new Sibling[](width);
        for (uint256 i = 0; i < width; ++i) {
            positions[i] = uint64(i);
            leaves[i].hash = leafHash(8, pseudonym, i, abi.encode(payoutAddress(pseudonym, i)), 0);
        }
        return Trees.make(depth, positions, leaves);
    }

    function leafHash(uint8 kind, bytes32 rootId, uint256 position, bytes memory payload, uint256 sum) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), kind, rootId, uint64(position), payload, sum));
    }

    /// An honest epoch; change its leaves and call `plant` before posting.
    function draftEpoch(uint32 site, uint32 number, ClassLeaf[] memory classes) internal view returns (EpochData memory data) {
        EpochHeader memory header = data.epoch.header;
        (header.site, header.schemaId, header.epoch) = (site, SCHEMA, number);
        (header.memberDepth, header.classDepth, header.payoutDepth) = (4, 2, 2);
        (header.classCount, header.dataHash) = (uint32(classes.length), keccak256("data"));
        data.classes = classes;
        for (uint256 k = 0; k < classes.length; ++k) {
            header.memberCount += classes[k].size;
        }
        data.members = new MemberLeaf[](header.memberCount);
        uint256 position = 0;
        for (uint256 k = 0; k < classes.length; ++k) {
            for (uint256 i = 0; i < classes[k].size; ++i) {
                MemberLeaf memory leaf = data.members[position];
                leaf.pseudonym = keccak256(abi.encode("pseudonym", site, position));
                leaf.controller = vm.addr(CONTROLLER_KEY + position);
                leaf.localClass = uint32(k);
                leaf.payoutRoot = payoutTree(leaf.pseudonym, header.payoutDepth).root();
                if (number > 1) (leaf.previousEpoch, leaf.previousPosition) = (number - 1, uint32(position));
                leaf.salt = keccak256(abi.encode("salt", position));
                ++position;
            }
        }
        plant(data);
    }

    /// Builds the trees from the leaves as they are.
    function plant(EpochData memory data) internal view {
        EpochHeader memory header = data.epoch.header;
        data.id = access.epochIdOf(header.site, header.schemaId, header.epoch);
        uint64[] memory positions = new uint64[](data.members.length);
        Sibling[] memory leaves = new Sibling[](positions.length);
        for (uint256 i = 0; i < positions.length; ++i) {
            positions[i] = uint64(i);
            if (data.members[i].pseudonym == 0) continue;
            leaves[i] = Sibling(leafHash(1, data.id, i, abi.encode(data.members[i]), 1), 1);
        }
        data.memberTree = Trees.make(header.memberDepth, positions, leaves);
        positions = new uint64[](data.classes.length);
        leaves = new Sibling[](positions.length);
        for (uint256 i = 0; i < positions.length; ++i) {
            positions[i] = uint64(i);
            uint32 size = data.classes[i].size;
            if (size != 0) leaves[i] = Sibling(leafHash(2, data.id, i, abi.encode(data.classes[i]), size), size);
        }
        data.classTree = Trees.make(header.classDepth, positions, leaves);
        header.membersRoot = data.memberTree.root();
        header.classesRoot = data.classTree.root();
    }

    function post(EpochData memory data) internal {
        address account = access.siteAccount(data.epoch.header.site);
        vm.prank(account);
        access.postEpoch(data.epoch.header);
        data.epoch.posting = Posting(account, uint64(block.timestamp), uint64(block.number));
    }

    function postFinal(EpochData memory data) internal {
        post(data);
        pass(parameters.epochWindow);
        access.finaliseEpoch(data.epoch);
    }

    /// Both sites' first epochs, final.
    function finalEpochs() internal returns (EpochData[2] memory data) {
        for (uint32 site = 1; site <= 2; ++site) {
            data[site - 1] = draftEpoch(site, 1, siteClasses(site));
            postFinal(data[site - 1]);
        }
    }

    function openMember(EpochData memory data, uint256 position) internal pure returns (MemberOpening memory opening) {
        opening.position = uint32(position);
        if (position < data.members.length) opening.leaf = data.members[position];
        opening.path = data.memberTree.path(position);
    }

    function openClass(EpochData memory data, uint256 index) internal pure returns (ClassOpening memory opening) {
        opening.index = uint32(index);
        if (index < data.classes.length) opening.leaf = data.classes[index];
        opening.path = data.classTree.path(index);
    }

    function classEvidence(EpochData memory data, uint256 index) internal pure returns (ClassEvidence memory) {
        return ClassEvidence(data.epoch, openClass(data, index));
    }

    function openPayout(EpochData memory data, uint256 member, uint256 index) internal pure returns (PayoutOpening memory) {
        bytes32 pseudonym = data.members[member].pseudonym;
        Tree memory tree = payoutTree(pseudonym, data.epoch.header.payoutDepth);
        return PayoutOpening(payoutAddress(pseudonym, index), tree.path(index));
    }

    // ---- requests ---------------------------------------------------------------------------------------------------

    /// Attribute 0 at grade 3 exactly: one record is one effective record.
    function terms(string memory name, uint96 bid, uint32 target) internal view returns (RequestTerms memory) {
        return RequestTerms({
            clientReference: keccak256(bytes(name)),
            schemaId: SCHEMA,
            termsHash: keccak256("terms"),
            minimumGrades: askedGrades,
            topGrades: askedGrades,
            publicCell: 0,
            bid: bid,
            budget: uint112((uint256(bid) + parameters.relayFee) * target),
            targetRecords: target,
            minimumRecords: 0,
            purpose: 2,
            deadline: uint40(block.timestamp + 30 days)
        });
    }

    function open(address researcher, RequestTerms memory terms_) internal returns (uint64) {
        vm.prank(researcher);
        return matching.openRequest(terms_);
    }

    /// Requests 1 to 4: bids 100 and 60, a cancelled one, one with a minimum that no match reaches.
    function openRequests() internal {
        open(researchers[0], terms("one", 100, 5));
        open(researchers[1], terms("two", 60, 4));
        open(researchers[0], terms("cancelled", 90, 5));
        RequestTerms memory small = terms("minimum", 21, 3);
        small.minimumRecords = 3;
        open(researchers[1], small);
        vm.prank(researchers[0]);
        matching.cancelRequest(3);
    }

    function closeBook() internal {
        vm.prank(market);
        matching.closeBook(SCHEMA);
    }

    // ---- rounds -----------------------------------------------------------------------------------------------------

    /// Classes A (site 1, n 3, q 2, ask 20), B (site 1, n 2, q 1, ask 10), C (site 2, n 4, q 1, ask 40) against bids 100 (N 5) and 60 (N 4):
    /// A sells 3 to both, B 2 to the first, C 1 to the second. v = (60, 20); u_B = 30 is held up by the second request, which buys from C at no gain.
    function honestSpec() internal pure returns (RoundSpec memory spec) {
        return honestSpec(1, 1, 2);
    }

    function honestSpec(uint8 siteBits, uint8 classBits, uint8 requestBits) internal pure returns (RoundSpec memory spec) {
        (spec.schemaId, spec.siteBits, spec.classBits, spec.requestBits) = (SCHEMA, siteBits, classBits, requestBits);
        uint32 c = uint32(1) << classBits;
        spec.pricePositions = new uint32[](3);
        (spec.pricePositions[1], spec.pricePositions[2]) = (1, c);
        spec.prices = new PriceLeaf[](3);
        spec.prices[1] = PriceLeaf({ premium: 30, supportRequest: 1, supportClass: c, rank: 1 });
        spec.surpluses = new RequestLeaf[](4);
        (spec.surpluses[0].surplus, spec.surpluses[1].surplus, spec.surpluses[3].dropped) = (60, 20, true);
        spec.classes = new uint32[](4);
        spec.requests = new uint32[](4);
        spec.x = new uint32[](4);
        spec.y = new uint32[](4);
        (spec.classes[0], spec.requests[0], spec.x[0], spec.y[0]) = (0, 0, 3, 3);
        (spec.classes[1], spec.requests[1], spec.x[1], spec.y[1]) = (0, 1, 3, 3);
        (spec.classes[2], spec.requests[2], spec.x[2], spec.y[2]) = (1, 0, 2, 2);
        (spec.classes[3], spec.requests[3], spec.x[3], spec.y[3]) = (c, 1, 1, 1);
    }

    function draftRound(RoundSpec memory spec) internal view returns (RoundData memory data) {
        data.spec = spec;
        data.id = matching.roundIdOf(spec.schemaId, spec.ordinal, spec.attempt);
        uint256 classBits = uint256(spec.siteBits) + spec.classBits;
        data.prices = _priceTree(data, classBits);
        data.surpluses = _surplusTree(data);
        data.byClass = _salesTree(data, 5, classBits);
        data.byRequest = _salesTree(data, 6, classBits);
        RoundHeader memory header = data.round.header;
        (header.schemaId, header.ordinal, header.attempt) = (spec.schemaId, spec.ordinal, spec.attempt);
        (header.siteBits, header.classBits, header.requestBits) = (spec.siteBits, spec.classBits, spec.requestBits);
        header.totalSales = uint64(data.byClass.total());
        header.seedCommit = keccak256(abi.encodePacked(REVEAL));
        header.dataHash = keccak256("round data");
        header.pricesRoot = data.prices.root();
        header.requestsRoot = data.surpluses.root();
        header.salesByClassRoot = data.byClass.root();
        header.salesByRequestRoot = data.byRequest.root();
    }

    function _priceTree(RoundData memory data, uint256 depth) private pure returns (Tree memory) {
        RoundSpec memory spec = data.spec;
        Sibling[] memory leaves = new Sibling[](spec.prices.length);
        uint64[] memory positions = new uint64[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            positions[i] = spec.pricePositions[i];
            if (spec.prices[i].premium == 0) continue;
            leaves[i].hash = leafHash(3, data.id, positions[i], abi.encode(spec.prices[i]), 0);
        }
        return Trees.make(depth, positions, leaves);
    }

    function _surplusTree(RoundData memory data) private pure returns (Tree memory) {
        RequestLeaf[] memory surpluses = data.spec.surpluses;
        Sibling[] memory leaves = new Sibling[](surpluses.length);
        uint64[] memory positions = new uint64[](leaves.length);
        for (uint256 j = 0; j < leaves.length; ++j) {
            positions[j] = uint64(j);
            if (surpluses[j].surplus == 0 && !surpluses[j].dropped) continue;
            leaves[j].hash = leafHash(4, data.id, j, abi.encode(surpluses[j]), 0);
        }
        return Trees.make(data.spec.requestBits, positions, leaves);
    }

    function _salesTree(RoundData memory data, uint8 kind, uint256 classBits) private pure returns (Tree memory) {
        RoundSpec memory spec = data.spec;
        Sibling[] memory leaves = new Sibling[](spec.classes.length);
        uint64[] memory positions = new uint64[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            uint256 quantity = kind == 5 ? spec.x[i] : spec.y[i];
            uint64 position = kind == 5
                ? (uint64(spec.classes[i]) << spec.requestBits) | spec.requests[i]
                : (uint64(spec.requests[i]) << uint64(classBits)) | spec.classes[i];
            Sibling memory leaf = Sibling(0, 0);
            if (quantity != 0) leaf = Sibling(leafHash(kind, data.id, position, "", quantity), quantity);
            // Insertion keeps the positions in order.
            uint256 slot = i;
            for (; slot > 0 && positions[slot - 1] > position; --slot) {
                (positions[slot], leaves[slot]) = (positions[slot - 1], leaves[slot - 1]);
            }
            (positions[slot], leaves[slot]) = (position, leaf);
        }
        return Trees.make(classBits + spec.requestBits, positions, leaves);
    }

    function post(RoundData memory data) internal {
        vm.prank(market);
        matching.commitRound(data.round.header);
        data.round.posting = Posting(market, uint64(block.timestamp), uint64(block.number));
        roll(3);
    }

    function finalise(RoundData memory data) internal {
        matching.sealSeed(data.round);
        pass(parameters.roundWindow);
        matching.finaliseRound(data.round, REVEAL);
    }

    function postRound(RoundSpec memory spec) internal returns (RoundData memory data) {
        data = draftRound(spec);
        post(data);
    }

    function openPrice(RoundData memory data, uint32 position) internal pure returns (PriceOpening memory opening) {
        opening.position = position;
        for (uint256 i = 0; i < data.spec.prices.length; ++i) {
            bool here = data.spec.pricePositions[i] == position && data.spec.prices[i].premium != 0;
            if (here) opening.leaf = data.spec.prices[i];
        }
        opening.path = data.prices.path(position);
    }

    function openSurplus(RoundData memory data, uint64 requestId, uint32 index) internal pure returns (RequestOpening memory opening) {
        opening.requestId = requestId;
        if (index < data.spec.surpluses.length) opening.leaf = data.spec.surpluses[index];
        opening.path = data.surpluses.path(index);
    }

    function openX(RoundData memory data, uint32 class_, uint32 request) internal pure returns (SalesOpening memory opening) {
        return _openSale(data, data.spec.x, data.byClass, (uint64(class_) << data.spec.requestBits) | request, class_, request);
    }

    function openY(RoundData memory data, uint32 class_, uint32 request) internal pure returns (SalesOpening memory opening) {
        uint64 classBits = uint64(data.spec.siteBits) + data.spec.classBits;
        return _openSale(data, data.spec.y, data.byRequest, (uint64(request) << classBits) | class_, class_, request);
    }

    function _openSale(
        RoundData memory data,
        uint32[] memory quantities,
        Tree memory tree,
        uint64 position,
        uint32 class_,
        uint32 request
    ) private pure returns (SalesOpening memory opening) {
        for (uint256 i = 0; i < quantities.length; ++i) {
            if (data.spec.classes[i] == class_ && data.spec.requests[i] == request) opening.quantity = quantities[i];
        }
        opening.path = tree.path(position);
    }

    function openClassRow(RoundData memory data, uint32 class_) internal pure returns (RowOpening memory) {
        return _openRow(data.byClass, data.spec.requestBits, class_);
    }

    function openRequestRow(RoundData memory data, uint32 request) internal pure returns (RowOpening memory) {
        return _openRow(data.byRequest, uint256(data.spec.siteBits) + data.spec.classBits, request);
    }

    function openSiteRow(RoundData memory data, uint32 request, uint32 site) internal pure returns (RowOpening memory) {
        return _openRow(data.byRequest, data.spec.classBits, (uint256(request) << data.spec.siteBits) | (site - 1));
    }

    function _openRow(Tree memory tree, uint256 height, uint256 index) private pure returns (RowOpening memory) {
        Sibling memory node = tree.node(height, index);
        return RowOpening(node.hash, uint64(node.sum), tree.path(height, index));
    }

    // ---- deliveries -------------------------------------------------------------------------------------------------

    /// What the round's seed draws for the k-th record that a class sells, `turn` counted over all its sales.
    function drawLeaf(
        EpochData memory data,
        uint32 index,
        uint256 start,
        uint256 turn,
        uint32 ordinal,
        bytes32 seed,
        uint128 premium
    ) internal pure returns (DeliveryLeaf memory leaf) {
        ClassLeaf memory class_ = data.classes[index];
        bytes32 key = Feistel.key(seed, data.epoch.header.site, index);
        leaf.localClass = index;
        leaf.memberPosition = uint32(start + Feistel.permute(key, class_.size, uint32(turn % class_.size)));
        uint256 payoutIndex = (uint256(ordinal) * class_.quota + turn / class_.size) % (1 << data.epoch.header.payoutDepth);
        leaf.payoutAddress = payoutAddress(data.members[leaf.memberPosition].pseudonym, payoutIndex);
        leaf.reportHash = keccak256(abi.encode("report", leaf.memberPosition));
        leaf.amount = 2 * class_.rates[1] + premium;
        leaf.effective = 1e9;
    }

    /// Site 1 delivers five records to the first request, three to the second; site 2 delivers one to the second.
    function draftDelivery(
        EpochData memory data,
        RoundData memory round,
        uint64 requestId,
        uint32 attempt
    ) internal view returns (DeliveryData memory delivery) {
        DeliveryHeader memory header = delivery.delivery.header;
        (header.requestId, header.site, header.attempt, header.depth) = (requestId, data.epoch.header.site, attempt, 3);
        header.dataHash = keccak256("delivery data");
        bytes32 seed = matching.seedOf(round.id);
        uint32 ordinal = round.spec.ordinal;
        if (header.site == 1) {
            // Class A sells three to each request, so its second sale takes turns 3 to 5.
            delivery.leaves = new DeliveryLeaf[](requestId == 1 ? 5 : 3);
            for (uint256 k = 0; k < 3; ++k) {
                delivery.leaves[k] = drawLeaf(data, 0, 0, requestId == 1 ? k : 3 + k, ordinal, seed, 0);
            }
            for (uint256 k = 3; k < delivery.leaves.length; ++k) {
                delivery.leaves[k] = drawLeaf(data, 1, 3, k - 3, ordinal, seed, 30);
            }
        } else {
            delivery.leaves = new DeliveryLeaf[](1);
            delivery.leaves[0] = drawLeaf(data, 0, 0, 0, ordinal, seed, 0);
        }
        plant(delivery);
    }

    function plant(DeliveryData memory data) internal view {
        DeliveryHeader memory header = data.delivery.header;
        data.id = evaluation.deliveryIdOf(header.requestId, header.site, header.attempt);
        uint64[] memory positions = new uint64[](data.leaves.length);
        Sibling[] memory leaves = new Sibling[](positions.length);
        (header.amount, header.count, header.effective) = (0, 0, 0);
        for (uint256 i = 0; i < leaves.length; ++i) {
            positions[i] = uint64(i);
            DeliveryLeaf memory leaf = data.leaves[i];
            if (leaf.payoutAddress == address(0)) continue;
            uint256 sum = uint256(leaf.amount) | (1 << 128) | (uint256(leaf.effective) << 160);
            bytes memory payload = abi.encode(leaf.localClass, leaf.memberPosition, leaf.payoutAddress, leaf.reportHash);
            leaves[i] = Sibling(leafHash(7, data.id, i, payload, sum), sum);
            // A hostile amount may be anything; the test then says what its header claims.
            unchecked {
                header.amount += uint112(leaf.amount);
            }
            header.effective += leaf.effective;
            ++header.count;
        }
        data.tree = Trees.make(header.depth, positions, leaves);
        header.root = data.tree.root();
    }

    function domainSeparator(address contract_, uint256 chainId) internal pure returns (bytes32) {
        bytes32 type_ = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(type_, keccak256("EmrMarket"), keccak256("1"), chainId, contract_));
    }

    function digest(address contract_, uint256 chainId, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator(contract_, chainId), structHash));
    }

    function signed(uint256 key, bytes32 digest_) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest_);
        return abi.encodePacked(r, s, v);
    }

    function revocationDigest(address contract_, uint256 chain, uint32 site, bytes32 pseudonym) internal pure returns (bytes32) {
        bytes32 type_ = keccak256("Revocation(uint32 site,bytes32 pseudonym)");
        return digest(contract_, chain, keccak256(abi.encode(type_, site, pseudonym)));
    }

    function revocation(EpochData memory data, uint256 position) internal view returns (Revocation[] memory list) {
        list = new Revocation[](1);
        list[0].epoch = data.epoch;
        list[0].member = openMember(data, position);
        bytes32 message = revocationDigest(address(access), block.chainid, data.epoch.header.site, data.members[position].pseudonym);
        list[0].signature = signed(CONTROLLER_KEY + position, message);
    }

    function receiptHash(bytes32 deliveryId, DeliveryHeader memory header) internal pure returns (bytes32) {
        bytes32 type_ = keccak256(
            "DeliveryReceipt(bytes32 deliveryId,bytes32 root,uint8 depth,uint32 count,uint112 amount,uint96 effective,bytes32 dataHash)"
        );
        return keccak256(
            abi.encode(type_, deliveryId, header.root, header.depth, header.count, header.amount, header.effective, header.dataHash)
        );
    }

    function receipt(DeliveryData memory data) internal view returns (bytes memory) {
        bytes32 structHash = receiptHash(data.id, data.delivery.header);
        return signed(MARKET_KEY, digest(address(evaluation), block.chainid, structHash));
    }

    function post(DeliveryData memory data) internal {
        address account = access.siteAccount(data.delivery.header.site);
        bytes memory signature = receipt(data);
        vm.prank(account);
        evaluation.recordDelivery(data.delivery.header, signature);
        data.delivery.posting = Posting(account, uint64(block.timestamp), uint64(block.number));
    }

    function postFinal(DeliveryData memory data) internal {
        post(data);
        pass(parameters.deliveryWindow);
        evaluation.finaliseDelivery(data.delivery);
    }

    function openSlot(DeliveryData memory data, uint256 slot) internal pure returns (DeliveryOpening memory opening) {
        opening.slot = uint32(slot);
        if (slot < data.leaves.length) opening.leaf = data.leaves[slot];
        opening.path = data.tree.path(slot);
    }

    function slotEvidence(
        EpochData memory epoch,
        RoundData memory round,
        uint32 index,
        uint32 request
    ) internal pure returns (SlotEvidence memory) {
        uint32 position = ((epoch.epoch.header.site - 1) << round.spec.classBits) | index;
        return SlotEvidence({
            round: round.round,
            class_: classEvidence(epoch, index),
            price: openPrice(round, position),
            byRequest: openY(round, position, request),
            byClass: openX(round, position, request)
        });
    }

    // ---- time -------------------------------------------------------------------------------------------------------

    function pass(uint256 seconds_) internal {
        vm.warp(block.timestamp + seconds_);
    }

    function roll(uint256 blocks) internal {
        vm.roll(block.number + blocks);
    }

    /// A cancelled request frees nothing; everything up to the honest round, final, and its deliveries drafted.
    function delivered() internal returns (EpochData[2] memory epochs, RoundData memory round, DeliveryData memory delivery) {
        epochs = finalEpochs();
        openRequests();
        closeBook();
        round = postRound(honestSpec());
        finalise(round);
        delivery = draftDelivery(epochs[0], round, 1, 0);
    }

    function statusOf(ICommitments target, bytes32 id) internal view returns (ICommitments.Status) {
        return target.batchState(id).status;
    }

    function isVoid(ICommitments target, bytes32 id, string memory what) internal view {
        equal(uint256(statusOf(target, id)), uint256(ICommitments.Status.Void), what);
    }
}
