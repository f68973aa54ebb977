using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>What researchers do: plan, open, follow, read and cancel. Their keys never come here: whatever the ledger is to be told is
/// answered as a call that they sign.</summary>
internal sealed class ResearchService(RunningRoles roles, FundingCheck funding)
{
    /// <summary>What a statistic would cost and how exact it would be; nothing is stored or spent.</summary>
    /// <exception cref="RequestRefusedException">The question cannot be planned.</exception>
    public async Task<PlanInfo> PlanAsync(PlanWish wish)
    {
        PlanAnswer answer = await Requester(AnybodysKey).PlanAsync(new PlanQuery
        {
            SchemaId = wish.SchemaId,
            Statistic = wish.Statistic,
            Confidence = wish.Confidence,
            HalfWidth = wish.HalfWidth,
            Guaranteed = wish.Guaranteed,
            Records = wish.Records,
            Budget = wish.Budget is null ? null : Units(wish.Budget, "budget"),
            Purpose = wish.Purpose,
            PublicCell = wish.PublicCell,
        });
        return new PlanInfo
        {
            Options = [.. answer.Options.Select(Option)],
            Recommended = answer.Recommended,
            NextCheaper = answer.NextCheaper is { } cheaper ? Option(cheaper) : null,
            NextBetter = answer.NextBetter is { } better ? Option(better) : null,
            Notes = answer.Notes,
        };
    }

