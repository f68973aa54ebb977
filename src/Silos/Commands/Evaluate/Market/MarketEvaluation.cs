using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Matching;
using EmrMarket.Analytics.Matching.Comparison;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Grains.Market.Rounds;
using EmrMarket.Grains.Site;
using EmrMarket.Silos.Commands.Trace;
using EmrMarket.Silos.Reporting;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Storage;
using LedgerDelivery = EmrMarket.Grains.Ledger.View.DeliveryRow;

namespace EmrMarket.Silos.Commands.Evaluate.Market;

/// <summary>
/// The whole market over the records of an evaluation: two sites, their policies and epochs, a book of requests, the round, deliveries,
/// statistics, claims and refunds, on the embedded chain. Every role is the one that <c>serve</c> runs; only time is moved.
/// </summary>
internal sealed class MarketEvaluation : IAsyncDisposable
{
    private const int Sites = 2;
    private const int Researchers = 5;
    private const long Day = 86_400;
    private const ushort Quota = 4;
    private static readonly UInt128 Wealth = 1_000_000_000_000;

    // Shares of the built-in menu (withheld, reserved, conservative, balanced, generous), millionths; other menus are shared alike.
    private static readonly int[] ProfileParts = [50_000, 150_000, 200_000, 400_000, 200_000];
    private static readonly int[] RateParts = [300_000, 500_000, 200_000];
    private static readonly int[] PurposeParts = [400_000, 400_000, 200_000];
    private static readonly byte[] PurposeMenu = [0, 1, 2];

    private readonly EvaluationData _data;
    private readonly RequestBook _book;
    private readonly byte[] _key;
    private readonly IStageDisplay _display;
    private readonly CancellationToken _cancellation;
    private readonly List<MarketStage> _stages = [];
    private readonly List<SiteRole> _sites = [];
    private readonly EthereumAccount _consortium = EthereumAccount.Generate();
    private readonly EthereumAccount _fund = EthereumAccount.Generate();
    private readonly EthereumAccount _marketAccount = EthereumAccount.Generate();
    private readonly EthereumAccount[] _siteAccounts = [.. Enumerable.Range(0, Sites).Select(_ => EthereumAccount.Generate())];
    private readonly EthereumAccount[] _researchers = [.. Enumerable.Range(0, Researchers).Select(_ => EthereumAccount.Generate())];
    private MarketEngines _engines = null!;
    private MarketDriver _driver = null!;
    private RoleHost _people = null!;
    private MarketRole _market = null!;
    private ulong _counted;

    private MarketEvaluation(EvaluationData data, RequestBook book, byte[] key, IStageDisplay display, CancellationToken cancellation) =>
        (_data, _book, _key, _display, _cancellation) = (data, book, key, display, cancellation);

    private Schema Schema => _data.Schema;

    private EmbeddedChain Chain => _engines.Chain;

    private MarketContext Market => _market.Context;

