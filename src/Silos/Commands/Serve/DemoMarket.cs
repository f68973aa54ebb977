using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>What a visitor needs to be each kind of user of a demonstration.</summary>
/// <param name="ResearcherKey">The researcher's private key, hexadecimal digits.</param>
/// <param name="AuditorKey">The private key of a registered auditor, hexadecimal digits.</param>
/// <param name="Site">A site.</param>
/// <param name="SchemaId">The schema.</param>
/// <param name="Seed">The seed of one of the site's patients, whose record was sold.</param>
/// <param name="SiteNumber">The site's number on the ledger.</param>
/// <param name="Pseudonyms">That patient's pseudonyms.</param>
/// <param name="FalseEpoch">The id of the epoch that was planted for auditors.</param>
internal sealed record DemoPeople(
    string ResearcherKey, string AuditorKey, string Site, string SchemaId, byte[] Seed, uint SiteNumber, IReadOnlyList<string> Pseudonyms,
    string FalseEpoch);

/// <summary>
/// Fills a market for visitors: 10,000 synthetic records at two sites, their policies and epochs, five requests that stand at different
/// places, and an epoch with a planted fault. All but that one is done by the services that people use, and nothing again that was done.
/// </summary>
internal sealed class DemoMarket(RunningRoles roles, IServiceProvider services, string folder, CancellationToken cancellation)
{
    /// <summary>An embedded chain's rules, with time for a visitor to demand a leaf of an epoch and to see it answered. No request waits
    /// for an epoch, so nothing else takes longer.</summary>
    public static DeploymentTerms Terms { get; } = DeploymentTerms.Embedded with { EpochWindowSeconds = 600 };

    private const int RecordsPerSite = 5_000;
    // Soon, so that a visitor sees how what was not delivered goes back.
    private const long DeadlineSeconds = 300;

    // Late, for the one that waits for a visitor to fund it.
    private const long OpenDeadlineSeconds = 86_400;
    private const string SchemaName = "synthetic";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    // Title, why, statistics, target, bid as a multiple of the median ask.
    private static readonly (string Title, string Why, string[] Statistics, uint Target, decimal BidFactor)[] Settled =
    [
        ("Length of stay", "Hospitals plan beds by how long patients stay.", ["mean:length_of_stay"], 800, 2),
        ("Ways of discharge", "Which care do patients need after the hospital?",
            ["frequency:disposition", "frequency:diabetes"], 600, 2.5m),
    ];

    private readonly Schema _schema = DataFolder.LoadSchema(SchemaName);

    private ResearchService Research => services.GetRequiredService<ResearchService>();

    /// <summary>Fills what is empty, with a word to the terminal for each step.</summary>
    public async Task<DemoPeople> FillAsync(Func<string, Task> tell)
    {
        string key = Path.Combine(folder, "researcher.key");
        EthereumAccount researcher = EthereumAccount.LoadOrCreate(key);
        string address = Show.Address(researcher.Address);
        SiteService desk = services.GetRequiredService<SiteService>();
        foreach (string site in roles.Sites.Keys)
        {
            if (await RecordsAsync(site) == 0)
            {
                await tell($"site {site}: {RecordsPerSite:N0} synthetic records");
                await LoadAsync(desk, site);
            }
        }

        await FinishEpochsAsync();
        if ((await Research.ListAsync(address)).Length == 0)
        {
            await tell("requests: two are served, one cannot be, one is cancelled, one waits for its money");
            await OpenAllAsync(researcher, address);
        }

        string auditorKey = Path.Combine(folder, "auditor.key");
        await AdmitAuditorAsync(EthereumAccount.LoadOrCreate(auditorKey));
        string first = roles.Sites.Keys.First();
        SiteEnrolment sold = await SoldAsync(first);
        PlantedEpoch planted = new(roles, _schema, folder, cancellation);
        string planting = Show.Hash(await planted.PlantAsync(tell));
        if (!Epochs().Any(epoch => epoch.Status == BatchStatus.Posted && epoch.Header.Site != planted.Site))
        {
            await tell($"site {first}: another epoch, whose leaves can be demanded for some minutes");
            await desk.DecideEpochAsync(first, _schema.Id);
        }

        return new DemoPeople(await ReadAsync(key), await ReadAsync(auditorKey), first, _schema.Id, sold.Seed, sold.Site,
            sold.Pseudonyms, planting);

        async Task<string> ReadAsync(string file) => (await File.ReadAllTextAsync(file, cancellation)).Trim();
    }

