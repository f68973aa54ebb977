using System.CommandLine;
using System.Globalization;
using System.Net.Http.Headers;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Site;

/// <summary><c>emr site load</c>: records from CSV files into the site's own store.</summary>
internal static class LoadCommand
{
    private const string Description =
        """
        Loads records from CSV files, packed with gzip or not, into the site's store: all of them or, when one line is wrong, none. Every wrong line is named with its column, what is wrong and how
        to mend it. Records that were loaded before change nothing.

        Examples:
          emr site load records.csv --schema diabetic_data
          emr site load part-1.csv.gz part-2.csv.gz --schema synthetic --site hospital --as records-desk --json

        Exit codes: 0 loaded, 1 failed, 2 a file is refused (nothing was loaded), 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var files = new Argument<string[]>("FILE") { Description = "Record files.", Arity = ArgumentArity.OneOrMore };
        SiteOptions site = new();
        ClientOptions client = new();
        Command command = client.AddTo(site.AddTo(new Command("load", Description) { files }));
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = site.Connect(parsed, client);
            (string name, string schema) = await site.PlaceAsync(parsed, market, cancellation);
            LongWork operation;
            using (MultipartFormDataContent body = [])
            {
                foreach (string file in parsed.GetValue(files)!)
                {
                    StreamContent content = new(Open(file));
                    content.Headers.ContentType = new MediaTypeHeaderValue(
                        file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? "application/gzip" : "text/csv");
                    body.Add(content, "files", Path.GetFileName(file));
                }

                operation = await market.PostContentAsync<LongWork>($"api/v1/sites/{name}/loads?schema={schema}", body, cancellation);
            }

            LoadInfo loaded = await operation.FinishAsync<LoadInfo>(
                market, "records that are there already change nothing", cancellation);
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

    private static FileStream Open(string file)
    {
        try
        {
            return new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16,
                FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"{file} cannot be read: {e.Message}", e);
        }
    }
}
