using System.CommandLine;
using System.Globalization;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Reporting;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Catalogue;

/// <summary><c>emr catalogue</c>: what is on offer.</summary>
internal static class CatalogueCommand
{
    private const string Description =
        """
        Prints what is on offer: how many records allow which grade of which attribute, for which purposes, at which prices. Small counts are suppressed and stand as 0.

        Examples:
          emr catalogue
          emr catalogue --schema diabetic_data --json
          emr catalogue --server https://market.example

        Exit codes: 0 done, 1 failed, 2 wrong command, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        SchemaOption schema = new();
        ClientOptions client = new();
        Command command = client.AddTo(new Command("catalogue", Description) { schema.Option });
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = client.Connect(parsed);
            MarketInfo info = await market.GetAsync<MarketInfo>("api/v1/market", cancellation);
            string[] ids = parsed.GetValue(schema.Option) is null
                ? [.. info.Schemas.Select(dealt => dealt.Id)] : [await schema.FindAsync(parsed, market, cancellation)];
            List<CatalogueInfo> all = [];
            foreach (string id in ids)
            {
                all.Add(await market.GetAsync<CatalogueInfo>("api/v1/catalogue/" + id, cancellation));
            }

            if (client.Json(parsed))
            {
                Output.Json(all);
                return ExitCode.Success;
            }

            foreach (CatalogueInfo catalogue in all)
            {
                Show(catalogue);
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static void Show(CatalogueInfo catalogue)
    {
        string offer = catalogue.Records == 0
            ? "nothing is on offer"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{catalogue.Records:N0} records in {catalogue.Classes:N0} classes, of {catalogue.RecordsBySite.Count} sites, "
                    + $"at block {catalogue.Block}");
        Output.Say($"{catalogue.SchemaName}: {offer}");
        if (catalogue.Records == 0)
        {
            return;
        }

        int grades = catalogue.Attributes.Max(attribute => attribute.RecordsByGrade.Length);
        Output.Table(
            ["attribute", "tier",
                .. Enumerable.Range(1, grades).Select(grade => string.Create(CultureInfo.InvariantCulture, $" grade {grade}"))],
            catalogue.Attributes.Select(attribute => (string[])[
                attribute.Name, attribute.Tier, .. attribute.RecordsByGrade.Select(count => Numbers.Count(count))]));
        Output.Table(
            [" purpose", "title", " records"],
            catalogue.RecordsByPurpose.Where(count => count.Records > 0)
                .Select(count => (string[])[count.Code.ToString(CultureInfo.InvariantCulture), count.Title, Numbers.Count(count.Records)]));
        if (catalogue.RecordsByCell.Count > 1)
        {
            Output.Table(["cell", " records"],
                catalogue.RecordsByCell.Where(cell => cell.Key.Length > 0).Select(cell => (string[])[cell.Key, Numbers.Count(cell.Value)]));
        }

        Output.Say(
            $"Median rates per epsilon: {string.Join(" / ", catalogue.MedianRates)} token units (Public / Low / Moderate / Private). "
                + $"Counts below {catalogue.SmallestCount} stand as 0.");
    }
}
