using System.CommandLine;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;

namespace EmrMarket.Silos.Commands.Data;

/// <summary>What every command takes that maps resources: the files, the mapping, and where to say what became of them.</summary>
internal sealed class MappingOptions
{
    private const int Told = 10;

    private readonly Option<string[]> _fhir;
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
            HelpName = "PATH", Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = true, Required = required,
        };
        string builtIn = string.Join(", ", DataFolder.MappingNames);
        _mapping.Description = $"How they become records: a built-in mapping ({builtIn}), or a file (docs/FHIR.md).";
        _mapping.Required = required;
    }

    /// <summary>Puts them on a command.</summary>
    public Command AddTo(Command command)
    {
        foreach (Option option in (Option[])[_fhir, _mapping, _outcome])
        {
            command.Options.Add(option);
        }

        return command;
    }

    /// <summary>Whether resources are given.</summary>
    public bool IsUsed(ParseResult parsed) => parsed.GetValue(_fhir) is { Length: > 0 };

    /// <summary>Reads the resources to their end.</summary>
    /// <exception cref="InputException">The mapping or a file is refused.</exception>
    /// <exception cref="CommandException">There is no mapping.</exception>
    public RowAccumulator Read(ParseResult parsed, CancellationToken cancellationToken) => FhirReader.Read(
        DataFolder.LoadMapping(parsed.GetValue(_mapping) ?? throw new CommandException(
            ExitCode.Usage, $"--fhir needs --mapping: {string.Join(", ", DataFolder.MappingNames)}, or a file")),
        parsed.GetValue(_fhir)!, MappingLimits.Default, cancellationToken);

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
