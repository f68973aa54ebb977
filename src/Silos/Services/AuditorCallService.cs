using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>
/// Writes the calls that an auditor signs: to demand a leaf, to end a demand that was not answered, to record a finding, and to take out
/// what was won. What the ledger would refuse is refused here, in words and before anything is signed.
/// </summary>
internal sealed class AuditorCallService(RunningRoles roles)
{
    private DeploymentTerms Terms => roles.View.Deployment.Terms;

    private DynamicAccessControl Access => new(roles.Client, Address.Parse(roles.View.Deployment.AccessControl.Address));

    private MatchingDecision Matching => new(roles.Client, Address.Parse(roles.View.Deployment.Matching.Address));

    private DataEvaluation Evaluation => new(roles.Client, Address.Parse(roles.View.Deployment.Evaluation.Address));

    private AnonymousTransaction Payments => new(roles.Client, Address.Parse(roles.View.Deployment.Payments.Address));

    /// <summary>Demands a leaf: the deposit is paid in where it is not there yet, and locked by the demand.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-batch</c>, <c>unknown-leaf</c>, <c>demand-refused</c> or
    /// <c>not-an-auditor</c>.</exception>
    public async Task<CallOffer> DemandAsync(DemandWish wish, CancellationToken cancellationToken)
    {
        Address account = LedgerService.AccountOf(wish.Account);
        await roles.View.SyncAsync(cancellationToken);
        BatchRow batch = Batch(wish.BatchId);
        (LeafKind Kind, ulong Leaves)[] trees = Trees(batch);
        ulong leaves = trees.FirstOrDefault(tree => (int)tree.Kind == wish.Kind).Leaves;
        if (leaves == 0 || wish.Position >= leaves)
        {
            throw new ServiceRefusedException("unknown-leaf", leaves == 0
                ? $"this batch has leaves of kinds {string.Join(", ", trees.Select(tree => Text((int)tree.Kind)))}, got {wish.Kind}"
                : $"its positions of kind {wish.Kind} are 0 to {leaves - 1}, got {wish.Position}");
        }

        long until = (long)batch.Posting.Timestamp + (Window(batch) / 2);
        if (batch.Status != BatchStatus.Posted || roles.View.NowSeconds >= until)
        {
            throw new ServiceRefusedException("demand-refused", batch.Status != BatchStatus.Posted
                ? $"the batch is {Named(batch.Status)}: only a posted one can be asked"
                : $"leaves can be demanded in the first half of the window, which ended {roles.View.NowSeconds - until} s ago");
        }

        if (batch is EpochRow && !IsEntitled(account))
        {
            throw new ServiceRefusedException(
                "not-an-auditor", $"leaves of epochs may be demanded by sites and registered auditors; {wish.Account} is neither");
        }

        if (roles.View.OpenDemands().Any(demand => demand.BatchId == batch.Id && demand.Kind == wish.Kind
            && demand.Position == wish.Position))
        {
            throw new ServiceRefusedException("demand-refused", "this leaf is demanded already: its answer will be seen by everybody");
        }

        ContractCall call = batch switch
        {
            EpochRow epoch => Access.DemandLeaf(new Epoch(epoch.Header, epoch.Posting), wish.Kind, wish.Position),
            RoundRow round => Matching.DemandLeaf(new Round(round.Header, round.Posting), wish.Kind, wish.Position),
            DeliveryRow delivery => Evaluation.DemandLeaf(new Delivery(delivery.Header, delivery.Posting), wish.Kind, wish.Position),
            _ => throw new InvalidOperationException($"a batch of type {batch.GetType().Name}"),
        };
        BigInteger deposit = Terms.DemandDepositUnits;
        BigInteger free = roles.View.FreeBalance(account);
        List<CallInfo> calls = [];
        if (free < deposit)
        {
            DevelopmentToken token = new(roles.Client, Address.Parse(roles.View.Deployment.Token.Address));
            BigInteger needed = deposit - free;
            BigInteger owned = await token.BalanceOfAsync(account, BlockReference.Latest, cancellationToken);
            if (owned < needed)
            {
                throw new ServiceRefusedException(
                    "demand-refused", $"the deposit takes {needed} token units more than are paid in, and {wish.Account} has {owned}");
            }

            calls.Add(Call("allow the deposit", token.Approve(Payments.Address, needed)));
            calls.Add(Call("pay the deposit in", Payments.Deposit(account, needed)));
        }

        calls.Add(Call("demand the leaf", call));
        return new CallOffer { Calls = [.. calls], DepositUnits = Text(deposit), AnswerWithinSeconds = Window(batch) / 2 };
    }

