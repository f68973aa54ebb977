using System.Text;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Reporting.Sharing;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>What researchers do.</summary>
internal static class ResearchRoutes
{
    /// <summary>Adds them.</summary>
    public static void MapResearch(this IEndpointRouteBuilder api)
    {
        IEndpointRouteBuilder research = api.MapGroup("").WithTags("Research");
        research.MapPost("/plans", (PlanWish wish, ResearchService service) =>
            {
                ApiValues.Hash(wish.SchemaId, "schemaId");
                return service.PlanAsync(wish);
            })
            .Named("Plan", "What a statistic would cost and how exact it would be; nothing is stored or spent.", Policies.Anyone)
            .Costs(RateClass.Write);
        research.MapPost("/terms", (RequestWish wish, HttpContext context, ResearchService service) =>
            {
                ApiValues.Hash(wish.SchemaId, "schemaId");
                return service.WriteTermsAsync(ApiValues.AddressOf(context), wish);
            })
            .Named("WriteTerms", "The terms that a wish comes to, in canonical form, to be opened as they are.", Policies.Researcher)
            .Costs(RateClass.Write).Remembered();
        research.MapPost("/requests", async (HttpContext context, ResearchService service) =>
            {
                OpenInfo open = await service.OpenAsync(ApiValues.AddressOf(context), await TextAsync(context), context.RequestAborted);
                return TypedResults.Created($"{ApiPaths.Root}/requests/{open.Key}", open);
            })
            .Named("OpenRequest",
                "Hands in terms, byte by byte as POST /terms wrote them; answers with the calls that the researcher signs to fund the "
                    + "request.", Policies.Researcher)
            .Costs(RateClass.Write).Remembered().Accepts<TermsDocument>("application/json");
        research.MapGet("/requests", async (string? cursor, string? limit, HttpContext context, ResearchService service) =>
            Paging.After(await service.ListAsync(ApiValues.AddressOf(context)), request => request.Key, cursor, limit))
            .Named("ListRequests", "The researcher's requests, newest first.", Policies.Researcher).Cached(CacheFor.Session);
        research.MapGet("/requests/{key}",
            (string key, HttpContext context, ResearchService service) =>
                service.StatusAsync(ApiValues.AddressOf(context), ApiValues.Hash(key, "key")))
            .Named("ReadRequest", "Where a request stands, with the reason for each step.", Policies.Researcher).Cached(CacheFor.Session);
        research.MapGet("/requests/{key}/results", async (
            string key, string? format, string? table, HttpContext context, ResearchService service) =>
            {
                ResultsForm form = ResultsForm.Of(format, context.Request);
                string text = await form.WriteAsync(new ResultsAsked(
                    service, ApiValues.AddressOf(context), ApiValues.Hash(key, "key"), Table(table), context.RequestAborted));
                context.Response.Headers.ContentDisposition = $"{form.Disposition}; filename=\"{form.FileOf(key)}\"";
                if (form.Name == "csv")
                {
                    // W3C, Model for Tabular Data and Metadata on the Web, 5.2.
                    context.Response.Headers.Link =
                        $"<{ApiPaths.Root}/requests/{key}/results?format=csvw>; rel=\"describedby\"; type=\"{TableMetadata.MediaType}\"";
                }

                context.Response.Headers.Vary = "Accept, Authorization, Cookie";
                return new TaggedText(text, form.MediaType + "; charset=utf-8");
            })
            .Named("ReadResults",
                "The results of a request: JSON (docs/WIRE.md), one line of CSV per figure and its metadata (CSV on the Web; table names "
                    + "the CSV file that it stands beside), a Bundle of HL7 FHIR R4, a report to read, or how to cite them "
                    + "(CITATION.cff, BibTeX, RIS, CSL-JSON).",
                Policies.Researcher)
            .Produces<RequestResults>(
                StatusCodes.Status200OK, ResultsForm.All[0].MediaType, [.. ResultsForm.All.Skip(1).Select(form => form.MediaType)]);
        research.MapPost("/requests/{key}/cancellation",
            (string key, HttpContext context, ResearchService service) =>
                service.CancelAsync(ApiValues.AddressOf(context), ApiValues.Hash(key, "key")))
            .Named("CancelRequest", "Withdraws a request that is not funded, or answers with the call that cancels it.",
                Policies.Researcher).Costs(RateClass.Write).Remembered();
    }

    // What metadata says of a CSV file is found beside it: a name, and no way to elsewhere.
    private static string Table(string? name) => name is null ? "results?format=csv"
        : name.Length is > 0 and <= 200 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_') ? name
        : throw new ApiException(ProblemType.InvalidValue, "table is the name of a file: letters, digits, '.', '-' and '_', 200 at most");

    // As text, not as JSON that is read and written again: the request's key is the hash of these bytes.
    private static async Task<string> TextAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw new ApiException(ProblemType.UnsupportedMediaType);
        }

        using StreamReader reader = new(context.Request.Body, new UTF8Encoding(false, throwOnInvalidBytes: true));
        try
        {
            return await reader.ReadToEndAsync(context.RequestAborted);
        }
        catch (DecoderFallbackException)
        {
            throw new ApiException(ProblemType.TermsJson, "the body is not UTF-8");
        }
    }
}
