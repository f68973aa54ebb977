using System.Globalization;
using System.Reflection;
using System.Text.Json;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Storage.Backup;
using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Commands.Backup;

/// <summary>One run of <c>emr backup</c>: databases first, all at one moment, then what only grows.</summary>
internal static class BackupRun
{
    public const string DeploymentName = "deployment.json";
    public const string ChainStateName = "chain/state.json";
    public const string ConfigurationName = "configuration.json";

    /// <summary>Backs the roles of a configuration up.</summary>
    /// <param name="options">The roles and where they keep what they have.</param>
    /// <param name="configuration">The configuration file; null for none.</param>
    /// <param name="to">The folder of the backup; a new one beside everything else when null.</param>
    /// <param name="json">Whether the answer is for a program.</param>
    /// <param name="cancellationToken">Ends it; nothing is left.</param>
    public static Task<int> RunAsync(
        ServeOptions options, string? configuration, string? to, bool json, CancellationToken cancellationToken) =>
        BackupFailures.ToldAsync(async () =>
    {
        string folder = to ?? Path.Combine(options.Root, "backups", DateTimeOffset.UtcNow.ToString("yyyyMMdd'T'HHmmss'Z'",
            CultureInfo.InvariantCulture));
        if (!File.Exists(options.Deployment))
        {
            throw new BackupException(
                $"there is no deployment file {options.Deployment}: nothing was ever served from here. Name the folder with --folder, or "
                    + "the configuration with --config");
        }

        ContractDeployment deployment = ContractDeployment.Load(options.Deployment);
        using BackupWriter writer = new(folder);
        await using EmbeddedPostgres? server = await ServerAsync(options, cancellationToken);
        List<BackupDatabase> databases = [];
        List<EthereumAccount> accounts = [];
        long seconds = await CopyDatabasesAsync(options, server, writer, databases, accounts, cancellationToken);
        await AddFileAsync(writer, DeploymentName, options.Deployment, cancellationToken);
        foreach (string site in options.Sites)
        {
            await AddFileAsync(writer, $"sites/{site}/market.json", Path.Combine(options.SiteFolder(site), "market.json"),
                cancellationToken);
        }

        await AddFileAsync(writer, ConfigurationName, configuration ?? "", cancellationToken);
        if (options.Chain is null)
        {
            // After the databases, so that the chain has all that they know.
            BackupProgress.Tell("the embedded chain");
            await ChainState.CopyAsync(
                options.Folder, databases.Max(database => database.Block?.Number ?? 0), content => writer.AddAsync(ChainStateName,
                    async stream => await stream.WriteAsync(content, cancellationToken)), cancellationToken);
        }

        BackupManifest manifest = new()
        {
            Format = BackupManifest.FormatName,
            Version = BackupManifest.CurrentVersion,
            Program = typeof(BackupRun).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Seconds = seconds,
            ChainId = deployment.ChainId,
            Contracts = ContractsOf(deployment),
            HasChain = options.Chain is null,
            Databases = [.. databases],
            Files = [.. writer.Files],
        };
        await writer.CompleteAsync(manifest, accounts);
        BackupProgress.Clear();
        string full = Path.GetFullPath(folder);

        // Whose age 'serve' measures (emr_backup_last_success_timestamp_seconds).
        Secrets.Write(options.Configuration[SettingKeys.MetricsBackupFile] ?? Path.Combine(options.Root, "backups", "last-success"),
            JsonSerializer.SerializeToUtf8Bytes(new { seconds, folder = full }), replace: true);
        Say(manifest, full, json);
        return ExitCode.Success;
    });

    /// <summary>The contracts of a deployment, in the manifest's order.</summary>
    public static string[] ContractsOf(ContractDeployment deployment) =>
    [
        deployment.Token.Address, deployment.AccessControl.Address, deployment.Matching.Address, deployment.Evaluation.Address,
        deployment.Payments.Address,
    ];

