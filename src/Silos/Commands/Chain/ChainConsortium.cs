using System.CommandLine;
using System.Numerics;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Commands.Chain;

/// <summary>What the consortium does by its key: <c>emr chain admit</c>, <c>auditor</c>, <c>pause</c>, <c>publish</c> and, on an embedded
/// chain, <c>fund</c>. A multisig sends the same calls from its own wallet.</summary>
internal static class ChainConsortium
{
    private const ulong UsualConfirmations = 10;

    /// <summary>The verbs.</summary>
    public static IEnumerable<Command> Create() => [CreateAdmit(), CreateAuditor(), CreatePause(), CreatePublish(), CreateFund()];

    private static Command CreateAdmit()
    {
        var accounts = new Argument<string[]>("ADDRESS")
        {
            Description =
                "Accounts of sites; './emr account key --key sites/NAME/account.key' makes one before the site's first start, and prints "
                    + "it.", Arity = ArgumentArity.OneOrMore,
        };
        var profile = new Option<string?>("--profile")
        {
            Description =
                "A document that says whose account it is: its Keccak-256 stands on the ledger. Without it the account's own text.",
                HelpName = "FILE",
        };
        Place place = new();
        Command command =
            place.AddTo(
                new Command("admit",
                    "Registers the accounts of sites, and prints their numbers; an account that is registered stays so.") { accounts,
                    profile });
        command.SetAction((parsed, cancellation) => place.UseAsync(parsed, async (consortium, _) =>
        {
            string? document = parsed.GetValue(profile);
            byte[]? text = document is null ? null : File.Exists(document) ? await File.ReadAllBytesAsync(document, cancellation)
                : throw new CommandException(ExitCode.Usage, $"--profile: there is no file {document}");
            foreach (Address account in Addresses(parsed.GetValue(accounts)!))
            {
                byte[] profile = text ?? System.Text.Encoding.ASCII.GetBytes(account.ToString());
                Console.WriteLine($"site {await consortium.AdmitAsync(account, profile, cancellation)} is {account}");
            }
        }, cancellation));
        return command;
    }

    private static Command CreateAuditor()
    {
        var accounts = new Argument<string[]>("ADDRESS")
        {
            Description = "Accounts of auditors: 'emr account key' makes one, and the page of a wallet shows its own.",
            Arity = ArgumentArity.OneOrMore,
        };
        var remove = new Option<bool>("--remove") { Description = "Take the registration back." };
        Place place = new();
        Command command = place.AddTo(new Command("auditor",
            "Registers auditors, who may demand leaves of epochs and record findings about sites.") { accounts, remove });
        command.SetAction((parsed, cancellation) => place.UseAsync(parsed, async (consortium, _) =>
        {
            bool registered = !parsed.GetValue(remove);
            foreach (Address account in Addresses(parsed.GetValue(accounts)!))
            {
                await consortium.SetAuditorAsync(account, registered, cancellation);
                Console.WriteLine($"{account} is {(registered ? "an" : "no")} auditor");
            }
        }, cancellation));
        return command;
    }

    private static Command CreatePause()
    {
        var over = new Option<bool>("--over") { Description = "Take new requests again." };
        Place place = new();
        Command command = place.AddTo(new Command("pause",
            "Stops the taking of new requests, for example while a fault is looked into; requests that are funded go on.") { over });
        command.SetAction((parsed, cancellation) => place.UseAsync(parsed, async (consortium, _) =>
        {
            bool paused = !parsed.GetValue(over);
            await consortium.SetPausedAsync(paused, cancellation);
            Console.WriteLine(paused ? "new requests are paused; './emr chain pause --over' takes them again" : "new requests are taken");
        }, cancellation));
        return command;
    }

    private static Command CreatePublish()
    {
        Place place = new();
        Command command =
            place.AddTo(new Command("publish",
                "Puts the schemas of this program on the ledger that are not there yet: tiers, epsilons and the worth of reports."));
        command.SetAction((parsed, cancellation) => place.UseAsync(parsed, async (consortium, _) =>
            Console.WriteLine(
                $"{await consortium.PublishAsync(DataFolder.SchemaNames.Select(DataFolder.LoadSchema), cancellation)} schemas are new on "
                    + $"the ledger"), cancellation));
        return command;
    }

