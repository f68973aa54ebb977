using System.Globalization;

namespace EmrMarket.Analytics.Estimation;

/// <summary>What a statistic is about.</summary>
public enum StatisticKind
{
    /// <summary>The share of records with each value of one attribute.</summary>
    Frequency,

    /// <summary>Mean and variance of a grid attribute, among the records where it is present.</summary>
    Mean,

    /// <summary>The share of records in each of a few wide cells of a grid attribute.</summary>
    Bins,

    /// <summary>Quantiles of a grid attribute.</summary>
    Quantile,

    /// <summary>Joint shares of two or three categorical attributes.</summary>
    Table,

    /// <summary>The most frequent codes of an attribute with a large dictionary.</summary>
    TopCodes,

    /// <summary>Least squares of a grid attribute on others.</summary>
    Linear,

    /// <summary>Logistic regression of a yes/no outcome on others, main effects.</summary>
    Logistic,
}

/// <summary>One statistic that is asked for. Its text form is <c>kind:attributes[:detail]</c>, see <see cref="Parse"/>.</summary>
public sealed record StatisticRequest
{
    /// <summary>The most cells that a table may have: beyond it most cells of any plausible sample are noise.</summary>
    public const int MaxTableCells = 10_000;

    /// <summary>The kind.</summary>
    public required StatisticKind Kind { get; init; }

    /// <summary>The attributes by name. For a regression the outcome comes first, then the covariates.</summary>
    public required IReadOnlyList<string> Attributes { get; init; }

    /// <summary>For <see cref="StatisticKind.Bins"/>: grid cells per bin, at least 1.</summary>
    public int CellsPerBin { get; init; } = 1;

    /// <summary>For <see cref="StatisticKind.Quantile"/>: the probabilities, each strictly between 0 and 1.</summary>
    public IReadOnlyList<double> Probabilities { get; init; } = [];

    /// <summary>For <see cref="StatisticKind.Logistic"/>: the outcome's labels that count as "yes".</summary>
    public IReadOnlyList<string> OutcomeLabels { get; init; } = [];

    /// <summary>The stable id: the request's text form.</summary>
    public string Id => Kind switch
    {
        StatisticKind.Bins => $"bins:{Attributes[0]}:{CellsPerBin.ToString(CultureInfo.InvariantCulture)}",
        StatisticKind.Quantile =>
            $"quantile:{Attributes[0]}:{string.Join(',', Probabilities.Select(p => p.ToString(CultureInfo.InvariantCulture)))}",
        StatisticKind.Linear => $"linear:{Attributes[0]}~{string.Join(',', Attributes.Skip(1))}",
        StatisticKind.Logistic => $"logistic:{Attributes[0]}={string.Join('|', OutcomeLabels)}~{string.Join(',', Attributes.Skip(1))}",
        StatisticKind.TopCodes => $"topCodes:{Attributes[0]}",
        _ =>
            $"{(Kind == StatisticKind.Table ? "table" : Kind == StatisticKind.Mean ? "mean" : "frequency")}:{string.Join(',', Attributes)}",
    };

    /// <summary>The share of records with each value.</summary>
    public static StatisticRequest Frequency(string attribute) => new() { Kind = StatisticKind.Frequency, Attributes = [attribute] };

    /// <summary>Mean and variance.</summary>
    public static StatisticRequest Mean(string attribute) => new() { Kind = StatisticKind.Mean, Attributes = [attribute] };

    /// <summary>The most frequent codes.</summary>
    public static StatisticRequest TopCodes(string attribute) => new() { Kind = StatisticKind.TopCodes, Attributes = [attribute] };

    /// <summary>Shares of bins of <paramref name="cellsPerBin"/> grid cells each.</summary>
    public static StatisticRequest Bins(string attribute, int cellsPerBin) =>
        Checked(new() { Kind = StatisticKind.Bins, Attributes = [attribute], CellsPerBin = cellsPerBin });

    /// <summary>Quantiles.</summary>
    public static StatisticRequest Quantile(string attribute, params double[] probabilities) =>
        Checked(new() { Kind = StatisticKind.Quantile, Attributes = [attribute], Probabilities = probabilities });

