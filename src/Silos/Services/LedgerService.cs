using System.Globalization;
using System.Numerics;
using System.Text.Json.Serialization;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Transactions;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>The ledger as anybody may read it, openings of what its roots stand for, and the relay of transactions that others
/// signed.</summary>
internal sealed class LedgerService(RunningRoles roles)
{
    private const int LongestTransaction = 131_072;
    private static readonly BigInteger Allowance = 1_000_000_000;

    /// <summary>The sites, by number.</summary>
    public SiteRowInfo[] Sites() =>
        [.. roles.View.Sites().Select(row => new SiteRowInfo(row.Site, Show.Address(row.Account), Show.Hash(row.ProfileHash)))];

    /// <summary>The published schemas.</summary>
    public SchemaRowInfo[] Schemas() =>
        [.. roles.View.Schemas().Select(row => new SchemaRowInfo(Show.Hash(row.SchemaId), row.Attributes, row.Grades, row.CapMicro))];

    /// <summary>All epochs in the order of their posting.</summary>
    public BatchInfo[] Epochs() => [.. roles.View.Epochs().Select(Epoch)];

    /// <summary>All rounds, schema by schema.</summary>
    public BatchInfo[] Rounds() => [.. roles.View.Schemas().SelectMany(schema => roles.View.Rounds(schema.SchemaId)).Select(Round)];

    /// <summary>All deliveries, request by request.</summary>
    public BatchInfo[] Deliveries() =>
        [.. roles.View.Requests().SelectMany(request => roles.View.Deliveries(request.RequestId)).Select(Delivery)];

    /// <summary>All requests by number.</summary>
    public LedgerRequestInfo[] Requests() => [.. roles.View.Requests().Select(Request)];

    /// <summary>A batch of any kind; null when the ledger has none of this id.</summary>
    /// <exception cref="ServiceRefusedException"><c>malformed-hash</c>.</exception>
    public BatchInfo? Batch(string batchId) => Row(batchId) switch
    {
        EpochRow row => Epoch(row), RoundRow row => Round(row), DeliveryRow row => Delivery(row), _ => null,
    };

    /// <summary>The trees of a batch, with the number of leaves that each has room for.</summary>
    public (LeafKind Kind, ulong Leaves)[] Trees(string batchId) => Row(batchId) is { } row ? AuditorCallService.Trees(row) : [];

    /// <summary>What was paid out of a delivery.</summary>
    /// <exception cref="ServiceRefusedException"><c>malformed-hash</c>.</exception>
    public ClaimInfo[] Claims(string deliveryId) =>
        [.. roles.View.Claims(AuditService.Hash(deliveryId, "delivery"))
            .Select(claim => new ClaimInfo(claim.Slot, Show.Address(claim.Payee), Show.Amount(claim.Amount)))];

    /// <summary>The revocations of a site.</summary>
    public RevocationInfo[] Revocations(uint site) =>
        [.. roles.View.Revocations(site).Select(row => new RevocationInfo(row.Site, Show.Hash(row.Pseudonym), row.RevokedSeconds))];

    /// <summary>What was found about a site.</summary>
    public FindingInfo[] Findings(uint site) =>
        [.. roles.View.Findings(site)
            .Select(row => new FindingInfo(
                row.Site, row.Index, Show.Address(row.Author), row.Kind, Show.Hash(row.ContentHash), row.RecordedSeconds))];

    /// <summary>The leaves that were demanded, and what became of it; the latest demand of each leaf.</summary>
    public DemandInfo[] Demands() => [.. roles.View.Demands().Select(Demand)];

    /// <summary>The registered auditors.</summary>
    public string[] Auditors() => [.. roles.View.Auditors().Select(Show.Address)];

