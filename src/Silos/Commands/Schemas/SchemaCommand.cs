using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Inference;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Schemas;

/// <summary><c>emr schema</c>: infer, confirm, check and show schemas.</summary>
internal static class SchemaCommand
{
    /// <summary>The command.</summary>
    public static Command Create() => new(
        "schema",
        """
        Describes files of records: which columns they have, what values may occur, how private each is.

        Examples:
          emr schema infer records.csv --out records.schema.json
          emr schema check records.schema.json records.csv
          emr schema confirm records.schema.json --by "A. Officer"
          emr schema show diabetic_data
        """)
    {
        Infer(), Confirm(), Check(), Show(),
    };

    private static Command Infer()
    {
        var file = new Argument<string>("FILE") { Description = "A CSV file with a header, plain or .gz." };
        var name = new Option<string?>("--name") { Description = "The schema's name (default: from the file's).", HelpName = "NAME" };
        var output = new Option<string?>(
            "--out") { Description = "Write the schema here instead of to standard output; never over a file.", HelpName = "FILE" };
        var command = new Command(
            "infer",
            """
            Proposes a schema from a file. Columns that look like direct identifiers are excluded. The proposal takes its
            domains and bounds from the data, which a published schema must not: it stays unpublishable until a person has
            corrected it against a code book and confirmed it.
            """) { file, name, output };
        command.SetAction((parsed, cancellation) =>
        {
            string path = parsed.GetValue(file)!;
            (Schema schema, IReadOnlyList<InferredColumn> columns) = SchemaInference.Infer(path, parsed.GetValue(name)
                ?? NameOf(path), cancellation);
            int width = columns.Max(c => c.Column.Length);
            foreach (InferredColumn column in columns)
            {
                Console.Error.WriteLine($"{column.Column.PadRight(width)}  {column.Role,-17}  {column.Reason}");
            }

            if (parsed.GetValue(output) is { } target)
            {
                WriteNew(target, schema.ToJson());
                Console.Error.WriteLine(
                    $"Wrote {target}. Hold every domain, bound and tier against a code book, then: emr schema confirm {target} --by NAME");
            }
            else
            {
                Console.Out.Write(schema.ToJson());
            }

            return Task.FromResult(ExitCode.Success);
        });
        return command;
    }

    private static Command Confirm()
    {
        var file = new Argument<string>("FILE") { Description = "The schema file." };
        var by = new Option<string>("--by") { Description = "The name of the person who confirms; it is written into "
            + "the schema.", HelpName = "NAME", Required = true };
        var command = new Command(
            "confirm",
            "Marks an inferred schema as publishable: a person has held its domains, bounds and tiers against a code book.") { file, by };
        command.SetAction(parsed =>
        {
            string path = parsed.GetValue(file)!;
            Schema schema = Schema.Parse(DataFolder.ReadText(path, "Name a schema file."), path);
            if (schema.Publishable)
            {
                throw new CommandException(ExitCode.Usage, $"{path} is publishable already: nothing to confirm.");
            }

            Schema confirmed = Schema.Compile(schema.Document with { Publishable = true, ConfirmedBy = parsed.GetValue(by) }, path);
            string unfinished = path + ".part";
            File.WriteAllText(unfinished, confirmed.ToJson());
            File.Move(unfinished, path, overwrite: true);
            Console.Out.WriteLine($"{path} is publishable; its id is now {confirmed.Id}.");
            return ExitCode.Success;
        });
        return command;
    }

