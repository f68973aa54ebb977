using Microsoft.AspNetCore.Identity;

namespace EmrMarket.Silos.Api.Access.Accounts;

/// <summary>ASP.NET Core Identity's view of <see cref="AccountStores"/>.</summary>
internal sealed class IdentityAccounts(AccountStores stores) :
    IUserPasswordStore<Account>, IUserLockoutStore<Account>, IUserTwoFactorStore<Account>, IUserAuthenticatorKeyStore<Account>,
        IUserSecurityStampStore<Account>
{
    private static readonly IdentityError Conflict = new IdentityErrorDescriber().ConcurrencyFailure();

    public async Task<IdentityResult> CreateAsync(Account user, CancellationToken cancellationToken) =>
        await stores.FindAsync(user.Name, cancellationToken) is null && await stores.Of(user).TrySaveAsync(user, cancellationToken)
            ? IdentityResult.Success : IdentityResult.Failed(new IdentityErrorDescriber().DuplicateUserName(user.Name));

    public async Task<IdentityResult> UpdateAsync(Account user, CancellationToken cancellationToken) =>
        await stores.Of(user).TrySaveAsync(user, cancellationToken) ? IdentityResult.Success : IdentityResult.Failed(Conflict);

    public async Task<IdentityResult> DeleteAsync(Account user, CancellationToken cancellationToken) =>
        await stores.Of(user).RemoveAsync(user.Name, cancellationToken) ? IdentityResult.Success : IdentityResult.Failed(Conflict);

    public Task<Account?> FindByIdAsync(string userId, CancellationToken cancellationToken) => stores.FindAsync(userId, cancellationToken);

    public Task<Account?> FindByNameAsync(string normalizedUserName, CancellationToken cancellationToken) =>
        stores.FindAsync(normalizedUserName, cancellationToken);

    public Task<string> GetUserIdAsync(Account user, CancellationToken cancellationToken) => Task.FromResult(user.Name);

    public Task<string?> GetUserNameAsync(Account user, CancellationToken cancellationToken) => Task.FromResult<string?>(user.Name);

    public Task<string?> GetNormalizedUserNameAsync(Account user, CancellationToken cancellationToken) =>
        Task.FromResult<string?>(user.Name);

    // A name never changes, and is written in lower case from the beginning.
    public Task SetUserNameAsync(Account user, string? userName, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task SetNormalizedUserNameAsync(Account user, string? normalizedName, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task SetPasswordHashAsync(Account user, string? passwordHash, CancellationToken cancellationToken) =>
        Set(() => user.PasswordHash = passwordHash ?? "");

    public Task<string?> GetPasswordHashAsync(Account user, CancellationToken cancellationToken) =>
        Task.FromResult(user.PasswordHash.Length > 0 ? user.PasswordHash : null);

    public Task<bool> HasPasswordAsync(Account user, CancellationToken cancellationToken) => Task.FromResult(user.PasswordHash.Length > 0);

    public Task<DateTimeOffset?> GetLockoutEndDateAsync(Account user, CancellationToken cancellationToken) =>
        Task.FromResult<DateTimeOffset?>(user.LockedUntilSeconds > 0 ? DateTimeOffset.FromUnixTimeSeconds(user.LockedUntilSeconds) : null);

    public Task SetLockoutEndDateAsync(Account user, DateTimeOffset? lockoutEnd, CancellationToken cancellationToken) =>
        Set(() => user.LockedUntilSeconds = lockoutEnd?.ToUnixTimeSeconds() ?? 0);

    public Task<int> IncrementAccessFailedCountAsync(Account user, CancellationToken cancellationToken) =>
        Task.FromResult(++user.FailedCount);

    public Task ResetAccessFailedCountAsync(Account user, CancellationToken cancellationToken) => Set(() => user.FailedCount = 0);

    public Task<int> GetAccessFailedCountAsync(Account user, CancellationToken cancellationToken) => Task.FromResult(user.FailedCount);

    // Every account can be locked.
    public Task<bool> GetLockoutEnabledAsync(Account user, CancellationToken cancellationToken) => Task.FromResult(true);

    public Task SetLockoutEnabledAsync(Account user, bool enabled, CancellationToken cancellationToken) => Task.CompletedTask;

    // An account with an authenticator needs its codes.
    public Task SetTwoFactorEnabledAsync(Account user, bool enabled, CancellationToken cancellationToken) =>
        enabled ? Task.CompletedTask : Set(() => user.AuthenticatorKey = "");

    public Task<bool> GetTwoFactorEnabledAsync(Account user, CancellationToken cancellationToken) =>
        Task.FromResult(user.AuthenticatorKey.Length > 0);

    public Task SetAuthenticatorKeyAsync(Account user, string key, CancellationToken cancellationToken) =>
        Set(() => user.AuthenticatorKey = key);

    public Task<string?> GetAuthenticatorKeyAsync(Account user, CancellationToken cancellationToken) =>
        Task.FromResult(user.AuthenticatorKey.Length > 0 ? user.AuthenticatorKey : null);

    public Task SetSecurityStampAsync(Account user, string stamp, CancellationToken cancellationToken) =>
        Set(() => user.SecurityStamp = stamp);

    public Task<string?> GetSecurityStampAsync(Account user, CancellationToken cancellationToken) =>
        Task.FromResult<string?>(user.SecurityStamp);

    public void Dispose()
    {
        // The stores belong to whoever made them.
    }

    private static Task Set(Action change)
    {
        change();
        return Task.CompletedTask;
    }
}
