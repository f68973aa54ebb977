using EmrMarket.Silos.Storage.Site;

namespace EmrMarket.Silos.Configuration;

/// <summary>Every key that there is; docs/CONFIGURATION.md is written from this table.</summary>
internal static class SettingKeys
{
    public const string Roles = "Roles";
    public const string Urls = "Urls";
    public const string Hosts = "Hosts";
    public const string Folder = "Folder";
    public const string Sites = "Sites";
    public const string Demo = "Demo";
    public const string InsecureDemo = "InsecureDemo";
    public const string ChainUrl = "Chain:Url";
    public const string ChainDeployment = "Chain:Deployment";
    public const string ChainConfirmations = "Chain:Confirmations";
    public const string MarketKeyFile = "Market:KeyFile";
    public const string MarketDatabase = "Market:Database";
    public const string MarketDatabaseFile = "Market:DatabaseFile";
    public const string SiteDatabase = "Site:Database";
    public const string SiteDatabaseFile = "Site:DatabaseFile";
    public const string LinkUrls = "Link:Urls";
    public const string LinkCertificateFile = "Link:CertificateFile";
    public const string LinkMarket = "Link:Market";
    public const string LinkPin = "Link:Pin";
    public const string ClusterConnectionString = "Grains:Cluster:ConnectionString";
    public const string Server = "Server";
    public const string MetricsUrls = "Metrics:Urls";
    public const string MetricsTokenFile = "Metrics:TokenFile";
    public const string MetricsBackupFile = "Metrics:BackupFile";
    public const string TracesFile = "Traces:File";
    public const string TracesUrl = "Traces:Url";
    public const string TracesRatio = "Traces:Ratio";
    public const string LogsFormat = "Logs:Format";
    public const string LogsLevel = "Logs:Level";

