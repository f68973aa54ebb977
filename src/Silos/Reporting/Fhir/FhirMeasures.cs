using System.Globalization;
using System.Text.Json;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Quality;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Reporting.Fhir;

/// <summary>
/// The estimates as a MeasureReport: a group per answered statistic, a stratum per figure, each with the noisy estimate, which may be
/// negative, as its score. Interval, epsilon and the worth of the records are extensions (docs/fhir); the records are the initial
/// population.
/// </summary>
internal sealed class FhirMeasures(RequestDossier dossier, FhirReference group, FhirReference market)
{
    private string Url => FhirCodes.Measure + dossier.Request.Key;

    private FhirIdentifier[] Identifier => [new(FhirCodes.RequestKey, dossier.Request.Key)];

    /// <summary>What is measured.</summary>
    public FhirMeasure Measure() => new()
    {
        Url = Url,
        Identifier = Identifier,
        Title = dossier.Request.Title,
        SubjectReference = group,
        Date = dossier.Evaluated,
        Description = dossier.Terms.Why,
        Scoring = FhirCodes.Of(FhirCodes.Continuous),
        Group =
        [
            .. dossier.Results.Statistics.Select(answer => new FhirMeasureGroup(
                Code(answer), answer.Result is { } result ? $"Estimated by {result.Estimator} from randomised reports." : "Refused.")),
        ],
    };

    /// <summary>What was measured.</summary>
    public FhirMeasureReport Report() => new()
    {
        Identifier = Identifier,
        Measure = Url,
        Subject = group,
        Date = dossier.Evaluated,
        Reporter = market,
        Period = new FhirPeriod(Time(dossier.Evaluated))
        {
            Start = Time(DateTimeOffset.FromUnixTimeSeconds(dossier.Request.Steps[0].Seconds)),
        },
        Group = [.. dossier.Results.Statistics.Select(Group)],
    };

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static FhirConcept Code(StatisticAnswer answer) =>
        FhirCodes.Own(JsonNamingPolicy.CamelCase.ConvertName(StatisticRequest.Parse(answer.Id).Kind.ToString()), answer.Id);

    private FhirReportGroup Group(StatisticAnswer answer)
    {
        if (answer.Result is not { } result)
        {
            // A refused statistic has a score all the same, which says that it was not computed.
            return new FhirReportGroup(Code(answer)) { MeasureScore = Absent(FhirCodes.NotPerformed) };
        }

        return new FhirReportGroup(Code(answer))
        {
            Extension =
            [
                new FhirExtension(FhirCodes.EpsilonExtension) { ValueDecimal = (double)result.Epsilon.Micro / 1_000_000 },
                new FhirExtension(FhirCodes.EffectiveExtension) { ValueDecimal = result.EffectiveRecords },
                .. result.ReportsByGrade.Select(FhirResults.Grade),
            ],
            Population = [new FhirReportPopulation(FhirCodes.Of(FhirCodes.InitialPopulation), result.N)],
            MeasureScore = result.Cells.Count == 1 ? Score(result, result.Cells[0]) : null,
            Stratifier = Stratifiers(result),
        };
    }

    private FhirStratifier[]? Stratifiers(StatisticResult result) => ((string Name, IReadOnlyList<StatisticCell> Cells)[])
        [("figures", result.Cells), .. result.Sections.Select(section => (section.Name, section.Cells))] is var parts
        && parts.Any(part => part.Cells.Count > 0)
            ?
            [
                .. parts.Where(part => part.Cells.Count > 0).Select(part => new FhirStratifier(
                    [FhirCodes.Own("about", part.Name)],
                    [.. part.Cells.Select(cell => new FhirStratum(new FhirConcept(null, cell.Value), Score(result, cell)))])),
            ]
            : null;

    private FhirQuantity Score(StatisticResult result, StatisticCell cell)
    {
        string unit = ResultFigure.UnitOf(result, cell, dossier.Schema);
        FhirExtension? interval = double.IsFinite(cell.Low) || double.IsFinite(cell.High)
            ? new FhirExtension(FhirCodes.IntervalExtension)
            {
                Extension =
                [
                    new FhirExtension("range")
                    {
                        ValueRange = new FhirRange(FhirResults.Quantity(cell.Low, unit), FhirResults.Quantity(cell.High, unit)),
                    },
                    new FhirExtension("confidence") { ValueDecimal = result.Confidence },
                    new FhirExtension("kind") { ValueString = FhirResults.Camel(cell.IntervalKind) },
                ],
            }
            : null;
        FhirExtension? error = double.IsFinite(cell.StandardError)
            ? new FhirExtension(FhirCodes.StandardErrorExtension) { ValueDecimal = cell.StandardError } : null;
        FhirQuantity score = FhirResults.Quantity(cell.Estimate, unit) ?? Absent(FhirCodes.NotANumber);
        FhirExtension[] extensions = [.. score.Extension ?? [], .. new[] { interval, error }.OfType<FhirExtension>()];
        return score with { Extension = extensions.Length > 0 ? extensions : null };
    }

    private static FhirQuantity Absent(FhirCoding reason) =>
        new(null as double?) { Extension = [new FhirExtension(FhirCodes.AbsentExtension) { ValueCode = reason.Code }] };
}
