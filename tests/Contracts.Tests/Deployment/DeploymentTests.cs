using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Tests.DevChain;
using EmrMarket.Contracts.Tests.Ethereum.Sending;

namespace EmrMarket.Contracts.Tests.Deployment;

public sealed class DeploymentTests(ChainFixture fixture) : IClassFixture<ChainFixture>, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-deployment-").FullName;
    private readonly DeploymentRoles _roles = new(
        EthereumAccount.Generate().Address, EthereumAccount.Generate().Address, EthereumAccount.Generate().Address);

    [RequiresFact(Tool.Anvil)]
    public async Task Deployment_knows_its_contracts_and_its_file_is_held_against_the_chain()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        MemoryOutbox outbox = new();
        ContractDeployment deployment = await DeployAsync(chain.Client, outbox);
        string file = Path.Combine(_folder, "deployment.json");
        deployment.Save(file);
        ContractDeployment loaded = ContractDeployment.Load(file);
        Assert.Equal(deployment, loaded);
        await loaded.VerifyAsync(chain.Client, CancellationToken.None);

        // The four know each other, the token and the roles.
        DynamicAccessControl access = new(chain.Client, Address.Parse(loaded.AccessControl.Address));
        Assert.Equal(_roles.Consortium, await access.ConsortiumAsync());
        Assert.Equal(_roles.Market, await access.MarketAsync());
        AnonymousTransaction payments = new(chain.Client, Address.Parse(loaded.Payments.Address));
        Assert.Equal(Address.Parse(loaded.Token.Address), await payments.TokenAsync());

        // Again with the same outbox: the same contracts, and not one transaction more.
        Assert.Equal(deployment, await DeployAsync(chain.Client, outbox));
        Assert.Equal(5, outbox.Entries.Count);

        await Assert.ThrowsAsync<DeploymentException>(
            () => (loaded with { Matching = loaded.Evaluation }).VerifyAsync(chain.Client, CancellationToken.None));
        await Assert.ThrowsAsync<DeploymentException>(
            () => (loaded with { Payments = loaded.Payments with { Address = fixture.Account.Address.ToString() } })
                .VerifyAsync(chain.Client, CancellationToken.None));
        await Assert.ThrowsAsync<WrongChainException>(
            () => (loaded with { ChainId = 1 }).VerifyAsync(chain.Client, CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Interrupted_deployment_goes_on_where_it_stopped()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        MemoryOutbox outbox = new();
        int crashes = 0;
        for (int step = 3; ; step += 7)
        {
            try
            {
                await DeployAsync(new CrashingClient(chain.Client, step, isHeard: step % 2 == 0), outbox);
                break;
            }
            catch (CrashException)
            {
                crashes++;
            }
        }

        Assert.True(crashes > 0);
        Assert.Equal(5, outbox.Entries.Count);
        await (await DeployAsync(chain.Client, outbox)).VerifyAsync(chain.Client, CancellationToken.None);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Permit_that_is_signed_here_is_taken_by_the_token()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        ContractDeployment deployment = await DeployAsync(chain.Client, new MemoryOutbox());
        DevelopmentToken token = new(chain.Client, Address.Parse(deployment.Token.Address));
        EthereumAccount owner = EthereumAccount.Generate();
        Address spender = EthereumAccount.Generate().Address;
        TypedDataDomain domain = new("EmrMarket development token", "1", EmbeddedChain.DevelopmentChainId, token.Address);
        Assert.Equal(await token.DomainSeparatorAsync(), domain.Separator);
        Signature permit = Eip2612Permit.Sign(owner, domain, spender, 12_345, await token.NoncesAsync(owner.Address), ulong.MaxValue);
        Assert.True((
            await fixture.SendAsync(token.Permit(owner.Address, spender, 12_345, ulong.MaxValue, permit.V, permit.R, permit.S))).Succeeded);
        Assert.Equal(12_345, await token.AllowanceAsync(owner.Address, spender));

        // The same again, or for one unit more, is refused.
        await Assert.ThrowsAsync<ERC2612InvalidSignerException>(
            () => token.TryAsync(token.Permit(owner.Address, spender, 12_346, ulong.MaxValue, permit.V, permit.R, permit.S), owner.Address,
                CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Token_without_code_and_foreign_chains_for_the_development_token_are_refused()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        using TransactionSender sender = await fixture.SenderAsync();
        await Assert.ThrowsAsync<DeploymentException>(() => ContractDeployment.DeployAsync(
            sender, chain.Client, EmbeddedChain.DevelopmentChainId, _roles, DeploymentTerms.Default, fixture.Account.Address,
            CancellationToken.None));
    }

    [Fact]
    public void Sample_parameters_are_the_defaults_and_a_damaged_file_is_refused()
    {
        Assert.Equal(DeploymentTerms.Default,
            DeploymentTerms.Load(Path.Combine(Tools.RepositoryRoot, "deploy", "chain", "parameters.json")));
        string file = Path.Combine(_folder, "parameters.json");
        foreach (string bad in (string[])["", "{}", "{\"epochWindowSeconds\": -1}", "{\"unknown\": 1}", "[]", "null"])
        {
            File.WriteAllText(file, bad);
            Assert.Contains("parameters.json", Assert.Throws<DeploymentException>(() => DeploymentTerms.Load(file)).Message,
                StringComparison.Ordinal);
            Assert.Throws<DeploymentException>(() => ContractDeployment.Load(file));
        }

        Assert.Throws<DeploymentException>(() => DeploymentTerms.Load(file + "-missing"));
    }

    [Fact]
    public void Published_keys_are_refused_outside_this_machine()
    {
        Address published = Address.Parse("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        DevelopmentAccounts.Refuse(published, EmbeddedChain.DevelopmentChainId, new Uri("http://127.0.0.1:8545"));
        Assert.Throws<DeploymentException>(() => DevelopmentAccounts.Refuse(published, 1, new Uri("http://127.0.0.1:8545")));
        Assert.Throws<DeploymentException>(
            () => DevelopmentAccounts.Refuse(published, EmbeddedChain.DevelopmentChainId, new Uri("https://node.example")));
        DevelopmentAccounts.Refuse(EthereumAccount.Generate().Address, 1, new Uri("https://node.example"));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<ContractDeployment> DeployAsync(IEthereumClient client, MemoryOutbox outbox)
    {
        using TransactionSender sender = new(client, fixture.Account, EmbeddedChain.DevelopmentChainId, outbox, ChainFixture.Fast);
        return await ContractDeployment.DeployAsync(
            sender, client, EmbeddedChain.DevelopmentChainId, _roles, DeploymentTerms.Default, null, CancellationToken.None);
    }
}
