using System.Globalization;
using EmrMarket.Analytics.Matching;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Grains.Market.Rounds;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>
/// Holds a batch of the ledger against its file and against what it follows from, as an auditor does; and, while its window is open, tries
/// every challenge that its leaves allow against the contract itself. What the contract would accept is answered as the call that the
/// auditor signs.
/// </summary>
internal sealed class BatchCheckService(RunningRoles roles)
{
    // Challenges are tried as calls that change nothing; any account may raise them.
    private static readonly Address Anybody = Address.Parse("0x00000000000000000000000000000000000000aa");

    private MarketContext Market => roles.Here().Context;

    /// <summary>Checks an epoch, a round or a delivery. O(leaves), and a call of the node per challenge while the batch is
    /// posted.</summary>
    /// <exception cref="ServiceRefusedException"><c>malformed-hash</c> or <c>unknown-batch</c>.</exception>
    public async Task<BatchCheckInfo> CheckAsync(string batchId, CancellationToken cancellationToken)
    {
        Bytes32 id = AuditService.Hash(batchId, "batch");
        ILedgerView view = roles.Here().View;
        await roles.Here().View.SyncAsync(cancellationToken);
        return ((BatchRow?)view.Epoch(id) ?? (BatchRow?)view.Round(id) ?? view.Delivery(id)) switch
        {
            EpochRow epoch => await ReadAsync(epoch, "epoch", roles.View.Deployment.Terms.EpochWindowSeconds, EpochAsync),
            RoundRow round => await ReadAsync(round, "round", roles.View.Deployment.Terms.RoundWindowSeconds, RoundAsync),
            DeliveryRow delivery => await ReadAsync(
                delivery, "delivery", roles.View.Deployment.Terms.DeliveryWindowSeconds, DeliveryAsync),
            _ => throw new ServiceRefusedException("unknown-batch", $"the ledger has no batch {batchId}"),
        };

        async Task<BatchCheckInfo> ReadAsync<T>(
            T row, string kind, long window, Func<T, BatchCheckInfo, CancellationToken, Task<BatchCheckInfo>> check)
            where T : BatchRow
        {
            BatchCheckInfo answer = Answer(row, kind, (long)row.Posting.Timestamp + window);
            try
            {
                return await check(row, answer, cancellationToken);
            }
            catch (ExchangeFileException e)
            {
                return answer with { Fault = $"a file that it rests on cannot be read: {e.Message}" };
            }
        }
    }

    private async Task<BatchCheckInfo> EpochAsync(EpochRow row, BatchCheckInfo answer, CancellationToken cancellationToken)
    {
        if (await Market.EpochAsync(row.Header.DataHash) is not { } opened)
        {
            return answer with { Fault = MissingFile };
        }

        DynamicAccessControl access = new(roles.Client, Market.Access);
        Dictionary<uint, PostedEpoch> earlier = [];
        bool isComplete = true;
        foreach (EpochRow past in Market.View.Epochs(row.Header.SchemaId).Where(past => past.Header.Site == row.Header.Site
            && past.Header.Epoch < row.Header.Epoch && past.Status == BatchStatus.Final))
        {
            OpenedEpoch? leaves = await Market.EpochAsync(past.Header.DataHash);
            isComplete &= leaves is not null;
            if (leaves is not null)
            {
                earlier.Add(past.Header.Epoch, new PostedEpoch(new Epoch(past.Header, past.Posting), leaves.Batch));
            }
        }

        string? fault = opened.Batch.Header != row.Header ? OtherHeader
            : isComplete ? null : "the file of an epoch before it is not here, so the pasts of its members were not compared";
        return await ChallengeAsync(
            answer with { Fault = fault }, row, call => access.TryAsync(call, Anybody, cancellationToken),
            EpochChallenges.All(access, new PostedEpoch(new Epoch(row.Header, row.Posting), opened.Batch), isComplete ? earlier : null));
    }

