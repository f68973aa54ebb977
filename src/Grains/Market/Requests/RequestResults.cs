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

    /// <summary>How it is written and read.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
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