    /// <summary>Writes the terms that a wish comes to, in their canonical form, for the researcher to read, keep and open.</summary>
    /// <exception cref="RequestRefusedException">The wish asks for what the schema does not have.</exception>
    public async Task<TermsInfo> WriteTermsAsync(string researcher, RequestWish wish)
    {
        MarketContext market = roles.Here().Context;
        MarketSchema schema = market.Schemas.TryGetValue(wish.SchemaId, out MarketSchema? dealt) ? dealt
            : throw new RequestRefusedException("unknown-schema", $"this market does not deal in schema {wish.SchemaId}");
        ICatalogueGrain offered = roles.Here().Grains.GetGrain<ICatalogueGrain>(wish.SchemaId);
        Catalogue catalogue = await offered.ReadCellAsync(wish.PublicCell);
        if (catalogue.Records == 0)
        {
            // Terms may ask for a cell that nobody offers yet: then at what everybody asks.
            catalogue = await offered.ReadAsync();
        }

        await market.View.SyncAsync();
        try
        {
            SortedDictionary<string, GradeRange> grades = TermsDocument.GradesFor(
                schema.Schema, wish.Statistics.Select(StatisticRequest.Parse),
                attribute => wish.Grade > 0 ? wish.Grade : schema.Schema.DefaultGrade(attribute));
            (UInt128 ask, long score) = (0, 0);
            foreach ((string name, GradeRange range) in grades)
            {
                int a = schema.Schema.IndexOf(name);
                ask += PriceRules.Ask(new TokenAmount(catalogue.MedianRates[(int)schema.Table.TierOf(a)]),
                    schema.Table.EpsilonOf(a, range.Top)).Units;
                score += schema.Table.QualityOf(a, range.Top);
            }

            UInt128 bid = wish.Bid is { } own
                ? Units(own, "bid")
                : (UInt128)decimal.Ceiling(Math.Max(1, wish.BidFactor * (decimal)ask * QualityTable.Unit / Math.Max(1, score)));
            UInt128 most = PriceRules.Value(new TokenAmount(bid), score).Units + market.View.Deployment.Terms.RelayFeeUnits;
            UInt128 budget = wish.Budget is { } limit
                ? Units(limit, "budget") : UInt128.Max(most * wish.TargetRecords, market.View.Deployment.Terms.MinimumBudgetUnits);
            TermsDocument terms = new()
            {
                SchemaId = wish.SchemaId,
                Researcher = researcher,
                Statistics = wish.Statistics,
                Grades = grades,
                Confidence = wish.Confidence,
                Bid = Show.Amount(bid),
                Budget = Show.Amount(budget),
                TargetRecords = wish.TargetRecords,
                MinimumRecords = wish.MinimumRecords,
                Purpose = wish.Purpose,
                PublicCell = wish.PublicCell,
                Deadline = wish.DeadlineSeconds > 0 ? wish.DeadlineSeconds : market.View.NowSeconds + DefaultTermSeconds,
                Title = wish.Title,
                Why = wish.Why,
                Nonce = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)),
            };
            terms.ToLedger(schema.Schema);
            return new TermsInfo
            {
                Key = MarketContext.Name(terms.Hash()), TermsJson = terms.Write(), AskPerRecord = Show.Amount(ask), Budget = terms.Budget,
                Bid = terms.Bid,
            };
        }
        catch (ExchangeFileException e)
        {
            throw new RequestRefusedException(e.Code, e.Message);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or OverflowException)
        {
            throw new RequestRefusedException("terms", e.Message);
        }
    }

    /// <summary>Hands in terms and answers with the calls that the researcher signs, in order: the allowance, then the request. The same
    /// terms again get the same answer.</summary>
    /// <exception cref="RequestRefusedException">The terms are malformed, of another researcher, or cannot be served; or the ledger would
    /// refuse them (<see cref="FundingCheck"/>).</exception>
    public async Task<OpenInfo> OpenAsync(string researcher, string termsJson, CancellationToken cancellationToken)
    {
        await CheckFundingAsync(researcher, termsJson, cancellationToken);
        FundingCall call = await Requester(researcher).OpenAsync(termsJson);
        DevelopmentToken token = new(roles.Client, Address.Parse(roles.View.Deployment.Token.Address));
        ContractCall allowance = token.Approve(new Address(call.Spender), call.Budget);
        return new OpenInfo
        {
            Key = call.Key,
            Budget = Show.Amount(call.Budget),
            Calls =
            [
                new CallInfo("allow the budget", Show.Address(allowance.To!.Value), Show.Hex(allowance.Data.Span)),
                new CallInfo("open and fund the request", Show.Hex(call.To), Show.Hex(call.Data)),
            ],
        };
    }

    /// <summary>Refuses terms whose calls are sure to fail.</summary>
    /// <exception cref="RequestRefusedException">The ledger would refuse them (<see cref="FundingCheck"/>).</exception>
    public Task CheckFundingAsync(string researcher, string termsJson, CancellationToken cancellationToken)
    {
        try
        {
            // Whatever else is wrong with terms, the request itself says in its own words.
            TermsDocument terms = TermsDocument.Read(termsJson);
            return string.Equals(terms.Researcher, researcher, StringComparison.Ordinal)
                && roles.Here().Context.Schemas.TryGetValue(terms.SchemaId, out MarketSchema? dealt)
                ? funding.RequireAsync(researcher, terms.ToLedger(dealt.Schema), cancellationToken) : Task.CompletedTask;
        }
        catch (ExchangeFileException)
        {
            return Task.CompletedTask;
        }
    }

    /// <summary>A researcher's requests, newest first.</summary>
    public async Task<RequestInfo[]> ListAsync(string researcher) => [.. (await Requester(researcher).ListAsync()).Select(Info)];

    /// <summary>Where a request of this researcher stands.</summary>
    /// <exception cref="RequestRefusedException"><c>unknown-request</c>.</exception>
    public async Task<RequestInfo> StatusAsync(string researcher, string key) =>
        await roles.Here().Grains.GetGrain<IRequestGrain>(key).StatusAsync() is { } status
            && string.Equals(status.Researcher, researcher, StringComparison.Ordinal) ? Info(status)
            : throw new RequestRefusedException("unknown-request", $"{researcher} has no request {key}");

    /// <summary>The results of a request, as JSON (docs/WIRE.md, "Results").</summary>
    /// <exception cref="RequestRefusedException">There is no such request of this researcher, or it has no results yet.</exception>
    public Task<string> ResultsAsync(string researcher, string key) => Requester(researcher).ResultsAsync(key);

    /// <summary>The schema that a request is about.</summary>
    /// <exception cref="RequestRefusedException"><c>unknown-request</c>.</exception>
    public async Task<Analytics.Schemas.Schema> SchemaAsync(string researcher, string key) =>
        roles.Schemas[(await StatusAsync(researcher, key)).Terms.GetProperty("schemaId").GetString()!].Schema;

    /// <summary>The results of a request with everything that a reader elsewhere needs to judge and to trace them.</summary>
    /// <exception cref="RequestRefusedException">There is no such request of this researcher, or it has no results yet.</exception>
    public async Task<RequestDossier> DossierAsync(string researcher, string key, CancellationToken cancellationToken)
    {
        RequestResults results = RequestResults.Read(await ResultsAsync(researcher, key));
        RequestInfo request = await StatusAsync(researcher, key);
        RequestRow opened = roles.View.Request(request.RequestId)!;
        List<DeliveredBatch> deliveries = [];
        foreach (DeliveryRow delivery in roles.View.Deliveries(request.RequestId).Where(row => row.Status == BatchStatus.Final))
        {
            Bytes32 transaction = await TransactionAsync(delivery.Posting.BlockNumber, DeliveryRecordedEvent.Topic,
                log => DeliveryRecordedEvent.Decode(log).DeliveryId == delivery.Id, cancellationToken);
            deliveries.Add(new DeliveredBatch(Show.Hash(delivery.Id), delivery.Header.Site, delivery.Header.Count,
                Show.Hash(delivery.Header.Root), Show.Hash(delivery.Header.DataHash),
                new LedgerPlace(Show.Hash(transaction), delivery.Posting.BlockNumber)));
        }

        return new RequestDossier
        {
            Request = request,
            Terms = TermsDocument.Read(request.Terms.GetRawText()),
            Schema = roles.Schemas[Show.Hash(opened.Terms.SchemaId)].Schema,
            Results = results,
            ChainId = roles.View.Deployment.ChainId,
            Contract = Show.Address(roles.View.Deployment.Matching.Address),
            Opened = new LedgerPlace(
                Show.Hash(await TransactionAsync(opened.OpenedBlock, RequestOpenedEvent.Topic,
                    log => RequestOpenedEvent.Decode(log).RequestId == request.RequestId, cancellationToken)),
                opened.OpenedBlock),
            Deliveries = deliveries,
        };
    }

    private async Task<Bytes32> TransactionAsync(
        ulong block, Bytes32 topic, Func<LogEntry, bool> isIt, CancellationToken cancellationToken)
    {
        ContractDeployment contracts = roles.View.Deployment;
        Address[] posting = [Address.Parse(contracts.Matching.Address), Address.Parse(contracts.Evaluation.Address)];
        IReadOnlyList<LogEntry> logs = await roles.Client.GetLogsAsync(new LogFilter(block, block, posting, [topic]), cancellationToken);
        return logs.FirstOrDefault(isIt)?.TransactionHash
            ?? throw new MalformedAnswerException("eth_getLogs", $"block {block} holds no longer what the ledger's view read in it");
    }

    /// <summary>Withdraws a request that is not funded, or answers with the call that cancels one whose book is open.</summary>
    /// <exception cref="RequestRefusedException">There is no such request of this researcher, or it is too late.</exception>
    public async Task<CancelInfo> CancelAsync(string researcher, string key)
    {
        CancelAnswer answer = await Requester(researcher).CancelAsync(key);
        return new CancelInfo
        {
            Cancelled = answer.To.Length == 0,
            Calls = answer.To.Length == 0 ? [] : [new CallInfo("cancel the request", Show.Hex(answer.To), Show.Hex(answer.Data))],
        };
    }

    // Plans are nobody's: they read the catalogue only.
    private const string AnybodysKey = "0x0000000000000000000000000000000000000000";
    private const long DefaultTermSeconds = 60 * 86_400;

    private IRequesterGrain Requester(string researcher) => roles.Here().Grains.GetGrain<IRequesterGrain>(researcher);

    private static PlanOptionInfo Option(PlannedGrade option) => new()
    {
        Grade = option.Grade,
        EpsilonMicro = option.EpsilonMicro,
        Records = option.Records,
        EffectiveRecords = option.EffectiveRecords,
        ExpectedHalfWidth = double.IsFinite(option.ExpectedHalfWidth) ? option.ExpectedHalfWidth : null,
        GuaranteedHalfWidth = option.GuaranteedHalfWidth,
        AskPerRecord = Show.Amount(option.AskPerRecord),
        AskPerEffectiveRecord = double.IsFinite(option.AskPerEffectiveRecord) ? option.AskPerEffectiveRecord : null,
        Cost = Show.Amount(option.Cost),
        Limit = option.Limit,
        RateHalfWidth = option.RateHalfWidth,
    };

    private static UInt128 Units(string text, string what) =>
        UInt128.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 units) ? units
        : throw new RequestRefusedException("amount", $"the {what} '{text}' is no whole number of token units");

    private static RequestInfo Info(RequestStatus status)
    {
        using JsonDocument terms = JsonDocument.Parse(status.TermsJson);
        return new RequestInfo
        {
            Key = status.Key,
            RequestId = status.RequestId,
            Researcher = status.Researcher,
            Title = terms.RootElement.GetProperty("title").GetString() ?? "",
            State = Name(status.Steps[^1].State),
            Reason = status.Steps[^1].Reason,
            HasEnded = status.Steps[^1].State >= RequestState.Settled,
            Steps = [.. status.Steps.Select(step => new StepInfo(Name(step.State), step.Seconds, step.Reason))],
            Sold = status.Sold,
            Delivered = status.Delivered,
            EffectiveRecords = (double)status.EffectivePpb / QualityTable.Unit,
            Paid = Show.Amount(status.Paid),
            Refunded = Show.Amount(status.Refunded),
            Terms = terms.RootElement.Clone(),
        };
    }

    private static string Name(RequestState state) => state.ToString().ToLowerInvariant();
}

