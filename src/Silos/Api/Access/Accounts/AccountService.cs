using System.Security.Cryptography;
using EmrMarket.Silos.Api.Problems;
using Microsoft.AspNetCore.Identity;

namespace EmrMarket.Silos.Api.Access.Accounts;

/// <summary>A new account, as the operator asks for it.</summary>
internal sealed record NewAccount
{
    /// <summary>1 to 40 lower-case letters, digits, dots, hyphens and underscores.</summary>
    public required string Name { get; init; }

    /// <summary>staff or auditor.</summary>
    public required string Role { get; init; }

    /// <summary>The site of staff; left out for auditors.</summary>
    public string? Site { get; init; }

    /// <summary>At least twelve characters; a random one is made when it is left out.</summary>
    public string? Password { get; init; }

    /// <summary>Whether sign-in asks for a code of an authenticator as well; the answer has its key.</summary>
    public bool TwoFactor { get; init; }
}

/// <summary>A new account's secrets, shown once.</summary>
internal sealed record AccountSecrets
{
    public required string Name { get; init; }

    public required string Role { get; init; }

    public required string Site { get; init; }

    public required bool TwoFactor { get; init; }

    /// <summary>Null when the caller chose it.</summary>
    public string? Password { get; init; }

    /// <summary>The authenticator's key, base 32; null without one.</summary>
    public string? AuthenticatorKey { get; init; }

    /// <summary>The same as the text of a QR code.</summary>
    public string? AuthenticatorUri { get; init; }
}

/// <summary>An account as the operator sees it.</summary>
internal sealed record AccountSummary(string Name, string Role, string Site, bool TwoFactor, long LockedUntilSeconds);

/// <summary>Adds, lists and removes accounts, and checks who signs in with one.</summary>
internal sealed class AccountService(IServiceScopeFactory scopes, AccountStores stores) : IDisposable
{
    private const int MostTries = 3;

    // One at a time: guesses made at once would be counted as one.
    private readonly SemaphoreSlim _signIn = new(1);

    /// <summary>Adds an account.</summary>
    /// <exception cref="ApiException">There is one of this name, or name, role, site or password is not as it must be.</exception>
    public async Task<AccountSecrets> AddAsync(NewAccount wish, IEnumerable<string> sites)
    {
        if (wish.Name.Length is < 1 or > 40
            || !wish.Name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-' or '_'))
        {
            throw new ApiException(ProblemType.InvalidValue, "name has 1 to 40 lower-case letters, digits, dots, hyphens and underscores");
        }

        Role role = wish.Role switch { "staff" => Role.Staff, "auditor" => Role.Auditor,
            _ => throw new ApiException(ProblemType.InvalidValue, "role is staff or auditor") };
        if (role == Role.Staff ? wish.Site is null || !sites.Contains(wish.Site, StringComparer.Ordinal) : wish.Site is not null)
        {
            throw new ApiException(ProblemType.InvalidValue, "site is one that this process runs for staff, and left out for auditors");
        }

        if (role == Role.Auditor && !stores.TakesAuditors)
        {
            throw new ApiException(ProblemType.InvalidValue,
                "auditors have their accounts at the market, and this process runs sites only");
        }

        await using AsyncServiceScope scope = scopes.CreateAsyncScope();
        UserManager<Account> users = scope.ServiceProvider.GetRequiredService<UserManager<Account>>();
        Account account = new()
        {
            Name = wish.Name, Role = role, Site = wish.Site ?? "",
            AuthenticatorKey = wish.TwoFactor ? users.GenerateNewAuthenticatorKey() : "",
        };
        string password = wish.Password ?? RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz23456789", 20);
        IdentityResult created = await users.CreateAsync(account, password);
        if (!created.Succeeded)
        {
            IdentityError error = created.Errors.First();
            throw string.Equals(error.Code, nameof(IdentityErrorDescriber.DuplicateUserName), StringComparison.Ordinal)
                ? new ApiException(ProblemType.AccountExists) : new ApiException(ProblemType.InvalidValue, error.Description);
        }

        return new AccountSecrets
        {
            Name = account.Name,
            Role = Session.Name(role),
            Site = account.Site,
            TwoFactor = wish.TwoFactor,
            Password = wish.Password is null ? password : null,
            AuthenticatorKey = wish.TwoFactor ? account.AuthenticatorKey : null,
            AuthenticatorUri = wish.TwoFactor ? Authenticator.Uri(account.Name, account.AuthenticatorKey) : null,
        };
    }

    /// <summary>All accounts.</summary>
    public async Task<AccountSummary[]> ListAsync(CancellationToken cancellationToken) =>
        [.. (await stores.ListAsync(cancellationToken))
            .Select(account => new AccountSummary(
                account.Name, Session.Name(account.Role), account.Site, account.AuthenticatorKey.Length > 0, account.LockedUntilSeconds))];

    /// <summary>Removes an account, which ends its sessions.</summary>
    /// <exception cref="ApiException"><see cref="ProblemType.AccountUnknown"/>.</exception>
    public async Task RemoveAsync(string name, CancellationToken cancellationToken)
    {
        if (await stores.FindAsync(name, cancellationToken) is not { } account
            || !await stores.Of(account).RemoveAsync(name, cancellationToken))
        {
            throw new ApiException(ProblemType.AccountUnknown);
        }
    }

    /// <summary>The account that name, password and code belong to.</summary>
    /// <exception cref="ApiException"><see cref="ProblemType.SignInFailed"/>, the same whatever was wrong.</exception>
    public async Task<Account> CheckAsync(string name, string password, string? code, CancellationToken cancellationToken)
    {
        await _signIn.WaitAsync(cancellationToken);
        try
        {
            await using AsyncServiceScope scope = scopes.CreateAsyncScope();
            UserManager<Account> users = scope.ServiceProvider.GetRequiredService<UserManager<Account>>();

            // Another process may have counted a failure meanwhile: then it is all done again.
            for (int tries = 0; tries < MostTries; tries++)
            {
                if (await users.FindByNameAsync(name) is not { } account)
                {
                    // As long as for an account that exists, so that time does not tell which names do.
                    users.PasswordHasher.HashPassword(Nobody, password);
                    throw new ApiException(ProblemType.SignInFailed);
                }

                bool locked = await users.IsLockedOutAsync(account);
                bool right = await users.CheckPasswordAsync(account, password)
                    && (!await users.GetTwoFactorEnabledAsync(account)
                        || (code is not null && await users.VerifyTwoFactorTokenAsync(account, Authenticator.Name, code)));
                if (locked)
                {
                    throw new ApiException(ProblemType.SignInFailed);
                }

                // Resetting stores the code's step too, also when no failure was counted.
                account.FailedCount = right ? 0 : account.FailedCount;
                IdentityResult noted = right ? await users.UpdateAsync(account) : await users.AccessFailedAsync(account);
                if (noted.Succeeded)
                {
                    return right ? account : throw new ApiException(ProblemType.SignInFailed);
                }
            }

            throw new ApiException(ProblemType.SignInFailed);
        }
        finally
        {
            _signIn.Release();
        }
    }

    public void Dispose() => _signIn.Dispose();

    private static readonly Account Nobody = new() { Name = "nobody", Role = Role.Auditor, Site = "" };
}
