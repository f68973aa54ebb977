using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Ethereum;
using LedgerRequest = EmrMarket.Contracts.Bindings.RequestTerms;

namespace EmrMarket.Grains.Exchange;

/// <summary>The grades of one requested attribute.</summary>
/// <param name="Minimum">The lowest accepted.</param>
/// <param name="Top">What everybody who allows it delivers.</param>
public sealed record GradeRange(int Minimum, int Top);

/// <summary>
/// What a researcher asks for, in words and numbers that people can read (docs/WIRE.md, "Exchanged files"). Its canonical JSON is hashed
/// with keccak; the hash stands on the ledger beside the terms that follow from the document, so neither can be changed without the other.
/// </summary>
public sealed record TermsDocument
{
    /// <summary>The format and its version.</summary>
    public const string CurrentFormat = "emrmarket-terms/1";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        NumberHandling = JsonNumberHandling.Strict,
    };

    /// <summary>Always <see cref="CurrentFormat"/>.</summary>
    public string Format { get; init; } = CurrentFormat;

    /// <summary>The schema's id, 64 hexadecimal digits.</summary>
    public required string SchemaId { get; init; }

    /// <summary>The researcher's address, lower case.</summary>
    public required string Researcher { get; init; }

    /// <summary>The statistics in their text form, at least one.</summary>
    public required IReadOnlyList<string> Statistics { get; init; }

    /// <summary>The grades by attribute: those of the statistics, and the presence attributes of optional grids among them; 1 to 1 for a
    /// Public attribute.</summary>
    public required SortedDictionary<string, GradeRange> Grades { get; init; }

    /// <summary>How grades are combined: <c>stratified</c> (unbiased whoever allows what) or <c>precision</c> (where ranges are wider than
    /// one grade).</summary>
    public string Estimator { get; init; } = "stratified";

    /// <summary>The confidence of the intervals, strictly between 0 and 1.</summary>
    public decimal Confidence { get; init; } = 0.95m;

    /// <summary>Token units per effective record, as decimal text.</summary>
    public required string Bid { get; init; }

    /// <summary>Token units in escrow, as decimal text.</summary>
    public required string Budget { get; init; }

    /// <summary>Records wanted.</summary>
    public required uint TargetRecords { get; init; }

    /// <summary>Below this many records none are taken.</summary>
    public uint MinimumRecords { get; init; }

    /// <summary>The purpose's code.</summary>
    public required byte Purpose { get; init; }

    /// <summary>The public cell as <c>attribute=value</c>; empty for any.</summary>
    public string PublicCell { get; init; } = "";

    /// <summary>Unix seconds.</summary>
    public required long Deadline { get; init; }

    /// <summary>What it is about, for patients.</summary>
    public required string Title { get; init; }

    /// <summary>Why it is asked, for patients.</summary>
    public required string Why { get; init; }

    /// <summary>32 random hexadecimal digits, so that the same wish can be funded twice.</summary>
    public required string Nonce { get; init; }

    /// <summary>The statistics.</summary>
    /// <exception cref="FormatException">One of them cannot be read.</exception>
    [JsonIgnore]
    public IReadOnlyList<StatisticRequest> Requests => [.. Statistics.Select(StatisticRequest.Parse)];

    /// <summary>How they are estimated: about all who allow this use, of whom those who deliver are drawn at random, so the chance of the
    /// draw is part of every interval.</summary>
    [JsonIgnore]
    public EstimationOptions Options => EstimationOptions.Default with
    {
        Confidence = (double)Confidence,
        Target = InferenceTarget.Population,
        Combination = string.Equals(Estimator, "precision", StringComparison.Ordinal)
            ? CombinationRule.Precision : CombinationRule.Stratified,
    };

    /// <summary>The grades that statistics need when every randomised attribute is wanted at one grade of its own.</summary>
    public static SortedDictionary<string, GradeRange> GradesFor(
        Schema schema, IEnumerable<StatisticRequest> statistics, Func<AttributeDefinition, int> grade)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        ArgumentNullException.ThrowIfNull(grade);
        IReadOnlyList<AttributeDefinition> attributes = SiteReports.WithPresence(
            schema, statistics.SelectMany(statistic => statistic.Attributes));
        return new SortedDictionary<string, GradeRange>(
            attributes.ToDictionary(a => a.Name, a => a.Tier == Tier.Public ? new GradeRange(1, 1) : new GradeRange(grade(a), grade(a))),
            StringComparer.Ordinal);
    }

    /// <summary>The canonical JSON.</summary>
    public string Write() => Encoding.UTF8.GetString(CanonicalJson.Write(JsonSerializer.SerializeToElement(this, Json)));

    /// <summary>keccak of the canonical JSON.</summary>
    public Bytes32 Hash() => Keccak256.Hash(Write());

    /// <summary>Reads canonical JSON; any other form is refused, since the hash is of these bytes.</summary>
    /// <exception cref="ExchangeFileException">The text is no terms document, or not in its canonical form.</exception>
    public static TermsDocument Read(string json)
    {
        TermsDocument document;
        try
        {
            document = JsonSerializer.Deserialize<TermsDocument>(json, Json) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new ExchangeFileException("terms-json", $"this is no terms document: {e.Message}");
        }

        // The serializer minds nulls of members, and not those within lists.
        if (document.Statistics.Any(statistic => statistic is null) || document.Grades.Values.Any(range => range is null))
        {
            throw new ExchangeFileException("terms-json", "this is no terms document: a statistic or a range of grades is null");
        }

        return document.Format != CurrentFormat
            ? throw new ExchangeFileException("future-version", $"the terms have format {document.Format}, expected {CurrentFormat}")
            : document.Write() != json
            ? throw new ExchangeFileException(
                "terms-form", "the terms are not in canonical form: members sorted, no white space, plain decimals")
            : document;
    }

    /// <summary>The terms that stand on the ledger.</summary>
    /// <exception cref="ExchangeFileException">The document asks for what the schema does not have, or contradicts itself; the message
    /// names the first fault.</exception>
    public LedgerRequest ToLedger(Schema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        if (schema.Id != SchemaId)
        {
            throw Fault($"the schema is {SchemaId}, expected {schema.Id}");
        }

        IReadOnlyList<StatisticRequest> statistics;
        try
        {
            statistics = Requests;
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw Fault(e.Message);
        }

        if (statistics.Count == 0)
        {
            throw Fault("no statistic is asked for");
        }

        AttributeGrades minimum = AttributeGrades.None;
        AttributeGrades top = AttributeGrades.None;
        foreach ((string name, GradeRange range) in Grades)
        {
            int index = schema.IndexOf(name);
            if (index < 0 || range.Minimum < 1 || range.Top < range.Minimum || range.Top > schema.Grades.Count)
            {
                throw Fault(
                    $"attribute '{name}' is asked for at grades {range.Minimum} to {range.Top}: expected an attribute of the schema at "
                        + $"grades 1 to {schema.Grades.Count}");
            }

            (minimum, top) = (minimum.With(index, range.Minimum), top.With(index, range.Top));
        }

        foreach (string name in statistics.SelectMany(statistic => statistic.Attributes))
        {
            int index = schema.IndexOf(name);
            int presence = index < 0 ? -1 : schema.PresenceOf(index);
            if (index < 0 || top[index] == 0 || (presence >= 0 && top[presence] == 0))
            {
                throw Fault(index < 0
                    ? $"the schema has no attribute '{name}'"
                    : $"the statistics need '{name}'{(presence >= 0 ? " and its presence" : "")}, and no grade is given");
            }
        }

        bool ranged = Grades.Values.Any(range => range.Minimum != range.Top);
        return Estimator is not ("stratified" or "precision") ? throw Fault($"the estimator is stratified or precision, not '{Estimator}'")
            : ranged && Estimator == "stratified"
            ? throw Fault("a range of grades needs the estimator precision: only with one grade per attribute are all records drawn alike")
            : Confidence is not (> 0 and < 1) ? throw Fault($"the confidence lies strictly between 0 and 1, not {Confidence}")
            : !UInt128.TryParse(Bid, NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 bid) || bid >> 96 != 0
            ? throw Fault($"the bid '{Bid}' is no number below 2^96")
            : !UInt128.TryParse(Budget, NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 budget) || budget >> 112 != 0
            ? throw Fault($"the budget '{Budget}' is no number below 2^112")
            : TargetRecords == 0 || MinimumRecords > TargetRecords
            ? throw Fault($"{MinimumRecords} to {TargetRecords} records are wanted: expected at least one, and no more than the target")
            : Deadline is <= 0 or >= 1L << 40 ? throw Fault($"the deadline {Deadline} is no time in unix seconds")
            : new LedgerRequest(
                Hash(), schema.LedgerId(), Hash(), minimum.ToPacked(), top.ToPacked(), BatchId.PublicCell(PublicCell), bid, budget,
                TargetRecords, MinimumRecords, Purpose, (ulong)Deadline);
    }

    private static ExchangeFileException Fault(string what) => new("terms", "the terms cannot be served: " + what);
}