    /// <summary>The rules of the contracts: windows, bonds and deposits.</summary>
    public LedgerTermsInfo Terms()
    {
        DeploymentTerms terms = roles.View.Deployment.Terms;
        return new LedgerTermsInfo
        {
            EpochWindowSeconds = terms.EpochWindowSeconds, RoundWindowSeconds = terms.RoundWindowSeconds,
            DeliveryWindowSeconds = terms.DeliveryWindowSeconds, EpochBondUnits = Text(terms.EpochBondUnits),
            RoundBondUnits = Text(terms.RoundBondUnits), DeliveryBondUnits = Text(terms.DeliveryBondUnits),
            DemandDepositUnits = Text(terms.DemandDepositUnits), RelayFeeUnits = Text(terms.RelayFeeUnits),
            MinimumBudgetUnits = Text(terms.MinimumBudgetUnits),
        };
    }

    /// <summary>The opening of a member of an epoch: the leaf, and the path to the root that the ledger holds.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-batch</c> or <c>unknown-leaf</c>.</exception>
    public async Task<OpeningInfo> MemberAsync(string epochId, uint position)
    {
        EpochRow row = roles.View.Epoch(AuditService.Hash(epochId, "epoch"))
            ?? throw new ServiceRefusedException("unknown-batch", $"the ledger has no epoch {epochId}");
        OpenedEpoch epoch = await roles.Here().Context.EpochAsync(row.Header.DataHash)
            ?? throw new ServiceRefusedException("unknown-batch", $"the file of epoch {epochId} is not here");
        if (position >= epoch.File.Members.Length)
        {
            throw new ServiceRefusedException("unknown-leaf", $"epoch {epochId} has {epoch.File.Members.Length} members, counted from 0");
        }

        MemberOpening opening = epoch.Batch.OpenMember(position);
        return new OpeningInfo
        {
            BatchId = epochId,
            Position = position,
            Root = Show.Hash(row.Header.MembersRoot),
            Leaf = new SortedDictionary<string, string>(StringComparer.Ordinal)
            {
                ["pseudonym"] = Show.Hash(opening.Leaf.Pseudonym), ["controller"] = Show.Address(opening.Leaf.Controller),
                ["localClass"] = Text(opening.Leaf.LocalClass),
                ["payoutRoot"] = Show.Hash(opening.Leaf.PayoutRoot), ["previousEpoch"] = Text(opening.Leaf.PreviousEpoch),
                ["previousPosition"] = Text(opening.Leaf.PreviousPosition),
                ["salt"] = Show.Hash(opening.Leaf.Salt),
            },
            Path = Path(opening.Path),
            Sum = Text(row.Header.MemberCount),
        };
    }

    /// <summary>The opening of a slot of a delivery.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-batch</c> or <c>unknown-leaf</c>.</exception>
    public async Task<OpeningInfo> SlotAsync(string deliveryId, uint slot)
    {
        DeliveryRow row = roles.View.Delivery(AuditService.Hash(deliveryId, "delivery"))
            ?? throw new ServiceRefusedException("unknown-batch", $"the ledger has no delivery {deliveryId}");
        RequestRow request = roles.View.Request(row.Header.RequestId)!;
        MarketContext market = roles.Here().Context;
        OpenedDelivery delivery = await market.DeliveryAsync(row.Header.DataHash, market.Schemas[Show.Hash(request.Terms.SchemaId)].Schema)
            ?? throw new ServiceRefusedException("unknown-batch", $"the file of delivery {deliveryId} is not here");
        if (slot >= delivery.File.Leaves.Length)
        {
            throw new ServiceRefusedException(
                "unknown-leaf", $"delivery {deliveryId} has {delivery.File.Leaves.Length} slots, counted from 0");
        }

        DeliveryOpening opening = delivery.Batch.Open(slot);
        return new OpeningInfo
        {
            BatchId = deliveryId,
            Position = slot,
            Root = Show.Hash(row.Header.Root),
            Leaf = new SortedDictionary<string, string>(StringComparer.Ordinal)
            {
                ["localClass"] = Text(opening.Leaf.LocalClass), ["memberPosition"] = Text(opening.Leaf.MemberPosition),
                ["payoutAddress"] = Show.Address(opening.Leaf.PayoutAddress),
                ["reportHash"] = Show.Hash(opening.Leaf.ReportHash), ["amount"] = Show.Amount(opening.Leaf.Amount),
                ["effective"] = Show.Amount(opening.Leaf.Effective),
            },
            Path = Path(opening.Path),
            Sum = Show.Amount(row.Header.Amount),
        };
    }