/// <summary>What a researcher wants to know; exactly one of half-width, records and budget.</summary>
internal sealed record PlanWish
{
    public required string SchemaId { get; init; }

    /// <summary>The statistic in its text form, for example <c>mean:time_in_hospital</c>.</summary>
    public required string Statistic { get; init; }

    /// <summary>Strictly between 0 and 1.</summary>
    public double Confidence { get; init; } = 0.95;

    public double? HalfWidth { get; init; }

    /// <summary>Whether the half-width is to be guaranteed and not only expected.</summary>
    public bool Guaranteed { get; init; }

    public long? Records { get; init; }

    /// <summary>Token units.</summary>
    public string? Budget { get; init; }

    public byte Purpose { get; init; }

    /// <summary>Only records of this public cell, as the catalogue names it, at what they ask; empty for all.</summary>
    public string PublicCell { get; init; } = "";
}

/// <summary>A plan.</summary>
internal sealed record PlanInfo
{
    public required PlanOptionInfo[] Options { get; init; }

    /// <summary>The recommended grade; 0 when none meets the wish.</summary>
    public required int Recommended { get; init; }

    /// <summary>What a wish looser by a quarter would come to; null when that is no cheaper.</summary>
    public PlanOptionInfo? NextCheaper { get; init; }

    /// <summary>What a wish tighter by a quarter would come to; null when nothing better can be had.</summary>
    public PlanOptionInfo? NextBetter { get; init; }