    /// <summary>The embedded server, where a role needs it: the one that runs, or one that this process starts.</summary>
    private static async Task<EmbeddedPostgres?> ServerAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(options.Root, "database");
        bool isNeeded = (options.HasMarket && options.MarketDatabase is null) || (options.HasSites && options.SiteDatabase is null);
        return !isNeeded ? null
            : !Directory.Exists(Path.Combine(folder, "data")) ? throw new BackupException(
                $"there is no database in {folder}: nothing was ever served from here. Name the folder with --folder")
            : EmbeddedPostgres.FindRunning(folder) ?? await EmbeddedPostgres.StartAsync(folder, ChainFolders.Tools, cancellationToken);
    }

    private static async Task<long> CopyDatabasesAsync(ServeOptions options, EmbeddedPostgres? server, BackupWriter writer,
        List<BackupDatabase> databases, List<EthereumAccount> accounts, CancellationToken cancellationToken)
    {
        List<(string Name, DatabaseSnapshot Snapshot)> snapshots = [];
        try
        {
            // All snapshots before the first byte: what one role told another is in both or, but for a moment, in the teller's alone.
            if (options.HasMarket)
            {
                snapshots.Add((BackupDatabase.Market, await DatabaseSnapshot.TakeAsync(
                    options.MarketDatabase ?? server!.MarketConnectionString, DatabaseRole.Market, cancellationToken)));
            }

            foreach (string site in options.Sites)
            {
                _ = File.Exists(Path.Combine(options.SiteFolder(site), "site.key")) ? site : throw new BackupException(
                    $"there is no site '{site}' here: {Path.Combine(options.SiteFolder(site), "site.key")} does not exist. Name the "
                        + "sites of this process with --site");
                snapshots.Add((site, await DatabaseSnapshot.TakeAsync(
                    options.SiteDatabase ?? await server!.GetSiteConnectionStringAsync(site, cancellationToken), DatabaseRole.Site,
                    cancellationToken)));
            }

            long seconds = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            KeyPlaces keys = new(options);
            foreach ((string name, DatabaseSnapshot snapshot) in snapshots)
            {
                EthereumAccount account = keys.Account(name, Read);
                accounts.Add(account);
                BackupDatabase database = new()
                {
                    Name = name,
                    Account = account.Address.ToString(),
                    Migrations = snapshot.Migrations,
                    Block = await snapshot.BlockAsync(cancellationToken),
                    Tables = [],
                    Sequences = [],
                    Keys = await snapshot.KeysAsync(cancellationToken),
                    SiteKeyMark = name == BackupDatabase.Market ? "" : KeyPlaces.MarkOf(keys.SiteKey(name, Read)),
                };
                databases.Add(database with
                {
                    Tables = await snapshot.CopyAsync(database.Folder, writer, BackupProgress.Tell, cancellationToken),
                    Sequences = await snapshot.SequencesAsync(cancellationToken),
                });
            }

            return seconds;
        }
        finally
        {
            foreach ((_, DatabaseSnapshot snapshot) in snapshots)
            {
                await snapshot.DisposeAsync();
            }
        }

        static byte[]? Read(string place) => File.Exists(place) ? File.ReadAllBytes(place) : null;
    }

    private static async Task AddFileAsync(BackupWriter writer, string name, string path, CancellationToken cancellationToken)
    {
        if (File.Exists(path))
        {
            await writer.AddAsync(name, async stream =>
            {
                await using FileStream file = File.OpenRead(path);
                await file.CopyToAsync(stream, cancellationToken);
            });
        }
    }

    private static void Say(BackupManifest manifest, string folder, bool json)
    {
        long bytes = manifest.Files.Sum(file => file.Bytes);
        if (json)
        {
            Output.Json(new
            {
                folder, manifest.Seconds, bytes, databases = manifest.Databases.Select(database => new
                {
                    name = database.Folder, rows = database.Tables.Sum(table => table.Rows), block = database.Block?.Number,
                }),
            });
            return;
        }

        Output.Say(string.Create(CultureInfo.InvariantCulture,
            $"{folder}: {string.Join(", ", manifest.Databases.Select(database => database.Folder))}, {bytes / 1e6:0.0} MB"));
        Output.Remark(
            "no key is in it, and what a site keeps cannot be read without its keys: './emr backup keys' seals them in a file for another "
                + "place");
    }
}

/// <summary>Tells on a terminal what is being written or read, on one line; to a file it says nothing.</summary>
internal static class BackupProgress
{
    private const int Widest = 78;

    /// <summary>What it is at.</summary>
    public static void Tell(string what)
    {
        if (!Console.IsErrorRedirected)
        {
            Console.Error.Write("\r" + (what.Length > Widest ? what[..Widest] : what.PadRight(Widest)));
        }
    }

    /// <summary>Takes the line away.</summary>
    public static void Clear()
    {
        if (!Console.IsErrorRedirected)
        {
            Console.Error.Write("\r" + new string(' ', Widest) + "\r");
        }
    }
}

/// <summary>How backups and restores fail, in words.</summary>
internal static class BackupFailures
{
    /// <summary>Does the work, and tells what goes wrong with it.</summary>
    public static async Task<int> ToldAsync(Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is BackupException or ToolMissingException or ProcessFolderInUseException or ProcessFailedException
            or StoreInUseException or MigrationException or KeyFileException or DeploymentException)
        {
            throw new CommandException(ExitCode.Failure, e.Message, e);
        }
        catch (Contracts.Ethereum.EthereumException e)
        {
            throw new CommandException(e.IsTransient ? ExitCode.NotReady : ExitCode.Failure, e.Message, e);
        }
        catch (NpgsqlException e)
        {
            // Its message may name the user and the server, never the password.
            throw new CommandException(e.IsTransient ? ExitCode.NotReady : ExitCode.Failure, $"the database: {e.Message}", e);
        }
        finally
        {
            BackupProgress.Clear();
        }
    }
}
