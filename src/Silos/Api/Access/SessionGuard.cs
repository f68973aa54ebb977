using System.Security.Claims;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;

namespace EmrMarket.Silos.Api.Access;

/// <summary>Between authentication and authorisation: lets no ended session through, and no call of the API that another site's page
/// made.</summary>
internal sealed class SessionGuard(RequestDelegate next, Sessions sessions, IAntiforgery antiforgery, AnswerCache answers)
{
    private static readonly object Ended = new();

    /// <summary>Whether the request came with a session that has ended.</summary>
    public static bool HasEnded(HttpContext context) => context.Items.ContainsKey(Ended);

    /// <summary>Checks a request.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        Session? session = Session.Of(context.User);
        if (session is not null
            && !(await sessions.GoesOnAsync(session, context.RequestAborted) && await StillCommandsAsync(context, session)))
        {
            if (IsCookie(context.User))
            {
                await context.SignOutAsync(Schemes.Cookie);
            }

            (session, context.User) = (null, new ClaimsPrincipal(new ClaimsIdentity()));
            context.Items[Ended] = true;
        }

        HttpRequest request = context.Request;
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method))
        {
            await next(context);
            return;
        }

        if (ApiPaths.IsApi(request.Path))
        {
            await RefuseCrossSiteAsync(context);
        }

        try
        {
            await next(context);
        }
        finally
        {
            if (session is not null)
            {
                answers.Forget(session);
            }
        }
    }

    /// <summary>A patient's session ends with the key that opened it: another seed may have taken over since.</summary>
    private static async Task<bool> StillCommandsAsync(HttpContext context, Session session)
    {
        if (session.Publisher is not { } publisher)
        {
            return true;
        }

        try
        {
            return session.Address is { } address && await context.RequestServices.GetRequiredService<PatientService>()
                .CommandsAsync(publisher.Site, publisher.SchemaId, publisher.Pseudonym, address);
        }
        catch (Exception e) when (e is SiteRefusedException or ServiceRefusedException)
        {
            // What is asked for says better what is amiss.
            return true;
        }
    }

    private async Task RefuseCrossSiteAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (request.Headers.Origin is [{ } origin, ..]
            && !(Uri.TryCreate(origin, UriKind.Absolute, out Uri? from)
                && string.Equals(from.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase)))
        {
            throw new ApiException(ProblemType.CrossSite, "the call comes from a page of another origin");
        }

        // In the header only: a form would be read into memory to look for it.
        if (IsCookie(context.User)
            && (request.Headers[AccessSetup.CsrfHeader].Count == 0 || !await antiforgery.IsRequestValidAsync(context)))
        {
            throw new ApiException(ProblemType.CrossSite, $"the call has no valid {AccessSetup.CsrfHeader}");
        }
    }

    private static bool IsCookie(ClaimsPrincipal user) =>
        string.Equals(user.Identity?.AuthenticationType, Schemes.Cookie, StringComparison.Ordinal);
}
