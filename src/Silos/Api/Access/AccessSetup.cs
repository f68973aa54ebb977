using System.Text.Encodings.Web;
using EmrMarket.Silos.Api.Access.Accounts;
using EmrMarket.Silos.Api.Access.SignIn;
using EmrMarket.Silos.Api.Problems;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.BearerToken;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;

namespace EmrMarket.Silos.Api.Access;

/// <summary>Who may do what: sessions, accounts and policies in one place, for API and pages.</summary>
internal static class AccessSetup
{
    /// <summary>The name of the session's cookie.</summary>
    public const string CookieName = "emr-session";

    /// <summary>The header that carries the antiforgery token.</summary>
    public const string CsrfHeader = "X-CSRF-Token";

    /// <summary>Where people without a session are sent by pages.</summary>
    public const string SignInPath = "/sign-in";

    /// <summary>What the sign-in's address has when a session ended.</summary>
    public const string EndedParameter = "ended";

    private const int LeastPasswordLength = 12;
    private const int MostFailures = 5;
    private static readonly TimeSpan Lock = TimeSpan.FromMinutes(15);

    /// <summary>Adds it.</summary>
    public static void AddAccess(this IServiceCollection services, ApiOptions options, ulong chainId)
    {
        KeyFolder.Create(options.Keys);
        services.AddDataProtection().SetApplicationName("emrmarket")
            .PersistKeysToFileSystem(Directory.CreateDirectory(Path.Combine(options.Keys, "web")));
        services.AddSingleton(OperatorToken.LoadOrCreate(options.Keys));
        services.AddSingleton(options.Accounts);
        services.AddSingleton(provider => new Challenges(provider.GetRequiredService<TimeProvider>(), chainId));
        services.AddSingleton<AccountService>();
        services.AddSingleton<Sessions>();
        services.AddSingleton<Authenticator>();
        services.AddScoped<ILookupNormalizer, NamesAsTheyAre>();
        services.AddIdentityCore<Account>(identity =>
        {
            // Length, not composition: NIST SP 800-63B, 5.1.1.2.
            identity.Password.RequiredLength = LeastPasswordLength;
            identity.Password.RequireDigit = identity.Password.RequireLowercase = identity.Password.RequireUppercase =
                identity.Password.RequireNonAlphanumeric = false;
            identity.Lockout.MaxFailedAccessAttempts = MostFailures;
            identity.Lockout.DefaultLockoutTimeSpan = Lock;
        }).AddUserStore<IdentityAccounts>().AddTokenProvider<Authenticator>(Authenticator.Name);

        services.AddAuthentication(Schemes.Any)
            .AddPolicyScheme(Schemes.Any, null, scheme => scheme.ForwardDefaultSelector = Choose)
            .AddCookie(Schemes.Cookie, cookie =>
            {
                cookie.Cookie.Name = CookieName;
                cookie.Cookie.HttpOnly = true;
                cookie.Cookie.SameSite = SameSiteMode.Strict;
                cookie.Cookie.SecurePolicy = options.Loopback ? CookieSecurePolicy.SameAsRequest : CookieSecurePolicy.Always;
                cookie.ExpireTimeSpan = Sessions.Life;
                cookie.SlidingExpiration = false;
                cookie.LoginPath = SignInPath;
                cookie.AccessDeniedPath = SignInPath;
                cookie.Events.OnRedirectToLogin = context =>
                {
                    // Whoever brings a cookie was signed in: the page says that this is over.
                    context.Response.Redirect(context.Request.Cookies.ContainsKey(CookieName)
                        ? QueryHelpers.AddQueryString(context.RedirectUri, EndedParameter, "true") : context.RedirectUri);
                    return Task.CompletedTask;
                };
            })
            .AddBearerToken(Schemes.Bearer, token => token.BearerTokenExpiration = Sessions.Life)
            .AddScheme<AuthenticationSchemeOptions, OperatorHandler>(Schemes.Operator, null);
        services.PostConfigure<BearerTokenOptions>(
            Schemes.Bearer, token => token.BearerTokenProtector = new RememberedTickets(token.BearerTokenProtector));
        services.AddAntiforgery(antiforgery =>
        {
            antiforgery.HeaderName = CsrfHeader;
            antiforgery.Cookie.Name = "emr-csrf";
            antiforgery.Cookie.HttpOnly = true;
            antiforgery.Cookie.SameSite = SameSiteMode.Strict;
            antiforgery.Cookie.SecurePolicy = options.Loopback ? CookieSecurePolicy.SameAsRequest : CookieSecurePolicy.Always;
        });
        services.AddSingleton<IAuthorizationHandler, AccessHandler>();
        services.AddSingleton<IAuthorizationMiddlewareResultHandler, Refusals>();
        services.AddAuthorization(authorization =>
        {
            foreach (string policy in Policies.All.Keys)
            {
                authorization.AddPolicy(policy, built => built.AddRequirements(new AccessRequirement(policy)));
            }
        });
    }

    private static string Choose(HttpContext context)
    {
        string authorization = context.Request.Headers.Authorization.ToString();
        return !authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? Schemes.Cookie
            : authorization.AsSpan(7).StartsWith(OperatorToken.Prefix, StringComparison.Ordinal) ? Schemes.Operator : Schemes.Bearer;
    }

    private sealed class NamesAsTheyAre : ILookupNormalizer
    {
        public string? NormalizeEmail(string? email) => email;

        public string? NormalizeName(string? name) => name;
    }

    private sealed class OperatorHandler(
        IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, OperatorToken token)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            Session session = new() { Subject = "operator", Role = Role.Operator, Id = "operator" };
            return Task.FromResult(token.Is(Request.Headers.Authorization.ToString()["Bearer ".Length..])
                ? AuthenticateResult.Success(new AuthenticationTicket(session.ToPrincipal(Schemes.Operator), Schemes.Operator))
                : AuthenticateResult.Fail("another token"));
        }
    }

    /// <summary>Says no as a problem to programs, and by the way to the sign-in to people.</summary>
    private sealed class Refusals : IAuthorizationMiddlewareResultHandler
    {
        private readonly AuthorizationMiddlewareResultHandler _pages = new();

        public Task HandleAsync(
            RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult)
        {
            if (authorizeResult.Succeeded || !ApiPaths.IsApi(context.Request.Path))
            {
                return _pages.HandleAsync(next, context, policy, authorizeResult);
            }

            if (Session.Of(context.User) is not null)
            {
                return ProblemWriter.WriteAsync(context, Problem.Of(ProblemType.Forbidden));
            }

            context.Response.Headers.WWWAuthenticate = "Bearer";
            return ProblemWriter.WriteAsync(
                context, Problem.Of(SessionGuard.HasEnded(context) ? ProblemType.SessionEnded : ProblemType.SignInRequired));
        }
    }
}