    /// <summary>What a contract's commitment to an epoch or a delivery is the hash of, as hexadecimal digits; null when the ledger has no
    /// such batch.</summary>
    /// <exception cref="ServiceRefusedException"><c>malformed-hash</c>.</exception>
    public string? Committed(string batchId)
    {
        Bytes32 id = AuditService.Hash(batchId, "batch");
        return roles.View.Epoch(id) is { } epoch ? Convert.ToHexStringLower(Commitment.Encode(new Epoch(epoch.Header, epoch.Posting)))
            : roles.View.Delivery(id) is { } delivery
            ? Convert.ToHexStringLower(Commitment.Encode(new Delivery(delivery.Header, delivery.Posting))) : null;
    }

    /// <summary>What an account needs to know to sign.</summary>
    public async Task<AccountInfo> AccountAsync(string address, CancellationToken cancellationToken)
    {
        Address account = AccountOf(address);
        await roles.View.SyncAsync(cancellationToken);
        DevelopmentToken token = new(roles.Client, Address.Parse(roles.View.Deployment.Token.Address));
        Address spender = Address.Parse(roles.View.Deployment.Payments.Address);
        BlockHeader head = await roles.Client.GetBlockAsync(BlockReference.Latest, cancellationToken)
            ?? throw new MalformedAnswerException("eth_getBlockByNumber", "there is no block");
        return new AccountInfo
        {
            Address = Show.Address(account),
            ChainId = roles.View.Deployment.ChainId,
            Nonce = await roles.Client.GetNonceAsync(account, BlockReference.Pending, cancellationToken),
            Wei = Text(await roles.Client.GetBalanceAsync(account, BlockReference.Latest, cancellationToken)),
            Tokens = Text(await token.BalanceOfAsync(account, BlockReference.Latest, cancellationToken)),
            Allowance = Text(await token.AllowanceAsync(account, spender, BlockReference.Latest, cancellationToken)),
            Free = Text(await new AnonymousTransaction(roles.Client, spender).BalanceOfAsync(
                account, BlockReference.Latest, cancellationToken)),
            IsAuditor = roles.View.Auditors().Contains(account),
            BaseFeePerGas = Text(head.BaseFeePerGas ?? 0),
            Gas = CallGas,
        };
    }

    /// <summary>Hands a signed transaction to the chain.</summary>
    /// <param name="raw">0x and the bytes as hexadecimal digits.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Its hash, 64 hexadecimal digits.</returns>
    /// <exception cref="ServiceRefusedException"><c>malformed-transaction</c> or <c>transaction-refused</c> with the node's
    /// reason.</exception>
    public async Task<string> RelayAsync(string raw, CancellationToken cancellationToken)
    {
        if (raw.Length > LongestTransaction * 2 || !raw.StartsWith("0x", StringComparison.Ordinal) || raw.Length % 2 != 0
            || !raw.AsSpan(2).ToString().All(char.IsAsciiHexDigit) || raw.Length < 4)
        {
            throw new ServiceRefusedException("malformed-transaction",
                $"a signed transaction is 0x and an even number of hexadecimal digits, at most {LongestTransaction} bytes");
        }

        byte[] bytes = Convert.FromHexString(raw[2..]);
        SignedTransaction transaction = new(0, Keccak256.Hash(bytes), bytes);
        SendOutcome outcome = (await roles.Client.SendRawAsync([transaction], cancellationToken))[0];
        return outcome.Status is SendStatus.Accepted or SendStatus.AlreadyKnown ? Show.Hash(transaction.Hash)
            : throw new ServiceRefusedException(
                "transaction-refused", $"the chain does not take it ({outcome.Status}): {outcome.Error?.Message}");
    }

    /// <summary>What became of a transaction; null while it is in no block.</summary>
    public async Task<ReceiptInfo?> ReceiptAsync(string hash, CancellationToken cancellationToken) =>
        (await roles.Client.GetReceiptsAsync([AuditService.Hash(hash, "transaction")], cancellationToken))[0] is { } receipt
            ? new ReceiptInfo(hash, receipt.BlockNumber, receipt.Succeeded, receipt.GasUsed) : null;

