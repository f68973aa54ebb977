using System.Diagnostics;
using EmrMarket.Analytics.Matching;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Storage;
using Drawing = EmrMarket.Contracts.Batches.Drawing;
using LedgerRound = EmrMarket.Grains.Ledger.View.RoundRow;
using StoredRound = EmrMarket.Grains.Market.Storage.RoundRow;

namespace EmrMarket.Grains.Market.Rounds;

/// <summary>Decides a schema's rounds. Where a round stands is read from the ledger every time; only the decided round and its secret
/// reveal are kept, before its header is sent.</summary>
public sealed class MarketGrain(MarketContext market) : Grain, IMarketGrain
{
    // The block whose hash seeds a round is two after its posting; a call runs in the block after the newest one.
    private const ulong SeedDistance = 2;
    private const ulong BlockHashesKept = 256;

    private string SchemaKey => this.GetPrimaryKeyString();

    /// <inheritdoc/>
    public async Task<Advance> AdvanceAsync()
    {
        if (!market.Schemas.TryGetValue(SchemaKey, out MarketSchema? schema))
        {
            return new Advance { Progressed = false, WaitsFor = $"schema {SchemaKey}, which this market does not deal in" };
        }

        await market.View.SyncAsync();
        Bytes32 schemaId = schema.Schema.LedgerId();
        Step step = new();
        IReadOnlyList<BookRow> books = market.View.Books(schemaId);
        ILookup<uint, LedgerRound> rounds = market.View.Rounds(schemaId).ToLookup(round => round.Header.Ordinal);
        foreach (BookRow book in books)
        {
            LedgerRound? newest = rounds[book.Ordinal].MaxBy(round => round.Header.Attempt);
            switch (newest?.Status)
            {
                case BatchStatus.Final:
                    step.Add(await PlaceOrdersAsync(newest));
                    break;
                case BatchStatus.Posted:
                    step.Add(await FinishAsync(newest));
                    break;
                default:
                    step.Add(await DecideAsync(schema, book, newest is null ? 0 : newest.Header.Attempt + 1));
                    break;
            }
        }

        step.Add(await CloseAsync(schemaId, books));
        return step.ToAdvance();
    }

    /// <inheritdoc/>
    public async Task<RoundStatus[]> RoundsAsync()
    {
        Bytes32 schemaId = Bytes32.ParseDigits(SchemaKey);
        Dictionary<(uint, uint), LedgerRound> posted = market.View.Rounds(schemaId)
            .ToDictionary(round => (round.Header.Ordinal, round.Header.Attempt));
        StoredRound[] kept = await market.Store.FindRoundsAsync(SchemaKey, CancellationToken.None);
        return
        [
            .. kept.Select(row => new RoundStatus
            {
                Ordinal = row.Ordinal,
                Attempt = row.Attempt,
                State = posted.GetValueOrDefault((row.Ordinal, row.Attempt)) switch
                {
                    null => RoundState.Decided,
                    { Status: BatchStatus.Final } => RoundState.Final,
                    { Status: BatchStatus.Void } => RoundState.Void,
                    { SealedBlockHash: not null } => RoundState.Sealed,
                    _ => RoundState.Committed,
                },
                FileHash = posted.GetValueOrDefault((row.Ordinal, row.Attempt)) is { } stands
                    ? MarketContext.Name(stands.Header.DataHash) : row.FileHash,
                Sales = row.Sales,
                ProblemMilliseconds = row.Milliseconds[0],
                SolveMilliseconds = row.Milliseconds[1],
                VerifyMilliseconds = row.Milliseconds[2],
            }),
            .. market.View.Books(schemaId).Where(book => !Array.Exists(kept, row => row.Ordinal == book.Ordinal))
                .Select(book => new RoundStatus { Ordinal = book.Ordinal, Attempt = 0, State = RoundState.Closed }),
        ];
    }

    /// <summary>Closes the book of the open requests, when there are some, something is on offer, and the interval since the last closing
    /// is over.</summary>
    private async Task<Advance> CloseAsync(Bytes32 schemaId, IReadOnlyList<BookRow> books)
    {
        uint ordinal = (uint)books.Count;
        if (!market.View.Requests(schemaId).Any(request => request.Book == ordinal && !request.Cancelled))
        {
            return new Advance { Progressed = false };
        }

        if (!market.View.Sites().Any(site => market.View.FinalEpoch(site.Site, schemaId) is not null))
        {
            return new Advance { Progressed = false, WaitsFor = "a final epoch" };
        }

        long due = books.Count == 0 ? 0 : (long)books[^1].ClosedSeconds + market.View.Deployment.Terms.BookIntervalSeconds;
        return market.View.NowSeconds < due
            ? new Advance { Progressed = false, DueSeconds = due, WaitsFor = "the interval between two books" }
            : Sent(await market.SendAsync(GrainFactory, $"close-book/{SchemaKey}/{ordinal}", market.Matching.CloseBook(schemaId)),
                "the closing of the book");
    }

