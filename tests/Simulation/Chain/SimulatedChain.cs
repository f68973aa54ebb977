using System.Collections.Concurrent;
using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Simulation.Chain;

/// <summary>A chain in memory: a pool, nonces, base fees, gas limits, time and reorganisations around contracts that are given; nothing
/// else of the EVM.</summary>
internal sealed class SimulatedChain : IEthereumClient
{
    public const ulong ChainId = 31337;
    public const ulong FirstSecond = 1_800_000_000;
    private const ulong BlockGasLimit = 30_000_000;
    private const ulong GasOfTransfer = 21_000;
    private const ulong SecondsPerBlock = 2;

    // Recovering a sender costs more than all the rest; the same transactions come in many runs.
    private static readonly ConcurrentDictionary<Bytes32, Address> Senders = new();

    private readonly List<Block> _blocks = [];
    private readonly Dictionary<(Address Sender, ulong Nonce), Pooled> _pool = [];
    private readonly Dictionary<Bytes32, TransactionReceipt> _receipts = [];
    private readonly Dictionary<Address, ulong> _nonces = [];
    private int _fork;
    private ulong _arrivals;
    private ulong _skipped;

    /// <summary>A chain whose first block holds contracts.</summary>
    public SimulatedChain(Func<SimulatedChain, IContracts> genesis) => _blocks.Add(NewBlock([], genesis(this)));

    public BigInteger BaseFee { get; set; } = 1_000;

    /// <summary>What every transaction takes beyond what was estimated, per hundred: others changed what it touches.</summary>
    public ulong DearerPercent { get; set; }

    public ulong Head => (ulong)_blocks.Count - 1;

    public ulong Now => _blocks[^1].Header.Timestamp;

    public int PoolSize => _pool.Count;

    /// <summary>The contracts after the newest block.</summary>
    public IContracts Contracts => _blocks[^1].Contracts;

    /// <summary>All that was ever put into a block that stands now.</summary>
    public IEnumerable<byte[]> Data => _blocks.SelectMany(block => block.Included).Select(pooled => pooled.Data);

    /// <summary>Called with every transaction that is offered.</summary>
    public Action<SignedTransaction> Offered { get; set; } = _ => { };

    /// <summary>The hash of a block; null when there is none.</summary>
    public Bytes32? HashOf(ulong number) => number < (ulong)_blocks.Count ? _blocks[(int)number].Header.Hash : null;

    /// <summary>Blocks since the last one with a transaction, while none waits.</summary>
    public int QuietBlocks => _pool.Count > 0 ? 0 : _blocks.Count - 1 - _blocks.FindLastIndex(block => block.Included.Count > 0);

    /// <summary>Lets the next block come later.</summary>
    public void Wait(ulong seconds) => _skipped += seconds;

    /// <summary>Puts a person's transaction into the pool; people's wallets are none of the simulation's concern.</summary>
    public void Send(Address sender, ContractCall call)
    {
        ulong nonce = NonceOf(sender);
        while (_pool.ContainsKey((sender, nonce)))
        {
            nonce++;
        }

        byte[] data = call.Data.ToArray();
        Bytes32 hash = Keccak256.Hash([.. sender.ToArray(), .. BitConverter.GetBytes(nonce), .. data]);
        _pool[(sender, nonce)] = new Pooled(
            sender, nonce, hash, BigInteger.Pow(10, 30), BlockGasLimit / 4, call.To!.Value, data, _arrivals++) { IsOfPerson = true };
    }

