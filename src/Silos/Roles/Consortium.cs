using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Storage;

namespace EmrMarket.Silos.Roles;

/// <summary>
/// Who admits sites and publishes schemas, and gives out money on an embedded chain. Everything is decided from what the chain says, so a
/// start after a crash goes on where the last one ended. A server plays it on its embedded chain, where no consortium exists; on any other,
/// people do with commands and a key that no server has.
/// </summary>
internal sealed class Consortium : IAsyncDisposable
{
    private readonly RoleHost _host;
    private readonly JsonRpcEthereumClient _client;
    private readonly DevelopmentToken _token;
    private readonly DynamicAccessControl _access;
    private readonly DataEvaluation _evaluation;
    private readonly SemaphoreSlim _oneAtATime = new(1);

    private Consortium(RoleHost host, JsonRpcEthereumClient client, ContractDeployment deployment)
    {
        (_host, _client) = (host, client);
        _token = new DevelopmentToken(client, Address.Parse(deployment.Token.Address));
        _access = new DynamicAccessControl(client, Address.Parse(deployment.AccessControl.Address));
        _evaluation = new DataEvaluation(client, Address.Parse(deployment.Evaluation.Address));
    }

    /// <summary>Starts it; its outbox is in memory, since what it did stands on the chain.</summary>
    public static async Task<Consortium> StartAsync(
        EthereumAccount account, JsonRpcEthereumClient client, ContractDeployment deployment, RoleSettings? settings = null) =>
        new(await RoleHost.StartAsync(
            settings ?? RoleSettings.Embedded, new MemoryLedgerStore(), client, deployment, [account], (_, _) => { }), client, deployment);

    /// <summary>Publishes the schemas that are not on the ledger yet.</summary>
    /// <returns>How many those were.</returns>
    public async Task<int> PublishAsync(IEnumerable<Schema> schemas, CancellationToken cancellationToken)
    {
        await _host.View.SyncAsync(cancellationToken);
        HashSet<Bytes32> known = [.. _host.View.Schemas().Select(row => row.SchemaId)];
        ContractCall[] calls =
        [
            .. schemas.Where(schema => !known.Contains(schema.LedgerId())).Select(schema => schema.ToPublication(BudgetBook.DefaultCap))
                .Select(schema => _evaluation.PublishSchema(
                    schema.SchemaId, schema.Tiers, schema.CapMicro, schema.LadderMicro, schema.Quality)),
        ];
        await SubmitAsync("publish", calls, cancellationToken);
        return calls.Length;
    }

    /// <summary>Admits the account of a site that is not registered yet.</summary>
    /// <param name="site">The account.</param>
    /// <param name="profile">A document that says whose account it is: its hash stands on the ledger.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The site's number on the ledger.</returns>
    public async Task<uint> AdmitAsync(Address site, ReadOnlyMemory<byte> profile, CancellationToken cancellationToken)
    {
        await _host.View.SyncAsync(cancellationToken);
        if (_host.View.Sites().All(row => row.Account != site))
        {
            await SubmitAsync("admit", [_access.RegisterSite(site, Keccak256.Hash(profile.Span))], cancellationToken);
        }

        return _host.View.Sites().FirstOrDefault(row => row.Account == site)?.Site ?? 0;
    }

    /// <summary>Registers an auditor's account, or removes it; one that stands so already is left alone.</summary>
    public async Task SetAuditorAsync(Address auditor, bool registered, CancellationToken cancellationToken)
    {
        await _host.View.SyncAsync(cancellationToken);
        if (_host.View.Auditors().Contains(auditor) != registered)
        {
            await SubmitAsync("auditor", [_access.SetAuditor(auditor, registered)], cancellationToken);
        }
    }

    /// <summary>Pauses new requests, or takes them again; those that are funded go on in any case.</summary>
    /// <exception cref="EthereumException">The account may not, or the chain does not answer.</exception>
    public async Task SetPausedAsync(bool paused, CancellationToken cancellationToken)
    {
        await _host.View.SyncAsync(cancellationToken);
        if (_host.View.RequestsPaused != paused)
        {
            await SubmitAsync("pause", [_access.SetPaused(paused)], cancellationToken);
        }
    }

    /// <summary>Gives an account ether for gas and tokens.</summary>
    public async Task EndowAsync(Address account, BigInteger tokens, CancellationToken cancellationToken)
    {
        await EmbeddedChain.FundAsync(_client, [account], cancellationToken);
        await SubmitAsync("endow", [_token.Mint(account, tokens)], cancellationToken);
    }

    /// <summary>Sees that the account of a role of this process can pay bonds.</summary>
    public async Task SecureAsync(RoleHost role, Address account, CancellationToken cancellationToken)
    {
        await EndowForBondsAsync(account, cancellationToken);
        await Bonds.DepositAsync(role, account, _client, cancellationToken);
    }

    /// <summary>Gives an account what its bonds take, unless it has that: in its hands or with the ledger.</summary>
    public async Task EndowForBondsAsync(Address account, CancellationToken cancellationToken)
    {
        await _host.View.SyncAsync(cancellationToken);
        if (_host.View.FreeBalance(account) < Bonds.Enough(_host.View)
            && await _token.BalanceOfAsync(account, BlockReference.Latest, cancellationToken) < Bonds.Amount)
        {
            await EndowAsync(account, Bonds.Amount, cancellationToken);
        }
    }

    /// <summary>Moves the chain's clock.</summary>
    public Task AdvanceTimeAsync(TimeSpan by, CancellationToken cancellationToken) =>
        EmbeddedChain.AdvanceTimeAsync(_client, by, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        _oneAtATime.Dispose();
        await _host.DisposeAsync();
    }

    private async Task SubmitAsync(string what, ContractCall[] calls, CancellationToken cancellationToken)
    {
        if (calls.Length > 0)
        {
            await _oneAtATime.WaitAsync(cancellationToken);
            try
            {
                await _host.SubmitAsync(0, $"{what}/{Guid.NewGuid():N}", calls);
                await Bonds.SettleAsync(_host, cancellationToken);
            }
            finally
            {
                _oneAtATime.Release();
            }
        }
    }
}
