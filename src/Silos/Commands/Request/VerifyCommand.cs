using System.CommandLine;
using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Commands.Trace;

namespace EmrMarket.Silos.Commands.Request;

/// <summary><c>emr request verify</c>: an auditor's full replay of a request.</summary>
internal static class VerifyCommand
{
    private const string Description =
        """
        Replays a request as an auditor: from the chain's own log and the files that its hashes name, the match is verified, the drawing repeated, every leaf and report of every delivery held
        against it, every payout compared, and the statistics computed again. Nothing that the market's database says is believed: its results are only compared at the end.

        Examples:
          emr request verify 3                                   the embedded chain, and the server of this machine for files
          emr request verify 3 --as audit-desk --files mirror    keeps the files in a mirror
          emr request verify 3 --offline --files mirror --terms terms.json --results results.json --chain https://node.example --deployment consortium.json

        Exit codes: 0 everything is as it must be, 1 a fault (it is named) or a missing file, 2 wrong command or input, 75 not ready: the request's round or deliveries are not final yet.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var id = new Argument<ulong>("ID") { Description = "The request's number on the ledger." };
        var terms = new Option<string?>("--terms")
        {
            Description = "The terms document; without it the server is asked, and its hash is checked either way.", HelpName = "FILE",
        };
        var results = new Option<string?>("--results")
        {
            Description = "The results that are claimed; without it the server's, if it has any.", HelpName = "FILE",
        };
        ClientOptions client = new();
        AuditOptions audit = new();
        Command command = client.AddTo(audit.AddTo(new Command("verify", Description) { id, terms, results }));
        command.SetAction(async (parsed, cancellation) =>
        {
            ulong number = parsed.GetValue(id);
            using MarketClient? market = audit.Connect(parsed, client);
            await using AuditedLedger ledger = await audit.OpenAsync(parsed, market, cancellation);
            RequestRow request = ledger.Market.View.Request(number) ?? throw new CommandException(
                ExitCode.Usage,
                $"the ledger has no request {number}: its requests are numbered from 1 to {ledger.Market.View.Requests().Count}");
            if (Unfinished(ledger.Market.View, request) is { } waits)
            {
                throw new CommandException(ExitCode.NotReady, $"request {number} cannot be replayed yet: {waits}");
            }

            string document = await TermsAsync(parsed.GetValue(terms), request, market, cancellation);
            string? claimed = await ResultsAsync(parsed.GetValue(results), number, market, cancellation);
            await ledger.FetchRequestAsync(request, cancellation);
            string? fault = ledger.Missing.Count > 0
                ? $"{ledger.Missing.Count} files that the ledger names are missing; the first is {ledger.Missing[0]}"
                : await RequestReplay.FindFaultAsync(ledger.Market, number, document, claimed);
            Report(ledger, request, fault, claimed is not null, client.Json(parsed));
            return fault is null ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }

    private static void Report(AuditedLedger ledger, RequestRow request, string? fault, bool compared, bool json)
    {
        ILedgerView view = ledger.Market.View;
        DeliveryRow[] deliveries = [
            .. view.Deliveries(request.RequestId).Where(delivery => delivery.Status == BatchStatus.Final && delivery.Header.Count > 0)];
        EscrowRow escrow = view.Escrow(request.RequestId)!;
        BigInteger fees = deliveries.Sum(delivery => (long)delivery.Claimed) * (BigInteger)view.Deployment.Terms.RelayFeeUnits;
        if (json)
        {
            Output.Json(new
            {
                request.RequestId,
                Verified = fault is null,
                Fault = fault,
                ledger.Market.ChainId,
                Block = view.FollowedTo,
                Records = deliveries.Sum(delivery => (long)delivery.Header.Count),
                Claims = deliveries.Sum(delivery => (long)delivery.Claimed),
                Funded = escrow.Funded.ToString(CultureInfo.InvariantCulture),
                PaidToPatients = escrow.Claimed.ToString(CultureInfo.InvariantCulture),
                RelayFees = fees.ToString(CultureInfo.InvariantCulture),
                Refunded = escrow.Refunded.ToString(CultureInfo.InvariantCulture),
                ComparedResults = compared,
                ledger.Files,
                ledger.Missing,
            });
            return;
        }

        Output.Facts(
            ("request", request.RequestId.ToString(CultureInfo.InvariantCulture)),
            ("rests on", ledger.Grounds()),
            ("deliveries",
                string.Create(CultureInfo.InvariantCulture,
                    $"{deliveries.Length} final, {deliveries.Sum(d => (long)d.Header.Count):N0} records, "
                        + $"{deliveries.Sum(d => (long)d.Claimed):N0} paid")),
            ("money",
                string.Create(CultureInfo.InvariantCulture,
                    $"{escrow.Funded:N0} token units funded, {escrow.Claimed:N0} paid to patients, {fees:N0} to who relayed it, "
                        + $"{escrow.Refunded:N0} given back")),
            ("results", compared ? "compared with those that were claimed" : "none were claimed, so none were compared"),
            ("verdict", fault is null ? "everything is as it must be" : "FAULT: " + fault));
    }

    // The ledger alone says whether there is anything left to wait for.
    private static string? Unfinished(ILedgerView view, RequestRow request) =>
        request.Cancelled ? "it was cancelled before its book was closed, so there is nothing to replay"
        : !view.Rounds(request.Terms.SchemaId).Any(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final)
        ? $"book {request.Book} has no final round yet"
        : view.Deliveries(request.RequestId).Any(delivery => delivery.Status == BatchStatus.Posted) ? "a delivery may still be challenged"
        : null;

    private static async Task<string> TermsAsync(
        string? file, RequestRow request, MarketClient? market, CancellationToken cancellationToken)
    {
        string? text = file is not null ? (await ReadAsync(file, "--terms", cancellationToken)).TrimEnd('\n', '\r')
            : market is null
            ? throw new CommandException(ExitCode.Usage, "--offline needs --terms: the document whose hash stands on the ledger")
            : await market.GetAsync<string>($"api/v1/ledger/requests/{request.RequestId}/terms", cancellationToken);
        return Keccak256.Hash(text) == request.Terms.TermsHash ? text : throw new CommandException(
            ExitCode.Failure,
            $"the terms of {file ?? market!.Server.ToString()} have hash {Hashes.Text(Keccak256.Hash(text))}, and the ledger says "
                + $"{Hashes.Text(request.Terms.TermsHash)}: they are another document");
    }

    private static async Task<string?> ResultsAsync(
        string? file, ulong number, MarketClient? market, CancellationToken cancellationToken) => file is not null
        ? (await ReadAsync(file, "--results", cancellationToken)).TrimEnd('\n', '\r')
        : market is null ? null
        : await market.FindAsync<string>($"api/v1/ledger/requests/{number}/results", cancellationToken);

    private static async Task<string> ReadAsync(string file, string option, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllTextAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"{option}: {file} cannot be read: {e.Message}", e);
        }
    }
}
