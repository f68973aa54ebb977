using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Grains.Site.Wallet;
using EmrMarket.Silos.Commands.Client;

namespace EmrMarket.Silos.Commands.Patient;

/// <summary><c>emr patient wallet</c>: the file that holds a patient's keys.</summary>
internal static class WalletCommands
{
    private const string Description =
        """
        The wallet of a patient: one seed, from which the keys of all the patient's pseudonyms and payouts follow, sealed by a passphrase. Whoever has file and passphrase, or the recovery
        phrase, commands the records' policy and spends what they earned.

        Examples:
          emr patient wallet create anna.wallet --site hospital --record 17      at the site's desk; the patient types the passphrase
          emr patient wallet own anna.own --wallet anna.wallet                   a new seed that never leaves this machine takes the place of the site's
          emr patient wallet show anna.wallet
          emr patient wallet show anna.wallet --phrase                           the words to write down and keep apart from the file
          emr patient wallet restore anna.wallet --entry 1/SCHEMAID/PSEUDONYM    asks for the words
          emr patient wallet passphrase anna.wallet
          emr patient wallet payout anna.wallet --pseudonym 5f0c --epoch 1 --index 0 --out payout.key

        Exit codes: 0 done, 1 failed, 2 wrong command, file or passphrase, 75 not ready.
        """;

    /// <summary>The command and its verbs.</summary>
    public static Command Create() =>
        new("wallet", Description) { CreateIssue(), CreateOwn(), CreateShow(), CreateRestore(), CreatePassphrase(),
            CreatePayout() };

    private static Argument<string> FileArgument() => new("FILE") { Description = "The wallet file." };

