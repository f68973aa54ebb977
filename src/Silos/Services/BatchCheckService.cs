using EmrMarket.Analytics.Matching;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Contracts.Model;
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
        return view.Epoch(id) is { } epoch ? await EpochAsync(epoch, cancellationToken)
            : view.Delivery(id) is { } delivery ? await DeliveryAsync(delivery, cancellationToken)
            : view.Schemas().SelectMany(schema => view.Rounds(schema.SchemaId)).FirstOrDefault(round => round.Id == id) is { } found
            ? await RoundAsync(found, cancellationToken)
            : throw new ServiceRefusedException("unknown-batch", $"the ledger has no batch {batchId}");
    }

    private async Task<BatchCheckInfo> EpochAsync(EpochRow row, CancellationToken cancellationToken)
    {
        long until = (long)row.Posting.Timestamp + roles.View.Deployment.Terms.EpochWindowSeconds;
        if (await Market.EpochAsync(row.Header.DataHash) is not { } opened)
        {
            return Answer(row, "epoch", MissingFile, until);
        }

        DynamicAccessControl access = new(roles.Client, Market.Access);
        Epoch posted = new(row.Header, row.Posting);
        IEnumerable<(string, ContractCall)> challenges = opened.Batch.Members.Select(
            (member, position) => (member.Pseudonym, Position: (uint)position))
            .GroupBy(member => member.Pseudonym).Where(same => same.Count() > 1)
            .Select(same => ("challengeDuplicate",
                access.ChallengeDuplicate(
                    posted, opened.Batch.OpenMember(same.First().Position), opened.Batch.OpenMember(same.Last().Position))))
            .Concat(Enumerable.Range(0, opened.Batch.Classes.Count)
                .Select(k => ("challengeEpsilonCap", access.ChallengeEpsilonCap(posted, opened.Batch.OpenClass((uint)k)))));
        string? fault = opened.Batch.Header == row.Header ? null : OtherHeader;
        return await ChallengeAsync(
            Answer(row, "epoch", fault, until), row, call => access.TryAsync(call, Anybody, cancellationToken), challenges);
    }

    private async Task<BatchCheckInfo> RoundAsync(RoundRow row, CancellationToken cancellationToken)
    {
        long until = (long)row.Posting.Timestamp + roles.View.Deployment.Terms.RoundWindowSeconds;
        if (await Market.RoundAsync(row.Header.DataHash) is not { } opened)
        {
            return Answer(row, "round", MissingFile, until);
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
        IEnumerable<(string, ContractCall)> challenges = classes.Count == 0 || requests.Length == 0 ? []
            : RoundChallenges.All(Market.Matching, new Round(row.Header, row.Posting), opened.Batch, classes, requests)
            .Select(challenge => (challenge.Kind, challenge.Call));
        return await ChallengeAsync(
            Answer(row, "round", fault, until), row, call => Market.Matching.TryAsync(call, Anybody, cancellationToken), challenges);
    }

    private async Task<BatchCheckInfo> DeliveryAsync(DeliveryRow row, CancellationToken cancellationToken)
    {
        long until = (long)row.Posting.Timestamp + roles.View.Deployment.Terms.DeliveryWindowSeconds;
        RequestRow request = Market.View.Request(row.Header.RequestId)!;
        MarketSchema schema = Market.Schemas[MarketContext.Name(request.Terms.SchemaId)];
        RoundRow? sold = Market.View.Rounds(request.Terms.SchemaId)
            .FirstOrDefault(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final);
        OpenedRound? round = sold is null ? null : await Market.RoundAsync(sold.Header.DataHash);
        EpochRow? base_ = round?.File.Epochs.Where(epoch => epoch.Site == row.Header.Site)
            .Select(epoch => EpochOf(request.Terms.SchemaId, epoch.Site, epoch.Epoch)).FirstOrDefault();
        OpenedEpoch? epoch = base_ is null ? null : await Market.EpochAsync(base_.Header.DataHash);
        if (await Market.DeliveryAsync(row.Header.DataHash, schema.Schema) is not { } opened || round is null || epoch is null
            || sold?.Seed is not { } seed)
        {
            return Answer(row, "delivery", MissingFile, until);
        }

        string? fault = opened.Batch.Header != row.Header ? OtherHeader
            : DeliveryCheck.FindFault(opened.File, new DeliveryFrame(schema, request.Terms, request.Index, round, seed, epoch));
        Delivery posted = new(row.Header, row.Posting);
        Round match = new(sold.Header, sold.Posting);
        IEnumerable<(string, ContractCall)> challenges = Challenges(opened, posted, match, round, base_!, epoch, request.Index);
        return await ChallengeAsync(
            Answer(row, "delivery", fault, until), row, call => Market.Evaluation.TryAsync(call, Anybody, cancellationToken), challenges);
    }

    /// <summary>Slot by slot what the contract judges: class, member, amount and worth; a member who was revoked; a slot that was not
    /// sold.</summary>
    private IEnumerable<(string Kind, ContractCall Call)> Challenges(
        OpenedDelivery opened, Delivery posted, Round match, OpenedRound round, EpochRow epochRow, OpenedEpoch epoch, uint request)
    {
        uint site = posted.Header.Site;
        RowOpening sold = round.Batch.OpenSiteRow(request, site);
        (uint Class, uint First)[] starts =
            [.. Enumerable.Range(0, epoch.Batch.Classes.Count)
                .Select(k => ((uint)k, round.Batch.FirstSlot(PositionOf(round.Batch, site, (uint)k), request)))];
        for (uint slot = 0; slot < opened.Batch.Leaves.Count; slot++)
        {
            DeliveryOpening opening = opened.Batch.Open(slot);
            if (opening.Leaf == DeliveryBatch.Undelivered)
            {
                continue;
            }

            if (slot >= sold.Sum)
            {
                yield return ("challengeExcess", Market.Evaluation.ChallengeExcess(posted, opening, match, sold));
                continue;
            }

            uint class_ = starts.Last(start => start.First <= slot).Class;
            uint position = PositionOf(round.Batch, site, class_);
            SlotEvidence evidence = new(
                match, epoch.Batch.Evidence(epochRow.Posting, class_), round.Batch.OpenPrice(position),
                round.Batch.OpenByRequest(position, request), round.Batch.OpenByClass(position, request));
            yield return ("challengeSlot", Market.Evaluation.ChallengeSlot(posted, opening, evidence));
            if (opening.Leaf.MemberPosition < epoch.Batch.Members.Count
                && Market.View.RevokedAt(site, epoch.Batch.Members[(int)opening.Leaf.MemberPosition].Pseudonym) is not null)
            {
                yield return ("challengeRevoked", Market.Evaluation.ChallengeRevoked(
                    posted, opening, new Epoch(epochRow.Header, epochRow.Posting), epoch.Batch.OpenMember(opening.Leaf.MemberPosition)));
            }
        }
    }

    private static async Task<BatchCheckInfo> ChallengeAsync(
        BatchCheckInfo answer, BatchRow row, Func<ContractCall, Task> tryAsync, IEnumerable<(string Kind, ContractCall Call)> challenges)
    {
        // Leaves of another tree open nothing.
        if (row.Status != BatchStatus.Posted || answer.Fault == OtherHeader)
        {
            return answer;
        }

        int tried = 0;
        foreach ((string kind, ContractCall call) in challenges)
        {
            tried++;
            try
            {
                await tryAsync(call);
                return answer with
                {
                    Tried = tried, Challenge = new CallInfo(kind, Show.Address(call.To!.Value), Show.Hex(call.Data.Span)),
                };
            }
            catch (NoFaultException)
            {
                // Right in this respect.
            }
            catch (NotPostedException)
            {
                // It became final or void meanwhile.
                return answer with { Tried = tried - 1 };
            }
        }

        return answer with { Tried = tried };
    }

    private EpochRow? EpochOf(Bytes32 schema, uint site, uint number) =>
        Market.View.Epochs(schema).FirstOrDefault(epoch => epoch.Header.Site == site && epoch.Header.Epoch == number);

    private static uint PositionOf(RoundBatch round, uint site, uint class_) => ((site - 1) << round.Header.ClassBits) | class_;

    private BatchCheckInfo Answer(BatchRow row, string kind, string? fault, long until) => new()
    {
        Kind = kind, BatchId = Show.Hash(row.Id), Status = row.Status.ToString().ToLowerInvariant(), Block = roles.View.Head, Fault = fault,
        UntilSeconds = until,
    };

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

    /// <summary>Challenges that were tried against the contract; 0 when it is final or void.</summary>
    public int Tried { get; init; }

    /// <summary>The challenge that the contract would accept now, to be signed and sent; null when there is none.</summary>
    public CallInfo? Challenge { get; init; }
}
