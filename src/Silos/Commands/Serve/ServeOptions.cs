using System.Globalization;
using System.Net;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Hosting;
using EmrMarket.Silos.Telemetry;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>The roles of a process.</summary>
[Flags]
internal enum ServedRoles
{
    /// <summary>The market.</summary>
    Market = 1,

    /// <summary>One or several sites.</summary>
    Site = 2,

    /// <summary>Both, linked inside.</summary>
    Both = Market | Site,
}

/// <summary>What to serve, read from the configuration and checked as far as that goes without starting anything.</summary>
internal sealed record ServeOptions
{
    private const int PinDigits = 64;
    private const ulong MostConfirmations = 1_000;

    /// <summary>Its roles.</summary>
    public required ServedRoles Roles { get; init; }

    /// <summary>Where it listens.</summary>
    public required Uri Url { get; init; }

    /// <summary>The names under which a proxy offers it.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>Where the embedded chain keeps its state; everything else is beside it.</summary>
    public required string Folder { get; init; }

    /// <summary>The sites that run in this process, by name.</summary>
    public required IReadOnlyList<string> Sites { get; init; }

    /// <summary>Whether the market is filled for visitors.</summary>
    public bool Demo { get; init; }

    /// <summary>Whether others may reach a server whose chain can be forged.</summary>
    public bool InsecureDemo { get; init; }

    /// <summary>A node; null for the embedded chain.</summary>
    public Uri? Chain { get; init; }

    /// <summary>The deployment file.</summary>
    public required string Deployment { get; init; }

    /// <summary>Blocks above an event; null for what the chain's kind takes.</summary>
    public ulong? Confirmations { get; init; }

    /// <summary>The key file of the market's account; null for the embedded chain's.</summary>
    public required string? MarketKey { get; init; }

    /// <summary>How to connect to the market's database; null for the embedded server. Holds a password.</summary>
    public string? MarketDatabase { get; init; }

    /// <summary>How to connect to the site's database; null for the embedded server. Holds a password.</summary>
    public string? SiteDatabase { get; init; }

    /// <summary>Where sites of other processes reach the market; null for nowhere.</summary>
    public Uri? LinkUrl { get; init; }

    /// <summary>The certificate of that address.</summary>
    public required string LinkCertificate { get; init; }

    /// <summary>Where this process's sites reach the market; null where it runs here.</summary>
    public Uri? Market { get; init; }

    /// <summary>The pin of the market's TLS key; null when a public authority vouches for it.</summary>
    public string? MarketPin { get; init; }

    /// <summary>All layers, for the grains' own section.</summary>
    public required IConfiguration Configuration { get; init; }

    /// <summary>What an operator is told, and where.</summary>
    public required TelemetryOptions Telemetry { get; init; }

    /// <summary>Where everything but the embedded chain is.</summary>
    public string Root => Path.GetDirectoryName(Path.GetFullPath(Folder))!;

    /// <summary>Whether the process has the market.</summary>
    public bool HasMarket => Roles.HasFlag(ServedRoles.Market);

    /// <summary>Whether the process has sites.</summary>
    public bool HasSites => Roles.HasFlag(ServedRoles.Site);

    /// <summary>Whether all that it listens on is reached by this machine alone.</summary>
    public bool IsLoopback => IsLocal(Url) && (LinkUrl is null || IsLocal(LinkUrl));

    /// <summary>The folder of a site's keys.</summary>
    public string SiteFolder(string site) => Path.Combine(Root, "sites", site);

