using System.CommandLine;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Silos.Commands.Chain.Demo;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Chain;

/// <summary><c>emr chain</c>: the embedded chain, and deployments on it or on any EVM chain.</summary>
internal static class ChainCommand
{
    private const string Description =
        """
        The ledger: an Ethereum chain on this machine, or any chain that speaks its JSON-RPC.

        Examples:
          emr chain start                     an embedded chain under .emr/chain, on a free port of 127.0.0.1
          emr chain deploy                    the payment token and the four contracts on it
          emr chain status
          emr chain stop
          emr chain publish                   the schemas, by the consortium's key
          emr chain admit 0x...               a site's account, by the consortium's key
          emr chain pause                     no new requests, until 'emr chain pause --over'
          emr chain demo                      a sale from policy to payout on a chain of its own, told step by step
          emr chain deploy --chain https://node.example --chain-id 1337 --key-file deployer.key --token 0x... \
            --consortium 0x... --market 0x... --patients-fund 0x... --deployment consortium.json

        Exit codes: 0 done, 1 failed, 2 wrong command or input, 75 not ready (no chain runs, or it is starting).
        """;

    /// <summary>The command and its verbs.</summary>
    public static Command Create()
    {
        Command command = new("chain", Description) { CreateStart(), CreateStatus(), CreateDeploy(), CreateStop(), CreateDemo() };
        foreach (Command verb in ChainConsortium.Create())
        {
            command.Subcommands.Add(verb);
        }

        return command;
    }

    private static Option<string> FolderOption() => new("--folder")
    {
        Description = "Where the embedded chain keeps its state.", HelpName = "DIR", DefaultValueFactory = _ => ChainFolders.DefaultChain,
    };

