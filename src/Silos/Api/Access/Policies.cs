using System.Security.Claims;
using EmrMarket.Silos.Api.Problems;
using Microsoft.AspNetCore.Authorization;

namespace EmrMarket.Silos.Api.Access;

/// <summary>Who may call: the names that endpoints and pages give. Each names exactly one.</summary>
internal static class Policies
{
    /// <summary>Anybody, signed in or not.</summary>
    public const string Anyone = nameof(Anyone);

    /// <summary>Whoever is signed in, as whatever.</summary>
    public const string SignedIn = nameof(SignedIn);

    /// <summary>A researcher; the services limit each to the own requests.</summary>
    public const string Researcher = nameof(Researcher);

    /// <summary>The patient of the very pseudonym that the path names by <c>site</c>, <c>schemaId</c> and <c>pseudonym</c>.</summary>
    public const string Patient = nameof(Patient);

    /// <summary>Staff of the very site that the path names, or the operator.</summary>
    public const string SiteStaff = nameof(SiteStaff);

    /// <summary>Staff of any site, or the operator: for work that begins without a path of its site.</summary>
    public const string AnyStaff = nameof(AnyStaff);

    /// <summary>An auditor, or the operator.</summary>
    public const string Auditor = nameof(Auditor);

    /// <summary>An auditor, the operator, or the patient of the very pseudonym that the path names.</summary>
    public const string AuditorOrPatient = nameof(AuditorOrPatient);

    /// <summary>Whoever has this machine's operator token.</summary>
    public const string Operator = nameof(Operator);

    /// <summary>All of them, with whom each lets in.</summary>
    public static IReadOnlyDictionary<string, Func<Session?, RouteValueDictionary, bool>> All { get; } =
        new Dictionary<string, Func<Session?, RouteValueDictionary, bool>>(StringComparer.Ordinal)
    {
        [Anyone] = (_, _) => true,
        [SignedIn] = (session, _) => session is not null,
        [Researcher] = (session, _) => session is { Role: Role.Researcher },
        [Patient] = (session, path) => IsPatientOf(session, path),
        [SiteStaff] = (session, path) =>
            session is { Role: Role.Operator } || (session is { Role: Role.Staff } && Is(path, "site", session.Site)),
        [AnyStaff] = (session, _) => session is { Role: Role.Operator or Role.Staff },
        [Auditor] = (session, _) => session is { Role: Role.Operator or Role.Auditor },
        [AuditorOrPatient] = (session, path) => session is { Role: Role.Operator or Role.Auditor }
            || (session is { Role: Role.Patient } && Is(path, "pseudonym", session.Publisher?.Pseudonym)),
        [Operator] = (session, _) => session is { Role: Role.Operator },
    };

    private static bool IsPatientOf(Session? session, RouteValueDictionary path) => session is { Role: Role.Patient, Publisher: { } own }
        && Is(path, "site", own.Site) && Is(path, "schemaId", own.SchemaId) && Is(path, "pseudonym", own.Pseudonym);

    private static bool Is(RouteValueDictionary path, string name, string? own) => own is { Length: > 0 } && path[name] is string named
        && string.Equals(named, own, StringComparison.Ordinal);
}

/// <summary>The requirement of a policy.</summary>
/// <param name="Policy">Its name.</param>
internal sealed record AccessRequirement(string Policy) : IAuthorizationRequirement;

/// <summary>Decides every policy, for API and pages alike.</summary>
internal sealed class AccessHandler : AuthorizationHandler<AccessRequirement>
{
    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, AccessRequirement requirement)
    {
        RouteValueDictionary path = (context.Resource as HttpContext)?.Request.RouteValues ?? [];
        if (Policies.All[requirement.Policy](Session.Of(context.User), path))
        {
            context.Succeed(requirement);
        }

        return Task.CompletedTask;
    }
}

/// <summary>What somebody is.</summary>
internal enum Role
{
    /// <summary>An address of the ledger.</summary>
    Researcher,

    /// <summary>The controller of one pseudonym.</summary>
    Patient,

    /// <summary>Staff of one site.</summary>
    Staff,

    /// <summary>An auditor.</summary>
    Auditor,

    /// <summary>Whoever has this machine.</summary>
    Operator,
}

