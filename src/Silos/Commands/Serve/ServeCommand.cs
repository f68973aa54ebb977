using System.CommandLine;
using System.Net;
using EmrMarket.Silos.Commands.Chain;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary><c>emr serve</c>: the market as a process that goes on by itself.</summary>
internal static class ServeCommand
{
    private const string DefaultUrl = "http://127.0.0.1:5080";

    private const string Description =
        """
        Runs the market on the embedded chain: starts the chain and deploys the contracts where that has not been done, follows the ledger, closes books, decides rounds and pays out.

        All that market and sites keep is in an embedded PostgreSQL beside the chain, a database for each, and lasts over a restart; what a site keeps is sealed with the key in
        sites/NAME/storage.key. The embedded chain can be forged by whoever has this machine: it is for demonstrations, not for a market that people rely on.

        Examples:
          emr serve
          emr serve --urls http://127.0.0.1:8080
          emr serve --demo
          curl http://127.0.0.1:5080/ready

        Ctrl-C or SIGTERM ends it. Exit codes: 0 ended on request, 1 failed, 2 wrong command, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var url = new Option<string>("--urls") { Description = "Where it listens.", HelpName = "URL", DefaultValueFactory = _ => DefaultUrl };
        var folder = new Option<string>("--folder") { Description = "Where the embedded chain keeps its state; .emr/chain, or .emr/demo/chain for a demonstration.", HelpName = "DIR", DefaultValueFactory = _ => "" };
        var sites = new Option<string[]>("--site")
        {
            Description = "A site that runs in this process, once per site; 'hospital' without it.", HelpName = "NAME", DefaultValueFactory = _ => [],
        };
        var show = new Option<bool>("--demo")
        {
            Description = "Fill a market of its own (in .emr/demo) with 10,000 synthetic patients, two sites and five requests, and print a link to sign in as each kind of user.",
        };
        var demo = new Option<bool>("--insecure-demo") { Description = "Listen on an address that others reach, although whoever has this machine can forge the embedded chain." };
        var command = new Command("serve", Description) { url, folder, sites, show, demo };
        command.Validators.Add(result =>
        {
            if (Parse(result.GetValue(url)) is not { } address)
            {
                result.AddError($"--urls is an http URL such as {DefaultUrl}.");
            }
            else if (result.GetValue(sites) is { } names && (names.Distinct(StringComparer.Ordinal).Count() != names.Length || !names.All(IsName)))
            {
                result.AddError("--site is a name of 1 to 32 lower-case letters, digits and hyphens, each once: it is part of addresses and of file names.");
            }
            else if (!IsLoopback(address) && !result.GetValue(demo))
            {
                result.AddError($"{address.Host} can be reached by others, and the embedded chain can be forged by whoever has this machine: listen on 127.0.0.1, or add --insecure-demo.");
            }
        });
        command.SetAction((parsed, cancellation) => ServeRun.RunAsync(
            new ServeOptions
            {
                Url = Parse(parsed.GetValue(url))!,
                Folder = parsed.GetValue(folder) is { Length: > 0 } named ? named : parsed.GetValue(show) ? Path.Combine(ChainFolders.Root, "demo", "chain") : ChainFolders.DefaultChain,
                Sites = parsed.GetValue(sites) is { Length: > 0 } own ? own : parsed.GetValue(show) ? ["northside", "lakeview"] : ["hospital"],
                Demo = parsed.GetValue(show),
            },
            cancellation));
        return command;
    }

    private static Uri? Parse(string? text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? parsed) && string.Equals(parsed.Scheme, Uri.UriSchemeHttp, StringComparison.Ordinal) ? parsed : null;

    private static bool IsName(string name) => name.Length is > 0 and <= 32 && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');

    // A name other than localhost may resolve to anything, now or later.
    private static bool IsLoopback(Uri address) =>
        string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(address.Host.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip));
}