    private async Task<BatchCheckInfo> RoundAsync(RoundRow row, BatchCheckInfo answer, CancellationToken cancellationToken)
    {
        if (await Market.RoundAsync(row.Header.DataHash) is not { } opened)
        {
            return answer with { Fault = MissingFile };
        }

        BookRow book = Market.View.Books(row.Header.SchemaId).First(book => book.Ordinal == row.Header.Ordinal);
        RoundDecision? decision = await RoundInputs.DecisionAsync(Market, book);
        string? fault = opened.Batch.Header != row.Header ? OtherHeader
            : decision is null ? "an epoch's file or a request is missing here, so the match cannot be computed again"
            : !decision.Supply.Select(supply => supply.Epoch).SequenceEqual(opened.File.Epochs)
            ? "it uses other epochs than those that were final when its book closed"
            : MatchVerifier.FindFaults(decision.Problem, decision.ToOutcome(opened.File), limit: 1) is [var first, ..]
            ? $"the match: {first}" : null;
        List<ClassEvidence> classes = [];
        foreach (EpochRow epoch in opened.File.Epochs.Select(reference => EpochOf(row.Header.SchemaId, reference.Site, reference.Epoch))
            .OfType<EpochRow>())
        {
            if (await Market.EpochAsync(epoch.Header.DataHash) is { } leaves)
            {
                classes.AddRange(
                    Enumerable.Range(0, leaves.Batch.Classes.Count).Select(k => leaves.Batch.Evidence(epoch.Posting, (uint)k)));
            }
        }

        ulong[] requests =
            [.. Market.View.Requests(row.Header.SchemaId).Where(request => request.Book == row.Header.Ordinal)
                .OrderBy(request => request.Index).Select(request => request.RequestId)];
        IEnumerable<BatchChallenge> challenges = classes.Count == 0 || requests.Length == 0 ? []
            : RoundChallenges.All(Market.Matching, new Round(row.Header, row.Posting), opened.Batch, classes, requests)
            .Select(challenge => new BatchChallenge(challenge.Kind, string.Create(
                CultureInfo.InvariantCulture,
                $"class position {challenge.Class}, request {challenge.Request} of the book"), challenge.Call));
        return await ChallengeAsync(
            answer with { Fault = fault }, row, call => Market.Matching.TryAsync(call, Anybody, cancellationToken), challenges);
    }

    private async Task<BatchCheckInfo> DeliveryAsync(DeliveryRow row, BatchCheckInfo answer, CancellationToken cancellationToken)
    {
        RequestRow request = Market.View.Request(row.Header.RequestId)!;
        MarketSchema schema = Market.Schemas[MarketContext.Name(request.Terms.SchemaId)];
        SoldDelivery? sale = await SaleAsync(request, row.Header.Site);
        if (await Market.DeliveryAsync(row.Header.DataHash, schema.Schema) is not { } opened || sale is null)
        {
            return answer with { Fault = MissingFile };
        }

        string? fault = opened.Batch.Header != row.Header ? OtherHeader : DeliveryCheck.FindFault(
            opened.File, new DeliveryFrame(schema, request.Terms, request.Index, sale.Round, sale.Seed, sale.Epoch));
        Dictionary<Bytes32, Address[]> payees = fault is null ? [] : await PayeesAsync(request.Terms.SchemaId, row);
        return await ChallengeAsync(
            answer with { Fault = fault }, row, call => Market.Evaluation.TryAsync(call, Anybody, cancellationToken),
            DeliveryChallenges.All(
                Market.Evaluation, new Delivery(row.Header, row.Posting), opened.Batch,
                new DeliverySale(sale.Match, sale.Round.Batch, new PostedEpoch(sale.PostedEpoch, sale.Epoch.Batch), request.Index),
                pseudonym => Market.View.RevokedAt(row.Header.Site, pseudonym) is not null,
                pseudonym => payees.GetValueOrDefault(pseudonym, [])));
    }

    /// <summary>What a delivery of a site to a request follows from; null while the round is not final or a file is not here.</summary>
    private async Task<SoldDelivery?> SaleAsync(RequestRow request, uint site)
    {
        if (Market.View.Rounds(request.Terms.SchemaId)
            .FirstOrDefault(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final)
                is not { Seed: { } seed } sold
            || await Market.RoundAsync(sold.Header.DataHash) is not { } round
            || round.File.Epochs.Where(epoch => epoch.Site == site)
                .Select(epoch => EpochOf(request.Terms.SchemaId, epoch.Site, epoch.Epoch)).FirstOrDefault() is not { } row
            || await Market.EpochAsync(row.Header.DataHash) is not { } epoch)
        {
            return null;
        }

        return new SoldDelivery(new Round(sold.Header, sold.Posting), round, seed, new Epoch(row.Header, row.Posting), epoch);
    }

