namespace EmrMarket.Silos.Hosting;

/// <summary>What the process tells its grain runtime; section <c>Grains</c> of the configuration.</summary>
internal sealed class GrainSettings
{
    internal const string Section = "Grains";

    /// <summary>How long a caller waits for a grain, from which follows how long a failover may take. Callers retry,
    /// idempotently.</summary>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a grain may be idle before it leaves memory.</summary>
    public TimeSpan CollectionAge { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>The cluster of which this process is a silo. Needed by the Orleans build, unknown to the embedded one.</summary>
    public ClusterSettings? Cluster { get; set; }

    internal static GrainSettings From(IConfiguration configuration) => configuration.GetSection(Section).Get<GrainSettings>() ?? new();
}

/// <summary>A silo's place in its cluster. A role, site or market, is a cluster of its own: no name, port or database is shared.</summary>
internal sealed class ClusterSettings
{
    /// <summary>Which silos find each other; a new name starts a new cluster on the same state.</summary>
    public string ClusterId { get; set; } = "";

    /// <summary>The address under which other silos reach this one.</summary>
    public string AdvertisedAddress { get; set; } = "127.0.0.1";

    /// <summary>The TCP port for other silos.</summary>
    public int SiloPort { get; set; }

    /// <summary>The TCP port for clients of the cluster.</summary>
    public int GatewayPort { get; set; }

    /// <summary>The PostgreSQL database that holds membership and grain state; the password in a file named by Passfile, not
    /// here.</summary>
    public string ConnectionString { get; set; } = "";
}
