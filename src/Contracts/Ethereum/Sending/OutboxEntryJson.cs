using System.Numerics;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Ethereum.Sending;

/// <summary>The stored form of outbox entries: a JSON array, numbers and bytes in hexadecimal digits.</summary>
public static class OutboxEntryJson
{
    /// <summary>UTF-8 on one line.</summary>
    public static byte[] Write(IEnumerable<OutboxEntry> entries) => JsonSerializer.SerializeToUtf8Bytes(entries.Select(Line.Of));

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static IReadOnlyList<OutboxEntry> Read(ReadOnlySpan<byte> utf8) =>
        [.. (JsonSerializer.Deserialize<Line[]>(utf8) ?? []).Select(line => line.ToEntry())];

    private sealed record Line(
        string Id, ulong ChainId, ulong Nonce, string? MaxPriorityFee, string MaxFee, ulong Gas, string? To, string Value, string Data,
        string Hash, string Raw, string[] Replaced, Outcome? Outcome)
    {
        public static Line Of(OutboxEntry entry)
        {
            Transaction transaction = entry.Transaction;
            (BigInteger? tip, BigInteger fee) = transaction.GasPrice switch
            {
                GasPrice.Dynamic dynamic => (dynamic.MaxPriorityFeePerGas, dynamic.MaxFeePerGas),
                GasPrice.Fixed one => ((BigInteger?)null, one.WeiPerGas),
                _ => throw new ArgumentException("unknown gas price", nameof(entry)),
            };
            return new Line(
                entry.Id, transaction.ChainId, transaction.Nonce, tip is { } known ? Hex.Quantity(known) : null, Hex.Quantity(fee),
                transaction.GasLimit, transaction.To?.ToString(), Hex.Quantity(transaction.Value), Hex.Encode(transaction.Data.Span),
                entry.Hash.ToString(), Hex.Encode(entry.Raw.Span),
                [.. entry.ReplacedHashes.Select(hash => hash.ToString())],
                entry.Outcome is { } outcome
                    ? new Outcome(outcome.TransactionHash.ToString(), outcome.BlockNumber, outcome.BlockHash.ToString(), outcome.Succeeded,
                        outcome.GasUsed, outcome.ContractAddress?.ToString())
                    : null);
        }

        public OutboxEntry ToEntry()
        {
            BigInteger fee = Hex.ParseQuantity(MaxFee);
            GasPrice price = MaxPriorityFee is { } tip ? new GasPrice.Dynamic(Hex.ParseQuantity(tip), fee) : new GasPrice.Fixed(fee);
            Transaction transaction = new(
                ChainId, Nonce, price, Gas, To is { } to ? Address.Parse(to) : null, Hex.ParseQuantity(Value), Hex.Decode(Data));
            return new OutboxEntry(Id, transaction, Bytes32.Parse(Hash), Hex.Decode(Raw))
            {
                ReplacedHashes = [.. Replaced.Select(Bytes32.Parse)],
                Outcome = Outcome is { } known
                    ? new TransactionOutcome(
                        Id, Bytes32.Parse(known.Hash), known.Block, Bytes32.Parse(known.BlockHash), known.Succeeded, known.Gas,
                        known.Contract is { } contract ? Address.Parse(contract) : null)
                    : null,
            };
        }
    }

    private sealed record Outcome(string Hash, ulong Block, string BlockHash, bool Succeeded, ulong Gas, string? Contract);
}
