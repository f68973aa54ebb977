using System.CommandLine;
using System.Globalization;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Records.Mapping.Fhir.Files;
using EmrMarket.Silos.Reporting.Fhir;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Site;

/// <summary><c>emr site consents</c>: the policies of those who said what they allow in Consents that the hospital keeps.</summary>
internal static class ConsentsCommand
{
    private const string Description =
        """
        Carries out Consents of HL7 FHIR R4 that the hospital keeps of its patients: single ones, bundles, or one per line (NDJSON, as Bulk Data writes it), packed with gzip or not. Consent.patient is
        Patient/ID, with the person's id in the files that the records were loaded from. A policy never allows more than its Consent (docs/CONSENT.md). What cannot be carried out is listed; the others are.
        Patients who command by an own signature keep what they commanded: a Consent can pause or withdraw them, not set their policy.

        Examples:
          emr site consents Consent.ndjson --schema synthea --rate 1
          emr site consents Consent.000.ndjson.gz --schema diabetic_data --as records-desk --json

        Exit codes: 0 all carried out, 1 some were not (they are listed) or it failed, 2 wrong command or file, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var paths = new Argument<string[]>("PATH")
        {
            Description = "Files of Consents, or folders of them.", Arity = ArgumentArity.OneOrMore,
        };
        var layout = new Option<string?>("--layout")
        {
            Description = "The layout of the files that the records were loaded from; needed where the schema has several.",
            HelpName = "NAME",
        };
        var rate = new Option<byte?>("--rate")
        {
            Description = "The asking price of those who have none yet and whose Consent names none, by its number on the menu.",
            HelpName = "N",
        };
        var quota = new Option<ushort>("--quota")
        {
            Description = "Sales per record and round of those who have no policy yet and whose Consent names none.", HelpName = "N",
            DefaultValueFactory = _ => 4,
        };
        SiteOptions site = new();
        ClientOptions client = new();
        Command command = client.AddTo(site.AddTo(new Command("consents", Description) { paths, layout, rate, quota }));
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = site.Connect(parsed, client);
            (string name, string schema) = await site.PlaceAsync(parsed, market, cancellation);
            IReadOnlyList<string> files = FhirPaths.Expand(parsed.GetValue(paths)!);
            string query = string.Create(CultureInfo.InvariantCulture, $"?schema={schema}&quota={parsed.GetValue(quota)}")
                + (parsed.GetValue(rate) is { } number ? string.Create(CultureInfo.InvariantCulture, $"&rate={number}") : "")
                + (parsed.GetValue(layout) is { } named ? "&layout=" + Uri.EscapeDataString(named) : "");
            ConsentsInfo done = await FileUpload.SendAsync<ConsentsInfo>(market, $"api/v1/sites/{name}/policies/consents{query}", files,
                FhirJson.MediaType, "what was carried out already changes nothing", cancellation);

            // The site knows the files by numbers only.
            done = done with { Problems = [.. done.Problems.Select(problem => problem with { File = NameOf(problem.File, files) })] };
            foreach (ConsentProblem problem in done.Problems)
            {
                Output.Remark($"{problem.File}:{problem.Line}: {problem.Expression}: {problem.Message} ({problem.Code}). {problem.Fix}");
            }

            if (client.Json(parsed))
            {
                Output.Json(done);
            }
            else
            {
                Output.Say(string.Create(CultureInfo.InvariantCulture,
                    $"{done.Consents:N0} Consents: {done.Active:N0} policies set, {done.Paused:N0} paused, {done.Withdrawn:N0} withdrawn, "
                        + $"{done.Unchanged:N0} as before; {done.TotalProblems:N0} problems. It is published with the next epoch"));
            }

            return done.TotalProblems == 0 ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }

    private static string NameOf(string spooled, IReadOnlyList<string> files) =>
        int.TryParse(spooled.AsSpan(spooled.LastIndexOf('-') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
        && number >= 1 && number <= files.Count ? files[number - 1] : spooled;
}
