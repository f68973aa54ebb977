// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { IAnonymousTransaction } from "../../contracts/interfaces/IAnonymousTransaction.sol";
import { ICommitments } from "../../contracts/interfaces/ICommitments.sol";
import "../../contracts/Types.sol";
import { Trees } from "./Trees.sol";
import { DeliveryData, EpochData, RoundData, RoundSpec, World } from "./World.sol";

/// Calls of all four contracts, by several actors, in any order: all that move money, end a batch, or say who may act. A refused call changes nothing; an
/// accepted one is written into the accounts below, from token balances and from the rules, never from the contracts' own books.
contract Handler is World {
    struct Money {
        uint256 funded;
        uint256 paid;
        uint256 fees;
        uint256 refunded;
        uint256 expired;
    }

    struct Batch {
        ICommitments target;
        bytes32 id;
        uint256 bond;
        bool open;
    }

    struct OpenDemand {
        uint256 batch;
        uint64 position;
        uint8 kind;
        bool open;
    }

    struct Revoked {
        uint32 site;
        bytes32 pseudonym;
        uint64 time;
    }

    /// Site 1 sells 3, 1 and 3 records to the first three requests, site 2 none.
    uint24 private constant PREPARED_SALES = 0x0313;

    uint256 public locked;
    uint256 public deliveryCount;
    uint256 public roundCount;
    uint256 public epochCount;
    mapping(uint64 requestId => Money) public moneyOf;
    mapping(bytes32 name => uint256) public accepted;
    Batch[] private _batches;
    OpenDemand[] private _demands;
    mapping(uint256 index => Epoch) private _epochs;
    /// whether the two members of an epoch share a pseudonym
    mapping(uint256 index => bool) private _faulty;
    Revoked[] private _revocations;
    mapping(uint32 site => uint32) public latestFinal;
    mapping(uint256 index => Round) private _rounds;
    mapping(uint256 index => Delivery) private _deliveries;
    mapping(uint256 index => DeliveryLeaf[]) private _leaves;
    /// kind of a batch and its index among its kind
    mapping(uint256 batch => uint8) private _kindOf;
    mapping(uint256 batch => uint256) private _indexOf;

    mapping(uint256 index => uint24) private _sales;

    /// Starts behind a final round, so that random calls reach deliveries, claims and refunds; earlier phases come again with every further book.
    constructor() {
        setUp();
        for (uint8 i = 0; i < 3; ++i) {
            openRequest(i, 100, 5, 0);
        }
        closeBookOfRequests();
        commitRound(0, 0, PREPARED_SALES);
        sealSeed(0);
        wait(uint32(parameters.roundWindow - 1), 10);
        finaliseBatch(0);
        require(accepted["finalise"] == 1, "the first round is final");
    }

    function _try(address sender, address target, bytes memory call_, bytes32 name) private returns (bool done) {
        vm.prank(sender);
        (done,) = target.call(call_);
        if (done) ++accepted[name];
    }

    function _add(ICommitments target, bytes32 id, uint256 bond, uint8 kind, uint256 index) private {
        locked += bond;
        _kindOf[_batches.length] = kind;
        _indexOf[_batches.length] = index;
        _batches.push(Batch(target, id, bond, true));
    }

    function _end(uint256 batch) private {
        _batches[batch].open = false;
        locked -= _batches[batch].bond;
    }

    // ---- time and accounts ------------------------------------------------------------------------------------------

    function wait(uint32 seconds_, uint16 blocks) public {
        pass(between(seconds_, 1, 2 days));
        roll(between(blocks, 1, 200));
    }

    function depositAndWithdraw(uint8 who, uint64 amount, bool out) external {
        address account = accountAt(between(who, 0, 5));
        if (out) _try(account, address(payments), abi.encodeCall(payments.withdraw, (between(amount, 0, 10_000))), "withdraw");
        else _try(account, address(payments), abi.encodeCall(payments.deposit, (account, between(amount, 0, 10_000))), "deposit");
    }

    function burn() external {
        _try(relayer, address(payments), abi.encodeCall(payments.burn, ()), "burn");
    }

    // ---- requests and rounds ----------------------------------------------------------------------------------------

    function openRequest(uint8 who, uint8 bid, uint8 target, uint8 minimum) public {
        address researcher = researchers[who % 2];
        uint64 next = matching.requestCount() + 1;
        RequestTerms memory terms_ = terms(vm.toString(next), uint96(between(bid, 10, 200)), uint32(between(target, 1, 8)));
        terms_.minimumRecords = uint32(minimum % 2);
        if (!_try(researcher, address(matching), abi.encodeCall(matching.openRequest, (terms_)), "openRequest")) return;
        moneyOf[next].funded = terms_.budget;
    }

    function cancelRequest(uint8 which) external {
        uint64 requestId = _request(which);
        address researcher = matching.requestOf(requestId).researcher;
        uint256 before = token.balanceOf(researcher);
        _try(researcher, address(matching), abi.encodeCall(matching.cancelRequest, (requestId)), "cancelRequest");
        moneyOf[requestId].refunded += token.balanceOf(researcher) - before;
    }

    function closeBookOfRequests() public {
        _try(market, address(matching), abi.encodeCall(matching.closeBook, (SCHEMA)), "closeBook");
    }

    /// A round with any sales, and now and then a surplus of a request that is not filled.
    function commitRound(uint8 ordinal, uint8 attempt, uint24 sales) public {
        RoundData memory data = draftRound(_spec(uint32(ordinal % 3), uint32(attempt % 3), sales));
        if (!_try(market, address(matching), abi.encodeCall(matching.commitRound, (data.round.header)), "commitRound")) return;
        _rounds[roundCount] = Round(data.round.header, Posting(market, uint64(block.timestamp), uint64(block.number)));
        _sales[roundCount] = sales;
        _add(matching, data.id, parameters.roundBond, 2, roundCount++);
    }

    /// Two bits of `sales` for what the first class of each site sells to each of four requests, and two that plant a fault when both are set.
    function _spec(uint32 ordinal, uint32 attempt, uint24 sales) private pure returns (RoundSpec memory spec) {
        (spec.schemaId, spec.ordinal, spec.attempt) = (SCHEMA, ordinal, attempt);
        (spec.siteBits, spec.classBits, spec.requestBits) = (1, 1, 4);
        (spec.classes, spec.requests, spec.x, spec.y) = (new uint32[](8), new uint32[](8), new uint32[](8), new uint32[](8));
        for (uint32 i = 0; i < 8; ++i) {
            (spec.classes[i], spec.requests[i]) = (2 * (i % 2), i / 2);
            spec.x[i] = spec.y[i] = (sales >> (2 * i)) & 3;
        }
        if ((sales >> 16) & 3 != 3) return spec;
        spec.surpluses = new RequestLeaf[](1);
        spec.surpluses[0].surplus = 1;
    }

    function _round(uint256 index) private view returns (RoundData memory data) {
        RoundHeader memory header = _rounds[index].header;
        data = draftRound(_spec(header.ordinal, header.attempt, _sales[index]));
        data.round = _rounds[index];
    }

    function sealSeed(uint8 which) public {
        if (roundCount == 0) return;
        roll(3);
        _try(relayer, address(matching), abi.encodeCall(matching.sealSeed, (_rounds[which % roundCount])), "sealSeed");
    }

    // ---- epochs and deliveries --------------------------------------------------------------------------------------

    function postEpoch(uint8 site, uint8 number, bool faulty) external {
        EpochData memory data = _draftEpoch(1 + site % 2, 1 + number % 4, faulty);
        EpochHeader memory header = data.epoch.header;
        address account = access.siteAccount(header.site);
        if (!_try(account, address(access), abi.encodeCall(access.postEpoch, (header)), "postEpoch")) return;
        _epochs[epochCount] = Epoch(header, Posting(account, uint64(block.timestamp), uint64(block.number)));
        _faulty[epochCount] = faulty;
        _add(access, data.id, parameters.epochBond, 1, epochCount++);
    }

    /// One class of two members, the same at any time.
    function _draftEpoch(uint32 site, uint32 number, bool faulty) private view returns (EpochData memory data) {
        ClassLeaf[] memory classes = new ClassLeaf[](1);
        classes[0] = classLeaf(2, 1, 10);
        classes[0].expiresAt = uint64(START + 2000 days);
        data = draftEpoch(site, number, classes);
        if (!faulty) return data;
        data.members[1].pseudonym = data.members[0].pseudonym;
        plant(data);
    }

    function _epoch(uint256 index) private view returns (EpochData memory data) {
        EpochHeader memory header = _epochs[index].header;
        data = _draftEpoch(header.site, header.epoch, _faulty[index]);
        data.epoch = _epochs[index];
    }

    function challengeEpoch(uint8 which) external {
        if (epochCount == 0) return;
        uint256 index = which % epochCount;
        EpochData memory data = _epoch(index);
        bytes memory call_ = abi.encodeCall(access.challengeDuplicate, (data.epoch, openMember(data, 0), openMember(data, 1)));
        if (!_try(challenger, address(access), call_, "challengeEpoch")) return;
        require(_faulty[index], "two members are no fault");
        for (uint256 batch = 0; batch < _batches.length; ++batch) {
            if (_kindOf[batch] == 1 && _indexOf[batch] == index) _end(batch);
        }
    }

    function revoke(uint8 which, uint8 position) external {
        if (epochCount == 0) return;
        EpochData memory data = _epoch(which % epochCount);
        Revocation[] memory list = revocation(data, position % 2);
        (uint32 site, bytes32 pseudonym) = (data.epoch.header.site, list[0].member.leaf.pseudonym);
        bool known = access.revokedAt(site, pseudonym) != 0;
        if (!_try(relayer, address(access), abi.encodeCall(access.revoke, (list)), "revoke")) return;
        if (!known) _revocations.push(Revoked(site, pseudonym, uint64(block.timestamp)));
    }

    // ---- who may act ------------------------------------------------------------------------------------------------

    /// Paused now and then, and never in the way of anything but a new request.
    function pauseOrResume(uint8 choice) external {
        _try(consortium, address(access), abi.encodeCall(access.setPaused, (choice % 4 == 0)), "setPaused");
    }

    function setAuditor(uint8 choice) external {
        _try(consortium, address(access), abi.encodeCall(access.setAuditor, (auditor, choice % 4 != 0)), "setAuditor");
    }

    function rotateSite(uint8 site, uint8 account, bool complete) external {
        uint32 subject = 1 + site % 2;
        if (complete) {
            _try(relayer, address(access), abi.encodeCall(access.completeRotation, (subject)), "completeRotation");
        } else {
            _try(
                consortium,
                address(access),
                abi.encodeCall(access.scheduleRotation, (subject, siteAccounts[account % 3])),
                "scheduleRotation"
            );
        }
    }

    function recordFinding(uint8 site, bytes32 content) external {
        _try(auditor, address(evaluation), abi.encodeCall(evaluation.recordFinding, (1 + site % 2, 1, content)), "recordFinding");
    }

    function recordDelivery(uint8 which, uint8 site, uint8 attempt, uint8 count, uint64 seed) external {
        DeliveryData memory data;
        DeliveryHeader memory header = data.delivery.header;
        (header.requestId, header.site, header.attempt, header.depth) = (_request(which), 1 + site % 2, attempt % 3, 2);
        data.leaves = new DeliveryLeaf[](between(count, 1, 4));
        for (uint256 i = 0; i < data.leaves.length; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, deliveryCount, i)));
            // Some slots stay empty, but never all.
            if (i > 0 && random % 4 == 0) continue;
            data.leaves[i] = DeliveryLeaf({
                localClass: 0,
                memberPosition: uint32(i),
                payoutAddress: address(uint160(random)),
                reportHash: bytes32(random),
                amount: uint128(random >> 64) % 150,
                effective: 1e9
            });
        }
        plant(data);
        address account = access.siteAccount(header.site);
        bytes memory call_ = abi.encodeCall(evaluation.recordDelivery, (header, receipt(data)));
        if (!_try(account, address(evaluation), call_, "recordDelivery")) return;
        _deliveries[deliveryCount] = Delivery(header, Posting(account, uint64(block.timestamp), uint64(block.number)));
        for (uint256 i = 0; i < data.leaves.length; ++i) {
            _leaves[deliveryCount].push(data.leaves[i]);
        }
        _add(evaluation, data.id, parameters.deliveryBond, 3, deliveryCount++);
    }

    // ---- the ends of a batch ----------------------------------------------------------------------------------------

    function finaliseBatch(uint8 which) public {
        if (_batches.length == 0) return;
        uint256 batch = which % _batches.length;
        (uint8 kind, uint256 index) = (_kindOf[batch], _indexOf[batch]);
        bytes memory call_;
        if (kind == 1) call_ = abi.encodeCall(access.finaliseEpoch, (_epochs[index]));
        else if (kind == 2) call_ = abi.encodeCall(matching.finaliseRound, (_rounds[index], REVEAL));
        else call_ = abi.encodeCall(evaluation.finaliseDelivery, (_deliveries[index]));
        if (!_try(relayer, address(_batches[batch].target), call_, "finalise")) return;
        _end(batch);
        if (kind != 1) return;
        EpochHeader memory header = _epochs[index].header;
        require(header.epoch > latestFinal[header.site], "an epoch became final after a later one");
        latestFinal[header.site] = header.epoch;
    }

    function voidRound(uint8 which, bool unsealed) public {
        if (_batches.length == 0) return;
        uint256 batch = which % _batches.length;
        if (_kindOf[batch] != 2) return;
        Round memory round = _rounds[_indexOf[batch]];
        bytes memory call_ = unsealed ? abi.encodeCall(matching.voidUnsealed, (round)) : abi.encodeCall(matching.voidUnrevealed, (round));
        if (_try(challenger, address(matching), call_, "voidRound")) _end(batch);
    }

    /// Every slot beyond what the round sold from the site to the request is one too many.
    function challengeDelivery(uint8 which) external {
        if (_batches.length == 0) return;
        uint256 batch = which % _batches.length;
        if (_kindOf[batch] != 3) return;
        uint256 index = _indexOf[batch];
        DeliveryHeader memory header = _deliveries[index].header;
        Request memory request = matching.requestOf(header.requestId);
        (bool found, RoundData memory round) = _finalRoundOf(request);
        if (!found) return;
        RowOpening memory row = openSiteRow(round, request.index, header.site);
        for (uint256 slot = 0; slot < 4 && _batches[batch].open; ++slot) {
            bytes memory call_ = abi.encodeCall(evaluation.challengeExcess, (_deliveries[index], _opening(index, slot), round.round, row));
            if (!_try(challenger, address(evaluation), call_, "challengeDelivery")) continue;
            require(slot >= row.sum, "a record that was sold is no fault");
            _end(batch);
        }
    }

    function challengeRound(uint8 which) external {
        if (_batches.length == 0) return;
        uint256 batch = which % _batches.length;
        if (_kindOf[batch] != 2) return;
        RoundData memory round = _round(_indexOf[batch]);
        uint64 requestId = matching.bookOf(SCHEMA, round.round.header.ordinal).firstRequest;
        bytes memory call_ =
            abi.encodeCall(matching.challengeRequest, (round.round, openSurplus(round, requestId, 0), openRequestRow(round, 0)));
        if (_try(challenger, address(matching), call_, "challengeRound")) _end(batch);
    }

    function _finalRoundOf(Request memory request) private view returns (bool found, RoundData memory round) {
        bytes32 roundId = matching.finalRoundOf(SCHEMA, request.book);
        for (uint256 i = 0; i < roundCount && !found; ++i) {
            RoundHeader memory header = _rounds[i].header;
            found = matching.roundIdOf(SCHEMA, header.ordinal, header.attempt) == roundId;
            if (found) round = _round(i);
        }
    }

    function _tree(uint256 index) private view returns (DeliveryData memory data) {
        data.delivery = _deliveries[index];
        data.leaves = _leaves[index];
        plant(data);
    }

    function _opening(uint256 index, uint256 slot) private view returns (DeliveryOpening memory) {
        return openSlot(_tree(index), slot);
    }

    // ---- demands ----------------------------------------------------------------------------------------------------

    function demandLeaf(uint8 which, uint8 position) external {
        if (_batches.length == 0) return;
        uint256 batch = which % _batches.length;
        (uint8 kind, uint256 index) = (_kindOf[batch], _indexOf[batch]);
        uint8 leafKind = kind == 1 ? 1 : kind == 2 ? 3 : 7;
        uint64 at_ = position % 4;
        bytes memory call_;
        if (kind == 1) call_ = abi.encodeCall(access.demandLeaf, (_epochs[index], leafKind, at_));
        else if (kind == 2) call_ = abi.encodeCall(matching.demandLeaf, (_rounds[index], leafKind, at_));
        else call_ = abi.encodeCall(evaluation.demandLeaf, (_deliveries[index], leafKind, at_));
        if (!_try(auditor, address(_batches[batch].target), call_, "demand")) return;
        locked += parameters.demandDeposit;
        _demands.push(OpenDemand(batch, at_, leafKind, true));
    }

    function answerDemand(uint8 which) external {
        if (_demands.length == 0) return;
        uint256 demand = which % _demands.length;
        OpenDemand memory open_ = _demands[demand];
        uint8 kind = _kindOf[open_.batch];
        uint256 index = _indexOf[open_.batch];
        bytes memory call_;
        if (kind == 2) {
            PriceOpening memory price;
            price.position = uint32(open_.position);
            price.path = Trees.path(Trees.make(2, new uint64[](0), new Sibling[](0)), 0, open_.position);
            call_ = abi.encodeCall(matching.answerPrice, (_rounds[index], price));
        } else if (kind == 3) {
            call_ = abi.encodeCall(evaluation.answerDelivery, (_deliveries[index], _opening(index, open_.position)));
        } else {
            EpochData memory data = _epoch(index);
            call_ = abi.encodeCall(access.answerMember, (data.epoch, openMember(data, open_.position)));
        }
        if (_try(market, address(_batches[open_.batch].target), call_, "answer")) _close(demand);
    }

    function voidUnanswered(uint8 which) public {
        if (_demands.length == 0) return;
        uint256 demand = which % _demands.length;
        OpenDemand memory open_ = _demands[demand];
        (uint8 kind, uint256 index) = (_kindOf[open_.batch], _indexOf[open_.batch]);
        bytes memory call_;
        if (kind == 1) call_ = abi.encodeCall(access.voidUnanswered, (_epochs[index], open_.kind, open_.position));
        else if (kind == 2) call_ = abi.encodeCall(matching.voidUnanswered, (_rounds[index], open_.kind, open_.position));
        else call_ = abi.encodeCall(evaluation.voidUnanswered, (_deliveries[index], open_.kind, open_.position));
        if (!_try(relayer, address(_batches[open_.batch].target), call_, "voidUnanswered")) return;
        _close(demand);
        _end(open_.batch);
    }

    function reclaimDemand(uint8 which) public {
        if (_demands.length == 0) return;
        uint256 demand = which % _demands.length;
        OpenDemand memory open_ = _demands[demand];
        Batch memory batch = _batches[open_.batch];
        bytes memory call_ = abi.encodeCall(batch.target.reclaimDemand, (batch.id, open_.kind, open_.position));
        if (_try(relayer, address(batch.target), call_, "reclaim")) _close(demand);
    }

    function _close(uint256 demand) private {
        require(_demands[demand].open, "a demand ended twice");
        _demands[demand].open = false;
        locked -= parameters.demandDeposit;
    }

    // ---- money out --------------------------------------------------------------------------------------------------

    function claim(uint8 which, uint8 slot) external {
        if (deliveryCount == 0) return;
        uint256 index = which % deliveryCount;
        _claim(index, abi.encodeCall(payments.claim, (_deliveries[index], _opening(index, slot % 4))), "claim");
    }

    function claimMany(uint8 which) external {
        if (deliveryCount == 0) return;
        uint256 index = which % deliveryCount;
        DeliveryLeaf[] memory leaves = _leaves[index];
        _claim(index, abi.encodeCall(payments.claimMany, (_deliveries[index], 0, leaves, new Sibling[](0))), "claimMany");
    }

    function _claim(uint256 index, bytes memory call_, bytes32 name) private {
        Money storage money = moneyOf[_deliveries[index].header.requestId];
        uint256 payeesBefore = paidTo(index);
        uint256 relayerBefore = token.balanceOf(relayer);
        _try(relayer, address(payments), call_, name);
        money.paid += paidTo(index) - payeesBefore;
        money.fees += token.balanceOf(relayer) - relayerBefore;
    }

    function refund(uint8 which) public {
        uint64 requestId = _request(which);
        address researcher = matching.requestOf(requestId).researcher;
        uint256 before = token.balanceOf(researcher);
        _try(relayer, address(payments), abi.encodeCall(payments.refund, (requestId)), "refund");
        moneyOf[requestId].refunded += token.balanceOf(researcher) - before;
    }

    function refundSettled(uint8 which) external {
        uint64 requestId = _request(which);
        Request memory request = matching.requestOf(requestId);
        (bool found, RoundData memory round) = _finalRoundOf(request);
        if (!found) return;
        uint256 before = token.balanceOf(request.researcher);
        bytes memory call_ = abi.encodeCall(payments.refundSettled, (requestId, round.round, openRequestRow(round, request.index)));
        _try(relayer, address(payments), call_, "refundSettled");
        moneyOf[requestId].refunded += token.balanceOf(request.researcher) - before;
    }

    function expire(uint8 which) public {
        uint64 requestId = _request(which);
        uint256 before = payments.balanceOf(patientsFund);
        _try(relayer, address(payments), abi.encodeCall(payments.expire, (requestId)), "expire");
        moneyOf[requestId].expired += payments.balanceOf(patientsFund) - before;
    }

    function _request(uint8 which) private view returns (uint64) {
        return uint64(between(which, 1, matching.requestCount() + 1));
    }

    // ---- what the invariants look at --------------------------------------------------------------------------------

    function accountAt(uint256 index) public view returns (address) {
        address[8] memory accounts = [siteAccounts[0], siteAccounts[1], siteAccounts[2], market, auditor, challenger, relayer, patientsFund];
        return accounts[index];
    }

    function paidTo(uint256 delivery) public view returns (uint256 paid) {
        for (uint256 i = 0; i < _leaves[delivery].length; ++i) {
            paid += token.balanceOf(_leaves[delivery][i].payoutAddress);
        }
    }

    /// Whether every revocation stands with its first time, and every site's newest final epoch is the last that became final.
    function accessStands() external view returns (bool stands) {
        stands = true;
        for (uint256 i = 0; i < _revocations.length; ++i) {
            Revoked memory revoked = _revocations[i];
            stands = stands && access.revokedAt(revoked.site, revoked.pseudonym) == revoked.time;
        }
        for (uint32 site = 1; site <= 2; ++site) {
            stands = stands && access.latestFinalEpoch(site, SCHEMA) == latestFinal[site];
        }
    }

    function leafOf(uint256 delivery, uint256 slot) external view returns (bytes32 id, bool exists, DeliveryLeaf memory leaf) {
        DeliveryHeader memory header = _deliveries[delivery].header;
        id = evaluation.deliveryIdOf(header.requestId, header.site, header.attempt);
        exists = slot < _leaves[delivery].length;
        if (exists) leaf = _leaves[delivery][slot];
    }

    function system() external view returns (address, address, address) {
        return (address(token), address(payments), address(matching));
    }

    /// Long after every deadline, anybody can bring everything to its end.
    function finish() external {
        pass(60 days);
        roll(1000);
        for (uint256 i = 0; i < _demands.length; ++i) {
            if (_demands[i].open) voidUnanswered(uint8(i));
        }
        for (uint256 i = 0; i < _batches.length; ++i) {
            if (!_batches[i].open) continue;
            if (_kindOf[i] == 2) {
                voidRound(uint8(i), true);
                if (_batches[i].open) voidRound(uint8(i), false);
            } else {
                finaliseBatch(uint8(i));
            }
        }
        for (uint256 i = 0; i < _demands.length; ++i) {
            if (_demands[i].open) reclaimDemand(uint8(i));
        }
        uint64 count = matching.requestCount();
        for (uint8 i = 0; i < count; ++i) {
            refund(i);
        }
        pass(400 days);
        for (uint8 i = 0; i < count; ++i) {
            expire(i);
        }
        _try(relayer, address(payments), abi.encodeCall(payments.burn, ()), "burn");
        for (uint256 i = 0; i < 8; ++i) {
            address account = accountAt(i);
            _try(account, address(payments), abi.encodeCall(payments.withdraw, (payments.balanceOf(account))), "withdraw");
        }
    }
}
