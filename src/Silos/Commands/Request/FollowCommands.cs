using System.CommandLine;
using System.Globalization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Quality;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Commands.Estimate;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Request;

/// <summary><c>emr request status</c>, <c>list</c> and <c>results</c>: what became of requests.</summary>
internal static class FollowCommands
{
    private const string Table = "table";
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // The states in which a request waits, in their order; the others end it.
    private static readonly string[] Way = ["draft", "planned", "funded", "matched", "delivering", "delivered", "evaluated"];

    /// <summary>Where a request stands.</summary>
    public static Command CreateStatus()
    {
        Argument<string> request = ResearcherSession.RequestArgument();
        var until = new Option<string?>("--until")
        {
            Description = "Wait until it has come that far: matched, delivered, evaluated or ended.", HelpName = "STATE",
        };
        until.AcceptOnlyFromAmong("funded", "matched", "delivered", "evaluated", "ended");
        var longest = new Option<int>("--timeout")
        {
            Description = "The longest wait, in seconds.", HelpName = "N", DefaultValueFactory = _ => 600,
        };
        Option<string?> key = ResearcherSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command(
            "status",
            """
            Prints where a request stands, with every step and its reason.

            Examples:
              emr request status 3
              emr request status 3 --until ended --timeout 900

            Exit codes: 0 done, 1 failed, 2 wrong command, 75 it has not come that far within the wait.
            """) { request, until, longest, key });
        command.SetAction(async (parsed, cancellation) =>
        {
            using ResearcherSession session = await ResearcherSession.OpenAsync(parsed, client, parsed.GetValue(key), cancellation);
            RequestInfo status = await session.FindAsync(parsed.GetValue(request)!, cancellation);
            if (parsed.GetValue(until) is { } state)
            {
                status = await WaitAsync(session, status, state, TimeSpan.FromSeconds(parsed.GetValue(longest)), cancellation);
            }

            Show(status, client.Json(parsed));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>All requests of a researcher.</summary>
    public static Command CreateList()
    {
        Option<string?> key = ResearcherSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command("list", "Lists the researcher's requests, newest first.") { key });
        command.SetAction(async (parsed, cancellation) =>
        {
            using ResearcherSession session = await ResearcherSession.OpenAsync(parsed, client, parsed.GetValue(key), cancellation);
            IReadOnlyList<RequestInfo> requests = await session.ListAsync(cancellation);
            if (client.Json(parsed))
            {
                Output.Json(requests);
            }
            else
            {
                Output.Table(
                    [" request", "key", "title", "state", " sold", " delivered", " paid", " given back"],
                    requests.Select(r => (string[])
                    [
                        r.RequestId == 0 ? "-" : r.RequestId.ToString(CultureInfo.InvariantCulture), r.Key[..12], r.Title, r.State,
                        r.Sold.ToString("N0", CultureInfo.InvariantCulture), r.Delivered.ToString("N0", CultureInfo.InvariantCulture),
                        r.Paid, r.Refunded,
                    ]));
            }

            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>The results of a request.</summary>
    public static Command CreateResults()
    {
        Argument<string> request = ResearcherSession.RequestArgument();
        var format = new Option<string>("--format")
        {
            Description =
                "table for people, csv with one line per figure, csvw for the metadata beside it (CSV on the Web), fhir for a Bundle of "
                + "HL7 FHIR R4, html for a report with plots; cff, bibtex, ris or csl to cite them.",
            HelpName = "FORM",
            DefaultValueFactory = _ => Table,
        };
        format.AcceptOnlyFromAmong(Table, "csv", "csvw", "fhir", "html", "cff", "bibtex", "ris", "csl");
        var csv = new Option<string>("--table")
        {
            Description = "With --format csvw: the name of the CSV file that the metadata stands beside.", HelpName = "NAME",
            DefaultValueFactory = _ => "results.csv",
        };
        Option<string?> key = ResearcherSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command(
            "results",
            """
            Prints the statistics of a request with their intervals. --json prints them to the byte as the market keeps them, so that 'request verify --results' can compare them.

            Examples:
              emr request results 3
              emr request results 3 --format csv > results.csv
              emr request results 3 --format csvw > results.csv-metadata.json
              emr request results 3 --format cff > CITATION.cff
              emr request results 3 --format fhir > results.fhir.json
              emr request results 3 --format html > report.html
              emr request results 3 --json > results.json

            Exit codes: 0 done, 1 a statistic was refused, 2 wrong command, 75 there are no results yet.
            """) { request, format, csv, key });
        command.Validators.Add(result =>
        {
            if (result.GetResult(format) is { Implicit: false } && result.GetValue<bool>("--json"))
            {
                result.AddError("--json and --format exclude each other.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            using ResearcherSession session = await ResearcherSession.OpenAsync(parsed, client, parsed.GetValue(key), cancellation);
            RequestInfo status = await session.FindAsync(parsed.GetValue(request)!, cancellation);
            string path = $"api/v1/requests/{status.Key}/results";
            string json = await session.Market.GetAsync<string>(path, cancellation);
            RequestResults results = Read(json, session.Market.Server);
            string form = parsed.GetValue(format)!;
            if (client.Json(parsed))
            {
                Output.Say(json);
            }
            else if (form != Table)
            {
                await Console.Out.WriteAsync(await session.Market.GetAsync<string>(
                    $"{path}?format={form}{(form == "csvw" ? "&table=" + Uri.EscapeDataString(parsed.GetValue(csv)!) : "")}",
                    cancellation));
            }
            else
            {
                ResultWriter.Write(Console.Out, ResultFormat.Table,
                    [.. results.Statistics.Select(answer => answer.Result).OfType<StatisticResult>()]);
            }

            foreach (StatisticAnswer refused in results.Statistics.Where(answer => answer.Result is null))
            {
                Output.Remark($"refused {refused.Id}: {refused.Refusal}");
            }

            foreach (SiteFinding finding in results.Findings)
            {
                Output.Remark(
                    string.Create(CultureInfo.InvariantCulture,
                        $"site {finding.Site}'s reports of {finding.Attribute} are odd ({finding.Kind}, p = "
                            + $"{finding.AdjustedPValue:0.######}): a statistic, never proof"));
            }

            return results.Statistics.All(answer => answer.Result is not null) ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }

    private static RequestResults Read(string json, Uri server)
    {
        try
        {
            return RequestResults.Read(json);
        }
        catch (ExchangeFileException e)
        {
            throw new CommandException(
                ExitCode.Failure, $"{server}: {e.Message}. Compare the versions of this program and of the server's", e);
        }
    }

    /// <summary>Prints a request.</summary>
    internal static void Show(RequestInfo request, bool json)
    {
        if (json)
        {
            Output.Json(request);
            return;
        }

        Output.Facts(
            ("request", request.RequestId == 0 ? "not on the ledger yet" : request.RequestId.ToString(CultureInfo.InvariantCulture)),
            ("key", request.Key),
            ("title", request.Title),
            ("state", $"{request.State}: {request.Reason}"),
            ("records",
                string.Create(CultureInfo.InvariantCulture,
                    $"{request.Sold:N0} sold, {request.Delivered:N0} delivered, worth {request.EffectiveRecords:N1} effective ones")),
            ("token units", $"{request.Paid} paid, {request.Refunded} given back"));
        Output.Table(["when", "state", "why"], request.Steps.Select(step => (string[])
            [DateTimeOffset.FromUnixTimeSeconds(step.Seconds).ToString("u", CultureInfo.InvariantCulture), step.State, step.Reason]));
    }

    private static async Task<RequestInfo> WaitAsync(
        ResearcherSession session, RequestInfo status, string state, TimeSpan longest, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(longest);
        string told = "";
        try
        {
            while (!Reached(status, state))
            {
                if (!string.Equals(told, status.State, StringComparison.Ordinal))
                {
                    told = status.State;
                    Output.Remark($"request {status.Key[..12]} is {status.State}: {status.Reason}");
                }

                await Task.Delay(Pause, late.Token);
                try
                {
                    status = await session.StatusAsync(status.Key, late.Token);
                }
                catch (CommandException e) when (e.Code == ExitCode.NotReady)
                {
                    // A server that is started again answers in a moment; the wait has an end of its own.
                    Output.Remark(e.Message);
                }
            }

            return status;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.NotReady,
                $"request {status.Key} is still {status.State} after {longest.TotalSeconds:0} s ({status.Reason}): give the command "
                    + "again, or --timeout", e);
        }
    }

    private static bool Reached(RequestInfo status, string state) =>
        status.HasEnded || (Array.IndexOf(Way, status.State) >= Array.IndexOf(Way, state) && Array.IndexOf(Way, state) >= 0);
}
