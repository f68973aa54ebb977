using System.CommandLine;
using EmrMarket.Silos.Configuration;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary><c>emr serve</c>: the market, its sites, or both, as a process that goes on by itself.</summary>
internal static class ServeCommand
{
    private const string Description =
        """
        Runs the market and its sites: follows the ledger, closes books, decides rounds, delivers and pays out. Without options it has both roles on the embedded chain, which it starts with
        the contracts where that has not been done. That chain can be forged by whoever has this machine: it is for demonstrations, not for a market that people rely on.

        With --roles market and --roles site the two run apart, each with its own database, account and node. Sites call the market over HTTPS and both sign all that they say. A consortium admits
        a site first (emr chain admit).

        All that market and sites keep is in an embedded PostgreSQL, a database for each, or in a server that Market:Database and Site:Database name; it lasts over a restart. What a site
        keeps is sealed with the key in sites/NAME/storage.key. Every option can stand in a file or in the environment as well: docs/CONFIGURATION.md.

        Examples:
          emr serve
          emr serve --demo
          emr serve --roles market --chain https://node.example --deployment consortium.json --link-urls https://0.0.0.0:5443
          emr serve --roles site --site northside --chain https://node.example --deployment consortium.json --market https://market.example:5443 --market-pin 0f3a...
          curl http://127.0.0.1:5080/ready

        Ctrl-C or SIGTERM ends it. Exit codes: 0 ended on request, 1 failed, 2 wrong command, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        // What an option means, and what holds without it, stands in the table of settings.
        Option<string?>[] texts =
        [
            .. new (string Key, string Name, string Text)[]
            {
                (SettingKeys.Roles, "market|site|both", "The roles of this process; both without it."),
                (SettingKeys.Urls, "URL", "Where pages and API listen; http://127.0.0.1:5080 without it."),
                (SettingKeys.Folder, "DIR",
                    "Where the embedded chain keeps its state, and beside it everything else; .emr/chain without it."),
                (SettingKeys.ChainUrl, "URL", "A node of another chain."),
                (SettingKeys.ChainDeployment, "FILE", "The deployment file; deployment.json of the chain's folder without it."),
                (SettingKeys.MarketKeyFile, "FILE", "The key file of the market's account; goes with --chain."),
                (SettingKeys.LinkUrls, "URL", "Where the market takes sites of other processes, https."),
                (SettingKeys.LinkMarket, "URL", "Where a site's market is, https."),
                (SettingKeys.LinkPin, "HEX",
                    "SHA-256 of the market's public TLS key, which it prints when it starts; without it a public authority vouches for "
                        + "it."),
            }.Select(one => new Option<string?>(SettingKeys.Of(one.Key).Option!) { Description = one.Text, HelpName = one.Name }),
        ];
        Option<bool>[] flags =
        [
            new(SettingKeys.Of(SettingKeys.Demo).Option!)
            {
                Description =
                    "Fill a market of its own (in .emr/demo) with 10,000 synthetic patients, two sites and five requests, and print a "
                        + "link to sign in as each kind of user.",
            },
            new(SettingKeys.Of(SettingKeys.InsecureDemo).Option!)
            {
                Description = "Listen on an address that others reach, although whoever has this machine can forge the embedded chain.",
            },
        ];
        var sites = new Option<string[]>(SettingKeys.Of(SettingKeys.Sites).Option!)
        {
            Description = "A site that runs in this process, once per site; 'hospital' without it.", HelpName = "NAME",
            DefaultValueFactory = _ => [],
        };
        var file = new Option<string?>("--config")
        {
            Description = "The configuration file; emr.json of the working folder without it, if there is one.", HelpName = "FILE",
        };
        var command = new Command("serve", Description) { sites, file };
        foreach (Option option in (IEnumerable<Option>)[.. texts, .. flags])
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellation) => ServeRun.RunAsync(
            ServeOptions.From(Settings.Load(parsed.GetValue(file), Said(parsed, texts, flags, sites))), cancellation));
        return command;
    }

    /// <summary>What the command line says, by key. A flag that was not given says nothing: the parser has a value for it all the same,
    /// which would hide the environment's and the file's.</summary>
    private static Dictionary<string, string?> Said(
        ParseResult parsed, Option<string?>[] texts, Option<bool>[] flags, Option<string[]> sites)
    {
        Dictionary<string, string?> said = new(StringComparer.OrdinalIgnoreCase);
        foreach (Setting setting in SettingKeys.All.Where(setting => setting.Option is not null))
        {
            string? value = texts.FirstOrDefault(option => option.Name == setting.Option) is { } text ? parsed.GetValue(text)
                : flags.FirstOrDefault(option => option.Name == setting.Option) is { } flag
                ? parsed.GetResult(flag) is { Implicit: false } ? parsed.GetValue(flag) ? "true" : "false" : null
                : setting.Key == SettingKeys.Sites && parsed.GetValue(sites) is { Length: > 0 } names ? string.Join(',', names) : null;
            if (value is not null)
            {
                said.Add(setting.Key, value);
            }
        }

        return said;
    }
}