    /// <summary>Where the site's other deliveries paid its pseudonyms.</summary>
    private async Task<Dictionary<Bytes32, Address[]>> PayeesAsync(Bytes32 schemaId, DeliveryRow except)
    {
        List<(Bytes32 Pseudonym, Address Payee)> paid = [];
        MarketSchema schema = Market.Schemas[MarketContext.Name(schemaId)];
        foreach (RequestRow request in Market.View.Requests(schemaId))
        {
            foreach (DeliveryRow row in Market.View.Deliveries(request.RequestId)
                .Where(row => row.Header.Site == except.Header.Site && row.Id != except.Id))
            {
                if (await SaleAsync(request, row.Header.Site) is { } sale
                    && await Market.DeliveryAsync(row.Header.DataHash, schema.Schema) is { } opened)
                {
                    paid.AddRange(opened.Batch.Leaves.Where(leaf => leaf.MemberPosition < sale.Epoch.Batch.Members.Count)
                        .Select(leaf => (sale.Epoch.Batch.Members[(int)leaf.MemberPosition].Pseudonym, leaf.PayoutAddress)));
                }
            }
        }

        return paid.Distinct().GroupBy(one => one.Pseudonym, one => one.Payee).ToDictionary(one => one.Key, one => one.ToArray());
    }

    private static async Task<BatchCheckInfo> ChallengeAsync(
        BatchCheckInfo answer, BatchRow row, Func<ContractCall, Task> tryAsync, IEnumerable<BatchChallenge> challenges)
    {
        // Leaves of another tree open nothing.
        if (row.Status != BatchStatus.Posted || answer.Fault == OtherHeader)
        {
            return answer;
        }

        SortedDictionary<string, int> tried = new(StringComparer.Ordinal);
        foreach ((string kind, string where, ContractCall call) in challenges)
        {
            try
            {
                await tryAsync(call);
                Count(kind);
                return answer with
                {
                    Tried = tried, Where = where, Challenge = new CallInfo(kind, Show.Address(call.To!.Value), Show.Hex(call.Data.Span)),
                };
            }
            catch (NoFaultException)
            {
                // Right in this respect.
                Count(kind);
            }
            catch (NotPostedException)
            {
                // It became final or void meanwhile.
                break;
            }
        }

        return answer with { Tried = tried };

        void Count(string kind) => tried[kind] = tried.GetValueOrDefault(kind) + 1;
    }

    private EpochRow? EpochOf(Bytes32 schema, uint site, uint number) =>
        Market.View.Epochs(schema).FirstOrDefault(epoch => epoch.Header.Site == site && epoch.Header.Epoch == number);

    private BatchCheckInfo Answer(BatchRow row, string kind, long until) => new()
    {
        Kind = kind, BatchId = Show.Hash(row.Id), Status = row.Status.ToString().ToLowerInvariant(), Block = roles.View.Head,
        UntilSeconds = until, RewardUnits = Text(Bond(kind) / 2), BondUnits = Text(Bond(kind)),
    };

    private ulong Bond(string kind) => kind switch
    {
        "epoch" => roles.View.Deployment.Terms.EpochBondUnits, "round" => roles.View.Deployment.Terms.RoundBondUnits,
        _ => roles.View.Deployment.Terms.DeliveryBondUnits,
    };

    private static string Text(ulong units) => units.ToString(CultureInfo.InvariantCulture);

    private sealed record SoldDelivery(Round Match, OpenedRound Round, Bytes32 Seed, Epoch PostedEpoch, OpenedEpoch Epoch);

    private const string MissingFile =
        "a file that it follows from is not here: demand a leaf of it on the ledger, and it is void unless its committer opens it";
    private const string OtherHeader = "its file gives another header than the ledger's";
}

/// <summary>What a check of a batch found.</summary>
internal sealed record BatchCheckInfo
{
    /// <summary>epoch, round or delivery.</summary>
    public required string Kind { get; init; }

    public required string BatchId { get; init; }

    /// <summary>posted, final or void.</summary>
    public required string Status { get; init; }

    /// <summary>The block as of which it was checked.</summary>
    public required ulong Block { get; init; }

    /// <summary>The first fault; null when everything is as it must be.</summary>
    public string? Fault { get; init; }

    /// <summary>When its window for challenges ends, unix seconds of the ledger.</summary>
    public required long UntilSeconds { get; init; }

    /// <summary>Token units that its committer put up.</summary>
    public required string BondUnits { get; init; }

    /// <summary>Token units that whoever proves a fault gets: half of the bond; the other half is burned.</summary>
    public required string RewardUnits { get; init; }

    /// <summary>How many challenges of each kind were tried against the contract; none when it is final or void.</summary>
    public SortedDictionary<string, int> Tried { get; init; } = new(StringComparer.Ordinal);

    /// <summary>What <see cref="Challenge"/> concerns, for example "class 3"; empty when there is none.</summary>
    public string Where { get; init; } = "";

    /// <summary>The challenge that the contract would accept now, to be signed and sent; null when there is none.</summary>
    public CallInfo? Challenge { get; init; }
}
