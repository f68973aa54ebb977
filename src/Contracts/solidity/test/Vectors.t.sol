// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "../contracts/Types.sol";
import { Libraries } from "./support/Libraries.sol";
import { Tree, Trees } from "./support/Trees.sol";
import { World } from "./support/World.sol";

/// The libraries and the test suite's own builders against docs/vectors, which neither of them made.
contract VectorsTest is World {
    string private constant FOLDER = "../../../docs/vectors/";
    Libraries private libraries;

    function setUp() public override {
        super.setUp();
        libraries = new Libraries();
    }

    function number(string memory json, string memory key) private pure returns (uint256) {
        return vm.parseJsonUint(json, key);
    }

    function item(string memory list, uint256 index) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(index), "]");
    }

    function test_Identifiers_ofTheVectors_areReproduced() public {
        string memory json = vm.readFile(string.concat(FOLDER, "ids.json"));
        vm.chainId(number(json, ".chainId"));
        bytes32 schemaId = vm.parseJsonBytes32(json, ".schemaId");
        equal(
            libraries.epochId(vm.parseJsonAddress(json, ".contracts.accessControl"), 3, schemaId, 7),
            vm.parseJsonBytes32(json, ".epoch.id"),
            "epoch"
        );
        equal(
            libraries.roundId(vm.parseJsonAddress(json, ".contracts.matching"), schemaId, 4, 1),
            vm.parseJsonBytes32(json, ".round.id"),
            "round"
        );
        equal(
            libraries.deliveryId(vm.parseJsonAddress(json, ".contracts.evaluation"), 12, 3, 2),
            vm.parseJsonBytes32(json, ".delivery.id"),
            "delivery"
        );
    }

    function test_Leaves_ofTheVectors_areReproduced() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "leaves.json"));
        for (uint256 i = 0; i < 8; ++i) {
            string memory at_ = item(".leaves", i);
            bytes32 rootId = vm.parseJsonBytes32(json, string.concat(at_, ".rootId"));
            uint64 position = uint64(number(json, string.concat(at_, ".position")));
            (bytes32 hash, uint256 sum) = _leaf(json, i, string.concat(at_, ".fields"), rootId, position);
            equal(hash, vm.parseJsonBytes32(json, string.concat(at_, ".hash")), at_);
            equal(sum, number(json, string.concat(at_, ".sum")), at_);
        }
    }

    function _leaf(
        string memory json,
        uint256 i,
        string memory at_,
        bytes32 rootId,
        uint64 position
    ) private view returns (bytes32, uint256) {
        if (i == 0) {
            MemberLeaf memory leaf;
            leaf.pseudonym = vm.parseJsonBytes32(json, string.concat(at_, ".pseudonym"));
            leaf.controller = vm.parseJsonAddress(json, string.concat(at_, ".controller"));
            leaf.localClass = uint32(number(json, string.concat(at_, ".localClass")));
            leaf.payoutRoot = vm.parseJsonBytes32(json, string.concat(at_, ".payoutRoot"));
            leaf.previousEpoch = uint32(number(json, string.concat(at_, ".previousEpoch")));
            leaf.previousPosition = uint32(number(json, string.concat(at_, ".previousPosition")));
            leaf.salt = vm.parseJsonBytes32(json, string.concat(at_, ".salt"));
            return libraries.member(rootId, position, leaf);
        }
        if (i == 1) {
            ClassLeaf memory leaf;
            leaf.size = uint32(number(json, string.concat(at_, ".size")));
            leaf.quota = uint16(number(json, string.concat(at_, ".quota")));
            leaf.ceilings = number(json, string.concat(at_, ".ceilings"));
            leaf.highWater = number(json, string.concat(at_, ".highWater"));
            for (uint256 t = 0; t < 4; ++t) {
                leaf.rates[t] = uint96(number(json, item(string.concat(at_, ".rates"), t)));
            }
            leaf.purposes = number(json, string.concat(at_, ".purposes"));
            leaf.expiresAt = uint64(number(json, string.concat(at_, ".expiresAt")));
            leaf.publicCell = vm.parseJsonBytes32(json, string.concat(at_, ".publicCell"));
            return libraries.class_(rootId, position, leaf);
        }
        if (i == 2) {
            PriceLeaf memory leaf;
            leaf.premium = uint128(number(json, string.concat(at_, ".premium")));
            leaf.supportRequest = uint32(number(json, string.concat(at_, ".supportRequest")));
            leaf.supportClass = uint32(number(json, string.concat(at_, ".supportClass")));
            leaf.rank = uint32(number(json, string.concat(at_, ".rank")));
            return libraries.price(rootId, position, leaf);
        }
        if (i == 3) {
            RequestLeaf memory leaf =
                RequestLeaf(uint128(number(json, string.concat(at_, ".surplus"))), vm.parseJsonBool(json, string.concat(at_, ".dropped")));
            return libraries.request(rootId, position, leaf);
        }
        if (i < 6) {
            return libraries.sales(i == 4 ? 5 : 6, rootId, position, uint32(number(json, string.concat(at_, ".quantity"))));
        }
        if (i == 6) return libraries.delivery(rootId, position, _deliveryLeaf(json, at_));
        return libraries.payout(rootId, position, vm.parseJsonAddress(json, string.concat(at_, ".payoutAddress")));
    }

    function _deliveryLeaf(string memory json, string memory at_) private pure returns (DeliveryLeaf memory leaf) {
        leaf.localClass = uint32(number(json, string.concat(at_, ".localClass")));
        leaf.memberPosition = uint32(number(json, string.concat(at_, ".memberPosition")));
        leaf.payoutAddress = vm.parseJsonAddress(json, string.concat(at_, ".payoutAddress"));
        leaf.reportHash = vm.parseJsonBytes32(json, string.concat(at_, ".reportHash"));
        leaf.amount = uint128(number(json, string.concat(at_, ".amount")));
        leaf.effective = uint96(number(json, string.concat(at_, ".effective")));
    }

    function test_Nodes_ofTheVectors_areReproduced() public {
        string memory json = vm.readFile(string.concat(FOLDER, "trees.json"));
        for (uint256 i = 0; i < 2; ++i) {
            string memory at_ = item(".nodes", i);
            bytes32 hash = libraries.node(
                vm.parseJsonBytes32(json, string.concat(at_, ".left.hash")),
                number(json, string.concat(at_, ".left.sum")),
                vm.parseJsonBytes32(json, string.concat(at_, ".right.hash")),
                number(json, string.concat(at_, ".right.sum"))
            );
            equal(hash, vm.parseJsonBytes32(json, string.concat(at_, ".hash")), at_);
        }
        for (uint256 i = 0; i < 4; ++i) {
            uint256[] memory pair = vm.parseJsonUintArray(json, item(".sumOverflows", i));
            vm.expectRevert();
            libraries.add(pair[0], pair[1]);
        }
        bytes32[] memory emptyRoots = vm.parseJsonBytes32Array(json, ".emptyRoots");
        Tree memory tree = Trees.make(36, new uint64[](0), new Sibling[](0));
        for (uint256 height = 0; height <= 36; ++height) {
            equal(tree.emptyRoots[height], emptyRoots[height], "empty subtree");
        }
    }

    function test_Openings_ofTheVectors_verify() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "trees.json"));
        for (uint256 i = 0; i < 4; ++i) {
            _openings(json, item(".sales", i));
        }
        for (uint256 i = 0; i < 2; ++i) {
            _openings(json, item(".deliveries", i));
        }
    }

    function _openings(string memory json, string memory at_) private view {
        for (uint256 i = 0; vm.keyExistsJson(json, item(string.concat(at_, ".openings"), i)); ++i) {
            _opening(json, at_, item(string.concat(at_, ".openings"), i));
        }
    }

    function _opening(string memory json, string memory at_, string memory opening) private view {
        uint256 height = number(json, string.concat(opening, ".height"));
        uint256 depth = number(json, string.concat(at_, ".depth")) - height;
        Sibling[] memory path = new Sibling[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            string memory step = item(string.concat(opening, ".path"), i);
            path[i] = Sibling(vm.parseJsonBytes32(json, string.concat(step, ".hash")), number(json, string.concat(step, ".sum")));
        }
        uint256 prefix = libraries.verify(
            vm.parseJsonBytes32(json, string.concat(at_, ".root")),
            number(json, string.concat(at_, ".sum")),
            depth,
            vm.parseJsonBytes32(json, string.concat(opening, ".hash")),
            number(json, string.concat(opening, ".sum")),
            number(json, string.concat(opening, ".position")),
            path,
            depth
        );
        equal(prefix, number(json, string.concat(opening, ".prefix")), opening);
    }

    function test_TestTrees_ofTheVectors_areReproduced() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "trees.json"));
        bytes32 rootId = vm.parseJsonBytes32(json, ".deliveries[1].rootId");
        uint64[] memory positions = new uint64[](70);
        Sibling[] memory leaves = new Sibling[](70);
        for (uint256 i = 0; i < 70; ++i) {
            positions[i] = uint64(i);
            DeliveryLeaf memory leaf = _deliveryLeaf(json, item(".deliveries[1].leaves", i));
            (leaves[i].hash, leaves[i].sum) = libraries.delivery(rootId, uint64(i), leaf);
        }
        Tree memory tree = Trees.make(7, positions, leaves);
        equal(Trees.root(tree), vm.parseJsonBytes32(json, ".deliveries[1].root"), "root");
        equal(Trees.total(tree), number(json, ".deliveries[1].sum"), "sum");
    }

    function test_Rounding_ofTheVectors_isReproduced() public {
        string memory json = vm.readFile(string.concat(FOLDER, "rounding.json"));
        bytes32 schemaId = keccak256("rounding");
        uint256[] memory ladder = vm.parseJsonUintArray(json, ".schema.ladderMicro");
        uint256[] memory quality = vm.parseJsonUintArray(json, ".schema.quality");
        vm.prank(consortium);
        evaluation.publishSchema(
            schemaId, uint128(number(json, ".schema.tiers")), uint64(number(json, ".schema.capMicro")), _narrow(ladder), _narrow(quality)
        );
        for (uint256 i = 0; vm.keyExistsJson(json, item(".quotes", i)); ++i) {
            _quote(json, item(".quotes", i), schemaId);
        }
        for (uint256 i = 0; vm.keyExistsJson(json, item(".bonds", i)); ++i) {
            string memory at_ = item(".bonds", i);
            (uint256 reward, uint256 burned) = libraries.splitBond(number(json, string.concat(at_, ".bond")));
            equal(reward, number(json, string.concat(at_, ".reward")), at_);
            equal(burned, number(json, string.concat(at_, ".burned")), at_);
        }
    }

    function _narrow(uint256[] memory wide) private pure returns (uint32[] memory narrow) {
        narrow = new uint32[](wide.length);
        for (uint256 i = 0; i < wide.length; ++i) {
            narrow[i] = uint32(wide[i]);
        }
    }

    function _field(string memory json, string memory at_, string memory name) private pure returns (uint256) {
        return number(json, string.concat(at_, ".", name));
    }

    function _quote(string memory json, string memory at_, bytes32 schemaId) private view {
        uint96[4] memory rates;
        for (uint256 t = 0; t < 4; ++t) {
            rates[t] = uint96(number(json, item(string.concat(at_, ".rates"), t)));
        }
        (bool admissible, uint256 ask, uint256 score) = evaluation.quote(
            schemaId, _field(json, at_, "ceilings"), rates, _field(json, at_, "minimumGrades"), _field(json, at_, "topGrades")
        );
        holds(admissible == vm.parseJsonBool(json, string.concat(at_, ".admissible")), at_);
        equal(ask, _field(json, at_, "ask"), at_);
        equal(score, _field(json, at_, "score"), at_);
        uint256 value = libraries.value(_field(json, at_, "bid"), score);
        equal(value, _field(json, at_, "value"), at_);
        equalSigned(int256(value) - int256(ask), vm.parseJsonInt(json, string.concat(at_, ".weight")), at_);
        equal(ask + _field(json, at_, "premium"), _field(json, at_, "payment"), at_);
        _capacity(json, at_, schemaId);
    }

    function _capacity(string memory json, string memory at_, bytes32 schemaId) private view {
        uint256 highest = evaluation.maximumScore(schemaId, _field(json, at_, "minimumGrades"), _field(json, at_, "topGrades"));
        equal(highest, _field(json, at_, "maximumScore"), at_);
        uint256 capacity = libraries.capacity(
            _field(json, at_, "budget"),
            _field(json, at_, "bid"),
            highest,
            _field(json, at_, "relayFee"),
            _field(json, at_, "targetRecords")
        );
        equal(capacity, _field(json, at_, "capacity"), at_);
    }

    function test_Permutations_ofTheVectors_areReproduced() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "feistel.json"));
        bytes32 seed = keccak256(abi.encodePacked(vm.parseJsonBytes32(json, ".reveal"), vm.parseJsonBytes32(json, ".blockHash")));
        equal(seed, vm.parseJsonBytes32(json, ".seed"), "seed");
        for (uint256 i = 0; vm.keyExistsJson(json, item(".permutations", i)); ++i) {
            string memory at_ = item(".permutations", i);
            bytes32 key = libraries.key(
                seed, uint32(number(json, string.concat(at_, ".site"))), uint32(number(json, string.concat(at_, ".localClass")))
            );
            equal(key, vm.parseJsonBytes32(json, string.concat(at_, ".key")), at_);
            uint32 size = uint32(number(json, string.concat(at_, ".size")));
            uint256[] memory image = vm.parseJsonUintArray(json, string.concat(at_, ".image"));
            for (uint32 x = 0; x < size; ++x) {
                equal(libraries.permute(key, size, x), image[x], at_);
            }
        }
        for (uint256 i = 0; vm.keyExistsJson(json, item(".large", i)); ++i) {
            string memory at_ = item(".large", i);
            bytes32 key = vm.parseJsonBytes32(json, string.concat(at_, ".key"));
            uint256[] memory inputs = vm.parseJsonUintArray(json, string.concat(at_, ".inputs"));
            uint256[] memory outputs = vm.parseJsonUintArray(json, string.concat(at_, ".outputs"));
            uint32 size = uint32(number(json, string.concat(at_, ".size")));
            for (uint256 x = 0; x < inputs.length; ++x) {
                equal(libraries.permute(key, size, uint32(inputs[x])), outputs[x], at_);
            }
        }
    }

    function test_CommitmentsAndDigests_ofTheVectors_areReproduced() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "headers.json"));
        Posting memory posting = Posting(address(0xd4), 1_800_000_000, 99);
        bytes32 schemaId = keccak256("schema");
        EpochHeader memory epoch = EpochHeader({
            site: 3,
            schemaId: schemaId,
            epoch: 7,
            memberDepth: 9,
            classDepth: 4,
            payoutDepth: 6,
            memberCount: 400,
            classCount: 12,
            membersRoot: keccak256("members"),
            classesRoot: keccak256("classes"),
            dataHash: keccak256("epoch data")
        });
        equal(keccak256(abi.encode(Epoch(epoch, posting))), vm.parseJsonBytes32(json, ".epoch.commitment"), "epoch");
        RoundHeader memory round = RoundHeader({
            schemaId: schemaId,
            ordinal: 4,
            attempt: 1,
            siteBits: 2,
            classBits: 3,
            requestBits: 3,
            totalSales: 1234,
            seedCommit: keccak256(abi.encodePacked(keccak256("reveal"))),
            dataHash: keccak256("round data"),
            pricesRoot: keccak256("prices"),
            requestsRoot: keccak256("requests"),
            salesByClassRoot: keccak256("x"),
            salesByRequestRoot: keccak256("y")
        });
        equal(keccak256(abi.encode(Round(round, posting))), vm.parseJsonBytes32(json, ".round.commitment"), "round");
        DeliveryHeader memory delivery = DeliveryHeader({
            requestId: 12,
            site: 3,
            attempt: 2,
            depth: 7,
            count: 70,
            amount: 72_415,
            effective: 35_000_002_415,
            root: keccak256("delivery"),
            dataHash: keccak256("delivery data")
        });
        equal(keccak256(abi.encode(Delivery(delivery, posting))), vm.parseJsonBytes32(json, ".delivery.commitment"), "delivery");

        address contract_ = vm.parseJsonAddress(json, ".revocation.contract");
        bytes32 revocation =
            keccak256(abi.encode(keccak256("Revocation(uint32 site,bytes32 pseudonym)"), uint32(3), keccak256("pseudonym")));
        equal(digest(contract_, 31_337, revocation), vm.parseJsonBytes32(json, ".revocation.digest"), "revocation");
        bytes32 receipt_ = receiptHash(vm.parseJsonBytes32(json, ".receipt.deliveryId"), delivery);
        equal(
            digest(vm.parseJsonAddress(json, ".receipt.contract"), 31_337, receipt_),
            vm.parseJsonBytes32(json, ".receipt.digest"),
            "receipt"
        );
    }
}