    /// <summary>Decides a closed book, once, and sends its header. What was kept counts, however often this runs: a second reveal would be
    /// a second choice of members.</summary>
    private async Task<Advance> DecideAsync(MarketSchema schema, BookRow book, uint attempt)
    {
        StoredRound? kept = (await market.Store.FindRoundsAsync(SchemaKey, CancellationToken.None))
            .FirstOrDefault(row => row.Ordinal == book.Ordinal && row.Attempt == attempt);
        if (kept is null)
        {
            RoundInputs? inputs = await RoundInputs.ReadAsync(market, book);
            if (inputs is null)
            {
                return new Advance
                {
                    Progressed = false, WaitsFor = $"the leaf files of the epochs and the requests of book {book.Ordinal}",
                };
            }

            RoundDecision decision = RoundDecision.Of(schema.Table, inputs.Supply, inputs.Demand);
            long started = Stopwatch.GetTimestamp();
            MatchOutcome outcome = ExactMatcher.Solve(decision.Problem);
            TimeSpan solving = Stopwatch.GetElapsedTime(started);
            started = Stopwatch.GetTimestamp();
            IReadOnlyList<MatchFault> faults = MatchVerifier.FindFaults(decision.Problem, outcome, limit: 1);
            if (faults.Count > 0)
            {
                throw new InvalidOperationException(
                    $"The match of book {book.Ordinal} of schema {SchemaKey} does not verify, a defect of the solver: {faults[0]}.");
            }

            TimeSpan verifying = Stopwatch.GetElapsedTime(started);
            Bytes32 reveal = market.NewReveal();
            (byte siteBits, byte classBits) = RoundInputs.BitsNow(market, book.SchemaId);
            RoundFile file = decision.ToFile(
                outcome, book.SchemaId, book.Ordinal, attempt, Drawing.SeedCommit(reveal), siteBits, classBits);
            byte[] bytes = file.Write();
            string hash = MarketContext.Name(RoundFile.HashOf(bytes));
            await market.Store.KeepFileAsync(hash, bytes, CancellationToken.None);
            kept = await market.Store.KeepRoundAsync(
                new StoredRound
                {
                    SchemaId = SchemaKey,
                    Ordinal = book.Ordinal,
                    Attempt = attempt,
                    FileHash = hash,
                    Reveal = MarketContext.Name(reveal),
                    Sales = (ulong)outcome.SalesByClass.Sum(sale => (long)sale.Records),
                    Milliseconds = [decision.ProblemTime.TotalMilliseconds, solving.TotalMilliseconds, verifying.TotalMilliseconds],
                },
                CancellationToken.None);
        }

        OpenedRound round = await market.RoundAsync(Bytes32.ParseDigits(kept.FileHash))
            ?? throw new InvalidOperationException($"The store lost file {kept.FileHash}.");
        string command = $"commit-round/{SchemaKey}/{book.Ordinal}/{attempt}";
        (byte sites, byte classes) = RoundInputs.BitsNow(market, book.SchemaId);
        if (round.File.SiteBits < sites || round.File.ClassBits < classes)
        {
            // Sites or classes came since it was decided, and the contract takes the earlier form of it never again. What was decided, and
            // its reveal, stay.
            round = await WidenedAsync(round.File, sites, classes);
            command += $"/{sites}.{classes}";
        }

        return Sent(await market.SendAsync(GrainFactory, command, market.Matching.CommitRound(round.Batch.Header)),
            "the commitment of the round");
    }

    private async Task<OpenedRound> WidenedAsync(RoundFile file, byte siteBits, byte classBits)
    {
        byte[] bytes = file.Widened(siteBits, classBits).Write();
        Bytes32 hash = RoundFile.HashOf(bytes);
        await market.Store.KeepFileAsync(MarketContext.Name(hash), bytes, CancellationToken.None);
        return (await market.RoundAsync(hash))!;
    }

    /// <summary>Seals the seed of a posted round, and reveals it when the window is over.</summary>
    private async Task<Advance> FinishAsync(LedgerRound row)
    {
        string name = $"{SchemaKey}/{row.Header.Ordinal}/{row.Header.Attempt}";
        await AnswerDemandsAsync(row);
        MatchingDecision contract = market.Matching;
        Round round = new(row.Header, row.Posting);
        if (row.SealedBlockHash is null)
        {
            ulong seedBlock = row.Posting.BlockNumber + SeedDistance;
            return market.View.Head <= seedBlock ? new Advance
            {
                Progressed = false, WaitsFor = $"block {seedBlock}, whose hash seeds the round",
            }
                : market.View.Head > seedBlock + BlockHashesKept
                ? Sent(await market.SendAsync(GrainFactory, "void-unsealed/" + name, contract.VoidUnsealed(round)),
                    "the end of a round that was not sealed")
                : Sent(await market.SendAsync(GrainFactory, "seal-seed/" + name, contract.SealSeed(round)), "the sealing of the seed");
        }

        long final = (long)row.Posting.Timestamp + market.View.Deployment.Terms.RoundWindowSeconds;
        if (market.View.NowSeconds < final || market.View.OpenDemands().Any(demand => demand.BatchId == row.Id))
        {
            return new Advance { Progressed = false, DueSeconds = final, WaitsFor = "the round's window for challenges" };
        }

        StoredRound? kept = (await market.Store.FindRoundsAsync(SchemaKey, CancellationToken.None))
            .FirstOrDefault(stored => stored.Ordinal == row.Header.Ordinal && stored.Attempt == row.Header.Attempt);
        long revealed = final + market.View.Deployment.Terms.RevealGraceSeconds;
        return kept is null
            ? market.View.NowSeconds > revealed
            ? Sent(await market.SendAsync(GrainFactory, "void-unrevealed/" + name, contract.VoidUnrevealed(round)),
                "the end of a round that was not revealed")
                : new Advance
                {
                    Progressed = false, DueSeconds = revealed + 1,
                    WaitsFor = $"the reveal of round {name}, which the store does not have: the round will be void",
                }
            : Sent(
                await market.SendAsync(GrainFactory, "finalise-round/" + name,
                    contract.FinaliseRound(round, Bytes32.ParseDigits(kept.Reveal))), "the round to become final");
    }

