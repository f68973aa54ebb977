using System.CommandLine;
using System.Globalization;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Site;

/// <summary><c>emr site</c>: what a site's staff do.</summary>
internal static class SiteCommand
{
    private const string Description =
        """
        What a site's staff do: load records, give policies to those who left the choice to the site, post an epoch, see deliveries through. Records go to the site's own process and no further.

        Examples:
          emr site load records.csv --schema diabetic_data
          emr site policies --profile balanced --rate 1
          emr site policies --profiles 50000,150000,200000,400000,200000 --rates 300000,500000,200000 --purpose 2
          emr site consents Consent.ndjson --rate 1
          emr site post-epoch --wait
          emr site deliver
          emr site status --json
          emr site withdraw --record 17
          emr site reconcile
          emr site rotate-key

        Exit codes: 0 done, 1 failed or not allowed, 2 wrong command or input (every wrong line is listed), 75 not ready.
        """;

    /// <summary>The command and its verbs.</summary>
    public static Command Create() =>
        new("site", Description)
        {
            LoadCommand.Create(), PoliciesCommand.Create(), ConsentsCommand.Create(), CreatePostEpoch(), CreateDeliver(), CreateStatus(),
            CreateWithdraw(), ReconcileCommand.Create(), RotateKeyCommand.Create(),
        };

