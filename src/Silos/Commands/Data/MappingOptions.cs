using System.CommandLine;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;
using EmrMarket.Silos.Records.Mapping.Omop;

namespace EmrMarket.Silos.Commands.Data;

/// <summary>What every command takes that maps resources or tables: the files, the mapping, and where to say what became of them.</summary>
internal sealed class MappingOptions
{
    private const int Told = 10;

    private readonly Option<string[]> _fhir;
    private readonly Option<string?> _omop = new("--omop")
    {
        Description = "A folder with tables of the OMOP Common Data Model 5.4: a file for each, .csv or .tsv, plain or .gz.",
        HelpName = "FOLDER",
    };
    private readonly bool _required;
    private readonly Option<string?> _mapping = new("--mapping") { HelpName = "NAME|FILE" };
    private readonly Option<string?> _outcome = new("--outcome")
    {
        Description = "Write the issues, each with its place, here as an OperationOutcome of FHIR (default: some on standard error).",
        HelpName = "FILE",
    };

    /// <summary>The options.</summary>
    /// <param name="required">Whether the command does nothing else.</param>
    public MappingOptions(bool required)
    {
        _fhir = new Option<string[]>("--fhir")
        {
            Description = "Resources of HL7 FHIR R4 in JSON: NDJSON, bundles, single resources, or folders of them; plain or .gz.",
            HelpName = "PATH", Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = true,
        };
        _required = required;
        string builtIn = string.Join(", ", DataFolder.MappingNames);
        _mapping.Description = $"How they become records: a built-in mapping ({builtIn}), or a file (docs/FHIR.md, docs/OMOP.md).";
        _mapping.Required = required;
    }

    /// <summary>Puts them on a command.</summary>
    public Command AddTo(Command command)
    {
        foreach (Option option in (Option[])[_fhir, _omop, _mapping, _outcome])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            bool resources = result.GetResult(_fhir) is { Implicit: false }, tables = result.GetResult(_omop) is { Implicit: false };
            if ((resources && tables) || (_required && !resources && !tables))
            {
                result.AddError("Give --fhir with resources or --omop with tables: one of the two.");
            }
        });
        return command;
    }

    /// <summary>Whether resources or tables are given.</summary>
    public bool IsUsed(ParseResult parsed) => parsed.GetValue(_fhir) is { Length: > 0 } || parsed.GetValue(_omop) is not null;

    /// <summary>Reads the resources or tables to their end.</summary>
    /// <exception cref="InputException">The mapping or a file is refused.</exception>
    /// <exception cref="CommandException">There is no mapping.</exception>
    public RowAccumulator Read(ParseResult parsed, CancellationToken cancellationToken)
    {
        string named = parsed.GetValue(_mapping) ?? throw new CommandException(
            ExitCode.Usage, $"--fhir and --omop need --mapping: {string.Join(", ", DataFolder.MappingNames)}, or a file");
        RecordMapping mapping = DataFolder.LoadMapping(named);
        return parsed.GetValue(_omop) is { } folder
            ? OmopReader.Read(mapping, folder, MappingLimits.Default, cancellationToken)
            : FhirReader.Read(mapping, parsed.GetValue(_fhir)!, MappingLimits.Default, cancellationToken);
    }

    /// <summary>Says what became of them: in a file, or the first issues on standard error.</summary>
    public void Tell(ParseResult parsed, MappingReport report)
    {
        Output.Remark(OutcomeFile.Summary(report));
        if (parsed.GetValue(_outcome) is { } file)
        {
            try
            {
                File.WriteAllText(file, OutcomeFile.Text(report));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandException(ExitCode.Failure, $"{file} cannot be written: {e.Message}", e);
            }

            return;
        }

        foreach (string note in report.Notes.Take(Told))
        {
            Output.Remark(note);
        }

        foreach (MappingIssue issue in report.Issues.Take(Told))
        {
            string expression = issue.Expression.Length > 0 ? issue.Expression + ": " : "";
            Output.Remark($"{OutcomeFile.Where(report, issue)}: {expression}{issue.Message}");
        }

        if (report.TotalIssues > Told)
        {
            int listed = MappingLimits.Default.ListedIssues;
            Output.Remark($"... and {report.TotalIssues - Told} more: --outcome FILE tells the first {listed} in full");
        }
    }
}
