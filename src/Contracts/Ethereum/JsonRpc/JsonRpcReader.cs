using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace EmrMarket.Contracts.Ethereum.JsonRpc;

/// <summary>Reads results and holds them against the question: an answer about something else, or one that contradicts itself, is no
/// answer.</summary>
/// <remarks>Throws FormatException or InvalidOperationException; the connection makes them
/// <see cref="MalformedAnswerException"/>.</remarks>
internal static class JsonRpcReader
{
    public static BigInteger Quantity(JsonElement element) => Hex.ParseQuantity(Text(element));

    public static ulong Unsigned(JsonElement element)
    {
        ReadOnlySpan<byte> digits = Digits(element);
        if (digits.Length is > 0 and <= 16 && Utf8Parser.TryParse(digits, out ulong small, out int read, 'x') && read == digits.Length)
        {
            return small;
        }

        BigInteger value = Quantity(element);
        return value <= ulong.MaxValue ? (ulong)value : throw new FormatException("a number is above 2^64 - 1");
    }

    public static byte[] Data(JsonElement element)
    {
        ReadOnlySpan<byte> digits = Digits(element);
        byte[] bytes = new byte[digits.Length / 2];
        return IsRead(digits, bytes) ? bytes : Hex.Decode(Text(element));
    }

    public static Bytes32 Word(JsonElement element)
    {
        Span<byte> bytes = stackalloc byte[Bytes32.Length];
        return IsRead(Digits(element), bytes) ? new Bytes32(bytes) : Bytes32.Parse(Text(element));
    }

