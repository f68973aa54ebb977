using System.Text.Json;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Services;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>
/// The served market in this process, with everything real but PostgreSQL: contracts on a chain of its own, the roles of market and one
/// site, records, an epoch, a request that was served, and the web host on a free port of this machine. Time is moved only while it is
/// filled.
/// </summary>
internal sealed class SmallMarket : IAsyncDisposable
{
    public const string SiteName = "hospital";
    private const int Records = 1_200;
    private const long LongestStep = 10;
    private const long Endowment = 1_000_000_000;

    private readonly string _folder;
    private readonly CancellationTokenSource _stop = new();
    private EmbeddedChain _chain = null!;
    private JsonRpcEthereumClient _client = null!;
    private Consortium _consortium = null!;
    private MarketRole _market = null!;
    private SiteRole _site = null!;
    private Task _driver = Task.CompletedTask;
    private readonly Func<SmallMarket, Task>? _watch;
    private volatile bool _hurries = true;

    private readonly DeploymentTerms? _terms;

    private SmallMarket(string folder, Func<SmallMarket, Task>? watch, DeploymentTerms? terms) =>
        (_folder, _watch, _terms) = (folder, watch, terms);

    public static Schema Schema { get; } = DataFolder.LoadSchema("synthetic");

    /// <summary>The site's account.</summary>
    public EthereumAccount Site { get; } = EthereumAccount.Generate();

    /// <summary>Whoever asked for the request that was served.</summary>
    public EthereumAccount Researcher { get; } = EthereumAccount.Generate();

    /// <summary>The key of <see cref="RequestKey"/>.</summary>
    public string RequestKey { get; private set; } = "";

    /// <summary>Its number on the ledger.</summary>
    public ulong RequestId { get; private set; }

    /// <summary>A pseudonym whose record was sold.</summary>
    public PublisherName Publisher { get; private set; } = null!;

    /// <summary>Its controller.</summary>
    public EthereumAccount Patient { get; private set; } = null!;

    public RunningRoles Roles { get; private set; } = null!;

    public ApiOptions Options { get; private set; } = null!;

    public WebApplication Web { get; private set; } = null!;

    public Uri Address { get; private set; } = null!;

    public string OperatorToken => File.ReadAllText(Path.Combine(Options.Keys, Silos.Api.Access.OperatorToken.FileName)).Trim();

    /// <summary>Starts and fills it.</summary>
    /// <param name="tools">Where the chain's program is.</param>
    /// <param name="limits">How often somebody may ask.</param>
    /// <param name="watch">Looks at it between two steps of its roles, while nothing moves.</param>
    /// <param name="terms">The rules of its contracts; those of an embedded chain when null.</param>
    public static async Task<SmallMarket> StartAsync(
        EmbeddedTools tools, RateLimits limits, Func<SmallMarket, Task>? watch = null, DeploymentTerms? terms = null)
    {
        SmallMarket market = new(Directory.CreateTempSubdirectory("emrmarket-api-").FullName, watch, terms);
        try
        {
            await market.FillAsync(tools, limits);
            return market;
        }
        catch
        {
            await market.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client of the web host; it follows no redirect and keeps no cookie.</summary>
    public HttpClient Connect(string? token = null)
    {
        HttpClient client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = Address };
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        }

        return client;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();

        // What stopped it was told to whoever waited; everything below must end all the same.
        await _driver.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Web is not null)
        {
            await Web.DisposeAsync();
        }

        foreach (IAsyncDisposable? part in new IAsyncDisposable?[] { _site, _market, _consortium })
        {
            if (part is not null)
            {
                await part.DisposeAsync();
            }
        }

        _client?.Dispose();
        if (_chain is not null)
        {
            await _chain.DisposeAsync();
        }

