using EmrMarket.Silos.Api.Access.Accounts;
using EmrMarket.Silos.Api.Traffic;

namespace EmrMarket.Silos.Api;

/// <summary>What the API needs to know of its process.</summary>
internal sealed record ApiOptions
{
    /// <summary>The folder of keys: the operator's token, and the keys that protect sessions.</summary>
    public required string Keys { get; init; }

    /// <summary>Where files are kept while a site reads them: raw records, so below the site's own folder; emptied at every
    /// start.</summary>
    public required string Spool { get; init; }

    /// <summary>The accounts of staff and auditors.</summary>
    public AccountStores Accounts { get; init; } = new(
        new MemoryAccountStore(), new Dictionary<string, IAccountStore>(StringComparer.Ordinal));

    /// <summary>Whether only this machine reaches it: then cookies may go over plain HTTP, and requests for other hosts are
    /// refused.</summary>
    public bool Loopback { get; init; } = true;

    /// <summary>The names under which a proxy of this machine that speaks TLS offers it; requests for others are refused. Empty where there
    /// is none.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>How many calls a key may make.</summary>
    public RateLimits Limits { get; init; } = new();
}

/// <summary>Which paths belong to the API.</summary>
internal static class ApiPaths
{
    /// <summary>What all its paths begin with.</summary>
    public const string Root = "/api/v1";

    /// <summary>Whether a path is the API's, and its failures are problems and not pages.</summary>
    public static bool IsApi(PathString path) => Below(path, "/api") || Below(path, "/health") || Below(path, "/ready");

    private static bool Below(PathString path, string root) => path.StartsWithSegments(root, StringComparison.OrdinalIgnoreCase);
}