    /// <summary>Gives an account ether and tokens of an embedded chain.</summary>
    /// <exception cref="ServiceRefusedException"><c>not-embedded</c>.</exception>
    public async Task EndowAsync(string address, CancellationToken cancellationToken) =>
        await Embedded().EndowAsync(AccountOf(address), Allowance, cancellationToken);

    /// <summary>Moves the clock of an embedded chain.</summary>
    /// <exception cref="ServiceRefusedException"><c>not-embedded</c>.</exception>
    public Task AdvanceTimeAsync(long seconds, CancellationToken cancellationToken) =>
        Embedded().AdvanceTimeAsync(TimeSpan.FromSeconds(seconds), cancellationToken);

    // More than any call of a researcher takes; what is not used is not paid.
    private const ulong CallGas = 1_000_000;

    private Consortium Embedded() =>
        roles.Consortium ?? throw new ServiceRefusedException("not-embedded", "only an embedded chain gives out money and moves its clock");

    internal static Address AccountOf(string address)
    {
        try
        {
            return Address.Parse(address);
        }
        catch (FormatException)
        {
            throw new ServiceRefusedException("malformed-address", "an address is 0x and 40 hexadecimal digits");
        }
    }

    private DemandInfo Demand(DemandRow row)
    {
        BatchRow? batch = (BatchRow?)roles.View.Epoch(row.BatchId) ?? (BatchRow?)roles.View.Round(row.BatchId)
            ?? roles.View.Delivery(row.BatchId);
        return new DemandInfo
        {
            BatchId = Show.Hash(row.BatchId), Kind = row.Kind, Position = row.Position, Demander = Show.Address(row.Demander),
            AnswerBySeconds = row.AnswerBySeconds,
            State = row.End switch
            {
                DemandEnd.Answered => "answered", DemandEnd.Reclaimed => "reclaimed",
                _ when batch?.Status == BatchStatus.Void => "void",
                _ => roles.View.NowSeconds > (long)row.AnswerBySeconds ? "overdue" : "open",
            },
            Responder = row.Responder is { } responder ? Show.Address(responder) : null, EndedSeconds = row.EndedSeconds,
        };
    }

    private BatchRow? Row(string batchId)
    {
        Bytes32 id = AuditService.Hash(batchId, "batch");
        return (BatchRow?)roles.View.Epoch(id) ?? (BatchRow?)roles.View.Round(id) ?? roles.View.Delivery(id);
    }

