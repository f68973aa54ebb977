using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Estimation.Regression;

/// <summary>
/// One column of a model: the intercept, an indicator of one code, a grid attribute scaled to about -1..1, or the outcome.
/// </summary>
/// <param name="Name">The term's name.</param>
/// <param name="Attribute">The index of its attribute in the request (0: the outcome); -1 for the intercept.</param>
/// <param name="Codes">The codes that an indicator counts; empty for the intercept and for numbers.</param>
/// <param name="Centre">For a number: x = (cell - Centre) / Scale.</param>
/// <param name="Scale">For a number.</param>
internal sealed record RegressionTerm(string Name, int Attribute, int[] Codes, double Centre = 0, double Scale = 1)
{
    /// <summary>Whether it is a number, not an indicator.</summary>
    public bool IsNumber => Attribute >= 0 && Codes.Length == 0;

    /// <summary>Its value when its attribute's truth is this cell.</summary>
    public double Of(int cell) => Attribute < 0 ? 1 : IsNumber ? (cell - Centre) / Scale : Array.IndexOf(Codes, cell) >= 0 ? 1 : 0;
}

/// <summary>
/// The terms of a model and, per record, unbiased estimates of them and of their pairwise products: the coins of different attributes are
/// independent given the truth, so products of their estimates are unbiased; within one attribute the product is an indicator, zero, or a
/// square with an estimator of its own (docs/ESTIMATORS.md, "Regression").
/// </summary>
internal sealed class RegressionDesign
{
    private readonly AttributeDefinition[] _attributes;

    /// <summary>Lays the terms out: intercept, covariates in order, outcome last.</summary>
    /// <param name="request">A regression.</param>
    /// <param name="reports">The attributes as first seen, outcome first.</param>
    /// <exception cref="EstimationRefusedException">An attribute cannot enter.</exception>
    public RegressionDesign(StatisticRequest request, IReadOnlyList<AttributeReports> reports)
    {
        _attributes = [.. reports.Select(r => r.Attribute)];
        List<RegressionTerm> terms = [new("intercept", -1, [])];
        for (int a = 1; a < reports.Count; a++)
        {
            terms.AddRange(Terms(a, reports[a]));
        }

        terms.Add(request.Kind == StatisticKind.Logistic ? YesNo(request, reports[0]) : Terms(0, reports[0]) is [{ IsNumber: true } number]
            ? number
            : throw new EstimationRefusedException(
                $"'{_attributes[0].Name}' is not a number: ask for logistic:{_attributes[0].Name}=LABEL~..., or declare it as a grid."));
        Columns = [.. terms];
        Sizes = [.. reports.Skip(1).Select(r => r.Channel.DomainSize)];
    }

    /// <summary>The terms: intercept, covariates, outcome.</summary>
    public IReadOnlyList<RegressionTerm> Columns { get; }

    /// <summary>The index of the outcome.</summary>
    public int Outcome => Columns.Count - 1;

    /// <summary>The domain sizes of the covariates.</summary>
    public int[] Sizes { get; }

    /// <summary>The origin and step of an attribute's unit.</summary>
    public (double Origin, double Step) Unit(int attribute) =>
        _attributes[attribute].Domain is GridDomain grid ? ((double)grid.Min, (double)grid.Step) : (0, 1);

    /// <summary>
    /// Per term the estimates of a batch's records, and per number the estimates of its square; the columns run over records.
    /// </summary>
    public (double[][] Values, double[]?[] Squares) Estimate(ReportBatch batch)
    {
        var values = new double[Columns.Count][];
        var squares = new double[]?[Columns.Count];
        Parallel.For(0, Columns.Count, t =>
        {
            RegressionTerm term = Columns[t];
            if (term.Attribute < 0)
            {
                values[t] = [.. Enumerable.Repeat(1.0, batch.Count)];
                return;
            }

            AttributeReports reports = batch[_attributes[term.Attribute].Name];
            if (term.IsNumber)
            {
                SquareWave wave = OrderedSample.Wave(reports.Channel);
                double[] cells = [.. Enumerable.Range(0, wave.Cells).Select(term.Of)];
                double[] phi = new UnbiasedFunctional(wave, cells).Phi;
                double[] square = new UnbiasedFunctional(wave, [.. cells.Select(x => x * x)]).Phi;
                ushort[] codes = ((CodeReports)reports.Reports).Codes;
                values[t] = Array.ConvertAll(codes, code => phi[code]);
                squares[t] = Array.ConvertAll(codes, code => square[code]);
            }
            else
            {
                values[t] = Indicator(reports, term.Codes);
            }
        });
        return (values, squares);
    }