    /// <summary>A joint table of two or three attributes.</summary>
    public static StatisticRequest Table(params string[] attributes) =>
        Checked(new() { Kind = StatisticKind.Table, Attributes = attributes });

    /// <summary>Least squares.</summary>
    public static StatisticRequest Linear(string outcome, params string[] covariates) =>
        Checked(new() { Kind = StatisticKind.Linear, Attributes = [outcome, .. covariates] });

    /// <summary>Logistic regression of "the outcome is one of these labels".</summary>
    public static StatisticRequest Logistic(string outcome, IReadOnlyList<string> outcomeLabels, params string[] covariates) =>
        Checked(new() { Kind = StatisticKind.Logistic, Attributes = [outcome, .. covariates], OutcomeLabels = outcomeLabels });

    /// <summary>
    /// Reads the text form: <c>frequency:race</c>, <c>mean:time_in_hospital</c>, <c>bins:age:10</c> (cells per bin),
    /// <c>quantile:age:0.25,0.5</c>, <c>table:race,gender</c>, <c>topCodes:diag_1</c>, <c>linear:time_in_hospital~age,gender</c>,
    /// <c>logistic:readmitted=&lt;30~age,gender</c> (several outcome labels are separated by <c>|</c>).
    /// </summary>
    /// <exception cref="FormatException">The text is none of these; the message says which part and gives the forms.</exception>
    public static StatisticRequest Parse(string text)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string kind = colon < 0 ? text : text[..colon];
        string rest = colon < 0 ? "" : text[(colon + 1)..];
        if (rest.Length == 0)
        {
            throw Malformed(text, "a statistic names its attribute after a colon");
        }

        string[] parts = rest.Split(':');
        return kind switch
        {
            "frequency" => Frequency(rest),
            "mean" => Mean(rest),
            "topCodes" => TopCodes(rest),
            "bins" when parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int cells) =>
                Bins(parts[0], cells),
            "quantile" when parts.Length == 2 => Quantile(parts[0], [.. parts[1].Split(',').Select(p => ParseProbability(text, p))]),
            "table" => Table(rest.Split(',')),
            "linear" when Sides(rest) is [var outcome, var covariates] => Linear(outcome, covariates.Split(',')),
            "logistic" when Sides(rest) is [var outcome, var covariates] && outcome.Split('=', 2) is [var name, var labels] =>
                Logistic(name, labels.Split('|'), covariates.Split(',')),
            _ => throw Malformed(text, $"'{kind}' is not a kind of statistic, or its details are missing"),
        };
    }

    /// <inheritdoc/>
    public override string ToString() => Id;

    private static string[] Sides(string formula) => formula.Split('~', 2);

    private static double ParseProbability(string text, string probability) =>
        double.TryParse(probability, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            ? value
            : throw Malformed(text, $"'{probability}' is not a number");

    private static FormatException Malformed(string text, string why) => new(
        $"Cannot read the statistic '{text}': {why}. The forms are frequency:A, mean:A, bins:A:CELLS, quantile:A:P[,P], table:A,B[,C], "
        + "topCodes:A, linear:Y~A[,B] and logistic:Y=LABEL[|LABEL]~A[,B].");

    private static StatisticRequest Checked(StatisticRequest request)
    {
        string? fault = request.Kind switch
        {
            _ when request.Attributes.Any(string.IsNullOrWhiteSpace) => "an attribute's name is empty",
            _ when request.Attributes.Distinct(StringComparer.Ordinal).Count() != request.Attributes.Count => "an attribute is named twice",
            StatisticKind.Bins when request.CellsPerBin < 1 => "a bin has at least one cell",
            StatisticKind.Quantile when request.Probabilities.Count == 0 => "no probability is given",
            StatisticKind.Quantile when request.Probabilities.Any(p => !(p > 0 && p < 1)) => "a probability lies strictly between 0 and 1",
            StatisticKind.Table when request.Attributes.Count is not (2 or 3) => "a table has two or three attributes",
            StatisticKind.Linear or StatisticKind.Logistic when request.Attributes.Count < 2 => "a regression needs at least one covariate",
            StatisticKind.Logistic when request.OutcomeLabels.Count == 0 => "no outcome label is given",
            _ => null,
        };
        return fault is null ? request : throw new FormatException($"The statistic '{request.Id}' cannot be asked: {fault}.");
    }
}