    /// <summary>Opens the leaves of a posted round that somebody demands.</summary>
    private async Task AnswerDemandsAsync(LedgerRound row)
    {
        foreach (DemandRow demand in market.View.OpenDemands().Where(demand => demand.BatchId == row.Id))
        {
            if (await RoundAsync(row) is { } round)
            {
                await market.SendAsync(
                    GrainFactory, $"answer/{demand.BatchId}/{demand.Kind}/{demand.Position}/{demand.DemandedBlock}",
                    DemandAnswers.Round(market.Matching, round.Batch, row.Posting, round.File.RequestIds, demand.Kind, demand.Position));
            }
        }
    }

    /// <summary>Tells every site what it sells to whom. Orders stand once; the second placing changes nothing.</summary>
    private async Task<Advance> PlaceOrdersAsync(LedgerRound row)
    {
        if (_ordered.Contains(row.Id))
        {
            return new Advance { Progressed = false };
        }

        OpenedRound? round = await RoundAsync(row);
        if (round is null)
        {
            return new Advance { Progressed = false, WaitsFor = $"file {row.Header.DataHash} of round {row.Header.Ordinal}" };
        }

        List<OrderRow> orders = [];
        for (uint j = 0; j < round.File.RequestIds.Count; j++)
        {
            ulong requestId = round.File.RequestIds[(int)j];
            string key = await FollowerOfAsync(requestId);
            foreach (EpochReference epoch in round.File.Epochs.Where(epoch => round.Batch.OpenSiteRow(j, epoch.Site).Sum > 0))
            {
                orders.Add(new OrderRow { Site = epoch.Site, RequestId = requestId, RequestKey = key,
                    RoundFileHash = MarketContext.Name(row.Header.DataHash), Attempt = 0 });
            }
        }

        await market.Store.PlaceOrdersAsync(orders, CancellationToken.None);
        _ordered.Add(row.Id);
        return new Advance { Progressed = orders.Count > 0 };
    }

    /// <summary>The key of the stored request that follows one on the ledger; empty when none does, and the sites refuse the
    /// order.</summary>
    private async Task<string> FollowerOfAsync(ulong requestId)
    {
        if (market.View.Request(requestId) is not { } request)
        {
            return "";
        }

        string key = MarketContext.Name(request.Terms.TermsHash);
        return await market.Store.FindRequestAsync(key, CancellationToken.None) is { } row
            && market.OnLedger(row)?.RequestId == requestId ? key : "";
    }

    /// <summary>The file of a round on the ledger. One that the store lost is decided again: it follows from epochs, requests and the
    /// header, whatever sites and classes came since, and the header's hash says whether it is the same.</summary>
    private async Task<OpenedRound?> RoundAsync(LedgerRound row)
    {
        if (await market.RoundAsync(row.Header.DataHash) is { } known)
        {
            return known;
        }

        BookRow book = market.View.Books(row.Header.SchemaId).First(one => one.Ordinal == row.Header.Ordinal);
        if (_lost.Contains(row.Id) || await RoundInputs.ReadAsync(market, book) is not { } inputs)
        {
            return null;
        }

        RoundDecision decision = RoundDecision.Of(market.Schemas[SchemaKey].Table, inputs.Supply, inputs.Demand);
        byte[] bytes = decision.ToFile(
            ExactMatcher.Solve(decision.Problem), book.SchemaId, book.Ordinal, row.Header.Attempt, row.Header.SeedCommit,
            row.Header.SiteBits, row.Header.ClassBits).Write();
        if (RoundFile.HashOf(bytes) != row.Header.DataHash)
        {
            _lost.Add(row.Id);
            return null;
        }

        await market.Store.KeepFileAsync(MarketContext.Name(row.Header.DataHash), bytes, CancellationToken.None);
        return await market.RoundAsync(row.Header.DataHash);
    }

    // Memories of this activation alone: a round that comes to another file is not decided again at every tick, and a final one is not
    // opened again.
    private readonly HashSet<Bytes32> _lost = [];
    private readonly HashSet<Bytes32> _ordered = [];

    private Advance Sent(LedgerOutcome outcome, string what) => Step.Of(outcome, what, market.View.NowSeconds);
}
