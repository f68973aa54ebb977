using System.Text.Json;
using System.Text.Json.Serialization;

namespace EmrMarket.Analytics.Records.Synthetic;

/// <summary>
/// The law of the synthetic records: published marginals tied together by a Gaussian copula with shared factors. Data, not code.
/// </summary>
public sealed record SyntheticParameters
{
    /// <summary>What is modelled.</summary>
    public required string Title { get; init; }

    /// <summary>Where the marginals come from.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>Weights of 1, 2, 3, ... records per person.</summary>
    public required IReadOnlyList<int> RecordsPerPerson { get; init; }

    /// <summary>Factors that all records of a person share.</summary>
    public required IReadOnlyList<string> PersonFactors { get; init; }

    /// <summary>Factors that are drawn anew for every record.</summary>
    public required IReadOnlyList<string> RecordFactors { get; init; }

    /// <summary>The law of each attribute of the schema.</summary>
    public required IReadOnlyDictionary<string, AttributeLaw> Attributes { get; init; }

    /// <summary>Reads a parameter file.</summary>
    /// <exception cref="InputException">The text is not a parameter file.</exception>
    public static SyntheticParameters Parse(string json, string file)
    {
        try
        {
            return JsonSerializer.Deserialize<SyntheticParameters>(json, Options) ?? throw new JsonException("The document is null.");
        }
        catch (JsonException e)
        {
            throw new InputException(
                new InputProblem("synthetic-json", file, (e.LineNumber ?? -1) + 1, e.Path ?? "", e.Message, "Correct the JSON."));
        }
    }

    private static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
    };
}

/// <summary>
/// The law of one attribute: its marginal, and the loadings of its standard normal latent on the factors. The rest of the latent's variance
/// is its own noise, so that the marginal holds whatever the loadings are.
/// </summary>
public sealed record AttributeLaw
{
    /// <summary>Categorical: the weight of each label, in the order in which the latent passes them.</summary>
    public IReadOnlyDictionary<string, decimal>? Weights { get; init; }

    /// <summary>
    /// Numeric: points [value, share of values below it] of the distribution function, linear between them, from share 0 to share 1.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<decimal>>? Distribution { get; init; }

    /// <summary>Numeric: digits after the decimal point.</summary>
    public int Decimals { get; init; }

    /// <summary>
    /// Loadings on factors; squares sum to at most 1. An attribute that is constant per person loads on person factors only.
    /// </summary>
    public IReadOnlyDictionary<string, double> Loadings { get; init; } = new Dictionary<string, double>();

    /// <summary>When a value is missing; null for never.</summary>
    public MissingLaw? Missing { get; init; }
}

/// <summary>When a value is missing: with this share, more often where the factors that it loads on are low.</summary>
/// <param name="Share">The share of missing values, in 0..1.</param>
/// <param name="Loadings">Loadings on factors; squares sum to at most 1.</param>
public sealed record MissingLaw(double Share, [property: JsonRequired] IReadOnlyDictionary<string, double> Loadings);