    /// <summary>Refuses when 200 > n * Q_a * Q_b for the two noisiest attributes: pairwise moments would then be noise.</summary>
    public static void CheckOrder(IEnumerable<(string Name, double EffectiveShare)> qualities, long records)
    {
        const double LeastEffectiveRecords = 200;
        (string Name, double EffectiveShare)[] worst = [.. qualities.OrderBy(q => q.EffectiveShare).Take(2)];
        double effective = records * worst.Aggregate(1.0, (product, q) => product * q.EffectiveShare);
        if (effective < LeastEffectiveRecords)
        {
            throw new EstimationRefusedException(string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"The product moments of {string.Join(" and ", worst.Select(w => $"'{w.Name}'"))} would rest on {effective:0.#} effective "
                + $"records, at least {LeastEffectiveRecords} are needed: ask for higher grades or "
                + $"{Math.Ceiling(records * LeastEffectiveRecords / Math.Max(effective, 1e-9)):0} records."));
        }
    }

    /// <summary>The quality of one report of an attribute in a model.</summary>
    public static double QualityOf(AttributeReports reports) =>
        reports.Channel is DswChannel || (reports.Channel is not PublicChannel && reports.Attribute.Domain is GridDomain)
        ? ReportQuality.OfMean(OrderedSample.Wave(reports.Channel))
        : ReportQuality.OfFrequency(reports.Channel.P, reports.Channel.Q, reports.Channel.DomainSize);

    private static double[] Indicator(AttributeReports reports, int[] codes)
    {
        double p = reports.Channel.P;
        double q = reports.Channel.Q;
        var values = new double[reports.Reports.Count];
        Array.Fill(values, -codes.Length * q / (p - q));
        SupportBitmaps bitmaps = reports.Channel.Support(reports.Reports, codes);
        for (int v = 0; v < codes.Length; v++)
        {
            ReadOnlySpan<ulong> bits = bitmaps[v];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] += (bits[i >> 6] >> i & 1) / (p - q);
            }
        }

        return values;
    }

    private static RegressionTerm YesNo(StatisticRequest request, AttributeReports reports)
    {
        AttributeDomain domain = reports.Attribute.Domain;
        if (domain is GridDomain || reports.Channel is DswChannel)
        {
            throw new EstimationRefusedException($"'{reports.Attribute.Name}' is a number: ask for linear:{reports.Attribute.Name}~..., "
                + $"or declare a categorised use of it.");
        }

        int[] codes =
            [.. Enumerable.Range(0, domain.Size).Where(v => request.OutcomeLabels.Contains(domain.Label(v), StringComparer.Ordinal))];
        return codes.Length == request.OutcomeLabels.Count && codes.Length < domain.Size
            ? new RegressionTerm(request.Attributes[0], 0, codes)
            : throw new EstimationRefusedException(
                $"The outcome of '{request.Id}' must name some, not all, of the labels of '{reports.Attribute.Name}': "
                + $"{string.Join(", ", Enumerable.Range(0, domain.Size).Select(domain.Label))}.");
    }

    private static RegressionTerm[] Terms(int index, AttributeReports reports)
    {
        AttributeDefinition attribute = reports.Attribute;
        if (attribute.Domain is GridDomain || reports.Channel is DswChannel)
        {
            double half = Math.Max(0.5, (attribute.Domain.Size - 1) / 2.0);
            return attribute.Optional && attribute.Domain is GridDomain
                ? throw new EstimationRefusedException(
                    $"'{attribute.Name}' may be missing and cannot enter a model as a number: declare a categorised use of it.")
                : [new RegressionTerm(attribute.Name, index, [], (attribute.Domain.Size - 1) / 2.0, half)];
        }

        return [.. Enumerable.Range(1, attribute.Domain.Size - 1)
            .Select(v => new RegressionTerm($"{attribute.Name}={attribute.Domain.Label(v)}", index, [v]))];
    }
}
