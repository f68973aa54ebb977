using System.CommandLine;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Commands.Client;

namespace EmrMarket.Silos.Commands.Trace;

/// <summary>What the commands of an auditor take: a node of the chain, the deployment, and where files come from.</summary>
internal sealed class AuditOptions
{
    private readonly Option<string?> _chain = new("--chain")
    {
        Description = "A node of the chain; without it the embedded chain of --folder.", HelpName = "URL",
    };

    private readonly Option<string> _folder = new("--folder")
    {
        Description = "Where the embedded chain keeps its state.", HelpName = "DIR", DefaultValueFactory = _ => ChainFolders.DefaultChain,
    };

    private readonly Option<string?> _deployment = new("--deployment")
    {
        Description =
            "The deployment file, got from the consortium and not from the market; without it deployment.json in the chain's folder.",
            HelpName = "FILE",
    };

    private readonly Option<string?> _files = new("--files")
    {
        Description = "A mirror: a folder of files named by their SHA-256. What it lacks is fetched from the server and kept there.",
        HelpName = "DIR",
    };

    private readonly Option<bool> _offline = new("--offline") { Description = "Ask no server: take files from --files alone." };

    private readonly Option<string[]> _schemas = new("--schema")
    {
        Description = "A schema file beside the built-in ones, once per file.", HelpName = "FILE",
    };

    private readonly Option<string?> _name = new("--as")
    {
        Description = "The account that signed in; without it whoever runs 'serve' on this machine.", HelpName = "NAME",
    };

    /// <summary>Puts them on a command.</summary>
    public Command AddTo(Command command)
    {
        foreach (Option option in (Option[])[_chain, _folder, _deployment, _files, _offline, _schemas, _name])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            if (result.GetValue(_offline) && result.GetValue(_files) is null)
            {
                result.AddError("--offline needs --files: the folder that holds what the ledger's hashes stand for.");
            }
        });
        return command;
    }

    /// <summary>The server to fetch what the mirror lacks from; null when none is to be asked.</summary>
    public MarketClient? Connect(ParseResult parsed, ClientOptions client)
    {
        if (parsed.GetValue(_offline))
        {
            return null;
        }

        MarketClient market = client.Connect(parsed);
        market.Act(parsed.GetValue(_name));
        return market;
    }

    /// <summary>The ledger as these options name it.</summary>
    /// <exception cref="CommandException">There is no such node or deployment, or the chain does not hold it.</exception>
    public Task<AuditedLedger> OpenAsync(ParseResult parsed, MarketClient? market, CancellationToken cancellationToken)
    {
        string folder = parsed.GetValue(_folder)!;
        string node = parsed.GetValue(_chain) ?? EmbeddedChain.FindRunning(Path.GetFullPath(folder))?.Endpoint
            ?? throw new CommandException(ExitCode.NotReady,
                $"no embedded chain runs in {folder}: start it with './emr serve' or './emr chain start', or name a node with --chain");
        string file = parsed.GetValue(_deployment) ?? ChainFolders.DeploymentOf(folder);
        try
        {
            return AuditedLedger.OpenAsync(
                new Uri(node),
                File.Exists(file)
                    ? ContractDeployment.Load(file)
                    : throw new CommandException(ExitCode.Usage, $"there is no deployment file {file}: name it with --deployment"),
                parsed.GetValue(_schemas) ?? [], parsed.GetValue(_files), market, cancellationToken);
        }
        catch (DeploymentException e)
        {
            throw new CommandException(ExitCode.Usage, e.Message, e);
        }
    }
}
