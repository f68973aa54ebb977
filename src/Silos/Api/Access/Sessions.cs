using System.Collections.Concurrent;
using System.Security.Cryptography;
using EmrMarket.Silos.Api.Access.Accounts;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.BearerToken;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.Extensions.Options;

namespace EmrMarket.Silos.Api.Access;

/// <summary>Begins sessions, ends them, and knows which go on. A session is a protected ticket in a cookie or a bearer token; what is kept
/// here are those that ended early.</summary>
internal sealed class Sessions(TimeProvider clock, AccountStores stores, IOptionsMonitor<BearerTokenOptions> bearer)
{
    /// <summary>How long a session lasts.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(4);

    // How long a removed or changed account may still be believed.
    private static readonly TimeSpan StampAge = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _ended = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (string Stamp, DateTimeOffset Read)> _stamps = new(StringComparer.Ordinal);
    private Task? _loaded;

    /// <summary>A new session of a wallet.</summary>
    public static Session OfWallet(string address, PublisherName? publisher) => new()
    {
        Subject = publisher is null ? $"researcher:{address}" : $"patient:{publisher}",
        Role = publisher is null ? Role.Researcher : Role.Patient, Address = address, Publisher = publisher, Id = NewId(),
    };

    /// <summary>A new session of an account.</summary>
    public static Session OfAccount(Account account) => new()
    {
        Subject = $"account:{account.Name}", Role = account.Role, Site = account.Role == Role.Staff ? account.Site : null, Id = NewId(),
        Stamp = account.SecurityStamp,
    };

    /// <summary>A session as a bearer token.</summary>
    public string Token(Session session)
    {
        AuthenticationTicket ticket = new(session.ToPrincipal(Schemes.Bearer),
            new AuthenticationProperties { ExpiresUtc = clock.GetUtcNow() + Life }, $"{Schemes.Bearer}:AccessToken");
        return bearer.Get(Schemes.Bearer).BearerTokenProtector.Protect(ticket);
    }

    /// <summary>A session as a cookie of the answer.</summary>
    public static Task SignInAsync(HttpContext context, Session session) =>
        context.SignInAsync(CookieAuthenticationDefaults.AuthenticationScheme,
            session.ToPrincipal(CookieAuthenticationDefaults.AuthenticationScheme));

    /// <summary>Ends the session of a request, in all places where its ticket may be.</summary>
    public async Task EndAsync(HttpContext context, Session session)
    {
        if (session.Role != Role.Operator)
        {
            DateTimeOffset now = clock.GetUtcNow();
            await stores.Auditors.EndSessionAsync(
                session.Id, (now + Life).ToUnixTimeSeconds(), now.ToUnixTimeSeconds(), context.RequestAborted);
            foreach (string old in _ended.Where(pair => pair.Value < now).Select(pair => pair.Key))
            {
                _ended.TryRemove(old, out _);
            }

            _ended[session.Id] = now + Life;
        }

        await context.SignOutAsync(CookieAuthenticationDefaults.AuthenticationScheme);
    }

    /// <summary>Whether a session goes on: nobody ended it, and its account is as it was.</summary>
    public async ValueTask<bool> GoesOnAsync(Session session, CancellationToken cancellationToken)
    {
        Task loaded = _loaded ??= LoadAsync();
        if (!loaded.IsCompletedSuccessfully)
        {
            await loaded.WaitAsync(cancellationToken);
        }

        return !_ended.ContainsKey(session.Id)
            && (session.Stamp is not { } stamp
                || string.Equals(stamp, await StampAsync(session, cancellationToken), StringComparison.Ordinal));
    }

    private async Task LoadAsync()
    {
        try
        {
            foreach (string id in await stores.Auditors.EndedSessionsAsync(CancellationToken.None))
            {
                _ended[id] = clock.GetUtcNow() + Life;
            }
        }
        catch
        {
            _loaded = null;
            throw;
        }
    }

    private async ValueTask<string> StampAsync(Session session, CancellationToken cancellationToken)
    {
        string name = session.Subject["account:".Length..];
        DateTimeOffset now = clock.GetUtcNow();
        if (_stamps.TryGetValue(name, out (string Stamp, DateTimeOffset Read) known) && now - known.Read < StampAge)
        {
            return known.Stamp;
        }

        // A removed account has a stamp that no session has; an account of another site or role is another account.
        string stamp = await stores.FindAsync(name, cancellationToken) is { } account && account.Role == session.Role
            && string.Equals(account.Site, session.Site ?? "", StringComparison.Ordinal)
            ? account.SecurityStamp : "";
        _stamps[name] = (stamp, now);
        return stamp;
    }

    private static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
}

/// <summary>The names of the ways in which a request says who sends it.</summary>
internal static class Schemes
{
    /// <summary>Chooses among the others.</summary>
    public const string Any = "Session";

    /// <summary>A session's token.</summary>
    public const string Bearer = "Bearer";

    /// <summary>This machine's operator token.</summary>
    public const string Operator = "Operator";

    /// <summary>A session's cookie.</summary>
    public const string Cookie = CookieAuthenticationDefaults.AuthenticationScheme;
}