    private BatchInfo Epoch(EpochRow row) =>
        Batch("epoch", row, row.Header.DataHash, roles.View.Deployment.Terms.EpochWindowSeconds,
            new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["site"] = Text(row.Header.Site), ["schemaId"] = Show.Hash(row.Header.SchemaId), ["epoch"] = Text(row.Header.Epoch),
        ["members"] = Text(row.Header.MemberCount),
        ["classes"] = Text(row.Header.ClassCount), ["membersRoot"] = Show.Hash(row.Header.MembersRoot),
        ["classesRoot"] = Show.Hash(row.Header.ClassesRoot),
    });

    private BatchInfo Round(RoundRow row) =>
        Batch("round", row, row.Header.DataHash, roles.View.Deployment.Terms.RoundWindowSeconds,
            new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["schemaId"] = Show.Hash(row.Header.SchemaId), ["ordinal"] = Text(row.Header.Ordinal), ["attempt"] = Text(row.Header.Attempt),
        ["sales"] = Text(row.Header.TotalSales),
        ["pricesRoot"] = Show.Hash(row.Header.PricesRoot), ["requestsRoot"] = Show.Hash(row.Header.RequestsRoot),
        ["salesByClassRoot"] = Show.Hash(row.Header.SalesByClassRoot),
        ["salesByRequestRoot"] = Show.Hash(row.Header.SalesByRequestRoot), ["seed"] = row.Seed is { } seed ? Show.Hash(seed) : "",
    });

    private BatchInfo Delivery(DeliveryRow row) =>
        Batch("delivery", row, row.Header.DataHash, roles.View.Deployment.Terms.DeliveryWindowSeconds,
            new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["requestId"] = Text(row.Header.RequestId), ["site"] = Text(row.Header.Site), ["attempt"] = Text(row.Header.Attempt),
        ["records"] = Text(row.Header.Count),
        ["amount"] = Show.Amount(row.Header.Amount), ["root"] = Show.Hash(row.Header.Root), ["claimed"] = Text(row.Claimed),
    });

    private static BatchInfo Batch(
        string kind, BatchRow row, Bytes32 dataHash, uint windowSeconds, SortedDictionary<string, string> header) => new()
    {
        Kind = kind, Id = Show.Hash(row.Id), Status = row.Status.ToString().ToLowerInvariant(),
        Committer = Show.Address(row.Posting.Committer), PostedSeconds = row.Posting.Timestamp,
        PostedBlock = row.Posting.BlockNumber, DataHash = Show.Hash(dataHash), Header = header,
        DemandUntilSeconds = row.Posting.Timestamp + (windowSeconds / 2), ChallengeUntilSeconds = row.Posting.Timestamp + windowSeconds,
        EndedSeconds = row.EndedSeconds, Fault = row.Status == BatchStatus.Void ? row.Fault.ToString() : null,
        Challenger = row.Challenger is { } challenger ? Show.Address(challenger) : null,
    };

    private LedgerRequestInfo Request(RequestRow row)
    {
        EscrowRow? escrow = roles.View.Escrow(row.RequestId);
        return new LedgerRequestInfo
        {
            RequestId = row.RequestId, Researcher = Show.Address(row.Researcher), SchemaId = Show.Hash(row.Terms.SchemaId),
            TermsHash = Show.Hash(row.Terms.TermsHash), Book = row.Book,
            OpenedSeconds = row.OpenedSeconds, Cancelled = row.Cancelled, Budget = Show.Amount(row.Terms.Budget),
            TargetRecords = row.Terms.TargetRecords,
            Funded = Text(escrow?.Funded ?? 0), Claimed = Text(escrow?.Claimed ?? 0), Refunded = Text(escrow?.Refunded ?? 0),
            Closed = escrow?.IsClosed ?? false,
        };
    }

    private static PathNode[] Path(Sibling[] path) => [.. path.Select(sibling => new PathNode(Show.Hash(sibling.Hash), Text(sibling.Sum)))];

    private static string Text<T>(T number)
        where T : IFormattable => number.ToString(null, CultureInfo.InvariantCulture);
}

internal sealed record SiteRowInfo(uint Site, string Account, string ProfileHash);

internal sealed record SchemaRowInfo(string SchemaId, byte Attributes, byte Grades, ulong CapMicro);

/// <summary>An epoch, round or delivery on the ledger.</summary>
internal sealed record BatchInfo
{
    /// <summary>epoch, round or delivery.</summary>
    public required string Kind { get; init; }

    public required string Id { get; init; }

    /// <summary>posted, final or void.</summary>
    public required string Status { get; init; }

    public required string Committer { get; init; }

    public required ulong PostedSeconds { get; init; }

    public required ulong PostedBlock { get; init; }

    /// <summary>SHA-256 of its file.</summary>
    public required string DataHash { get; init; }

    /// <summary>What its header says, by name.</summary>
    public required SortedDictionary<string, string> Header { get; init; }

    /// <summary>Leaves can be demanded before this time of the ledger, while it is posted.</summary>
    public required ulong DemandUntilSeconds { get; init; }

    /// <summary>It can become final from this time of the ledger on; it can be challenged until it is.</summary>
    public required ulong ChallengeUntilSeconds { get; init; }

    /// <summary>When it became final or void; 0 before.</summary>
    public required ulong EndedSeconds { get; init; }

    /// <summary>The fault that voided it, as the contracts name it; left out otherwise.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Fault { get; init; }

    /// <summary>Who proved the fault and got half of the bond; left out otherwise.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Challenger { get; init; }
}

