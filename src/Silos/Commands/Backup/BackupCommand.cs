using System.CommandLine;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Storage.Backup;

namespace EmrMarket.Silos.Commands.Backup;

/// <summary><c>emr backup</c>: what a market or a site keeps, while it runs.</summary>
internal static class BackupCommand
{
    private const string PassphraseOption = "--passphrase-file";

    private const string Description =
        """
        Copies what the roles of a configuration keep into a new folder, while they run or not: every database as it was at one moment, the deployment file, and the state of the embedded chain
        where that one is used. Everything in it is hashed, and signed by the roles' accounts. docs/BACKUP.md says what a restore can and cannot bring back.

        No key is in it, and what a site keeps is sealed: without the site's keys nobody can read it, its owner neither. 'emr backup keys' seals them in one file under a passphrase, for another
        place. Make that file once, and again whenever a key was made or rotated.

        Examples:
          emr backup
          emr backup --to /mnt/backups/today --json
          emr backup --config /etc/emrmarket/emr.json --to /mnt/backups/today
          emr backup keys --to /mnt/safe/keys.json

        Exit codes: 0 done, 1 failed (nothing is left of the attempt), 2 wrong command, 75 the database does not answer.
        """;

    /// <summary>The command and its verb.</summary>
    public static Command Create()
    {
        ServedOptions served = new();
        var to = new Option<string?>("--to")
        {
            Description = "The folder to make; a new one in 'backups' beside the databases without it.", HelpName = "DIR",
        };
        var json = new Option<bool>("--json") { Description = "Print JSON on standard output." };
        Command command = served.AddTo(new Command("backup", Description) { to, json, CreateKeys() });
        command.SetAction((parsed, cancellation) => BackupRun.RunAsync(
            served.Options(parsed), served.File(parsed), parsed.GetValue(to), parsed.GetValue(json), cancellation));
        return command;
    }

    private static Command CreateKeys()
    {
        ServedOptions served = new();
        var to = new Option<string>("--to") { Description = "The file to make.", HelpName = "FILE", Required = true };
        var passphrase = Passphrase();
        Command command = served.AddTo(new Command(
            "keys",
            """
            Seals the keys of a configuration's roles in one file under a passphrase: accounts, site keys, storage keys, the certificate of the link. Whoever has file and passphrase has all that
            the keys guard; whoever loses both, and the keys, has lost every report, loss and seed for ever. Keep it away from the backups that it opens.

            Examples:
              emr backup keys --to /mnt/safe/keys.json
              emr backup keys --to /mnt/safe/keys.json --passphrase-file /run/secrets/keys
            """) { to, passphrase });
        command.SetAction((parsed, _) => BackupFailures.ToldAsync(() =>
        {
            ServeOptions options = served.Options(parsed);
            IReadOnlyDictionary<string, string> files = new KeyPlaces(options).Existing();
            if (files.Count == 0)
            {
                throw new BackupException($"there are no keys in {options.Root}: nothing was ever served from here");
            }

            Secrets.Write(parsed.GetValue(to)!,
                SealedKeys.Write(files.ToDictionary(file => file.Key, file => File.ReadAllBytes(file.Value), StringComparer.Ordinal),
                    Secrets.ReadNew("a passphrase for the keys", parsed.GetValue(passphrase), PassphraseOption)), replace: false);
            Output.Say($"{parsed.GetValue(to)} holds {string.Join(", ", files.Keys.Order(StringComparer.Ordinal))}");
            if (Environment.GetEnvironmentVariable(Storage.Site.StorageKey.Variable) is { Length: > 0 })
            {
                Output.Remark($"not in it: the storage key, which comes from {Storage.Site.StorageKey.Variable}. Keep it where that does");
            }

            return Task.FromResult(ExitCode.Success);
        }));
        return command;
    }

    /// <summary>The option that names a file with the passphrase of a file of keys.</summary>
    internal static Option<string?> Passphrase() => new(PassphraseOption)
    {
        Description = "A file that holds the passphrase of the keys on its first line; without it it is asked for.", HelpName = "FILE",
    };

    /// <summary>Reads that passphrase.</summary>
    internal static string ReadPassphrase(string? file) => Secrets.Read("the passphrase of the keys", file, PassphraseOption);
}

