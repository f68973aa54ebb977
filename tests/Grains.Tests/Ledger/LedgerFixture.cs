using System.Text;
using System.Text.Json;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Ledger.Sending;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Grains.Tests.Ledger;

/// <summary>One real chain per test class with the contracts deployed on it, a site, and an account that may record findings: each finding
/// is an event that counts how often its command ran.</summary>
public sealed class LedgerFixture : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-ledger-").FullName;
    private EmbeddedChain? _chain;

    public static TransactionSenderOptions Fast { get; } = new() { Confirmations = 1, Pause = TimeSpan.FromMilliseconds(5) };

    public EthereumAccount Consortium { get; } = EthereumAccount.Generate();

    /// <summary>The account of site 1.</summary>
    public Address SiteAccount { get; } = EthereumAccount.Generate().Address;

    public EmbeddedChain Chain => _chain!;

    public IEthereumClient Client => Chain.Client;

    public ContractDeployment Deployment { get; private set; } = null!;

    public DynamicAccessControl Access => new(Client, Address.Parse(Deployment.AccessControl.Address));

    public DataEvaluation Evaluation => new(Client, Address.Parse(Deployment.Evaluation.Address));

    public async Task<LedgerFixture> StartedAsync()
    {
        Tools.Require(Tool.Anvil);
        if (_chain is null)
        {
            EmbeddedTools tools = new(Path.Combine(Tools.RepositoryRoot, ".emr", "tools"), TextWriter.Null);
            _chain = await EmbeddedChain.StartAsync(
                new EmbeddedChainOptions
                {
                    Folder = _folder, Tools = tools, BlockTime = TimeSpan.FromMilliseconds(20), KeepsState = false,
                }, CancellationToken.None);
            await _chain.FundAsync([Consortium.Address], CancellationToken.None);
            MemoryLedgerStore store = new();
            using TransactionSender sender = new(Client, Consortium, EmbeddedChain.DevelopmentChainId, store.OutboxOf("deployment"), Fast);
            Address market = EthereumAccount.Generate().Address;
            Deployment = await ContractDeployment.DeployAsync(
                sender, Client, EmbeddedChain.DevelopmentChainId, new DeploymentRoles(Consortium.Address, market, market),
                DeploymentTerms.Default, null, CancellationToken.None);
            await sender.SendAsync([new TransactionIntent("site", Access.RegisterSite(SiteAccount, Bytes32.Zero))],
                CancellationToken.None);
        }

        return this;
    }

    /// <summary>A new account with ether that may record findings.</summary>
    public async Task<EthereumAccount> AuditorAsync()
    {
        EthereumAccount auditor = EthereumAccount.Generate();
        await Chain.FundAsync([auditor.Address], CancellationToken.None);
        MemoryLedgerStore store = new();
        using TransactionSender sender = new(Client, Consortium, EmbeddedChain.DevelopmentChainId, store.OutboxOf("auditors"), Fast);
        await sender.SendAsync([new TransactionIntent("auditor", Access.SetAuditor(auditor.Address, true))], CancellationToken.None);
        return auditor;
    }

    /// <summary>The command to record a finding of its own.</summary>
    public LedgerCommand Finding(string id, ulong? gas = 300_000) => new()
    {
        Id = id,
        To = Evaluation.Address.ToArray(),
        Data = Evaluation.RecordFinding(1, 1, HashOf(id)).Data.ToArray(),
        GasLimit = gas,
    };

    public static Bytes32 HashOf(string id) => Keccak256.Hash(id);

    public LedgerReadModel View(ILedgerStore store, ulong confirmations = 0) => new(Client, Deployment, store, confirmations);

    /// <summary>Replaces the last blocks by empty ones; their transactions do not return to the pool.</summary>
    public async Task ReorganiseAsync(int depth)
    {
        string body = $$"""{"jsonrpc":"2.0","id":1,"method":"anvil_reorg","params":[{{depth}},[]]}""";
        using HttpClient http = new();
        using StringContent content = new(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await http.PostAsync(Chain.Endpoint, content);
        using JsonDocument document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        Assert.False(document.RootElement.TryGetProperty("error", out _), document.RootElement.ToString());
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_chain is not null)
        {
            await _chain.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>A process that holds the key of one account: killed or stopped, another one may be opened on the same store.</summary>
internal sealed class LedgerProcess : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    public LedgerProcess(EthereumAccount account, ILedgerStore store, IEthereumClient client, TransactionSenderOptions? sending = null)
    {
        LedgerGrainOptions options = new() { ChainId = EmbeddedChain.DevelopmentChainId, Sending = sending ?? LedgerFixture.Fast };
        _services = new ServiceCollection().AddSingleton(store).AddSingleton(client)
            .AddSingleton<ILedgerAccounts>(new LedgerAccounts([account])).AddSingleton(options).BuildServiceProvider();
        Runtime = new EmbeddedGrainRuntime(
            new EmbeddedGrainOptions { GrainAssemblies = { typeof(LedgerGrain).Assembly } }, _services, TimeProvider.System);
        Ledger = Runtime.GetGrain<ILedgerGrain>(options.KeyOf(account.Address));
    }

    public EmbeddedGrainRuntime Runtime { get; }

    public ILedgerGrain Ledger { get; }

    /// <summary>Submits commands and lets the grain go on until each has its outcome.</summary>
    public async Task<LedgerOutcome[]> FinishAsync(params LedgerCommand[] commands)
    {
        LedgerOutcome[] outcomes = await Ledger.SubmitAsync(commands);
        while (outcomes.Any(outcome => outcome.State == LedgerState.Pending))
        {
            await StepAsync();
            outcomes = await Ledger.OutcomesAsync([.. commands.Select(command => command.Id)]);
        }

        return outcomes;
    }

    /// <summary>One step; where nothing happened, the next block is given a moment.</summary>
    public async Task StepAsync()
    {
        if (!(await Ledger.AdvanceAsync()).Progressed)
        {
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Runtime.Kill();
        await _services.DisposeAsync();
    }
}
