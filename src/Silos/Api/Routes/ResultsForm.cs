using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Reporting;
using EmrMarket.Silos.Reporting.Fhir;
using EmrMarket.Silos.Services;
using Microsoft.Net.Http.Headers;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>A form in which results are answered.</summary>
/// <param name="Name">What <c>?format=</c> calls it.</param>
/// <param name="MediaType">What <c>Accept</c> calls it.</param>
/// <param name="Extension">How its files end.</param>
/// <param name="WriteAsync">Writes the results of a researcher's request.</param>
internal sealed record ResultsForm(
    string Name, string MediaType, string Extension, Func<ResearchService, string, string, CancellationToken, Task<string>> WriteAsync)
{
    /// <summary>All of them, the default first.</summary>
    public static IReadOnlyList<ResultsForm> All { get; } =
    [
        new("json", "application/json", "json", (service, researcher, key, _) => service.ResultsAsync(researcher, key)),
        new("csv", "text/csv", "csv", async (service, researcher, key, _) => ResultsCsv.Write(await service.ResultsAsync(researcher, key))),
        new("fhir", FhirJson.MediaType, "fhir.json", async (service, researcher, key, cancellation) =>
            FhirResults.Write(await service.DossierAsync(researcher, key, cancellation))),
        new("html", RequestReport.MediaType, "html", async (service, researcher, key, cancellation) =>
            RequestReport.Write(await service.DossierAsync(researcher, key, cancellation))),
    ];

    /// <summary>A report has its style in itself, which no page of this server may: it is saved, never shown in its place.</summary>
    public string Disposition => MediaType == RequestReport.MediaType ? "attachment" : "inline";

    /// <summary>The form that a call asks for: by <c>?format=</c>, or else the first of its <c>Accept</c> that there is.</summary>
    /// <exception cref="ApiException"><see cref="ProblemType.InvalidValue"/>.</exception>
    public static ResultsForm Of(string? format, HttpRequest request) => format is not null
        ? All.FirstOrDefault(form => form.Name == format)
            ?? throw new ApiException(ProblemType.InvalidValue, $"format is one of {string.Join(", ", All.Select(form => form.Name))}")
        : request.GetTypedHeaders().Accept.OrderByDescending(accepted => accepted.Quality ?? 1).Select(Find).OfType<ResultsForm>()
            .FirstOrDefault() ?? All[0];

    private static ResultsForm? Find(MediaTypeHeaderValue accepted) =>
        All.FirstOrDefault(form => string.Equals(form.MediaType, accepted.MediaType.Value, StringComparison.OrdinalIgnoreCase));
}
