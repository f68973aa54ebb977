using System.Globalization;
using System.Text;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Silos.Pages.Texts;
using EmrMarket.Silos.Reporting.Plots;
using EmrMarket.Silos.Reporting.Sharing;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Reporting;

/// <summary>The results of a request as one file to read, keep and pass on: warnings first, then a plot and every number of each
/// statistic, then where it all comes from.</summary>
internal sealed class RequestReport
{
    /// <summary>The media type of what is written.</summary>
    public const string MediaType = "text/html";

    private readonly StringBuilder _html = new();
    private readonly RequestDossier _dossier;

    private RequestReport(RequestDossier dossier) => _dossier = dossier;

    private IEnumerable<StatisticResult> Answered => _dossier.Results.Statistics.Select(answer => answer.Result).OfType<StatisticResult>();

    /// <summary>The page.</summary>
    public static string Write(RequestDossier dossier) => new RequestReport(dossier).Page();

    private string Page()
    {
        RequestInfo request = _dossier.Request;
        _html.Head($"{request.Title}: EmrMarket, request {request.RequestId}");
        _html.Append(CultureInfo.InvariantCulture, $"<header><div>\n<h1>{E(request.Title)}</h1>\n<p>{E(_dossier.Terms.Why)}</p>\n")
            .Append(CultureInfo.InvariantCulture, $"<p class=\"origin\">Request {request.RequestId} · ")
            .Append(CultureInfo.InvariantCulture, $"schema {E(_dossier.Schema.Name)} · ")
            .Append(CultureInfo.InvariantCulture, $"{_dossier.Evaluated:d MMMM yyyy, HH:mm 'UTC'}</p>\n")
            .Append("</div></header>\n<main>\n");
        Summary();
        Statistics();
        Origin();
        _html.Append("</main>\n</body>\n</html>\n");
        return _html.ToString();
    }

    private void Summary()
    {
        RequestInfo request = _dossier.Request;
        _html.Append("<section id=\"summary\">\n<h2>Summary</h2>\n<dl class=\"facts\">\n");
        _html.Fact(ResearchTexts.Delivered, Numbers.Count(request.Delivered),
            $"records of {Numbers.Count(_dossier.Terms.TargetRecords)} wanted");
        _html.Fact("Largest loss", Answered.Select(result => (double)result.Epsilon.Micro / 1_000_000).DefaultIfEmpty(0).Max()
            .ToString("0.######", CultureInfo.InvariantCulture), "epsilon that a record bore for one statistic");
        _html.Fact(ResearchTexts.Paid, Amount(request.Paid), CommonTexts.Units);
        _html.Fact(ResearchTexts.Refunded, Amount(request.Refunded), CommonTexts.Units);
        _html.Append("</dl>\n<h3>").Append(E(ResearchTexts.Warnings)).Append("</h3>\n<ul class=\"plain\">\n");
        foreach (string warning in Answered.SelectMany(result => result.Warnings).Distinct(StringComparer.Ordinal).Concat(Limits()))
        {
            _html.Append(CultureInfo.InvariantCulture, $"<li>{E(warning)}</li>\n");
        }

        _html.Append("</ul>\n</section>\n");
    }

    private IEnumerable<string> Limits()
    {
        yield return "Every number was estimated from values that were randomised at the patients' sites; no raw value was seen.";
        if (Answered.Any(OutOfRange))
        {
            yield return ResearchTexts.OutOfRange;
        }

        if (Answered.Any(result => result.Target == InferenceTarget.Population))
        {
            yield return "Intervals are about all who allow this use and are on offer, of whom those who delivered were drawn at random. "
                + "Whoever does not allow it is not spoken of.";
        }

        yield return "The intervals of one statistic hold each on its own; that all hold together is less likely.";
        if (_dossier.Request.Delivered < _dossier.Request.Sold)
        {
            yield return $"{Numbers.Count(_dossier.Request.Sold - _dossier.Request.Delivered)} of {Numbers.Count(_dossier.Request.Sold)} "
                + "records that were sold were not delivered; their price "
                + (_dossier.Request.HasEnded ? "went back." : "goes back when the request is settled.");
        }
    }

    private static bool OutOfRange(StatisticResult result) =>
        ResultFigure.IsShare(result.Kind) && result.Cells.Any(cell => cell.Low < 0 || cell.High > 1);

    private void Statistics()
    {
        foreach (var answer in _dossier.Results.Statistics)
        {
            _html.Append(CultureInfo.InvariantCulture, $"<section>\n<h2><code>{E(answer.Id)}</code></h2>\n");
            if (answer.Result is { } result)
            {
                Statistic(result);
            }
            else
            {
                _html.Append(CultureInfo.InvariantCulture, $"<p>{E(ResearchTexts.NotAnswered)}: {E(answer.Refusal ?? "")}</p>\n");
            }

            _html.Append("</section>\n");
        }
    }

