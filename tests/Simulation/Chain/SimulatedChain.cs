using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Simulation.Chain;

/// <summary>
/// A chain in memory with one contract: it logs a finding per accepted call, refuses calls of kind <see cref="RefusedKind"/>, and a call of kind <see cref="DependentKind"/> unless a finding of
/// its hash with bit 0 flipped was logged. So what a command did is seen, and how often. It has a pool, nonces, base fees, gas limits and reorganisations; nothing else of the EVM.
/// </summary>
internal sealed class SimulatedChain : IEthereumClient
{
    public const byte AcceptedKind = 1;
    public const byte RefusedKind = 2;
    public const byte DependentKind = 3;
    public const ulong ChainId = 31337;
    public const ulong GasOfCall = 50_000;
    private const ulong BlockGasLimit = 30_000_000;
    private const ulong SecondsPerBlock = 2;
    private const ulong FirstSecond = 1_800_000_000;

    // Recovering a sender costs more than all the rest; the same transactions come in many runs.
    private static readonly ConcurrentDictionary<Bytes32, Address> Senders = new();

    private readonly List<Block> _blocks = [];
    private readonly Dictionary<(Address Sender, ulong Nonce), Pooled> _pool = [];
    private int _fork;

    public SimulatedChain() => _blocks.Add(NewBlock([]));

    public static Address Contract { get; } = Address.Parse("0x00000000000000000000000000000000000e7a1e");

    public BigInteger BaseFee { get; set; } = 1_000;

    public ulong Head => (ulong)_blocks.Count - 1;

    public int PoolSize => _pool.Count;

    /// <summary>Called with every transaction that is offered.</summary>
    public Action<SignedTransaction> Offered { get; set; } = _ => { };

    /// <summary>The call that records a finding.</summary>
    public static byte[] Call(byte kind, Bytes32 hash) => new DataEvaluation(null!, Contract).RecordFinding(1, kind, hash).Data.ToArray();

    /// <summary>How often a finding of this hash stands in the chain.</summary>
    public int Count(Bytes32 hash) => _blocks.Sum(block => block.Logs.Count(log => log.Data.Span[32..].SequenceEqual(hash.ToArray())));

    /// <summary>Puts what can be executed into the next block.</summary>
    public void Mine()
    {
        List<Pooled> included = [];
        ulong gas = 0;
        bool isFull = false;
        while (!isFull)
        {
            isFull = true;
            foreach (Pooled next in _pool.Values.OrderBy(pooled => pooled.Hash).ToList())
            {
                ulong nonce = NonceOf(next.Sender) + (ulong)included.Count(pooled => pooled.Sender == next.Sender);
                if (next.Nonce == nonce && next.MaxFee >= BaseFee && gas + next.Gas <= BlockGasLimit)
                {
                    included.Add(next);
                    _pool.Remove((next.Sender, next.Nonce));
                    gas += next.Gas;
                    isFull = false;
                }
            }
        }

        _blocks.Add(NewBlock(included));
    }

    /// <summary>Replaces the last blocks by as many and one more, empty ones.</summary>
    /// <param name="depth">How many.</param>
    /// <param name="backToPool">Whether their transactions return to the pool, as in most nodes, or are lost, as in some.</param>
    public void Reorganise(int depth, bool backToPool)
    {
        int cut = Math.Max(1, _blocks.Count - depth);
        List<Pooled> lost = [.. _blocks.Skip(cut).SelectMany(block => block.Included)];
        int replaced = _blocks.Count - cut;
        _blocks.RemoveRange(cut, replaced);
        _fork++;
        foreach (Pooled pooled in backToPool ? lost : [])
        {
            _pool.TryAdd((pooled.Sender, pooled.Nonce), pooled);
        }

        for (int i = 0; i <= replaced; i++)
        {
            _blocks.Add(NewBlock([]));
        }
    }

    /// <summary>Forgets what waits, as a node does that is started again.</summary>
    public void DropPool() => _pool.Clear();

    public Task<ulong> GetChainIdAsync(CancellationToken cancellationToken) => Task.FromResult(ChainId);

    public Task<BlockHeader?> GetBlockAsync(BlockReference block, CancellationToken cancellationToken) => Task.FromResult(
        block == BlockReference.Latest || block == BlockReference.Pending ? _blocks[^1].Header : block.Number <= Head ? _blocks[(int)block.Number].Header : null);

    public Task<byte[]> CallAsync(ContractCall call, BlockReference block, CancellationToken cancellationToken) =>
        Accepts(call.Data.Span, []) ? Task.FromResult<byte[]>([]) : Task.FromException<byte[]>(Refusal());

