using System.CommandLine;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;

namespace EmrMarket.Silos.Commands.Site;

/// <summary><c>emr site rotate-key</c>: a new storage key for what a site keeps.</summary>
internal static class RotateKeyCommand
{
    private const string Description =
        """
        Gives the database of a site a new storage key and a new data key, and seals everything in it again. Not while 'serve' runs.

        It may be broken off: the same command goes on. Until it has ended, both sites/NAME/storage.key and storage.key.next are needed; afterwards the earlier key opens nothing but earlier
        backups. The site's own key, from which its reports derive, stays as it is.

        Examples:
          emr site rotate-key
          emr site rotate-key --site northside --folder .emr/demo/chain

        Exit codes: 0 done, 1 failed, 2 wrong command or key file.
        """;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var site = new Option<string>("--site")
        {
            Description = "The site's name.", HelpName = "NAME", DefaultValueFactory = _ => "hospital",
        };
        var folder = new Option<string?>("--folder")
        {
            Description =
                "Where the embedded chain keeps its state, and beside it all else; what the configuration says without it, or .emr/chain.",
                HelpName = "DIR",
        };
        var file = new Option<string?>("--config")
        {
            Description = "The configuration file of the site's 'serve'; emr.json of the working folder without it, if there is one.",
            HelpName = "FILE",
        };
        var command = new Command("rotate-key", Description) { site, folder, file };
        command.SetAction((parsed, cancellation) =>
        {
            Settings settings = Settings.Load(parsed.GetValue(file));
            string chain = parsed.GetValue(folder) ?? settings[SettingKeys.Folder] ?? ChainFolders.DefaultChain;
            return RunAsync(parsed.GetValue(site)!, Path.GetDirectoryName(Path.GetFullPath(chain))!,
                settings.Secret(SettingKeys.SiteDatabase, SettingKeys.SiteDatabaseFile), cancellation);
        });
        return command;
    }

    private static async Task<int> RunAsync(string site, string root, string? database, CancellationToken cancellationToken)
    {
        string keyFile = Path.Combine(root, "sites", site, "storage.key");
        if (!File.Exists(keyFile) && StorageKey.FromEnvironment(StorageKey.Variable) is null)
        {
            throw new CommandException(ExitCode.Usage,
                $"there is no site '{site}' here: {keyFile} does not exist. Name it with --site, and its folder with --folder.");
        }

        try
        {
            await using EmbeddedPostgres? server = database is null
                ? await EmbeddedPostgres.StartAsync(Path.Combine(root, "database"), ChainFolders.Tools, cancellationToken) : null;
            await using SiteStorage storage = await SiteStorage.OpenAsync(
                database ?? await server!.GetSiteConnectionStringAsync(site, cancellationToken), keyFile, cancellationToken);
            int parts = await KeyRotation.RunAsync(storage.Database, keyFile, afterStep: null, cancellationToken);
            string key = StorageKey.FromEnvironment(StorageKey.Variable) is null
                ? $"{keyFile} is a new key" : $"{StorageKey.NextVariable} is the key now: move it to {StorageKey.Variable}";
            Console.WriteLine(
                $"site {site}: {parts} parts are sealed again, and {key}. Keep a backup of it; destroy those of the earlier one with the "
                    + "backups of the database that it opens.");
            return ExitCode.Success;
        }
        catch (Exception e) when (e is ToolMissingException or ProcessFolderInUseException or ProcessFailedException or MigrationException
            or SealException or StoreInUseException or ArgumentException or Npgsql.NpgsqlException)
        {
            throw new CommandException(ExitCode.Failure, e.Message, e);
        }
    }
}