    public required string[] Notes { get; init; }
}

internal sealed record PlanOptionInfo
{
    public required int Grade { get; init; }

    public required long EpsilonMicro { get; init; }

    public required long Records { get; init; }

    public required double EffectiveRecords { get; init; }

    /// <summary>Null when nothing is bought.</summary>
    public double? ExpectedHalfWidth { get; init; }

    /// <summary>Null when nothing is guaranteed.</summary>
    public double? GuaranteedHalfWidth { get; init; }

    public required string AskPerRecord { get; init; }

    /// <summary>Token units; null when a record is worth no effective one.</summary>
    public double? AskPerEffectiveRecord { get; init; }

    public required string Cost { get; init; }

    /// <summary>Why it cannot be had; empty when it can.</summary>
    public required string Limit { get; init; }

    /// <summary>Of a table: the half-width to expect of the rates of its first attribute in groups of equal size, at the worst rate. Null
    /// for other statistics, and when such a group could not be told from empty.</summary>
    public double? RateHalfWidth { get; init; }
}

/// <summary>What a researcher wishes; terms follow from it and from the median rates.</summary>
internal sealed record RequestWish
{
    public required string SchemaId { get; init; }

    public required string[] Statistics { get; init; }

    /// <summary>For people.</summary>
    public required string Title { get; init; }

