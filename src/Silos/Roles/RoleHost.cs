using System.Reflection;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Ledger.Sending;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Hosting;

namespace EmrMarket.Silos.Roles;

/// <summary>
/// One role of the market with grains, accounts and a view of the ledger of its own: nothing is shared between roles but the chain and the
/// link.
/// </summary>
internal sealed class RoleHost : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly LedgerReadModel _view;

    private RoleHost(
        string name, IHost host, LedgerReadModel view, LedgerGrainOptions sending, IReadOnlyList<EthereumAccount> accounts) =>
        (Name, _host, _view, Senders) = (name, host, view,
            [.. accounts.Select(
                account => host.Services.GetRequiredService<IGrainFactory>().GetGrain<ILedgerGrain>(sending.KeyOf(account.Address)))]);

    /// <summary>What it is called where it is counted.</summary>
    public string Name { get; }

    /// <summary>Its grains.</summary>
    public IGrainFactory Grains => _host.Services.GetRequiredService<IGrainFactory>();

    /// <summary>Its view of the ledger.</summary>
    public ILedgerView View => _view;

    /// <summary>Who sends for each of its accounts.</summary>
    public IReadOnlyList<ILedgerGrain> Senders { get; }

    /// <summary>A service of its own.</summary>
    public T Get<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    /// <summary>Starts a role.</summary>
    /// <param name="client">The node.</param>
    /// <param name="deployment">The contracts.</param>
    /// <param name="accounts">The role's accounts.</param>
    /// <param name="configure">Adds what its grains need.</param>
    /// <param name="grains">The assemblies of its grains, besides the ledger's.</param>
    public static Task<RoleHost> StartAsync(
        IEthereumClient client, ContractDeployment deployment, IReadOnlyList<EthereumAccount> accounts,
        Action<IServiceCollection, ILedgerView> configure, params Assembly[] grains) =>
        StartAsync(new MemoryLedgerStore(), client, deployment, accounts, configure, grains);

    /// <summary>Starts a role on a chain of this machine whose journal and outboxes are kept in a store.</summary>
    public static Task<RoleHost> StartAsync(
        ILedgerStore store, IEthereumClient client, ContractDeployment deployment, IReadOnlyList<EthereumAccount> accounts,
        Action<IServiceCollection, ILedgerView> configure, params Assembly[] grains) =>
        StartAsync(RoleSettings.Embedded, store, client, deployment, accounts, configure, grains);

    /// <summary>Starts a role on any chain.</summary>
    public static async Task<RoleHost> StartAsync(
        RoleSettings settings,
        ILedgerStore store,
        IEthereumClient client,
        ContractDeployment deployment,
        IReadOnlyList<EthereumAccount> accounts,
        Action<IServiceCollection, ILedgerView> configure,
        params Assembly[] grains)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        if (settings.Configuration is { } configuration)
        {
            builder.Configuration.AddConfiguration(configuration);
        }

        LedgerGrainOptions sending = new()
        {
            ChainId = deployment.ChainId,
            Sending = new TransactionSenderOptions
            {
                Confirmations = settings.Confirmations, Pause = TimeSpan.FromMilliseconds(5),
                LargestNumberInFlight = settings.LargestNumberInFlight, Role = settings.Name,
            },
        };
        LedgerReadModel view = new(client, deployment, store, settings.Confirmations);
        builder.Services.AddSingleton(settings.Logs);
        builder.Services.AddLogging();
        builder.Services.AddSingleton(client);
        builder.Services.AddSingleton(store);
        builder.Services.AddSingleton<ILedgerView>(view);
        builder.Services.AddSingleton<ILedgerAccounts>(new LedgerAccounts(accounts));
        builder.Services.AddSingleton(sending);
        configure(builder.Services, view);
        builder.AddGrains([typeof(LedgerGrain).Assembly, .. grains]);
        IHost host = builder.Build();
        await host.StartAsync();
        return new RoleHost(settings.Name, host, view, sending, accounts);
    }

    /// <summary>Hands over calls of an account; whoever drives the role gets them into blocks.</summary>
    /// <param name="sender">The account's position.</param>
    /// <param name="prefix">What the calls are about, which with their place names them.</param>
    /// <param name="calls">The calls.</param>
    public Task SubmitAsync(int sender, string prefix, params IReadOnlyList<ContractCall> calls) => Senders[sender].SubmitAsync(
        [.. calls.Select(
            (call, i) => new LedgerCommand { Id = $"{prefix}/{i}", To = call.To!.Value.ToArray(), Data = call.Data.ToArray() })]);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _view.Dispose();
        _host.Dispose();
    }
}