    private static Command Check()
    {
        var schema = new Argument<string>("SCHEMA") { Description = "The name of a built-in schema, or a schema file." };
        var files = new Argument<string[]>("FILE") { Description = "CSV files, plain or .gz.", Arity = ArgumentArity.OneOrMore };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Command(
            "check",
            $"""
            Reads every record and lists what the schema does not allow: line, column, value, code and fix of the first
            {RecordLoader.MaxListedProblems}, and how many there are. The list shows raw values: it is for the site's own eyes. Exit code 2 when anything
            is wrong.
            """) { schema, files, json };
        command.SetAction((parsed, cancellation) =>
        {
            Schema declared = DataFolder.LoadSchema(parsed.GetValue(schema)!);
            (long records, long clipped, IReadOnlyList<InputProblem> problems, long total) = new RecordLoader(declared)
                .Check(parsed.GetValue(files)!, cancellation);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(
                    new { schema = declared.Id, records, clipped, problems, totalProblems = total }, JsonSerializerOptions.Web));
                return Task.FromResult(total == 0 ? ExitCode.Success : ExitCode.Usage);
            }

            foreach (InputProblem problem in problems)
            {
                Console.Out.WriteLine(problem.Value is { } value ? $"{problem} Value: '{value}'" : problem.ToString());
            }

            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{records} records are valid, {clipped} values lie outside their bounds and are clipped, {total} problems."));
            return Task.FromResult(total == 0 ? ExitCode.Success : ExitCode.Usage);
        });
        return command;
    }

    private static Command Show()
    {
        var name = new Argument<string?>("SCHEMA") { Description = "The name of a built-in schema, or a schema file; none lists the "
            + "built-in ones.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print the schema's JSON." };
        var command = new Command("show", "Shows what a schema declares.") { name, json };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(name) is not { } wanted)
            {
                foreach (string builtIn in DataFolder.SchemaNames)
                {
                    Console.Out.WriteLine($"{builtIn,-15} {DataFolder.LoadSchema(builtIn).Document.Title}");
                }

                return ExitCode.Success;
            }

            Schema schema = DataFolder.LoadSchema(wanted);
            if (parsed.GetValue(json))
            {
                Console.Out.Write(schema.ToJson());
            }
            else
            {
                Print(schema);
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static void Print(Schema schema)
    {
        Console.Out.WriteLine($"{schema.Name} {schema.Document.Version}: {schema.Document.Title}");
        Console.Out.WriteLine($"id {schema.Id}{(schema.Publishable ? "" : "; NOT publishable until confirmed")}");
        var table = new Table().Border(TableBorder.Simple)
            .AddColumns("attribute", "meaning", "values", "tier", "mechanism", "default epsilon");
        foreach (AttributeDefinition attribute in schema.Attributes)
        {
            string values = attribute.Domain is GridDomain grid
                ? string.Create(
                    CultureInfo.InvariantCulture, $"{grid.Label(0)} to {grid.Label(grid.Cells - 1)} by {grid.Step:0.####} {grid.Unit}")
                : string.Create(CultureInfo.InvariantCulture, $"{attribute.Domain.Size} labels");
            table.AddRow(
                Markup.Escape(attribute.Name), Markup.Escape(attribute.Title), Markup.Escape(values),
                attribute.Tier + (attribute.Filterable ? ", filterable" : ""),
                attribute.Mechanism ?? "none",
                attribute.Mechanism is null ? "not randomised" : schema.Grades[schema.DefaultGrade(attribute)].ToString());
        }

        AnsiConsole.Write(table);
        foreach (PolicyProfile profile in schema.Profiles)
        {
            Console.Out.WriteLine(
                $"profile {profile.Name,-14} {profile.TotalLoss(schema.Grades)} epsilon in all, were every attribute of a record released");
        }

        foreach (LayoutDocument layout in schema.Document.Layouts)
        {
            Console.Out.WriteLine(
                $"layout {layout.Name}: record id {layout.Record?.Column ?? "by row"}, person id {layout.Person?.Column ?? "none"}, "
                + $"direct identifiers, never read: {Listed(layout.DirectIdentifiers)}");
        }
    }

    private static string Listed(IReadOnlyCollection<string>? columns) =>
        columns is { Count: > 0 } ? string.Join(", ", columns) : "none";

    private static string NameOf(string path)
    {
        string name = Path.GetFileName(path).ToLowerInvariant();
        name = string.Concat(name.TakeWhile(c => c != '.').Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' ? c : '_'));
        return name.Length > 0 && char.IsAsciiLetterLower(name[0]) ? name[..Math.Min(name.Length, 63)] : "records";
    }

    private static void WriteNew(string path, string text)
    {
        try
        {
            using var writer = new StreamWriter(new FileStream(path, FileMode.CreateNew, FileAccess.Write));
            writer.Write(text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, File.Exists(path)
                ? $"{path} exists; name another file."
                : $"{path} cannot be written: {e.Message}", e);
        }
    }
}