    /// <summary>For patients.</summary>
    public required string Why { get; init; }

    /// <summary>The grade of every randomised attribute; that of the default policy for its tier when 0.</summary>
    public int Grade { get; init; }

    public required uint TargetRecords { get; init; }

    public uint MinimumRecords { get; init; }

    public decimal Confidence { get; init; } = 0.95m;

    public byte Purpose { get; init; } = 2;

    public string PublicCell { get; init; } = "";

    /// <summary>Token units per effective record; a multiple of the median ask when null.</summary>
    public string? Bid { get; init; }

    /// <summary>That multiple.</summary>
    public decimal BidFactor { get; init; } = 2;

    /// <summary>Token units in escrow; what the target costs at the bid when null.</summary>
    public string? Budget { get; init; }

    /// <summary>Unix seconds; in sixty days when 0.</summary>
    public long DeadlineSeconds { get; init; }
}

/// <summary>Terms, written.</summary>
internal sealed record TermsInfo
{
    /// <summary>The hash of the terms: the request's key.</summary>
    public required string Key { get; init; }

    /// <summary>The canonical JSON, to be handed in as it is.</summary>
    public required string TermsJson { get; init; }

    public required string AskPerRecord { get; init; }

    public required string Budget { get; init; }

    public required string Bid { get; init; }
}

/// <summary>A call of a contract that its sender signs.</summary>
/// <param name="What">For people.</param>
/// <param name="To">The contract.</param>
/// <param name="Data">The call, 0x and hexadecimal digits.</param>
internal sealed record CallInfo(string What, string To, string Data);

/// <summary>A request that was handed in.</summary>
internal sealed record OpenInfo
{
    public required string Key { get; init; }

    public required string Budget { get; init; }

    /// <summary>To be signed and sent in order.</summary>
    public required CallInfo[] Calls { get; init; }
}

/// <summary>What became of a wish to cancel.</summary>
internal sealed record CancelInfo
{
    /// <summary>Whether it is cancelled already, since it was never funded.</summary>
    public required bool Cancelled { get; init; }

    /// <summary>To be signed and sent; empty when cancelled.</summary>
    public required CallInfo[] Calls { get; init; }
}

/// <summary>A request as its researcher sees it.</summary>
internal sealed record RequestInfo
{
    public required string Key { get; init; }

    /// <summary>On the ledger; 0 until funded.</summary>
    public required ulong RequestId { get; init; }

    public required string Researcher { get; init; }

    public required string Title { get; init; }

    /// <summary>draft, planned, funded, matched, delivering, delivered, evaluated, settled, refunded, expired, cancelled, disputed or
    /// failed.</summary>
    public required string State { get; init; }

    public required string Reason { get; init; }

    public required bool HasEnded { get; init; }

    public required StepInfo[] Steps { get; init; }

    public required long Sold { get; init; }

    public required long Delivered { get; init; }

    public required double EffectiveRecords { get; init; }

    public required string Paid { get; init; }

    public required string Refunded { get; init; }

    /// <summary>The terms document.</summary>
    public required JsonElement Terms { get; init; }
}

internal sealed record StepInfo(string State, long Seconds, string Reason);
