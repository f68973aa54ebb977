using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Access.Accounts;
using EmrMarket.Silos.Api.Access.SignIn;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Services;
using Microsoft.AspNetCore.Antiforgery;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>Who wants to sign in with a wallet.</summary>
internal sealed record ChallengeWish
{
    /// <summary>The address that will sign.</summary>
    public required string Address { get; init; }

    /// <summary>SITE/SCHEMA/PSEUDONYM for a patient; left out by researchers.</summary>
    public string? Publisher { get; init; }
}

/// <summary>A message to sign.</summary>
/// <param name="Message">EIP-4361 text, to be signed as it is (EIP-191).</param>
/// <param name="Expires">Until when it opens a session, unix seconds.</param>
internal sealed record Challenge(string Message, long Expires);

/// <summary>A signed message.</summary>
internal sealed record SignedChallenge
{
    /// <summary>The message of the challenge.</summary>
    public required string Message { get; init; }

    /// <summary>65 bytes, 0x and hexadecimal digits.</summary>
    public required string Signature { get; init; }
}

/// <summary>Who wants to sign in with an account.</summary>
internal sealed record PasswordSignIn
{
    /// <summary>The account's name.</summary>
    public required string Name { get; init; }

    /// <summary>Its password.</summary>
    public required string Password { get; init; }

    /// <summary>The newest code of its authenticator, when it has one.</summary>
    public string? Code { get; init; }
}

/// <summary>A session that began.</summary>
internal sealed record SignedIn
{
    /// <summary>The bearer token; null when the session is in a cookie.</summary>
    public string? Token { get; init; }

    /// <summary>How long it lasts.</summary>
    public required int ExpiresSeconds { get; init; }

    /// <summary>researcher, patient, staff or auditor.</summary>
    public required string Role { get; init; }
}

/// <summary>Who is signed in.</summary>
internal sealed record SessionInfo
{
    /// <summary>researcher, patient, staff, auditor or operator.</summary>
    public required string Role { get; init; }

    /// <summary>The address that signed; null for accounts.</summary>
    public string? Address { get; init; }

    /// <summary>The site of staff.</summary>
    public string? Site { get; init; }

    /// <summary>SITE/SCHEMA/PSEUDONYM of a patient.</summary>
    public string? Publisher { get; init; }

    /// <summary>What to send as X-CSRF-Token with calls that change something; null when the session is in a bearer token.</summary>
    public string? Csrf { get; init; }
}

/// <summary>Signing in and out.</summary>
internal static class SessionRoutes
{
    private const int LongestPassword = 1000;