/// <summary>The rules that the contracts were made with. Amounts in token units.</summary>
internal sealed record LedgerTermsInfo
{
    public required uint EpochWindowSeconds { get; init; }

    public required uint RoundWindowSeconds { get; init; }

    public required uint DeliveryWindowSeconds { get; init; }

    public required string EpochBondUnits { get; init; }

    public required string RoundBondUnits { get; init; }

    public required string DeliveryBondUnits { get; init; }

    public required string DemandDepositUnits { get; init; }

    public required string RelayFeeUnits { get; init; }

    public required string MinimumBudgetUnits { get; init; }
}

internal sealed record LedgerRequestInfo
{
    public required ulong RequestId { get; init; }

    public required string Researcher { get; init; }

    public required string SchemaId { get; init; }

    public required string TermsHash { get; init; }

    public required uint Book { get; init; }

    public required ulong OpenedSeconds { get; init; }

    public required bool Cancelled { get; init; }

    public required string Budget { get; init; }

    public required uint TargetRecords { get; init; }

    public required string Funded { get; init; }

    public required string Claimed { get; init; }

    public required string Refunded { get; init; }

    public required bool Closed { get; init; }
}

internal sealed record ClaimInfo(uint Slot, string Payee, string Amount);

internal sealed record RevocationInfo(uint Site, string Pseudonym, ulong RevokedSeconds);

internal sealed record FindingInfo(uint Site, ulong Index, string Author, byte Kind, string ContentHash, ulong RecordedSeconds);

/// <summary>A leaf that was demanded.</summary>
internal sealed record DemandInfo
{
    public required string BatchId { get; init; }

    /// <summary>1 member and 2 class of an epoch; 3 premium, 4 request, 5 sale by class and 6 sale by request of a round; 7 slot of a
    /// delivery.</summary>
    public required byte Kind { get; init; }

    public required ulong Position { get; init; }

    public required string Demander { get; init; }

    public required ulong AnswerBySeconds { get; init; }

    /// <summary>open; answered: the deposit is the responder's; overdue: anybody may void the batch; void: the batch is, and a deposit
    /// that is still locked can be taken back; reclaimed: it was.</summary>
    public required string State { get; init; }

    /// <summary>Who opened the leaf; left out when nobody did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Responder { get; init; }

    /// <summary>When it was answered or reclaimed; 0 before.</summary>
    public required ulong EndedSeconds { get; init; }
}

/// <summary>A leaf with its path (docs/WIRE.md, "Trees").</summary>
internal sealed record OpeningInfo
{
    public required string BatchId { get; init; }

    public required uint Position { get; init; }

    /// <summary>The root that the ledger holds.</summary>
    public required string Root { get; init; }

    /// <summary>The leaf's fields by name.</summary>
    public required SortedDictionary<string, string> Leaf { get; init; }

    /// <summary>The siblings, from the leaf up.</summary>
    public required PathNode[] Path { get; init; }

    /// <summary>The sum at the root.</summary>
    public required string Sum { get; init; }
}

internal sealed record PathNode(string Hash, string Sum);

/// <summary>An account on the ledger.</summary>
internal sealed record AccountInfo
{
    public required string Address { get; init; }

    public required ulong ChainId { get; init; }

    /// <summary>The nonce of its next transaction.</summary>
    public required ulong Nonce { get; init; }

    public required string Wei { get; init; }

    /// <summary>Token units.</summary>
    public required string Tokens { get; init; }

    /// <summary>Token units that the payments' contract may take.</summary>
    public required string Allowance { get; init; }

    /// <summary>Token units of its own in the payments' contract that no bond or deposit binds; it can withdraw them.</summary>
    public required string Free { get; init; }

    /// <summary>Whether the consortium registered it as an auditor.</summary>
    public required bool IsAuditor { get; init; }

    public required string BaseFeePerGas { get; init; }

    /// <summary>A gas limit that suffices for every call that this API answers with.</summary>
    public required ulong Gas { get; init; }
}

internal sealed record ReceiptInfo(string Hash, ulong Block, bool Succeeded, ulong GasUsed);
