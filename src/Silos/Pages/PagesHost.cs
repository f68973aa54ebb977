using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Access;
using Microsoft.AspNetCore.Antiforgery;

namespace EmrMarket.Silos.Pages;

/// <summary>The pages of the web host: rendered on the server, usable without scripts where no key has to sign.</summary>
internal static class PagesHost
{
    /// <summary>Adds what the pages need; before the API, whose writer of problems takes what is left.</summary>
    public static IServiceCollection AddPages(this IServiceCollection services)
    {
        services.AddRazorComponents();
        services.AddSingleton<PageAssets>();
        services.AddExceptionHandler<PageFailures>();
        return services;
    }

    /// <summary>Answers with a page where people are refused, and where there is no page. That is no fallback endpoint, for which any
    /// method and type would do: below /api a wrong one has a problem of its own.</summary>
    public static void UsePages(this WebApplication web) => web.UseStatusCodePages(PageFailures.SayAsync);

    /// <summary>Refuses a form that is too old, or not one of these pages', before a page is begun for it, which would have a type and no
    /// words; behind the antiforgery middleware.</summary>
    public static void UsePageForms(this WebApplication web) => web.Use((context, next) =>
    {
        if (context.Features.Get<IAntiforgeryValidationFeature>() is not { IsValid: false } || ApiPaths.IsApi(context.Request.Path))
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status400BadRequest;
        return Task.CompletedTask;
    });

    /// <summary>Maps the pages and their assets.</summary>
    public static void MapPages(this WebApplication web)
    {
        web.Services.GetRequiredService<PageAssets>().Map(web);
        web.MapRazorComponents<App>();

        // Doors of the head: each leads to the visitor's own place, or to the sign-in.
        web.MapGet("/record", (HttpContext context) => Visitor.Of(context.User) is { Role: Visitor.Patient, Publisher: { } own }
            ? Results.Redirect("/records/" + own) : ToSignIn("/record"))
            .RequireAuthorization(Policies.Anyone).ExcludeFromDescription();
        web.MapGet("/site", (HttpContext context) => Visitor.Of(context.User) is { Role: Visitor.Staff, Site: { } own }
            ? Results.Redirect("/sites/" + own) : ToSignIn("/site"))
            .RequireAuthorization(Policies.Anyone).ExcludeFromDescription();
        web.MapPost("/sign-out", async (HttpContext context, Sessions sessions, IAntiforgery antiforgery) =>
        {
            if (await antiforgery.IsRequestValidAsync(context) && Session.Of(context.User) is { } session)
            {
                await sessions.EndAsync(context, session);
            }

            return Results.Redirect("/");
        }).RequireAuthorization(Policies.Anyone).DisableAntiforgery().ExcludeFromDescription();
    }

    private static IResult ToSignIn(string back) => Results.Redirect("/sign-in?returnUrl=" + Uri.EscapeDataString(back));
}