    /// <summary>Ends a demand that was not answered: the batch becomes void when the time for the answer is over, and the deposit goes
    /// back when the batch is void for another reason.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-batch</c> or <c>demand-refused</c>.</exception>
    public async Task<CallOffer> EndDemandAsync(DemandWish wish, CancellationToken cancellationToken)
    {
        Address account = LedgerService.AccountOf(wish.Account);
        await roles.View.SyncAsync(cancellationToken);
        BatchRow batch = Batch(wish.BatchId);
        DemandRow demand = roles.View.Demands().FirstOrDefault(row => row.BatchId == batch.Id && row.Kind == wish.Kind
            && row.Position == wish.Position && row.End == DemandEnd.None)
            ?? throw new ServiceRefusedException("demand-refused", "nobody waits for this leaf: GET /ledger/demands lists the demands");
        if (batch.Status == BatchStatus.Posted && roles.View.NowSeconds <= (long)demand.AnswerBySeconds)
        {
            throw new ServiceRefusedException(
                "demand-refused", $"the answer is due in {(long)demand.AnswerBySeconds - roles.View.NowSeconds} s: until then it may come");
        }

        bool reclaims = batch.Status == BatchStatus.Void;
        (ContractClient contract, ContractCall call) = batch switch
        {
            EpochRow epoch => (Access, reclaims ? Access.ReclaimDemand(batch.Id, wish.Kind, wish.Position)
                : Access.VoidUnanswered(new Epoch(epoch.Header, epoch.Posting), wish.Kind, wish.Position)),
            RoundRow round => (Matching, reclaims ? Matching.ReclaimDemand(batch.Id, wish.Kind, wish.Position)
                : Matching.VoidUnanswered(new Round(round.Header, round.Posting), wish.Kind, wish.Position)),
            DeliveryRow delivery => ((ContractClient)Evaluation, reclaims ? Evaluation.ReclaimDemand(batch.Id, wish.Kind, wish.Position)
                : Evaluation.VoidUnanswered(new Delivery(delivery.Header, delivery.Posting), wish.Kind, wish.Position)),
            _ => throw new InvalidOperationException($"a batch of type {batch.GetType().Name}"),
        };
        await TryAsync(contract, call, account, cancellationToken);
        return new CallOffer
        {
            Calls = [Call(reclaims ? "take the deposit back" : "void the batch, whose leaf was withheld", call)],
            DepositUnits = Text(Terms.DemandDepositUnits),
        };
    }

    /// <summary>Records a finding about a site: the hash of a document that its author keeps.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-site</c>, <c>not-an-auditor</c> or <c>demand-refused</c>.</exception>
    public async Task<CallOffer> FindingAsync(uint site, FindingWish wish, CancellationToken cancellationToken)
    {
        Address account = LedgerService.AccountOf(wish.Account);
        await roles.View.SyncAsync(cancellationToken);
        if (roles.View.Sites().All(row => row.Site != site))
        {
            throw new ServiceRefusedException("unknown-site", $"the ledger has sites 1 to {roles.View.Sites().Count}, got {site}");
        }

        ContractCall call = Evaluation.RecordFinding(site, wish.Kind, AuditService.Hash(wish.ContentHash, "contentHash"));
        if (!roles.View.Auditors().Contains(account))
        {
            throw new ServiceRefusedException("not-an-auditor", $"findings are recorded by registered auditors; {wish.Account} is none");
        }

        await TryAsync(Evaluation, call, account, cancellationToken);
        return new CallOffer { Calls = [Call("record the finding", call)], DepositUnits = "0" };
    }

    /// <summary>Takes out everything that is free of an account's balance with the ledger: rewards, and deposits that came back.</summary>
    /// <exception cref="ServiceRefusedException"><c>demand-refused</c>: nothing is free.</exception>
    public async Task<CallOffer> WithdrawAsync(string address, CancellationToken cancellationToken)
    {
        Address account = LedgerService.AccountOf(address);
        await roles.View.SyncAsync(cancellationToken);
        BigInteger free = await Payments.BalanceOfAsync(account, BlockReference.Latest, cancellationToken);
        return free > 0 ? new CallOffer { Calls = [Call("withdraw what is free", Payments.Withdraw(free))], DepositUnits = "0" }
            : throw new ServiceRefusedException("demand-refused", $"nothing of {address}'s is free with the ledger");
    }

