using System.CommandLine;
using System.Globalization;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Commands.Data;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Site;

/// <summary><c>emr site load</c>: records from CSV files, or mapped from resources of FHIR, into the site's own store.</summary>
internal static class LoadCommand
{
    private const string Description =
        """
        Loads records from CSV files, packed with gzip or not, into the site's store: all of them or, when one line is wrong, none. Every wrong line is named with its column, what is wrong and how
        to mend it. Records that were loaded before change nothing.

        With --fhir or --omop, resources of HL7 FHIR R4 or tables of the OMOP Common Data Model 5.4 are mapped to records on this machine first, and only the records are handed in. A resource or row with anything wrong, and a record with a value that the
        schema refuses, is told with its place and left out; the others load. A file that is no JSON or CSV, or is cut short, refuses the load.

        Examples:
          emr site load records.csv --schema diabetic_data
          emr site load part-1.csv.gz part-2.csv.gz --schema synthetic --site hospital --as records-desk --json
          emr site load --fhir output/fhir --mapping synthea --schema synthea --outcome outcome.json
          emr site load --omop export/cdm --mapping omop --schema synthea

        Exit codes: 0 loaded, 1 failed, 2 a file is refused (nothing was loaded), 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var files = new Argument<string[]>("FILE") { Description = "Record files.", Arity = ArgumentArity.ZeroOrMore };
        MappingOptions mapping = new(required: false);
        SiteOptions site = new();
        ClientOptions client = new();
        Command command = client.AddTo(site.AddTo(mapping.AddTo(new Command("load", Description) { files })));
        command.Validators.Add(result =>
        {
            if ((result.GetValue(files) is { Length: > 0 }) == (
                result.GetResult("--fhir") is not null || result.GetResult("--omop") is not null))
            {
                result.AddError("Give record files, or what is mapped to them (--fhir or --omop): one of the two.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = site.Connect(parsed, client);
            (string name, string schema) = await site.PlaceAsync(parsed, market, cancellation);
            using MappedRecords? mapped = mapping.IsUsed(parsed) ? await MapAsync(parsed, mapping, market, schema, cancellation) : null;
            LoadInfo loaded = await FileUpload.SendAsync<LoadInfo>(
                market, $"api/v1/sites/{name}/loads?schema={schema}", mapped is null ? parsed.GetValue(files)! : [mapped.Path], "text/csv",
                "records that are there already change nothing", cancellation);
            if (client.Json(parsed))
            {
                Output.Json(loaded);
            }
            else
            {
                Output.Say(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{loaded.Records:N0} records of {loaded.Persons:N0} "
                        + $"persons{(loaded.Clipped > 0 ? $"; {loaded.Clipped:N0} values were moved to the bounds of their grid" : "")}"));
            }

            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Maps resources to the records of a schema that the market deals in.</summary>
    private static async Task<MappedRecords> MapAsync(
        ParseResult parsed, MappingOptions mapping, MarketClient market, string schemaId, CancellationToken cancellation)
    {
        SchemaInfo dealt = await market.GetAsync<SchemaInfo>("api/v1/schemas/" + schemaId, cancellation);
        RowAccumulator rows = mapping.Read(parsed, cancellation);
        try
        {
            return MappedRecords.Create(rows, Schema.Parse(dealt.Json, dealt.Name), null, cancellation);
        }
        finally
        {
            mapping.Tell(parsed, rows.Report);
        }
    }
}