    /// <summary>An auditor with money for deposits, as a consortium would register one.</summary>
    private async Task AdmitAuditorAsync(EthereumAccount auditor)
    {
        if (!roles.View.Auditors().Contains(auditor.Address))
        {
            await roles.Consortium!.SetAuditorAsync(auditor.Address, registered: true, cancellation);
            await roles.Consortium.EndowAsync(auditor.Address, 100_000_000, cancellation);
            await roles.View.SyncAsync(cancellation);
        }
    }

    private async Task LoadAsync(SiteService desk, string site)
    {
        // Every site has people of its own.
        string file = Path.Combine(folder, site + ".csv");
        SyntheticFile.Write(DataFolder.LoadSynthetic(DataFolder.SyntheticSeed((ulong)roles.Sites.Keys.ToList().IndexOf(site) + 1)),
            RecordsPerSite, file, cancellation);
        await desk.LoadAsync(site, _schema, [file], cancellation);
        int profiles = _schema.Profiles.Count;
        await desk.SetDefaultPoliciesAsync(site, new DefaultPolicies
        {
            SchemaId = _schema.Id,
            ProfileShares = [.. Enumerable.Range(0, profiles).Select(i => (1_000_000 / profiles) + (i == 0 ? 1_000_000 % profiles : 0))],
            RateShares = [300_000, 500_000, 200_000],
            Purpose = 0,
        });
        await desk.DecideEpochAsync(site, _schema.Id);
    }

    /// <summary>Every site's first epoch is final: the clock of the embedded chain is moved over its window.</summary>
    private async Task FinishEpochsAsync()
    {
        await UntilAsync(() => AllSitesAsync(_ => true));
        if (!await AllSitesAsync(epoch => epoch.Status == BatchStatus.Final))
        {
            long last = Epochs().Where(epoch => epoch.Status == BatchStatus.Posted)
                .Max(epoch => (long)epoch.Posting.Timestamp + roles.View.Deployment.Terms.EpochWindowSeconds);
            await roles.Consortium!.AdvanceTimeAsync(
                TimeSpan.FromSeconds(Math.Max(1, last - roles.View.NowSeconds)), cancellation);
            await UntilAsync(() => AllSitesAsync(epoch => epoch.Status == BatchStatus.Final));
        }
    }

    private async Task<bool> AllSitesAsync(Func<EpochRow, bool> holds)
    {
        await roles.View.SyncAsync(cancellation);
        foreach (string site in roles.Sites.Keys)
        {
            uint number = (await SiteStatusAsync(site)).Site;
            if (!Epochs().Any(epoch => epoch.Header.Site == number && holds(epoch)))
            {
                return false;
            }
        }

        return true;
    }

    private IReadOnlyList<EpochRow> Epochs() => roles.View.Epochs(_schema.LedgerId());

