using System.Net;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Pages;
using EmrMarket.Silos.Services;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EmrMarket.Silos.Tests.Hosting;

public sealed class PageFailureTests
{
    /// <summary>A page that fails while it is drawn has begun to use the request's services, which serve one drawing.</summary>
    [Fact]
    public async Task Page_that_is_refused_while_it_is_drawn_says_why_in_a_page_and_to_programs_in_a_problem()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddPages().AddExceptionHandler<ProblemWriter>().AddProblemDetails();
        await using WebApplication web = builder.Build();
        web.Urls.Add("http://127.0.0.1:0");
        web.UseExceptionHandler(_ => { });
        web.UseAntiforgery();
        web.MapRazorComponents<RefusedRoot>();
        await web.StartAsync(CancellationToken.None);
        using HttpClient client = new() { BaseAddress = new Uri(web.Urls.First()) };

        (HttpStatusCode status, string? type, string body) = await AskAsync(client, "text/html");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Equal("text/html", type);
        Assert.StartsWith("<!DOCTYPE html>", body.TrimStart(), StringComparison.Ordinal);
        Assert.Contains("no such data set here", body, StringComparison.Ordinal);

        (status, type, body) = await AskAsync(client, "application/json");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Equal("application/problem+json", type);
        Assert.Contains("no such data set here", body, StringComparison.Ordinal);
    }

    private static async Task<(HttpStatusCode Status, string? Type, string Body)> AskAsync(HttpClient client, string accept)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/refused");
        request.Headers.Add("Accept", accept);
        using HttpResponseMessage response = await client.SendAsync(request);
        return (response.StatusCode, response.Content.Headers.ContentType?.MediaType,
            await response.Content.ReadAsStringAsync());
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

/// <summary>What stands around it: nothing.</summary>
public sealed class RefusedRoot : ComponentBase
{
    /// <inheritdoc/>
    protected override void BuildRenderTree(RenderTreeBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.OpenComponent<RefusedPage>(0);
        builder.CloseComponent();
    }
}