/// <summary>A pseudonym at its site.</summary>
/// <param name="Site">The site's name.</param>
/// <param name="SchemaId">64 lower-case hexadecimal digits.</param>
/// <param name="Pseudonym">64 lower-case hexadecimal digits.</param>
internal sealed record PublisherName(string Site, string SchemaId, string Pseudonym)
{
    private const string Prefix = "urn:emrmarket:publisher:";

    /// <summary>The resource by which a sign-in message names it.</summary>
    public string Urn => Prefix + this;

    /// <summary>Reads <c>SITE/SCHEMA/PSEUDONYM</c>; null when it is something else.</summary>
    public static PublisherName? Parse(string? text) => text?.Split('/') is [var site, var schema, var pseudonym] && IsName(site)
        && IsHash(schema) && IsHash(pseudonym)
        ? new PublisherName(site, schema, pseudonym) : null;

    /// <summary>Reads <see cref="Urn"/>; null when it is something else.</summary>
    public static PublisherName? ParseUrn(string urn) => urn.StartsWith(Prefix, StringComparison.Ordinal)
        ? Parse(urn[Prefix.Length..]) : null;

    /// <inheritdoc/>
    public override string ToString() => $"{Site}/{SchemaId}/{Pseudonym}";

    /// <summary>Whether a text may be the name of a site: 1 to 40 letters, digits and hyphens.</summary>
    public static bool IsName(string text) =>
        text.Length is >= 1 and <= 40 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    private static bool IsHash(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigitLower);
}

/// <summary>Who is signed in. The same claims stand in a cookie and in a bearer token.</summary>
internal sealed record Session
{
    private const string SubjectClaim = "sub";
    private const string RoleClaim = "role";
    private const string AddressClaim = "address";
    private const string SiteClaim = "site";
    private const string PublisherClaim = "publisher";
    private const string IdClaim = "sid";
    private const string StampClaim = "stamp";

    /// <summary>Who: an address, a publisher, an account's name, or <c>operator</c>, after the role.</summary>
    public required string Subject { get; init; }

    /// <summary>As what.</summary>
    public required Role Role { get; init; }

    /// <summary>The address that signed; null for accounts.</summary>
    public string? Address { get; init; }

    /// <summary>The site of staff.</summary>
    public string? Site { get; init; }

    /// <summary>A patient's pseudonym.</summary>
    public PublisherName? Publisher { get; init; }

    /// <summary>The session's own id, by which it is ended.</summary>
    public required string Id { get; init; }

    /// <summary>The account's security stamp when the session began: another one ends it.</summary>
    public string? Stamp { get; init; }

    /// <summary>The session of a request's user; null when nobody is signed in.</summary>
    public static Session? Of(ClaimsPrincipal user)
    {
        if (user is SessionPrincipal known)
        {
            return known.Session;
        }

        if (user.Identity is not { IsAuthenticated: true }
            || !Enum.TryParse(user.FindFirstValue(RoleClaim), ignoreCase: true, out Role role))
        {
            return null;
        }

        return new Session
        {
            Subject = user.FindFirstValue(SubjectClaim) ?? "",
            Role = role,
            Address = user.FindFirstValue(AddressClaim),
            Site = user.FindFirstValue(SiteClaim),
            Publisher = PublisherName.Parse(user.FindFirstValue(PublisherClaim)),
            Id = user.FindFirstValue(IdClaim) ?? "",
            Stamp = user.FindFirstValue(StampClaim),
        };
    }

    /// <summary>The session of a request that a policy let in.</summary>
    public static Session Require(HttpContext context) => Of(context.User) ?? throw new ApiException(ProblemType.SignInRequired);

    /// <summary>As claims of a scheme.</summary>
    public ClaimsPrincipal ToPrincipal(string scheme)
    {
        List<Claim> claims = [new(SubjectClaim, Subject), new(RoleClaim, Name(Role)), new(IdClaim, Id)];
        Add(AddressClaim, Address);
        Add(SiteClaim, Site);
        Add(PublisherClaim, Publisher?.ToString());
        Add(StampClaim, Stamp);
        return new ClaimsPrincipal(new ClaimsIdentity(claims, scheme, SubjectClaim, RoleClaim));

        void Add(string type, string? value)
        {
            if (value is not null)
            {
                claims.Add(new Claim(type, value));
            }
        }
    }

    /// <summary>A role as the API writes it.</summary>
    public static string Name(Role role) => role.ToString().ToLowerInvariant();
}
