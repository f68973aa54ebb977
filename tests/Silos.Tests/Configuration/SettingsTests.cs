using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Tests.Commands;
using EmrMarket.Silos.Tests.Records;

namespace EmrMarket.Silos.Tests.Configuration;

/// <summary>The layers of the configuration, and what none of them may hold.</summary>
public sealed class SettingsTests : IDisposable
{
    private const string Secret = "Host=db;Password=hunter2";
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Reference_is_what_the_table_of_keys_says()
    {
        string file = Path.Combine(Tools.RepositoryRoot, "docs", "CONFIGURATION.md");
        Assert.True(ConfigurationReference.Write() == await File.ReadAllTextAsync(file),
            "docs/CONFIGURATION.md is not what the program says: './emr config --reference > docs/CONFIGURATION.md'");
        Assert.Equal(SettingKeys.All.Count,
            SettingKeys.All.Select(setting => setting.Variable).Distinct(StringComparer.OrdinalIgnoreCase).Count());
    }

    [Fact]
    public async Task Later_layer_goes_before_an_earlier_one_and_is_named()
    {
        string file = Write("""
            {
              // Comments are allowed.
              "Urls": "http://127.0.0.1:1", "Sites": "north", "Chain": { "Confirmations": 3 },
            }
            """);
        (int code, string output, string error) = await CommandProcess.RunAsync(
            _folder.Path, ["config", "--config", file], Environment(("EMR__URLS", "http://127.0.0.1:2")));
        Assert.True(code == 0, error);
        string[] lines = output.Split('\n');
        Assert.Contains(lines, line => line.Contains("Urls", StringComparison.Ordinal)
            && line.Contains("http://127.0.0.1:2", StringComparison.Ordinal) && line.Contains("the environment", StringComparison.Ordinal));
        Assert.Contains(lines,
            line => line.Contains("Sites", StringComparison.Ordinal) && line.Contains("north", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("Roles", StringComparison.Ordinal) && line.Contains("both", StringComparison.Ordinal)
            && line.Contains("the default", StringComparison.Ordinal));

        Settings settings = Settings.Load(file, Said((SettingKeys.Sites, "south"), (SettingKeys.Demo, "false")));
        Assert.Equal(("south", "the command line"), (settings[SettingKeys.Sites], settings.SourceOf(SettingKeys.Sites)));
        Assert.Equal(("http://127.0.0.1:1", file), (settings[SettingKeys.Urls], settings.SourceOf(SettingKeys.Urls)));
        ServeOptions options = ServeOptions.From(settings);
        Assert.Equal(["south"], options.Sites);
        Assert.Equal(3ul, options.Confirmations);
    }

    [Theory]
    [InlineData("""{ "Url": "http://127.0.0.1:1" }""", "there is no key Url")]
    [InlineData("""{ "Chain": { "Url": { "Deep": 1 } } }""", "there is no key Chain:Url:Deep")]
    [InlineData("""{ "Market": { "Database": "Host=db;Password=hunter2" } }""", "Market:Database is a secret")]
    [InlineData("""{ "Site": { "StorageKey": "hunter2" } }""", "Site:StorageKey is a secret")]
    [InlineData("""{ "Grains": { "Cluster": { "ConnectionString": "Host=db;Password=hunter2" } } }""", "holds a password")]
    [InlineData("{\n\"Site\": hunter2\n}", "line 2 is not JSON")]
    [InlineData("""{ "Urls": "hunter2", "urls": "x" }""", "not JSON, or says one key twice")]
    public void File_that_says_what_none_may_is_refused_and_not_quoted(string json, string says)
    {
        CommandException refused = Assert.Throws<CommandException>(() => Settings.Load(Write(json)));
        Assert.Equal(ExitCode.Usage, refused.Code);
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Environment_that_says_what_it_may_not_ends_the_command_before_anything_starts()
    {
        foreach ((string name, string value, string says) in new[]
        {
            ("EMR__CHAINURL", "http://127.0.0.1:1", "there is no key EMR__CHAINURL"),
            ("EMR__CONFIG", "nowhere.json", "there is no configuration file nowhere.json"),
            ("EMR__ROLES", "all", "--roles is market, site or both, got 'all' (Roles, said by the environment)"),
        })
        {
            (int code, _, string error) = await CommandProcess.RunAsync(
                _folder.Path, ["serve", "--folder", _folder.Place("chain")], Environment((name, value)));
            Assert.Equal(ExitCode.Usage, code);
            Assert.Contains(says, error, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task Secret_comes_from_the_environment_or_from_a_file_of_its_owner_and_is_never_shown()
    {
        string open = Write(Secret), shut = CommandProcess.Secret(_folder.Path, "shut", Secret);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(open, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
            Assert.Contains("chmod 600", Refused((SettingKeys.MarketDatabaseFile, open)), StringComparison.Ordinal);
        }

        Assert.Equal(Secret, ServeOptions.From(Settings.Load(commandLine: Said((SettingKeys.MarketDatabaseFile, shut)))).MarketDatabase);
        Assert.Contains("there is no file", Refused((SettingKeys.MarketDatabaseFile, shut + ".gone")), StringComparison.Ordinal);
        (int code, string output, string error) = await CommandProcess.RunAsync(
            _folder.Path, ["config"], Environment(("EMR__MARKET__DATABASE", Secret)));
        Assert.Equal(0, code);
        Assert.Contains("(secret)", output, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", output + error, StringComparison.Ordinal);
        (code, output, error) = await CommandProcess.RunAsync(
            _folder.Path, ["serve"], Environment(("EMR__MARKET__DATABASE", Secret), ("EMR__MARKET__DATABASEFILE", shut)));
        Assert.Equal(ExitCode.Usage, code);
        Assert.Contains("keep one of them", error, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", output + error, StringComparison.Ordinal);
        Assert.Contains("for a cluster of silos", Refused(("Grains:Cluster:ClusterId", "one")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Roles=site", "--chain")]
    [InlineData("Roles=site;Chain:Url=http://127.0.0.1:1", "--market")]
    [InlineData("Roles=site;Chain:Url=http://127.0.0.1:1;Link:Market=http://127.0.0.1:2", "--market is an https URL")]
    [InlineData("Roles=site;Chain:Url=http://127.0.0.1:1;Link:Market=https://127.0.0.1:2;Link:Pin=12", "64 hexadecimal digits")]
    [InlineData("Roles=market;Link:Market=https://127.0.0.1:2", "--market names a market elsewhere")]
    [InlineData("Roles=market;Demo=true", "--demo")]
    [InlineData("Demo=maybe", "is true or false")]
    [InlineData("Chain:Confirmations=0", "lies in 1 to 1000")]
    [InlineData("Sites=a,a", "each once")]
    [InlineData("Sites=Hospital", "lower-case")]
    [InlineData("Urls=http://192.0.2.1:80", "--insecure-demo")]
    [InlineData("Link:Urls=https://0.0.0.0:5443", "--insecure-demo")]
    public void Values_that_contradict_each_other_are_refused_with_the_option_to_mend(string said, string says) =>
        Assert.Contains(says, Refused([.. said.Split(';').Select(pair => (pair.Split('=')[0], pair.Split('=')[1]))]),
            StringComparison.Ordinal);

    private static string Refused(params (string Key, string Value)[] said)
    {
        CommandException refused = Assert.Throws<CommandException>(() => ServeOptions.From(Settings.Load(commandLine: Said(said))));
        Assert.Equal(ExitCode.Usage, refused.Code);
        return refused.Message;
    }

    private static IEnumerable<KeyValuePair<string, string?>> Said(params (string Key, string Value)[] said) =>
        said.Select(one => KeyValuePair.Create(one.Key, (string?)one.Value));

    private static Dictionary<string, string> Environment(params (string Name, string Value)[] variables) =>
        variables.ToDictionary(one => one.Name, one => one.Value, StringComparer.Ordinal);

    private string Write(string text)
    {
        string path = Path.Combine(_folder.Path, "settings.json");
        File.WriteAllText(path, text);
        return path;
    }
}