    /// <summary>Runs it.</summary>
    /// <param name="data">The records.</param>
    /// <param name="book">The requests.</param>
    /// <param name="key">Where the sites' keys and policies come from.</param>
    /// <param name="display">Shows how far it is.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ToolMissingException">The embedded chain is not installed and cannot be.</exception>
    public static async Task<MarketSection> RunAsync(
        EvaluationData data, RequestBook book, byte[] key, IStageDisplay display, CancellationToken cancellation)
    {
        await using MarketEvaluation evaluation = new(data, book, key, display, cancellation);
        return await evaluation.RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable? part in (IAsyncDisposable?[])[.. _sites, _market, _people, _engines])
        {
            if (part is not null)
            {
                await part.DisposeAsync();
            }
        }
    }

    private async Task<MarketSection> RunAsync()
    {
        await StageAsync("market: chain, contracts and databases", StartAsync);
        await StageAsync("market: load sites", LoadAsync);
        await StageAsync("market: post epochs", PostEpochsAsync);
        Grains.Abstractions.Market.Catalogue catalogue = await _market.Grains.GetGrain<ICatalogueGrain>(Schema.Id).ReadAsync();
        List<string> keys = [];
        await StageAsync("market: plan and fund requests", async () => keys = await FundAsync(catalogue));
        await StageAsync("market: match",
            () => _driver.UntilAsync("a final round", () => AllAsync(keys, state => state >= RequestState.Matched)));
        await StageAsync("market: deliver",
            () => _driver.UntilAsync("the deliveries", () => AllAsync(keys, state => state >= RequestState.Delivered)));
        for (int s = 0; s < Sites; s++)
        {
            // All deliveries are final: a site that went on would only read the log of everybody's claims.
            _driver.Remove($"site {s + 1}");
        }

        await StageAsync("market: compute statistics",
            () => _driver.UntilAsync("the statistics", () => AllAsync(keys, state => state >= RequestState.Evaluated)));
        await StageAsync("market: claims and refunds",
            () => _driver.UntilAsync("the settlement", () => AllAsync(keys, state => state >= RequestState.Settled)));
        MarketSection section = null!;
        await StageAsync("market: replay, compare and trace", async () => section = await SummariseAsync(keys));
        return section with { Stages = _stages };
    }

    private async Task StartAsync()
    {
        EthereumAccount[] everybody = [_consortium, _marketAccount, .. _siteAccounts, .. _researchers];
        _engines = await MarketEngines.StartAsync(
            _consortium, new DeploymentRoles(_consortium.Address, _marketAccount.Address, _fund.Address), everybody, Sites, _cancellation);
        _driver = new MarketDriver(Chain, _cancellation);
        _people = await RoleHost.StartAsync(Chain.Client, _engines.Deployment, [_consortium, .. _researchers], (_, _) => { });
        _market = await MarketRole.StartAsync(
            [Schema], _marketAccount, Chain.Client, _engines.Deployment, _engines.Market.Ledger,
            services => services.AddMarketStorage(_engines.Market));
        for (int s = 0; s < Sites; s++)
        {
            byte[] siteKey = HKDF.DeriveKey(
                HashAlgorithmName.SHA256, _key, SiteOptions.KeyBytes,
                info: System.Text.Encoding.UTF8.GetBytes($"emrmarket evaluate site {s + 1}"));
            SiteStorage storage = _engines.Sites[s];
            _sites.Add(await SiteRole.StartAsync(
                SiteName(s), new SiteOptions(siteKey, _siteAccounts[s].Address, SiteRole.DefaultRates), _siteAccounts[s], Chain.Client,
                _engines.Deployment, _market.Link, storage.Ledger, services => services.AddSiteStorage(storage)));
        }

        _driver.Add("a person's account", _people.Senders);
        _driver.Add("the market's account", _market.Host.Senders);
        foreach (SiteRole site in _sites)
        {
            _driver.Add("a site's account", site.Host.Senders);
        }

        DevelopmentToken token = new(Chain.Client, Address.Parse(_engines.Deployment.Token.Address));
        AnonymousTransaction payments = Market.Payments;
        SchemaPublication schema = Schema.ToPublication(BudgetBook.DefaultCap);
        await _people.SubmitAsync(0, "admit",
        [
            .. everybody.Select(account => token.Mint(account.Address, Wealth)),
            .. _siteAccounts.Select(
                site => new DynamicAccessControl(Chain.Client, Market.Access).RegisterSite(site.Address, Keccak256.Hash("site"))),
            Market.Evaluation.PublishSchema(schema.SchemaId, schema.Tiers, schema.CapMicro, schema.LadderMicro, schema.Quality),
        ]);
        await _driver.SettleAsync("the sites and the schema");
        for (int r = 0; r < Researchers; r++)
        {
            await _people.SubmitAsync(r + 1, "approve", token.Approve(payments.Address, Wealth));
        }

        foreach ((RoleHost host, EthereumAccount account) in (IEnumerable<(RoleHost, EthereumAccount)>)[
            (_market.Host, _marketAccount), .. _sites.Select(site => site.Host).Zip(_siteAccounts)])
        {
            await host.SubmitAsync(0, "bonds", token.Approve(payments.Address, Wealth), payments.Deposit(account.Address, Wealth / 2));
        }

        await _driver.SettleAsync("the bonds");
    }

    private async Task LoadAsync()
    {
        long now = (long)(await Chain.Client.GetBlockAsync(BlockReference.Latest, _cancellation))!.Timestamp;
        int[] parts = Schema.Profiles.Count == ProfileParts.Length ? ProfileParts
            : [.. Enumerable.Range(0, Schema.Profiles.Count)
                .Select(i => (1_000_000 / Schema.Profiles.Count) + (i == 0 ? 1_000_000 % Schema.Profiles.Count : 0))];
        int[] profiles = Choice(parts, "profile");
        int[] rates = Choice(RateParts, "rate");
        int[] purposes = Choice(PurposeParts, "purpose");
        for (int s = 0; s < Sites; s++)
        {
            int[] own = [.. Enumerable.Range(0, _data.Records.Count).Where(record => _data.Records.PersonIndex[record] % Sites == s)];
            ISiteGrain site = _sites[s].Grain;
            await site.LoadAsync(new LoadRecords
            {
                Id = "evaluation",
                SchemaJson = Schema.ToJson(),
                RecordKeys = [.. own.Select(record => _data.Records.RecordKeys[record])],
                PersonKeys = [.. own.Select(record => _data.Records.PersonKeys[record])],
                Codes = [.. _data.Records.Columns.Select(column => Array.ConvertAll(own, record => column.Codes[record]))],
                Fractions =
                    [.. _data.Records.Columns.Select(
                        column => column.Fractions is null ? [] : Array.ConvertAll(own, record => column.Fractions[record]))],
            });
            int[] persons = [.. own.DistinctBy(record => _data.Records.PersonIndex[record])];
            await site.SetPoliciesAsync(new SetPolicies
            {
                SchemaId = Schema.Id,
                PersonKeys = Array.ConvertAll(persons, record => _data.Records.PersonKeys[record]),
                Profiles = Array.ConvertAll(persons, record => (byte)profiles[record]),
                Rates = Array.ConvertAll(persons, record => (byte)rates[record]),
                Quotas = Array.ConvertAll(persons, _ => Quota),
                Purposes = Array.ConvertAll(persons, record => PurposeMenu[purposes[record]]),
                ExpirySeconds = Array.ConvertAll(persons, _ => now + (300 * Day)),
                Participation = Array.ConvertAll(persons, _ => Participation.Active),
            });
            _driver.Add($"site {s + 1}", site.AdvanceAsync);
        }

        _driver.Add("the market", _market.Grains.GetGrain<IMarketGrain>(Schema.Id).AdvanceAsync);
    }

    private async Task PostEpochsAsync()
    {
        for (int s = 0; s < Sites; s++)
        {
            await _sites[s].Grain.DecideEpochAsync(Schema.Id);
        }

        await _driver.UntilAsync("the final epochs", async () =>
        {
            await Market.View.SyncAsync(_cancellation);
            return Market.View.Epochs().Count(epoch => epoch.Status == BatchStatus.Final) == Sites;
        });
    }

    private async Task<List<string>> FundAsync(Grains.Abstractions.Market.Catalogue catalogue)
    {
        TierRates middle = new(
            new TokenAmount(catalogue.MedianRates[0]), new TokenAmount(catalogue.MedianRates[1]), new TokenAmount(catalogue.MedianRates[2]),
            new TokenAmount(catalogue.MedianRates[3]));
        QualityTable table = Market.Schemas[Schema.Id].Table;
        List<string> keys = [];
        for (int i = 0; i < _book.Requests.Count; i++)
        {
            string researcher = _researchers[i % Researchers].Address.ToString().ToLowerInvariant();
            TermsDocument terms = RequestBook.Terms(
                _book.Requests[i], Schema, table, middle, _engines.Deployment.Terms.RelayFeeUnits, researcher,
                Market.View.NowSeconds + (60 * Day));
            FundingCall call = await _market.Grains.GetGrain<IRequesterGrain>(researcher).OpenAsync(terms.Write());
            await _people.SubmitAsync((i % Researchers) + 1, "open/" + call.Key, new ContractCall(new Address(call.To), call.Data));
            keys.Add(call.Key);
            _driver.Add($"request {i + 1}", _market.Grains.GetGrain<IRequestGrain>(call.Key).AdvanceAsync);
        }

        // Mined before the market looks again, so that one book holds them all.
        for (bool open = true; open;)
        {
            open = false;
            foreach (ILedgerGrain sender in _people.Senders)
            {
                open |= (await sender.AdvanceAsync()).WaitsFor.Length > 0;
            }

            await Chain.MineAsync(_cancellation);
        }

        await _driver.UntilAsync("the funded requests", () => AllAsync(keys, state => state >= RequestState.Funded));
        return keys;
    }

    private async Task<MarketSection> SummariseAsync(List<string> keys)
    {
        await Market.View.SyncAsync(_cancellation);
        List<RequestStatus> requests = [];
        foreach (string key in keys)
        {
            requests.Add((await _market.Grains.GetGrain<IRequestGrain>(key).StatusAsync())!);
        }

        List<(LedgerDelivery Row, OpenedDelivery File, OpenedEpoch Epoch)> deliveries = await DeliveriesAsync(requests);
        return new MarketSection
        {
            Stages = [],
            Sites = await SitesAsync(),
            Requests = [.. requests.Select(Request).OrderBy(request => request.Id)],
            Statistics = await StatisticsAsync(requests),
            Matchings = await MatchingsAsync(),
            Profiles = Profiles(deliveries),
            Money = Money(requests),
            Replayed = await ReplayAsync(requests),
            Trace = await SaleTrace.FollowAsync(Market, Best(deliveries), _cancellation),
        };
    }

    private async Task<List<(LedgerDelivery, OpenedDelivery, OpenedEpoch)>> DeliveriesAsync(List<RequestStatus> requests)
    {
        List<(LedgerDelivery, OpenedDelivery, OpenedEpoch)> all = [];
        foreach (LedgerDelivery row in requests.Where(request => request.RequestId > 0)
            .SelectMany(request => Market.View.Deliveries(request.RequestId))
            .Where(row => row.Status == BatchStatus.Final && row.Header.Count > 0))
        {
            EpochRow epoch = Market.View.FinalEpoch(row.Header.Site, Schema.LedgerId())!;
            all.Add((row, (await Market.DeliveryAsync(row.Header.DataHash, Schema))!, (await Market.EpochAsync(epoch.Header.DataHash))!));
        }

        return all.Count > 0
            ? all : throw new CommandException(
                ExitCode.Failure, "no request of the book was served: raise its bids, or ask for lower grades");
    }

    /// <summary>Whoever is paid most for one record.</summary>
    private static Bytes32 Best(List<(LedgerDelivery Row, OpenedDelivery File, OpenedEpoch Epoch)> deliveries)
    {
        (_, OpenedDelivery file, OpenedEpoch epoch) = deliveries.MaxBy(delivery => delivery.File.File.Leaves.Max(leaf => leaf.Amount));
        return epoch.File.Members[file.File.Leaves.MaxBy(leaf => leaf.Amount)!.MemberPosition].Pseudonym;
    }

    private async Task<IReadOnlyList<MarketSite>> SitesAsync()
    {
        List<MarketSite> sites = [];
        for (int s = 0; s < Sites; s++)
        {
            SiteStatus status = await _sites[s].Grain.StatusAsync(Schema.Id);
            SiteEpoch epoch = status.Epochs[^1];
            sites.Add(new MarketSite((int)status.Site, status.Records, status.Persons, epoch.Members, epoch.Classes, epoch.Withheld,
                status.HighestLossMicro / 1e6));
        }

        return sites;
    }

    private static MarketRequest Request(RequestStatus status)
    {
        TermsDocument terms = TermsDocument.Read(status.TermsJson);
        return new MarketRequest
        {
            Id = (long)status.RequestId,
            Title = terms.Title,
            Target = terms.TargetRecords,
            Sold = status.Sold,
            Delivered = status.Delivered,
            Effective = (double)status.EffectivePpb / QualityTable.Unit,
            Budget = long.Parse(terms.Budget, CultureInfo.InvariantCulture),
            Paid = (long)status.Paid,
            Refunded = (long)status.Refunded,
            State = status.Steps[^1].State.ToString().ToLowerInvariant(),
            Reason = status.Steps[^1].Reason,
        };
    }

    private async Task<IReadOnlyList<EvaluatedStatistic>> StatisticsAsync(List<RequestStatus> requests)
    {
        List<CorePass.Answer> answers = [];
        foreach (RequestStatus request in requests.Where(request => request.Delivered > 0))
        {
            string json = await _market.Grains.GetGrain<IRequesterGrain>(request.Researcher).ResultsAsync(request.Key);
            RequestResults results = RequestResults.Read(json);
            answers.AddRange(
                results.Statistics.Select(answer => new CorePass.Answer(StatisticRequest.Parse(answer.Id), answer.Result, answer.Refusal)));
        }

        return new CorePass(Schema, EstimationOptions.Default, Environment.ProcessorCount).Compare(answers, _data.Records, _cancellation);
    }

    /// <summary>Replays every served request as an auditor would.</summary>
    private async Task<int> ReplayAsync(List<RequestStatus> requests)
    {
        RequestStatus[] served = [.. requests.Where(request => request.Delivered > 0)];
        foreach (RequestStatus request in served)
        {
            string results = await _market.Grains.GetGrain<IRequesterGrain>(request.Researcher).ResultsAsync(request.Key);
            if (await RequestReplay.FindFaultAsync(Market, request.RequestId, request.TermsJson, results) is { } fault)
            {
                throw new CommandException(ExitCode.Failure, $"the replay of request {request.RequestId} fails: {fault}");
            }
        }

        return served.Length;
    }

    private async Task<IReadOnlyList<MarketMatching>> MatchingsAsync()
    {
        BookRow book = Market.View.Books(Schema.LedgerId())[0];
        RoundStatus round = (await _market.Grains.GetGrain<IMarketGrain>(Schema.Id).RoundsAsync())[0];
        RoundDecision decision = (await RoundInputs.DecisionAsync(Market, book))!;
        MatchOutcome outcome = decision.ToOutcome((await Market.RoundAsync(Bytes32.ParseDigits(round.FileHash)))!.File);
        long[] none = new long[decision.Problem.Classes.Count];
        List<MarketMatching> matchings =
            [Measured("exact", round.SolveMilliseconds,
                MatchMetrics.Of(decision.Problem, outcome.SalesByClass, decision.Asks, [.. outcome.Classes.Select(c => c.Premium)]))];
        (string Name, Func<IReadOnlyList<Sale>> Match)[] others =
        [
            ("deferred acceptance", () => DeferredAcceptance.Match(decision.Problem, decision.Asks)),
            ("greedy", () => SerialMatch.Greedy(decision.Problem)),
            ("random", () => SerialMatch.Random(decision.Problem, RandomNumberGenerator.GetInt32)),
        ];
        foreach ((string name, Func<IReadOnlyList<Sale>> match) in others)
        {
            long started = Stopwatch.GetTimestamp();
            IReadOnlyList<Sale> sales = match();
            double milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            matchings.Add(Measured(name, milliseconds,
                MatchMetrics.Of(decision.Problem, [.. sales.OrderBy(s => s.ClassIndex).ThenBy(s => s.RequestIndex)], decision.Asks, none)));
        }

        return matchings;
    }

    private static MarketMatching Measured(string rule, double milliseconds, MatchMetrics m) =>
        new(rule, Math.Round(milliseconds, 2), (double)m.Welfare, m.Records, m.ShareMatched, m.BlockingPairs, m.GiniOfPayments);

    private IReadOnlyList<MarketProfile> Profiles(List<(LedgerDelivery Row, OpenedDelivery File, OpenedEpoch Epoch)> deliveries)
    {
        string NameOf(ClassLeaf leaf)
        {
            AttributeGrades ceilings = leaf.Ceilings.ToGrades();
            return Schema.Profiles.FirstOrDefault(profile => Enumerable.Range(0, Schema.Attributes.Count)
                .All(a => Schema.Attributes[a].Tier == Tier.Public || profile[a] == ceilings[a]))?.Name ?? "other";
        }

        Dictionary<string, (long Sales, long Paid)> earned = [];
        foreach ((_, OpenedDelivery file, OpenedEpoch epoch) in deliveries)
        {
            string[] names = Array.ConvertAll(epoch.File.Classes, NameOf);
            foreach (DeliveryLeaf leaf in file.File.Leaves.Where(leaf => leaf.PayoutAddress != Address.Zero))
            {
                (long sales, long paid) = earned.GetValueOrDefault(names[leaf.LocalClass]);
                earned[names[leaf.LocalClass]] = (sales + 1, paid + (long)leaf.Amount);
            }
        }

        return [.. deliveries.Select(d => d.Epoch).Distinct().SelectMany(epoch => epoch.File.Classes).GroupBy(NameOf)
            .Select(group => new MarketProfile(
                group.Key, group.Sum(leaf => (long)leaf.Size), earned.GetValueOrDefault(group.Key).Sales,
                earned.GetValueOrDefault(group.Key).Paid))
            .OrderBy(profile => profile.Profile, StringComparer.Ordinal)];
    }

    private MarketMoney Money(List<RequestStatus> requests)
    {
        EscrowRow[] escrows =
            [.. requests.Where(request => request.RequestId > 0).Select(request => Market.View.Escrow(request.RequestId)!)];
        long fees = requests.Sum(request => request.Delivered) * (long)_engines.Deployment.Terms.RelayFeeUnits;
        MarketMoney money = new(
            (long)escrows.Aggregate(System.Numerics.BigInteger.Zero, (sum, e) => sum + e.Funded),
            (long)escrows.Aggregate(System.Numerics.BigInteger.Zero, (sum, e) => sum + e.Claimed), fees,
            (long)escrows.Aggregate(System.Numerics.BigInteger.Zero, (sum, e) => sum + e.Refunded));
        return money.Funded == money.Patients + money.Fees + money.Refunded ? money
            : throw new CommandException(ExitCode.Failure,
                $"{money.Funded} token units were funded, but {money.Patients} paid, {money.Fees} in fees and {money.Refunded} refunded");
    }

    private static string SiteName(int site) => string.Create(CultureInfo.InvariantCulture, $"site-{site + 1}");

    private int[] Choice(int[] parts, string what) => PolicyChoice.Mix([.. parts.Select((part, i) => new ProfileShare(i, part))])
        .Assign(_data.Records,
            HKDF.DeriveKey(HashAlgorithmName.SHA256, _key, 32, info: System.Text.Encoding.UTF8.GetBytes("emrmarket evaluate " + what)));

    private async Task<bool> AllAsync(List<string> keys, Func<RequestState, bool> reached)
    {
        foreach (string key in keys)
        {
            if (!reached((await _market.Grains.GetGrain<IRequestGrain>(key).StatusAsync())!.Steps[^1].State))
            {
                return false;
            }
        }

        return true;
    }

    private async Task StageAsync(string name, Func<Task> work)
    {
        long started = Stopwatch.GetTimestamp();
        _display.Begin(name);
        await work();
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        _display.End(seconds);
        (int transactions, long gas) = await GasAsync();
        _stages.Add(new MarketStage(name, Math.Round(seconds, 4), transactions, gas, Environment.WorkingSet));
    }

    private async Task<(int Transactions, long Gas)> GasAsync()
    {
        ulong head = (await Chain.Client.GetBlockAsync(BlockReference.Latest, _cancellation))!.Number;
        (int transactions, long gas) = (0, 0);
        for (; _counted < head; _counted++)
        {
            IReadOnlyList<TransactionReceipt> receipts = await Chain.Client.GetBlockReceiptsAsync(_counted + 1, _cancellation) ?? [];
            transactions += receipts.Count;
            gas += receipts.Sum(receipt => (long)receipt.GasUsed);
        }

        return (transactions, gas);
    }
}