    private void Statistic(StatisticResult result)
    {
        string unit = ResultFigure.UnitOf(result, _dossier.Schema);
        string shown = ResultFigure.IsShare(result.Kind) ? EvaluationSummary.ShareUnit : unit;
        string grades = string.Join(", ", result.ReportsByGrade.Select(count => string.Create(CultureInfo.InvariantCulture,
            $"{count.Attribute} at grade {count.Grade} (epsilon {(double)count.EpsilonMicro / 1_000_000:0.######}): {count.Reports:#,0}")));
        _html.Append("<p class=\"reading\">")
            .Append(E(ResearchPhrases.Facts(result.N, result.EffectiveRecords, result.Epsilon.ToString(), result.Confidence)))
            .Append(CultureInfo.InvariantCulture, $" {E(ResearchTexts.Estimator)}: {E(result.Estimator)}. Reports: {E(grades)}.</p>\n")
            .Append("<div class=\"figures single\">\n");
        _html.Draw(ResultFigure.Of(result, TitleOf, unit));
        _html.Append("</div>\n");
        Cells("Every number", result.Cells, shown);
        if (result.PostProcessing is { } post)
        {
            _html.Append(CultureInfo.InvariantCulture, $"<p class=\"note\">{E(ResearchTexts.Post)}: {E(post)}.</p>\n");
        }

        foreach (StatisticSection section in result.Sections)
        {
            Cells(section.Name, section.Cells, shown);
            _html.Append(CultureInfo.InvariantCulture, $"<p class=\"note\">{E(section.Note)}</p>\n");
        }

        if (result.Tests.Count > 0)
        {
            _html.Rows(ResearchTexts.Tests, ["test", "statistic", "degrees of freedom", "p"], result.Tests.Select(test => (string[])
                [test.Name, Numbers.Short(test.Statistic), Numbers.Count(test.DegreesOfFreedom), Numbers.Short(test.PValue)]));
        }
    }

    private void Cells(string title, IReadOnlyList<StatisticCell> cells, string unit)
    {
        (string Name, Func<StatisticCell, string> Text)[] columns =
        [
            (ResearchTexts.Estimate, cell => Show(cell.Estimate, unit)),
            (ResearchTexts.Interval, cell => double.IsNaN(cell.Low) ? "–" : $"{Show(cell.Low, unit)} to {Show(cell.High, unit)}"),
            (ResearchTexts.Error, cell => Show(cell.StandardError, unit)),
            (ResearchTexts.Expected, cell => Show(cell.ExpectedHalfWidth, unit)),
            (ResearchTexts.Guarantee, cell => Show(cell.GuaranteedHalfWidth, unit)),
            (ResearchTexts.Post, cell => Show(cell.PostProcessed, unit)),
        ];
        (string Name, Func<StatisticCell, string> Text)[] used =
            [.. columns.Where((column, c) => c == 0 || cells.Any(cell => column.Text(cell) != "–"))];
        _html.Rows(title, [ResearchTexts.Value, .. used.Select(column => column.Name)],
            cells.Select(cell => (string[])[Named(cell, unit), .. used.Select(column => column.Text(cell))]));
    }

    private static string Named(StatisticCell cell, string unit) => unit.Length == 0 || unit == EvaluationSummary.ShareUnit ? cell.Value
        : cell.Value + (cell.Value == "variance" ? ResearchPhrases.Squared(unit) : ResearchPhrases.In(unit));

    private static string Show(double? value, string unit) =>
        value is { } number && !double.IsNaN(number) ? Numbers.Bare(number, unit) : "–";

    private void Origin()
    {
        RequestInfo request = _dossier.Request;
        _html.Append("<section id=\"origin\">\n<h2>Where it comes from</h2>\n<h3>").Append(E(ResearchTexts.Citation)).Append("</h3>\n<p>")
            .Append(E(Citation.Of(_dossier).Sentence))
            .Append("</p>\n");
        _html.Rows("On the ledger", ["what", "block", "transaction"],
        [
            ["opened and funded", Block(_dossier.Opened), _dossier.Opened.Transaction],
            .. _dossier.Deliveries.Select(delivery => (string[])
            [
                $"delivery of site {delivery.Site}, {Numbers.Count(delivery.Records)} records", Block(delivery.Place),
                delivery.Place.Transaction,
            ]),
        ], "hashes");
        _html.Rows("Hashes", ["what", "hash"],
        [
            ["terms, keccak-256", request.Key],
            ["schema, SHA-256", _dossier.Schema.Id],
            .. _dossier.Deliveries.Select(delivery => (string[])[$"delivered file of site {delivery.Site}, SHA-256", delivery.DataHash]),
        ], "hashes");
        if (_dossier.Results.Findings.Count > 0)
        {
            _html.Rows(ResearchTexts.Findings, ["site", "attribute", "finding", "adjusted p"], _dossier.Results.Findings.Select(
                finding => (string[])
                    [finding.Site, TitleOf(finding.Attribute), finding.Kind.ToString(), Numbers.Short(finding.AdjustedPValue)]));
        }

        _html.Append("<p class=\"note\">The same numbers are to be had as JSON, CSV and HL7 FHIR. A registered auditor can compute them ")
            .Append("again from the delivered files, with no trust in the market.</p>\n</section>\n");
    }

    private static string Block(LedgerPlace place) => place.Block.ToString(CultureInfo.InvariantCulture);

    private static string Amount(string units) => CommonPhrases.Amount(units);

    private string TitleOf(string name) =>
        _dossier.Schema.IndexOf(name) is >= 0 and int a && _dossier.Schema.Attributes[a].Title is { Length: > 0 } title ? title : name;

    private static string E(string text) => SvgBuilder.Escape(text);
}
