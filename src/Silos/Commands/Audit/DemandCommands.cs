using System.Buffers.Binary;
using System.CommandLine;
using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary><c>emr audit demand</c>, <c>demands</c> and <c>end-demand</c>.</summary>
internal static class DemandCommands
{
    private const int Word = 32;

    // By LeafKind, whose first is 1.
    private static readonly string[] Kinds = ["member", "class", "premium", "request", "sale-by-class", "sale-by-request", "slot"];

    /// <summary>Demands a leaf.</summary>
    public static Command CreateDemand() => Create(
        "demand",
        """
        Demands that a leaf of a posted batch be opened on the ledger, in the first half of its window. A deposit is locked: whoever opens the leaf in time gets it; otherwise the batch becomes void by
        'emr audit end-demand', and the deposit comes back with half of the bond.

        Examples:
          emr audit demand 7f31c0 --kind member --position 17
          emr audit demand 7f31c0 --kind slot --position 0 --key auditor.key --json

        Exit codes: 0 demanded, 1 failed or refused, 2 wrong command or input, 75 not ready.
        """,
        "api/v1/ledger/demands", DemandAsync);

    /// <summary>Ends a demand without answer.</summary>
    public static Command CreateEnd() => Create(
        "end-demand",
        """
        Ends a demand that nobody answered: the batch becomes void when the time for the answer is over. Where the batch is void for another reason, the deposit comes back.

        Examples:
          emr audit end-demand 7f31c0 --kind member --position 17

        Exit codes: 0 ended, 1 failed or refused, 2 wrong command or input, or the answer may still come, 75 not ready.
        """,
        "api/v1/ledger/demands/end",
        (session, batch, wish, offer, _) => Task.FromResult(End(session, batch, wish, offer)));