    /// <summary>Puts what can be executed into the next block.</summary>
    public void Mine()
    {
        List<Pooled> included = [];
        ulong gas = 0;
        bool isFull = false;
        while (!isFull)
        {
            isFull = true;
            foreach (Pooled next in _pool.Values.OrderBy(pooled => pooled.Arrival).ToList())
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

        Add(NewBlock(included, _blocks[^1].Contracts));
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
        foreach (Pooled pooled in lost)
        {
            _receipts.Remove(pooled.Hash);
            _nonces[pooled.Sender]--;
        }

        _fork++;
        foreach (Pooled pooled in lost.Where(pooled => backToPool || pooled.IsOfPerson))
        {
            _pool.TryAdd((pooled.Sender, pooled.Nonce), pooled);
        }

        for (int i = 0; i <= replaced; i++)
        {
            _blocks.Add(NewBlock([], _blocks[^1].Contracts));
        }
    }

    /// <summary>Forgets what waits, as a node does that is started again; people's wallets offer theirs again.</summary>
    public void DropPool()
    {
        foreach (((Address, ulong) key, Pooled pooled) in _pool.ToArray())
        {
            if (!pooled.IsOfPerson)
            {
                _pool.Remove(key);
            }
        }
    }

    public Task<ulong> GetChainIdAsync(CancellationToken cancellationToken) => Task.FromResult(ChainId);

    public Task<BlockHeader?> GetBlockAsync(BlockReference block, CancellationToken cancellationToken) => Task.FromResult(
        block == BlockReference.Latest || block == BlockReference.Pending ? _blocks[^1].Header : block.Number <= Head
            ? _blocks[(int)block.Number].Header : null);

    public Task<byte[]> CallAsync(ContractCall call, BlockReference block, CancellationToken cancellationToken) =>
        TryRun(call).Revert is { } revert ? Task.FromException<byte[]>(ContractErrors.FromData(revert)) : Task.FromResult<byte[]>([]);

    public Task<ulong> EstimateGasAsync(ContractCall call, CancellationToken cancellationToken)
    {
        Execution execution = TryRun(call);
        return execution.Revert is { } revert ? Task.FromException<ulong>(ContractErrors.FromData(revert)) : Task.FromResult(execution.Gas);
    }

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

    public Task<BigInteger> GetBalanceAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        Task.FromResult(BigInteger.Pow(10, 24));

    public Task<byte[]> GetCodeAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        Task.FromResult<byte[]>(Contracts.Has(account) ? [1] : []);

    public Task<GasPrice> GetGasPriceAsync(CancellationToken cancellationToken) =>
        Task.FromResult<GasPrice>(new GasPrice.Dynamic(1, (BaseFee * 2) + 1));

    public Task<IReadOnlyList<SendOutcome>> SendRawAsync(
        IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<SendOutcome>>([.. transactions.Select(transaction => Take(transaction, null))]);

    /// <summary>Takes transactions whose sender is known to be right: recovering it from each signature costs more than all the
    /// rest.</summary>
    public Task<IReadOnlyList<SendOutcome>> SendRawAsync(IReadOnlyList<SignedTransaction> transactions, Address sender) =>
        Task.FromResult<IReadOnlyList<SendOutcome>>([.. transactions.Select(transaction => Take(transaction, sender))]);

    public Task<IReadOnlyList<TransactionReceipt?>> GetReceiptsAsync(
        IReadOnlyList<Bytes32> transactionHashes, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<TransactionReceipt?>>([.. transactionHashes.Select(hash => _receipts.GetValueOrDefault(hash))]);

    public Task<IReadOnlyList<TransactionReceipt>?> GetBlockReceiptsAsync(ulong blockNumber, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<TransactionReceipt>?>(blockNumber <= Head ? _blocks[(int)blockNumber].Receipts : null);

    public Task<IReadOnlyList<LogEntry>> GetLogsAsync(LogFilter filter, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<LogEntry>>(
        [.. _blocks.Skip((int)filter.FromBlock).TakeWhile(block => block.Header.Number <= filter.ToBlock).SelectMany(block => block.Logs)]);

    private Execution TryRun(ContractCall call) =>
        Run(Contracts.Copy(), call.From ?? default, call.To!.Value, call.Data.ToArray(), Head + 1, Now + SecondsPerBlock);

    /// <summary>What goes to no contract carries nothing here, and changes nothing.</summary>
    private static Execution Run(IContracts contracts, Address sender, Address to, byte[] data, ulong block, ulong seconds) =>
        contracts.Has(to) ? contracts.Run(sender, to, data, block, seconds) : new Execution(GasOfTransfer, []);

    private SendOutcome Take(SignedTransaction transaction, Address? known)
    {
        Offered(transaction);
        Pooled pooled = Decode(transaction, known);
        if (pooled.Nonce < NonceOf(pooled.Sender))
        {
            return new SendOutcome(SendStatus.NonceTooLow);
        }

        if (pooled.MaxFee < BaseFee)
        {
            return new SendOutcome(SendStatus.Refused,
                new Contracts.Ethereum.JsonRpc.NodeErrorException(
                    "eth_sendRawTransaction", -32000, "max fee per gas less than block base fee"));
        }

        if (_pool.TryGetValue((pooled.Sender, pooled.Nonce), out Pooled? standing))
        {
            if (standing.Hash == pooled.Hash)
            {
                return new SendOutcome(SendStatus.AlreadyKnown);
            }

            if (pooled.MaxFee * 10 < standing.MaxFee * 11)
            {
                return new SendOutcome(SendStatus.Refused,
                    new Contracts.Ethereum.JsonRpc.NodeErrorException(
                        "eth_sendRawTransaction", -32000, "replacement transaction underpriced"));
            }
        }

        _pool[(pooled.Sender, pooled.Nonce)] = pooled;
        return new SendOutcome(SendStatus.Accepted);
    }

    private ulong NonceOf(Address account, int blocks = int.MaxValue) => blocks >= _blocks.Count ? _nonces.GetValueOrDefault(account)
        : (ulong)_blocks.Take(blocks).Sum(block => block.Included.Count(pooled => pooled.Sender == account));

    private void Add(Block block)
    {
        _blocks.Add(block);
        foreach ((Pooled pooled, TransactionReceipt receipt) in block.Included.Zip(block.Receipts))
        {
            _receipts[pooled.Hash] = receipt;
            _nonces[pooled.Sender] = pooled.Nonce + 1;
        }
    }

    private Block NewBlock(List<Pooled> included, IContracts before)
    {
        ulong number = (ulong)_blocks.Count;
        byte[] content = [.. BitConverter.GetBytes(number), .. BitConverter.GetBytes(_fork),
            .. included.SelectMany(pooled => pooled.Hash.ToArray())];
        Bytes32 parent = number == 0 ? Bytes32.Zero : _blocks[^1].Header.Hash;
        ulong seconds = number == 0 ? FirstSecond : Now + SecondsPerBlock + _skipped;
        _skipped = 0;
        BlockHeader header = new(number, Keccak256.Hash([.. parent.ToArray(), .. content]), parent, seconds, BlockGasLimit, BaseFee);
        List<TransactionReceipt> receipts = [];
        List<LogEntry> logs = [];
        IContracts after = included.Count > 0 ? before.Copy() : before;
        foreach (Pooled pooled in included)
        {
            // What runs out of gas has changed nothing: it is tried on a copy first.
            ulong gas = Run(after.Copy(), pooled.Sender, pooled.To, pooled.Data, number, seconds).Gas * (100 + DearerPercent) / 100;
            bool isEnough = pooled.Gas >= gas;
            Execution execution = isEnough ? Run(after, pooled.Sender, pooled.To, pooled.Data, number, seconds) : new Execution(gas, []);
            List<LogEntry> own = [.. execution.Logs.Select((log, i) => new LogEntry(
                log.Contract, log.Topics, log.Data, number, header.Hash, pooled.Hash, (ulong)receipts.Count, (ulong)(logs.Count + i)))];
            logs.AddRange(own);
            receipts.Add(new TransactionReceipt(
                pooled.Hash, (ulong)receipts.Count, number, header.Hash, pooled.Sender, pooled.To, null,
                isEnough && execution.Revert is null, Math.Min(pooled.Gas, gas), own));
        }

        return new Block(header, included, receipts, logs, after);
    }

    /// <summary>Reads a transaction of type 2 (EIP-1559), and its sender out of the signature.</summary>
    private Pooled Decode(SignedTransaction transaction, Address? known)
    {
        byte[] raw = transaction.Raw.ToArray();
        List<(int Start, byte[] Value)> fields = Fields(raw.AsSpan(1));
        Address sender = known ?? default;
        if (known is null && !Senders.TryGetValue(transaction.Hash, out sender))
        {
            byte[] unsigned = raw.AsSpan(fields[0].Start + 1, fields[9].Start - fields[0].Start).ToArray();
            byte[] prefix = unsigned.Length <= 55 ? [(byte)(0xc0 + unsigned.Length)]
                : unsigned.Length <= 255 ? [0xf8, (byte)unsigned.Length] : [0xf9, (byte)(unsigned.Length >> 8), (byte)unsigned.Length];
            Bytes32 hash = Keccak256.Hash([2, .. prefix, .. unsigned]);
            Signature signature = new(Padded(fields[10].Value), Padded(fields[11].Value), fields[9].Value is [1] ? (byte)1 : (byte)0);
            sender = EthereumAccount.Recover(hash, signature);
            Senders.TryAdd(transaction.Hash, sender);
        }

        return new Pooled(
            sender, (ulong)Number(fields[1].Value), transaction.Hash, Number(fields[3].Value), (ulong)Number(fields[4].Value),
            new Address(fields[5].Value), fields[7].Value, _arrivals++);

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

    private sealed record Pooled(
        Address Sender, ulong Nonce, Bytes32 Hash, BigInteger MaxFee, ulong Gas, Address To, byte[] Data, ulong Arrival)
    {
        public bool IsOfPerson { get; init; }
    }

    private sealed record Block(
        BlockHeader Header, List<Pooled> Included, List<TransactionReceipt> Receipts, List<LogEntry> Logs, IContracts Contracts);
}