    private static Command CreateStart()
    {
        Option<string> folder = FolderOption();
        var port = new Option<int>("--port") { Description = "Port on 127.0.0.1; a free one when 0.", HelpName = "N" };
        var blockTime = new Option<double>("--block-time")
        {
            Description = "Seconds between blocks while there is something to do, 0.02 to 60.", HelpName = "SECONDS",
            DefaultValueFactory = _ => 2,
        };
        var idle = new Option<double>("--idle-block-time")
        {
            Description =
                "Seconds between blocks while there is nothing to do, 0.02 to 3600: how late a market sees that a window is over.",
                HelpName = "SECONDS", DefaultValueFactory = _ => 60,
        };
        var foreground = new Option<bool>("--foreground") { Description = "Stay, and end the chain on Ctrl-C." };
        port.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > 65_535)
            {
                result.AddError("--port lies in 0 to 65535.");
            }
        });
        blockTime.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0.02 and <= 60))
            {
                result.AddError("--block-time lies in 0.02 to 60 seconds.");
            }
        });
        idle.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0.02 and <= 3600))
            {
                result.AddError("--idle-block-time lies in 0.02 to 3600 seconds.");
            }
        });
        var command = new Command("start",
            "Starts the embedded chain and returns when it answers; does nothing when it runs already.") { folder, port, blockTime,
            idle, foreground };
        command.SetAction((parsed, cancellation) => ChainProcess.StartAsync(
            new ChainStart(parsed.GetValue(folder)!, parsed.GetValue(port), TimeSpan.FromSeconds(parsed.GetValue(blockTime)),
                TimeSpan.FromSeconds(parsed.GetValue(idle)), parsed.GetValue(foreground)), cancellation));
        return command;
    }

    private static Command CreateStatus()
    {
        Option<string> folder = FolderOption();
        Option<string?> deployment = DeploymentOption();
        var json = new Option<bool>("--json") { Description = "Print it as JSON." };
        var command = new Command("status",
            "Says whether the embedded chain runs, where, and what is deployed on it; exit code 75 when it does not run.") { folder,
            deployment, json };
        command.SetAction((parsed, cancellation) => ChainStatus.PrintAsync(
            parsed.GetValue(folder)!, parsed.GetValue(deployment), parsed.GetValue(json), cancellation));
        return command;
    }

    private static Command CreateStop()
    {
        Option<string> folder = FolderOption();
        var command = new Command("stop", "Ends the embedded chain that 'chain start' started; its state stays.") { folder };
        command.SetAction((parsed, cancellation) => ChainProcess.StopAsync(parsed.GetValue(folder)!, cancellation));
        return command;
    }

    private static Command CreateDemo()
    {
        var command = new Command(
            "demo", "Tells a sale from policy to payout on a chain that is forgotten afterwards: a withheld leaf, a wrong match, a short "
                + "delivery, and a trace with every proof checked.");
        command.SetAction(async (_, cancellation) =>
        {
            await ScriptedSale.RunAsync(ChainFolders.Tools, AnsiConsole.Console, cancellation);
            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreateDeploy()
    {
        Option<string> folder = FolderOption();
        Option<string?> deployment = DeploymentOption();
        var chain = new Option<string?>("--chain") { Description = "The URL of a node of another chain.", HelpName = "URL" };
        var chainId = new Option<ulong?>("--chain-id")
        {
            Description = "The id that this chain must have; needed with --chain.", HelpName = "N",
        };
        var keyFile = new Option<string?>("--key-file")
        {
            Description = "The deployer's key: one line of 0x and 64 hexadecimal digits, mode 600; needed with --chain.", HelpName = "FILE",
        };
        Option<Address?> token = AddressOption("--token", "The payment token, an ERC-20 with permit; needed with --chain.");
        Option<Address?> consortium = AddressOption("--consortium", "Who registers sites and rotates keys; needed with --chain.");
        Option<Address?> market = AddressOption("--market", "Who posts rounds; needed with --chain.");
        Option<Address?> fund = AddressOption("--patients-fund", "Who gets what is never claimed; needed with --chain.");
        var parameters = new Option<string?>("--parameters")
        {
            Description = "The rules; without it those of deploy/chain/parameters.json.", HelpName = "FILE",
        };
        var confirmations = new Option<ulong?>("--confirmations")
        {
            Description = "Blocks above a transaction before it counts; 10, on the embedded chain 1.", HelpName = "N",
        };
        var command = new Command("deploy",
            "Deploys the payment token (embedded chain only) and the four contracts, once; goes on where an interrupted deployment "
                + "stopped.")
        {
            folder, deployment, chain, chainId, keyFile, token, consortium, market, fund, parameters, confirmations,
        };
        command.Validators.Add(result =>
        {
            bool isOther = result.GetResult(chain) is not null;
            if (isOther && result.GetResult(deployment) is null)
            {
                result.AddError("--deployment is needed with --chain: the file that later commands read.");
            }

            foreach (Option option in (Option[])[chainId, keyFile, token, consortium, market, fund])
            {
                if (result.GetResult(option) is { Implicit: false } != isOther)
                {
                    result.AddError(isOther
                        ? $"{option.Name} is needed with --chain."
                        : $"{option.Name} goes with --chain; the embedded chain uses keys of its own.");
                }
            }
        });
        command.SetAction((parsed, cancellation) => ChainDeploy.RunAsync(
            new ChainDeployment
            {
                Folder = parsed.GetValue(folder)!,
                DeploymentFile = parsed.GetValue(deployment),
                Chain = parsed.GetValue(chain),
                ChainId = parsed.GetValue(chainId),
                KeyFile = parsed.GetValue(keyFile),
                Token = parsed.GetValue(token),
                Consortium = parsed.GetValue(consortium),
                Market = parsed.GetValue(market),
                PatientsFund = parsed.GetValue(fund),
                Parameters = parsed.GetValue(parameters),
                Confirmations = parsed.GetValue(confirmations),
            },
            cancellation));
        return command;
    }

    private static Option<string?> DeploymentOption() => new("--deployment")
    {
        Description = "The deployment file: addresses, transaction hashes, code hashes; without it deployment.json in the chain's folder.",
        HelpName = "FILE",
    };

    private static Option<Address?> AddressOption(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "ADDRESS",
        CustomParser = result =>
        {
            try
            {
                return Address.Parse(result.Tokens.Single().Value);
            }
            catch (FormatException e)
            {
                result.AddError($"{name}: {e.Message}.");
                return null;
            }
        },
    };
}
