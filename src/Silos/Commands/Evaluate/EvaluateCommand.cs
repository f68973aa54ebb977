using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Commands.Evaluate;

/// <summary><c>emr evaluate</c>: its options and help.</summary>
internal static class EvaluateCommand
{
    private const string Description =
        """
        Runs the whole market over a file of records: what randomised reports say beside the truth, what is sold to whom,
        and who is paid what. Writes a report.

        Every sensitive value is randomised as a patient's site would do it; statistics are estimated from the reports alone
        and compared with the truth, which never leaves this process. Without --data, 200,000 synthetic records are made.
        Then two sites offer the records under their patients' policies, and a book of requests is planned, funded, matched,
        delivered, answered and settled on an embedded chain.

        Examples:
          emr evaluate
          emr evaluate --quick
          emr evaluate --requests book.json
          emr evaluate --data diabetic_data.csv.gz --schema diabetic_data
          emr evaluate --experiment grades --repetitions 50
          emr evaluate --records 20000 --seed 7 --experiment none --json

        Exit codes: 0 done, 1 failed, 2 wrong command or input (nothing is written), 75 another run is using the same --out.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var data = new Option<string[]>("--data")
        {
            Description = "A CSV file of records, plain or .gz. Repeat it for schemas that join several files.", HelpName = "FILE",
        };
        var schema = new Option<string?>("--schema")
        {
            Description = "The schema: the name of one in data/schemas, or a JSON file. With --data only.", HelpName = "NAME|FILE",
        };
        var records = new Option<long?>("--records")
        {
            Description = "Records: made (default 200,000), or read at most (default all).", HelpName = "N",
        };
        var experiments = new Option<string[]>("--experiment")
        {
            Description = "quick (default: those the report plots, in small), all (in full), none, or one of: "
                + string.Join(", ", ExperimentCatalogue.All.Select(e => e.Name)) + ". Repeat it for several.",
            HelpName = "NAME",
            DefaultValueFactory = _ => ["quick"],
        };
        var repetitions = new Option<int?>("--repetitions")
        {
            Description = "Repetitions per experiment, in place of its own number.", HelpName = "N",
        };
        var confidence = new Option<double>("--confidence")
        {
            Description = "The confidence of intervals and guarantees.", HelpName = "SHARE", DefaultValueFactory = _ => 0.95,
        };
        var seed = new Option<ulong?>("--seed")
        {
            Description = "Derive all randomness from a number, to repeat a run. Never for real reports.", HelpName = "N",
        };
        var threads = new Option<int>("--threads")
        {
            Description = "Threads at most.", HelpName = "N", DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        var output = new Option<string>("--out")
        {
            Description = "The folder of the results; an earlier evaluation in it is replaced.", HelpName = "DIR",
            DefaultValueFactory = _ => Path.Combine("results", "evaluate"),
        };
        var quick = new Option<bool>("--quick")
        {
            Description = "10,000 records unless --records says otherwise, and no experiment unless one is named.",
        };
        var requests = new Option<string?>(
            "--requests") { Description = "The market's requests, a JSON file; a default book of twenty without it.", HelpName = "FILE" };
        var noMarket = new Option<bool>("--no-market")
        {
            Description = "Statistics only: no sites, requests and chain (needs neither Node nor npm).",
        };
        var json = new Option<bool>("--json") { Description = "Print results.json on standard output." };

        Between(records, 1, EvaluateOptions.MostRecords);
        Between(repetitions, 1, 1_000_000);
        Between(threads, 1, 1024);
        confidence.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and < 1))
            {
                result.AddError("--confidence lies strictly between 0 and 1, for example 0.95.");
            }
        });
        experiments.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens.Where(t => !ExperimentSelection.IsName(t.Value)))
            {
                result.AddError($"--experiment '{token.Value}' is unknown: expected {ExperimentSelection.Names}.");
            }
        });

        var command = new Command("evaluate", Description)
        {
            data, schema, records, experiments, repetitions, confidence, seed, threads, quick, requests, noMarket, output, json,
        };
        command.SetAction((parsed, cancellation) => new EvaluateRun(new EvaluateOptions
        {
            Data = parsed.GetValue(data) ?? [],
            Schema = parsed.GetValue(schema),
            Records = parsed.GetValue(records) ?? (parsed.GetValue(quick) ? EvaluateOptions.QuickRecords : null),
            Experiments = ExperimentSelection.Of(parsed.GetValue(quick) && parsed.GetResult(experiments) is null or { Implicit: true }
                ? ["none"]
                : parsed.GetValue(experiments)!),
            Market = !parsed.GetValue(noMarket),
            Requests = parsed.GetValue(requests),
            Repetitions = parsed.GetValue(repetitions),
            Confidence = parsed.GetValue(confidence),
            Seed = parsed.GetValue(seed),
            Threads = parsed.GetValue(threads),
            Output = parsed.GetValue(output)!,
            Json = parsed.GetValue(json),
        }).RunAsync(cancellation));
        return command;
    }

    private static void Between<T>(Option<T> option, long least, long most) => option.Validators.Add(result =>
    {
        foreach (Token token in result.Tokens)
        {
            if (long.TryParse(token.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
                && (value < least || value > most))
            {
                result.AddError($"{option.Name} is {least} to {most}; got {token.Value}.");
            }
        }
    });
}
