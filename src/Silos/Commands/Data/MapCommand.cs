using System.CommandLine;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;

namespace EmrMarket.Silos.Commands.Data;

/// <summary><c>emr data map</c>: resources or tables as a file of records, to look at, check and evaluate before anything is
/// loaded.</summary>
internal static class MapCommand
{
    private const string Description =
        """
        Maps resources of HL7 FHIR R4, or tables of the OMOP Common Data Model 5.4, to a CSV file of records, which 'emr schema check' and 'emr evaluate' read. With --schema, rows with a value that the schema refuses are told and left out;
        without, every row is written. The file is as private as what it is made of: only its owner may read it.

        Examples:
          emr data map --fhir output/fhir --mapping synthea --out records.csv.gz
          emr data map --fhir Patient.ndjson Condition.ndjson.gz --mapping mine.json --schema mine.schema.json --out records.csv --outcome outcome.json
          emr data map --omop export/cdm --mapping omop --schema synthea --out records.csv.gz
          emr evaluate --data records.csv.gz --schema synthea

        Exit codes: 0 mapped, 2 a file or the mapping is refused (nothing was written).
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        MappingOptions mapping = new(required: true);
        var schema = new Option<string?>("--schema")
        {
            Description = "The schema that the rows must fit: a built-in one, or a file.", HelpName = "NAME|FILE",
        };
        var output = new Option<string>("--out") { Description = "The CSV file; packed when its name ends in .gz.", HelpName = "FILE",
            Required = true };
        Command command = mapping.AddTo(new Command("map", Description) { schema, output });
        command.SetAction((parsed, cancellation) =>
        {
            string path = parsed.GetValue(output)!;
            Schema? fits = parsed.GetValue(schema) is { } named ? DataFolder.LoadSchema(named) : null;
            RowAccumulator rows = mapping.Read(parsed, cancellation);
            try
            {
                if (fits is null)
                {
                    MappedRecords.Write(rows, path, cancellation);
                }
                else
                {
                    MappedRecords.Write(rows, fits, path, cancellation);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandException(ExitCode.Failure, $"{path} cannot be written: {e.Message}", e);
            }
            finally
            {
                mapping.Tell(parsed, rows.Report);
            }

            Output.Say($"{path}: {rows.Report.Rows} rows");
            return Task.FromResult(ExitCode.Success);
        });
        return command;
    }
}
