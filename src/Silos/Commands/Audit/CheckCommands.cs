using System.CommandLine;
using System.Globalization;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Pages.Texts;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary><c>emr audit batches</c> and <c>check</c>.</summary>
internal static class CheckCommands
{
    /// <summary>Lists batches.</summary>
    public static Command CreateBatches()
    {
        var posted = new Option<bool>("--posted") { Description = "Only those that can still be challenged." };
        ClientOptions client = new();
        Command command = client.AddTo(new Command(
            "batches",
            "Lists the epochs, rounds and deliveries of the ledger, the latest first, and until when they can be asked.") { posted });
        command.SetAction(async (parsed, cancellation) =>
        {
            using AuditorSession session = await AuditorSession.OpenAsync(parsed, client, key: null, cancellation);
            BatchInfo[] batches = [.. (await session.BatchesAsync(cancellation))
                .Where(batch => batch.Status == "posted" || !parsed.GetValue(posted))];
            if (client.Json(parsed))
            {
                Output.Json(batches);
            }
            else
            {
                Output.Table(
                    ["kind", "id", "status", "posted", "leaves can be demanded before", "can be challenged until"],
                    batches.Select(batch => (string[])
                    [
                        batch.Kind, batch.Id, batch.Fault is { } fault ? $"{batch.Status}: {fault}" : batch.Status,
                        Time(batch.PostedSeconds), Time(batch.DemandUntilSeconds), Time(batch.ChallengeUntilSeconds),
                    ]));
            }

            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Checks a batch, and files what it finds.</summary>
    public static Command CreateCheck()
    {
        Argument<string> named = AuditorSession.BatchArgument();
        var challenge = new Option<bool>("--challenge")
        {
            Description = "Sign and file the challenge, where there is one: the batch becomes void, and half of its bond is yours.",
        };
        var name = new Option<string?>("--as")
        {
            Description = "The auditor's account that signed in; without it whoever runs 'serve' on this machine.", HelpName = "NAME",
        };
        Option<string?> key = AuditorSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command(
            "check",
            """
            Holds an epoch, a round or a delivery against its file and what it follows from; while it is posted, tries every challenge that its leaves allow against the contract.

            Examples:
              emr audit check 7f31c0 --as audit-desk
              emr audit check 7f31c0 --as audit-desk --challenge --key auditor.key

            Exit codes: 0 it is as it must be, or its fault was proved on the ledger, 1 it is wrong, 2 wrong command, 75 not ready.
            """) { named, challenge, name, key });
        command.SetAction(async (parsed, cancellation) =>
        {
            bool files = parsed.GetValue(challenge);
            using AuditorSession session = await AuditorSession.OpenAsync(parsed, client, files ? key : null, cancellation);
            session.Market.Act(parsed.GetValue(name));
            BatchInfo batch = await session.FindAsync(parsed.GetValue(named)!, cancellation);
            LongWork work = await session.Market.PostAsync<LongWork>(
                $"api/v1/ledger/batches/{batch.Id}/check", null, cancellation);
            BatchCheckInfo found = await work.FinishAsync<BatchCheckInfo>(session.Market, "a check changes nothing", cancellation);
            BatchInfo? voided = null;
            if (files && found.Challenge is { } offered)
            {
                ContractCall call = session.Take(
                    offered, batch.Kind, function => function == offered.What && function.StartsWith("challenge", StringComparison.Ordinal),
                    []);
                await session.Market.SendAsync(session.Account, [($"take {offered.What}", call)], cancellation);
                voided = await AuditorSession.SeenAsync(
                    "the challenge", async late => await session.ReadAsync(batch.Id, late) is { Status: "void" } now ? now : null,
                    cancellation);
            }

            if (client.Json(parsed))
            {
                Output.Json(new { Check = found, Batch = voided ?? batch });
            }
            else
            {
                Tell(found, voided);
            }

            return voided is not null || found is { Fault: null, Challenge: null } ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }

    private static void Tell(BatchCheckInfo found, BatchInfo? voided)
    {
        Output.Facts(
            ("batch", $"{found.Kind} {found.BatchId}"), ("status", voided?.Status ?? found.Status),
            ("fault", found.Challenge is { } wrong ? LedgerPhrases.Challenge(wrong.What) : found.Fault ?? "none"),
            ("at", found.Where.Length > 0 ? found.Where : "-"),
            ("tried", found.Tried.Count == 0 ? "nothing: challenges are raised while a batch is posted"
                : string.Join(", ", found.Tried.Select(
                    kind => string.Create(CultureInfo.InvariantCulture, $"{kind.Key} {kind.Value:N0} times")))));
        if (voided is not null)
        {
            Output.Say($"It is void ({voided.Fault}): {found.RewardUnits} token units are yours, 'emr audit withdraw' takes them out.");
        }
        else if (found.Challenge is not null)
        {
            Output.Say($"The contract would accept {found.Challenge.What}: --challenge signs and files it, for {found.RewardUnits} token "
                + $"units, before {Time((ulong)found.UntilSeconds)}.");
        }
        else if (found is { Fault: not null, Status: "posted" })
        {
            Output.Say("No challenge proves it on the ledger. 'emr audit demand' asks for a leaf, and a withheld one voids the batch.");
        }
    }

    private static string Time(ulong seconds) =>
        DateTimeOffset.FromUnixTimeSeconds((long)seconds).ToString("u", CultureInfo.InvariantCulture);
}
