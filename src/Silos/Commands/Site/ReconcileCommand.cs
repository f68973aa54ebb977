using System.CommandLine;
using System.Globalization;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Site;

/// <summary><c>emr site reconcile</c>: how a site whose store was put back from a backup goes on.</summary>
internal static class ReconcileCommand
{
    private const string Description =
        """
        Tells where a restored site stands, and lets it go on. The site takes from ledger and market what they know: epochs, deliveries, revocations. Nobody can tell it what patients and desk
        commanded after the backup and the ledger does not show: withdrawals of less than a day, pauses, stricter limits, own wallets. Enter them again first ('emr site withdraw', the patients'
        own pages), then --confirm. Where you cannot know them all, --pause-everyone: whoever is on offer is paused, and is back when they say so themselves.

        Examples:
          emr site reconcile
          emr site withdraw --record 17
          emr site reconcile --confirm
          emr site reconcile --pause-everyone

        Exit codes: 0 the site goes on, 1 not allowed, 2 wrong command, 75 it is held back.
        """;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var confirm = new Option<bool>("--confirm") { Description = "What was commanded after the backup was entered again." };
        var pause = new Option<bool>("--pause-everyone") { Description = "Pause whoever is on offer, and go on." };
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        SiteOptions site = new();
        ClientOptions client = new();
        Command command = client.AddTo(site.AddTo(new Command("reconcile", Description) { confirm, pause, yes }));
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = site.Connect(parsed, client);
            string name = await site.NameAsync(parsed, market, cancellation);
            bool goesOn = parsed.GetValue(confirm) || parsed.GetValue(pause);
            if (goesOn)
            {
                Patient.PolicyCommand.Confirm(parsed.GetValue(yes), parsed.GetValue(pause)
                    ? "Pause everybody on offer, and go on?"
                    : "Was every withdrawal and every stricter limit since the backup entered again? Whoever is forgotten is delivered");
            }

            RestoreInfo info = goesOn
                ? await market.PostAsync<RestoreInfo>(
                    $"api/v1/sites/{name}/restore/confirmation", new { pauseEveryone = parsed.GetValue(pause) }, cancellation)
                : await market.GetAsync<RestoreInfo>($"api/v1/sites/{name}/restore", cancellation);
            if (client.Json(parsed))
            {
                Output.Json(info);
            }
            else
            {
                Say(name, info);
            }

            return info.Confirmed ? ExitCode.Success : ExitCode.NotReady;
        });
        return command;
    }

    private static void Say(string name, RestoreInfo info)
    {
        string since = info.SnapshotSeconds == 0 ? "a backup of unknown time (or another process acts with this site's keys: find it)"
            : "the backup of " + DateTimeOffset.FromUnixTimeSeconds(info.SnapshotSeconds)
                .ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        Output.Say(!info.Restored ? $"site {name} was never restored"
            : info.Confirmed ? $"site {name} goes on from {since}"
            : $"site {name} is held back: it was put back from {since}");
        foreach (string open in info.Open)
        {
            Output.Say("  not made good yet: " + open);
        }

        if (!info.Confirmed && info.Open.Length == 0)
        {
            Output.Say("  the ledger is made good. Enter again what patients and desk commanded since, withdrawals first, then --confirm; "
                + "or --pause-everyone");
        }
    }
}
