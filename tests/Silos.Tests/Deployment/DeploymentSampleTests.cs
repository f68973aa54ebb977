using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Hosting;

namespace EmrMarket.Silos.Tests.Deployment;

/// <summary>The samples in deploy/: every configuration is one that the program takes, every unit and script is of its form, and every
/// folder is explained.</summary>
public sealed partial class DeploymentSampleTests
{
    private static readonly string Root = Path.Combine(Tools.RepositoryRoot, "deploy");

    public static TheoryData<string> Configurations => [.. Files("emr.json")];

    public static TheoryData<string> Units => [.. Files("*.service")];

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Configuration_is_one_that_serve_takes_and_explains_every_key(string file)
    {
        string path = Path.Combine(Root, file);
        List<KeyValuePair<string, string?>> here = [];
        Settings settings = Settings.Load(path);
        foreach (string secret in new[] { SettingKeys.MarketDatabaseFile, SettingKeys.SiteDatabaseFile })
        {
            if (settings[secret] is not null)
            {
                here.Add(KeyValuePair.Create(secret, (string?)""));
            }
        }

        if (file.StartsWith("cluster", StringComparison.Ordinal) && GrainHosting.IsOneProcess)
        {
            // A cluster needs the other build, and this one says so; all else is read as it would be there.
            Assert.Contains("-p:GrainRuntime=Orleans",
                Assert.Throws<Silos.Commands.CommandException>(() => ServeOptions.From(Settings.Load(path, here))).Message,
                StringComparison.Ordinal);
            GrainSettings grains = GrainSettings.From(settings.Configuration);
            Assert.True(grains.Cluster is { SiloPort: > 0, GatewayPort: > 0, ClusterId.Length: > 0 });
            Assert.DoesNotContain("Password", grains.Cluster.ConnectionString, StringComparison.OrdinalIgnoreCase);
        }
        else
        {
            Assert.NotEmpty(ServeOptions.From(Settings.Load(path, here)).Folder);
        }

        string[] lines = File.ReadAllLines(path);
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].TrimStart().StartsWith('"') && !lines[i].TrimEnd().EndsWith('{'))
            {
                Assert.True(lines[i - 1].TrimStart().StartsWith("//", StringComparison.Ordinal),
                    $"{file}:{i + 1}: no comment says what this key is");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Units))]
    public async Task Unit_is_of_systemds_form_and_starts_a_command_that_exists(string file)
    {
        string path = Path.Combine(Root, file);
        string[] sections = ["[Unit]", "[Service]", "[Install]"];
        List<string> seen = [];
        string? started = null;
        foreach (string line in await File.ReadAllLinesAsync(path))
        {
            if (line.StartsWith('['))
            {
                seen.Add(line);
            }
            else if (line.Length > 0 && !line.StartsWith('#'))
            {
                Assert.Matches("^[A-Z][A-Za-z]+=(.+|$)", line);
                started = line.StartsWith("ExecStart=", StringComparison.Ordinal) ? line : started;
            }
        }

        Assert.Equal(sections, seen);
        string[] words = started!.Split(' ');
        Assert.Equal(["ExecStart=/usr/bin/dotnet", "/opt/emrmarket/emrmarket.dll"], words[..2]);
        RootCommand root = new() { ServeCommand.Create() };
        Assert.Empty(root.Parse(words[2..]).Errors);

        // What the unit names is what the steps beside it put there.
        Assert.Contains(Path.GetFileNameWithoutExtension(file), await File.ReadAllTextAsync(ReadmeOf(path)), StringComparison.Ordinal);
        if (File.Exists("/usr/bin/systemd-analyze"))
        {
            // Where systemd is at hand it judges itself: it knows every directive. The program of the unit need not be there.
            (int _, string said) = await RunAsync("systemd-analyze", "verify", path);
            Assert.DoesNotContain("Unknown", said, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("Failed to parse", said, StringComparison.OrdinalIgnoreCase);

            // systemd's own mark, from 0 (locked up) to 10: what is left are network, the runtime's compiler and what it reads of /proc.
            (int _, said) = await RunAsync("systemd-analyze", "security", "--offline=yes", "--no-pager", path);
            Match mark = Exposure().Match(said);
            Assert.True(mark.Success, said);
            Assert.InRange(double.Parse(mark.Groups["mark"].Value, CultureInfo.InvariantCulture), 0, 1.5);
        }
    }

    [Fact]
    public async Task Scripts_are_of_bashs_form()
    {
        string[] scripts =
            [.. Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories)
                .Where(file => File.ReadLines(file).FirstOrDefault()?.StartsWith("#!", StringComparison.Ordinal) == true)];
        Assert.NotEmpty(scripts);
        foreach (string script in scripts)
        {
            (int code, string said) = await RunAsync("bash", "-n", script);
            Assert.True(code == 0, said);
        }
    }

    [Fact]
    public void Every_sample_is_explained() =>
        Assert.All(
            Files("emr.json").Select(file => file.Split('/')[0]).Distinct(StringComparer.Ordinal),
            folder => Assert.True(File.Exists(Path.Combine(Root, folder, "README.md")), $"{folder}/README.md is missing"));

    private static IEnumerable<string> Files(string pattern) => Directory.EnumerateFiles(Root, pattern, SearchOption.AllDirectories)
        .Where(file => !file.Contains(Path.Combine("node_modules"), StringComparison.Ordinal))
        .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/')).Order(StringComparer.Ordinal);

    private static string ReadmeOf(string path) =>
        Enumerable.Range(0, 3)
            .Select(up => Path.GetFullPath(Path.Combine([Path.GetDirectoryName(path)!, .. Enumerable.Repeat("..", up), "README.md"])))
            .First(File.Exists);

    private static async Task<(int Code, string Said)> RunAsync(string program, params string[] arguments)
    {
        using Process process =
            Process.Start(new ProcessStartInfo(
                program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }

    [GeneratedRegex("Overall exposure level for .*: (?<mark>[0-9.]+) ", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Exposure();
}