    /// <summary>The trees of a batch and how many leaves each has.</summary>
    public static (LeafKind Kind, ulong Leaves)[] Trees(BatchRow batch) => batch switch
    {
        EpochRow { Header: var header } => [(LeafKind.Member, 1UL << header.MemberDepth), (LeafKind.Class, 1UL << header.ClassDepth)],
        RoundRow { Header: var header } =>
        [
            (LeafKind.Price, 1UL << (header.SiteBits + header.ClassBits)), (LeafKind.Surplus, 1UL << header.RequestBits),
            (LeafKind.SalesByClass, 1UL << (header.SiteBits + header.ClassBits + header.RequestBits)),
            (LeafKind.SalesByRequest, 1UL << (header.SiteBits + header.ClassBits + header.RequestBits)),
        ],
        DeliveryRow { Header: var header } => [(LeafKind.Delivery, 1UL << header.Depth)],
        _ => [],
    };

    private BatchRow Batch(string batchId)
    {
        Bytes32 id = AuditService.Hash(batchId, "batch");
        return (BatchRow?)roles.View.Epoch(id) ?? (BatchRow?)roles.View.Round(id) ?? roles.View.Delivery(id)
            ?? throw new ServiceRefusedException("unknown-batch", $"the ledger has no batch {batchId}");
    }

    private long Window(BatchRow batch) => batch switch
    {
        EpochRow => Terms.EpochWindowSeconds, RoundRow => Terms.RoundWindowSeconds, _ => Terms.DeliveryWindowSeconds,
    };

    private bool IsEntitled(Address account) => roles.View.Auditors().Contains(account)
        || roles.View.Sites().Any(site => site.Account == account);

    private static async Task TryAsync(ContractClient contract, ContractCall call, Address from, CancellationToken cancellationToken)
    {
        try
        {
            await contract.TryAsync(call, from, cancellationToken);
        }
        catch (ContractRevertException e)
        {
            throw new ServiceRefusedException("demand-refused", e.Message);
        }
    }

    private static CallInfo Call(string what, ContractCall call) => new(what, Show.Address(call.To!.Value), Show.Hex(call.Data.Span));

    private static string Named(BatchStatus status) => status.ToString().ToLowerInvariant();

    private static string Text<T>(T number)
        where T : IFormattable => number.ToString(null, CultureInfo.InvariantCulture);
}

/// <summary>A leaf that somebody demands.</summary>
internal sealed record DemandWish
{
    /// <summary>Who will sign.</summary>
    public required string Account { get; init; }

    /// <summary>The epoch, round or delivery.</summary>
    public required string BatchId { get; init; }

    /// <summary>1 member and 2 class of an epoch; 3 premium, 4 request, 5 sale by class and 6 sale by request of a round; 7 slot of a
    /// delivery.</summary>
    public required byte Kind { get; init; }

    /// <summary>The position in that tree, from 0.</summary>
    public required ulong Position { get; init; }
}

/// <summary>A finding about a site.</summary>
internal sealed record FindingWish
{
    /// <summary>Who will sign: a registered auditor.</summary>
    public required string Account { get; init; }

    /// <summary>1 reports that the channel cannot produce, 2 estimates apart from the pooled ones, 3 other.</summary>
    public required byte Kind { get; init; }

    /// <summary>SHA-256 of the document that states the finding; its author keeps the document and gives it to whom it concerns.</summary>
    public required string ContentHash { get; init; }
}

/// <summary>Calls of the ledger to sign and send in this order.</summary>
internal sealed record CallOffer
{
    public required CallInfo[] Calls { get; init; }

    /// <summary>Token units that are locked until the demand ends: whoever opens the leaf in time gets them, otherwise they come
    /// back.</summary>
    public required string DepositUnits { get; init; }

    /// <summary>How long the leaf may be opened, in seconds from the demand; left out when nothing is demanded.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public long? AnswerWithinSeconds { get; init; }
}
