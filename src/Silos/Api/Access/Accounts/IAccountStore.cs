namespace EmrMarket.Silos.Api.Access.Accounts;

/// <summary>Somebody with a name and a password: staff of a site, or an auditor. ASP.NET Core Identity changes it and the store keeps it.</summary>
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

/// <summary>Keeps the accounts of one role's people, and which sessions were ended before their time. Safe for use from several threads and processes.</summary>
internal interface IAccountStore
{
    /// <summary>An account; null when there is none of this name.</summary>
    Task<Account?> FindAsync(string name, CancellationToken cancellationToken);

    /// <summary>All accounts by name.</summary>
    Task<Account[]> ListAsync(CancellationToken cancellationToken);

    /// <summary>Stores an account that was read at its version, or a new one at version 0, and raises its version; says false, and changes nothing, when another version is stored.</summary>
    Task<bool> TrySaveAsync(Account account, CancellationToken cancellationToken);

    /// <summary>Removes an account; says whether there was one.</summary>
    Task<bool> RemoveAsync(string name, CancellationToken cancellationToken);

    /// <summary>Notes that a session was ended, until it would have ended by itself; forgets those that would have.</summary>
    Task EndSessionAsync(string id, long untilSeconds, long nowSeconds, CancellationToken cancellationToken);

    /// <summary>The sessions that were ended and are not forgotten.</summary>
    Task<string[]> EndedSessionsAsync(CancellationToken cancellationToken);
}

/// <summary>Where the accounts of this process are: staff with their sites, auditors with the market.</summary>
/// <param name="Staff">The accounts of staff.</param>
/// <param name="Auditors">The accounts of auditors.</param>
internal sealed record AccountStores(IAccountStore Staff, IAccountStore Auditors)
{
    /// <summary>The store of a role's accounts.</summary>
    public IAccountStore Of(Role role) => role == Role.Staff ? Staff : Auditors;

    /// <summary>An account by its name; names are unique over both.</summary>
    public async Task<Account?> FindAsync(string name, CancellationToken cancellationToken) =>
        await Staff.FindAsync(name, cancellationToken) ?? await Auditors.FindAsync(name, cancellationToken);

    /// <summary>All accounts.</summary>
    public async Task<Account[]> ListAsync(CancellationToken cancellationToken) =>
        [.. (await Staff.ListAsync(cancellationToken)).Concat(await Auditors.ListAsync(cancellationToken)).DistinctBy(account => account.Name).OrderBy(account => account.Name, StringComparer.Ordinal)];
}
