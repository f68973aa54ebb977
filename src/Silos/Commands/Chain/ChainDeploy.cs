using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Chain;

/// <summary>What to deploy where.</summary>
internal sealed record ChainDeployment
{
    public required string Folder { get; init; }

    public string? DeploymentFile { get; init; }

    public string? Chain { get; init; }

    public ulong? ChainId { get; init; }

    public string? KeyFile { get; init; }

    public Address? Token { get; init; }

    public Address? Consortium { get; init; }

    public Address? Market { get; init; }

    public Address? PatientsFund { get; init; }

    public string? Parameters { get; init; }

    /// <summary>The rules on an embedded chain where no file gives them.</summary>
    public DeploymentTerms EmbeddedTerms { get; init; } = DeploymentTerms.Embedded;

    public ulong? Confirmations { get; init; }

    /// <summary>Told what is done; standard error where it is null.</summary>
    public TextWriter? Progress { get; init; }
}

/// <summary>Deploys the contracts, once per deployment file.</summary>
internal static class ChainDeploy
{
    private const ulong UsualConfirmations = 10;

    public static async Task<int> RunAsync(ChainDeployment wanted, CancellationToken cancellationToken)
    {
        try
        {
            ContractDeployment deployment = await DeployAsync(wanted, cancellationToken);
            Table table = new Table().HideHeaders().Border(TableBorder.None).AddColumns("", "");
            AddContracts(table, deployment);
            AnsiConsole.Write(table);
            return ExitCode.Success;
        }
        catch (EthereumException e)
        {
            throw new CommandException(e.IsTransient ? ExitCode.NotReady : ExitCode.Failure, e.Message, e);
        }
    }

    /// <summary>The rows that name a deployment's contracts.</summary>
    public static void AddContracts(Table table, ContractDeployment deployment)
    {
        table.AddRow("payment token", deployment.Token.Address);
        table.AddRow("DynamicAccessControl", deployment.AccessControl.Address);
        table.AddRow("MatchingDecision", deployment.Matching.Address);
        table.AddRow("DataEvaluation", deployment.Evaluation.Address);
        table.AddRow("AnonymousTransaction", deployment.Payments.Address);
    }

    private static async Task<ContractDeployment> DeployAsync(ChainDeployment wanted, CancellationToken cancellationToken)
    {
        bool isEmbedded = wanted.Chain is null;
        Uri node = isEmbedded ? EmbeddedNode(wanted.Folder) : ParseNode(wanted.Chain!);
        string file = wanted.DeploymentFile ?? ChainFolders.DeploymentOf(wanted.Folder);
        DeploymentTerms terms = wanted.Parameters is { } path ? DeploymentTerms.Load(path) : isEmbedded
            ? wanted.EmbeddedTerms : DeploymentTerms.Default;
        using JsonRpcEthereumClient client = new(node);
        ulong chainId = wanted.ChainId ?? EmbeddedChain.DevelopmentChainId;
        ulong actual = await client.GetChainIdAsync(cancellationToken);
        if (actual != chainId)
        {
            throw new WrongChainException(chainId, actual);
        }

        EthereumAccount deployer;
        DeploymentRoles roles;
        if (isEmbedded)
        {
            string keys = ChainFolders.Keys(wanted.Folder);
            deployer = EthereumAccount.LoadOrCreate(Path.Combine(keys, "deployer.key"));
            EthereumAccount consortium = EthereumAccount.LoadOrCreate(Path.Combine(keys, "consortium.key"));
            EthereumAccount market = EthereumAccount.LoadOrCreate(Path.Combine(keys, "market.key"));
            roles = new DeploymentRoles(
                consortium.Address, market.Address, EthereumAccount.LoadOrCreate(Path.Combine(keys, "patients-fund.key")).Address);
            await EmbeddedChain.FundAsync(client, [deployer.Address, consortium.Address, market.Address], cancellationToken);
        }
        else
        {
            deployer = EthereumAccount.Load(wanted.KeyFile!);
            roles = new DeploymentRoles(wanted.Consortium!.Value, wanted.Market!.Value, wanted.PatientsFund!.Value);
        }

        foreach (Address account in (Address[])[deployer.Address, roles.Consortium, roles.Market, roles.PatientsFund])
        {
            DevelopmentAccounts.Refuse(account, chainId, node);
        }

        if (File.Exists(file) && await FindDeployedAsync(file, terms, client, isEmbedded, cancellationToken) is { } deployed)
        {
            await SayAsync($"{file} is deployed already, and the chain holds what it says.");
            return deployed;
        }

        await SayAsync($"deploying from {deployer.Address} to chain {chainId} ...");
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        using FileOutbox outbox = new(file + ".outbox");
        using TransactionSender sender = new(
            client, deployer, chainId, outbox, new TransactionSenderOptions
            {
                Confirmations = wanted.Confirmations ?? (isEmbedded ? 1 : UsualConfirmations), Pause = TimeSpan.FromMilliseconds(250),
            });
        ContractDeployment deployment = await ContractDeployment.DeployAsync(
            sender, client, chainId, roles, terms, wanted.Token, cancellationToken);
        deployment.Save(file);
        return deployment;

        Task SayAsync(string text) => wanted.Progress?.WriteLineAsync(text) ?? Console.Error.WriteLineAsync("emr: " + text);
    }

    /// <summary>What the file says, if the chain holds it. An embedded chain that was started anew is deployed to again; any other
    /// difference is for a person to judge.</summary>
    private static async Task<ContractDeployment?> FindDeployedAsync(
        string file, DeploymentTerms terms, JsonRpcEthereumClient client, bool isEmbedded, CancellationToken cancellationToken)
    {
        ContractDeployment deployment = ContractDeployment.Load(file);
        if (deployment.Terms != terms)
        {
            throw new CommandException(
                ExitCode.Failure, $"{file} was deployed with other rules: name another file with --deployment for a second deployment");
        }

        try
        {
            await deployment.VerifyAsync(client, cancellationToken);
            return deployment;
        }
        catch (DeploymentException) when (isEmbedded)
        {
            return null;
        }
    }

    private static Uri EmbeddedNode(string folder) => EmbeddedChain.FindRunning(folder) is { } running
        ? new Uri(running.Endpoint)
        : throw new CommandException(ExitCode.NotReady,
            $"no embedded chain runs in {folder}: start it with './emr chain start', or name another chain with --chain");

    private static Uri ParseNode(string text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? node) && node.Scheme is "http" or "https"
        ? node!
        : throw new CommandException(ExitCode.Usage, "--chain is an http or https URL, such as http://127.0.0.1:8545");
}
