using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Ethereum.Sending;

/// <summary>How an account's transactions are sent and believed.</summary>
public sealed record TransactionSenderOptions
{
    /// <summary>The most transactions that are offered and not yet in a block: nodes keep about as many of one account. The embedded chain
    /// takes thousands.</summary>
    public int LargestNumberInFlight { get; init; } = 256;

    /// <summary>Blocks above a transaction's block after which it is final.</summary>
    public ulong Confirmations { get; init; } = 10;

    /// <summary>Blocks after which a transaction that is in none is offered again.</summary>
    public ulong BlocksBetweenOffers { get; init; } = 4;

    /// <summary>The wait between two passes of <see cref="TransactionSender.SendAsync"/>.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromMilliseconds(25);

    /// <summary>The role that sends, by which its transactions are counted; empty for none.</summary>
    public string Role { get; init; } = "";

    /// <summary>The clock for that wait.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>What one pass of the sender brought about.</summary>
/// <param name="Final">Transactions that became final.</param>
/// <param name="InFlight">Offered, in no block yet.</param>
/// <param name="Waiting">Signed, not offered yet.</param>
/// <param name="Included">In a block that is not deep enough yet.</param>
/// <param name="Reorganised">True when blocks that had been seen are gone.</param>
public sealed record SenderPass(IReadOnlyList<TransactionOutcome> Final, int InFlight, int Waiting, int Included, bool Reorganised);

/// <summary>The one writer of an account's transactions: each command is signed once, kept in the outbox, and offered with the same bytes
/// until it is final.</summary>
/// <remarks>It does nothing by itself: whoever owns it calls <see cref="AdvanceAsync(CancellationToken)"/> from time to time, and may stop
/// at any point. A receipt counts when it was read twice with the same content, the second time from a block that is deep enough and still
/// part of the chain; so neither a damaged answer nor a reorganisation is believed.
/// <para>An outbox put back from a backup lacks what its former process signed later. While a node still holds those transactions, new
/// commands get nonces above theirs; where they are lost then, a gap is left that nobody else fills. It is filled with transactions to
/// the account itself that do nothing, once it has stood for <see cref="TransactionSenderOptions.Confirmations"/> blocks and at least
/// <see cref="TransactionSenderOptions.BlocksBetweenOffers"/>. Commands keep their nonces, so that none is carried out twice.</para>
/// </remarks>
public sealed class TransactionSender : IDisposable
{
    // Yellow Paper, appendix G, and EIP-2028: what a transaction costs before its first instruction.
    private const ulong BaseGas = 21_000;
    private const ulong CreationGas = 32_000;
    private const ulong ZeroByteGas = 4;
    private const ulong NonZeroByteGas = 16;

    // From so many receipts a block on, all of the block's are asked for at once.
    private const int ReceiptsWorthABlock = 8;

    private readonly IEthereumClient _client;
    private readonly EthereumAccount _account;
    private readonly ulong _chainId;
    private readonly ITransactionOutbox _outbox;
    private readonly TransactionSenderOptions _options;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly SortedDictionary<ulong, Item> _items = [];
    private readonly Dictionary<string, Item> _byId = new(StringComparer.Ordinal);
    private bool _loaded;
    private BlockHeader? _lastHead;
    private (ulong Nonce, ulong SinceBlock)? _gap;

    /// <param name="client">The node.</param>
    /// <param name="account">Who signs; no other program may send from this account.</param>
    /// <param name="chainId">The chain that the transactions are meant for.</param>
    /// <param name="outbox">The outbox of this account on this chain.</param>
    /// <param name="options">Depths and bounds.</param>
    public TransactionSender(
        IEthereumClient client, EthereumAccount account, ulong chainId, ITransactionOutbox outbox, TransactionSenderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(outbox);
        (_client, _account, _chainId, _outbox, _options) = (client, account, chainId, outbox, options ?? new TransactionSenderOptions());
    }

    /// <summary>Who signs.</summary>
    public Address Account => _account.Address;