    private async Task OpenAllAsync(EthereumAccount researcher, string address)
    {
        await roles.Consortium!.EndowAsync(researcher.Address, 1_000_000_000, cancellation);
        await using RoleHost wallet = await RoleHost.StartAsync(
            new MemoryLedgerStore(), roles.Client, roles.View.Deployment, [researcher], (_, _) => { });
        List<string> served = [];
        foreach ((string title, string why, string[] statistics, uint target, decimal bid) in Settled)
        {
            served.Add(await OpenAsync(wallet, address, title, why, statistics, target, bid));
        }

        await OpenAsync(wallet, address, "Ways of admission", "Too low a bid: nobody sells, and the money goes back.",
            ["frequency:admission"], 500, 0.05m);
        await UntilAsync(() => AllAsync(address, served, request => request.HasEnded || request.State == "evaluated"));
        string cancelled = await OpenAsync(
            wallet, address, "Payers", "Who pays for which stays in hospital?", ["frequency:payer"], 300, 2);
        try
        {
            await SendAsync(wallet, cancelled + "/cancel", (await Research.CancelAsync(address, cancelled)).Calls);
        }
        catch (Grains.Abstractions.Market.RequestRefusedException)
        {
            // Its book is closed already.
        }

        await UntilAsync(() => AllAsync(address, [cancelled], request => request.State is not ("draft" or "planned" or "funded")));
        if ((await Research.StatusAsync(address, cancelled)).State != "cancelled")
        {
            // The book was closed first, so it is served: another is taken back before it is funded, which is never too late.
            TermsInfo second = await TermsAsync(address, "Payers, once more", "Who pays for which stays?", ["frequency:payer"], 300, 2);
            await Research.OpenAsync(address, second.TermsJson, cancellation);
            await Research.CancelAsync(address, second.Key);
        }

        TermsInfo draft = await TermsAsync(
            address, "First diagnoses", "Which illnesses bring people to hospital?", ["topCodes:diagnosis"], 1_000, 2, OpenDeadlineSeconds);
        await Research.OpenAsync(address, draft.TermsJson, cancellation);
    }

    private Task<TermsInfo> TermsAsync(
        string address, string title, string why, string[] statistics, uint target, decimal bid, long deadline = DeadlineSeconds) =>
        Research.WriteTermsAsync(address, new RequestWish
    {
        SchemaId = _schema.Id, Statistics = statistics, Title = title, Why = why, TargetRecords = target, BidFactor = bid,
        DeadlineSeconds = roles.View.NowSeconds + deadline,
    });

    private async Task<string> OpenAsync(
        RoleHost wallet, string address, string title, string why, string[] statistics, uint target, decimal bid)
    {
        TermsInfo terms = await TermsAsync(address, title, why, statistics, target, bid);
        OpenInfo opened = await Research.OpenAsync(address, terms.TermsJson, cancellation);
        await SendAsync(wallet, opened.Key, opened.Calls);
        await UntilAsync(() => AllAsync(address, [opened.Key], request => request.RequestId > 0));
        return opened.Key;
    }

    private async Task SendAsync(RoleHost wallet, string id, IReadOnlyList<CallInfo> calls)
    {
        await wallet.SubmitAsync(
            0, id, [.. calls.Select(call => new ContractCall(Address.Parse(call.To), Convert.FromHexString(call.Data[2..])))]);
        await UntilAsync(async () => (await wallet.Senders[0].AdvanceAsync()).WaitsFor.Length == 0);
    }

    private async Task<bool> AllAsync(string address, IReadOnlyCollection<string> keys, Func<RequestInfo, bool> holds)
    {
        foreach (string key in keys)
        {
            if (!holds(await Research.StatusAsync(address, key)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A person of a site with a record that was sold.</summary>
    private async Task<SiteEnrolment> SoldAsync(string site)
    {
        ISiteGrain grain = roles.Site(site).Grain;
        for (int record = 0; ; record++)
        {
            SiteEnrolment person = await grain.EnrolmentAsync(_schema.Id, record);
            if (record == RecordsPerSite - 1 || (await grain.UsesAsync(_schema.Id, person.Pseudonyms[0])).Length > 0)
            {
                return person;
            }
        }
    }

    private async Task<int> RecordsAsync(string site)
    {
        try
        {
            return (await SiteStatusAsync(site)).Records;
        }
        catch (SiteRefusedException)
        {
            return 0;
        }
    }

    private Task<SiteStatus> SiteStatusAsync(string site) => roles.Site(site).Grain.StatusAsync(_schema.Id);

    private async Task UntilAsync(Func<Task<bool>> reached)
    {
        while (true)
        {
            try
            {
                if (await reached())
                {
                    return;
                }
            }
            catch (TimeoutException)
            {
                // Somebody is busy: on a slow machine an epoch takes longer than an answer may.
            }

            await Task.Delay(Pause, cancellation);
        }
    }
}
