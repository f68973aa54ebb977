using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Reporting;
using EmrMarket.Silos.Reporting.Fhir;
using EmrMarket.Silos.Reporting.Sharing;
using EmrMarket.Silos.Services;
using Microsoft.Net.Http.Headers;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>Whose results are asked for.</summary>
/// <param name="Service">Where they are.</param>
/// <param name="Researcher">Who asks.</param>
/// <param name="Key">The request.</param>
/// <param name="Table">The CSV file that metadata stands beside, relative to it.</param>
/// <param name="Cancellation">Ends it.</param>
internal sealed record ResultsAsked(
    ResearchService Service, string Researcher, string Key, string Table, CancellationToken Cancellation)
{
    /// <summary>The results with where they come from.</summary>
    public Task<RequestDossier> DossierAsync() => Service.DossierAsync(Researcher, Key, Cancellation);
}

/// <summary>A form in which results are answered.</summary>
/// <param name="Name">What <c>?format=</c> calls it.</param>
/// <param name="MediaType">What <c>Accept</c> calls it.</param>
/// <param name="Extension">How its files end.</param>
/// <param name="WriteAsync">Writes the results of a researcher's request.</param>
internal sealed record ResultsForm(string Name, string MediaType, string Extension, Func<ResultsAsked, Task<string>> WriteAsync)
{
    /// <summary>All of them, the default first.</summary>
    public static IReadOnlyList<ResultsForm> All { get; } =
    [
        new("json", "application/json", "json", asked => asked.Service.ResultsAsync(asked.Researcher, asked.Key)),
        new("csv", "text/csv", "csv", async asked => ResultsCsv.Write(
            await asked.Service.ResultsAsync(asked.Researcher, asked.Key), await asked.Service.SchemaAsync(asked.Researcher, asked.Key))),
        new("csvw", TableMetadata.MediaType, "csv" + TableMetadata.FileSuffix,
            async asked => RequestTable.Write(await asked.DossierAsync(), asked.Table)),
        new("fhir", FhirJson.MediaType, "fhir.json", async asked => FhirResults.Write(await asked.DossierAsync())),
        new("html", RequestReport.MediaType, "html", async asked => RequestReport.Write(await asked.DossierAsync())),
        new("cff", "application/yaml", "cff", async asked => Citation.Of(await asked.DossierAsync()).Cff()),
        new("bibtex", "application/x-bibtex", "bib", async asked => Citation.Of(await asked.DossierAsync()).Bibtex()),
        new("ris", "application/x-research-info-systems", "ris", async asked => Citation.Of(await asked.DossierAsync()).Ris()),
        new("csl", "application/vnd.citationstyles.csl+json", "csl.json", async asked => Citation.Of(await asked.DossierAsync()).Csl()),
    ];

    /// <summary>What a saved file of a request is called; a citation file has one name everywhere.</summary>
    public string FileOf(string key) => Name == "cff" ? "CITATION.cff" : $"request-{key[..8]}.{Extension}";

    /// <summary>A report has its style in itself, which no page of this server may: it is saved, never shown in its place.</summary>
    public string Disposition => MediaType == RequestReport.MediaType ? "attachment" : "inline";

    /// <summary>The form that a call asks for: by <c>?format=</c>, or else the one that its <c>Accept</c> prefers; a
    /// weight of 0 means none of it (RFC 9110, 12.4.2).</summary>
    /// <exception cref="ApiException"><see cref="ProblemType.InvalidValue"/>.</exception>
    public static ResultsForm Of(string? format, HttpRequest request) => format is not null
        ? All.FirstOrDefault(form => form.Name == format)
            ?? throw new ApiException(ProblemType.InvalidValue, $"format is one of {string.Join(", ", All.Select(form => form.Name))}")
        : request.GetTypedHeaders().Accept.Where(accepted => accepted.Quality is not 0)
            .OrderByDescending(accepted => accepted.Quality ?? 1).Select(Find).OfType<ResultsForm>().FirstOrDefault() ?? All[0];

    private static ResultsForm? Find(MediaTypeHeaderValue accepted) =>
        All.FirstOrDefault(form => string.Equals(form.MediaType, accepted.MediaType.Value, StringComparison.OrdinalIgnoreCase));
}
