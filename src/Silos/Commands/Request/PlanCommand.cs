using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Planning;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Reporting;
using EmrMarket.Silos.Services;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Request;

/// <summary><c>emr request plan</c>: error, records and price of a statistic by grade, from the catalogue or, offline, from the figures
/// given.</summary>
internal static class PlanCommand
{
    private const string Description =
        """
        Says which error a statistic would have at which grade, from how many records, at what price, before anything is paid or spent.

        Give one of --half-width (the error wanted), --records or --budget. The expected half-width is that of the confidence interval at the worst case;
        the guaranteed one holds whatever the data are. Both are in the statistic's unit: 0.01 is one percentage point of a frequency.

        Prices and available records are those of the market's catalogue; with --offline those of --rate and --available, and no market is asked.

        Examples:
          emr request plan --schema diabetic_data --statistic mean:time_in_hospital --half-width 0.2
          emr request plan --offline --schema diabetic_data --statistic frequency:race --half-width 0.01
          emr request plan --offline --schema diabetic_data --statistic mean:time_in_hospital --records 20000
          emr request plan --offline --schema diabetic_data --statistic table:race,gender --budget 5000000 --rate 100 --available 90000,80000,60000,20000,5000,900 --json

        Exit codes: 0 a grade meets the request, 1 none does, 2 wrong command or input, 75 not ready.
        """;

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true };

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var offline = new Option<bool>("--offline")
        {
            Description = "Plan from the schema and the figures given here, without asking a market.",
        };
        var schema = new Option<string>("--schema")
        {
            Description = "The schema: by name or id; offline the name of one in data/schemas, or a JSON file.", HelpName = "NAME|ID|FILE",
        };
        var statistic = new Option<string>("--statistic")
        {
            Description = "frequency:A, topCodes:A, bins:A:CELLS, mean:A or table:A,B[,C].", HelpName = "STATISTIC", Required = true,
        };
        var halfWidth = new Option<double?>("--half-width") { Description = "The error wanted, in the statistic's unit.", HelpName = "E" };
        var records = new Option<long?>("--records") { Description = "The number of records that would be bought.", HelpName = "N" };
        var budget = new Option<decimal?>("--budget") { Description = "What may be spent, token units.", HelpName = "T" };
        var guaranteed = new Option<bool>("--guaranteed")
        {
            Description = "--half-width is for the guaranteed half-width, not the expected one.",
        };
        var confidence = new Option<double>("--confidence")
        {
            Description = "The confidence.", HelpName = "SHARE", DefaultValueFactory = _ => EstimationOptions.Default.Confidence,
        };
        var rate = new Option<long>("--rate")
        {
            Description =
                "What patients ask per epsilon for Private attributes, token units; Moderate ones ask a half, Low ones a quarter.",
                HelpName = "T", DefaultValueFactory = _ => 1000,
        };
        var available = new Option<string?>("--available")
        {
            Description =
                "Records that allow each grade for all the attributes: one number per grade, strictest first, separated by commas.",
                HelpName = "N,N,...",
        };
        var purpose = new Option<byte>("--purpose")
        {
            Description = "The purpose's number: only records that admit it count.", HelpName = "N", DefaultValueFactory = _ => 2,
        };
        var cell = new Option<string>("--cell")
        {
            Description = "Only records of this public cell, at what they ask; 'emr catalogue' lists the cells.",
            HelpName = "ATTRIBUTE=VALUE", DefaultValueFactory = _ => "",
        };
        ClientOptions client = new();
        Command command =
            client.AddTo(new Command("plan", Description) { offline, schema, statistic, halfWidth, records, budget, guaranteed, confidence,
                purpose, cell, rate, available });
        command.Validators.Add(result =>
        {
            int given = (result.GetValue(halfWidth) is null ? 0 : 1) + (result.GetValue(records) is null ? 0 : 1)
                + (result.GetValue(budget) is null ? 0 : 1);
            if (given != 1)
            {
                result.AddError("Give one of --half-width, --records and --budget.");
            }

            if (result.GetValue(halfWidth) is <= 0 or double.NaN || result.GetValue(records) is < 1 || result.GetValue(budget) is < 0
                || result.GetValue(rate) < 0)
            {
                result.AddError("--half-width and --records are positive, --budget and --rate not negative.");
            }

            if (result.GetValue(offline) && result.GetValue(schema) is null)
            {
                result.AddError("--schema is needed with --offline.");
            }

            if (result.GetValue(offline) && result.GetResult(cell) is { Implicit: false })
            {
                result.AddError("--cell asks the market's catalogue: it does not go with --offline.");
            }

            if (!result.GetValue(offline)
                && (result.GetResult(rate) is { Implicit: false } || result.GetResult(available) is { Implicit: false }))
            {
                result.AddError("--rate and --available go with --offline: a market's catalogue says them otherwise.");
            }
        });
        confidence.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and < 1))
            {
                result.AddError("--confidence lies strictly between 0 and 1, for example 0.95.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            if (!parsed.GetValue(offline))
            {
                using MarketClient market = client.Connect(parsed);
                PlanInfo planned = await market.PostAsync<PlanInfo>(
                    "api/v1/plans",
                    new PlanWish
                    {
                        SchemaId = await SchemaOption.FindAsync(parsed.GetValue(schema), market, cancellation),
                        Statistic = parsed.GetValue(statistic)!,
                        Confidence = parsed.GetValue(confidence),
                        HalfWidth = parsed.GetValue(halfWidth),
                        Guaranteed = parsed.GetValue(guaranteed),
                        Records = parsed.GetValue(records),
                        Budget = parsed.GetValue(budget) is { } limit
                            ? decimal.Truncate(limit).ToString(CultureInfo.InvariantCulture) : null,
                        Purpose = parsed.GetValue(purpose),
                        PublicCell = parsed.GetValue(cell)!,
                    },
                    cancellation);
                return Show(planned, client.Json(parsed));
            }

            Schema loaded = DataFolder.LoadSchema(parsed.GetValue(schema)!);
            TokenAmount Part(long parts) => new((UInt128)(parsed.GetValue(rate) / parts));
            Plan plan;
            try
            {
                plan = Planner.Answer(new PlanQuestion
                {
                    Schema = loaded,
                    Statistic = StatisticRequest.Parse(parsed.GetValue(statistic)!),
                    TargetHalfWidth = parsed.GetValue(halfWidth),
                    Records = parsed.GetValue(records),
                    Budget = parsed.GetValue(budget) is { } units ? new TokenAmount((UInt128)decimal.Truncate(units)) : null,
                    Guaranteed = parsed.GetValue(guaranteed),
                    Confidence = parsed.GetValue(confidence),
                    Rates = new TierRates(TokenAmount.Zero, Part(4), Part(2), Part(1)),
                    AvailableByGrade = Available(parsed.GetValue(available), loaded),
                });
            }
            catch (Exception e) when (e is FormatException or EstimationRefusedException)
            {
                throw new CommandException(ExitCode.Usage, e.Message, e);
            }

            if (client.Json(parsed))
            {
                Console.WriteLine(JsonSerializer.Serialize(Document(plan), Json));
            }
            else
            {
                WriteTable(plan);
            }

            return plan.Recommended is null ? ExitCode.Failure : ExitCode.Success;
        });
        return command;
    }

    private static int Show(PlanInfo plan, bool json)
    {
        if (json)
        {
            Output.Json(plan);
        }
        else
        {
            bool rates = plan.Options.Any(option => option.RateHalfWidth is not null);
            Output.Table(
                [" grade", " epsilon", " records", " effective", " expected ±", " guaranteed ±", .. rates ? [" rates ±"] : (string[])[],
                    " ask", " cost", " ask/effective"],
                plan.Options.Select(option => (string[])
                [
                    (option.Grade == plan.Recommended ? "* " : option.Limit.Length == 0 ? "" : "! ")
                        + option.Grade.ToString(CultureInfo.InvariantCulture),
                    (option.EpsilonMicro / 1e6).ToString("0.######", CultureInfo.InvariantCulture), Numbers.Count(option.Records),
                    Numbers.Count(Math.Floor(option.EffectiveRecords)),
                    option.ExpectedHalfWidth is { } expected ? Numbers.Short(expected) : "-",
                    option.GuaranteedHalfWidth is { } half ? Numbers.Short(half) : "-",
                    .. rates ? [option.RateHalfWidth is { } rate ? Numbers.Short(rate) : "-"] : (string[])[],
                    option.AskPerRecord, option.Cost,
                    option.AskPerEffectiveRecord is { } price ? Numbers.Short(price) : "-",
                ]));
            foreach ((string name, PlanOptionInfo? next) in new[] { ("Next cheaper", plan.NextCheaper), ("Next better", plan.NextBetter) })
            {
                if (next is not null)
                {
                    Output.Say(string.Create(CultureInfo.InvariantCulture,
                        $"{name}: {next.Records:N0} records at grade {next.Grade}, expected ± "
                            + $"{Numbers.Short(next.ExpectedHalfWidth ?? double.NaN)}, {next.Cost} token units."));
                }
            }

            foreach (PlanOptionInfo option in plan.Options.Where(option => option.Limit.Length > 0))
            {
                Output.Say(string.Create(CultureInfo.InvariantCulture, $"! Grade {option.Grade}: {option.Limit}."));
            }

            foreach (string note in plan.Notes)
            {
                Output.Say(note);
            }
        }

        return plan.Recommended == 0 ? ExitCode.Failure : ExitCode.Success;
    }

    private static long[]? Available(string? text, Schema schema)
    {
        if (text is null)
        {
            return null;
        }

        string[] parts = text.Split(',');
        var numbers = new long[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!long.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
            {
                throw new CommandException(ExitCode.Usage, $"--available: '{parts[i]}' is not a number of records.");
            }
        }

        return numbers.Length == schema.Grades.Count && numbers.Zip(numbers.Skip(1)).All(pair => pair.First >= pair.Second)
            ? numbers
            : throw new CommandException(
                ExitCode.Usage,
                $"--available takes {schema.Grades.Count} numbers that do not rise (who allows a grade allows the stricter ones); got "
                    + $"{text}.");
    }

    private static object Document(Plan plan) => new
    {
        Recommended = plan.Recommended is null ? null : Document(plan.Recommended),
        NextCheaper = plan.NextCheaper is null ? null : Document(plan.NextCheaper),
        NextBetter = plan.NextBetter is null ? null : Document(plan.NextBetter),
        Options = plan.Options.Select(Document),
        plan.Notes,
    };

    // Token amounts exceed what JSON numbers hold exactly, so they are strings.
    private static object Document(PlanOption option) => new
    {
        option.Grade,
        EpsilonMicro = option.Epsilon.Micro,
        option.Records,
        option.EffectiveRecords,
        option.ScorePpb,
        ExpectedHalfWidth = Finite(option.ExpectedHalfWidth),
        option.GuaranteedHalfWidth,
        AskPerRecord = option.AskPerRecord.ToString(),
        Cost = option.Cost.ToString(),
        AskPerEffectiveRecord = Finite(option.AskPerEffectiveRecord),
        option.RateHalfWidth,
        option.Limit,
    };

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static void WriteTable(Plan plan)
    {
        IAnsiConsole console = Output.Terminal(Console.Out);
        bool rates = plan.Options.Any(option => option.RateHalfWidth is not null);
        var table = new Table { Border = TableBorder.Simple };
        foreach (string name in (string[])[
            "grade", "epsilon", "records", "effective", "expected ±", "guaranteed ±", .. rates ? ["rates ±"] : (string[])[], "ask", "cost",
            "ask/effective"])
        {
            table.AddColumn(new TableColumn(name).RightAligned().NoWrap());
        }

        foreach (PlanOption option in plan.Options)
        {
            string mark = option == plan.Recommended ? "* " : option.Limit is null ? "" : "! ";
            table.AddRow(
            [
                new Text(mark + option.Grade.ToString(CultureInfo.InvariantCulture)),
                new Text(option.Epsilon.ToString()), new Text(Numbers.Count(option.Records)),
                new Text(Numbers.Count(Math.Floor(option.EffectiveRecords))),
                new Text(Numbers.Short(option.ExpectedHalfWidth)),
                new Text(option.GuaranteedHalfWidth is { } half ? Numbers.Short(half) : "-"),
                .. rates ? [new Text(option.RateHalfWidth is { } rate ? Numbers.Short(rate) : "-")] : (Text[])[],
                new Text(Numbers.Count((double)option.AskPerRecord.Units)), new Text(Numbers.Count((double)option.Cost.Units)),
                new Text(Numbers.Short(option.AskPerEffectiveRecord)),
            ]);
        }

        console.Write(table);
        WriteOption(console, "* Recommended", plan.Recommended);
        WriteOption(console, "Next cheaper", plan.NextCheaper);
        WriteOption(console, "Next better", plan.NextBetter);
        foreach (PlanOption option in plan.Options.Where(o => o.Limit is not null))
        {
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"! Grade {option.Grade}: {option.Limit}."));
        }

        foreach (string note in plan.Notes)
        {
            console.WriteLine(note);
        }
    }

    private static void WriteOption(IAnsiConsole console, string name, PlanOption? option) => console.WriteLine(option is null
        ? $"{name}: none."
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: grade {option.Grade}, {option.Records:N0} records for {(double)option.Cost.Units:N0} token units; expected "
                + $"±{Numbers.Short(option.ExpectedHalfWidth)}, guaranteed "
                + $"{(option.GuaranteedHalfWidth is { } half ? "±" + Numbers.Short(half) : "nothing")}."));
}
