using System.Net;
using System.Text.RegularExpressions;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Pages;
using EmrMarket.Silos.Pages.Texts;
using EmrMarket.Silos.Services;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EmrMarket.Silos.Tests.Hosting;

public sealed class PageFailureTests
{
    /// <summary>A page that fails while it is drawn has begun to use the request's services, which serve one drawing.</summary>
    [Fact]
    public async Task Page_that_is_refused_while_it_is_drawn_says_why_in_a_page_and_to_programs_in_a_problem()
    {
        using Notes notes = new();
        await using WebApplication web = await StartAsync(notes);
        using HttpClient client = new() { BaseAddress = new Uri(web.Urls.First()) };

        (HttpStatusCode status, string? type, string body) = await AskAsync(client, "text/html");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Equal("text/html", type);
        Assert.StartsWith("<!DOCTYPE html>", body.TrimStart(), StringComparison.Ordinal);
        Assert.Contains("no such data set here", body, StringComparison.Ordinal);

        // Of a defect nothing is told but the reference under which it is noted.
        (status, type, body) = await AskAsync(client, "text/html", "/defect");
        Assert.Equal((HttpStatusCode.InternalServerError, "text/html"), (status, type));
        Assert.Contains(CommonTexts.Defect, body, StringComparison.Ordinal);
        string reference = Regex.Match(body, "<code>(?<id>[^<]+)</code>").Groups["id"].Value;
        Assert.StartsWith(reference + ": ", Assert.Single(notes.Lines), StringComparison.Ordinal);
        Assert.DoesNotContain(DefectPage.Secret, body + notes.Lines[0], StringComparison.Ordinal);
        Assert.DoesNotContain("InvalidOperationException", body, StringComparison.Ordinal);
        (status, type, body) = await AskAsync(client, "application/json", "/defect");
        Assert.Equal((HttpStatusCode.InternalServerError, "application/problem+json"), (status, type));
        Assert.DoesNotContain(DefectPage.Secret, body, StringComparison.Ordinal);

        (status, type, body) = await AskAsync(client, "application/json");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Equal("application/problem+json", type);
        Assert.Contains("no such data set here", body, StringComparison.Ordinal);
    }

    [RequiresFact(Tool.Node, Tool.Chromium)]
    public async Task Refusals_a_defect_and_a_limit_are_pages_without_serious_findings_that_say_what_to_do()
    {
        using Notes notes = new();
        await using WebApplication web = await StartAsync(notes);
        await BrowserScript.RunAsync(["pages/refusals.mjs"], new() { ["EMR_SERVER"] = web.Urls.First() });
    }

    private static async Task<WebApplication> StartAsync(Notes notes)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(notes);
        builder.Services.AddPages().AddSingleton<ProblemNotes>().AddExceptionHandler<ProblemWriter>().AddProblemDetails();
        builder.Services.AddRateLimiter((RateLimits.None with { Heavy = new Bucket(3, 1) }).Configure);
        WebApplication web = builder.Build();
        web.Urls.Add("http://127.0.0.1:0");
        web.UsePages();
        web.UseExceptionHandler(_ => { });
        web.UseRouting();
        web.UseRateLimiter();
        web.UseAntiforgery();
        web.MapRazorComponents<RefusedRoot>();
        web.MapGet("/crowded", () => "there was room").WithMetadata(new RateClassName(RateClass.Heavy));
        web.MapGet("/assets/{version}/{name}", (string name) => Results.Stream(
            typeof(PageAssets).Assembly.GetManifestResourceStream("EmrMarket.Assets/" + name)!,
            name.EndsWith(".css", StringComparison.Ordinal) ? "text/css" : "image/svg+xml"));
        await web.StartAsync(CancellationToken.None);
        return web;
    }

    private static async Task<(HttpStatusCode Status, string? Type, string Body)> AskAsync(
        HttpClient client, string accept, string path = "/refused")
    {
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        request.Headers.Add("Accept", accept);
        using HttpResponseMessage response = await client.SendAsync(request);
        return (response.StatusCode, response.Content.Headers.ContentType?.MediaType,
            await response.Content.ReadAsStringAsync());
    }
}

/// <summary>Keeps what the writer of problems notes.</summary>
internal sealed class Notes : ILoggerProvider, ILogger
{
    public List<string> Lines { get; } = [];

    public ILogger CreateLogger(string categoryName) => categoryName.EndsWith(nameof(ProblemNotes), StringComparison.Ordinal)
        ? this : NullLogger.Instance;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Add(formatter(state, exception));

    public void Dispose()
    {
        // Nothing is held.
    }
}

/// <summary>A page of the test's own: components of a route are found among the public types only.</summary>
[Route("/refused")]
public sealed class RefusedPage : LoadedPage
{
    /// <inheritdoc/>
    protected override async Task LoadAsync()
    {
        await Task.Yield();
        throw new ServiceRefusedException("unknown-schema", "there is no such data set here");
    }
}

/// <summary>A page with a defect, whose message quotes what nobody may see.</summary>
[Route("/defect")]
public sealed class DefectPage : LoadedPage
{
    /// <summary>A value of a record.</summary>
    public const string Secret = "E11.9 of patient 4711";

    /// <inheritdoc/>
    protected override async Task LoadAsync()
    {
        await Task.Yield();
        throw new InvalidOperationException(Secret);
    }
}

/// <summary>What stands around it: the page of the path.</summary>
public sealed class RefusedRoot : ComponentBase
{
    [CascadingParameter]
    private HttpContext? Http { get; set; }

    /// <inheritdoc/>
    protected override void BuildRenderTree(RenderTreeBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (Http!.Request.Path == "/defect")
        {
            builder.OpenComponent<DefectPage>(0);
        }
        else
        {
            builder.OpenComponent<RefusedPage>(1);
        }

        builder.CloseComponent();
    }
}
