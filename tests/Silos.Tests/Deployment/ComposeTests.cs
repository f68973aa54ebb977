using System.Net;
using System.Text.RegularExpressions;

namespace EmrMarket.Silos.Tests.Deployment;

/// <summary>The compose file's parts fit each other, the files beside it and the steps that its README tells. Its form was held against the
/// specification's schema where it was written.</summary>
public sealed partial class ComposeTests
{
    private static readonly string Folder = Path.Combine(Tools.RepositoryRoot, "deploy", "compose");
    private static readonly string Text = File.ReadAllText(Path.Combine(Folder, "compose.yml"));
    private static readonly string Readme = File.ReadAllText(Path.Combine(Folder, "README.md"));

    /// <summary>The blocks of a top-level section, each with its lines.</summary>
    private static Dictionary<string, string> Section(string name)
    {
        string body = Text.Split($"\n{name}:\n")[1];
        body = TopLevel().Split(body)[0];
        return Block().Matches(body).ToDictionary(
            block => block.Groups["name"].Value, block => block.Groups["body"].Value, StringComparer.Ordinal);
    }

    [Fact]
    public void Services_use_networks_volumes_and_secrets_that_there_are_and_all_of_them()
    {
        Dictionary<string, string> services = Section("services");
        Assert.Equal(10, services.Count);
        string used = string.Join('\n', services.Values) + Text.Split("services:")[0];
        foreach (string network in Section("networks").Keys)
        {
            Assert.Matches($@"networks: [\[{{][^\n]*\b{network}\b", used);
        }

        Assert.All(Section("volumes").Keys, volume => Assert.Contains($"{volume}:/", used, StringComparison.Ordinal));
        foreach ((string secret, string body) in Section("secrets"))
        {
            Assert.Matches($"(\"{secret}\"|source: {secret})", used);
            string file = Path.GetFileName(File_().Match(body).Groups["path"].Value);
            Assert.True(
                Readme.Contains(file, StringComparison.Ordinal)
                    || Readme.Contains("$role-" + file.Split('-')[^1], StringComparison.Ordinal), $"the steps do not make {file}");
        }
    }

    [Fact]
    public void Files_that_services_read_are_there_or_made_by_the_steps()
    {
        foreach (Match mount in Mount().Matches(Text))
        {
            string path = mount.Groups["path"].Value;
            Assert.True(
                File.Exists(Path.Combine(Folder, path)) || path.StartsWith("../consortium/network/", StringComparison.Ordinal)
                    || (path.StartsWith("./secrets/", StringComparison.Ordinal)
                        && Readme.Contains(Path.GetFileName(path), StringComparison.Ordinal)),
                $"{path} is neither in the repository nor made by the steps");
        }

        Assert.Equal("secrets/\n.env\n", File.ReadAllText(Path.Combine(Folder, ".gitignore")));
    }

    /// <summary>Besu refuses names where it takes addresses, for <c>--p2p-host</c> and in an enode.</summary>
    [Fact]
    public void Validators_have_the_addresses_that_they_tell()
    {
        IPNetwork chain = IPNetwork.Parse(Subnet().Match(Text).Groups["subnet"].Value);
        HashSet<IPAddress> addresses = [];
        foreach ((string name, string body) in Section("services").Where(one => one.Key.StartsWith("validator", StringComparison.Ordinal)))
        {
            IPAddress told = IPAddress.Parse(Told().Match(body).Groups["address"].Value);
            Assert.Equal(told, IPAddress.Parse(Has().Match(body).Groups["address"].Value));
            Assert.True(chain.Contains(told) && addresses.Add(told), name);
            Assert.Equal(name != "validator-1", body.Contains("--bootnodes=${BOOTNODE:?", StringComparison.Ordinal));
            if (name == "validator-1")
            {
                Assert.Contains($"@{told}:30303", Readme, StringComparison.Ordinal);
            }
        }

        Assert.Equal(4, addresses.Count);
    }

    [Fact]
    public void Program_runs_without_rights_and_writes_only_where_it_keeps_its_data()
    {
        string program = Text.Split("x-program:")[1].Split("\nx-")[0];
        foreach (string line in (string[])["read_only: true", "cap_drop: [\"ALL\"]", "no-new-privileges:true", "core: 0"])
        {
            Assert.Contains(line, program, StringComparison.Ordinal);
        }

        string container = File.ReadAllText(Path.Combine(Folder, "Containerfile"));
        Assert.Contains("\nUSER 10001:10001\n", container, StringComparison.Ordinal);
        Assert.Contains("\nVOLUME /data\n", container, StringComparison.Ordinal);
        Assert.All(Arg().Matches(container).Select(match => match.Groups["name"].Value),
            name => Assert.Matches($"{name}: \\$\\{{{name}:-", program));
    }

    /// <summary>A key, a secret or a database of the clone that is sent to a build can be read from the image's layers.</summary>
    [Fact]
    public void Build_sees_what_is_named_and_nothing_else()
    {
        string[] lines = [.. File.ReadAllLines(Path.Combine(Tools.RepositoryRoot, ".dockerignore")).Where(line => !line.StartsWith('#'))];
        Assert.Equal("*", lines[0]);
        Assert.All(lines.Where(line => line.StartsWith('!')), line =>
        {
            Assert.True(Path.Exists(Path.Combine(Tools.RepositoryRoot, line[1..])), line);
            Assert.DoesNotContain(".emr/", line, StringComparison.Ordinal);
            Assert.DoesNotContain("compose", line, StringComparison.Ordinal);
        });
    }

    [GeneratedRegex("^[a-z]", RegexOptions.Multiline, 1000)]
    private static partial Regex TopLevel();

    [GeneratedRegex("^  (?<name>[a-z0-9-]+):(?<body>.*\n(   .*\n|\n)*)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Block();

    [GeneratedRegex("file: (?<path>[^ }]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex File_();

    [GeneratedRegex(@"[""\s-](?<path>\.\.?/[^:""\s]+):/", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Mount();

    [GeneratedRegex("subnet: (?<subnet>[0-9./]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Subnet();

    [GeneratedRegex("--p2p-host=(?<address>[^\"]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Told();

    [GeneratedRegex("ipv4_address: (?<address>[0-9.]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Has();

    [GeneratedRegex("^ARG (?<name>[A-Z_]+)=", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Arg();
}
