using System.CommandLine;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Silos.Commands.Client;

namespace EmrMarket.Silos.Commands.Trace;

/// <summary><c>emr trace</c>: from a pseudonym to its payouts, with every proof checked here.</summary>
internal static class TraceCommand
{
    private const string Description =
        """
        Follows a pseudonym from its policy through matches and deliveries to its payouts. Every sentence is printed after its proof has led, on this machine, to a commitment that the contract
        confirms: the market's word is taken for nothing. Files are recognised by the hashes that stand on the ledger.

        Examples:
          emr trace 5f0c...e1                                 the embedded chain, and the server of this machine for files
          emr trace 5f0c...e1 --as audit-desk --files mirror  keeps the files in a mirror
          emr trace 5f0c...e1 --offline --files mirror --chain https://node.example --deployment consortium.json --json

        Exit codes: 0 followed, 1 a proof fails, a file is missing or nobody published it, 2 wrong command or input, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var pseudonym = new Argument<string>("PSEUDONYM") { Description = "64 hexadecimal digits." };
        ClientOptions client = new();
        AuditOptions audit = new();
        Command command = client.AddTo(audit.AddTo(new Command("trace", Description) { pseudonym }));
        command.SetAction(async (parsed, cancellation) =>
        {
            Bytes32 followed = Hashes.Parse(parsed.GetValue(pseudonym)!, "a pseudonym");
            using MarketClient? market = audit.Connect(parsed, client);
            await using AuditedLedger ledger = await audit.OpenAsync(parsed, market, cancellation);
            await ledger.FetchPseudonymAsync(followed, cancellation);
            IReadOnlyList<string> told = await SaleTrace.FollowAsync(ledger.Market, followed, cancellation);
            if (client.Json(parsed))
            {
                Output.Json(new { Pseudonym = Hashes.Text(followed), ChainId = ledger.Market.ChainId, Block = ledger.Market.View.FollowedTo,
                    Steps = told, Files = ledger.Files, ledger.Missing });
            }
            else
            {
                foreach (string sentence in told)
                {
                    Output.Say(sentence);
                }

                Output.Remark($"{ledger.Grounds()}.");
            }

            return ledger.Missing.Count > 0 ? throw new CommandException(
                    ExitCode.Failure,
                    $"{ledger.Missing.Count} files that the ledger names are missing, so the trace may be incomplete; the first is "
                        + $"{ledger.Missing[0]}")
                : told.Count == 0
                ? throw new CommandException(ExitCode.Failure, $"no epoch on this ledger holds pseudonym {Hashes.Text(followed)}")
                : ExitCode.Success;
        });
        return command;
    }
}
