using System.CommandLine;
using System.Globalization;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Request;

/// <summary><c>emr request cancel</c>.</summary>
internal static class CancelCommand
{
    private const string Description =
        """
        Takes a request back: at once when it was not funded, by a call of the ledger while its book is open, and no longer after that.

        Examples:
          emr request cancel 3
          emr request cancel 91c2ab --json

        Exit codes: 0 cancelled, 1 failed, 2 too late, wrong command or input, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        Argument<string> request = ResearcherSession.RequestArgument();
        Option<string?> key = ResearcherSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command("cancel", Description) { request, key });
        command.SetAction(async (parsed, cancellation) =>
        {
            using ResearcherSession session = await ResearcherSession.OpenAsync(parsed, client, parsed.GetValue(key), cancellation);
            RequestInfo known = await session.FindAsync(parsed.GetValue(request)!, cancellation);
            CancelInfo answer = await session.Market.PostAsync<CancelInfo>(
                $"api/v1/requests/{known.Key}/cancellation", new { }, cancellation);
            if (!answer.Cancelled)
            {
                MarketInfo market = await session.Market.GetAsync<MarketInfo>("api/v1/market", cancellation);
                using JsonRpcEthereumClient nobody = new(session.Market.Server);
                ContractCall own = new MatchingDecision(nobody, Address.Parse(market.Contracts.Matching)).CancelRequest(known.RequestId);
                if (answer.Calls is not [var theirs]
                    || !string.Equals(theirs.Data, Hex.Encode(own.Data.Span), StringComparison.OrdinalIgnoreCase)
                    || !string.Equals(theirs.To, own.To.ToString(), StringComparison.OrdinalIgnoreCase))
                {
                    throw new CommandException(
                        ExitCode.Failure, "the market's call is not the one that cancels the request: nothing was signed");
                }

                await session.Market.SendAsync(session.Account, [(theirs.What, own)], cancellation);
            }

            if (client.Json(parsed))
            {
                Output.Json(new { known.Key, known.RequestId, Cancelled = true });
            }
            else
            {
                Output.Say(
                    string.Create(CultureInfo.InvariantCulture,
                        $"request {(known.RequestId > 0 ? known.RequestId : known.Key[..12])} is "
                            + $"cancelled{(answer.Cancelled
                                ? ": it was never funded"
                                : "; its money comes back once its book is closed")}"));
            }

            return ExitCode.Success;
        });
        return command;
    }
}
