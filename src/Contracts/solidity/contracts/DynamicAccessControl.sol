// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import { Commitments } from "./Commitments.sol";
import { IDataEvaluation } from "./interfaces/IDataEvaluation.sol";
import { IDynamicAccessControl } from "./interfaces/IDynamicAccessControl.sol";
import { Epochs } from "./libraries/Epochs.sol";
import { Identifiers } from "./libraries/Identifiers.sol";
import { Leaves } from "./libraries/Leaves.sol";
import { Quality } from "./libraries/Quality.sol";
import { ClassOpening, Contracts, Epoch, EpochHeader, MemberOpening, Parameters, Revocation } from "./Types.sol";

/// @title DynamicAccessControl
/// @notice Who takes part, and on which terms: see IDynamicAccessControl.
contract DynamicAccessControl is IDynamicAccessControl, Commitments, EIP712 {
    /// @dev finalised by number; `latest` is the latest final epoch
    struct Series {
        uint32 latest;
        uint64 firstFinalBlock;
    }

    struct Rotation {
        address account;
        uint64 notBefore;
    }

    bytes32 private constant REVOCATION_TYPE = keccak256("Revocation(uint32 site,bytes32 pseudonym)");
    uint256 private constant MAXIMUM_MEMBER_DEPTH = 24;
    uint256 private constant MAXIMUM_CLASS_DEPTH = 14;
    uint256 private constant MAXIMUM_PAYOUT_DEPTH = 16;
    uint256 private constant MAXIMUM_SITES = 1024;
    uint256 private constant MAXIMUM_REVOCATIONS = 64;

    IDataEvaluation private immutable EVALUATION;
    uint256 private immutable ROTATION_DELAY;

    /// @inheritdoc IDynamicAccessControl
    address public immutable consortium;
    /// @inheritdoc IDynamicAccessControl
    address public market;
    /// @inheritdoc IDynamicAccessControl
    uint32 public siteCount;
    /// @inheritdoc IDynamicAccessControl
    bool public paused;
    /// @inheritdoc IDynamicAccessControl
    mapping(uint32 site => address account) public siteAccount;
    /// @inheritdoc IDynamicAccessControl
    mapping(address account => uint32 site) public siteOf;
    /// @inheritdoc IDynamicAccessControl
    mapping(address account => bool registered) public isAuditor;
    /// @inheritdoc IDynamicAccessControl
    mapping(uint32 subject => Rotation) public rotationOf;
    /// @inheritdoc IDynamicAccessControl
    mapping(bytes32 schemaId => uint32 count) public maximumClassCount;
    /// @inheritdoc IDynamicAccessControl
    mapping(uint32 site => mapping(bytes32 pseudonym => uint64 time)) public revokedAt;
    mapping(uint32 site => mapping(bytes32 schemaId => Series)) private _series;
    /// Block in which a later epoch took the place of a final one.
    mapping(bytes32 epochId => uint64 blockNumber) private _supersededBlock;

    constructor(
        Contracts memory contracts,
        Parameters memory parameters
    ) Commitments(contracts, parameters, parameters.epochWindow, parameters.epochBond) EIP712("EmrMarket", "1") {
        if (parameters.consortium == address(0) || parameters.market == address(0)) revert ZeroAddress();
        consortium = parameters.consortium;
        market = parameters.market;
        EVALUATION = IDataEvaluation(contracts.evaluation);
        ROTATION_DELAY = parameters.rotationDelay;
    }

    modifier onlyConsortium() {
        _onlyConsortium();
        _;
    }

    // ---- roles ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDynamicAccessControl
    function registerSite(address account, bytes32 profileHash) external onlyConsortium returns (uint32 site) {
        _requireFree(account);
        if (siteCount == MAXIMUM_SITES) revert TooManySites(MAXIMUM_SITES);
        site = ++siteCount;
        siteAccount[site] = account;
        siteOf[account] = site;
        emit SiteRegistered(site, account, profileHash);
    }

    /// @inheritdoc IDynamicAccessControl
    function setAuditor(address auditor, bool registered) external onlyConsortium {
        isAuditor[auditor] = registered;
        emit AuditorSet(auditor, registered);
    }

    /// @inheritdoc IDynamicAccessControl
    function setPaused(bool paused_) external onlyConsortium {
        paused = paused_;
        emit RequestsPaused(paused_);
    }

    /// @inheritdoc IDynamicAccessControl
    function scheduleRotation(uint32 subject, address account) external onlyConsortium {
        if (subject > siteCount) revert UnknownSite(subject);
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 notBefore = account == address(0) ? 0 : uint64(block.timestamp + ROTATION_DELAY);
        rotationOf[subject] = Rotation(account, notBefore);
        emit RotationScheduled(subject, account, notBefore);
    }

    /// @inheritdoc IDynamicAccessControl
    function completeRotation(uint32 subject) external {
        Rotation memory rotation = rotationOf[subject];
        if (rotation.account == address(0)) revert NoRotation(subject);
        if (block.timestamp < rotation.notBefore) revert RotationNotDue(subject, rotation.notBefore);
        delete rotationOf[subject];
        if (subject == 0) {
            market = rotation.account;
        } else {
            _requireFree(rotation.account);
            delete siteOf[siteAccount[subject]];
            siteAccount[subject] = rotation.account;
            siteOf[rotation.account] = subject;
        }
        emit RotationCompleted(subject, rotation.account);
    }

    /// @inheritdoc IDynamicAccessControl
    function accountsFor(uint32 site) external view returns (address account, address market_) {
        return (siteAccount[site], market);
    }

    // ---- epochs -----------------------------------------------------------------------------------------------------

    /// @inheritdoc IDynamicAccessControl
    function postEpoch(EpochHeader calldata header) external returns (bytes32 epochId) {
        if (msg.sender != siteAccount[header.site]) revert Unauthorised(msg.sender);
        if (header.memberDepth > MAXIMUM_MEMBER_DEPTH) revert InvalidHeader("memberDepth");
        if (header.classDepth > MAXIMUM_CLASS_DEPTH) revert InvalidHeader("classDepth");
        if (header.payoutDepth > MAXIMUM_PAYOUT_DEPTH) revert InvalidHeader("payoutDepth");
        if (header.memberCount == 0 || header.memberCount > 1 << header.memberDepth) revert InvalidHeader("memberCount");
        if (header.classCount == 0 || header.classCount > 1 << header.classDepth) revert InvalidHeader("classCount");
        if (!EVALUATION.schemaExists(header.schemaId)) revert InvalidHeader("schemaId");
        if (header.epoch == 0) revert InvalidHeader("epoch");
        if (header.epoch > 1) {
            Status status = batchState(epochIdOf(header.site, header.schemaId, header.epoch - 1)).status;
            if (status != Status.Final && status != Status.Void) revert PreviousEpochOpen(header.epoch - 1);
        }
        if (header.classCount > maximumClassCount[header.schemaId]) maximumClassCount[header.schemaId] = header.classCount;

        epochId = Epochs.id(header, address(this));
        _post(epochId, keccak256(abi.encode(header, _posting())));
        emit EpochPosted(epochId, header.site, header.schemaId, header, msg.sender);
        PAYMENTS.lock(msg.sender, BOND);
    }

    /// @inheritdoc IDynamicAccessControl
    function finaliseEpoch(Epoch calldata epoch) external {
        bytes32 epochId = _posted(epoch);
        EpochHeader calldata header = epoch.header;
        Series storage series = _series[header.site][header.schemaId];
        // Time and height fit 64 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 height = uint64(block.number);
        if (series.latest == 0) series.firstFinalBlock = height;
        else _supersededBlock[epochIdOf(header.site, header.schemaId, series.latest)] = height;
        series.latest = header.epoch;
        _finalise(epochId, epoch.posting);
    }

    /// @inheritdoc IDynamicAccessControl
    function revoke(Revocation[] calldata revocations) external {
        if (revocations.length > MAXIMUM_REVOCATIONS) revert TooManyRevocations(revocations.length, MAXIMUM_REVOCATIONS);
        for (uint256 i = 0; i < revocations.length; ++i) {
            _revoke(revocations[i]);
        }
    }

    // ---- challenges -------------------------------------------------------------------------------------------------

    /// @inheritdoc IDynamicAccessControl
    function challengeClassRange(Epoch calldata epoch, ClassOpening calldata class_, MemberOpening calldata member) external {
        bytes32 epochId = _posted(epoch);
        uint256 start = Epochs.openClass(epochId, epoch.header, class_);
        Epochs.openMember(epochId, epoch.header, member);
        if (member.position < start || member.position >= start + class_.leaf.size) revert Unrelated();
        if (member.leaf.pseudonym != 0 && member.leaf.localClass == class_.index) revert NoFault();
        _void(epochId, Fault.ClassRange, msg.sender);
    }

    /// @inheritdoc IDynamicAccessControl
    function challengeDuplicate(Epoch calldata epoch, MemberOpening calldata first, MemberOpening calldata second) external {
        bytes32 epochId = _posted(epoch);
        Epochs.openMember(epochId, epoch.header, first);
        Epochs.openMember(epochId, epoch.header, second);
        bool equal = first.leaf.pseudonym == second.leaf.pseudonym && first.leaf.pseudonym != 0;
        if (!equal || first.position == second.position) revert NoFault();
        _void(epochId, Fault.DuplicatePseudonym, msg.sender);
    }

    /// @inheritdoc IDynamicAccessControl
    function challengeEpsilonCap(Epoch calldata epoch, ClassOpening calldata class_) external {
        bytes32 epochId = _posted(epoch);
        Epochs.openClass(epochId, epoch.header, class_);
        (uint256 micro, uint256 capMicro) = EVALUATION.epsilonOf(epoch.header.schemaId, class_.leaf.highWater);
        if (micro <= capMicro) revert NoFault();
        _void(epochId, Fault.EpsilonCap, msg.sender);
    }

    /// @inheritdoc IDynamicAccessControl
    function challengePointer(Epoch calldata epoch, MemberOpening calldata member, Epoch calldata previous) external {
        bytes32 epochId = _posted(epoch);
        EpochHeader calldata header = epoch.header;
        Epochs.openMember(epochId, header, member);
        uint32 number = member.leaf.previousEpoch;
        if (number == 0) revert NoFault();
        if (number < header.epoch) {
            bytes32 previousId = epochIdOf(header.site, header.schemaId, number);
            if (batchState(previousId).status == Status.Final) {
                _requireKnown(previousId, keccak256(abi.encode(previous)));
                if (member.leaf.previousPosition < previous.header.memberCount) revert NoFault();
            }
        }
        _void(epochId, Fault.HistoryPointer, msg.sender);
    }

    /// @inheritdoc IDynamicAccessControl
    function challengeHistory(
        Epoch calldata epoch,
        MemberOpening calldata member,
        ClassOpening calldata class_,
        Epoch calldata previous,
        MemberOpening calldata previousMember,
        ClassOpening calldata previousClass
    ) external {
        bytes32 epochId = _posted(epoch);
        Epochs.openMember(epochId, epoch.header, member);
        bytes32 previousId = _earlierFinal(epoch.header, previous);
        Epochs.openMember(previousId, previous.header, previousMember);
        bool samePerson = member.leaf.pseudonym == previousMember.leaf.pseudonym;

        if (previous.header.epoch == member.leaf.previousEpoch && previousMember.position == member.leaf.previousPosition) {
            if (!samePerson) return _void(epochId, Fault.HistoryPointer, msg.sender);
            Epochs.openClass(epochId, epoch.header, class_);
            Epochs.openClass(previousId, previous.header, previousClass);
            bool theirClasses = class_.index == member.leaf.localClass && previousClass.index == previousMember.leaf.localClass;
            if (!theirClasses) revert Unrelated();
            if (!_falls(previousClass.leaf.highWater, class_.leaf.highWater)) revert NoFault();
            return _void(epochId, Fault.HighWaterFell, msg.sender);
        }
        bool skipped = samePerson && member.leaf.pseudonym != 0 && previous.header.epoch > member.leaf.previousEpoch;
        if (!skipped) revert NoFault();
        _void(epochId, Fault.HistorySkipped, msg.sender);
    }

    // ---- data availability ------------------------------------------------------------------------------------------

    /// @inheritdoc IDynamicAccessControl
    function demandLeaf(Epoch calldata epoch, uint8 kind, uint64 position) external {
        bytes32 epochId = _posted(epoch);
        // Leaves of policies are for those who mirror them anyway.
        bool entitled = siteOf[msg.sender] != 0 || isAuditor[msg.sender] || msg.sender == market;
        if (!entitled) revert Unauthorised(msg.sender);
        if (kind != Leaves.MEMBER && kind != Leaves.CLASS) revert UnknownKind(kind);
        uint8 depth = kind == Leaves.MEMBER ? epoch.header.memberDepth : epoch.header.classDepth;
        _demand(epochId, epoch.posting, kind, position, 1 << depth);
    }

    /// @inheritdoc IDynamicAccessControl
    function answerMember(Epoch calldata epoch, MemberOpening calldata member) external {
        bytes32 epochId = _posted(epoch);
        Epochs.openMember(epochId, epoch.header, member);
        _answer(epochId, Leaves.MEMBER, member.position);
    }

    /// @inheritdoc IDynamicAccessControl
    function answerClass(Epoch calldata epoch, ClassOpening calldata class_) external {
        bytes32 epochId = _posted(epoch);
        Epochs.openClass(epochId, epoch.header, class_);
        _answer(epochId, Leaves.CLASS, class_.index);
    }

    /// @inheritdoc IDynamicAccessControl
    function voidUnanswered(Epoch calldata epoch, uint8 kind, uint64 position) external {
        _voidUnanswered(_posted(epoch), kind, position);
    }

    // ---- views ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDynamicAccessControl
    function epochIdOf(uint32 site, bytes32 schemaId, uint32 epoch) public view returns (bytes32) {
        return Identifiers.epoch(address(this), site, schemaId, epoch);
    }

    /// @inheritdoc IDynamicAccessControl
    function currentCommitment(uint32 site, bytes32 schemaId, uint32 epoch, uint64 blockNumber) external view returns (bytes32) {
        bytes32 epochId = epochIdOf(site, schemaId, epoch);
        BatchState memory state = batchState(epochId);
        uint64 superseded = _supersededBlock[epochId];
        bool current = state.status == Status.Final && state.finalisedBlock <= blockNumber && (superseded == 0 || superseded > blockNumber);
        if (!current) revert NotCurrentEpoch(site, schemaId, epoch, blockNumber);
        return commitmentOf[epochId];
    }

    /// @inheritdoc IDynamicAccessControl
    function hasEpochAt(uint32 site, bytes32 schemaId, uint64 blockNumber) external view returns (bool) {
        uint64 first = _series[site][schemaId].firstFinalBlock;
        return first != 0 && first <= blockNumber;
    }

    /// @inheritdoc IDynamicAccessControl
    function latestFinalEpoch(uint32 site, bytes32 schemaId) external view returns (uint32) {
        return _series[site][schemaId].latest;
    }

    // ---- inside -----------------------------------------------------------------------------------------------------

    function _onlyConsortium() private view {
        if (msg.sender != consortium) revert Unauthorised(msg.sender);
    }

    function _requireFree(address account) private view {
        if (account == address(0)) revert ZeroAddress();
        if (siteOf[account] != 0) revert AccountInUse(account);
    }

    function _posted(Epoch calldata epoch) private view returns (bytes32 epochId) {
        epochId = Epochs.id(epoch.header, address(this));
        _requirePosted(epochId, keccak256(abi.encode(epoch)));
    }

    function _earlierFinal(EpochHeader calldata header, Epoch calldata previous) private view returns (bytes32 previousId) {
        EpochHeader calldata earlier = previous.header;
        bool related = earlier.site == header.site && earlier.schemaId == header.schemaId && earlier.epoch < header.epoch;
        if (!related) revert Unrelated();
        previousId = Epochs.id(earlier, address(this));
        _requireFinal(previousId, keccak256(abi.encode(previous)));
    }

    function _revoke(Revocation calldata revocation) private {
        EpochHeader calldata header = revocation.epoch.header;
        bytes32 epochId = Epochs.id(header, address(this));
        _requireKnown(epochId, keccak256(abi.encode(revocation.epoch)));
        Status status = batchState(epochId).status;
        // A posted epoch is enough: withdrawing must not wait for a window.
        if (status == Status.Void) revert NotFinal(epochId, status);
        Epochs.openMember(epochId, header, revocation.member);
        bytes32 pseudonym = revocation.member.leaf.pseudonym;
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REVOCATION_TYPE, header.site, pseudonym)));
        (address signer,,) = ECDSA.tryRecover(digest, revocation.signature);
        address controller = revocation.member.leaf.controller;
        if (signer != controller || signer == address(0)) revert InvalidSignature(signer, controller);
        if (revokedAt[header.site][pseudonym] != 0) return;
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 time = uint64(block.timestamp);
        revokedAt[header.site][pseudonym] = time;
        emit PseudonymRevoked(header.site, pseudonym, time);
    }

    /// True when some attribute's grade in `later` is below the one in `earlier`.
    function _falls(uint256 earlier, uint256 later) private pure returns (bool) {
        for (uint256 attribute = 0; attribute < Quality.MAXIMUM_ATTRIBUTES; ++attribute) {
            if (Quality.nibble(later, attribute) < Quality.nibble(earlier, attribute)) return true;
        }
        return false;
    }
}
