using System.Numerics;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Model;

/// <content>DynamicAccessControl: roles, epochs, revocations.</content>
public sealed partial class LedgerModel
{
    private const int MaximumSites = 1024;
    private const int MaximumRevocations = 64;
    private const int MaximumMemberDepth = 24;
    private const int MaximumClassDepth = 14;
    private const int MaximumPayoutDepth = 16;

    private readonly List<Address> _sites = [];
    private readonly HashSet<Address> _auditors = [];
    private readonly Dictionary<uint, (Address Account, ulong NotBefore)> _rotations = [];
    private readonly Dictionary<(uint Site, Bytes32 Schema), List<(uint Epoch, ulong Block)>> _finalEpochs = [];
    private readonly Dictionary<Bytes32, uint> _maximumClassCount = [];
    private readonly Dictionary<(uint Site, Bytes32 Pseudonym), ulong> _revokedAt = [];

    /// <summary>The market's account.</summary>
    public Address Market { get; private set; }

    /// <summary>Whether new requests are stopped.</summary>
    public bool Paused { get; private set; }

    /// <summary>Number of registered sites.</summary>
    public uint SiteCount => (uint)_sites.Count;

    /// <summary>Registers a site under the next number.</summary>
    public void RegisterSite(CallContext context, Address account, Bytes32 profileHash)
    {
        ArgumentNullException.ThrowIfNull(context);
        Rules rules = Consortium(context);
        RequireUnused(account, rules);
        rules.Require(_sites.Count < MaximumSites, "TooManySites", (BigInteger)MaximumSites).Check();
        _sites.Add(account);
        _events.Add(new SiteRegisteredEvent(SiteCount, account, profileHash));
    }

    /// <summary>Admits or removes an auditor.</summary>
    public void SetAuditor(CallContext context, Address auditor, bool registered)
    {
        ArgumentNullException.ThrowIfNull(context);
        Consortium(context).Check();
        _ = registered ? _auditors.Add(auditor) : _auditors.Remove(auditor);
        _events.Add(new AuditorSetEvent(auditor, registered));
    }

    /// <summary>Stops or resumes new requests.</summary>
    public void SetPaused(CallContext context, bool paused)
    {
        ArgumentNullException.ThrowIfNull(context);
        Consortium(context).Check();
        Paused = paused;
        _events.Add(new RequestsPausedEvent(paused));
    }

    /// <summary>Schedules a new account for the market (0) or a site.</summary>
    public void ScheduleRotation(CallContext context, uint subject, Address account)
    {
        ArgumentNullException.ThrowIfNull(context);
        Consortium(context).Require(subject <= SiteCount, "UnknownSite", subject).Check();
        ulong notBefore = account == Address.Zero ? 0 : context.Timestamp + _parameters.RotationDelay;
        _rotations[subject] = (account, notBefore);
        _events.Add(new RotationScheduledEvent(subject, account, notBefore));
    }