    private static Command CreateFund()
    {
        var accounts = new Argument<string[]>("ADDRESS") { Description = "Accounts.", Arity = ArgumentArity.OneOrMore };
        var tokens = new Option<long>("--tokens")
        {
            Description = "Token units for each.", HelpName = "N", DefaultValueFactory = _ => 1_000_000_000_000,
        };
        tokens.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<long>() < 1)
            {
                result.AddError("--tokens is at least 1.");
            }
        });
        Place place = new();
        Command command =
            place.AddTo(
                new Command("fund",
                    "Gives accounts ether and payment tokens; on a development chain only, where money is worth nothing.") { accounts,
                    tokens });
        command.SetAction((parsed, cancellation) => place.UseAsync(parsed, async (consortium, deployment) =>
        {
            if (deployment.ChainId != EmbeddedChain.DevelopmentChainId)
            {
                throw new CommandException(
                    ExitCode.Usage, $"chain {deployment.ChainId} is no development chain: whoever has its tokens and ether sends them");
            }

            foreach (Address account in Addresses(parsed.GetValue(accounts)!))
            {
                await consortium.EndowAsync(account, new BigInteger(parsed.GetValue(tokens)), cancellation);
                Console.WriteLine($"{account} has {parsed.GetValue(tokens)} token units more");
            }
        }, cancellation));
        return command;
    }

    private static List<Address> Addresses(string[] texts)
    {
        try
        {
            return [.. texts.Select(Address.Parse)];
        }
        catch (FormatException e)
        {
            throw new CommandException(ExitCode.Usage, $"{e.Message}: nothing was sent", e);
        }
    }

    /// <summary>Where the ledger is, and who speaks for the consortium.</summary>
    private sealed class Place
    {
        private readonly Option<string> _folder = new("--folder")
        {
            Description = "Where the embedded chain keeps its state.", HelpName = "DIR",
            DefaultValueFactory = _ => ChainFolders.DefaultChain,
        };
        private readonly Option<string?> _chain = new("--chain")
        {
            Description = "A node of the chain; without it the embedded chain of --folder.", HelpName = "URL",
        };
        private readonly Option<string?> _deployment = new("--deployment")
        {
            Description = "The deployment file; without it deployment.json in the chain's folder.", HelpName = "FILE",
        };
        private readonly Option<string?> _key = new("--key-file")
        {
            Description = "The consortium's key; without it that of the embedded chain.", HelpName = "FILE",
        };

        public Command AddTo(Command command)
        {
            foreach (Option option in (Option[])[_folder, _chain, _deployment, _key])
            {
                command.Options.Add(option);
            }

            return command;
        }

        public async Task<int> UseAsync(
            ParseResult parsed, Func<Consortium, ContractDeployment, Task> work, CancellationToken cancellationToken)
        {
            string folder = Path.GetFullPath(parsed.GetValue(_folder)!);
            string node = parsed.GetValue(_chain) ?? EmbeddedChain.FindRunning(folder)?.Endpoint
                ?? throw new CommandException(ExitCode.NotReady,
                    $"no embedded chain runs in {folder}: start it with './emr chain start', or name a node with --chain");
            string file = parsed.GetValue(_deployment) ?? ChainFolders.DeploymentOf(folder);
            string key = parsed.GetValue(_key) ?? Path.Combine(folder, "keys", "consortium.key");
            foreach ((string needed, string option) in new[] { (file, "--deployment"), (key, "--key-file") })
            {
                if (!File.Exists(needed))
                {
                    throw new CommandException(ExitCode.Usage, $"there is no file {needed}: name it with {option}");
                }
            }

            try
            {
                ContractDeployment deployment = ContractDeployment.Load(file);
                using JsonRpcEthereumClient client = new(new Uri(node));
                await deployment.VerifyAsync(client, cancellationToken);
                ulong confirmations = deployment.ChainId == EmbeddedChain.DevelopmentChainId ? 1 : UsualConfirmations;
                await using Consortium consortium = await Consortium.StartAsync(
                    EthereumAccount.Load(key), client, deployment, RoleSettings.Embedded with { Confirmations = confirmations });
                await work(consortium, deployment);
                return ExitCode.Success;
            }
            catch (Exception e) when (e is EthereumException or UriFormatException)
            {
                throw new CommandException(
                    e is EthereumException { IsTransient: true } ? ExitCode.NotReady : ExitCode.Failure, e.Message, e);
            }
        }
    }
}
