using System.Collections.Concurrent;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;

namespace EmrMarket.Silos.Api.Access;

/// <summary>
/// Opens each token once: to decrypt one and to read its claims costs more than all else of a read that is at hand. A ticket's end is
/// looked at by whoever opens it, and an ended session by <see cref="SessionGuard"/>, at every call.
/// </summary>
internal sealed class RememberedTickets(ISecureDataFormat<AuthenticationTicket> inner) : ISecureDataFormat<AuthenticationTicket>
{
    private const int MostKept = 10_000;
    private readonly ConcurrentDictionary<string, AuthenticationTicket> _opened = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Protect(AuthenticationTicket data) => inner.Protect(data);

    /// <inheritdoc/>
    public string Protect(AuthenticationTicket data, string? purpose) => inner.Protect(data, purpose);

    /// <inheritdoc/>
    public AuthenticationTicket? Unprotect(string? protectedText, string? purpose) => inner.Unprotect(protectedText, purpose);

    /// <inheritdoc/>
    public AuthenticationTicket? Unprotect(string? protectedText)
    {
        if (protectedText is null)
        {
            return null;
        }

        if (_opened.TryGetValue(protectedText, out AuthenticationTicket? known))
        {
            return known;
        }

        // What does not open is not kept: anybody could fill the memory with it.
        if (inner.Unprotect(protectedText) is not { } ticket || Session.Of(ticket.Principal) is not { } session)
        {
            return null;
        }

        if (_opened.Count >= MostKept)
        {
            _opened.Clear();
        }

        AuthenticationTicket opened = new(new SessionPrincipal(ticket.Principal, session), ticket.Properties, ticket.AuthenticationScheme);
        _opened[protectedText] = opened;
        return opened;
    }
}

/// <summary>A user whose session has been read from the claims already.</summary>
internal sealed class SessionPrincipal(ClaimsPrincipal user, Session session) : ClaimsPrincipal(user)
{
    /// <summary>What the claims say.</summary>
    public Session Session => session;
}
