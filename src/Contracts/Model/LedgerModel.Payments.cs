using System.Numerics;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Model;

/// <content>AnonymousTransaction: escrows, claims, bonds and deposits; and the token's balances and allowances.</content>
public sealed partial class LedgerModel
{
    private const int ClaimHeight = 6;

    private static readonly Address Furnace = Address.Parse("0x000000000000000000000000000000000000dEaD");

    private readonly Dictionary<Address, BigInteger> _tokens = [];
    private readonly Dictionary<Address, BigInteger> _allowances = [];
    private readonly Dictionary<Address, BigInteger> _free = [];
    private readonly Dictionary<ulong, ModelEscrow> _escrows = [];
    private readonly HashSet<(Bytes32 Delivery, uint Slot)> _claimed = [];

    /// <summary>What waits to be burned.</summary>
    public BigInteger Burnable { get; private set; }

    /// <summary>A holder's tokens.</summary>
    public BigInteger TokensOf(Address holder) => _tokens.GetValueOrDefault(holder);

    /// <summary>A holder's free balance for bonds and deposits.</summary>
    public BigInteger FreeOf(Address account) => _free.GetValueOrDefault(account);

    /// <summary>A request's escrow, as AnonymousTransaction.escrowOf tells it; null when it was never funded.</summary>
    public (Escrow Escrow, EscrowEnd End)? EscrowOf(ulong requestId) => _escrows.TryGetValue(requestId, out ModelEscrow? escrow)
        ? (new Escrow((UInt128)escrow.Balance, (UInt128)escrow.Owed, escrow.Pending),
            new EscrowEnd(escrow.Closed, escrow.Expired, escrow.LastFinalisedAt))
        : null;

    /// <summary>The token: creates tokens for a holder.</summary>
    public void Mint(Address holder, BigInteger amount) => _tokens[holder] = TokensOf(holder) + amount;

    /// <summary>The token: lets the payments contract take so much from an owner.</summary>
    public void Approve(CallContext context, BigInteger amount)
    {
        ArgumentNullException.ThrowIfNull(context);
        _allowances[context.Sender] = amount;
    }

    /// <summary>Adds the caller's tokens to an account's free balance.</summary>
    public void Deposit(CallContext context, Address account, BigInteger amount)
    {
        ArgumentNullException.ThrowIfNull(context);
        Rules rules = new Rules().Require(amount > 0, "ZeroAmount");
        RequireTokens(context.Sender, amount, rules);
        rules.Check();
        Take(context.Sender, amount);
        _free[account] = FreeOf(account) + amount;
        _events.Add(new DepositedEvent(account, context.Sender, amount));
    }

    /// <summary>Pays free balance out to its owner.</summary>
    public void Withdraw(CallContext context, BigInteger amount)
    {
        ArgumentNullException.ThrowIfNull(context);
        Rules rules = new Rules().Require(amount > 0, "ZeroAmount");
        RequireFree(context.Sender, amount, rules);
        rules.Check();
        _free[context.Sender] -= amount;
        Pay(context.Sender, amount);
        _events.Add(new WithdrawnEvent(context.Sender, amount));
    }

    /// <summary>Sends the burned halves of lost bonds where nobody can spend them.</summary>
    public void Burn(CallContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        new Rules().Require(Burnable > 0, "NothingToBurn").Check();
        Pay(Furnace, Burnable);
        _events.Add(new BurnedEvent(Burnable));
        Burnable = 0;
    }