    /// <summary>Completes a rotation whose delay has passed.</summary>
    public void CompleteRotation(CallContext context, uint subject)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Address account, ulong notBefore) = _rotations.GetValueOrDefault(subject);
        new Rules().Require(account != Address.Zero, "NoRotation", subject).Check();
        Rules rules = new Rules().Require(context.Timestamp >= notBefore, "RotationNotDue", subject, (BigInteger)notBefore);
        if (subject > 0)
        {
            RequireUnused(account, rules);
        }

        rules.Check();
        _rotations.Remove(subject);
        if (subject == 0)
        {
            Market = account;
        }
        else
        {
            _sites[(int)subject - 1] = account;
        }

        _events.Add(new RotationCompletedEvent(subject, account));
    }

    /// <summary>Posts an epoch.</summary>
    public void PostEpoch(CallContext context, EpochHeader header)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(header);
        Rules rules = new Rules()
            .Require(header.Site >= 1 && header.Site <= SiteCount && _sites[(int)header.Site - 1] == context.Sender, "Unauthorised",
                context.Sender)
            .Require(header.MemberDepth <= MaximumMemberDepth, "InvalidHeader", "memberDepth")
            .Require(header.ClassDepth <= MaximumClassDepth, "InvalidHeader", "classDepth")
            .Require(header.PayoutDepth <= MaximumPayoutDepth, "InvalidHeader", "payoutDepth")
            .Require(header.MemberCount > 0 && header.MemberCount <= BigInteger.One << header.MemberDepth, "InvalidHeader", "memberCount")
            .Require(header.ClassCount > 0 && header.ClassCount <= BigInteger.One << header.ClassDepth, "InvalidHeader", "classCount")
            .Require(_schemas.ContainsKey(header.SchemaId), "InvalidHeader", "schemaId")
            .Require(header.Epoch > 0, "InvalidHeader", "epoch");
        if (header.Epoch > 1)
        {
            ModelBatch? previous = _batches.GetValueOrDefault(EpochId(header.Site, header.SchemaId, header.Epoch - 1));
            rules.Require(previous?.Status is BatchStatus.Final or BatchStatus.Void, "PreviousEpochOpen", header.Epoch - 1);
        }

        Bytes32 id = EpochId(header.Site, header.SchemaId, header.Epoch);
        Posting posting = PostingOf(context);
        PostWithBond(id, new Epoch(header, posting), posting, _parameters.EpochBond, rules);
        _maximumClassCount[header.SchemaId] = Math.Max(header.ClassCount, _maximumClassCount.GetValueOrDefault(header.SchemaId));
        _events.Add(new EpochPostedEvent(id, header.Site, header.SchemaId, header, context.Sender));
    }

    /// <summary>Makes an unchallenged epoch final.</summary>
    public void FinaliseEpoch(CallContext context, Epoch epoch)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        Finalise(id, batch, context, _parameters.EpochWindow, _parameters.EpochBond, new Rules());
        var key = (epoch.Header.Site, epoch.Header.SchemaId);
        if (!_finalEpochs.TryGetValue(key, out List<(uint Epoch, ulong Block)>? finals))
        {
            _finalEpochs.Add(key, finals = []);
        }

        finals.Add((epoch.Header.Epoch, context.BlockNumber));
    }

    /// <summary>Revokes pseudonyms by their controllers' signatures. A posted epoch is enough: withdrawing must not wait for a
    /// window.</summary>
    public void Revoke(CallContext context, Revocation[] revocations)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(revocations);
        new Rules()
            .Require(revocations.Length <= MaximumRevocations, "TooManyRevocations", (BigInteger)revocations.Length,
                (BigInteger)MaximumRevocations).Check();
        List<(uint, Bytes32)> accepted = [];
        foreach (Revocation revocation in revocations)
        {
            EpochHeader header = revocation.Epoch.Header;
            Bytes32 id = EpochId(header.Site, header.SchemaId, header.Epoch);
            ModelBatch batch = Known(id, revocation.Epoch);
            new Rules()
                .Require(batch.Status != BatchStatus.Void, "NotFinal", id, (byte)batch.Status)
                .RequireOpening(OpensMember(id, header, revocation.Member))
                .Check();
            MemberLeaf member = revocation.Member.Leaf;
            Address signer = Recover(
                SignedMessages.Revocation(_chainId, _contracts.AccessControl, header.Site, member.Pseudonym), revocation.Signature);
            new Rules()
                .Require(signer == member.Controller && signer != Address.Zero, "InvalidSignature", signer, member.Controller)
                .Check();
            if (!_revokedAt.ContainsKey((header.Site, member.Pseudonym)) && !accepted.Contains((header.Site, member.Pseudonym)))
            {
                accepted.Add((header.Site, member.Pseudonym));
            }
        }

        foreach ((uint site, Bytes32 pseudonym) in accepted)
        {
            _revokedAt.Add((site, pseudonym), context.Timestamp);
            _events.Add(new PseudonymRevokedEvent(site, pseudonym, context.Timestamp));
        }
    }

    /// <summary>Fault: a position in the class's range is empty or names another class.</summary>
    public void ChallengeClassRange(CallContext context, Epoch epoch, ClassOpening @class, MemberOpening member)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        ulong start = RequireClass(id, epoch.Header, @class);
        new Rules().RequireOpening(OpensMember(id, epoch.Header, member)).Check();
        new Rules()
            .Require(member.Position >= start && member.Position < start + @class.Leaf.Size, "Unrelated")
            .Require(member.Leaf.Pseudonym == Bytes32.Zero || member.Leaf.LocalClass != @class.Index, "NoFault")
            .Check();
        Void(id, batch, BatchFault.ClassRange, context.Sender, _parameters.EpochBond);
    }

    /// <summary>Fault: two positions carry one pseudonym.</summary>
    public void ChallengeDuplicate(CallContext context, Epoch epoch, MemberOpening first, MemberOpening second)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        new Rules().RequireOpening(OpensMember(id, epoch.Header, first) && OpensMember(id, epoch.Header, second)).Check();
        bool duplicate = first.Position != second.Position && first.Leaf.Pseudonym == second.Leaf.Pseudonym
            && first.Leaf.Pseudonym != Bytes32.Zero;
        new Rules().Require(duplicate, "NoFault").Check();
        Void(id, batch, BatchFault.DuplicatePseudonym, context.Sender, _parameters.EpochBond);
    }

    /// <summary>Fault: the high-water grades cost more than the cap, or are not on the ladder.</summary>
    public void ChallengeEpsilonCap(CallContext context, Epoch epoch, ClassOpening @class)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        RequireClass(id, epoch.Header, @class);
        ModelSchema schema = _schemas[epoch.Header.SchemaId];
        new Rules().Require(schema.Epsilon(@class.Leaf.HighWater) is not { } micro || micro > schema.CapMicro, "NoFault").Check();
        Void(id, batch, BatchFault.EpsilonCap, context.Sender, _parameters.EpochBond);
    }

    /// <summary>Fault: the member points to an epoch that is not an earlier final one, or beyond its members.</summary>
    public void ChallengePointer(CallContext context, Epoch epoch, MemberOpening member, Epoch previous)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(previous);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        new Rules().RequireOpening(OpensMember(id, epoch.Header, member)).Check();
        uint number = member.Leaf.PreviousEpoch;
        new Rules().Require(number > 0, "NoFault").Check();
        Bytes32 previousId = EpochId(epoch.Header.Site, epoch.Header.SchemaId, number);
        if (number < epoch.Header.Epoch && _batches.GetValueOrDefault(previousId)?.Status == BatchStatus.Final)
        {
            Known(previousId, previous);
            new Rules().Require(member.Leaf.PreviousPosition >= previous.Header.MemberCount, "NoFault").Check();
        }

        Void(id, batch, BatchFault.HistoryPointer, context.Sender, _parameters.EpochBond);
    }

    /// <summary>Fault: another pseudonym at the position pointed to, a fallen high-water grade, or a skipped epoch.</summary>
    public void ChallengeHistory(
        CallContext context, Epoch epoch, MemberOpening member, ClassOpening @class, Epoch previous, MemberOpening previousMember,
        ClassOpening previousClass)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(previous);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        EpochHeader header = epoch.Header;
        EpochHeader before = previous.Header;
        new Rules().RequireOpening(OpensMember(id, header, member)).Check();
        new Rules().Require(before.Site == header.Site && before.SchemaId == header.SchemaId && before.Epoch < header.Epoch, "Unrelated")
            .Check();
        Bytes32 previousId = EpochId(before.Site, before.SchemaId, before.Epoch);
        ModelBatch previousBatch = Known(previousId, previous);
        new Rules()
            .Require(previousBatch.Status == BatchStatus.Final, "NotFinal", previousId, (byte)previousBatch.Status)
            .Check();
        new Rules().RequireOpening(OpensMember(previousId, before, previousMember)).Check();
        bool samePseudonym = member.Leaf.Pseudonym == previousMember.Leaf.Pseudonym;
        BatchFault fault;
        if (before.Epoch == member.Leaf.PreviousEpoch && previousMember.Position == member.Leaf.PreviousPosition)
        {
            fault = BatchFault.HistoryPointer;
            if (samePseudonym)
            {
                RequireClass(id, header, @class);
                RequireClass(previousId, before, previousClass);
                new Rules()
                    .Require(@class.Index == member.Leaf.LocalClass && previousClass.Index == previousMember.Leaf.LocalClass, "Unrelated")
                    .Check();
                bool falls = Enumerable.Range(0, 64).Any(attribute =>
                    ModelSchema.Nibble(@class.Leaf.HighWater, attribute) < ModelSchema.Nibble(previousClass.Leaf.HighWater, attribute));
                new Rules().Require(falls, "NoFault").Check();
                fault = BatchFault.HighWaterFell;
            }
        }
        else
        {
            bool skipped = samePseudonym && member.Leaf.Pseudonym != Bytes32.Zero && before.Epoch > member.Leaf.PreviousEpoch;
            new Rules().Require(skipped, "NoFault").Check();
            fault = BatchFault.HistorySkipped;
        }

        Void(id, batch, fault, context.Sender, _parameters.EpochBond);
    }

    /// <summary>Demands a member (kind 1) or class (kind 2) leaf.</summary>
    public void DemandEpochLeaf(CallContext context, Epoch epoch, byte kind, ulong position)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(epoch);
        bool entitled = _sites.Contains(context.Sender) || _auditors.Contains(context.Sender) || context.Sender == Market;
        Rules rules = new Rules()
            .Require(entitled, "Unauthorised", context.Sender)
            .Require(kind is (byte)LeafKind.Member or (byte)LeafKind.Class, "UnknownKind", kind)
            .Gather(() => PostedEpoch(epoch));
        rules.Check();
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        int depth = kind == (byte)LeafKind.Member ? epoch.Header.MemberDepth : epoch.Header.ClassDepth;
        Demand(id, batch, context, kind, position, depth, _parameters.EpochWindow, rules);
    }

    /// <summary>Opens a demanded member leaf.</summary>
    public void AnswerMember(CallContext context, Epoch epoch, MemberOpening member)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(member);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        new Rules().RequireOpening(OpensMember(id, epoch.Header, member)).Check();
        Answer(id, batch, context, (byte)LeafKind.Member, member.Position);
    }

    /// <summary>Opens a demanded class leaf.</summary>
    public void AnswerClass(CallContext context, Epoch epoch, ClassOpening @class)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(@class);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        RequireClass(id, epoch.Header, @class);
        Answer(id, batch, context, (byte)LeafKind.Class, @class.Index);
    }

    /// <summary>Voids an epoch whose demand stayed unanswered.</summary>
    public void VoidUnansweredEpoch(CallContext context, Epoch epoch, byte kind, ulong position)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedEpoch(epoch);
        VoidUnanswered(id, batch, context, kind, position, _parameters.EpochBond);
    }

    /// <summary>Time of a pseudonym's revocation; 0 when it is not revoked.</summary>
    public ulong RevokedAt(uint site, Bytes32 pseudonym) => _revokedAt.GetValueOrDefault((site, pseudonym));

    private static Address Recover(Bytes32 digest, byte[] signature)
    {
        try
        {
            return EthereumAccount.Recover(digest, Signature.FromBytes(signature));
        }
        catch (EthereumException)
        {
            return Address.Zero;
        }
    }

    private static bool OpensMember(Bytes32 id, EpochHeader header, MemberOpening opening)
    {
        TreeNode node = Leaves.Member(id, opening.Position, opening.Leaf);
        bool zero = opening.Leaf with { Pseudonym = default } == new MemberLeaf(default, default, 0, default, 0, 0, default);
        return ZeroIfEmpty(node, zero)
            && Proves(header.MembersRoot, header.MemberCount, header.MemberDepth, opening.Position, node, opening.Path);
    }

    // Returns the first member position of the class.
    private static ulong RequireClass(Bytes32 id, EpochHeader header, ClassOpening opening)
    {
        ClassLeaf leaf = opening.Leaf;
        TreeNode node = Leaves.Class(id, opening.Index, leaf);
        bool zero = leaf is { Quota: 0, Ceilings.IsZero: true, HighWater.IsZero: true, Purposes.IsZero: true, ExpiresAt: 0 }
            && leaf.PublicCell == Bytes32.Zero && leaf.Rates.All(rate => rate == 0);
        new Rules()
            .RequireOpening(ZeroIfEmpty(node, zero)
                && Proves(header.ClassesRoot, header.MemberCount, header.ClassDepth, opening.Index, node, opening.Path))
            .Check();
        return (ulong)SumPath.Prefix(opening.Index, SiblingPath.Nodes(opening.Path)).Value;
    }

    private Rules Consortium(CallContext context) =>
        new Rules().Require(context.Sender == _parameters.Consortium, "Unauthorised", context.Sender);

    private void RequireUnused(Address account, Rules rules) => rules
        .Require(account != Address.Zero, "ZeroAddress")
        .Require(!_sites.Contains(account), "AccountInUse", account);

    private (Bytes32 Id, ModelBatch Batch) PostedEpoch(Epoch epoch)
    {
        ArgumentNullException.ThrowIfNull(epoch);
        Bytes32 id = EpochId(epoch.Header.Site, epoch.Header.SchemaId, epoch.Header.Epoch);
        return (id, Posted(id, epoch));
    }

    private Bytes32 EpochId(uint site, Bytes32 schemaId, uint epoch) =>
        BatchId.Epoch(_chainId, _contracts.AccessControl, site, schemaId, epoch);

    // The epoch of a site that was the latest final one at the end of a block; 0 when there was none.
    private uint CurrentEpoch(uint site, Bytes32 schemaId, ulong block) =>
        _finalEpochs.TryGetValue((site, schemaId), out List<(uint Epoch, ulong Block)>? finals)
        ? finals.LastOrDefault(final => final.Block <= block).Epoch
        : 0;
}