    private static Command CreateIssue()
    {
        Argument<string> file = FileArgument();
        SchemaOption schema = new();
        var site = new Option<string>("--site") { Description = "The site whose patient it is.", HelpName = "NAME", Required = true };
        var record = new Option<int>("--record")
        {
            Description = "The position of one of the patient's records, from 0, in the order of loading.", HelpName = "N", Required = true,
        };
        var name = new Option<string?>("--as")
        {
            Description = "The site's account that signed in; without it whoever runs 'serve' on this machine.", HelpName = "NAME",
        };
        Option<string?> passphrase = WalletStore.Passphrase();
        ClientOptions client = new();
        Command command =
            client.AddTo(
                new Command("create",
                    "Makes the wallet of the person of a record, at the site's desk. The passphrase is the patient's.") { file,
                    schema.Option, site, record, name, passphrase });
        record.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 0)
            {
                result.AddError("--record counts from 0.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            string place = parsed.GetValue(file)!;
            if (File.Exists(place))
            {
                throw new CommandException(ExitCode.Usage, $"{place} exists: name another file, so that no wallet is lost");
            }

            string chosen = Secrets.ReadNew("the patient's passphrase", parsed.GetValue(passphrase), WalletStore.PassphraseOption);
            using MarketClient market = client.Connect(parsed);
            market.Act(parsed.GetValue(name));
            string schemaId = await schema.FindAsync(parsed, market, cancellation);

            // For the way only: the file that the site seals is opened here and sealed again under the patient's own words.
            string onTheWay = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
            string issued = await market.PostAsync<string>(
                $"api/v1/sites/{parsed.GetValue(site)}/wallets", new { schemaId, record = parsed.GetValue(record), passphrase = onTheWay },
                cancellation);
            WalletFile wallet = WalletFile.Read(System.Text.Encoding.UTF8.GetBytes(issued), onTheWay);
            WalletStore.Write(wallet, place, chosen, replace: false);
            Show(wallet, client.Json(parsed), phrase: false);
            Output.Remark($"{place} is the wallet; './emr patient wallet show {place} --phrase' prints the words that restore it.");
            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreateOwn()
    {
        Argument<string> file = new("FILE") { Description = "The new wallet file; one that is there is handed in as it is." };
        var chosen = new Option<string?>("--new-passphrase-file")
        {
            Description = "A file that holds the new wallet's passphrase on its first line; without it it is asked for.",
            HelpName = "FILE",
        };
        PatientOptions patient = new();
        ClientOptions client = new();
        Command command = client.AddTo(patient.AddTo(new Command(
            "own",
            """
            Makes a wallet with a seed of the patient's own, and hands the site its payout account: a public key and a chain code, with which the site finds addresses and no key. From then on only
            the new wallet commands the patient's records, and the site cannot; from the next epoch on only the new wallet spends what they earn. What was sold before is spent with the wallet so
            far: keep both. Nobody can restore the new wallet but by its recovery phrase: write it down first.

            Examples:
              emr patient wallet own anna.own --wallet anna.wallet
              emr patient wallet show anna.own --phrase
            """) { file, chosen }));
        command.SetAction(async (parsed, cancellation) =>
        {
            WalletFile before = patient.Open(parsed);
            WalletEntry entry = patient.Choose(parsed, before, any: true);
            string place = parsed.GetValue(file)!;
            WalletFile own;
            if (File.Exists(place))
            {
                own = WalletStore.Open(place, parsed.GetValue(chosen));
            }
            else
            {
                own = new WalletFile(
                    RandomNumberGenerator.GetBytes(Grains.Site.PatientKeys.Length),
                    [.. before.Entries.Where(one => one.Site == entry.Site)]);
                WalletStore.Write(
                    own, place, Secrets.ReadNew("a passphrase for the new wallet", parsed.GetValue(chosen), "--new-passphrase-file"),
                    replace: false);
            }

            // The file is written before the site hears of it: an account that nobody has the seed of would lose the records.
            using MarketClient market = client.Connect(parsed);
            string site = await patient.SiteAsync(parsed, market, cancellation);
            PatientSession session = await PatientSession.OpenAsync(market, site, before, entry, cancellation);
            await session.TakeOverAsync(own.Seed.ToArray(), cancellation);
            Show(own, client.Json(parsed), phrase: false);
            Output.Remark($"{place} commands the records now. './emr patient wallet show {place} --phrase' prints the words that restore "
                + "it: nobody else can. Keep the wallet so far for what was sold before the next epoch.");
            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreateShow()
    {
        Argument<string> file = FileArgument();
        var phrase = new Option<bool>("--phrase") { Description = "Print the recovery phrase as well: whoever reads it has the wallet." };
        Option<string?> passphrase = WalletStore.Passphrase();
        var json = new Option<bool>("--json") { Description = "Print JSON on standard output." };
        var command = new Command(
            "show", "Prints the pseudonyms of a wallet and the addresses that command them.") { file, phrase, passphrase, json };
        command.SetAction(parsed => Show(
            WalletStore.Open(parsed.GetValue(file)!, parsed.GetValue(passphrase)), parsed.GetValue(json), parsed.GetValue(phrase)));
        return command;
    }

    private static Command CreateRestore()
    {
        Argument<string> file = FileArgument();
        var words = new Option<string?>("--phrase-file")
        {
            Description = "A file, readable by its owner only, with the 18 words on its first line; without it they are asked for.",
            HelpName = "FILE",
        };
        var entries = new Option<string[]>("--entry")
        {
            Description =
                "A pseudonym of the wallet: the site's number on the ledger, the schema's id and the pseudonym. Once per pseudonym.",
                HelpName = "SITE/SCHEMAID/PSEUDONYM",
        };
        Option<string?> passphrase = WalletStore.Passphrase();
        var json = new Option<bool>("--json") { Description = "Print JSON on standard output." };
        var command = new Command("restore", "Makes a wallet again from its recovery phrase; the site tells the pseudonyms.") { file, words,
            entries, passphrase, json };
        command.SetAction(parsed =>
        {
            WalletEntry[] known = [.. (parsed.GetValue(entries) ?? []).Select(Entry)];
            byte[] seed;
            try
            {
                seed = RecoveryPhrase.Read(Secrets.Read("the recovery phrase", parsed.GetValue(words), "--phrase-file"));
            }
            catch (WalletException e)
            {
                throw new CommandException(ExitCode.Usage, e.Message, e);
            }

            WalletFile wallet = new(seed, known);
            WalletStore.Write(wallet, parsed.GetValue(file)!,
                Secrets.ReadNew("a passphrase for the wallet", parsed.GetValue(passphrase), WalletStore.PassphraseOption), replace: false);
            return Show(wallet, parsed.GetValue(json), phrase: false);
        });
        return command;
    }

    private static Command CreatePassphrase()
    {
        Argument<string> file = FileArgument();
        Option<string?> passphrase = WalletStore.Passphrase();
        var changed = new Option<string?>("--new-passphrase-file")
        {
            Description = "A file that holds the new passphrase on its first line; without it it is asked for.", HelpName = "FILE",
        };
        var command = new Command("passphrase", "Seals a wallet under another passphrase.") { file, passphrase, changed };
        command.SetAction(parsed =>
        {
            string place = parsed.GetValue(file)!;
            WalletFile wallet = WalletStore.Open(place, parsed.GetValue(passphrase));
            WalletStore.Write(wallet, place, Secrets.ReadNew("the new passphrase", parsed.GetValue(changed), "--new-passphrase-file"),
                replace: true);
            Output.Say($"{place} opens with the new passphrase. Copies of the old file still open with the old one: delete them.");
            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreatePayout()
    {
        Argument<string> file = FileArgument();
        var pseudonym = new Option<string?>("--pseudonym")
        {
            Description = "The pseudonym that was paid, or how it begins; without it the wallet's only one.", HelpName = "HEX",
        };
        var epoch = new Option<uint>("--epoch")
        {
            Description = "The epoch under which it was sold ('patient history').", HelpName = "N", Required = true,
        };
        var index = new Option<uint>("--index") { Description = "The index among the epoch's payout addresses.", HelpName = "N" };
        var output = new Option<string>("--out") { Description = "The key file to write.", HelpName = "FILE", Required = true };
        Option<string?> passphrase = WalletStore.Passphrase();
        var command = new Command("payout", "Writes the key of a payout address, with which its money is spent.") { file, pseudonym, epoch,
            index, output, passphrase };
        command.SetAction(parsed =>
        {
            WalletFile wallet = WalletStore.Open(parsed.GetValue(file)!, parsed.GetValue(passphrase));
            WalletEntry entry = wallet.Choose(parsed.GetValue(pseudonym));
            byte[] key = Grains.Site.PatientKeys.Payout(wallet.Seed, entry.Pseudonym, parsed.GetValue(epoch), parsed.GetValue(index));
            Contracts.Ethereum.Signing.EthereumAccount account = new(key);
            try
            {
                account.Save(parsed.GetValue(output)!);
            }
            catch (IOException e)
            {
                throw new CommandException(ExitCode.Usage, $"--out {parsed.GetValue(output)}: {e.Message}", e);
            }

            Output.Say($"{account.Address}");
            Output.Remark(
                "Never give this key to the site: with it and what you handed in, the site could compute every key of the wallet.");
            return ExitCode.Success;
        });
        return command;
    }

    private static int Show(WalletFile wallet, bool json, bool phrase)
    {
        if (json)
        {
            Output.Json(new
            {
                Entries = wallet.Entries.Select(entry => new
                {
                    entry.Site, SchemaId = Hashes.Text(entry.SchemaId), Pseudonym = Hashes.Text(entry.Pseudonym),
                    Controller = wallet.Controller(entry.Pseudonym).Address.ToString().ToLowerInvariant(),
                }),
                Phrase = phrase ? RecoveryPhrase.Write(wallet.Seed) : null,
            });
            return ExitCode.Success;
        }

        Output.Table(
            [" site", "schema", "pseudonym", "commanded by"],
            wallet.Entries.Select(entry => (string[])
            [
                entry.Site.ToString(CultureInfo.InvariantCulture), Hashes.Text(entry.SchemaId), Hashes.Text(entry.Pseudonym),
                wallet.Controller(entry.Pseudonym).Address.ToString(),
            ]));
        if (phrase)
        {
            Output.Say(RecoveryPhrase.Write(wallet.Seed));
        }

        return ExitCode.Success;
    }

    private static WalletEntry Entry(string text) => text.Split('/') is [var site, var schema, var pseudonym]
        && uint.TryParse(site, NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
        ? new WalletEntry(number, Hashes.Parse(schema, "--entry: a schema's id"), Hashes.Parse(pseudonym, "--entry: a pseudonym"))
        : throw new CommandException(
            ExitCode.Usage, $"--entry is SITE/SCHEMAID/PSEUDONYM with the site's number on the ledger, got '{text}'");

    /// <summary>The entry of a pseudonym, or of how it begins.</summary>
    /// <param name="wallet">The wallet.</param>
    /// <param name="begins">How it begins; null for no matter.</param>
    /// <param name="any">Whether the first of several will do.</param>
    internal static WalletEntry Choose(this WalletFile wallet, string? begins, bool any = false)
    {
        string head = begins is null
            ? "" : (begins.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? begins[2..] : begins).ToLowerInvariant();
        WalletEntry[] found = [.. wallet.Entries.Where(entry => Hashes.Text(entry.Pseudonym).StartsWith(head, StringComparison.Ordinal))];
        return found.Length == 1 || (any && found.Length > 0) ? found[0] : throw new CommandException(
            ExitCode.Usage,
            string.Create(CultureInfo.InvariantCulture,
                $"{found.Length} of the wallet's {wallet.Entries.Count} pseudonyms begin with '{head}': name one with --pseudonym "
                    + $"('patient wallet show' lists them)"));
    }
}