    /// <summary>Pays one leaf of a final delivery.</summary>
    public void Claim(CallContext context, Delivery delivery, DeliveryOpening opening)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(opening);
        Bytes32 id = FinalDelivery(delivery);
        new Rules()
            .Require(!_escrows[delivery.Header.RequestId].Expired, "EscrowExpired", delivery.Header.RequestId)
            .RequireOpening(OpensSlot(id, delivery.Header, opening))
            .Check();
        new Rules()
            .Require(opening.Leaf.PayoutAddress != Address.Zero, "NothingToClaim", id)
            .Require(!_claimed.Contains((id, opening.Slot)), "AlreadyClaimed", id, opening.Slot)
            .Check();
        PayLeaves(context, id, delivery.Header.RequestId, [(opening.Slot, opening.Leaf)]);
    }

    /// <summary>Pays an aligned subtree.</summary>
    public void ClaimMany(CallContext context, Delivery delivery, uint subtree, DeliveryLeaf[] leaves, Sibling[] path)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(leaves);
        ArgumentNullException.ThrowIfNull(path);
        Bytes32 id = FinalDelivery(delivery);
        DeliveryHeader header = delivery.Header;
        int height = Math.Min(ClaimHeight, (int)header.Depth);
        bool isExpired = _escrows[header.RequestId].Expired;
        new Rules()
            .Require(!isExpired, "EscrowExpired", header.RequestId)
            .Require(leaves.Length <= 1 << height, "TooManyLeaves", (BigInteger)leaves.Length, (BigInteger)(1 << height))
            .Check();
        TreeNode[] nodes = new TreeNode[leaves.Length];
        bool zeros = true;
        for (int i = 0; i < leaves.Length; i++)
        {
            nodes[i] = Leaves.Delivery(id, (uint)(((ulong)subtree << height) + (ulong)i), leaves[i]);
            zeros &= ZeroIfEmpty(nodes[i], leaves[i] == DeliveryBatch.Undelivered);
        }

        SumWord total = new(header.Amount, header.Count, header.Effective);
        bool proves = zeros && path.Length == header.Depth - height
            && SumPath.Proves(new TreeNode(header.Root, total), subtree, Merkle.SumTree.Build(height, nodes).Root, SiblingPath.Nodes(path));
        new Rules().RequireOpening(proves).Check();
        (uint, DeliveryLeaf)[] due = [.. leaves
            .Select((leaf, i) => ((subtree << height) + (uint)i, leaf))
            .Where(pair => pair.leaf.PayoutAddress != Address.Zero && !_claimed.Contains((id, pair.Item1)))];
        new Rules().Require(due.Length > 0, "NothingToClaim", id).Check();
        PayLeaves(context, id, header.RequestId, due);
    }

    /// <summary>Pays back what no delivery reserved, after the deadline and its grace.</summary>
    public void Refund(CallContext context, ulong requestId)
    {
        ArgumentNullException.ThrowIfNull(context);
        Request request = RequireRequest(requestId);
        ModelEscrow escrow = _escrows[requestId];
        ulong due = request.Deadline + _parameters.RepostGrace;
        new Rules()
            .Require(!escrow.Closed, "EscrowClosed", requestId)
            .Require(context.Timestamp > due, "RefundNotDue", requestId, (BigInteger)due)
            .Require(escrow.Pending == 0, "DeliveriesPending", requestId, (BigInteger)escrow.Pending)
            .Check();
        Close(requestId, request);
    }

    /// <summary>Pays back at once when everything sold to the request is delivered and final.</summary>
    public void RefundSettled(CallContext context, ulong requestId, Round round, RowOpening row)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(round);
        ArgumentNullException.ThrowIfNull(row);
        Request request = RequireRequest(requestId);
        RoundHeader header = round.Header;
        Bytes32 id = RoundId(header);
        Bytes32 decided = _finalRounds.GetValueOrDefault((request.SchemaId, request.Book));
        new Rules().Require(decided != Bytes32.Zero && decided == id && _batches[id].Content.Equals(round), "UnknownRound", id).Check();
        new Rules().RequireOpening(OpensRow(header.SalesByRequestRoot, header, PositionBits(header), request.Index, row)).Check();
        uint delivered = _deliveredRecords.GetValueOrDefault(requestId)?.Records ?? 0;
        ModelEscrow escrow = _escrows[requestId];
        new Rules()
            .Require(!escrow.Closed, "EscrowClosed", requestId)
            .Require(delivered == row.Sum, "NotSettled", requestId, (BigInteger)row.Sum, (BigInteger)delivered)
            .Require(escrow.Pending == 0, "DeliveriesPending", requestId, (BigInteger)escrow.Pending)
            .Check();
        Close(requestId, request);
    }

    /// <summary>Moves what nobody claimed to the patients' fund.</summary>
    public void Expire(CallContext context, ulong requestId)
    {
        ArgumentNullException.ThrowIfNull(context);
        ModelEscrow? escrow = _escrows.GetValueOrDefault(requestId);
        new Rules().Require(escrow is { Closed: true }, "EscrowOpen", requestId).Check();
        ulong due = escrow!.LastFinalisedAt + _parameters.ClaimPeriod;
        new Rules()
            .Require(!escrow.Expired, "EscrowExpired", requestId)
            .Require(context.Timestamp > due, "ExpiryNotDue", requestId, (BigInteger)due)
            .Check();
        BigInteger left = escrow.Balance;
        (escrow.Expired, escrow.Balance, escrow.Owed) = (true, 0, 0);
        _free[_parameters.PatientsFund] = FreeOf(_parameters.PatientsFund) + left;
        _events.Add(new ExpiredEvent(requestId, left));
    }

    private void PayLeaves(CallContext context, Bytes32 deliveryId, ulong requestId, (uint Slot, DeliveryLeaf Leaf)[] leaves)
    {
        ModelEscrow escrow = _escrows[requestId];
        BigInteger fees = leaves.Length * (BigInteger)_parameters.RelayFee;
        foreach ((uint slot, DeliveryLeaf leaf) in leaves)
        {
            _claimed.Add((deliveryId, slot));
            escrow.Balance -= leaf.Amount;
            escrow.Owed -= leaf.Amount;
            Pay(leaf.PayoutAddress, leaf.Amount);
            _events.Add(new ClaimedEvent(deliveryId, slot, leaf.PayoutAddress, leaf.Amount));
        }

        escrow.Balance -= fees;
        escrow.Owed -= fees;
        Pay(context.Sender, fees);
        _events.Add(new RelayFeePaidEvent(context.Sender, fees));
    }

    private void Close(ulong requestId, Request request)
    {
        ModelEscrow escrow = _escrows[requestId];
        BigInteger refund = escrow.Balance - escrow.Owed;
        escrow.Balance -= refund;
        escrow.Closed = true;
        Pay(request.Researcher, refund);
        _events.Add(new RefundedEvent(requestId, request.Researcher, refund));
    }

    private void Fund(ulong requestId, Address researcher, UInt128 amount)
    {
        Take(researcher, amount);
        _escrows.Add(requestId, new ModelEscrow { Balance = amount });
        _events.Add(new FundedEvent(requestId, researcher, amount));
    }

    private void RequireTokens(Address owner, BigInteger amount, Rules rules)
    {
        BigInteger allowance = _allowances.GetValueOrDefault(owner);
        rules.Require(allowance >= amount, "ERC20InsufficientAllowance", _contracts.Payments, allowance, amount);
        rules.Require(TokensOf(owner) >= amount, "ERC20InsufficientBalance", owner, TokensOf(owner), amount);
    }

    private void Take(Address owner, BigInteger amount)
    {
        // An unlimited allowance is not used up (OpenZeppelin's ERC-20).
        if (_allowances[owner] != (BigInteger.One << 256) - 1)
        {
            _allowances[owner] -= amount;
        }

        _tokens[owner] -= amount;
        Mint(_contracts.Payments, amount);
    }

    private void Pay(Address payee, BigInteger amount)
    {
        _tokens[_contracts.Payments] -= amount;
        Mint(payee, amount);
    }

    private void RequireFree(Address account, BigInteger amount, Rules rules) =>
        rules.Require(FreeOf(account) >= amount, "InsufficientBalance", account, FreeOf(account), amount);

    private void Lock(Address account, UInt128 amount)
    {
        _free[account] = FreeOf(account) - amount;
        _events.Add(new LockedEvent(account, amount));
    }

    private void Unlock(Address account, UInt128 amount)
    {
        _free[account] = FreeOf(account) + amount;
        _events.Add(new UnlockedEvent(account, amount));
    }

    private void Slash(Address beneficiary, UInt128 amount)
    {
        UInt128 reward = amount / 2;
        _free[beneficiary] = FreeOf(beneficiary) + reward;
        Burnable += amount - reward;
        _events.Add(new SlashedEvent(beneficiary, reward, amount - reward));
    }

    private sealed class ModelEscrow
    {
        public BigInteger Balance { get; set; }

        public BigInteger Owed { get; set; }

        public uint Pending { get; set; }

        public bool Closed { get; set; }

        public bool Expired { get; set; }

        public ulong LastFinalisedAt { get; set; }
    }
}
