using System.Globalization;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Ledger.Storage;

namespace EmrMarket.Grains.Ledger.Sending;

/// <summary>
/// Sends an account's transactions. A command goes through three durable steps, each in one write: queued (its call is stored), signed (its
/// bytes are in the outbox), final (its outcome is). The grain holds nothing that the store does not, so it may end at any point.
/// </summary>
public sealed class LedgerGrain : Grain, ILedgerGrain, IDisposable
{
    private readonly ILedgerStore _store;
    private readonly IEthereumClient _client;
    private readonly ILedgerAccounts _accounts;
    private readonly LedgerGrainOptions _options;
    private readonly Dictionary<ulong, ulong> _blockSeconds = [];
    private string _key = "";
    private Address _address;
    private ITransactionOutbox _outbox = null!;
    private TransactionSender _sender = null!;
    private List<StoredCommand>? _unsent;

    private SenderPass? _last;
    private long _movedAt = Environment.TickCount64;

    /// <param name="store">Where commands and transactions are kept.</param>
    /// <param name="client">The node.</param>
    /// <param name="accounts">The keys.</param>
    /// <param name="options">The chain, and how it is sent to.</param>
    public LedgerGrain(ILedgerStore store, IEthereumClient client, ILedgerAccounts accounts, LedgerGrainOptions options) =>
        (_store, _client, _accounts, _options) = (store, client, accounts, options);

