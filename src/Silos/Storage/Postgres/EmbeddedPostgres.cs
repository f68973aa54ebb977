using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography;
using EmrMarket.Contracts.DevChain;
using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>A role of the program. The market and every site have a database, a database role and a password of their own; none can connect
/// to another's.</summary>
internal enum DatabaseRole
{
    /// <summary>A site's: raw records, policies, budgets.</summary>
    Site,

    /// <summary>The market's.</summary>
    Market,
}

/// <summary>
/// PostgreSQL as a child of this process, from npm's binaries, under one folder: data, passwords (0600), log. It answers on a socket in a
/// folder that only this user may enter, and to passwords only. It ends with this process, however that ends.
/// </summary>
internal sealed class EmbeddedPostgres : IAsyncDisposable
{
    private const string Name = "postgres";
    private const string Administrator = "emr_admin";
    private const string Market = "emr_market";
    private const int LongestSite = 32;

    // Of the server's 128 connections; a role's grains take turns.
    private const int MostConnectionsOfARole = 16;

    // sockaddr_un holds 108 bytes, of which the socket's own name takes 17.
    private const int LongestSocketFolder = 90;

    private readonly string _folder;
    private readonly string _socket;
    private SupervisedProcess? _process;

    private EmbeddedPostgres(string folder)
    {
        _folder = folder;
        string inside = Path.Combine(folder, "run");
        _socket = inside.Length <= LongestSocketFolder
            ? inside
            : Path.Combine(Path.GetTempPath(),
                "emrmarket-" + Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(folder)))[..16]);
    }

    /// <summary>Ends when the server ends: in success after <see cref="DisposeAsync"/>, with an error when it cannot be started
    /// again.</summary>
    public Task Completion => _process!.Completion;

    /// <summary>The server's process; another one after each restart.</summary>
    internal int ProcessId => _process!.ProcessId;

    /// <summary>How often the server died and was started again.</summary>
    internal int Restarts => _process!.Restarts;

    /// <summary>Starts the server on the folder's data, and makes it, its databases and roles the first time.</summary>
    /// <exception cref="ToolMissingException">npm or the binaries are missing, or this user may not run them; the message says what to
    /// do.</exception>
    /// <exception cref="ProcessFolderInUseException">Another process runs a server on this folder.</exception>
    /// <exception cref="ProcessFailedException">The server did not start: no room, a read-only disk, damaged data. The message ends with
    /// its log.</exception>
    public static Task<EmbeddedPostgres> StartAsync(string folder, EmbeddedTools tools, CancellationToken cancellationToken) =>
        StartAsync(folder, tools, durable: true, cancellationToken);

    /// <summary>Starts one whose data end with the run: it does not wait for the disk, and would lose them if the machine failed.</summary>
    public static Task<EmbeddedPostgres> StartForOneRunAsync(string folder, EmbeddedTools tools, CancellationToken cancellationToken) =>
        StartAsync(folder, tools, durable: false, cancellationToken);

    /// <summary>The server that another process of this user runs on a folder; null when none does. Disposing of it ends nothing.</summary>
    public static EmbeddedPostgres? FindRunning(string folder) =>
        SupervisedProcess.FindRunning(Path.GetFullPath(folder), Name) is null ? null : new EmbeddedPostgres(Path.GetFullPath(folder));

    private static async Task<EmbeddedPostgres> StartAsync(
        string folder, EmbeddedTools tools, bool durable, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(tools);
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException(
                "embedded engines run on Linux and macOS: use the Windows Subsystem for Linux, or a server of your own by a connection "
                    + "string");
        }

        string programs = await tools.GetPostgresAsync(cancellationToken);
        EmbeddedPostgres postgres = new(Path.GetFullPath(folder));
        try
        {
            foreach (string private_ in (string[])[postgres._folder, postgres.Keys, postgres._socket])
            {
                Directory.CreateDirectory(private_, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProcessFailedException(Name,
                $"its folder {postgres._folder} cannot be made: {e.Message}. Name another one, or free the disk", "(it was not started)");
        }

        string[] asUser = await AsUserAsync(cancellationToken);
        string[] command = [.. asUser, Path.Combine(programs, "postgres"), "-D", postgres.Data, "-c", "listen_addresses=", "-c",
            "unix_socket_directories=" + postgres._socket,
            "-c", "unix_socket_permissions=0700", "-c", "password_encryption=scram-sha-256", "-c", "max_connections=128", "-c",
            "log_min_messages=warning",
            .. durable ? (string[])[] : ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]];
        postgres._process = await SupervisedProcess.StartAsync(
            new SupervisedProcessOptions
            {
                Name = Name,
                Program = command[0],
                Arguments = command[1..],
                Folder = postgres._folder,
                Endpoint = postgres._socket,
                StopSignal = "INT",
                BeforeFirstStartAsync = cancellation =>
                    postgres.WithRoomAsync(() => postgres.InitialiseAsync(asUser, programs, durable, cancellation)),
                IsReadyAsync = postgres.AnswersAsync,
                PrepareAsync = cancellation => postgres.WithRoomAsync(() => postgres.PrepareAsync(cancellation)),
            },
            cancellationToken);
        return postgres;
    }

    /// <summary>How the market connects to its database. Holds its password: not for logs.</summary>
    public string MarketConnectionString => Connection(Market, Market, Password(Market));

    /// <summary>How a site connects to its database, which is made the first time. Holds its password: not for logs.</summary>
    /// <param name="site">The site's name: 1 to 32 lower-case letters, digits and hyphens.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<string> GetSiteConnectionStringAsync(string site, CancellationToken cancellationToken)
    {
        if (site is not { Length: > 0 and <= LongestSite }
            || !site.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))
        {
            throw new ArgumentException($"a site's name has 1 to {LongestSite} lower-case letters, digits and hyphens", nameof(site));
        }

        string name = "emr_site_" + site.Replace('-', '_');
        await using NpgsqlConnection connection = new(AdministratorConnectionString + ";Pooling=false");
        await connection.OpenAsync(cancellationToken);
        await WithRoomAsync(() => MakeAsync(connection, name, cancellationToken));
        return Connection(name, name, Password(name));
    }

    /// <summary>As the one who may create databases: for tests, which make one each.</summary>
    internal string AdministratorConnectionString => Connection(Administrator, "postgres", Password(Administrator));

    /// <summary>Ends the server after the statements that run.</summary>
    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        if (_process is { } process)
        {
            await process.DisposeAsync();
            if (!_socket.StartsWith(_folder, StringComparison.Ordinal) && Directory.Exists(_socket)
                && !Directory.EnumerateFileSystemEntries(_socket).Any())
            {
                // It stands in the system's folder for temporary files, since the path of this one's was too long for a socket.
                Directory.Delete(_socket);
            }
        }
    }

    private string Data => Path.Combine(_folder, "data");

    private string Keys => Path.Combine(_folder, "keys");

    private string Connection(string user, string database, string password) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = _socket, Username = user, Database = database, Password = password, IncludeErrorDetail = false,
            MaxPoolSize = MostConnectionsOfARole, GssEncryptionMode = GssEncryptionMode.Disable,
        }.ConnectionString;

    private string PasswordFile(string user) => Path.Combine(Keys, user + ".password");

    private string Password(string user) => File.ReadAllText(PasswordFile(user));

    /// <summary>initdb refuses root; in a user namespace of its own the same files belong to somebody else.</summary>
    private static async Task<string[]> AsUserAsync(CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return [];
        }

        string[] unshare = ["unshare", "--user", "--map-user=1000", "--map-group=1000"];
        (int exit, string output) = await RunAsync([.. unshare, "true"], cancellationToken);
        return exit == 0 ? unshare : throw new ToolMissingException(
            $"PostgreSQL does not run as root, and this system gives no user namespace to run it in ({output.Trim()}): start ./emr as a "
                + "normal user, or name a server of your own by a connection string");
    }

    /// <summary>Tells a full, read-only or forbidden disk as what it is, whoever meets it first.</summary>
    private async Task WithRoomAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException
            or PostgresException { SqlState: PostgresErrorCodes.DiskFull or PostgresErrorCodes.IoError })
        {
            throw new ProcessFailedException(Name,
                $"it cannot write to {_folder}: {e.Message}. Free or change the disk that holds it, then start again; nothing that was "
                    + "stored is lost", "(see postgres.log there)");
        }
    }

    /// <summary>Makes the data, whole or not at all: what a killed attempt left is thrown away.</summary>
    private async Task InitialiseAsync(string[] asUser, string programs, bool durable, CancellationToken cancellationToken)
    {
        if (Directory.Exists(Data))
        {
            return;
        }

        await WritePasswordAsync(Administrator, cancellationToken);
        string unfinished = Data + ".new";
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }

        (int exit, string output) = await RunAsync(
            [.. asUser, Path.Combine(programs, "initdb"), "-D", unfinished, "-U", Administrator, "-A", "scram-sha-256", "--pwfile",
                PasswordFile(Administrator),
                "-E", "UTF8", "--locale=C", .. durable ? (string[])[] : ["--no-sync"]],
            cancellationToken);
        if (exit != 0)
        {
            throw new ProcessFailedException(
                Name, $"initdb ended with exit code {exit}. Free or change the disk that holds {_folder}, then start again", output);
        }

        Directory.Move(unfinished, Data);
    }

    private async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using NpgsqlConnection connection = new(AdministratorConnectionString + ";Pooling=false");
            await connection.OpenAsync(cancellationToken);
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = new(AdministratorConnectionString + ";Pooling=false");
        await connection.OpenAsync(cancellationToken);
        await MakeAsync(connection, Market, cancellationToken);
        await ExecuteAsync(connection, "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC", cancellationToken);
    }

    /// <summary>Sees that a role and its database are there. Names and passwords are this class's own letters and digits.</summary>
    private async Task MakeAsync(NpgsqlConnection connection, string name, CancellationToken cancellationToken)
    {
        if (!File.Exists(PasswordFile(name)))
        {
            await WritePasswordAsync(name, cancellationToken);
        }

        // The password every time: its file is written before the role is made, and either may be lost without the other.
        string verb = await ExistsAsync(connection, "pg_roles", "rolname", name, cancellationToken) ? "ALTER" : "CREATE";
        await ExecuteAsync(connection, $"{verb} ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{Password(name)}'",
            cancellationToken);
        if (!await ExistsAsync(connection, "pg_database", "datname", name, cancellationToken))
        {
            await ExecuteAsync(connection, $"CREATE DATABASE {name} OWNER {name}", cancellationToken);
        }

        await ExecuteAsync(connection, $"REVOKE ALL ON DATABASE {name} FROM PUBLIC", cancellationToken);
    }

    private async Task WritePasswordAsync(string user, CancellationToken cancellationToken)
    {
        FileStreamOptions options = new() { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        string unfinished = PasswordFile(user) + ".part";
        await using (FileStream stream = new(unfinished, options))
        {
            await stream.WriteAsync(
                System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))), cancellationToken);
        }

        File.Move(unfinished, PasswordFile(user), overwrite: true);
    }

    private static async Task<bool> ExistsAsync(
        NpgsqlConnection connection, string table, string column, string name, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new($"SELECT 1 FROM {table} WHERE {column} = $1", connection)
        {
            Parameters = { new() { Value = name } },
        };
        return await command.ExecuteScalarAsync(cancellationToken) is not null;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(string[] command, CancellationToken cancellationToken)
    {
        ProcessStartInfo start = new(command[0], command[1..])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(cancellationToken),
            errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return (process.ExitCode, await output + await errors);
        }
        catch (Win32Exception e)
        {
            return (-1, e.Message);
        }
    }
}
