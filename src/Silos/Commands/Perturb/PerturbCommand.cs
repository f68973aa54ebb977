using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Reports;

namespace EmrMarket.Silos.Commands.Perturb;

/// <summary><c>emr perturb</c>: from raw records to a file of reports.</summary>
internal static class PerturbCommand
{
    private const string Description =
        """
        Randomises records where they are and writes a file of reports, from which anyone estimates elsewhere.

        A ledger beside the site key remembers the highest grade that is out of each record, so that the cap holds across
        hand-outs: what is out already costs nothing more, a higher grade its difference. A person with many records reaches
        the cap first, and the records after that are withheld: ask for fewer attributes to hand out more of them. The same
        key, data and ledger give the same reports, byte for byte. Without --grade every attribute is written at its tier's
        default ceiling, for the records whose policy allows it.

        Examples:
          emr perturb --data diabetic_data.csv.gz --schema diabetic_data --site-key k --attribute age --out reports
          emr perturb --data r.csv --schema r.json --policies policies.csv --site-key site.key --grade age=2,3 --out reports
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var data = new Option<string[]>(
            "--data") { Description = "A CSV file of records, plain or .gz; repeat it for several.", HelpName = "FILE", Required = true };
        var schema = new Option<string>("--schema")
        {
            Description = "The schema: a built-in name, or a file.", HelpName = "NAME|FILE", Required = true,
        };
        var policies = new Option<string>("--policies")
        {
            Description = "Who allows what: a profile of the schema, a .json of shares, or a .csv with a line per person.",
            HelpName = "PROFILE|FILE", DefaultValueFactory = _ => "balanced",
        };
        var key = new Option<string>("--site-key")
        {
            Description = "The site's key file ('emr site-key new' makes one).", HelpName = "FILE", Required = true,
        };
        var output = new Option<string>("--out") { Description = "The folder of the report file.", HelpName = "DIR", Required = true };
        var attributes = new Option<string[]>(
            "--attribute") { Description = "An attribute to write, at its default grade; repeat it. Default: all.", HelpName = "NAME" };
        var grades =
            new Option<string[]>("--grade") { Description = "An attribute to write, at these grades; repeat it.", HelpName = "NAME=G[,G]" };
        var cap = new Option<string>("--cap")
        {
            Description = "The most loss of a person and of a record, in epsilon; 'off' for none (evaluations only).",
            HelpName = "EPSILON|off", DefaultValueFactory = _ => BudgetBook.DefaultCap.ToString(),
        };
        var ledger = new Option<string>("--ledger")
        {
            Description = "The ledger of what is out, read and then written. Default: <site key>.<schema>.ledger; with '--cap off' none.",
            HelpName = "FILE",
        };
        var json = new Option<bool>("--json") { Description = "Print the summary as JSON." };
        var command = new Command("perturb", Description) { data, schema, policies, key, output, attributes, grades, cap, ledger, json };
        command.SetAction((parsed, cancellation) =>
        {
            Schema declared = DataFolder.LoadSchema(parsed.GetValue(schema)!);
            if (!declared.Publishable)
            {
                throw new CommandException(
                    ExitCode.Usage, $"Schema '{declared.Name}' was inferred and nobody has confirmed it: its domains may disclose data. "
                        + $"Run 'emr schema confirm' after checking it.");
            }

            var plan = new PerturbationPlan
            {
                Grades = Wanted(declared, parsed.GetValue(attributes) ?? [], parsed.GetValue(grades) ?? []),
                Cap = CapOf(parsed.GetValue(cap)!),
            };
            byte[] siteKey = SiteKeyFile.Read(parsed.GetValue(key)!);
            RecordTable table = new RecordLoader(declared).Load(parsed.GetValue(data)!, cancellation);
            int[] profiles = PoliciesFile.Assign(parsed.GetValue(policies)!, declared, table, siteKey);
            string path = Path.Combine(parsed.GetValue(output)!, declared.Name + ReportFileFormat.Extension);
            string? released = parsed.GetValue(ledger) ?? (plan.Cap is null ? null : $"{parsed.GetValue(key)}.{declared.Name}.ledger");
            PerturbationSummary summary = Write(declared, table, profiles, siteKey, plan, released, path, cancellation);
            Tell(summary, path, parsed.GetValue(json));
            return Task.FromResult(ExitCode.Success);
        });
        return command;
    }

    private static PerturbationSummary Write(
        Schema schema, RecordTable table, int[] profiles, byte[] siteKey, PerturbationPlan plan, string? ledgerPath, string path,
        CancellationToken cancellation)
    {
        string writing = path;
        try
        {
            // Two hand-outs at the same time would each see the ledger without the other's charges.
            using FileStream? turn = ledgerPath is null
                ? null
                : new FileStream(writing = ledgerPath + ".lock", new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.None,
                });
            ReleaseLedger? ledger = ledgerPath is null ? null : ReleaseLedger.Read(ledgerPath, schema, siteKey);
            PreparedReports reports = Perturbation.Prepare(schema, table, profiles, siteKey, plan, ledger);
            if (reports.Summary.Released == 0)
            {
                throw new CommandException(
                    ExitCode.Failure,
                    "No record is left to hand out: policies, suppression and the cap withhold all of them. Nothing was written.");
            }

            // Charged before it is released: after a crash in between, the same hand-out costs nothing more.
            if (ledger is not null)
            {
                ledger.Write(writing = ledgerPath!);
            }

            ReportFileFormat.Write(reports, writing = path, cancellation);
            return reports.Summary;
        }
        catch (CapExceededException e)
        {
            throw new CommandException(ExitCode.Usage, e.Message, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Failure, $"{writing} cannot be written: {e.Message}", e);
        }
    }

    private static SortedDictionary<int, int[]> Wanted(Schema schema, string[] attributes, string[] grades)
    {
        var wanted = new SortedDictionary<int, int[]>();
        void Add(string name, int[]? own)
        {
            int index = schema.IndexOf(name);
            if (index < 0)
            {
                throw new CommandException(
                    ExitCode.Usage, $"Schema '{schema.Name}' has no attribute '{name}'; 'emr schema show {schema.Name}' lists them.");
            }

            AttributeDefinition attribute = schema.Attributes[index];
            int[] chosen = attribute.Tier == Tier.Public ? [] : own ?? [schema.DefaultGrade(attribute)];
            if (chosen.Any(g => g < 1 || g > schema.Grades.Count))
            {
                throw new CommandException(ExitCode.Usage, $"'{name}': grades run from 1 to {schema.Grades.Count}.");
            }

            wanted[index] = [.. chosen.Order().Distinct()];
            if (schema.PresenceOf(index) is >= 0 and int presence)
            {
                // A grid value that may be missing can be estimated only together with whether it was there.
                wanted.TryAdd(presence, wanted[index]);
            }
        }

        foreach (string name in attributes.Length + grades.Length > 0 ? attributes : [.. schema.Attributes.Select(a => a.Name)])
        {
            Add(name, own: null);
        }

        foreach (string option in grades)
        {
            string[] parts = option.Split('=');
            int[]? own = parts.Length == 2
                ? Array.ConvertAll(parts[1].Split(','), p => int.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out int grade)
                    ? grade
                    : -1)
                : null;
            Add(parts[0], own
                ?? throw new CommandException(ExitCode.Usage, $"--grade '{option}': expected NAME=G or NAME=G,G, for example age=2,3."));
        }

        return wanted;
    }

    private static EpsilonMicro? CapOf(string text) => text == "off"
        ? null
        : decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal epsilon) && epsilon > 0
            && epsilon < 1_000_000
            ? new EpsilonMicro((long)decimal.Floor(epsilon * 1_000_000m))
            : throw new CommandException(ExitCode.Usage, $"--cap '{text}': expected a loss in epsilon, for example 20, or 'off'.");

    private static void Tell(PerturbationSummary summary, string path, bool json)
    {
        if (json)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(new { file = path, summary }, JsonSerializerOptions.Web));
            return;
        }

        Console.Out.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{path}: reports of {summary.Released} of {summary.Records} records."));
        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Withheld: {summary.WithheldByPolicy} by policy, {summary.WithheldBySuppression} in units of fewer than "
            + $"{SuppressionUnits.MinPersons} persons, {summary.WithheldByCap} by the cap. "
            + $"Published under a stricter profile: {summary.MovedToStricter}."));
        Console.Out.WriteLine($"Highest loss: {summary.LossPerRecord} epsilon of a record, {summary.LossPerPerson} of a person, earlier "
            + $"hand-outs of the ledger included.");
        if (summary.WithheldByCap > 0)
        {
            Console.Out.WriteLine("Fewer attributes or lower grades leave room under the cap for more records of a person.");
        }
    }
}
