using System.CommandLine;
using EmrMarket.Silos.Commands.Account;
using EmrMarket.Silos.Commands.Catalogue;
using EmrMarket.Silos.Commands.Patient;
using EmrMarket.Silos.Commands.Request;
using EmrMarket.Silos.Commands.Site;
using EmrMarket.Silos.Commands.Trace;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>What commands say and how they end when there is no server, no sign-in or no sense in what was typed.</summary>
public sealed class ClientCommandTests : IDisposable
{
    // Nobody listens on the discard port of this machine, and none may: it is below 1024.
    private const string Nobody = "http://127.0.0.1:9";

    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-client-").FullName;

    [Theory]
    [InlineData(75, "./emr serve", "catalogue")]
    [InlineData(75, "./emr serve", "patient", "policy", "--schema", "synthetic")]
    [InlineData(75, "./emr serve", "request", "plan", "--schema", "synthetic", "--statistic", "mean:age", "--records", "100")]
    [InlineData(1, "account sign-in", "site", "status")]
    [InlineData(1, "account sign-in", "account", "list")]
    [InlineData(1, "account sign-in", "site", "load", "x.csv", "--as", "somebody")]
    [InlineData(2, "account key", "request", "list")]
    [InlineData(2, "64 hexadecimal digits", "trace", "xyz")]
    [InlineData(2, "--wallet", "patient", "offers")]
    [InlineData(2, "--records", "request", "open", "--statistic", "mean:age")]
    [InlineData(2, "at most 366", "request", "open", "--statistic", "mean:age", "--records", "9", "--title", "T", "--why", "W", "--days",
        "1e300")]
    [InlineData(2, "at most 366", "request", "open", "--statistic", "mean:age", "--records", "9", "--title", "T", "--why", "W", "--days",
        "NaN")]
    [InlineData(2, "one of them only", "patient", "policy", "--pause", "--resume")]
    [InlineData(2, "--offline", "request", "plan", "--statistic", "mean:age", "--records", "9", "--rate", "4")]
    [InlineData(2, "--site goes with", "account", "add", "x", "--role", "auditor", "--site", "hospital")]
    [InlineData(2, "http or https", "catalogue", "--server", "ftp://x")]
    public async Task Command_that_cannot_go_on_ends_with_its_code_and_says_what_to_do(int expected, string says, params string[] arguments)
    {
        bool named = arguments.Contains("--server");
        (int code, string output, string error) = await CommandProcess.RunAsync(
            _folder, [.. arguments, .. named ? Array.Empty<string>() : ["--server", Nobody], "--keys", Path.Combine(_folder, "keys")]);
        Assert.True(expected == code, error);
        Assert.Contains(says, error, StringComparison.Ordinal);
        Assert.Equal("", output);
    }

    [Fact]
    public void Every_verb_has_an_example_that_calls_it()
    {
        foreach (Command noun in (Command[])[AccountCommand.Create(), SiteCommand.Create(), PatientCommand.Create(),
            CatalogueCommand.Create(), RequestCommand.Create(), TraceCommand.Create()])
        {
            Check(noun, "emr " + noun.Name, "");
        }

        static void Check(Command command, string path, string above)
        {
            string known = above + command.Description;
            Assert.True(command.Subcommands.Count > 0 || known.Contains(path + " ", StringComparison.Ordinal)
                || known.Contains(path + "\n", StringComparison.Ordinal), path + " has no example");
            foreach (Command verb in command.Subcommands)
            {
                Check(verb, $"{path} {verb.Name}", known);
            }
        }
    }

    [Fact]
    public async Task Key_is_made_once_for_its_owner_alone()
    {
        string keys = Path.Combine(_folder, "keys");
        (int code, string first, string error) = await CommandProcess.RunAsync(_folder, "account", "key", "--keys", keys);
        Assert.True(code == 0, error);
        Assert.Matches("^0x[0-9a-fA-F]{40}\n$", first);
        Assert.Equal(first, (await CommandProcess.RunAsync(_folder, "account", "key", "--keys", keys)).Output);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(keys));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(keys, "researcher.key")));
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
