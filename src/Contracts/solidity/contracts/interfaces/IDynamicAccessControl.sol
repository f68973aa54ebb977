// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import { ICommitments } from "./ICommitments.sol";
import { ClassOpening, Epoch, EpochHeader, MemberOpening, Revocation } from "../Types.sol";

/// @title Sites, their members and classes by epoch, and revocations
/// @notice Subject 0 of a key rotation is the market; subject s >= 1 is site s. The consortium is a multisignature contract and never changes.
interface IDynamicAccessControl is ICommitments {
    event SiteRegistered(uint32 indexed site, address indexed account, bytes32 profileHash);
    event AuditorSet(address indexed auditor, bool registered);
    event RequestsPaused(bool paused);
    event RotationScheduled(uint32 indexed subject, address indexed account, uint64 notBefore);
    event RotationCompleted(uint32 indexed subject, address indexed account);
    event EpochPosted(bytes32 indexed epochId, uint32 indexed site, bytes32 indexed schemaId, EpochHeader header, address committer);
    event PseudonymRevoked(uint32 indexed site, bytes32 indexed pseudonym, uint64 revokedAt);

    error UnknownSite(uint32 site);
    error AccountInUse(address account);
    error ZeroAddress();
    error NoRotation(uint32 subject);
    error RotationNotDue(uint32 subject, uint256 notBefore);
    /// @notice The epoch before is still posted, or was never posted.
    error PreviousEpochOpen(uint32 epoch);
    error NotCurrentEpoch(uint32 site, bytes32 schemaId, uint32 epoch, uint256 blockNumber);
    error TooManySites(uint256 limit);
    error InvalidSignature(address recovered, address expected);
    error TooManyRevocations(uint256 count, uint256 limit);

    // ---- roles (consortium) ----

    /// @notice Registers a site under the next number, 1, 2, 3, ...
    /// @param account posts epochs and deliveries and pays their bonds; never used before
    /// @param profileHash hash of the site's published profile
    function registerSite(address account, bytes32 profileHash) external returns (uint32 site);

    /// @notice Admits or removes an auditor, who may demand policy leaves and record findings.
    function setAuditor(address auditor, bool registered) external;

    /// @notice Stops or resumes new requests. Nothing else can be paused.
    function setPaused(bool paused) external;

    /// @notice Schedules a new account for a subject; the zero address withdraws the schedule.
    function scheduleRotation(uint32 subject, address account) external;

    /// @notice Completes a rotation whose delay has passed. Anyone.
    function completeRotation(uint32 subject) external;

    // ---- epochs ----

    /// @notice Posts an epoch: by the site, with its bond. The epoch before must be final or void.
    function postEpoch(EpochHeader calldata header) external returns (bytes32 epochId);

    /// @notice Makes an unchallenged epoch final after its window. Anyone. The bond returns.
    function finaliseEpoch(Epoch calldata epoch) external;

    /// @notice Revokes pseudonyms for ever, each by its controller's EIP-712 signature; anyone relays. At most 64 in one call; one that is
    /// revoked already is skipped, so that a front-runner cannot stop a batch.
    function revoke(Revocation[] calldata revocations) external;

    /// @notice Fault: a position in the class's range is empty or names another class.
    function challengeClassRange(Epoch calldata epoch, ClassOpening calldata class_, MemberOpening calldata member) external;

    /// @notice Fault: two positions carry one pseudonym.
    function challengeDuplicate(Epoch calldata epoch, MemberOpening calldata first, MemberOpening calldata second) external;

    /// @notice Fault: the epsilon of the class's high-water grades exceeds the schema's cap, or a grade is not on the ladder.
    function challengeEpsilonCap(Epoch calldata epoch, ClassOpening calldata class_) external;

    /// @notice Fault: the member points to an epoch that is not an earlier final one, or to a position beyond its members.
    /// @param previous the epoch pointed to; ignored when that number is not lower or was never final
    function challengePointer(Epoch calldata epoch, MemberOpening calldata member, Epoch calldata previous) external;

    /// @notice Fault: the leaf pointed to has another pseudonym, or a high-water grade fell since; or the pseudonym stood in a final epoch
    /// between the one pointed to and this one (a history that was skipped).
    /// @param previous a final earlier epoch of the same site and schema
    function challengeHistory(
        Epoch calldata epoch,
        MemberOpening calldata member,
        ClassOpening calldata class_,
        Epoch calldata previous,
        MemberOpening calldata previousMember,
        ClassOpening calldata previousClass
    ) external;

    /// @notice Demands a member (kind 1) or class (kind 2) leaf, with the deposit, in the first half of the window. Sites, auditors, the market.
    function demandLeaf(Epoch calldata epoch, uint8 kind, uint64 position) external;

    /// @notice Opens a demanded member leaf; the deposit goes to the caller.
    function answerMember(Epoch calldata epoch, MemberOpening calldata member) external;

    /// @notice Opens a demanded class leaf; the deposit goes to the caller.
    function answerClass(Epoch calldata epoch, ClassOpening calldata class_) external;

    /// @notice Voids an epoch whose demand stayed unanswered. Anyone; half of the bond goes to the demander.
    function voidUnanswered(Epoch calldata epoch, uint8 kind, uint64 position) external;

    // ---- views ----

    function consortium() external view returns (address);
    function market() external view returns (address);
    function paused() external view returns (bool);
    function siteCount() external view returns (uint32);
    function siteAccount(uint32 site) external view returns (address);
    /// @notice Who may post a site's deliveries, and who must have signed their receipt.
    function accountsFor(uint32 site) external view returns (address account, address market);
    /// @notice The site of an account; 0 when it is none's.
    function siteOf(address account) external view returns (uint32);
    function isAuditor(address account) external view returns (bool);
    function rotationOf(uint32 subject) external view returns (address account, uint64 notBefore);
    function epochIdOf(uint32 site, bytes32 schemaId, uint32 epoch) external view returns (bytes32);
    /// @notice Time of revocation in unix seconds; 0 = not revoked.
    function revokedAt(uint32 site, bytes32 pseudonym) external view returns (uint64);
    /// @notice Largest class count of any epoch posted for the schema: a round's classBits must cover it.
    function maximumClassCount(bytes32 schemaId) external view returns (uint32);
    /// @notice Commitment of the epoch that was the latest final one at the end of a block; reverts NotCurrentEpoch otherwise.
    function currentCommitment(uint32 site, bytes32 schemaId, uint32 epoch, uint64 blockNumber) external view returns (bytes32);
    /// @notice True when the site had a final epoch of the schema at the end of a block.
    function hasEpochAt(uint32 site, bytes32 schemaId, uint64 blockNumber) external view returns (bool);
    /// @notice Latest final epoch, 0 when there is none.
    function latestFinalEpoch(uint32 site, bytes32 schemaId) external view returns (uint32);
}