    /// <summary>Reads them.</summary>
    /// <exception cref="CommandException">A value is not of its form, or does not go with another; nothing was started.</exception>
    public static ServeOptions From(Settings settings)
    {
        ServedRoles roles = settings[SettingKeys.Roles] switch
        {
            "market" => ServedRoles.Market,
            "site" => ServedRoles.Site,
            "both" => ServedRoles.Both,
            var other => throw Wrong(settings, SettingKeys.Roles, $"is market, site or both, got '{other}'"),
        };
        bool demo = Flag(settings, SettingKeys.Demo);
        Uri? chain = Address(settings, SettingKeys.ChainUrl, "http", "https");
        string folder = settings[SettingKeys.Folder]
            ?? (demo ? Path.Combine(ChainFolders.Root, "demo", "chain") : roles == ServedRoles.Site
                ? Path.Combine(ChainFolders.Root, "site", "chain") : ChainFolders.DefaultChain);
        string root = Path.GetDirectoryName(Path.GetFullPath(folder))!;
        ServeOptions options = new()
        {
            Roles = roles,
            Url = Address(settings, SettingKeys.Urls, "http") ?? throw Wrong(settings, SettingKeys.Urls, "is an http URL, got nothing"),
            Hosts = settings[SettingKeys.Hosts]?.Split(',', StringSplitOptions.TrimEntries) ?? [],
            Folder = folder,
            Sites = roles == ServedRoles.Market ? [] : Names(settings, demo),
            Demo = demo,
            InsecureDemo = Flag(settings, SettingKeys.InsecureDemo),
            Chain = chain,
            Deployment = settings[SettingKeys.ChainDeployment] ?? ChainFolders.DeploymentOf(folder),
            Confirmations = settings[SettingKeys.ChainConfirmations] is not { } text ? null
                : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong blocks)
                && blocks is >= 1 and <= MostConfirmations ? blocks
                : throw Wrong(settings, SettingKeys.ChainConfirmations, $"lies in 1 to {MostConfirmations}"),
            MarketKey = settings[SettingKeys.MarketKeyFile] ?? (chain is null ? null : Path.Combine(root, "keys", "market.key")),
            MarketDatabase = settings.Secret(SettingKeys.MarketDatabase, SettingKeys.MarketDatabaseFile),
            SiteDatabase = settings.Secret(SettingKeys.SiteDatabase, SettingKeys.SiteDatabaseFile),
            LinkUrl = Address(settings, SettingKeys.LinkUrls, "https"),
            LinkCertificate = settings[SettingKeys.LinkCertificateFile] ?? Path.Combine(root, "keys", "link.pem"),
            Market = Address(settings, SettingKeys.LinkMarket, "https"),
            MarketPin = settings[SettingKeys.LinkPin] is not { } pin ? null : pin.Length == PinDigits && pin.All(char.IsAsciiHexDigit) ? pin
                : throw Wrong(settings, SettingKeys.LinkPin,
                    $"has {PinDigits} hexadecimal digits, got {pin.Length} characters: the market prints it when it starts"),
            Configuration = settings.Configuration,
            Telemetry = TelemetryOptions.From(settings, root, IsLocal),
        };
        string? contradiction = demo && (roles != ServedRoles.Both || chain is not null)
            ? "--demo fills a market and two sites on an embedded chain of its own: it goes with neither --roles market, --roles site "
                + "nor --chain"
            : roles == ServedRoles.Site && chain is null
            ? "a site that runs apart from its market needs --chain, the node that it reads the ledger from, and --deployment, the "
                + "consortium's file"
            : roles == ServedRoles.Site && options.Market is null
            ? "a site that runs apart from its market needs --market, the https address where the market takes sites"
            : options.HasMarket && options.Market is not null
            ? "--market names a market elsewhere, and this process has one: leave it out, or run --roles site"
            : !options.HasMarket && options.LinkUrl is not null
            ? "--link-urls is where a market takes sites, and this process has none: leave it out, or run --roles market"
            : options.SiteDatabase is not null && options.Sites.Count != 1
            ? $"Site:Database is one database, and this process has {options.Sites.Count} sites: run a process for each"
            : GrainHosting.IsOneProcess && settings.Configuration.GetSection(GrainSettings.Section + ":Cluster").Exists()
                ? $"{GrainSettings.Section}:Cluster is for a cluster of silos, and this program runs its grains in one process: build it "
                    + "with -p:GrainRuntime=Orleans (deploy/cluster), or take the section out"
            : chain is null && !options.IsLoopback && !options.InsecureDemo ? Forgeable(options)
            : null;
        return contradiction is null ? options : throw new CommandException(ExitCode.Usage, contradiction);
    }

    /// <summary>Why an address that others reach is refused on a chain that can be forged.</summary>
    public static string Forgeable(ServeOptions options) =>
        $"{(IsLocal(options.Url) ? options.LinkUrl! : options.Url).Host} can be reached by others, and a development chain can be forged "
            + "by whoever has its machine: listen on 127.0.0.1, or add --insecure-demo.";

    // A name other than localhost may resolve to anything, now or later.
    private static bool IsLocal(Uri address) =>
        string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(address.Host.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip));

    private static string[] Names(Settings settings, bool demo)
    {
        string[] names = settings[SettingKeys.Sites]?.Split(',', StringSplitOptions.TrimEntries)
            ?? (demo ? ["northside", "lakeview"] : ["hospital"]);
        return names.Distinct(StringComparer.Ordinal).Count() == names.Length
            && names.All(name => name.Length is > 0 and <= 32
                && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))
            ? names : throw Wrong(settings, SettingKeys.Sites,
                "is a name of 1 to 32 lower-case letters, digits and hyphens, each once: it is part of addresses and of file names");
    }

    private static Uri? Address(Settings settings, string key, params string[] schemes) => settings[key] is not { } text ? null
        : Uri.TryCreate(text, UriKind.Absolute, out Uri? parsed) && schemes.Contains(parsed.Scheme, StringComparer.Ordinal) ? parsed
        : throw Wrong(settings, key, $"is an {schemes[^1]} URL, got '{text}'");

    private static bool Flag(Settings settings, string key) =>
        bool.TryParse(settings[key], out bool value) ? value : throw Wrong(settings, key, $"is true or false, got '{settings[key]}'");

    private static CommandException Wrong(Settings settings, string key, string expected) =>
        new(ExitCode.Usage, $"{SettingKeys.Of(key).Option ?? key} {expected} ({key}, said by {settings.SourceOf(key)})");
}