    public static BlockHeader? Block(JsonElement element, BlockReference asked)
    {
        if (element.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        BlockHeader header = new(
            Unsigned(Field(element, "number")),
            Word(Field(element, "hash")),
            Word(Field(element, "parentHash")),
            Unsigned(Field(element, "timestamp")),
            Unsigned(Field(element, "gasLimit")),
            Optional(element, "baseFeePerGas") is { } fee ? Quantity(fee) : null);
        bool isOther = asked == BlockReference.At(asked.Number) && header.Number != asked.Number;
        return isOther ? throw new FormatException($"asked was block {asked.Number}, answered block {header.Number}") : header;
    }

    public static IReadOnlyList<TransactionReceipt>? BlockReceipts(JsonElement element, ulong asked)
    {
        if (element.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        List<TransactionReceipt> receipts = new(element.GetArrayLength());
        LogBloom bloom = new();
        foreach (JsonElement item in element.EnumerateArray())
        {
            TransactionReceipt receipt = Receipt(item, Word(Field(item, "transactionHash")), bloom)
                ?? throw new FormatException("a receipt of a block names no block");
            if (receipt.BlockNumber != asked || receipt.TransactionIndex != (ulong)receipts.Count
                || (receipts.Count > 0 && receipt.BlockHash != receipts[0].BlockHash))
            {
                throw new FormatException(
                    $"asked were the receipts of block {asked} in their order, answered was one of another block or place");
            }

            receipts.Add(receipt);
        }

        return receipts;
    }

    public static TransactionReceipt? Receipt(JsonElement element, Bytes32 asked) => Receipt(element, asked, new LogBloom());

    private static TransactionReceipt? Receipt(JsonElement element, Bytes32 asked, LogBloom bloom)
    {
        // A node that has the transaction in its pool may answer with a receipt that names no block.
        if (element.ValueKind == JsonValueKind.Null || Optional(element, "blockHash") is null)
        {
            return null;
        }

        Bytes32 hash = Word(Field(element, "transactionHash"));
        Bytes32 blockHash = Word(Field(element, "blockHash"));
        ulong blockNumber = Unsigned(Field(element, "blockNumber"));
        ulong index = Unsigned(Field(element, "transactionIndex"));
        ulong status = Unsigned(Field(element, "status"));
        Address? to = Optional(element, "to") is { } receiver ? ReadAddress(receiver) : null;
        Address? created = Optional(element, "contractAddress") is { } contract ? ReadAddress(contract) : null;
        if (hash != asked)
        {
            throw new FormatException($"asked was the receipt of {asked}, answered that of {hash}");
        }

        if (status > 1 || (to is null) != (created is not null))
        {
            throw new FormatException(
                string.Create(CultureInfo.InvariantCulture,
                    $"the receipt of {hash} contradicts itself: status {status}, receiver {to}, contract {created}"));
        }

        List<LogEntry> logs = [];
        bloom.Clear();
        foreach (JsonElement item in Field(element, "logs").EnumerateArray())
        {
            LogEntry log = Log(item);
            if (log.TransactionHash != hash || log.BlockHash != blockHash || log.BlockNumber != blockNumber || log.TransactionIndex != index
                || (logs.Count > 0 && log.LogIndex != logs[^1].LogIndex + 1))
            {
                throw new FormatException($"the receipt of {hash} holds a log of another transaction or block, or leaves one out");
            }

            logs.Add(log);
            bloom.Add(log);
        }

        if ((status == 0 && logs.Count > 0) || !bloom.Matches(Data(Field(element, "logsBloom"))))
        {
            throw new FormatException($"the logs of the receipt of {hash} do not match its status or its bloom filter");
        }

        return new TransactionReceipt(
            hash, index, blockNumber, blockHash, ReadAddress(Field(element, "from")), to, created, status == 1,
            Unsigned(Field(element, "gasUsed")), logs);
    }

    public static IReadOnlyList<LogEntry> Logs(JsonElement element, LogFilter asked)
    {
        List<LogEntry> logs = new(element.GetArrayLength());
        HashSet<Address> addresses = [.. asked.Addresses];
        HashSet<Bytes32> topics = [.. asked.EventTopics];
        foreach (JsonElement item in element.EnumerateArray())
        {
            LogEntry log = Log(item);
            if (log.BlockNumber < asked.FromBlock || log.BlockNumber > asked.ToBlock
                || (addresses.Count > 0 && !addresses.Contains(log.Address))
                || (topics.Count > 0 && (log.Topics.Count == 0 || !topics.Contains(log.Topics[0]))))
            {
                throw new FormatException($"a log of block {log.BlockNumber} and contract {log.Address} was not asked for");
            }

            if (logs.Count > 0 && (log.BlockNumber < logs[^1].BlockNumber
                || (log.BlockNumber == logs[^1].BlockNumber && (log.LogIndex <= logs[^1].LogIndex || log.BlockHash != logs[^1].BlockHash))))
            {
                throw new FormatException($"the logs of block {log.BlockNumber} are out of order, or of two blocks of that number");
            }

            logs.Add(log);
        }

        return logs;
    }

    private static LogEntry Log(JsonElement element)
    {
        if (Optional(element, "removed") is { ValueKind: JsonValueKind.True })
        {
            throw new FormatException("a log is marked as removed by a reorganisation");
        }

        JsonElement list = Field(element, "topics");
        int count = list.GetArrayLength();
        if (count > 4)
        {
            throw new FormatException($"a log has at most 4 topics, got {count}");
        }

        Bytes32[] topics = new Bytes32[count];
        for (int i = 0; i < count; i++)
        {
            topics[i] = Word(list[i]);
        }

        return new LogEntry(
            ReadAddress(Field(element, "address")),
            topics,
            Data(Field(element, "data")),
            Unsigned(Field(element, "blockNumber")),
            Word(Field(element, "blockHash")),
            Word(Field(element, "transactionHash")),
            Unsigned(Field(element, "transactionIndex")),
            Unsigned(Field(element, "logIndex")));
    }

    private static JsonElement Field(JsonElement element, string name) =>
        Optional(element, name) ?? throw new FormatException($"the field {name} is missing");

    private static JsonElement? Optional(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement field) && field.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined)
            ? field : null;

    private static string Text(JsonElement element) =>
        element.ValueKind == JsonValueKind.String
            ? element.GetString()! : throw new FormatException($"expected text, got {element.ValueKind}");

    // Nodes write addresses in one case or with a checksum; a digit's case says nothing about a node's answer, a damaged mixed case does.
    private static Address ReadAddress(JsonElement element)
    {
        Span<byte> bytes = stackalloc byte[Address.Length];
        ReadOnlySpan<byte> digits = Digits(element);
        return IsRead(digits, bytes) && !digits.ContainsAnyInRange((byte)'A', (byte)'F')
            ? new Address(bytes) : Address.Parse(Text(element));
    }

    /// <summary>What follows 0x, without a copy; empty where there is none, or where the text is written in a way that takes a copy to
    /// read.</summary>
    private static ReadOnlySpan<byte> Digits(JsonElement element)
    {
        ReadOnlySpan<byte> raw = element.ValueKind == JsonValueKind.String ? JsonMarshal.GetRawUtf8Value(element)[1..^1] : [];
        return raw.StartsWith("0x"u8) ? raw[2..] : [];
    }

    // An escape is no digit, so what this refuses is left to the reading of the text, which also says what is wrong.
    private static bool IsRead(ReadOnlySpan<byte> digits, Span<byte> bytes) =>
        digits.Length > 0 && digits.Length == bytes.Length * 2
            && Convert.FromHexString(digits, bytes, out _, out _) == OperationStatus.Done;
}
