using System.CommandLine;
using System.Globalization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Silos.Records.Reports;
using EmrMarket.Silos.Reporting.Sharing;

namespace EmrMarket.Silos.Commands.Estimate;

/// <summary><c>emr estimate</c>: statistics from report files alone.</summary>
internal static class EstimateCommand
{
    private const string Description =
        """
        Estimates statistics from report files alone: no raw value is needed, or present.

        A statistic is one of
          frequency:A            the share of each value
          mean:A                 mean and variance of a grid attribute
          bins:A:CELLS           shares of bins of CELLS grid cells each
          quantile:A:P[,P]       quantiles
          table:A,B[,C]          joint shares, conditional rates, ratios, a test of independence
          topCodes:A             the codes above a family-wise threshold, and their roll-ups
          linear:Y~A[,B]         least squares
          logistic:Y=LABEL[|LABEL]~A[,B]   logistic regression, main effects

        Each record is used at its highest grade in the files unless --grade names one.

        Examples:
          emr estimate --reports out --statistic frequency:race
          emr estimate --reports out --statistic mean:time_in_hospital --statistic "quantile:time_in_hospital:0.25,0.5,0.75"
          emr estimate --reports out --statistic "logistic:readmitted=<30~age,gender" --json
          emr estimate --reports out --statistic table:race,gender --grade 3 --csv
          emr estimate --reports out --statistic frequency:race --csv --metadata race.csv-metadata.json > race.csv

        Exit codes: 0 done, 1 a statistic was refused, 2 wrong command or input.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var reports = new Option<string>("--reports")
        {
            Description = "A folder of report files, or one file ('emr perturb' writes them).", HelpName = "DIR", Required = true,
        };
        var statistics = new Option<string[]>("--statistic")
        {
            Description = "What to estimate. Repeat it for several.", HelpName = "STATISTIC", Required = true,
        };
        var grade = new Option<int?>("--grade")
        {
            Description = "Use the reports of this grade only (Public attributes have none).", HelpName = "G",
        };
        var confidence = new Option<double>("--confidence")
        {
            Description = "The confidence of intervals and guarantees.", HelpName = "SHARE", DefaultValueFactory = _ =>
                EstimationOptions.Default.Confidence,
        };
        var combination = new Option<CombinationRule>("--combination")
        {
            Description = "How records of different grades are combined.", DefaultValueFactory = _ => CombinationRule.Stratified,
        };
        var population = new Option<bool>("--population")
        {
            Description = "Intervals for the population that these persons were drawn from, not for these records.",
        };
        var simultaneous = new Option<bool>("--simultaneous") { Description = "Intervals of all cells of a statistic that hold together." };
        var consistent = new Option<bool>("--consistent") { Description = "Put non-negative values that add to one beside the estimates." };
        var json = new Option<bool>("--json") { Description = "Print JSON on standard output." };
        var csv = new Option<bool>("--csv") { Description = "Print CSV on standard output, one line per cell." };
        var metadata = new Option<string?>("--metadata")
        {
            Description = "With --csv: say here what the columns mean, as CSV on the Web. The file is called as the CSV's with "
                + $"{TableMetadata.FileSuffix} behind it.",
            HelpName = "FILE",
        };
        confidence.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and < 1))
            {
                result.AddError("--confidence lies strictly between 0 and 1, for example 0.95.");
            }
        });

        var command = new Command("estimate", Description)
        {
            reports, statistics, grade, confidence, combination, population, simultaneous, consistent, json, csv,
            metadata,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(json) && result.GetValue(csv))
            {
                result.AddError("--json and --csv exclude each other.");
            }

            if (result.GetValue(metadata) is { } beside && (!result.GetValue(csv) || CsvOf(beside).Length == 0))
            {
                result.AddError($"--metadata goes with --csv and names a file such as results.csv{TableMetadata.FileSuffix}.");
            }
        });
        command.SetAction(parsed => Run(
            parsed.GetValue(reports)!,
            parsed.GetValue(statistics)!,
            parsed.GetValue(grade),
            new EstimationOptions
            {
                Confidence = parsed.GetValue(confidence),
                Combination = parsed.GetValue(combination),
                Target = parsed.GetValue(population) ? InferenceTarget.Population : InferenceTarget.Records,
                Simultaneous = parsed.GetValue(simultaneous),
                Consistent = parsed.GetValue(consistent),
            },
            parsed.GetValue(json) ? ResultFormat.Json : parsed.GetValue(csv) ? ResultFormat.Csv : ResultFormat.Table,
            parsed.GetValue(metadata)));
        return command;
    }

    private static int Run(string path, string[] texts, int? grade, EstimationOptions options, ResultFormat format,
        string? metadata)
    {
        StatisticRequest[] requests = [.. texts.Select(Parse)];
        IReadOnlyList<ReportFile> files = ReportFileFormat.ReadAll(path);
        var results = new List<StatisticResult>();
        var refusals = new List<string>();
        foreach (StatisticRequest request in requests)
        {
            try
            {
                results.Add(StatisticEstimator.Estimate(request, [.. ReportSelection.Batches(files, request, grade)], options));
            }
            catch (EstimationRefusedException refused)
            {
                refusals.Add($"{request.Id}: {refused.Message}");
            }
        }

        ResultWriter.Write(Console.Out, format, results);
        if (metadata is not null)
        {
            WriteMetadata(metadata, EstimateTable.Describe(
                CsvOf(metadata), results, files.Select(file => (file.Schema.Name, file.Schema.Id))));
        }

        foreach (string refusal in refusals)
        {
            Console.Error.WriteLine($"emr: refused {refusal}");
        }

        return refusals.Count == 0 ? ExitCode.Success : ExitCode.Failure;
    }

    /// <summary>The CSV file that a metadata file stands beside; empty when its name says none.</summary>
    private static string CsvOf(string metadata) => Path.GetFileName(metadata) is var name
        && name.EndsWith(TableMetadata.FileSuffix, StringComparison.Ordinal) ? name[..^TableMetadata.FileSuffix.Length] : "";

    private static void WriteMetadata(string file, string text)
    {
        try
        {
            File.WriteAllText(file, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Failure, $"{file} cannot be written: {e.Message}", e);
        }
    }

    private static StatisticRequest Parse(string text)
    {
        try
        {
            return StatisticRequest.Parse(text);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw new CommandException(ExitCode.Usage, string.Create(CultureInfo.InvariantCulture, $"--statistic: {e.Message}"), e);
        }
    }
}
