using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Silos.Commands.Chain.Demo;

/// <summary>A ledger of its own for a demonstration: an embedded chain that is forgotten afterwards, the contracts, and people with keys,
/// ether and tokens.</summary>
internal sealed class DemoLedger : IAsyncDisposable
{
    private readonly string _folder;
    private readonly Dictionary<Address, (TransactionSender Sender, FileOutbox Outbox)> _senders = [];
    private readonly EmbeddedChain _chain;
    private int _commands;

    private DemoLedger(EmbeddedChain chain, string folder) => (_chain, _folder) = (chain, folder);

    /// <summary>Tokens that every person starts with, in token units.</summary>
    public static readonly BigInteger Wealth = 1_000_000_000_000;

    public IEthereumClient Client => _chain.Client;

    public ContractDeployment Deployment { get; private set; } = null!;

    public DynamicAccessControl Access => new(Client, Address.Parse(Deployment.AccessControl.Address));

    public MatchingDecision Matching => new(Client, Address.Parse(Deployment.Matching.Address));

    public DataEvaluation Evaluation => new(Client, Address.Parse(Deployment.Evaluation.Address));

    public AnonymousTransaction Payments => new(Client, Address.Parse(Deployment.Payments.Address));

    public DevelopmentToken Token => new(Client, Address.Parse(Deployment.Token.Address));

    /// <summary>Starts the chain, deploys the contracts and gives every person ether, tokens and a free balance for bonds.</summary>
    public static async Task<DemoLedger> StartAsync(
        EmbeddedTools tools, EthereumAccount consortium, EthereumAccount market, EthereumAccount fund,
        IReadOnlyList<EthereumAccount> people, CancellationToken cancellationToken)
    {
        string folder = Directory.CreateTempSubdirectory("emrmarket-demo-").FullName;
        EmbeddedChain chain = await EmbeddedChain.StartAsync(
            new EmbeddedChainOptions
            {
                Folder = folder, Tools = tools, KeepsState = false, BlockTime = TimeSpan.FromMilliseconds(50),
            }, cancellationToken);
        DemoLedger ledger = new(chain, folder);
        try
        {
            await chain.FundAsync([.. people.Select(person => person.Address)], cancellationToken);
            ledger.Deployment = await ContractDeployment.DeployAsync(
                ledger.SenderOf(consortium), ledger.Client, EmbeddedChain.DevelopmentChainId,
                new DeploymentRoles(consortium.Address, market.Address, fund.Address), DeploymentTerms.Default, null, cancellationToken);
            foreach (EthereumAccount person in people)
            {
                await ledger.SendAsync(consortium, ledger.Token.Mint(person.Address, Wealth), cancellationToken);
                await ledger.SendAsync(person, ledger.Token.Approve(ledger.Payments.Address, Wealth), cancellationToken);
                await ledger.SendAsync(person, ledger.Payments.Deposit(person.Address, Wealth / 10), cancellationToken);
            }
        }
        catch
        {
            await ledger.DisposeAsync();
            throw;
        }

        return ledger;
    }

    /// <summary>Sends a call and waits for its block.</summary>
    /// <exception cref="ContractRevertException">The contract refuses; nothing was sent.</exception>
    public async Task<TransactionReceipt> SendAsync(EthereumAccount person, ContractCall call, CancellationToken cancellationToken)
    {
        TransactionIntent intent = new($"command {++_commands}", call);
        TransactionOutcome outcome = (await SenderOf(person).SendAsync([intent], cancellationToken))[0];
        TransactionReceipt receipt = (await Client.GetReceiptsAsync([outcome.TransactionHash], cancellationToken))[0]
            ?? throw new CommandException(ExitCode.Failure, $"the chain lost transaction {outcome.TransactionHash}");
        return outcome.Succeeded
            ? receipt : throw new CommandException(ExitCode.Failure, $"the contract refused transaction {outcome.TransactionHash}");
    }

    /// <summary>Sends many calls of one person at once.</summary>
    public async Task<IReadOnlyList<TransactionOutcome>> SendAllAsync(
        EthereumAccount person, IReadOnlyList<ContractCall> calls, CancellationToken cancellationToken)
    {
        TransactionIntent[] intents = [.. calls.Select(call => new TransactionIntent($"command {++_commands}", call))];
        IReadOnlyList<TransactionOutcome> outcomes = await SenderOf(person).SendAsync(intents, cancellationToken);
        return outcomes.All(outcome => outcome.Succeeded)
            ? outcomes : throw new CommandException(ExitCode.Failure, "the contract refused one of several transactions");
    }

    /// <summary>Sends a posting and tells who posted it when: part of what the contract commits to.</summary>
    public async Task<Posting> PostAsync(EthereumAccount person, ContractCall call, CancellationToken cancellationToken)
    {
        TransactionReceipt receipt = await SendAsync(person, call, cancellationToken);
        BlockHeader block = await Client.GetBlockAsync(BlockReference.At(receipt.BlockNumber), cancellationToken)
            ?? throw new CommandException(ExitCode.Failure, $"the chain lost block {receipt.BlockNumber}");
        return new Posting(person.Address, block.Timestamp, block.Number);
    }

    /// <summary>Lets time pass on the chain.</summary>
    public Task WaitAsync(uint seconds, CancellationToken cancellationToken) =>
        _chain.AdvanceTimeAsync(TimeSpan.FromSeconds(seconds + 1), cancellationToken);

    /// <summary>Mines blocks in which nothing happens.</summary>
    public async Task MineAsync(int blocks, CancellationToken cancellationToken)
    {
        for (int i = 0; i < blocks; i++)
        {
            await _chain.MineAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach ((TransactionSender sender, FileOutbox outbox) in _senders.Values)
        {
            sender.Dispose();
            outbox.Dispose();
        }

        await _chain.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private TransactionSender SenderOf(EthereumAccount person)
    {
        if (!_senders.TryGetValue(person.Address, out (TransactionSender Sender, FileOutbox Outbox) known))
        {
            FileOutbox outbox = new(Path.Combine(_folder, person.Address + ".outbox"));
            TransactionSenderOptions options = new() { Confirmations = 1, Pause = TimeSpan.FromMilliseconds(20) };
            known = (new TransactionSender(Client, person, EmbeddedChain.DevelopmentChainId, outbox, options), outbox);
            _senders.Add(person.Address, known);
        }

        return known.Sender;
    }
}
