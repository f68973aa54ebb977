using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Exchange;

namespace EmrMarket.Grains.Market.Requests;

/// <summary>The answer to a request, as JSON (docs/WIRE.md, "Results"). A pure function of the delivered files, so an auditor gets the
/// same.</summary>
public sealed record RequestResults
{
    /// <summary>The format and its version.</summary>
    public const string CurrentFormat = "emrmarket-request-results/1";

    /// <summary>How it is written.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    private static readonly JsonSerializerOptions Strict = new(Json)
    {
        AllowDuplicateProperties = false, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    };

    /// <summary>Always <see cref="CurrentFormat"/>.</summary>
    public string Format { get; init; } = CurrentFormat;

    /// <summary>The request's id on the ledger.</summary>
    public required ulong RequestId { get; init; }

    /// <summary>Records delivered by site.</summary>
    public required SortedDictionary<uint, long> RecordsBySite { get; init; }

    /// <summary>SHA-256 of the delivery files, by site.</summary>
    public required SortedDictionary<uint, string> DeliveryFiles { get; init; }

    /// <summary>The statistics, in the order in which they were asked for.</summary>
    public required IReadOnlyList<StatisticAnswer> Statistics { get; init; }

    /// <summary>What is odd about a site's reports: statistics, never proof.</summary>
    public required IReadOnlyList<SiteFinding> Findings { get; init; }

    /// <summary>Reads what <see cref="Json"/> wrote, from whomever it comes: whatever is taken can be printed.</summary>
    /// <exception cref="ExchangeFileException">It is no such document; the message says where, and quotes nothing.</exception>
    public static RequestResults Read(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        RequestResults? results;
        try
        {
            results = JsonSerializer.Deserialize<RequestResults>(json, Strict);
        }
        catch (JsonException e)
        {
            throw Refused(string.Create(CultureInfo.InvariantCulture,
                $"at {(IsPlain(e.Path) ? e.Path : "$")}, line {e.LineNumber + 1}, is something else than expected"));
        }

        return results is null ? throw Refused("at $ is nothing")
            : results.Format != CurrentFormat ? throw new ExchangeFileException(
                "future-version", $"the results are of another format than {CurrentFormat}: read them with the program that wrote them")
            : results.Fault() is { } fault ? throw Refused(fault)
            : results;
    }

    // A path has the document's own names in it.
    private static bool IsPlain(string? path) => path is { Length: > 0 and <= 200 } && path.All(c => c is > ' ' and < (char)127);

    private static ExchangeFileException Refused(string fault) => new("malformed-file", $"the results cannot be used: {fault}");

    /// <summary>The first place that lacks what every reader takes for granted. The serializer minds nulls of members, and not those
    /// within lists.</summary>
    private string? Fault()
    {
        if (DeliveryFiles.Any(file => file.Value is null))
        {
            return "at $.deliveryFiles is a null";
        }

        for (int i = 0; i < Statistics.Count; i++)
        {
            string? at = Statistics[i] is not { } answer ? "" : answer.Result is null == answer.Refusal is null
                ? " is neither a result nor a refusal, or both" : answer.Result is { } result ? FaultOf(result) : null;
            if (at is not null)
            {
                return string.Create(CultureInfo.InvariantCulture, $"at $.statistics[{i}]{(at.Length == 0 ? " is a null" : at)}");
            }
        }

        return Findings.Any(finding => finding is null) ? "at $.findings is a null" : null;
    }

    private static string? FaultOf(StatisticResult result) =>
        HasNull(result.Attributes) ? ".result.attributes is a null"
        : result.Epsilon < Analytics.Budgets.EpsilonMicro.Zero ? ".result.epsilon is a loss below 0"
        : HasNull(result.Cells) ? ".result.cells is a null"
        : HasNull(result.ReportsByGrade) ? ".result.reportsByGrade is a null"
        : HasNull(result.Sections) || result.Sections.Any(section => HasNull(section.Cells)) ? ".result.sections is a null"
        : HasNull(result.Tests) ? ".result.tests is a null"
        : HasNull(result.Warnings) ? ".result.warnings is a null" : null;

    private static bool HasNull<T>(IReadOnlyList<T> list)
        where T : class => list.Any(item => item is null);

    /// <summary>Computes them.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="terms">What was asked.</param>
    /// <param name="requestId">The request.</param>
    /// <param name="deliveries">The final deliveries with the SHA-256 of their files.</param>
    public static RequestResults Of(
        Schema schema, TermsDocument terms, ulong requestId, IReadOnlyList<(DeliveryFile File, string Hash)> deliveries)
    {
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(deliveries);
        (DeliveryFile File, string Hash)[] bySite = [.. deliveries.OrderBy(delivery => delivery.File.Site)];
        Dictionary<uint, IReadOnlyList<ReportBatch>> batches = bySite.ToDictionary(
            delivery => delivery.File.Site, delivery => delivery.File.ToReportBatches(schema));
        ReportBatch[] all = [.. batches.OrderBy(pair => pair.Key).SelectMany(pair => pair.Value)];
        return new RequestResults
        {
            RequestId = requestId,
            RecordsBySite = new SortedDictionary<uint, long>(
                bySite.ToDictionary(d => d.File.Site, d => d.File.Persons.LongCount(person => person >= 0))),
            DeliveryFiles = new SortedDictionary<uint, string>(bySite.ToDictionary(d => d.File.Site, d => d.Hash)),
            Statistics = [.. terms.Requests.Select(statistic => Answer(statistic, all, terms.Options))],
            Findings =
            [
                .. terms.Grades.Keys.SelectMany(attribute => SiteFindings.Of(
                    attribute,
                    batches.ToDictionary(pair => pair.Key.ToString(CultureInfo.InvariantCulture), pair => pair.Value,
                        StringComparer.Ordinal))),
            ],
        };
    }

    private static StatisticAnswer Answer(StatisticRequest statistic, ReportBatch[] batches, EstimationOptions options)
    {
        try
        {
            return new StatisticAnswer(statistic.Id, StatisticEstimator.Estimate(statistic, batches, options), null);
        }
        catch (EstimationRefusedException refusal)
        {
            return new StatisticAnswer(statistic.Id, null, refusal.Message);
        }
    }
}

/// <summary>One statistic of a request.</summary>
/// <param name="Id">Its text form.</param>
/// <param name="Result">The answer; null when refused.</param>
/// <param name="Refusal">Why there is none; null when answered.</param>
public sealed record StatisticAnswer(string Id, StatisticResult? Result, string? Refusal);