/// <summary><c>emr restore</c>: what <see cref="BackupCommand"/> made.</summary>
internal static class RestoreCommand
{
    private const string Description =
        """
        Puts a backup back: databases, deployment file, state of the embedded chain. Every byte and every key is checked before anything is changed. The roles must not run, here or anywhere.

        A restored site knows nothing that was commanded after the backup. It takes from the ledger and the market what they know (epochs, deliveries, revocations), charges what may have left,
        and hands nothing over until 'emr site reconcile' says that withdrawals since then were entered again. docs/BACKUP.md tells what cannot be known.

        Examples:
          emr restore /mnt/backups/today
          emr restore /mnt/backups/today --keys /mnt/safe/keys.json
          emr restore /mnt/backups/today --config /etc/emrmarket/emr.json --replace

        Exit codes: 0 done, 1 refused or failed, 2 wrong command, 75 the database or the chain does not answer.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        ServedOptions served = new();
        var from = new Argument<string>("folder") { Description = "The backup.", HelpName = "DIR" };
        var keys = new Option<string?>("--keys")
        {
            Description = "The file that 'emr backup keys' made; not needed where the keys are in their places.", HelpName = "FILE",
        };
        var passphrase = BackupCommand.Passphrase();
        var replace = new Option<bool>("--replace")
        {
            Description = "Move aside what is there. A database by connection string is emptied: nothing is kept of it.",
        };
        var json = new Option<bool>("--json") { Description = "Print JSON on standard output." };
        Command command = served.AddTo(new Command("restore", Description) { from, keys, passphrase, replace, json });
        command.SetAction((parsed, cancellation) => RestoreRun.RunAsync(
            served.Options(parsed), parsed.GetValue(from)!, parsed.GetValue(keys),
            () => BackupCommand.ReadPassphrase(parsed.GetValue(passphrase)), parsed.GetValue(replace), parsed.GetValue(json),
            cancellation));
        return command;
    }
}

/// <summary>Which process is meant: as <c>serve</c> takes it.</summary>
internal sealed class ServedOptions
{
    private readonly Option<string?> _file = new("--config")
    {
        Description = "The configuration file of 'serve'; emr.json of the working folder without it, if there is one.", HelpName = "FILE",
    };

    private readonly Option<string?> _roles = new(SettingKeys.Of(SettingKeys.Roles).Option!)
    {
        Description = "The roles of the process; both without it.", HelpName = "market|site|both",
    };

    private readonly Option<string?> _folder = new(SettingKeys.Of(SettingKeys.Folder).Option!)
    {
        Description = "Where the embedded chain keeps its state, and beside it everything else; .emr/chain without it.", HelpName = "DIR",
    };

    private readonly Option<string[]> _sites = new(SettingKeys.Of(SettingKeys.Sites).Option!)
    {
        Description = "A site of the process, once per site; 'hospital' without it.", HelpName = "NAME", DefaultValueFactory = _ => [],
    };

    private readonly Option<bool> _demo = new(SettingKeys.Of(SettingKeys.Demo).Option!) { Description = "The demonstration in .emr/demo." };

    /// <summary>Puts them on a command.</summary>
    public Command AddTo(Command command)
    {
        foreach (Option option in (Option[])[_file, _roles, _folder, _sites, _demo])
        {
            command.Options.Add(option);
        }

        return command;
    }

    /// <summary>The configuration file; null when there is none.</summary>
    public string? File(ParseResult parsed) =>
        (parsed.GetValue(_file) ?? Environment.GetEnvironmentVariable(Settings.FileVariable)) is { Length: > 0 } named ? named
            : System.IO.File.Exists("emr.json") ? "emr.json" : null;

    /// <summary>What is meant.</summary>
    /// <exception cref="CommandException">The configuration is not in order.</exception>
    public ServeOptions Options(ParseResult parsed)
    {
        Dictionary<string, string?> said = new(StringComparer.OrdinalIgnoreCase);
        foreach ((string key, string? value) in new (string, string?)[]
        {
            (SettingKeys.Roles, parsed.GetValue(_roles)), (SettingKeys.Folder, parsed.GetValue(_folder)),
            (SettingKeys.Sites, parsed.GetValue(_sites) is { Length: > 0 } names ? string.Join(',', names) : null),
            (SettingKeys.Demo, parsed.GetValue(_demo) ? "true" : null),
        })
        {
            if (value is not null)
            {
                said.Add(key, value);
            }
        }

        return ServeOptions.From(Settings.Load(parsed.GetValue(_file), said));
    }
}
