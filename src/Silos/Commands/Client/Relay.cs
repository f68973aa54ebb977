using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>Signs calls of the ledger here and hands them to the server, which relays them. The key stays on this machine.</summary>
internal static class Relay
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestBlock = TimeSpan.FromMinutes(2);
    private static readonly BigInteger Tip = 1_000_000_000;

    /// <summary>Signs calls, sends them in order, and waits until all are in blocks.</summary>
    /// <param name="market">The connection.</param>
    /// <param name="account">Who signs.</param>
    /// <param name="calls">What each is, for people, and the call.</param>
    /// <param name="cancellationToken">Ends the wait; what was sent stays sent.</param>
    /// <exception cref="CommandException">The chain refuses one, or does not take it into a block in time.</exception>
    public static async Task<IReadOnlyList<ReceiptInfo>> SendAsync(
        this MarketClient market, EthereumAccount account, IReadOnlyList<(string What, ContractCall Call)> calls,
        CancellationToken cancellationToken)
    {
        AccountInfo state = await market.GetAsync<AccountInfo>(
            "api/v1/ledger/accounts/" + account.Address.ToString().ToLowerInvariant(), cancellationToken);

        // Room for the base fee to double before the transaction is taken (EIP-1559).
        GasPrice price = new GasPrice.Dynamic(Tip, (2 * BigInteger.Parse(state.BaseFeePerGas, CultureInfo.InvariantCulture)) + Tip);
        List<(string What, string Hash)> sent = [];
        for (int i = 0; i < calls.Count; i++)
        {
            SignedTransaction signed = new Transaction(
                state.ChainId, state.Nonce + (ulong)i, price, state.Gas, calls[i].Call.To, 0, calls[i].Call.Data).Sign(account);
            await market.PostAsync<object>("api/v1/ledger/transactions", new { raw = Hex.Encode(signed.Raw.Span) }, cancellationToken);
            sent.Add((calls[i].What, Hashes.Text(signed.Hash)));
        }

        List<ReceiptInfo> receipts = [];
        foreach ((string what, string hash) in sent)
        {
            ReceiptInfo receipt = await ReceiptAsync(market, what, hash, cancellationToken);
            receipts.Add(receipt.Succeeded ? receipt : throw new CommandException(
                ExitCode.Failure,
                $"the contract refuses to {what} (transaction {hash}): the account may lack tokens, or the ledger may have moved on "
                    + "meanwhile; nothing else changed"));
        }

        return receipts;
    }

    private static async Task<ReceiptInfo> ReceiptAsync(MarketClient market, string what, string hash, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(LongestBlock);
        try
        {
            while (true)
            {
                if (await market.FindAsync<ReceiptInfo>("api/v1/ledger/transactions/" + hash, late.Token) is { } receipt)
                {
                    return receipt;
                }

                await Task.Delay(Pause, late.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.NotReady,
                $"the transaction to {what} ({hash}) is in no block yet: it was sent, and the same command goes on from it", e);
        }
    }
}