        _stop.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task FillAsync(EmbeddedTools tools, RateLimits limits)
    {
        string chain = Path.Combine(_folder, "chain");
        _chain = await EmbeddedChain.StartAsync(
            new EmbeddedChainOptions
            {
                Folder = chain, Tools = tools, BlockTime = TimeSpan.FromMilliseconds(20), IdleBlockTime = TimeSpan.FromMilliseconds(250),
                KeepsState = false,
            }, _stop.Token);
        string? parameters = _terms is null ? null : Path.Combine(_folder, "parameters.json");
        if (_terms is not null)
        {
            await File.WriteAllTextAsync(
                parameters!, JsonSerializer.Serialize(_terms, JsonSerializerOptions.Web), _stop.Token);
        }

        await ChainDeploy.RunAsync(new ChainDeployment { Folder = chain, Parameters = parameters }, _stop.Token);
        string keys = ChainFolders.Keys(chain);
        ContractDeployment deployment = ContractDeployment.Load(ChainFolders.DeploymentOf(chain));
        EthereumAccount account = EthereumAccount.Load(Path.Combine(keys, "market.key"));
        _client = new JsonRpcEthereumClient(_chain.Endpoint);
        _consortium = await Consortium.StartAsync(EthereumAccount.Load(Path.Combine(keys, "consortium.key")), _client, deployment);
        await _consortium.PublishAsync([Schema], _stop.Token);
        _market = await MarketRole.StartAsync([Schema], account, _client, deployment, new MemoryLedgerStore(),
            services => services.AddSingleton<IMarketStore, MemoryMarketStore>());
        await _consortium.SecureAsync(_market.Host, account.Address, _stop.Token);
        await _consortium.AdmitAsync(Site.Address, "a site of a test"u8.ToArray(), _stop.Token);
        TierRates rates = new(TokenAmount.Zero, new TokenAmount(250), new TokenAmount(500), new TokenAmount(1000));
        _site = await SiteRole.StartAsync(
            SiteName, new SiteOptions(Enumerable.Range(0, 32).Select(i => (byte)i).ToArray(), Site.Address, [rates]), Site, _client,
            deployment, _market.Link, new MemoryLedgerStore(), services => services.AddSingleton<ISiteStore, MemorySiteStore>());
        await _consortium.SecureAsync(_site.Host, Site.Address, _stop.Token);
        Roles = new RunningRoles(
            _client, _market, new Dictionary<string, SiteRole>(StringComparer.Ordinal) { [SiteName] = _site }, _consortium);
        Options = new ApiOptions { Keys = Path.Combine(_folder, "keys"), Spool = Path.Combine(_folder, "spool"), Limits = limits };
        Web = WebHost.Build(new Uri("http://127.0.0.1:0"), Roles, [], Options);
        await Web.StartAsync(_stop.Token);
        Address = new Uri(Web.Urls.Single());
        _driver = Task.Run(DriveAsync, CancellationToken.None);
        await PublishAsync();
        await SellAsync();
        _hurries = false;
    }

    private async Task PublishAsync()
    {
        string file = Path.Combine(_folder, "records.csv");
        SyntheticFile.Write(DataFolder.LoadSynthetic(DataFolder.SyntheticSeed(1)), Records, file, _stop.Token);
        SiteService desk = Web.Services.GetRequiredService<SiteService>();
        await desk.LoadAsync(SiteName, Schema, [file], _stop.Token);
        await desk.SetDefaultPoliciesAsync(SiteName, new DefaultPolicies
        {
            SchemaId = Schema.Id, ProfileShares = [.. Schema.Profiles.Select((_, i) => i == Schema.Profiles.Count - 1 ? 1_000_000 : 0)],
            RateShares = [1_000_000], Purpose = 0,
        });
        await desk.DecideEpochAsync(SiteName, Schema.Id);
        await UntilAsync(() => Task.FromResult(_market.View.Epochs(Schema.LedgerId()).Any(epoch => epoch.Status == BatchStatus.Final)));
    }

