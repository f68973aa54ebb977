using System.CommandLine;
using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary><c>emr audit withdraw</c>.</summary>
internal static class WithdrawCommand
{
    private const string Description =
        """
        Takes out everything of an account's with the ledger that no bond or deposit binds: what challenges won, and deposits that came back.

        Examples:
          emr audit withdraw
          emr audit withdraw --key auditor.key --json

        Exit codes: 0 taken out, 1 failed, 2 nothing is free, or wrong command, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        Option<string?> key = AuditorSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command("withdraw", Description) { key });
        command.SetAction(async (parsed, cancellation) =>
        {
            using AuditorSession session = await AuditorSession.OpenAsync(parsed, client, key, cancellation);
            CallOffer offer = await session.Market.PostAsync<CallOffer>(
                $"api/v1/ledger/accounts/{session.Address}/withdrawal", null, cancellation);
            AccountInfo before = await session.HoldingsAsync(cancellation);
            ContractCall own = session.Payments.Withdraw(BigInteger.Parse(before.Free, CultureInfo.InvariantCulture));
            AuditorSession.Compare(offer.Calls, [own]);
            await session.Market.SendAsync(session.Account, [(offer.Calls[0].What, own)], cancellation);
            AccountInfo after = await session.HoldingsAsync(cancellation);
            if (client.Json(parsed))
            {
                Output.Json(after);
            }
            else
            {
                Output.Facts(("address", after.Address), ("taken out", $"{before.Free} token units"), ("tokens", after.Tokens),
                    ("still with the ledger", after.Free));
            }

            return ExitCode.Success;
        });
        return command;
    }
}
