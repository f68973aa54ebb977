using System.CommandLine;
using System.Globalization;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Grains.Exchange;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Commands.Patient;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Request;

/// <summary><c>emr request open</c>: from a wish to a funded request.</summary>
internal static class OpenCommand
{
    private const string Description =
        """
        Opens a request: the market writes its terms, they are shown and held against what was asked for, and the researcher's key signs two calls of the ledger, the allowance of the budget and
        the request itself. The calls are formed here from the terms; the market's are only compared with them. Then it waits until the market has seen the money.

        An interrupted command goes on with --request KEY, or with --terms and the file that --save kept: the same terms are handed in again and paid for once.

        Examples:
          emr request open --schema diabetic_data --statistic mean:time_in_hospital --records 2000 --title "Length of stay" --why "Planning of beds"
          emr request open --schema diabetic_data --statistic table:race,gender --grade 3 --records 5000 --minimum 1000 --budget 9000000 --title T --why W --yes --json
          emr request open --terms terms.json --yes
          emr request open --request 91c2ab --yes

        Exit codes: 0 funded, 1 failed or not wanted, 2 wrong command or input, 75 not ready: it was sent, and the market has not seen it yet.
        """;

    // MAXIMUM_LEAD of MatchingDecision.
    private const int MostDays = 366;

    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>The command.</summary>
    public static Command Create()
    {
        SchemaOption schema = new();
        var statistics = new Option<string[]>("--statistic")
        {
            Description = "What is asked for ('emr estimate --help' lists the forms). Repeat it for several.", HelpName = "STATISTIC",
        };
        var records = new Option<uint?>("--records") { Description = "Records wanted.", HelpName = "N" };
        var minimum = new Option<uint>("--minimum") { Description = "Below this many records none are taken.", HelpName = "N" };
        var grade = new Option<int>("--grade")
        {
            Description = "The grade of every randomised attribute; without it that of the default policy for its tier.", HelpName = "G",
        };
        var confidence = new Option<decimal>("--confidence")
        {
            Description = "The confidence of the intervals.", HelpName = "SHARE", DefaultValueFactory = _ => 0.95m,
        };
        var purpose = new Option<byte>("--purpose")
        {
            Description = "The purpose's number; 'emr patient policy' lists them.", HelpName = "N", DefaultValueFactory = _ => 2,
        };
        var cell = new Option<string>("--cell")
        {
            Description = "Only records of this public cell.", HelpName = "ATTRIBUTE=VALUE", DefaultValueFactory = _ => "",
        };
        var bid = new Option<string?>("--bid")
        {
            Description = "Token units per effective record; without it --bid-factor times the median ask.", HelpName = "T",
        };
        var factor = new Option<decimal>("--bid-factor")
        {
            Description = "The bid as a multiple of the median ask.", HelpName = "X", DefaultValueFactory = _ => 2,
        };
        var budget = new Option<string?>("--budget")
        {
            Description = "Token units in escrow; what is not spent comes back. Without it what the records cost at the bid.",
            HelpName = "T",
        };
        var days = new Option<double?>("--days")
        {
            Description = "How long it may take, in days of the ledger; 60 without it.", HelpName = "N",
        };
        var title = new Option<string?>("--title") { Description = "What it is about, for patients.", HelpName = "TEXT" };
        var why = new Option<string?>("--why") { Description = "Why it is asked, for patients.", HelpName = "TEXT" };
        var terms = new Option<string?>("--terms") { Description = "A terms document instead of a wish.", HelpName = "FILE" };
        var save = new Option<string?>("--save")
        {
            Description = "Keep the terms in this new file before they are handed in; --terms takes it.", HelpName = "FILE",
        };
        var again = new Option<string?>("--request")
        {
            Description = "A request whose terms were handed in and that was not funded.", HelpName = "KEY",
        };
        var yes = new Option<bool>("--yes") { Description = "Do not ask before money moves." };
        Option<string?> key = ResearcherSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command("open", Description)
        {
            schema.Option, statistics, records, minimum, grade, confidence, purpose, cell, bid, factor, budget, days, title, why, save,
            terms, again, yes, key,
        });
        command.Validators.Add(result =>
        {
            bool wishes = result.GetValue(statistics) is { Length: > 0 };
            if ((wishes ? 1 : 0) + (result.GetValue(terms) is null ? 0 : 1) + (result.GetValue(again) is null ? 0 : 1) != 1)
            {
                result.AddError("Give --statistic (with --records, --title and --why), --terms or --request, and one of them only.");
            }
            else if (wishes && (result.GetValue(records) is null or 0 || result.GetValue(title) is null || result.GetValue(why) is null))
            {
                result.AddError("--records (at least 1), --title and --why are needed with --statistic: patients read the last two.");
            }
        });
        days.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is { } length && !(length is > 0 and <= MostDays))
            {
                result.AddError($"--days is more than 0 and at most {MostDays}, the longest that the ledger takes.");
            }
        });
        confidence.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<decimal>() is not (> 0 and < 1))
            {
                result.AddError("--confidence lies strictly between 0 and 1, for example 0.95.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            using ResearcherSession session = await ResearcherSession.OpenAsync(parsed, client, parsed.GetValue(key), cancellation);
            MarketInfo market = await session.Market.GetAsync<MarketInfo>("api/v1/market", cancellation);
            if (market.RequestsPaused && parsed.GetValue(again) is null)
            {
                // A request whose terms were handed in may be funded already: then it goes on.
                throw new CommandException(
                    ExitCode.NotReady, "the consortium takes no new requests at the moment: give the same command again later");
            }

            string json;
            if (parsed.GetValue(terms) is { } file)
            {
                json = (await ReadAsync(file, cancellation)).TrimEnd('\r', '\n');
            }
            else if (parsed.GetValue(again) is { } known)
            {
                json = System.Text.Encoding.UTF8.GetString(CanonicalJson.Write((await session.FindAsync(known, cancellation)).Terms));
            }
            else
            {
                RequestWish wish = new()
                {
                    SchemaId = await schema.FindAsync(parsed, session.Market, cancellation),
                    Statistics = parsed.GetValue(statistics)!,
                    Title = parsed.GetValue(title)!,
                    Why = parsed.GetValue(why)!,
                    Grade = parsed.GetValue(grade),
                    TargetRecords = parsed.GetValue(records)!.Value,
                    MinimumRecords = parsed.GetValue(minimum),
                    Confidence = parsed.GetValue(confidence),
                    Purpose = parsed.GetValue(purpose),
                    PublicCell = parsed.GetValue(cell)!,
                    Bid = parsed.GetValue(bid),
                    BidFactor = parsed.GetValue(factor),
                    Budget = parsed.GetValue(budget),
                    DeadlineSeconds = parsed.GetValue(days) is { } length ? market.NowSeconds + (long)(length * 86_400) : 0,
                };
                json = (await session.Market.PostAsync<TermsInfo>("api/v1/terms", wish, cancellation)).TermsJson;
                Check(Read(json), wish);
                if (parsed.GetValue(save) is { } place)
                {
                    Secrets.Write(place, System.Text.Encoding.UTF8.GetBytes(json + "\n"), replace: false);
                }
            }

            TermsDocument document = Read(json);
            if (!string.Equals(document.Researcher, session.Address, StringComparison.Ordinal))
            {
                throw new CommandException(ExitCode.Usage,
                    $"the terms name researcher {document.Researcher}, and the key is that of {session.Address}: name its key file with "
                        + "--key");
            }

            string shown = Describe(document);
            await Console.Error.WriteLineAsync(shown);
            PolicyCommand.Confirm(parsed.GetValue(yes), $"Put {document.Budget} token units in escrow?");
            RequestInfo funded = await FundAsync(session, market, document, json, cancellation);
            FollowCommands.Show(funded, client.Json(parsed));
            return ExitCode.Success;
        });
        return command;
    }

    private static async Task<RequestInfo> FundAsync(
        ResearcherSession session, MarketInfo market, TermsDocument document, string json, CancellationToken cancellationToken)
    {
        // The same terms are the same act: given again after a crash they get the same answer.
        OpenInfo opened = await session.Market.PostContentAsync<OpenInfo>(
            "api/v1/requests", new StringContent(json, System.Text.Encoding.UTF8, "application/json"), cancellationToken,
            Hashes.Text(document.Hash()));
        RequestInfo status = await session.StatusAsync(opened.Key, cancellationToken);
        if (status.RequestId == 0)
        {
            IReadOnlyList<(string What, ContractCall Call)> calls = await CallsAsync(session, market, document, opened, cancellationToken);
            Output.Remark($"request {opened.Key[..12]}: sending {calls.Count} transactions ...");
            await session.Market.SendAsync(session.Account, calls, cancellationToken);
        }

        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(LongestWait);
        try
        {
            while (true)
            {
                status = await session.StatusAsync(opened.Key, late.Token);
                if (status.RequestId > 0 || status.HasEnded)
                {
                    return status.RequestId > 0
                        ? status : throw new CommandException(ExitCode.Failure, $"request {opened.Key} is {status.State}: {status.Reason}");
                }

                await Task.Delay(Pause, late.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.NotReady,
                $"request {opened.Key} is paid for, and the market has not seen it within {LongestWait.TotalMinutes:0} minutes: './emr "
                    + $"request status {opened.Key[..12]}' follows it", e);
        }
    }

    /// <summary>The calls, formed from the terms and held against the market's.</summary>
    private static async Task<IReadOnlyList<(string, ContractCall)>> CallsAsync(
        ResearcherSession session, MarketInfo market, TermsDocument document, OpenInfo opened, CancellationToken cancellationToken)
    {
        SchemaInfo schema = await session.Market.GetAsync<SchemaInfo>("api/v1/schemas/" + document.SchemaId, cancellationToken);
        RequestTerms onLedger;
        try
        {
            onLedger = document.ToLedger(Schema.Parse(schema.Json, schema.Name));
        }
        catch (ExchangeFileException e)
        {
            throw new CommandException(ExitCode.Usage, e.Message, e);
        }

        // The bindings form calls; this client of theirs is never asked anything.
        using JsonRpcEthereumClient nobody = new(session.Market.Server);
        ContractCall allow = new DevelopmentToken(nobody, Address.Parse(market.Contracts.Token))
            .Approve(Address.Parse(market.Contracts.Payments), onLedger.Budget);
        ContractCall open = new MatchingDecision(nobody, Address.Parse(market.Contracts.Matching)).OpenRequest(onLedger);
        ContractCall[] own = [allow, open];
        if (opened.Calls.Length != own.Length || own.Where((call, i) => !Same(call, opened.Calls[i])).Any())
        {
            throw new CommandException(ExitCode.Failure,
                "the market's calls are not those that follow from the terms: nothing was signed. Compare the versions of this program "
                    + "and of the server's");
        }

        return [(opened.Calls[0].What, allow), (opened.Calls[1].What, open)];
    }

    private static bool Same(ContractCall own, CallInfo theirs) =>
        string.Equals(own.To.ToString(), theirs.To, StringComparison.OrdinalIgnoreCase)
            && string.Equals(Hex.Encode(own.Data.Span), theirs.Data, StringComparison.OrdinalIgnoreCase);

    // The market writes the terms, so what it may not have changed is compared.
    private static void Check(TermsDocument terms, RequestWish wish)
    {
        (string What, bool Holds)[] asked =
        [
            ("schema", terms.SchemaId == wish.SchemaId),
            ("statistics", terms.Statistics.SequenceEqual(wish.Statistics, StringComparer.Ordinal)),
            ("records", terms.TargetRecords == wish.TargetRecords),
            ("minimum", terms.MinimumRecords == wish.MinimumRecords), ("purpose", terms.Purpose == wish.Purpose),
            ("cell", terms.PublicCell == wish.PublicCell),
            ("confidence", terms.Confidence == wish.Confidence), ("bid", wish.Bid is null || wish.Bid == terms.Bid),
            ("budget", wish.Budget is null || wish.Budget == terms.Budget),
            ("deadline", wish.DeadlineSeconds == 0 || wish.DeadlineSeconds == terms.Deadline), ("title", terms.Title == wish.Title),
            ("why", terms.Why == wish.Why),
        ];
        if (asked.FirstOrDefault(ask => !ask.Holds).What is { } differs)
        {
            throw new CommandException(
                ExitCode.Failure, $"the market wrote terms with another {differs} than was asked for: nothing was signed");
        }
    }

    private static string Describe(TermsDocument terms) => string.Create(
        CultureInfo.InvariantCulture,
        $"emr: {string.Join(", ", terms.Statistics)} from {terms.TargetRecords:N0} "
            + $"records{(terms.MinimumRecords > 0 ? $" (at least {terms.MinimumRecords:N0})" : "")}, grades "
            + $"{string.Join(", ", terms.Grades.Select(pair => $"{pair.Key} {pair.Value.Top}"))}; {terms.Bid} token units per effective "
            + $"record, {terms.Budget} in escrow; until {DateTimeOffset.FromUnixTimeSeconds(terms.Deadline):u}");

    private static TermsDocument Read(string json)
    {
        try
        {
            return TermsDocument.Read(json);
        }
        catch (ExchangeFileException e)
        {
            throw new CommandException(ExitCode.Usage, e.Message, e);
        }
    }

    private static async Task<string> ReadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllTextAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"--terms: {file} cannot be read: {e.Message}", e);
        }
    }
}
