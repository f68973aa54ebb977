using System.Globalization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Planning;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Hosting;
using StoredRequest = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Grains.Market.Requests;

/// <summary>What one researcher asks of the market.</summary>
public sealed class RequesterGrain(MarketContext market) : Grain, IRequesterGrain
{
    private string Researcher => this.GetPrimaryKeyString();

    /// <inheritdoc/>
    public async Task<PlanAnswer> PlanAsync(PlanQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        MarketSchema schema = market.Schemas.TryGetValue(query.SchemaId, out MarketSchema? dealt) ? dealt
            : throw new RequestRefusedException("unknown-schema", $"this market does not deal in schema {query.SchemaId}");
        Abstractions.Market.Catalogue catalogue =
            await GrainFactory.GetGrain<ICatalogueGrain>(query.SchemaId).ReadCellAsync(query.PublicCell);
        if (query.PublicCell.Length > 0 && catalogue.Records == 0)
        {
            throw new RequestRefusedException(
                "plan", $"no records of the cell '{query.PublicCell}' are on offer, or fewer than are told: the catalogue lists the cells");
        }

        try
        {
            StatisticRequest statistic = StatisticRequest.Parse(query.Statistic);
            Plan plan = Planner.Answer(new PlanQuestion
            {
                Schema = schema.Schema,
                Statistic = statistic,
                Confidence = query.Confidence,
                TargetHalfWidth = query.HalfWidth,
                Guaranteed = query.Guaranteed,
                Records = query.Records,
                Budget = query.Budget is { } budget ? new TokenAmount(budget) : null,
                Rates = new TierRates(
                    new TokenAmount(catalogue.MedianRates[0]), new TokenAmount(catalogue.MedianRates[1]),
                    new TokenAmount(catalogue.MedianRates[2]),
                    new TokenAmount(catalogue.MedianRates[3])),
                AvailableByGrade = Available(schema, catalogue, statistic, query.Purpose),
            });
            return new PlanAnswer
            {
                Options = [.. plan.Options.Select(Planned)],
                Recommended = plan.Recommended?.Grade ?? 0,
                Notes = [.. Of(query.PublicCell, catalogue.Records), .. plan.Notes],
                NextCheaper = plan.NextCheaper is { } cheaper ? Planned(cheaper) : null,
                NextBetter = plan.NextBetter is { } better ? Planned(better) : null,
            };
        }
        catch (Exception e) when (e is EstimationRefusedException or FormatException or ArgumentException)
        {
            throw new RequestRefusedException("plan", e.Message);
        }
    }

    /// <inheritdoc/>
    public async Task<FundingCall> OpenAsync(string termsJson)
    {
        TermsDocument terms;
        try
        {
            terms = TermsDocument.Read(termsJson);
        }
        catch (ExchangeFileException e)
        {
            throw new RequestRefusedException(e.Code, e.Message);
        }

        string key = MarketContext.Name(terms.Hash());
        await GrainFactory.GetGrain<IRequestGrain>(key).DraftAsync(Researcher, termsJson);
        EmrMarket.Contracts.Bindings.RequestTerms onLedger = terms.ToLedger(market.Schemas[terms.SchemaId].Schema);
        ContractCall call = market.Matching.OpenRequest(onLedger);
        return new FundingCall
        {
            Key = key, To = market.Matching.Address.ToArray(), Data = call.Data.ToArray(), Spender = market.Payments.Address.ToArray(),
            Budget = onLedger.Budget,
        };
    }

    /// <inheritdoc/>
    public async Task<CancelAnswer> CancelAsync(string requestKey)
    {
        StoredRequest row = await FindAsync(requestKey);
        if (await GrainFactory.GetGrain<IRequestGrain>(requestKey).WithdrawAsync())
        {
            return new CancelAnswer();
        }

        EmrMarket.Grains.Ledger.View.RequestRow request = market.OnLedger(row)
            ?? throw new RequestRefusedException("too-late", $"request {requestKey} has ended: {row.Steps[^1].Reason}");
        return market.View.Books(request.Terms.SchemaId).Any(book => book.Ordinal == request.Book)
            ? throw new RequestRefusedException("too-late",
                $"book {request.Book} of request {request.RequestId} is closed: what it buys is being decided, and what is not delivered "
                    + "will go back")
            : new CancelAnswer
            {
                To = market.Matching.Address.ToArray(), Data = market.Matching.CancelRequest(request.RequestId).Data.ToArray(),
            };
    }

    /// <inheritdoc/>
    public async Task<RequestStatus[]> ListAsync()
    {
        List<RequestStatus> list = [];
        foreach (StoredRequest row in await market.Store.FindRequestsOfAsync(Researcher, CancellationToken.None))
        {
            list.Add((await GrainFactory.GetGrain<IRequestGrain>(row.Key).StatusAsync())!);
        }

        return [.. list];
    }

    /// <inheritdoc/>
    public async Task<string> ResultsAsync(string requestKey)
    {
        StoredRequest row = await FindAsync(requestKey);
        return await market.Store.FindResultsAsync(requestKey, CancellationToken.None)
            ?? throw new RequestRefusedException("not-ready", $"request {requestKey} is {row.State}: {row.Steps[^1].Reason}");
    }

    private async Task<StoredRequest> FindAsync(string key) =>
        await market.Store.FindRequestAsync(key, CancellationToken.None) is { } row
            && string.Equals(row.Researcher, Researcher, StringComparison.Ordinal) ? row
            : throw new RequestRefusedException("unknown-request", $"{Researcher} has no request {key}");

    /// <summary>
    /// Records that allow each grade: no more than allow it for the attribute with the fewest, nor than admit the purpose. An upper bound,
    /// since the catalogue counts attributes one by one.
    /// </summary>
    private static long[] Available(MarketSchema schema, Abstractions.Market.Catalogue catalogue, StatisticRequest statistic, byte purpose)
    {
        long admitted = catalogue.RecordsByPurpose.GetValueOrDefault(purpose);
        int[] attributes = [.. statistic.Attributes.Select(schema.Schema.IndexOf).Where(a => a >= 0)];
        return [.. Enumerable.Range(0, schema.Schema.Grades.Count)
            .Select(grade => attributes.Select(a => catalogue.RecordsByGrade[a][grade]).Append(admitted).Min())];
    }

    private static PlannedGrade Planned(PlanOption option) => new()
    {
        Grade = option.Grade,
        EpsilonMicro = option.Epsilon.Micro,
        Records = option.Records,
        EffectiveRecords = option.EffectiveRecords,
        ScorePpb = option.ScorePpb,
        ExpectedHalfWidth = option.ExpectedHalfWidth,
        GuaranteedHalfWidth = option.GuaranteedHalfWidth,
        AskPerRecord = option.AskPerRecord.Units,
        Cost = option.Cost.Units,
        Limit = option.Limit ?? "",
        AskPerEffectiveRecord = option.AskPerEffectiveRecord,
        RateHalfWidth = option.RateHalfWidth,
    };

    private static IEnumerable<string> Of(string cell, long records) => cell.Length == 0 ? []
        : [string.Create(CultureInfo.InvariantCulture, $"Numbers and asks are those of the {records:#,0} records with {cell}.")];
}