    public Task<ulong> EstimateGasAsync(ContractCall call, CancellationToken cancellationToken) =>
        Accepts(call.Data.Span, []) ? Task.FromResult(GasOfCall) : Task.FromException<ulong>(Refusal());

    public Task<ulong> GetNonceAsync(Address account, BlockReference block, CancellationToken cancellationToken)
    {
        bool isNumbered = block != BlockReference.Latest && block != BlockReference.Pending;
        ulong nonce = NonceOf(account, isNumbered ? (int)Math.Min(block.Number, Head) + 1 : _blocks.Count);
        while (block == BlockReference.Pending && _pool.ContainsKey((account, nonce)))
        {
            nonce++;
        }

        return Task.FromResult(nonce);
    }

    public Task<BigInteger> GetBalanceAsync(Address account, BlockReference block, CancellationToken cancellationToken) => Task.FromResult(BigInteger.Pow(10, 24));

    public Task<byte[]> GetCodeAsync(Address account, BlockReference block, CancellationToken cancellationToken) => Task.FromResult<byte[]>(account == Contract ? [1] : []);

    public Task<GasPrice> GetGasPriceAsync(CancellationToken cancellationToken) => Task.FromResult<GasPrice>(new GasPrice.Dynamic(1, (BaseFee * 2) + 1));