    /// <summary>Signs commands and keeps them in the outbox; those whose id is there already are left alone.</summary>
    /// <exception cref="ArgumentException">An id is used for two different calls, or a gas limit cannot be enough or does not fit a block.
    /// Nothing was signed.</exception>
    /// <exception cref="ContractRevertException">A contract would refuse a call whose gas was to be estimated. Nothing was
    /// signed.</exception>
    /// <exception cref="EthereumException">The node could not be asked. Nothing was signed.</exception>
    public async Task EnqueueAsync(IReadOnlyList<TransactionIntent> intents, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(intents);
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await LoadAsync(cancellationToken);
            await SignAndKeepAsync(intents, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The nonce that a command was signed with, or that the next one will get.</summary>
    public async Task<ulong> NonceOfAsync(string id, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await LoadAsync(cancellationToken);
            IReadOnlyList<OutboxEntry> known = await _outbox.FindAsync([id], cancellationToken);
            return known.Count > 0 ? known[0].Transaction.Nonce : await NextNonceAsync(cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>One pass: reads what happened, offers what has to be offered, and tells what became final.</summary>
    /// <exception cref="WrongChainException">The node follows another chain; nothing was sent.</exception>
    /// <exception cref="EthereumException">The node could not be asked, or refuses a transaction; everything is as before and the next pass
    /// goes on.</exception>
    public Task<SenderPass> AdvanceAsync(CancellationToken cancellationToken) => AdvanceAsync([], cancellationToken);

    /// <summary>One pass that enqueues commands as well: they are signed while the node takes earlier ones. State changes in one place at a
    /// time; only the wire is busy meanwhile.</summary>
    /// <exception cref="EthereumException">As for both; commands that were not signed can be handed in again.</exception>
    public async Task<SenderPass> AdvanceAsync(IReadOnlyList<TransactionIntent> next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await LoadAsync(cancellationToken);
            BlockHeader head = await CheckedHeadAsync(cancellationToken);
            List<TransactionOutcome> final = [];
            bool isNewHead = _lastHead is null || head.Hash != _lastHead.Hash;
            bool reorganised = isNewHead && await IsReorganisedAsync(head, cancellationToken);
            if (reorganised || _lastHead is null)
            {
                await ReviveLostAsync(cancellationToken);
            }

            (Item[] offered, Task<IReadOnlyList<SendOutcome>> outcomes) = await BeginOfferAsync(head, cancellationToken);
            try
            {
                await SignAndKeepAsync(next, cancellationToken);
                if (isNewHead)
                {
                    ulong? used = await ReadReceiptsAsync(head, reorganised, cancellationToken);
                    await FinishDeepAsync(head, final, cancellationToken);
                    await ReplaceOvertakenAsync(head, cancellationToken);
                    await FillGapAsync(head, used, cancellationToken);
                    _lastHead = head;
                }
            }
            finally
            {
                await EndOfferAsync(offered, await outcomes, head, cancellationToken);
            }

            return new SenderPass(
                final, Count(ItemState.InFlight), Count(ItemState.Waiting), Count(ItemState.Included), reorganised);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Enqueues commands and advances until all of them are final; the outcomes in the order of the commands. While the node takes
    /// some, the next are signed.</summary>
    /// <exception cref="EthereumException">As for <see cref="EnqueueAsync"/>; commands before the refused ones may have been sent. While it
    /// waits, errors that may pass are waited out.</exception>
    public async Task<IReadOnlyList<TransactionOutcome>> SendAsync(
        IReadOnlyList<TransactionIntent> intents, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(intents);
        string[] ids = [.. intents.Select(intent => intent.Id)];
        TransactionIntent[][] chunks = [.. intents.Chunk(_options.LargestNumberInFlight)];
        await EnqueueAsync(chunks.FirstOrDefault([]), cancellationToken);
        int enqueued = 1;
        int waiting = 0;
        while (true)
        {
            TransactionIntent[] next = enqueued < chunks.Length && waiting <= _options.LargestNumberInFlight ? chunks[enqueued] : [];
            try
            {
                waiting = (await AdvanceAsync(next, cancellationToken)).Waiting;
                enqueued += next.Length > 0 ? 1 : 0;
            }
            catch (EthereumException e) when (e.IsTransient)
            {
                // The node is away or overloaded; everything is in the outbox.
            }

            // What is still with the sender is not final, even if it was before the chain lost blocks.
            if (enqueued >= chunks.Length && !ids.Any(_byId.ContainsKey))
            {
                Dictionary<string, OutboxEntry> entries = (
                    await _outbox.FindAsync(ids.ToHashSet(StringComparer.Ordinal), cancellationToken))
                    .ToDictionary(entry => entry.Id, StringComparer.Ordinal);
                return [.. ids.Select(id => entries[id].Outcome!)];
            }

            if (next.Length == 0)
            {
                await Task.Delay(_options.Pause, _options.Clock, cancellationToken);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    // ---- what is wanted -------------------------------------------------------------------------------------------------

    private async Task SignAndKeepAsync(IReadOnlyList<TransactionIntent> intents, CancellationToken cancellationToken)
    {
        List<TransactionIntent> news = await SelectNewAsync(intents, cancellationToken);
        if (news.Count == 0)
        {
            return;
        }

        BlockHeader head = await CheckedHeadAsync(cancellationToken);
        ulong[] gas = new ulong[news.Count];
        for (int i = 0; i < gas.Length; i++)
        {
            ContractCall call = news[i].Call with { From = _account.Address };
            gas[i] = news[i].GasLimit ?? WithReserve(await _client.EstimateGasAsync(call, cancellationToken), head.GasLimit);
            CheckGas(news[i], gas[i], head);
        }

        GasPrice price = await _client.GetGasPriceAsync(cancellationToken);
        ulong nonce = await NextNonceAsync(cancellationToken);
        OutboxEntry[] entries = new OutboxEntry[news.Count];
        Parallel.For(0, entries.Length, i => entries[i] = Sign(
            news[i].Id,
            new Transaction(_chainId, nonce + (ulong)i, price, gas[i], news[i].Call.To, news[i].Call.Value, news[i].Call.Data)));
        await _outbox.SaveAsync(entries, cancellationToken);
        EthereumTelemetry.Count(_options.Role, EthereumTelemetry.Fate.Signed, entries.Length);
        foreach (OutboxEntry entry in entries)
        {
            Add(entry);
        }
    }

    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        if (!_loaded)
        {
            foreach (OutboxEntry entry in await _outbox.LoadOpenAsync(cancellationToken))
            {
                Add(entry);
            }

            _loaded = true;
        }
    }

    private async Task<List<TransactionIntent>> SelectNewAsync(
        IReadOnlyList<TransactionIntent> intents, CancellationToken cancellationToken)
    {
        Dictionary<string, (Address? To, ReadOnlyMemory<byte> Data, BigInteger Value)> known = new(StringComparer.Ordinal);
        foreach (OutboxEntry entry in await _outbox.FindAsync([.. intents.Select(intent => intent.Id)], cancellationToken))
        {
            known[entry.Id] = (entry.Transaction.To, entry.Transaction.Data, entry.Transaction.Value);
        }

        List<TransactionIntent> news = [];
        foreach (TransactionIntent intent in intents)
        {
            if (!known.TryGetValue(intent.Id, out (Address? To, ReadOnlyMemory<byte> Data, BigInteger Value) earlier))
            {
                known[intent.Id] = (intent.Call.To, intent.Call.Data, intent.Call.Value);
                news.Add(intent);
            }
            else if (earlier.To != intent.Call.To || earlier.Value != intent.Call.Value
                || !earlier.Data.Span.SequenceEqual(intent.Call.Data.Span))
            {
                throw new ArgumentException(
                    $"the id {intent.Id} stands for another call already: a new command needs a new id", nameof(intents));
            }
        }

        return news;
    }

    private static ulong WithReserve(ulong estimate, ulong blockLimit) => Math.Min(estimate + (estimate / 4), blockLimit);

    private static void CheckGas(TransactionIntent intent, ulong gas, BlockHeader head)
    {
        ulong least = BaseGas + (intent.Call.To is null ? CreationGas : 0);
        foreach (byte value in intent.Call.Data.Span)
        {
            least += value == 0 ? ZeroByteGas : NonZeroByteGas;
        }

        if (gas < least || gas > head.GasLimit)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"the gas limit of {intent.Id} is {gas}: expected at least {least} for its data, and at most {head.GasLimit}, which is "
                    + $"what a block holds"), nameof(intent));
        }
    }

    private async Task<ulong> NextNonceAsync(CancellationToken cancellationToken)
    {
        ulong onChain = await _client.GetNonceAsync(_account.Address, BlockReference.Pending, cancellationToken);
        foreach (OutboxEntry entry in await _outbox.LoadFromNonceAsync(onChain, cancellationToken))
        {
            Revive(entry);
        }

        return _items.Count == 0 ? onChain : Math.Max(onChain, _items.Last().Key + 1);
    }

    private OutboxEntry Sign(string id, Transaction transaction)
    {
        SignedTransaction signed = transaction.Sign(_account);
        return new OutboxEntry(id, transaction, signed.Hash, signed.Raw);
    }

    // ---- what happened --------------------------------------------------------------------------------------------------

    private async Task<BlockHeader> CheckedHeadAsync(CancellationToken cancellationToken)
    {
        ulong chainId = await _client.GetChainIdAsync(cancellationToken);
        return chainId != _chainId
            ? throw new WrongChainException(_chainId, chainId)
            : await _client.GetBlockAsync(BlockReference.Latest, cancellationToken)
                ?? throw new MalformedAnswerException("eth_getBlockByNumber", "the node has no latest block");
    }

    private async Task<bool> IsReorganisedAsync(BlockHeader head, CancellationToken cancellationToken)
    {
        if (_lastHead is null || head.ParentHash == _lastHead.Hash)
        {
            return false;
        }

        BlockHeader? same = await _client.GetBlockAsync(BlockReference.At(_lastHead.Number), cancellationToken);
        return same?.Hash != _lastHead.Hash;
    }

    /// <summary>A chain that lost blocks may have lost final ones: everything from its nonce on is sent again.</summary>
    private async Task ReviveLostAsync(CancellationToken cancellationToken)
    {
        ulong nonce = await _client.GetNonceAsync(_account.Address, BlockReference.Latest, cancellationToken);
        foreach (OutboxEntry entry in await _outbox.LoadFromNonceAsync(nonce, cancellationToken))
        {
            Revive(entry);
        }
    }

    /// <summary>Looks for what is in flight; returns how many nonces the chain has used up, where that was asked.</summary>
    private async Task<ulong?> ReadReceiptsAsync(BlockHeader head, bool reorganised, CancellationToken cancellationToken)
    {
        ulong? used = null;
        Item[] asked =
            [.. _items.Values.Where(item => item.State == ItemState.InFlight || (reorganised && item.State == ItemState.Included))];
        if (asked.Length == 0)
        {
            return used;
        }

        Dictionary<Item, TransactionReceipt> found;
        if (reorganised || _lastHead is null)
        {
            found = await ReceiptsAsync(asked, cancellationToken);
        }
        else
        {
            // What the account has not come to yet is in no block, and need not be asked for.
            used = await _client.GetNonceAsync(_account.Address, BlockReference.Latest, cancellationToken);
            Item[] reached = [.. asked.Where(item => item.Entry.Transaction.Nonce < used)];
            found = await BlockReceiptsAsync(reached, _lastHead.Number + 1, head.Number, cancellationToken);
            foreach ((Item item, TransactionReceipt receipt) in await ReceiptsAsync(
                [.. reached.Where(item => !found.ContainsKey(item))], cancellationToken))
            {
                found.Add(item, receipt);
            }
        }

        foreach (Item item in asked)
        {
            if (found.TryGetValue(item, out TransactionReceipt? receipt))
            {
                (item.State, item.Receipt) = (ItemState.Included, receipt);
            }
            else if (item.State == ItemState.Included || head.Number >= item.OfferedAt + _options.BlocksBetweenOffers
                || head.Number < item.OfferedAt)
            {
                (item.State, item.Receipt) = (ItemState.Waiting, null);
            }
        }

        return used;
    }

    private async Task FinishDeepAsync(BlockHeader head, List<TransactionOutcome> final, CancellationToken cancellationToken)
    {
        Item[] deep = [.. _items.Values.Where(item =>
            item.Receipt is { } receipt && item.State == ItemState.Included
                && receipt.BlockNumber + _options.Confirmations <= head.Number)];
        List<OutboxEntry> saved = [];
        foreach (IGrouping<ulong, Item> block in deep.GroupBy(item => item.Receipt!.BlockNumber))
        {
            Item[] items = [.. block];
            Bytes32? canonical = (await _client.GetBlockAsync(BlockReference.At(block.Key), cancellationToken))?.Hash;
            Dictionary<Item, TransactionReceipt> again = await BlockReceiptsAsync(items, block.Key, block.Key, cancellationToken);
            foreach ((Item item, TransactionReceipt receipt) in await ReceiptsAsync(
                [.. items.Where(item => !again.ContainsKey(item))], cancellationToken))
            {
                again.Add(item, receipt);
            }

            foreach (Item item in items)
            {
                TransactionReceipt first = item.Receipt!;
                TransactionReceipt? second = again.GetValueOrDefault(item);
                if (second is null || !second.SameAs(first) || canonical != first.BlockHash)
                {
                    // Two readings that differ: neither is believed, and the transaction is offered again if it is in no block.
                    (item.State, item.Receipt) = second is null ? (ItemState.Waiting, null) : (ItemState.Included, second);
                    continue;
                }

                TransactionOutcome outcome = new(
                    item.Entry.Id, first.TransactionHash, first.BlockNumber, first.BlockHash, first.Succeeded, first.GasUsed,
                    first.ContractAddress);
                saved.Add(item.Entry with { Outcome = outcome });
            }
        }

        if (saved.Count == 0)
        {
            return;
        }

        await _outbox.SaveAsync(saved, cancellationToken);
        foreach (IGrouping<bool, OutboxEntry> some in saved.GroupBy(entry => entry.Outcome!.Succeeded))
        {
            EthereumTelemetry.Count(
                _options.Role, some.Key ? EthereumTelemetry.Fate.Confirmed : EthereumTelemetry.Fate.Reverted, some.LongCount(),
                some.Aggregate(0UL, (gas, entry) => gas + entry.Outcome!.GasUsed));
        }

        foreach (OutboxEntry entry in saved)
        {
            _items.Remove(entry.Transaction.Nonce);
            _byId.Remove(entry.Id);
            final.Add(entry.Outcome!);
        }
    }

    /// <summary>The receipts of items as far as they are in one of these blocks, by one question a block; none where that is not worth it
    /// or not answered.</summary>
    private async Task<Dictionary<Item, TransactionReceipt>> BlockReceiptsAsync(
        Item[] items, ulong first, ulong last, CancellationToken cancellationToken)
    {
        Dictionary<Item, TransactionReceipt> found = [];
        if (last < first || (ulong)items.Length < (last - first + 1) * ReceiptsWorthABlock)
        {
            return found;
        }

        Dictionary<Bytes32, Item> byHash = [];
        foreach (Item item in items)
        {
            byHash[item.Entry.Hash] = item;
            foreach (Bytes32 replaced in item.Entry.ReplacedHashes)
            {
                byHash[replaced] = item;
            }
        }

        for (ulong number = first; number <= last; number++)
        {
            foreach (TransactionReceipt receipt in await _client.GetBlockReceiptsAsync(number, cancellationToken) ?? [])
            {
                if (byHash.TryGetValue(receipt.TransactionHash, out Item? item))
                {
                    found[item] = Checked(item, receipt);
                }
            }
        }

        return found;
    }

    private async Task<Dictionary<Item, TransactionReceipt>> ReceiptsAsync(Item[] items, CancellationToken cancellationToken)
    {
        List<Bytes32> hashes = [.. items.SelectMany(item => item.Entry.ReplacedHashes.Prepend(item.Entry.Hash))];
        IReadOnlyList<TransactionReceipt?> receipts = await _client.GetReceiptsAsync(hashes, cancellationToken);
        Dictionary<Item, TransactionReceipt> found = [];
        int at = 0;
        foreach (Item item in items)
        {
            for (int i = 0; i <= item.Entry.ReplacedHashes.Count; i++, at++)
            {
                if (receipts[at] is { } receipt)
                {
                    found.TryAdd(item, Checked(item, receipt));
                }
            }
        }

        return found;
    }

    private TransactionReceipt Checked(Item item, TransactionReceipt receipt) =>
        receipt.From == _account.Address && receipt.To == item.Entry.Transaction.To
            ? receipt
            : throw new MalformedAnswerException("eth_getTransactionReceipt",
                $"the receipt of {item.Entry.Hash} names sender {receipt.From} and receiver {receipt.To}, sent was {_account.Address} to "
                    + $"{item.Entry.Transaction.To}");

    /// <summary>A nonce that another program's transaction used up, deep in the chain, can no longer be ours: the call is signed again with
    /// a new one.</summary>
    private async Task ReplaceOvertakenAsync(BlockHeader head, CancellationToken cancellationToken)
    {
        if (head.Number < _options.Confirmations || !_items.Values.Any(item => item.State != ItemState.Included && item.Overtaken))
        {
            return;
        }

        ulong deepNonce = await _client.GetNonceAsync(
            _account.Address, BlockReference.At(head.Number - _options.Confirmations), cancellationToken);
        Item[] overtaken = [
            .. _items.Values.Where(item => item.State != ItemState.Included && item.Overtaken && item.Entry.Transaction.Nonce < deepNonce)];
        if (overtaken.Length == 0)
        {
            return;
        }

        // Asked once more, now that the nonce is known to be used: the receipt may have come between.
        Dictionary<Item, TransactionReceipt> found = await ReceiptsAsync(overtaken, cancellationToken);
        foreach (Item item in overtaken)
        {
            if (found.TryGetValue(item, out TransactionReceipt? receipt))
            {
                (item.State, item.Receipt) = (ItemState.Included, receipt);
                continue;
            }

            Transaction again = item.Entry.Transaction with
            {
                Nonce = await NextNonceAsync(cancellationToken),
                GasPrice = await _client.GetGasPriceAsync(cancellationToken),
            };
            await ReplaceAsync(item, again, cancellationToken);
        }
    }

    /// <summary>The nonce that the chain wants next is none of ours, and we hold a later one: whoever sent what should stand there is
    /// waited for, and then what is missing is filled with transfers of nothing to the account itself. Where the missing ones turn up
    /// after all, one of each pair is carried out, and a transfer that came too late gets a later nonce like any other, where it does as
    /// little.</summary>
    private async Task FillGapAsync(BlockHeader head, ulong? used, CancellationToken cancellationToken)
    {
        if (used is not { } next)
        {
            // Nothing is in flight, or blocks are gone: a later pass tells.
            return;
        }

        if (EndOfGap(next) is null)
        {
            _gap = null;
            return;
        }

        if (_gap is not { } seen || seen.Nonce != next || head.Number < seen.SinceBlock)
        {
            _gap = (next, head.Number);
            return;
        }

        if (head.Number - seen.SinceBlock < Math.Max(_options.Confirmations, _options.BlocksBetweenOffers))
        {
            return;
        }

        // What the outbox has of these nonces is sent again with the same bytes, and is not filled.
        await ReviveLostAsync(cancellationToken);
        _gap = null;
        if (EndOfGap(next) is not { } end)
        {
            return;
        }

        GasPrice price = await _client.GetGasPriceAsync(cancellationToken);
        ulong gas = WithReserve(
            await _client.EstimateGasAsync(new ContractCall(_account.Address, default) { From = _account.Address }, cancellationToken),
            head.GasLimit);
        List<OutboxEntry> fillers = [];
        for (ulong nonce = next; nonce < end && fillers.Count < _options.LargestNumberInFlight; nonce++)
        {
            // The same nonce may be missing once more after a reorganisation: the block tells the two apart.
            fillers.Add(Sign(
                string.Create(CultureInfo.InvariantCulture, $"nothing, for nonce {nonce} after block {head.Hash}"),
                new Transaction(_chainId, nonce, price, gas, _account.Address, 0, default)));
        }

        await _outbox.SaveAsync(fillers, cancellationToken);
        EthereumTelemetry.Count(_options.Role, EthereumTelemetry.Fate.Signed, fillers.Count);
        fillers.ForEach(Add);
    }

    /// <summary>The first nonce that we hold after the one that the chain takes next; null when we hold that one, or none from there
    /// on.</summary>
    private ulong? EndOfGap(ulong next) =>
        _items.Keys.FirstOrDefault(nonce => nonce >= next, next) is var end && end > next ? end : null;

    private async Task ReplaceAsync(Item item, Transaction again, CancellationToken cancellationToken)
    {
        OutboxEntry entry = Sign(item.Entry.Id, again) with { ReplacedHashes = [.. item.Entry.ReplacedHashes, item.Entry.Hash] };
        await _outbox.SaveAsync([entry], cancellationToken);
        EthereumTelemetry.Count(_options.Role, EthereumTelemetry.Fate.Replaced, 1);
        _items.Remove(item.Entry.Transaction.Nonce);
        _byId.Remove(item.Entry.Id);
        Add(entry);
    }

    // ---- what to send ---------------------------------------------------------------------------------------------------

    private async Task<(Item[] Offered, Task<IReadOnlyList<SendOutcome>> Outcomes)> BeginOfferAsync(
        BlockHeader head, CancellationToken cancellationToken)
    {
        int room = _options.LargestNumberInFlight - Count(ItemState.InFlight);
        Item[] offered = [.. _items.Values.Where(item => item.State == ItemState.Waiting).Take(Math.Max(room, 0))];
        Item[] tooCheap = [
            .. offered.Where(item => item.Entry.Transaction.GasPrice is GasPrice.Dynamic price && head.BaseFeePerGas > price.MaxFeePerGas)];
        foreach (Item item in tooCheap)
        {
            await RaisePriceAsync(item, cancellationToken);
        }

        return offered.Length == 0 || tooCheap.Length > 0
            ? ([], Task.FromResult<IReadOnlyList<SendOutcome>>([]))
            : (offered, _client.SendRawAsync(
                [.. offered.Select(item => new SignedTransaction(item.Entry.Transaction.Nonce, item.Entry.Hash, item.Entry.Raw))],
                cancellationToken));
    }

    private async Task EndOfferAsync(
        Item[] offered, IReadOnlyList<SendOutcome> outcomes, BlockHeader head, CancellationToken cancellationToken)
    {
        for (int i = 0; i < offered.Length; i++)
        {
            Item item = offered[i];
            switch (outcomes[i].Status)
            {
                case SendStatus.Accepted or SendStatus.AlreadyKnown:
                    (item.State, item.OfferedAt, item.Overtaken) = (ItemState.InFlight, head.Number, false);
                    break;
                case SendStatus.NonceTooLow:
                    // Ours is in a block, or somebody else's of that nonce: the receipt tells.
                    (item.State, item.OfferedAt, item.Overtaken) = (ItemState.InFlight, head.Number, true);
                    break;
                case SendStatus.Deferred:
                    return;
                default:
                    if (!await RaisePriceAsync(item, cancellationToken))
                    {
                        throw outcomes[i].Error!;
                    }

                    return;
            }
        }
    }

    /// <summary>Signs the same nonce again at today's price, if that is enough more for nodes to take it instead (an eighth, as geth and
    /// Besu demand).</summary>
    private async Task<bool> RaisePriceAsync(Item item, CancellationToken cancellationToken)
    {
        if (item.Entry.Transaction.GasPrice is not GasPrice.Dynamic old
            || await _client.GetGasPriceAsync(cancellationToken) is not GasPrice.Dynamic now
            || now.MaxFeePerGas <= old.MaxFeePerGas)
        {
            return false;
        }

        GasPrice.Dynamic raised = new(
            BigInteger.Max(now.MaxPriorityFeePerGas, Raised(old.MaxPriorityFeePerGas)),
            BigInteger.Max(now.MaxFeePerGas, Raised(old.MaxFeePerGas)));
        await ReplaceAsync(item, item.Entry.Transaction with { GasPrice = raised }, cancellationToken);
        return true;

        static BigInteger Raised(BigInteger wei) => wei + (wei / 8) + 1;
    }

    private int Count(ItemState state) => _items.Values.Count(item => item.State == state);

    private void Add(OutboxEntry entry)
    {
        Item item = new(entry);
        _items[entry.Transaction.Nonce] = item;
        _byId[entry.Id] = item;
    }

    private void Revive(OutboxEntry entry)
    {
        if (!_byId.ContainsKey(entry.Id))
        {
            Add(entry with { Outcome = null });
        }
    }

    private enum ItemState
    {
        Waiting,
        InFlight,
        Included,
    }

    private sealed class Item(OutboxEntry entry)
    {
        public OutboxEntry Entry { get; } = entry;

        public ItemState State { get; set; }

        public TransactionReceipt? Receipt { get; set; }

        public ulong OfferedAt { get; set; }

        /// <summary>True when a node said that the account's nonce is past this one.</summary>
        public bool Overtaken { get; set; }
    }
}