    private static Command CreateWithdraw()
    {
        var record = new Option<int>("--record")
        {
            Description = "The position of one of the person's records, from 0, in the order of loading.", HelpName = "N", Required = true,
        };
        var yes = new Option<bool>("--yes") { Description = "Do not ask: it cannot be taken back." };
        SiteOptions site = new();
        ClientOptions client = new();
        Command command = client.AddTo(site.AddTo(new Command(
            "withdraw",
            """
            Takes the person of a record out of the market for ever, who asked for it at the desk: the way for patients who have lost the keys that command their records. See who it is first.

            Example:
              emr site withdraw --record 17
            """) { record, yes }));
        command.SetAction(async (parsed, cancellation) =>
        {
            Patient.PolicyCommand.Confirm(parsed.GetValue(yes), "Withdraw this person for ever?");
            using MarketClient market = site.Connect(parsed, client);
            (string name, string schema) = await site.PlaceAsync(parsed, market, cancellation);
            await market.PostAsync<string>(
                $"api/v1/sites/{name}/withdrawals", new { schemaId = schema, record = parsed.GetValue(record) }, cancellation);
            Output.Say("the person has withdrawn: nothing more is published or delivered; the ledger is told within a day where the site "
                + "has the key for it");
            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreatePostEpoch()
    {
        var wait = new Option<bool>("--wait") { Description = "Wait until the epoch is final on the ledger." };
        SiteOptions site = new();
        ClientOptions client = new();
        Command command = client.AddTo(site.AddTo(new Command(
            "post-epoch",
            """
            Decides the next epoch from today's policies: who is on offer, in classes of at least 20 persons that nobody can tell apart. The site posts it by itself. While one is under way, that
            one is answered.

            Example:
              emr site post-epoch --wait
            """) { wait }));
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = site.Connect(parsed, client);
            (string name, string schema) = await site.PlaceAsync(parsed, market, cancellation);
            EpochInfo epoch = await market.PostAsync<EpochInfo>($"api/v1/sites/{name}/epochs", new { schemaId = schema }, cancellation);
            if (parsed.GetValue(wait))
            {
                SiteInfo status = await site.WaitAsync(
                    parsed, market, name, schema, info => info.Epochs.Any(e => e.Epoch == epoch.Epoch && e.Status is "final" or "void"),
                    $"epoch {epoch.Epoch} is not final yet", cancellation);
                epoch = status.Epochs.First(e => e.Epoch == epoch.Epoch);
            }

            if (client.Json(parsed))
            {
                Output.Json(epoch);
            }
            else
            {
                Output.Say(string.Create(
                    CultureInfo.InvariantCulture,
                    $"epoch {epoch.Epoch} is {epoch.Status}: {epoch.Members:N0} records in {epoch.Classes:N0} classes; "
                        + $"{epoch.Withheld:N0} are withheld, since too few are like them or their person takes no part"));
            }

            return epoch.Status == "void" ? ExitCode.Failure : ExitCode.Success;
        });
        return command;
    }

    private static Command CreateDeliver()
    {
        var wait = new Option<ulong[]>("--request")
        {
            Description = "Wait until these requests have been delivered to, or refused; once per request.", HelpName = "ID",
        };
        SiteOptions site = new();
        ClientOptions client = new();
        Command command = client.AddTo(site.AddTo(new Command(
            "deliver",
            """
            Lists the site's deliveries. The site fetches its orders, draws the reports, charges budgets and delivers by itself; --request waits for one.

            Examples:
              emr site deliver
              emr site deliver --request 3 --timeout 300
            """) { wait }));
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = site.Connect(parsed, client);
            (string name, string schema) = await site.PlaceAsync(parsed, market, cancellation);
            ulong[] wanted = parsed.GetValue(wait) ?? [];
            SiteInfo status = await site.WaitAsync(
                parsed, market, name, schema, info => wanted.All(id => info.Deliveries.Any(delivery => delivery.RequestId == id)),
                $"request {string.Join(", ", wanted)} is not delivered to yet", cancellation);
            DeliveryInfo[] deliveries = [.. status.Deliveries.Where(delivery => wanted.Length == 0 || wanted.Contains(delivery.RequestId))];
            if (client.Json(parsed))
            {
                Output.Json(deliveries);
            }
            else
            {
                ShowDeliveries(deliveries);
            }

            return deliveries.Any(delivery => delivery.Refusal.Length > 0) ? ExitCode.Failure : ExitCode.Success;
        });
        return command;
    }

    private static Command CreateStatus()
    {
        SiteOptions site = new();
        ClientOptions client = new();
        Command command =
            client.AddTo(site.AddTo(
                new Command("status", "Prints where the site stands: records, epochs, deliveries, and the highest loss of any person.")));
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = site.Connect(parsed, client);
            (string name, string schema) = await site.PlaceAsync(parsed, market, cancellation);
            SiteInfo status = await SiteOptions.StatusAsync(market, name, schema, cancellation);
            if (client.Json(parsed))
            {
                Output.Json(status);
                return ExitCode.Success;
            }

            Output.Facts(
                ("site", string.Create(CultureInfo.InvariantCulture, $"{status.Name}, number {status.Site} on the ledger")),
                ("account", status.Account),
                ("records", string.Create(CultureInfo.InvariantCulture, $"{status.Records:N0} of {status.Persons:N0} persons")),
                ("highest loss",
                    string.Create(CultureInfo.InvariantCulture,
                        $"epsilon {status.HighestLossMicro / 1e6:0.######} of at most {status.CapMicro / 1e6:0.##}")));
            Output.Table(
                [" epoch", "status", " records", " classes", " withheld"],
                status.Epochs.Select(epoch => (string[])
                [
                    epoch.Epoch.ToString(CultureInfo.InvariantCulture), epoch.Status,
                    epoch.Members.ToString("N0", CultureInfo.InvariantCulture), epoch.Classes.ToString("N0", CultureInfo.InvariantCulture),
                    epoch.Withheld.ToString("N0", CultureInfo.InvariantCulture),
                ]));
            ShowDeliveries(status.Deliveries);
            return ExitCode.Success;
        });
        return command;
    }

    private static void ShowDeliveries(DeliveryInfo[] deliveries) => Output.Table(
        [" order", " request", " sold", " delivered", " over the cap", " not allowed", "refused because"],
        deliveries.Select(delivery => (string[])
        [
            delivery.Sequence.ToString(CultureInfo.InvariantCulture), delivery.RequestId.ToString(CultureInfo.InvariantCulture),
            delivery.Sold.ToString("N0", CultureInfo.InvariantCulture), delivery.Delivered.ToString("N0", CultureInfo.InvariantCulture),
            delivery.OverCap.ToString("N0", CultureInfo.InvariantCulture), delivery.NotAllowed.ToString("N0", CultureInfo.InvariantCulture),
            delivery.Refusal,
        ]));
}