    public Task<IReadOnlyList<SendOutcome>> SendRawAsync(IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<SendOutcome>>([.. transactions.Select(Take)]);

    public Task<IReadOnlyList<TransactionReceipt?>> GetReceiptsAsync(IReadOnlyList<Bytes32> transactionHashes, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<TransactionReceipt?>>([.. transactionHashes.Select(hash =>
            _blocks.SelectMany(block => block.Receipts).FirstOrDefault(receipt => receipt.TransactionHash == hash))]);

    public Task<IReadOnlyList<TransactionReceipt>?> GetBlockReceiptsAsync(ulong blockNumber, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<TransactionReceipt>?>(blockNumber <= Head ? _blocks[(int)blockNumber].Receipts : null);

    public Task<IReadOnlyList<LogEntry>> GetLogsAsync(LogFilter filter, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<LogEntry>>(
        [.. _blocks.Where(block => block.Header.Number >= filter.FromBlock && block.Header.Number <= filter.ToBlock).SelectMany(block => block.Logs)]);

    private static ContractRevertException Refusal() => ContractErrors.FromData(Keccak256.Hash("UnknownSite(uint32)").ToArray().AsMemory(0, 4).ToArray().Concat(new byte[32]).ToArray());

    private SendOutcome Take(SignedTransaction transaction)
    {
        Offered(transaction);
        Pooled pooled = Decode(transaction);
        if (pooled.Nonce < NonceOf(pooled.Sender))
        {
            return new SendOutcome(SendStatus.NonceTooLow);
        }

        if (pooled.MaxFee < BaseFee)
        {
            return new SendOutcome(SendStatus.Refused, new Contracts.Ethereum.JsonRpc.NodeErrorException("eth_sendRawTransaction", -32000, "max fee per gas less than block base fee"));
        }

        if (_pool.TryGetValue((pooled.Sender, pooled.Nonce), out Pooled? standing))
        {
            if (standing.Hash == pooled.Hash)
            {
                return new SendOutcome(SendStatus.AlreadyKnown);
            }

            if (pooled.MaxFee * 10 < standing.MaxFee * 11)
            {
                return new SendOutcome(SendStatus.Refused, new Contracts.Ethereum.JsonRpc.NodeErrorException("eth_sendRawTransaction", -32000, "replacement transaction underpriced"));
            }
        }

        _pool[(pooled.Sender, pooled.Nonce)] = pooled;
        return new SendOutcome(SendStatus.Accepted);
    }

    private ulong NonceOf(Address account, int blocks = int.MaxValue) =>
        (ulong)_blocks.Take(blocks).Sum(block => block.Included.Count(pooled => pooled.Sender == account));

    private bool Accepts(ReadOnlySpan<byte> data, List<LogEntry> sameBlock)
    {
        byte kind = data[4 + 63];
        byte[] wanted = data[(4 + 64)..].ToArray();
        wanted[31] ^= 1;
        return kind == AcceptedKind
            || (kind == DependentKind && _blocks.SelectMany(block => block.Logs).Concat(sameBlock).Any(log => log.Data.Span[32..].SequenceEqual(wanted)));
    }

    private Block NewBlock(List<Pooled> included)
    {
        ulong number = (ulong)_blocks.Count;
        byte[] content = [.. BitConverter.GetBytes(number), .. BitConverter.GetBytes(_fork), .. included.SelectMany(pooled => pooled.Hash.ToArray())];
        Bytes32 parent = number == 0 ? Bytes32.Zero : _blocks[^1].Header.Hash;
        BlockHeader header = new(number, Keccak256.Hash([.. parent.ToArray(), .. content]), parent, FirstSecond + (number * SecondsPerBlock), BlockGasLimit, BaseFee);
        List<TransactionReceipt> receipts = [];
        List<LogEntry> logs = [];
        int findings = _blocks.Sum(block => block.Logs.Count);
        foreach (Pooled pooled in included)
        {
            bool isAccepted = pooled.Gas >= GasOfCall && Accepts(pooled.Data, logs);
            List<LogEntry> own = [];
            if (isAccepted)
            {
                own.Add(new LogEntry(
                    Contract, [FindingRecordedEvent.Topic, Word(1), Word((ulong)findings++), AddressWord(pooled.Sender)], pooled.Data.AsMemory(4 + 32, 64), number, header.Hash, pooled.Hash,
                    (ulong)receipts.Count, (ulong)logs.Count));
                logs.AddRange(own);
            }

            receipts.Add(new TransactionReceipt(
                pooled.Hash, (ulong)receipts.Count, number, header.Hash, pooled.Sender, Contract, null, isAccepted, Math.Min(pooled.Gas, GasOfCall), own));
        }

        return new Block(header, included, receipts, logs);
    }

    private static Bytes32 Word(ulong value)
    {
        byte[] word = new byte[32];
        BinaryPrimitives.WriteUInt64BigEndian(word.AsSpan(24), value);
        return new Bytes32(word);
    }

    private static Bytes32 AddressWord(Address address) => new([.. new byte[12], .. address.ToArray()]);

    /// <summary>Reads a transaction of type 2 (EIP-1559), and its sender out of the signature.</summary>
    private static Pooled Decode(SignedTransaction transaction)
    {
        byte[] raw = transaction.Raw.ToArray();
        List<(int Start, byte[] Value)> fields = Fields(raw.AsSpan(1));
        if (!Senders.TryGetValue(transaction.Hash, out Address sender))
        {
            byte[] unsigned = raw.AsSpan(fields[0].Start + 1, fields[9].Start - fields[0].Start).ToArray();
            byte[] prefix = unsigned.Length <= 55 ? [(byte)(0xc0 + unsigned.Length)]
                : unsigned.Length <= 255 ? [0xf8, (byte)unsigned.Length] : [0xf9, (byte)(unsigned.Length >> 8), (byte)unsigned.Length];
            Bytes32 hash = Keccak256.Hash([2, .. prefix, .. unsigned]);
            Signature signature = new(Padded(fields[10].Value), Padded(fields[11].Value), fields[9].Value is [1] ? (byte)1 : (byte)0);
            sender = EthereumAccount.Recover(hash, signature);
            Senders.TryAdd(transaction.Hash, sender);
        }

        return new Pooled(sender, (ulong)Number(fields[1].Value), transaction.Hash, Number(fields[3].Value), (ulong)Number(fields[4].Value), fields[7].Value);

        static BigInteger Number(byte[] bytes) => new(bytes, isUnsigned: true, isBigEndian: true);
        static Bytes32 Padded(byte[] bytes) => new([.. new byte[32 - bytes.Length], .. bytes]);
    }

    /// <summary>The items of an RLP list, each with where it starts.</summary>
    private static List<(int Start, byte[] Value)> Fields(ReadOnlySpan<byte> list)
    {
        int at = list[0] <= 0xf7 ? 1 : 1 + list[0] - 0xf7;
        List<(int, byte[])> fields = [];
        while (at < list.Length)
        {
            int start = at;
            byte first = list[at++];
            int length = first < 0x80 ? 1 : first <= 0xb7 ? first - 0x80 : first >= 0xc0 ? first - 0xc0 : 0;
            if (first < 0x80)
            {
                at--;
            }
            else if (first is > 0xb7 and < 0xc0)
            {
                for (int i = 0; i < first - 0xb7; i++)
                {
                    length = (length << 8) | list[at++];
                }
            }

            fields.Add((start, list.Slice(at, length).ToArray()));
            at += length;
        }

        return fields;
    }

    private sealed record Pooled(Address Sender, ulong Nonce, Bytes32 Hash, BigInteger MaxFee, ulong Gas, byte[] Data);

    private sealed record Block(BlockHeader Header, List<Pooled> Included, List<TransactionReceipt> Receipts, List<LogEntry> Logs);
}
