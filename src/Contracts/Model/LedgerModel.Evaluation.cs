using System.Numerics;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Model;

/// <content>DataEvaluation: quality tables, deliveries and findings.</content>
public sealed partial class LedgerModel
{
    private const int MaximumGrades = 15;
    private const int MaximumAttributes = 64;
    private const uint WholeRecord = 1_000_000_000;
    private const int MaximumDeliveryDepth = 24;

    private readonly Dictionary<Bytes32, ModelSchema> _schemas = [];
    private readonly Dictionary<ulong, Evaluation> _deliveredRecords = [];
    private readonly Dictionary<uint, int> _findings = [];

    /// <summary>Sums over the final deliveries of a request.</summary>
    public Evaluation EffectiveRecords(ulong requestId) => _deliveredRecords.GetValueOrDefault(requestId) ?? new Evaluation(0, 0, 0);

    /// <summary>Publishes a schema's quality table.</summary>
    public void PublishSchema(CallContext context, Bytes32 schemaId, UInt128 tiers, ulong capMicro, uint[] ladderMicro, uint[] quality)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(ladderMicro);
        ArgumentNullException.ThrowIfNull(quality);
        int grades = ladderMicro.Length;
        bool ladder = grades is >= 1 and <= MaximumGrades && ladderMicro[0] > 0
            && ladderMicro.Zip(ladderMicro.Skip(1)).All(pair => pair.First < pair.Second);
        bool rows = grades > 0 && quality.Length > 0 && quality.Length % grades == 0 && quality.Length / grades <= MaximumAttributes;
        Rules rules = Consortium(context)
            .Require(!_schemas.ContainsKey(schemaId), "SchemaExists", schemaId)
            .Require(ladder, "InvalidSchema", "ladderMicro")
            .Require(rows && quality.All(q => q <= WholeRecord), "InvalidSchema", "quality")
            .Require(schemaId != Bytes32.Zero, "InvalidSchema", "schemaId");
        if (rows)
        {
            int attributes = quality.Length / grades;
            rules.Require(attributes == MaximumAttributes || tiers >> (2 * attributes) == 0, "InvalidSchema", "tiers");
            bool publicsWhole = Enumerable.Range(0, attributes)
                .All(a => ((tiers >> (2 * a)) & 3) != 0 || quality.Skip(a * grades).Take(grades).All(q => q == WholeRecord));
            rules.Require(publicsWhole, "InvalidSchema", "quality");
        }

