namespace EmrMarket.Silos.Api.Access.Accounts;

/// <summary>Somebody with a name and a password: staff of a site, or an auditor. ASP.NET Core Identity changes it and the store keeps
/// it.</summary>
internal sealed record Account
{
    /// <summary>1 to 40 lower-case letters, digits, dots, hyphens and underscores.</summary>
    public required string Name { get; init; }

    /// <summary><see cref="Access.Role.Staff"/> or <see cref="Access.Role.Auditor"/>.</summary>
    public required Role Role { get; init; }

    /// <summary>The site of staff; empty for auditors.</summary>
    public required string Site { get; init; }

    /// <summary>As Identity's hasher writes it.</summary>
    public string PasswordHash { get; set; } = "";

    /// <summary>Changes with password and authenticator, which ends the sessions that began before.</summary>
    public string SecurityStamp { get; set; } = "";

    /// <summary>Failures since the last success.</summary>
    public int FailedCount { get; set; }

    /// <summary>Until when it is locked, unix seconds; 0 when it is not.</summary>
    public long LockedUntilSeconds { get; set; }

    /// <summary>The authenticator's key, base 32; empty for none.</summary>
    public string AuthenticatorKey { get; set; } = "";

    /// <summary>The time step of the last code that was accepted: no code opens two sessions (RFC 6238, 5.2).</summary>
    public long LastCodeStep { get; set; }

    /// <summary>How often it was stored; 0 for a new one.</summary>
    public int Version { get; set; }
}

/// <summary>Keeps the accounts of one role's people, and which sessions were ended before their time. Safe for use from several threads and
/// processes.</summary>
internal interface IAccountStore
{
    /// <summary>An account; null when there is none of this name.</summary>
    Task<Account?> FindAsync(string name, CancellationToken cancellationToken);

    /// <summary>All accounts by name.</summary>
    Task<Account[]> ListAsync(CancellationToken cancellationToken);

    /// <summary>Stores an account that was read at its version, or a new one at version 0, and raises its version; says false, and changes
    /// nothing, when another version is stored.</summary>
    Task<bool> TrySaveAsync(Account account, CancellationToken cancellationToken);

    /// <summary>Removes an account; says whether there was one.</summary>
    Task<bool> RemoveAsync(string name, CancellationToken cancellationToken);

    /// <summary>Notes that a session was ended, until it would have ended by itself; forgets those that would have.</summary>
    Task EndSessionAsync(string id, long untilSeconds, long nowSeconds, CancellationToken cancellationToken);

    /// <summary>The sessions that were ended and are not forgotten.</summary>
    Task<string[]> EndedSessionsAsync(CancellationToken cancellationToken);
}

/// <summary>Where the accounts of this process are: auditors with the market, staff with their site.</summary>
/// <param name="auditors">The accounts of auditors, and of staff of a site that has no store.</param>
/// <param name="staff">The accounts of staff by site.</param>
internal sealed class AccountStores(IAccountStore auditors, IReadOnlyDictionary<string, IAccountStore> staff)
{
    /// <summary>The market's, or in a process of sites that of one of them; it also notes the sessions that were ended.</summary>
    public IAccountStore Auditors => auditors;

    /// <summary>Whether the market is here, whose the auditors are.</summary>
    public bool TakesAuditors { get; init; } = true;

    private IEnumerable<IAccountStore> All => staff.Values.Append(auditors).Distinct();

    /// <summary>The store of an account.</summary>
    public IAccountStore Of(Account account) => account.Role == Role.Staff && staff.TryGetValue(account.Site, out IAccountStore? own)
        ? own : auditors;

    /// <summary>An account by its name; names are unique over all.</summary>
    public async Task<Account?> FindAsync(string name, CancellationToken cancellationToken)
    {
        foreach (IAccountStore store in All)
        {
            if (await store.FindAsync(name, cancellationToken) is { } account)
            {
                return account;
            }
        }

        return null;
    }

    /// <summary>All accounts by name.</summary>
    public async Task<Account[]> ListAsync(CancellationToken cancellationToken)
    {
        List<Account> accounts = [];
        foreach (IAccountStore store in All)
        {
            accounts.AddRange(await store.ListAsync(cancellationToken));
        }

        return [.. accounts.OrderBy(account => account.Name, StringComparer.Ordinal)];
    }
}
