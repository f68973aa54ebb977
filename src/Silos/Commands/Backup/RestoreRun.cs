using System.Globalization;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Storage.Backup;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;

namespace EmrMarket.Silos.Commands.Backup;

/// <summary>One run of <c>emr restore</c>: everything is checked before anything is changed, and what is replaced is moved aside.</summary>
internal sealed class RestoreRun
{
    private readonly ServeOptions _options;
    private readonly BackupReader _backup;
    private readonly bool _replaces;
    private readonly Dictionary<string, byte[]> _sealedKeys = new(StringComparer.Ordinal);
    private readonly string _aside = ".before-" + DateTimeOffset.UtcNow.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);

    private RestoreRun(ServeOptions options, BackupReader backup, bool replaces) =>
        (_options, _backup, _replaces) = (options, backup, replaces);

    /// <summary>Restores a backup.</summary>
    /// <param name="options">The roles and where they keep what they have.</param>
    /// <param name="from">The backup.</param>
    /// <param name="keys">The file of keys; null when the keys are in their places.</param>
    /// <param name="passphrase">Reads its passphrase.</param>
    /// <param name="replaces">Whether what is there is moved aside.</param>
    /// <param name="json">Whether the answer is for a program.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static Task<int> RunAsync(ServeOptions options, string from, string? keys, Func<string> passphrase, bool replaces, bool json,
        CancellationToken cancellationToken) => BackupFailures.ToldAsync(async () =>
    {
        BackupReader backup = await BackupReader.OpenAsync(from, BackupProgress.Tell, cancellationToken);
        RestoreRun run = new(options, backup, replaces);
        run.CheckRoles();
        if (keys is not null)
        {
            run.OpenKeys(keys, passphrase());
        }

        run.CheckKeys();
        run.CheckNobodyRuns();
        await run.CheckPlacesAsync(cancellationToken);
        await run.CheckChainAsync(cancellationToken);
        await run.DoAsync(cancellationToken);
        run.Say(json);
        return ExitCode.Success;
    });

    private string Database => Path.Combine(_options.Root, "database");

    private bool IsEmbedded(BackupDatabase database) =>
        (database.Role == DatabaseRole.Market ? _options.MarketDatabase : _options.SiteDatabase) is null;

    private bool NeedsServer => _backup.Manifest.Databases.Any(IsEmbedded);

    // ---- what is checked --------------------------------------------------------------------------------------------------

    private void CheckRoles()
    {
        string[] here = [.. _options.HasMarket ? [BackupDatabase.Market] : Array.Empty<string>(), .. _options.Sites];
        string[] there = [.. _backup.Manifest.Databases.Select(database => database.Name)];
        if (!here.Order(StringComparer.Ordinal).SequenceEqual(there.Order(StringComparer.Ordinal), StringComparer.Ordinal))
        {
            throw new CommandException(ExitCode.Usage,
                $"the backup is of {Names(there)}, and this configuration is of {Names(here)}: name the same with --roles and --site, or "
                    + "the configuration with --config");
        }

        if (_backup.Manifest.HasChain != _options.Chain is null)
        {
            throw new CommandException(ExitCode.Usage, _backup.Manifest.HasChain
                ? "the backup has the state of an embedded chain, and this configuration names another chain (Chain:Url): take that out"
                : "the backup was made of roles on a chain of their own: name its node (Chain:Url)");
        }

        static string Names(IEnumerable<string> names) => string.Join(", ", names.Select(name =>
            name == BackupDatabase.Market ? "the market" : "site " + name));
    }

    private void OpenKeys(string file, string passphrase)
    {
        KeyPlaces places = new(_options);
        foreach ((string name, byte[] content) in SealedKeys.Read(File.Exists(file) ? File.ReadAllBytes(file)
            : throw new CommandException(ExitCode.Usage, $"there is no file of keys {file}"), passphrase))
        {
            string place = places.PlaceOf(name);
            if (!_replaces && File.Exists(place) && !File.ReadAllBytes(place).AsSpan().SequenceEqual(content))
            {
                throw new BackupException(
                    $"{place} is another key than the one in {file}: move it away, or add --replace, which moves it aside");
            }

            _sealedKeys.Add(place, content);
        }
    }

    private void CheckKeys()
    {
        KeyPlaces places = new(_options);
        foreach (BackupDatabase database in _backup.Manifest.Databases)
        {
            Address account = places.Account(database.Name, Read).Address;
            if (account != Address.Parse(database.Account))
            {
                throw new BackupException(
                    $"the backup of {database.Folder} is of the account {database.Account}, and its key here is of {account}: put the "
                        + "right key in its place. Nothing was restored");
            }

            if (!_backup.Signers.Contains(account))
            {
                throw new BackupException(
                    $"{account} has not signed the backup of {database.Folder}: it was made or changed by somebody else. Nothing was "
                        + "restored");
            }

            if (database.Role == DatabaseRole.Site)
            {
                CheckSiteKeys(places, database);
            }
        }
    }

    private void CheckSiteKeys(KeyPlaces places, BackupDatabase database)
    {
        if (KeyPlaces.MarkOf(places.SiteKey(database.Name, Read)) != database.SiteKeyMark)
        {
            throw new BackupException(
                $"the site key of {database.Name} is not the one of the backup: with another one its reports would be drawn a second time, "
                    + "independent of the first, and every loss would count twice. Put the right one in its place. Nothing was restored");
        }

        StorageKey[] candidates = places.StorageKeys(database.Name, Read);
        if (!candidates.Any(key => database.Keys.All(one => Opens(key, one))))
        {
            throw new BackupException(candidates.Length == 0
                ? $"there is no storage key of site {database.Name}, without which its database cannot be read: put it in its place, or "
                    + "name a file of keys with --keys. Nothing was restored"
                : $"the storage key of site {database.Name} does not open the backup: it is that of another time or site. Keys are kept as "
                    + "long as the backups that they open. Nothing was restored");
        }

        static bool Opens(StorageKey key, BackupKey wrapped)
        {
            try
            {
                key.Unwrap(wrapped.Id, Convert.FromHexString(wrapped.Wrapped));
                return true;
            }
            catch (System.Security.Cryptography.CryptographicException)
            {
                return false;
            }
        }
    }

    private void CheckNobodyRuns()
    {
        foreach ((string folder, string name) in new[] { (Database, "postgres"), (_options.Folder, "anvil") })
        {
            if (SupervisedProcess.FindRunning(folder, name) is { } running)
            {
                throw new BackupException(
                    $"process {running.SupervisorId} works on {folder}: end it first. Two that go on from one backup would each release "
                        + "what the other does not know of");
            }
        }
    }

    private async Task CheckPlacesAsync(CancellationToken cancellationToken)
    {
        if (_replaces)
        {
            return;
        }

        if (NeedsServer && Directory.Exists(Path.Combine(Database, "data")))
        {
            throw NotEmpty(Database);
        }

        if (_backup.Manifest.HasChain && File.Exists(ChainState.FileOf(_options.Folder)))
        {
            throw NotEmpty(ChainState.FileOf(_options.Folder));
        }

        foreach (BackupDatabase database in _backup.Manifest.Databases.Where(database => !IsEmbedded(database)))
        {
            if (!await DatabaseRestore.IsEmptyAsync(External(database), cancellationToken))
            {
                throw NotEmpty("the database of " + database.Folder);
            }
        }

        static BackupException NotEmpty(string what) => new(
            $"{what} holds something already: name an empty place, or add --replace (folders are moved aside, databases elsewhere are "
                + "dropped)");
    }

    /// <summary>That the backup is of the contracts and the chain of this configuration.</summary>
    private async Task CheckChainAsync(CancellationToken cancellationToken)
    {
        string[] contracts = _backup.Manifest.Contracts;
        if (File.Exists(_options.Deployment) && !(_replaces && _backup.Manifest.HasChain))
        {
            ContractDeployment here = ContractDeployment.Load(_options.Deployment);
            if (here.ChainId != _backup.Manifest.ChainId
                || !BackupRun.ContractsOf(here).SequenceEqual(contracts, StringComparer.OrdinalIgnoreCase))
            {
                throw new BackupException(
                    $"the backup is of another deployment: DynamicAccessControl {contracts[1]} on chain {_backup.Manifest.ChainId}, and "
                        + $"{_options.Deployment} says {here.AccessControl.Address} on chain {here.ChainId}. Nothing was restored");
            }
        }

        if (_options.Chain is { } node)
        {
            using JsonRpcEthereumClient client = new(node);
            ulong chain = await client.GetChainIdAsync(cancellationToken);
            foreach (BackupDatabase database in _backup.Manifest.Databases.Where(database => database.Block is not null))
            {
                BackupBlock block = database.Block!;
                Bytes32? there = (await client.GetBlockAsync(BlockReference.At((ulong)block.Number), cancellationToken))?.Hash;
                if (chain != _backup.Manifest.ChainId || there?.ToString() != block.Hash)
                {
                    throw new BackupException(
                        $"the chain at {node} is not that of the backup: chain {chain}, block {block.Number} is "
                            + $"{there?.ToString() ?? "not there"}, "
                            + $"expected chain {_backup.Manifest.ChainId} and {block.Hash}. Nothing was restored");
                }
            }
        }
    }

    // ---- what is done -----------------------------------------------------------------------------------------------------

    private async Task DoAsync(CancellationToken cancellationToken)
    {
        string unfinished = Database + ".restoring";
        try
        {
            if (NeedsServer)
            {
                if (Directory.Exists(unfinished))
                {
                    Directory.Delete(unfinished, recursive: true);
                }

                await using EmbeddedPostgres server = await EmbeddedPostgres.StartAsync(unfinished, ChainFolders.Tools, cancellationToken);
                foreach (BackupDatabase database in _backup.Manifest.Databases.Where(IsEmbedded))
                {
                    await DatabaseRestore.RunAsync(database.Role == DatabaseRole.Market ? server.MarketConnectionString
                        : await server.GetSiteConnectionStringAsync(database.Name, cancellationToken), _backup, database, replaces: false,
                        BackupProgress.Tell, cancellationToken);
                }
            }

            foreach (BackupDatabase database in _backup.Manifest.Databases.Where(database => !IsEmbedded(database)))
            {
                await DatabaseRestore.RunAsync(External(database), _backup, database, _replaces, BackupProgress.Tell, cancellationToken);
            }

            await PlaceFilesAsync(cancellationToken);
            if (NeedsServer)
            {
                // Last, and at once: before it there is nothing to serve from.
                MoveAside(Database);
                Directory.Move(unfinished, Database);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                $"the restore was broken off: {e.Message} Free or change the disk that holds {_options.Root}, then begin again with "
                    + "--replace",
                e);
        }
    }

    private async Task PlaceFilesAsync(CancellationToken cancellationToken)
    {
        foreach ((string place, byte[] content) in _sealedKeys)
        {
            if (!File.Exists(place) || !(await File.ReadAllBytesAsync(place, cancellationToken)).AsSpan().SequenceEqual(content))
            {
                MakePrivate(Path.GetDirectoryName(place)!);
                MoveAside(place);
                Secrets.Write(place, content, replace: false);
            }
        }

        await PlaceAsync(BackupRun.DeploymentName, _options.Deployment, cancellationToken);
        foreach (string site in _options.Sites)
        {
            await PlaceAsync($"sites/{site}/market.json", Path.Combine(_options.SiteFolder(site), "market.json"), cancellationToken);
        }

        await PlaceAsync(BackupRun.ChainStateName, ChainState.FileOf(_options.Folder), cancellationToken);
    }

    private async Task PlaceAsync(string name, string place, CancellationToken cancellationToken)
    {
        if (!_backup.Has(name))
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(place))!);
        string unfinished = place + ".part";
        await using (Stream from = _backup.OpenFile(name))
        await using (FileStream to = File.Create(unfinished))
        {
            await from.CopyToAsync(to, cancellationToken);
            to.Flush(flushToDisk: true);
        }

        if (File.Exists(place) && File.ReadAllBytes(place).AsSpan().SequenceEqual(File.ReadAllBytes(unfinished)))
        {
            File.Delete(unfinished);
            return;
        }

        MoveAside(place);
        File.Move(unfinished, place);
    }

    private void MoveAside(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Move(path, path + _aside);
        }
        else if (File.Exists(path))
        {
            File.Move(path, path + _aside);
        }
    }

    private static void MakePrivate(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private byte[]? Read(string place) => _sealedKeys.GetValueOrDefault(place) ?? (File.Exists(place) ? File.ReadAllBytes(place) : null);

    private string External(BackupDatabase database) =>
        (database.Role == DatabaseRole.Market ? _options.MarketDatabase : _options.SiteDatabase)!;

    private void Say(bool json)
    {
        BackupProgress.Clear();
        string snapshot = DateTimeOffset.FromUnixTimeSeconds(_backup.Manifest.Seconds)
            .ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        if (json)
        {
            Output.Json(new
            {
                restored = _backup.Manifest.Databases.Select(database => database.Folder), snapshotSeconds = _backup.Manifest.Seconds,
                sitesToReconcile = _options.Sites,
            });
        }
        else
        {
            Output.Say($"{_options.Root} is as it was at {snapshot}");
        }

        foreach (string site in _options.Sites)
        {
            Output.Remark(
                $"site {site} does not know what its patients and its desk commanded after {snapshot}: withdrawals, pauses, stricter "
                    + "limits, own wallets, loaded records. It publishes and hands over nothing until './emr site reconcile' says so. "
                    + "Never start the old process again");
        }

        if (_options.HasMarket)
        {
            Output.Remark(
                $"the market has lost the requests that were handed in, and the files that sites delivered, after {snapshot}: sites "
                    + "deliver again when it asks, and what it cannot serve goes back to its researchers at the ledger's deadlines");
        }

        if (_backup.Manifest.HasChain)
        {
            Output.Remark($"the embedded chain, and all money on it, is as it was at {snapshot} as well");
        }
    }
}