    /// <summary>The groups, each with its keys, in the order of the reference.</summary>
    public static IReadOnlyList<(string Title, string About, IReadOnlyList<Setting> Settings)> Groups { get; } =
    [
        ("What runs", "Which roles a process has, where it listens, and where it keeps what it has.",
        [
            new(Roles, "both",
                "`market`, `site` or `both`. A process of one role meets the other over the link below; a process of both links them "
                    + "inside.") { Option = "--roles" },
            new(Urls, "http://127.0.0.1:5080",
                "An http URL: where pages and API listen. Other than loopback needs a chain that others vouch for, or `InsecureDemo`.")
            {
                Option = "--urls",
            },
            new(Hosts, "",
                "Names under which a proxy of this machine that speaks TLS offers pages and API, parted by commas. Sessions then go over "
                    + "https only, and requests for other names are refused. The proxy passes `Host` on, and sets `X-Forwarded-For`.")
            { Otherwise = "there is no proxy" },
            new(Folder, "", "A folder: where the embedded chain keeps its state. Databases, keys and the sites' folders stand beside it.")
            { Option = "--folder", Otherwise = "`.emr/chain`; `.emr/demo/chain` with `Demo`; `.emr/site/chain` where `Roles` is `site`" },
            new(Sites, "", "Names of the sites of this process, parted by commas: 1 to 32 lower-case letters, digits and hyphens each.")
            {
                Option = "--site", Otherwise = "`hospital`; `northside,lakeview` with `Demo`",
            },
            new(Demo, "false", "`true` or `false`: whether a market of its own is filled for visitors. Both roles, embedded chain only.")
            {
                Option = "--demo",
            },
            new(InsecureDemo, "false",
                "`true` or `false`: whether others may reach a server whose chain can be forged by whoever has the machine.") { Option =
                    "--insecure-demo" },
        ]),
        ("The ledger", "The embedded chain, or any other that speaks Ethereum's JSON-RPC.",
        [
            new(ChainUrl, "", "An http or https URL of a node. Each role wants a node that it trusts: it believes what its node says.")
            {
                Option = "--chain", Otherwise = "the embedded chain is started",
            },
            new(ChainDeployment, "",
                "A file: the deployment, got from the consortium. Its code hashes are held against the chain at every start.") { Option =
                    "--deployment", Otherwise = "`deployment.json` in `Folder`" },
            new(ChainConfirmations, "", "Blocks above an event before it counts, 1 to 1000.")
            {
                Otherwise = "1 on a development chain, 10 on any other",
            },
        ]),
        ("The market", "For a process with the role of the market.",
        [
            new(MarketKeyFile, "", "A file of mode 0600: the key of the market's account, as `./emr account key` makes it.")
            {
                Option = "--market-key",
                Otherwise = "`keys/market.key` beside `Folder`; on the embedded chain the key that it was deployed with",
            },
            new(MarketDatabase, "",
                "How to connect to the market's PostgreSQL (Npgsql's form), password included: directly, since a pooler that shares "
                    + "sessions would lose the lock that keeps a second process out.") { IsSecret = true,
                    Otherwise = "the embedded PostgreSQL" },
            new(MarketDatabaseFile, "", "A file of mode 0600 that holds `Market:Database` on its first line."),
            new(LinkUrls, "", "An https URL: where sites of other processes reach the market.")
            {
                Option = "--link-urls", Otherwise = "only sites of this process",
            },
            new(LinkCertificateFile, "", "A PEM file of mode 0600: the certificate of `Link:Urls` with its key.")
            {
                Otherwise = "`keys/link.pem` beside `Folder`, made at the first start, which sites know by its pin",
            },
        ]),
        ("A site", "For a process with sites. `Site:Database` is for a process of one site.",
        [
            new(LinkMarket, "", "An https URL: where the market takes sites. Needed where `Roles` is `site`.") { Option = "--market" },
            new(LinkPin, "", "64 hexadecimal digits: SHA-256 of the market's public TLS key, which the market prints when it starts.")
            {
                Option = "--market-pin", Otherwise = "a public authority vouches for the market's certificate",
            },
            new(SiteDatabase, "", "How to connect to the site's PostgreSQL (Npgsql's form), password included; directly, as above.")
            {
                IsSecret = true, Otherwise = "the embedded PostgreSQL",
            },
            new(SiteDatabaseFile, "", "A file of mode 0600 that holds `Site:Database` on its first line."),
            new("Site:StorageKey", "", "64 hexadecimal digits: the key that seals what the sites of this process keep.")
            {
                IsSecret = true, Otherwise = "`sites/NAME/storage.key` beside `Folder`, made at the first start",
            },
            new("Site:NextStorageKey", "", "64 hexadecimal digits: the next one, while `./emr site rotate-key` is under way.")
            {
                IsSecret = true, Otherwise = "`sites/NAME/storage.key.next`, made by the rotation",
            },
        ]),
        ("Grains", "How the grains of a role run; the cluster's keys are for a build with `-p:GrainRuntime=Orleans` (deploy/cluster).",
        [
            new("Grains:ResponseTimeout", "00:00:05",
                "`hh:mm:ss`: how long a caller waits for a grain. Callers try again; nothing is done twice."),
            new("Grains:CollectionAge", "00:15:00", "`hh:mm:ss`: how long a grain may be idle before it leaves memory."),
            new("Grains:Cluster:ClusterId", "", "A name: silos of one name find each other. Market and sites never share one."),
            new("Grains:Cluster:AdvertisedAddress", "", "An IP address under which the other silos reach this one.")
            {
                Otherwise = "`127.0.0.1`",
            },
            new("Grains:Cluster:SiloPort", "", "A TCP port for the other silos, and for nobody else."),
            new("Grains:Cluster:GatewayPort", "", "A TCP port for clients of the cluster, and for nobody else."),
            new(ClusterConnectionString, "",
                "How to connect to the database of membership and grain state; its password in the `Passfile` that it names (mode 0600), "
                    + "never here."),
        ]),
        ("Operation", "What an operator is told, and where (docs/OPERATIONS.md). Of patients it tells nothing.",
        [
            new(MetricsUrls, "",
                "An http URL: where `/metrics` is, for Prometheus; an address of its own, at which nothing else answers. Other than "
                    + "loopback needs `Metrics:TokenFile`.") { Otherwise = "measures are not shown" },
            new(MetricsTokenFile, "", "A file of mode 0600: whoever reads measures shows its first line as a bearer token.")
            { Otherwise = "whoever reaches the address may read" },
            new(MetricsBackupFile, "", "A file whose time is that of the last backup that succeeded: what makes backups touches it then.")
            { Otherwise = "`last-backup.json` beside `Folder`" },
            new(TracesFile, "", "A file that spans are written to, a JSON object a line; beyond 64 MiB it is set aside once.")
            { Otherwise = "no file" },
            new(TracesUrl, "", "An http or https URL of a collector, its path included: spans are sent there by OTLP over HTTP.")
            { Otherwise = "nowhere" },
            new(TracesRatio, "1", "0 to 1: the share of traces that are kept, by their id."),
            new(LogsFormat, "text", "`text` or `json`: the form of the lines on standard error."),
            new(LogsLevel, "information", "`information`, `warning` or `error`: the least level that is written."),
        ]),
        ("Commands", "For the commands that speak with a running server.",
        [
            new(Server, "http://127.0.0.1:5080", "An http or https URL of the server.") { Option = "--server" },
        ]),
    ];

    /// <summary>All keys.</summary>
    public static IReadOnlyList<Setting> All { get; } = [.. Groups.SelectMany(group => group.Settings)];

    /// <summary>A key of the table.</summary>
    public static Setting Of(string key) => All.First(setting => string.Equals(setting.Key, key, StringComparison.OrdinalIgnoreCase));

    // The vault reads its keys by these names itself, so that no other part of the program holds them.
    static SettingKeys()
    {
        foreach (string variable in (string[])[StorageKey.Variable, StorageKey.NextVariable])
        {
            if (All.All(setting => setting.Variable != variable))
            {
                throw new InvalidOperationException($"{variable} is not in the table of settings");
            }
        }
    }
}