    /// <summary>The key of an account's grain.</summary>
    public static string KeyOf(ulong chainId, Address account) =>
        string.Create(CultureInfo.InvariantCulture, $"{chainId}/{Hex.Encode(account.ToArray())}");

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _key = this.GetPrimaryKeyString();
        string[] parts = _key.Split('/');
        bool isKey = parts.Length == 2 && ulong.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong chainId)
            && chainId == _options.ChainId;
        _address = isKey ? Address.Parse(parts[1])
            : throw new InvalidOperationException(
                string.Create(CultureInfo.InvariantCulture, $"the ledger grain's key is {_key}, expected {_options.ChainId}/0xaddress"));
        EthereumAccount account = _accounts.Find(_address)
            ?? throw new InvalidOperationException($"this process has no key of account {_address}: it can send for its own accounts only");
        _outbox = _store.OutboxOf(_key);
        _sender = new TransactionSender(_client, account, _options.ChainId, _outbox, _options.Sending);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Dispose() => _sender?.Dispose();

    /// <inheritdoc/>
    public async Task<LedgerOutcome[]> SubmitAsync(LedgerCommand[] commands)
    {
        ArgumentNullException.ThrowIfNull(commands);
        StoredCommand[] stored = [.. commands.Select(Checked)];
        _unsent = null;
        await _store.AddCommandsAsync(_key, stored, CancellationToken.None);
        return await OutcomesAsync([.. commands.Select(command => command.Id)]);
    }

    /// <inheritdoc/>
    public async Task<LedgerOutcome[]> OutcomesAsync(string[] ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Dictionary<string, StoredCommand> commands = (await _store.FindCommandsAsync(_key, ids, CancellationToken.None))
            .ToDictionary(command => command.Id, StringComparer.Ordinal);
        Dictionary<string, OutboxEntry> entries = (await _outbox.FindAsync(ids, CancellationToken.None))
            .ToDictionary(entry => entry.Id, StringComparer.Ordinal);
        List<LedgerOutcome> outcomes = new(ids.Length);
        foreach (string id in ids)
        {
            if (commands.TryGetValue(id, out StoredCommand? command))
            {
                outcomes.Add(await OutcomeAsync(command, entries.GetValueOrDefault(id)));
            }
        }

        return [.. outcomes];
    }

    /// <inheritdoc/>
    public async Task<Advance> AdvanceAsync()
    {
        try
        {
            _unsent ??= [.. await _store.LoadUnsentAsync(_key, CancellationToken.None)];
            int decided = await EstimateAsync(_unsent);
            SenderPass pass = await PassAsync(_unsent);
            bool moved = decided > 0 || pass.Final.Count > 0 || pass.Reorganised || _last is null || pass.InFlight > _last.InFlight
                || pass.Included > _last.Included;
            _last = pass;
            int open = pass.InFlight + pass.Waiting + pass.Included;
            _movedAt = moved || open + _unsent.Count == 0 ? Environment.TickCount64 : _movedAt;
            LedgerTelemetry.Record(_options.Sending.Role, _unsent.Count, pass,
                TimeSpan.FromMilliseconds(Environment.TickCount64 - _movedAt));
            return new Advance
            {
                Progressed = moved,
                WaitsFor = open + _unsent.Count == 0 ? ""
                    : string.Create(CultureInfo.InvariantCulture,
                        $"blocks on chain {_options.ChainId} for {open} transactions of {_address}, {_unsent.Count} more to be signed"),
            };
        }
        catch (EthereumException e)
        {
            // The node is away, or refuses for want of something that a person has to supply; nothing is lost, and the words tell. What was
            // signed before it failed is under way: until the next pass has counted, nobody is idle.
            _last = null;
            LedgerTelemetry.RecordStall(_options.Sending.Role, TimeSpan.FromMilliseconds(Environment.TickCount64 - _movedAt));
            return new Advance { Progressed = false, WaitsFor = e.Message };
        }
        catch
        {
            // What the store holds may differ from what memory holds: the next call begins from the store.
            DeactivateOnIdle();
            throw;
        }
    }

    private int LargestNumberWaiting => _options.Sending.LargestNumberInFlight;

    private bool IsBusy => _last is { } pass && pass.Waiting > LargestNumberWaiting;

    private bool IsIdle => _last is { InFlight: 0, Waiting: 0, Included: 0 };

    /// <summary>Signs the commands at the head of the queue whose gas the chain has to estimate, one by one, since a later one may need an
    /// earlier one.</summary>
    private async Task<int> EstimateAsync(List<StoredCommand> unsent)
    {
        int decided = 0;
        while (unsent.Count > 0 && unsent[0].GasLimit is null && decided < LargestNumberWaiting && !IsBusy)
        {
            try
            {
                await _sender.EnqueueAsync([Intent(unsent[0])], CancellationToken.None);
            }
            catch (Exception e) when (e is ContractRevertException or ArgumentException)
            {
                if (e is ContractRevertException && (decided > 0 || !IsIdle))
                {
                    // What it is refused for may come with a transaction that is under way: it is asked again when there is none.
                    break;
                }

                await _store.RefuseAsync(_key, unsent[0].Id, Reason(e), CancellationToken.None);
            }

            unsent.RemoveAt(0);
            decided++;
        }

        return decided;
    }

    /// <summary>One pass of the sender, which signs the next commands with a gas limit meanwhile.</summary>
    private async Task<SenderPass> PassAsync(List<StoredCommand> unsent)
    {
        StoredCommand[] next = IsBusy ? [] : [.. unsent.TakeWhile(command => command.GasLimit is not null).Take(LargestNumberWaiting)];
        try
        {
            SenderPass pass = await _sender.AdvanceAsync([.. next.Select(Intent)], CancellationToken.None);
            unsent.RemoveRange(0, next.Length);
            return pass;
        }
        catch (ArgumentException)
        {
            // One of several has a gas limit that cannot be; by itself it is found.
            foreach (StoredCommand command in next)
            {
                try
                {
                    await _sender.EnqueueAsync([Intent(command)], CancellationToken.None);
                }
                catch (ArgumentException e)
                {
                    await _store.RefuseAsync(_key, command.Id, e.Message, CancellationToken.None);
                }

                unsent.Remove(command);
            }

            return await _sender.AdvanceAsync(CancellationToken.None);
        }
    }

    /// <summary>Why a transaction failed in its block, as far as the chain still tells; noted for the next who asks.</summary>
    private async Task<string> ReasonOfAsync(OutboxEntry entry, TransactionOutcome outcome)
    {
        string reason = outcome.GasUsed >= entry.Transaction.GasLimit
            ? string.Create(CultureInfo.InvariantCulture, $"OutOfGas(limit {entry.Transaction.GasLimit})") : "Reverted";
        try
        {
            // Against the state before the block; what other transactions of the block did first is not seen.
            ContractCall call = new(entry.Transaction.To, entry.Transaction.Data) { From = _address };
            await _client.CallAsync(call, BlockReference.At(outcome.BlockNumber - 1), CancellationToken.None);
        }
        catch (ContractRevertException e)
        {
            reason = Reason(e);
        }
        catch (EthereumException)
        {
            // The node is away, or has forgotten so old a state: the outcome stands all the same.
            return reason;
        }

        await _store.RefuseAsync(_key, entry.Id, reason, CancellationToken.None);
        return reason;
    }

    private async Task<LedgerOutcome> OutcomeAsync(StoredCommand command, OutboxEntry? entry)
    {
        TransactionOutcome? outcome = entry?.Outcome;
        return new LedgerOutcome
        {
            Id = command.Id,
            State = outcome switch
            {
                { Succeeded: true } => LedgerState.Succeeded,
                { Succeeded: false } => LedgerState.Refused,
                null => entry is null && command.Refusal is not null ? LedgerState.Refused : LedgerState.Pending,
            },
            TransactionHash = (outcome?.TransactionHash ?? entry?.Hash)?.ToArray() ?? [],
            BlockNumber = outcome?.BlockNumber ?? 0,
            BlockSeconds = outcome is null ? 0 : await SecondsOfAsync(outcome),
            GasUsed = outcome?.GasUsed ?? 0,
            Refusal = outcome is { Succeeded: true } ? "" : command.Refusal
                ?? (outcome is null ? "" : await ReasonOfAsync(entry!, outcome)),
        };
    }

    private async Task<ulong> SecondsOfAsync(TransactionOutcome outcome)
    {
        const int Kept = 1024;
        if (_blockSeconds.TryGetValue(outcome.BlockNumber, out ulong seconds))
        {
            return seconds;
        }

        try
        {
            BlockHeader? block = await _client.GetBlockAsync(BlockReference.At(outcome.BlockNumber), CancellationToken.None);
            if (block?.Hash != outcome.BlockHash)
            {
                return 0;
            }

            if (_blockSeconds.Count >= Kept)
            {
                _blockSeconds.Clear();
            }

            return _blockSeconds[outcome.BlockNumber] = block.Timestamp;
        }
        catch (EthereumException)
        {
            return 0;
        }
    }

    private static StoredCommand Checked(LedgerCommand command) =>
        string.IsNullOrWhiteSpace(command.Id) || command.Id.Length > 200
            ? throw new ArgumentException("a ledger command's id has 1 to 200 characters", nameof(command))
        : command.To.Length != Address.Length
        ? throw new ArgumentException(
            $"the contract of ledger command {command.Id} has {command.To.Length} bytes, expected {Address.Length}", nameof(command))
        : new StoredCommand { Id = command.Id, To = new Address(command.To), Data = command.Data, GasLimit = command.GasLimit };

    private static TransactionIntent Intent(StoredCommand command) =>
        new(command.Id, new ContractCall(command.To, command.Data), command.GasLimit);

    /// <summary>The name of a contract's error with its arguments, which is how the exceptions of the bindings begin.</summary>
    private static string Reason(Exception e) =>
        e is ContractRevertException revert ? ContractErrors.FromData(revert.RevertData).Message : e.Message;
}