    private async Task SellAsync()
    {
        ResearchService research = Web.Services.GetRequiredService<ResearchService>();
        string address = Show.Address(Researcher.Address);
        await _consortium.EndowAsync(Researcher.Address, Endowment, _stop.Token);
        TermsInfo terms = await research.WriteTermsAsync(address, new RequestWish
        {
            SchemaId = Schema.Id, Statistics = ["mean:length_of_stay", "frequency:diabetes"], Title = "Length of stay",
            Why = "Hospitals plan beds by how long patients stay.", TargetRecords = 300,
        });
        OpenInfo opened = await research.OpenAsync(address, terms.TermsJson, _stop.Token);
        await SendAsync(Researcher, opened.Key, opened.Calls);
        RequestKey = opened.Key;
        RequestInfo? request = null;
        await UntilAsync(async () => (request = await research.StatusAsync(address, opened.Key)).State is "settled" or "evaluated"
            || (request.HasEnded ? throw new InvalidOperationException($"the request ended as {request.State}: {request.Reason}") : false));
        RequestId = request!.RequestId;
        for (int record = 0; ; record++)
        {
            SiteEnrolment person = await _site.Grain.EnrolmentAsync(Schema.Id, record);
            if ((await _site.Grain.UsesAsync(Schema.Id, person.Pseudonyms[0])).Length > 0)
            {
                Publisher = new PublisherName(SiteName, Schema.Id, person.Pseudonyms[0]);
                Patient = new EthereumAccount(PatientKeys.Controller(person.Seed, Bytes32.ParseDigits(person.Pseudonyms[0])));
                return;
            }
        }
    }

    /// <summary>Gives an account ether and tokens.</summary>
    public Task EndowAsync(EthereumAccount account) => _consortium.EndowAsync(account.Address, Endowment, _stop.Token);

    /// <summary>Signs calls by an account, sends them, and waits until they are in blocks.</summary>
    public async Task SendAsync(EthereumAccount account, string id, IReadOnlyList<CallInfo> calls)
    {
        await using RoleHost wallet = await RoleHost.StartAsync(
            new MemoryLedgerStore(), _client, _market.View.Deployment, [account], (_, _) => { });
        await wallet.SubmitAsync(0, id,
            [.. calls.Select(call => new ContractCall(Contracts.Ethereum.Address.Parse(call.To), Convert.FromHexString(call.Data[2..])))]);
        await UntilAsync(async () => (await wallet.Senders[0].AdvanceAsync()).WaitsFor.Length == 0);
    }

    private async Task UntilAsync(Func<Task<bool>> reached)
    {
        while (!await reached())
        {
            if (_driver.IsCompleted)
            {
                await _driver;
            }

            await Task.Delay(20, _stop.Token);
        }
    }

    /// <summary>A test that posts a batch with the site's own account makes the site hold itself back, which its loop would only
    /// log.</summary>
    private async Task<Advance> AdvanceSiteAsync()
    {
        try
        {
            return await _site.AdvanceAsync();
        }
        catch (RoleProblemException)
        {
            return new Advance { Progressed = false };
        }
    }

    private async Task DriveAsync()
    {
        int idle = 0;
        while (!_stop.IsCancellationRequested)
        {
            if (_watch is not null && _hurries)
            {
                await _watch(this);
            }

            Advance all = Advances.Sum([await _market.AdvanceAsync(), await AdvanceSiteAsync()]);
            idle = all.Progressed ? 0 : idle + 1;
            if (_hurries && idle > 5 && all.DueSeconds is { } due && due > _market.View.NowSeconds)
            {
                // Not at once to a far deadline: somebody may only be slow.
                await _consortium.AdvanceTimeAsync(
                    TimeSpan.FromSeconds(Math.Min(LongestStep, due - _market.View.NowSeconds)), CancellationToken.None);
                idle = 0;
            }

            if (!all.Progressed)
            {
                await Task.Delay(_hurries ? 20 : 200, CancellationToken.None);
            }
        }
    }
}
