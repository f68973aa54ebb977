using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Model;

/// <summary>
/// The rules of the four contracts in plain code, written from the rules (docs/WIRE.md and the contracts' interfaces) and not from the
/// contracts: a second opinion. Every method takes the caller and the block, changes the state and emits events, or throws
/// <see cref="RefusedException"/> and changes nothing.
/// </summary>
public sealed partial class LedgerModel
{
    private readonly ulong _chainId;
    private readonly ContractsStruct _contracts;
    private readonly Parameters _parameters;
    private readonly Func<ulong, Bytes32?> _blockHash;
    private readonly Dictionary<Bytes32, ModelBatch> _batches = [];
    private readonly List<IContractEvent> _events = [];

    /// <summary>The ledger right after deployment.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="contracts">Where the contracts stand: ids depend on it.</param>
    /// <param name="parameters">As deployed.</param>
    /// <param name="blockHash">The hash of a block of the chain.</param>
    public LedgerModel(ulong chainId, ContractsStruct contracts, Parameters parameters, Func<ulong, Bytes32?> blockHash)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        (_chainId, _contracts, _parameters, _blockHash) = (chainId, contracts, parameters, blockHash);
        Market = parameters.Market;
    }

    /// <summary>What the last call emitted; empty after a refusal.</summary>
    public IReadOnlyList<IContractEvent> Events => _events;

    /// <summary>Runs a call: all of it, or nothing.</summary>
    public void Run(Action<LedgerModel> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        _events.Clear();
        try
        {
            call(this);
        }
        catch (RefusedException)
        {
            _events.Clear();
            throw;
        }
    }

    /// <summary>Status and demands of a batch, as ICommitments.batchState tells them.</summary>
    public BatchState StateOf(Bytes32 batchId) => _batches.TryGetValue(batchId, out ModelBatch? batch)
        ? new BatchState((byte)batch.Status, batch.OpenDemands, batch.FinalisedAt, batch.FinalisedBlock)
        : new BatchState(0, 0, 0, 0);

    /// <summary>Takes the deposit of an unanswered demand back after the batch became void for another reason.</summary>
    public void ReclaimDemand(Bytes32 batchId, byte kind, ulong position)
    {
        ModelBatch? batch = _batches.GetValueOrDefault(batchId);
        new Rules().Require(batch?.Status == BatchStatus.Void, "BatchNotVoid", batchId, (byte)(batch?.Status ?? BatchStatus.Absent))
            .Check();
        Demand demand = TakeDemand(batchId, batch!, kind, position);
        _events.Add(new DemandReclaimedEvent(batchId, kind, position, demand.Demander));
        Unlock(demand.Demander, _parameters.DemandDeposit);
    }

    private static Posting PostingOf(CallContext context) => new(context.Sender, context.Timestamp, context.BlockNumber);

    private ModelBatch Known(Bytes32 id, object content)
    {
        ModelBatch? batch = _batches.GetValueOrDefault(id);
        new Rules().Require(batch is not null && batch.Content.Equals(content), "UnknownBatch", id).Check();
        return batch!;
    }

    private ModelBatch Posted(Bytes32 id, object content)
    {
        ModelBatch batch = Known(id, content);
        new Rules().Require(batch.Status == BatchStatus.Posted, "NotPosted", id, (byte)batch.Status).Check();
        return batch;
    }

    private void Post(Bytes32 id, object content, Posting posting, UInt128 bond, Rules rules)
    {
        rules.Require(!_batches.ContainsKey(id), "BatchExists", id);
        RequireFree(posting.Committer, bond, rules);
        rules.Check();
        _batches.Add(id, new ModelBatch { Content = content, Posting = posting });
        _free[posting.Committer] = FreeOf(posting.Committer) - bond;
    }

    private void PostWithBond(Bytes32 id, object content, Posting posting, UInt128 bond, Rules rules)
    {
        Post(id, content, posting, bond, rules);
        _events.Add(new LockedEvent(posting.Committer, bond));
    }

    private void Finalise(Bytes32 id, ModelBatch batch, CallContext context, uint window, UInt128 bond, Rules rules)
    {
        ulong until = batch.Posting.Timestamp + window;
        rules.Require(context.Timestamp >= until, "WindowOpen", id, (BigInteger)until);
        rules.Require(batch.OpenDemands == 0, "DemandsOpen", id, (BigInteger)batch.OpenDemands);
        rules.Check();
        batch.Status = BatchStatus.Final;
        (batch.FinalisedAt, batch.FinalisedBlock) = (context.Timestamp, context.BlockNumber);
        _events.Add(new BatchFinalisedEvent(id));
        Unlock(batch.Posting.Committer, bond);
    }

    private void Void(Bytes32 id, ModelBatch batch, BatchFault fault, Address beneficiary, UInt128 bond)
    {
        batch.Status = BatchStatus.Void;
        _events.Add(new BatchVoidedEvent(id, (byte)fault, beneficiary));
        Slash(beneficiary, bond);
    }

    private void Demand(Bytes32 id, ModelBatch batch, CallContext context, byte kind, ulong position, int depth, uint window, Rules rules)
    {
        ulong until = batch.Posting.Timestamp + window / 2;
        ulong positions = 1UL << depth;
        rules.Require(context.Timestamp < until, "DemandTooLate", id, (BigInteger)until);
        rules.Require(position < positions, "PositionOutOfRange", position, (BigInteger)positions);
        rules.Require(!batch.Demands.ContainsKey((kind, position)), "DemandExists", id, kind, position);
        RequireFree(context.Sender, _parameters.DemandDeposit, rules);
        rules.Check();
        ulong answerBy = context.Timestamp + window / 2;
        batch.Demands.Add((kind, position), new Demand(context.Sender, answerBy));
        batch.OpenDemands++;
        _events.Add(new LeafDemandedEvent(id, kind, position, context.Sender, answerBy));
        Lock(context.Sender, _parameters.DemandDeposit);
    }

    private void Answer(Bytes32 id, ModelBatch batch, CallContext context, byte kind, ulong position)
    {
        Rules rules = new();
        rules.Require(batch.Demands.TryGetValue((kind, position), out Demand? demand), "NoDemand", id, kind, position).Check();
        rules.Require(context.Timestamp <= demand!.AnswerBy, "AnswerTooLate", (BigInteger)demand.AnswerBy).Check();
        TakeDemand(id, batch, kind, position);
        batch.OpenDemands--;
        _events.Add(new LeafAnsweredEvent(id, kind, position, context.Sender));
        Unlock(context.Sender, _parameters.DemandDeposit);
    }

    private void VoidUnanswered(Bytes32 id, ModelBatch batch, CallContext context, byte kind, ulong position, UInt128 bond)
    {
        Rules rules = new();
        rules.Require(batch.Demands.TryGetValue((kind, position), out Demand? demand), "NoDemand", id, kind, position).Check();
        rules.Require(context.Timestamp > demand!.AnswerBy, "AnswerStillDue", (BigInteger)demand.AnswerBy).Check();
        TakeDemand(id, batch, kind, position);
        Void(id, batch, BatchFault.LeafWithheld, demand.Demander, bond);
        Unlock(demand.Demander, _parameters.DemandDeposit);
    }

    private static Demand TakeDemand(Bytes32 id, ModelBatch batch, byte kind, ulong position)
    {
        new Rules().Require(batch.Demands.Remove((kind, position), out Demand? demand), "NoDemand", id, kind, position).Check();
        return demand!;
    }

    private static bool Proves(Bytes32 root, UInt128 total, int depth, ulong position, TreeNode node, Sibling[] path) =>
        path.Length == depth && SumPath.Proves(new TreeNode(root, new SumWord(total)), position, node, Batches.SiblingPath.Nodes(path));

    // An empty leaf is all zero: nothing may ride along in it.
    private static bool ZeroIfEmpty(TreeNode node, bool zero) => node != default || zero;
}