        rules.Check();
        int count = quality.Length / grades;
        _schemas.Add(schemaId, new ModelSchema(
            [.. Enumerable.Range(0, count).Select(a => (int)((tiers >> (2 * a)) & 3))], capMicro, ladderMicro, [.. quality.Chunk(grades)]));
        _events.Add(new SchemaPublishedEvent(schemaId, (byte)count, (byte)grades, tiers, capMicro));
    }

    /// <summary>Records a delivery.</summary>
    public void RecordDelivery(CallContext context, DeliveryHeader header, byte[] receipt)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(header);
        Request request = RequireRequest(header.RequestId);
        Bytes32 id = DeliveryId(header);
        ulong last = request.Deadline + (header.Attempt > 0 ? _parameters.RepostGrace : 0);
        Address signer = Recover(SignedMessages.Receipt(_chainId, _contracts.Evaluation, id, header), receipt);
        ModelEscrow escrow = _escrows[header.RequestId];
        BigInteger reserved = header.Amount + header.Count * (BigInteger)_parameters.RelayFee;
        Rules rules = new Rules()
            .Require(header.Site >= 1 && header.Site <= SiteCount && _sites[(int)header.Site - 1] == context.Sender, "Unauthorised",
                context.Sender)
            .Require(header.Depth <= MaximumDeliveryDepth, "InvalidHeader", "depth")
            .Require(header.Count > 0 && header.Count <= BigInteger.One << header.Depth, "InvalidHeader", "count")
            .Require(_finalRounds.ContainsKey((request.SchemaId, request.Book)), "RoundNotFinal", header.RequestId)
            .Require(context.Timestamp <= last, "DeliveryTooLate", (BigInteger)last)
            .Require(signer == Market && signer != Address.Zero, "InvalidReceipt", signer, Market)
            .Require(!escrow.Closed, "EscrowClosed", header.RequestId)
            .Require(escrow.Balance - escrow.Owed >= reserved, "InsufficientEscrow", header.RequestId,
                escrow.Balance - escrow.Owed, reserved);
        if (header.Attempt > 0)
        {
            Bytes32 previous = DeliveryId(header with { Attempt = header.Attempt - 1 });
            rules.Require(_batches.GetValueOrDefault(previous)?.Status == BatchStatus.Void, "PreviousAttemptStands", previous);
        }

        Posting posting = PostingOf(context);
        Post(id, new Delivery(header, posting), posting, _parameters.DeliveryBond, rules);
        escrow.Owed += reserved;
        escrow.Pending++;
        _events.Add(new ReservedEvent(header.RequestId, context.Sender, reserved, _parameters.DeliveryBond));
        _events.Add(new DeliveryRecordedEvent(id, header, context.Sender));
    }

    /// <summary>Makes an unchallenged delivery final.</summary>
    public void FinaliseDelivery(CallContext context, Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedDelivery(delivery);
        Finalise(id, batch, context, _parameters.DeliveryWindow, _parameters.DeliveryBond, new Rules());
        DeliveryHeader header = delivery.Header;
        ModelEscrow escrow = _escrows[header.RequestId];
        escrow.Pending--;
        escrow.LastFinalisedAt = context.Timestamp;
        Evaluation sum = EffectiveRecords(header.RequestId);
        _deliveredRecords[header.RequestId] = new Evaluation(
            sum.Records + header.Count, sum.Effective + header.Effective, sum.Amount + header.Amount);
        _events.Add(new SettledEvent(header.RequestId));
    }

    /// <summary>Faults of a slot: class, member drawn, amount, effective records.</summary>
    public void ChallengeSlot(CallContext context, Delivery delivery, DeliveryOpening slot, SlotEvidence evidence)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(slot);
        ArgumentNullException.ThrowIfNull(evidence);
        (Bytes32 id, ModelBatch batch) = PostedDelivery(delivery);
        Drawn drawn = RequireSale(id, delivery, slot, evidence);
        ClassOpening @class = evidence.Class.Class;
        Request request = RequestOf(delivery.Header.RequestId);
        (BigInteger Ask, BigInteger Score)? quote = _schemas[request.SchemaId]
            .Quote(@class.Leaf.Ceilings, @class.Leaf.Rates, request.MinimumGrades, request.TopGrades);
        BatchFault fault = slot.Leaf.LocalClass != @class.Index ? BatchFault.WrongClass
            : slot.Leaf.MemberPosition != drawn.MemberPosition ? BatchFault.WrongMember
            : slot.Leaf.Amount != (quote?.Ask ?? 0) + evidence.Price.Leaf.Premium ? BatchFault.WrongAmount
            : slot.Leaf.Effective != (quote?.Score ?? 0) ? BatchFault.WrongEffective
            : BatchFault.None;
        VoidDelivery(context, id, batch, delivery, fault);
    }

    /// <summary>Fault: the payout address is not the member's for this round and lap.</summary>
    public void ChallengePayee(
        CallContext context, Delivery delivery, DeliveryOpening slot, SlotEvidence evidence, MemberOpening member, PayoutOpening payout)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(slot);
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(member);
        ArgumentNullException.ThrowIfNull(payout);
        (Bytes32 id, ModelBatch batch) = PostedDelivery(delivery);
        Drawn drawn = RequireSale(id, delivery, slot, evidence);
        EpochHeader epoch = evidence.Class.Epoch.Header;
        new Rules().RequireOpening(OpensMember(EpochId(epoch.Site, epoch.SchemaId, epoch.Epoch), epoch, member)).Check();
        new Rules().Require(member.Position == drawn.MemberPosition, "Unrelated").Check();
        uint index = Drawing.PayoutIndex(evidence.Round.Header.Ordinal, evidence.Class.Class.Leaf.Quota, drawn.Lap, epoch.PayoutDepth);
        bool opens = Proves(
            member.Leaf.PayoutRoot, 0, epoch.PayoutDepth, index,
            Leaves.Payout(member.Leaf.Pseudonym, index, payout.PayoutAddress), payout.Path);
        new Rules().RequireOpening(opens).Check();
        VoidDelivery(context, id, batch, delivery,
            payout.PayoutAddress != slot.Leaf.PayoutAddress ? BatchFault.WrongPayoutAddress : BatchFault.None);
    }

    /// <summary>Fault: the member was revoked longer than the grace before the delivery was posted.</summary>
    public void ChallengeRevoked(CallContext context, Delivery delivery, DeliveryOpening slot, Epoch epoch, MemberOpening member)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(slot);
        ArgumentNullException.ThrowIfNull(epoch);
        ArgumentNullException.ThrowIfNull(member);
        (Bytes32 id, ModelBatch batch) = PostedDelivery(delivery);
        new Rules().RequireOpening(OpensSlot(id, delivery.Header, slot)).Check();
        Request request = RequestOf(delivery.Header.RequestId);
        Bytes32 epochId = RequireCurrent(epoch, request.SchemaId, Books(request.SchemaId)[(int)request.Book].ClosedBlock);
        new Rules().RequireOpening(OpensMember(epochId, epoch.Header, member)).Check();
        new Rules()
            .Require(epoch.Header.Site == delivery.Header.Site && member.Position == slot.Leaf.MemberPosition, "Unrelated")
            .Check();
        ulong revoked = RevokedAt(epoch.Header.Site, member.Leaf.Pseudonym);
        bool fault = slot.Leaf.PayoutAddress != Address.Zero && revoked > 0
            && delivery.Posting.Timestamp >= revoked + _parameters.RevocationGrace;
        VoidDelivery(context, id, batch, delivery, fault ? BatchFault.RevokedMember : BatchFault.None);
    }

    /// <summary>Fault: a slot beyond everything that the site sold to the request.</summary>
    public void ChallengeExcess(CallContext context, Delivery delivery, DeliveryOpening slot, Round round, RowOpening row)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(slot);
        ArgumentNullException.ThrowIfNull(row);
        (Bytes32 id, ModelBatch batch) = PostedDelivery(delivery);
        new Rules().RequireOpening(OpensSlot(id, delivery.Header, slot)).Check();
        Request request = RequireFinalRound(delivery, round);
        ulong index = ((ulong)request.Index << round.Header.SiteBits) | (delivery.Header.Site - 1);
        new Rules().RequireOpening(OpensRow(round.Header.SalesByRequestRoot, round.Header, round.Header.ClassBits, index, row)).Check();
        VoidDelivery(context, id, batch, delivery,
            slot.Leaf.PayoutAddress != Address.Zero && slot.Slot >= row.Sum ? BatchFault.ExcessSlot : BatchFault.None);
    }

    /// <summary>Demands a leaf of a delivery (kind 7).</summary>
    public void DemandDeliveryLeaf(CallContext context, Delivery delivery, byte kind, ulong position)
    {
        ArgumentNullException.ThrowIfNull(context);
        new Rules().Require(kind == (byte)LeafKind.Delivery, "UnknownKind", kind).Gather(() => PostedDelivery(delivery)).Check();
        (Bytes32 id, ModelBatch batch) = PostedDelivery(delivery);
        Demand(id, batch, context, kind, position, delivery.Header.Depth, _parameters.DeliveryWindow, new Rules());
    }

    /// <summary>Opens a demanded leaf of a delivery.</summary>
    public void AnswerDelivery(CallContext context, Delivery delivery, DeliveryOpening slot)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(slot);
        (Bytes32 id, ModelBatch batch) = PostedDelivery(delivery);
        new Rules().RequireOpening(OpensSlot(id, delivery.Header, slot)).Check();
        Answer(id, batch, context, (byte)LeafKind.Delivery, slot.Slot);
    }

    /// <summary>Voids a delivery whose demand stayed unanswered.</summary>
    public void VoidUnansweredDelivery(CallContext context, Delivery delivery, byte kind, ulong position)
    {
        ArgumentNullException.ThrowIfNull(context);
        (Bytes32 id, ModelBatch batch) = PostedDelivery(delivery);
        VoidUnanswered(id, batch, context, kind, position, _parameters.DeliveryBond);
        Unreserve(delivery.Header);
    }

    /// <summary>Records a finding about a site.</summary>
    public void RecordFinding(CallContext context, uint site, byte kind, Bytes32 contentHash)
    {
        ArgumentNullException.ThrowIfNull(context);
        new Rules()
            .Require(_auditors.Contains(context.Sender) || context.Sender == Market, "Unauthorised", context.Sender)
            .Require(site >= 1 && site <= SiteCount, "UnknownSite", site)
            .Check();
        int index = _findings.GetValueOrDefault(site);
        _findings[site] = index + 1;
        _events.Add(new FindingRecordedEvent(site, index, context.Sender, kind, contentHash));
    }

    private static bool OpensSlot(Bytes32 id, DeliveryHeader header, DeliveryOpening opening)
    {
        TreeNode node = Leaves.Delivery(id, opening.Slot, opening.Leaf);
        TreeNode root = new(header.Root, new SumWord(header.Amount, header.Count, header.Effective));
        return ZeroIfEmpty(node, opening.Leaf == DeliveryBatch.Undelivered) && opening.Path.Length == header.Depth
            && SumPath.Proves(root, opening.Slot, node, SiblingPath.Nodes(opening.Path));
    }

    private Drawn RequireSale(Bytes32 id, Delivery delivery, DeliveryOpening slot, SlotEvidence evidence)
    {
        new Rules().RequireOpening(OpensSlot(id, delivery.Header, slot)).Check();
        Round round = evidence.Round;
        RoundHeader header = round.Header;
        Request request = RequireFinalRound(delivery, round);
        new Rules().Require(evidence.Class.Epoch.Header.Site == delivery.Header.Site, "Unrelated").Check();
        uint c = RequireEvidence(round, evidence.Class);
        Bytes32 roundId = RoundId(header);
        RequirePrice(roundId, header, c, evidence.Price);
        RequireByRequest(roundId, header, c, request.Index, evidence.ByRequest);
        RequireByClass(roundId, header, c, request.Index, evidence.ByClass);
        ulong first = (ulong)SumPath.Prefix(
            ((ulong)request.Index << PositionBits(header)) | c, SiblingPath.Nodes(evidence.ByRequest.Path), header.ClassBits).Value;
        new Rules().Require(slot.Slot >= first && slot.Slot < first + evidence.ByRequest.Quantity, "Unrelated").Check();
        new Rules().Require(slot.Leaf.PayoutAddress != Address.Zero, "NoFault").Check();
        ulong before = (ulong)SumPath.Prefix(
            ((ulong)c << header.RequestBits) | request.Index, SiblingPath.Nodes(evidence.ByClass.Path), header.RequestBits).Value;
        ClassOpening @class = evidence.Class.Class;
        Bytes32 key = Drawing.ClassKey(SeedOf(roundId), delivery.Header.Site, @class.Index);
        (uint offset, uint lap) = Drawing.Draw(key, @class.Leaf.Size, before, (uint)(slot.Slot - first));
        ulong start = (ulong)SumPath.Prefix(@class.Index, SiblingPath.Nodes(@class.Path)).Value;
        return new Drawn(start + offset, lap);
    }

    private Request RequireFinalRound(Delivery delivery, Round round)
    {
        Request request = RequestOf(delivery.Header.RequestId);
        Bytes32 roundId = RoundId(round.Header);
        new Rules().Require(_finalRounds.GetValueOrDefault((request.SchemaId, request.Book)) == roundId, "Unrelated").Check();
        Known(roundId, round);
        return request;
    }

    private void VoidDelivery(CallContext context, Bytes32 id, ModelBatch batch, Delivery delivery, BatchFault fault)
    {
        new Rules().Require(fault != BatchFault.None, "NoFault").Check();
        Void(id, batch, fault, context.Sender, _parameters.DeliveryBond);
        Unreserve(delivery.Header);
    }

    private void Unreserve(DeliveryHeader header)
    {
        ModelEscrow escrow = _escrows[header.RequestId];
        BigInteger reserved = header.Amount + header.Count * (BigInteger)_parameters.RelayFee;
        escrow.Owed -= reserved;
        escrow.Pending--;
        _events.Add(new UnreservedEvent(header.RequestId, reserved));
    }

    private Bytes32 FinalDelivery(Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(delivery);
        Bytes32 id = DeliveryId(delivery.Header);
        ModelBatch? batch = _batches.GetValueOrDefault(id);
        new Rules().Require(batch is not null && batch.Content.Equals(delivery), "UnknownDelivery", id).Check();
        new Rules().Require(batch!.Status == BatchStatus.Final, "DeliveryNotFinal", id).Check();
        return id;
    }

    private (Bytes32 Id, ModelBatch Batch) PostedDelivery(Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(delivery);
        Bytes32 id = DeliveryId(delivery.Header);
        return (id, Posted(id, delivery));
    }

    private Bytes32 DeliveryId(DeliveryHeader header) =>
        BatchId.Delivery(_chainId, _contracts.Evaluation, header.RequestId, header.Site, header.Attempt);

    // The member that the seed draws for a slot, and how often its class was gone through before.
    private readonly record struct Drawn(ulong MemberPosition, uint Lap);
}