    /// <summary>Adds them.</summary>
    public static void MapSessions(this IEndpointRouteBuilder api)
    {
        IEndpointRouteBuilder sessions = api.MapGroup("").WithTags("Sessions");
        sessions.MapPost("/sign-in/challenges", (ChallengeWish wish, HttpContext context, Challenges challenges) =>
            {
                PublisherName? publisher = wish.Publisher is null ? null
                    : PublisherName.Parse(wish.Publisher)
                    ?? throw new ApiException(ProblemType.InvalidValue,
                        "publisher is SITE/SCHEMA/PSEUDONYM, the last two with 64 lower-case hexadecimal digits each");
                SignInMessage message = challenges.Issue(
                    ApiValues.Address(wish.Address), publisher, Domain(context), $"{context.Request.Scheme}://{Domain(context)}");
                return new Challenge(message.Write(), message.ExpirySeconds);
            })
            .Named("IssueChallenge", "A message for a wallet to sign (EIP-4361).", Policies.Anyone).Costs(RateClass.SignIn);
        sessions.MapPost("/sign-in",
            async (SignedChallenge signed, string? cookie, HttpContext context, Challenges challenges, PatientService patients,
                Sessions book) =>
            {
                SignInMessage message = challenges.Redeem(signed.Message, signed.Signature, Domain(context));
                string address = Show.Address(message.Address);
                if (message.Publisher is { } publisher
                    && !string.Equals(await ControllerAsync(patients, publisher), address, StringComparison.Ordinal))
                {
                    throw new ApiException(ProblemType.ChallengeRefused,
                        "the address is not the controller of this pseudonym at this site");
                }

                return await BeginAsync(context, book, Sessions.OfWallet(address, message.Publisher), cookie);
            })
            .Named("SignIn", "Begins a session for whoever signed a challenge.", Policies.Anyone).Costs(RateClass.SignIn);
        sessions.MapPost("/sign-in/password",
            async (PasswordSignIn wish, string? cookie, HttpContext context, AccountService accounts, Sessions book) =>
            {
                Account account = wish.Password.Length <= LongestPassword
                    ? await accounts.CheckAsync(wish.Name, wish.Password, wish.Code, context.RequestAborted)
                    : throw new ApiException(ProblemType.SignInFailed);
                return await BeginAsync(context, book, Sessions.OfAccount(account), cookie);
            })
            .Named("SignInWithPassword", "Begins a session of staff or an auditor.", Policies.Anyone).Costs(RateClass.SignIn);
        sessions.MapGet("/session", (HttpContext context, IAntiforgery antiforgery) =>
            {
                Session session = Session.Require(context);
                context.Response.Headers.CacheControl = "no-store";
                bool cookie = string.Equals(context.User.Identity?.AuthenticationType, Schemes.Cookie, StringComparison.Ordinal);
                return new SessionInfo
                {
                    Role = Session.Name(session.Role), Address = session.Address, Site = session.Site,
                    Publisher = session.Publisher?.ToString(),
                    Csrf = cookie ? antiforgery.GetAndStoreTokens(context).RequestToken : null,
                };
            })
            .Named("ReadSession", "Who is signed in.", Policies.SignedIn);
        sessions.MapDelete("/session", async (HttpContext context, Sessions book) =>
            {
                await book.EndAsync(context, Session.Require(context));
                return TypedResults.NoContent();
            })
            .Named("EndSession", "Signs out: cookie and token are worth nothing from then on.", Policies.SignedIn).Costs(RateClass.Write);
    }

    /// <summary>Adds the operator's routes over accounts.</summary>
    public static void MapAccounts(this IEndpointRouteBuilder api)
    {
        IEndpointRouteBuilder accounts = api.MapGroup("/accounts").WithTags("Accounts");
        accounts.MapGet("", async (string? cursor, string? limit, AccountService book, HttpContext context) =>
            Paging.After(await book.ListAsync(context.RequestAborted), account => account.Name, cursor, limit))
            .Named("ListAccounts", "The accounts of staff and auditors.", Policies.Operator);
        accounts.MapPost("", async (NewAccount wish, AccountService book, RunningRoles roles) =>
            TypedResults.Created($"{ApiPaths.Root}/accounts/{wish.Name}", await book.AddAsync(wish, roles.Sites.Keys)))
            .Named("AddAccount", "Adds an account; its secrets are shown once.", Policies.Operator).Costs(RateClass.Write);
        accounts.MapDelete("/{name}", async (string name, AccountService book, HttpContext context) =>
            {
                await book.RemoveAsync(name, context.RequestAborted);
                return TypedResults.NoContent();
            })
            .Named("RemoveAccount", "Removes an account and ends its sessions.", Policies.Operator).Costs(RateClass.Write);
    }

    private static string Domain(HttpContext context) => context.Request.Host.Value ?? "";

    private static async Task<string?> ControllerAsync(PatientService patients, PublisherName publisher)
    {
        try
        {
            return await patients.ControllerAsync(publisher.Site, publisher.SchemaId, publisher.Pseudonym);
        }
        catch (Exception e) when (e is SiteRefusedException or ServiceRefusedException)
        {
            // Whether a site has a pseudonym is not a stranger's to learn.
            return null;
        }
    }

    private static async Task<SignedIn> BeginAsync(HttpContext context, Sessions book, Session session, string? cookie)
    {
        context.Response.Headers.CacheControl = "no-store";
        bool inCookie = cookie switch { null or "false" => false, "true" => true,
            _ => throw new ApiException(ProblemType.InvalidValue, "cookie is true or false") };
        if (inCookie)
        {
            await Sessions.SignInAsync(context, session);
        }

        return new SignedIn
        {
            Token = inCookie ? null : book.Token(session), ExpiresSeconds = (int)Sessions.Life.TotalSeconds,
            Role = Session.Name(session.Role),
        };
    }
}
