using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>
/// A repeated measurement that answers one question. To add one: a class beside the others and a line in <see cref="ExperimentCatalogue"/>.
/// </summary>
public interface IExperiment
{
    /// <summary>Its name on the command line: lower case and hyphens.</summary>
    string Name { get; }

    /// <summary>Its title.</summary>
    string Title { get; }

    /// <summary>The question that it answers.</summary>
    string Question { get; }

    /// <summary>Runs it.</summary>
    /// <param name="context">Data and settings.</param>
    /// <param name="progress">Is told the share that is done.</param>
    /// <param name="cancellation">Stops between repetitions.</param>
    ExperimentResult Run(ExperimentContext context, IProgress<double> progress, CancellationToken cancellation);
}

/// <summary>How much an experiment does.</summary>
public enum ExperimentSize
{
    /// <summary>Enough for a plot, in seconds.</summary>
    Quick,

    /// <summary>Enough for a conclusion, in minutes.</summary>
    Full,
}

/// <summary>What experiments work on.</summary>
public sealed record ExperimentContext
{
    /// <summary>The schema.</summary>
    public required Schema Schema { get; init; }

    /// <summary>The raw records; they never leave the process.</summary>
    public required RecordTable Records { get; init; }

    /// <summary>The statistics.</summary>
    public required EvaluationPlan Plan { get; init; }

    /// <summary>The secret that all coins of the run come from, 32 bytes.</summary>
    public required ReadOnlyMemory<byte> SiteKey { get; init; }

    /// <summary>How much to do.</summary>
    public required ExperimentSize Size { get; init; }

    /// <summary>Repetitions in place of an experiment's own number; null for its own.</summary>
    public int? Repetitions { get; init; }

    /// <summary>The confidence of intervals, in (0, 1).</summary>
    public double Confidence { get; init; } = 0.95;

    /// <summary>Threads at most, at least 1.</summary>
    public required int Threads { get; init; }

    /// <summary>The options of estimates, with the run's confidence.</summary>
    public EstimationOptions Options => EstimationOptions.Default with { Confidence = Confidence };

    /// <summary>The highest grade of the ladder.</summary>
    public int TopGrade => Schema.Grades.Count;

    /// <summary>A size-dependent number.</summary>
    public T Choose<T>(T quick, T full) => Size == ExperimentSize.Quick ? quick : full;

    /// <summary>The number of repetitions.</summary>
    public int RepetitionsOr(int quick, int full) => Repetitions ?? Choose(quick, full);

    /// <summary>
    /// A site key of its own for one repetition of one experiment, so that repetitions are independent: HKDF-SHA-256 (RFC 5869) of the
    /// run's key.
    /// </summary>
    public byte[] KeyOf(string experiment, int repetition) => HKDF.DeriveKey(
        HashAlgorithmName.SHA256, SiteKey.ToArray(), 32,
        info: Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"emrmarket evaluate {experiment} {repetition}")));
}

/// <summary>All experiments, in the order in which they run and are reported.</summary>
public static class ExperimentCatalogue
{
    /// <summary>The experiments.</summary>
    public static IReadOnlyList<IExperiment> All { get; } =
    [
        new ErrorByEpsilon(),
        new ErrorByRecords(),
        new GradeMixes(),
        new Coverage(),
        new EffectiveRecordsCheck(),
        new LogisticFromReports(),
    ];
}