    /// <summary>Lists the demands.</summary>
    public static Command CreateList()
    {
        ClientOptions client = new();
        Command command = client.AddTo(new Command("demands", "Lists the leaves that were demanded, and what became of it."));
        command.SetAction(async (parsed, cancellation) =>
        {
            using AuditorSession session = await AuditorSession.OpenAsync(parsed, client, key: null, cancellation);
            IReadOnlyList<DemandInfo> demands = await ListAsync(session, cancellation);
            if (client.Json(parsed))
            {
                Output.Json(demands);
            }
            else
            {
                Output.Table(["batch", "leaf", " position", "state", "answer by", "demanded by"],
                    demands.Select(demand => (string[])
                    [
                        demand.BatchId, Kinds[demand.Kind - 1], demand.Position.ToString(CultureInfo.InvariantCulture), demand.State,
                        DateTimeOffset.FromUnixTimeSeconds((long)demand.AnswerBySeconds).ToString("u", CultureInfo.InvariantCulture),
                        demand.Demander,
                    ]));
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static Command Create(
        string verb, string description, string path,
        Func<AuditorSession, BatchInfo, DemandWish, CallOffer, CancellationToken, Task<(string, ContractCall)[]>> take)
    {
        Argument<string> named = AuditorSession.BatchArgument();
        var kind = new Option<string>("--kind")
        {
            Description =
                "Which leaf: member or class of an epoch, premium, request, sale-by-class or sale-by-request of a round, slot of a "
                + "delivery.", HelpName = "KIND", Required = true,
        };
        kind.AcceptOnlyFromAmong(Kinds);
        var position = new Option<ulong>("--position") { Description = "Its position, from 0.", HelpName = "N", Required = true };
        Option<string?> key = AuditorSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command(verb, description) { named, kind, position, key });
        command.SetAction(async (parsed, cancellation) =>
        {
            using AuditorSession session = await AuditorSession.OpenAsync(parsed, client, key, cancellation);
            BatchInfo batch = await session.FindAsync(parsed.GetValue(named)!, cancellation);
            DemandWish wish = new()
            {
                Account = session.Address, BatchId = batch.Id, Kind = (byte)(Array.IndexOf(Kinds, parsed.GetValue(kind)) + 1),
                Position = parsed.GetValue(position),
            };
            DemandInfo? stood = await FindAsync(session, wish, cancellation);
            CallOffer offer = await session.Market.PostAsync<CallOffer>(path, wish, cancellation);
            await session.Market.SendAsync(session.Account, await take(session, batch, wish, offer, cancellation), cancellation);
            DemandInfo stands = await AuditorSession.SeenAsync(
                "the transaction",
                async late => await FindAsync(session, wish, late) is { } now && now != stood ? now : null, cancellation);
            BatchInfo now = await session.ReadAsync(batch.Id, cancellation);
            if (client.Json(parsed))
            {
                Output.Json(new { Demand = stands, Batch = now });
            }
            else
            {
                Output.Facts(
                    ("batch", $"{now.Kind} {now.Id}"), ("status", now.Fault is { } fault ? $"{now.Status}: {fault}" : now.Status),
                    ("leaf", $"{Kinds[stands.Kind - 1]} {stands.Position.ToString(CultureInfo.InvariantCulture)}"),
                    ("demand", stands.State),
                    ("deposit", $"{offer.DepositUnits} token units"),
                    ("answer by",
                        DateTimeOffset.FromUnixTimeSeconds((long)stands.AnswerBySeconds).ToString("u", CultureInfo.InvariantCulture)));
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static async Task<(string, ContractCall)[]> DemandAsync(
        AuditorSession session, BatchInfo batch, DemandWish wish, CallOffer offer, CancellationToken cancellationToken)
    {
        // What is missing of the deposit is computed here, so that no call can take more.
        LedgerTermsInfo terms = await session.Market.GetAsync<LedgerTermsInfo>("api/v1/ledger/terms", cancellationToken);
        AccountInfo account = await session.HoldingsAsync(cancellationToken);
        BigInteger missing = BigInteger.Parse(terms.DemandDepositUnits, CultureInfo.InvariantCulture)
            - BigInteger.Parse(account.Free, CultureInfo.InvariantCulture);
        ContractCall[] paying = missing <= 0 ? []
            : [session.Token.Approve(session.Payments.Address, missing), session.Payments.Deposit(session.Account.Address, missing)];
        AuditorSession.Compare([.. offer.Calls.SkipLast(1)], paying);
        if (offer.Calls.Length == 0)
        {
            throw AuditorSession.Differs();
        }

        ContractCall demand = session.Take(offer.Calls[^1], batch.Kind, function => function == "demandLeaf", Leaf(wish));
        return [.. paying.Append(demand).Select((call, i) => (offer.Calls[i].What, call))];
    }

    private static (string, ContractCall)[] End(AuditorSession session, BatchInfo batch, DemandWish wish, CallOffer offer)
    {
        if (offer.Calls is not [var only])
        {
            throw new CommandException(
                ExitCode.Failure, $"the server answers with {offer.Calls.Length} calls, expected one: nothing was signed");
        }

        return [(only.What, session.Take(only, batch.Kind, function => function is "voidUnanswered" or "reclaimDemand", Leaf(wish)))];
    }

    // The last two arguments of every call about a demand, as the ABI writes them.
    private static byte[] Leaf(DemandWish wish)
    {
        byte[] words = new byte[2 * Word];
        words[Word - 1] = wish.Kind;
        BinaryPrimitives.WriteUInt64BigEndian(words.AsSpan(^sizeof(ulong)), wish.Position);
        return words;
    }

    private static Task<IReadOnlyList<DemandInfo>> ListAsync(AuditorSession session, CancellationToken cancellationToken) =>
        session.Market.ListAsync<DemandInfo>("api/v1/ledger/demands?limit=1000", cancellationToken);

    private static async Task<DemandInfo?> FindAsync(AuditorSession session, DemandWish wish, CancellationToken cancellationToken) =>
        (await ListAsync(session, cancellationToken)).FirstOrDefault(
            demand => demand.BatchId == wish.BatchId && demand.Kind == wish.Kind && demand.Position == wish.Position);
}
