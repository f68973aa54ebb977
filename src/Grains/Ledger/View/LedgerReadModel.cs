using System.Numerics;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.Storage;

namespace EmrMarket.Grains.Ledger.View;

/// <summary>Follows the contracts' logs into the store's journal, and keeps the tables that follow from it in memory.</summary>
/// <param name="client">The node.</param>
/// <param name="deployment">The contracts.</param>
/// <param name="store">The journal; nobody else appends to it.</param>
/// <param name="confirmations">Blocks above an event's block before it counts here. 0 shows what may still be taken back, and takes it
/// back.</param>
public sealed class LedgerReadModel(IEthereumClient client, ContractDeployment deployment, ILedgerStore store, ulong confirmations)
    : ILedgerView, IDisposable
{
    // A block holds thousands of claims; a range of some blocks keeps an answer to a few megabytes.
    private const ulong LargestRange = 64;
    private const int EventsPerPage = 20_000;

    private readonly LogFollower _follower = new(client, new LogFollowerOptions
    {
        Addresses =
            [.. new[] { deployment.AccessControl, deployment.Matching, deployment.Evaluation, deployment.Payments }.Select(
                contract => Address.Parse(contract.Address))],
        FirstBlock = deployment.FirstBlock,
        Confirmations = confirmations,
        LargestRange = LargestRange,
    });

    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _gate = new();
    private LedgerTables _tables = new();
    private IReadOnlyList<LogCheckpoint>? _checkpoints;
    private int _rebuilds;
    private BlockHeader? _head;
    private BlockHeader? _settled;

    /// <inheritdoc/>
    public ContractDeployment Deployment => deployment;

    /// <inheritdoc/>
    public long NowSeconds => (long)(Volatile.Read(ref _head)?.Timestamp ?? 0);

    /// <inheritdoc/>
    public long SettledSeconds => (long)(Volatile.Read(ref _settled)?.Timestamp ?? 0);

    /// <inheritdoc/>
    public ulong Head => Volatile.Read(ref _head)?.Number ?? 0;

    /// <inheritdoc/>
    public ulong FollowedTo => Read(_ => _checkpoints is { Count: > 0 } known ? known[^1].Number : 0);

    /// <inheritdoc/>
    public int Rebuilds => Read(_ => _rebuilds);

    /// <inheritdoc/>
    public bool RequestsPaused => Read(tables => tables.RequestsPaused);

    /// <inheritdoc/>
    public async Task SyncAsync(CancellationToken cancellationToken = default)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_checkpoints is null)
            {
                await LoadAsync(cancellationToken);
            }

            // Asked before the logs: what is decided by this time is decided with all that had happened by then, less the confirmations.
            BlockHeader head = await client.GetBlockAsync(BlockReference.Latest, cancellationToken)
                ?? throw new MalformedAnswerException("eth_getBlockByNumber", "the node has no latest block");
            while (await _follower.NextAsync(_checkpoints!, cancellationToken) is { } step)
            {
                await TakeAsync(step, cancellationToken);
            }

            if (_checkpoints is { Count: > 0 } known && _settled?.Hash != known[^1].Hash
                && await client.GetBlockAsync(BlockReference.At(known[^1].Number), cancellationToken) is { } settled
                && settled.Hash == known[^1].Hash)
            {
                Volatile.Write(ref _settled, settled);
            }

            Volatile.Write(ref _head, head);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Every table as text, row by row: two views of the same blocks are equal to the letter.</summary>
    public string Dump() => Read(tables => tables.Dump());

    /// <inheritdoc/>
    public IReadOnlyList<SiteRow> Sites() => Read<IReadOnlyList<SiteRow>>(tables => [.. tables.Sites.Values]);

    /// <inheritdoc/>
    public IReadOnlyList<SchemaRow> Schemas() => Read<IReadOnlyList<SchemaRow>>(tables => [.. tables.Schemas]);

    /// <inheritdoc/>
    public IReadOnlyList<EpochRow> Epochs(Bytes32? schemaId = null) =>
        Read<IReadOnlyList<EpochRow>>(
            tables => [.. tables.Epochs.Rows.Where(epoch => schemaId is null || epoch.Header.SchemaId == schemaId)]);

    /// <inheritdoc/>
    public EpochRow? Epoch(Bytes32 epochId) => Read(tables => tables.Epochs.Find(epochId));

    /// <inheritdoc/>
    public EpochRow? FinalEpoch(uint site, Bytes32 schemaId, ulong atBlock = ulong.MaxValue) =>
        Read(tables => tables.Epochs.Rows.LastOrDefault(epoch =>
        epoch.Header.Site == site && epoch.Header.SchemaId == schemaId && epoch.Status == BatchStatus.Final
            && epoch.EndedBlock <= atBlock));

    /// <inheritdoc/>
    public IReadOnlyList<EpochRow> EpochsOf(uint site, ulong fromBlock) =>
        Since(tables => tables.Epochs, fromBlock, epoch => epoch.Header.Site == site);

    /// <inheritdoc/>
    public IReadOnlyList<RequestRow> Requests(Bytes32? schemaId = null) =>
        Read<IReadOnlyList<RequestRow>>(
            tables => [.. tables.Requests.Values.Where(request => schemaId is null || request.Terms.SchemaId == schemaId)]);

    /// <inheritdoc/>
    public RequestRow? Request(ulong requestId) => Read(tables => tables.Requests.GetValueOrDefault(requestId));

    /// <inheritdoc/>
    public IReadOnlyList<BookRow> Books(Bytes32 schemaId) =>
        Read<IReadOnlyList<BookRow>>(tables => [.. tables.Books.GetValueOrDefault(schemaId) ?? []]);

    /// <inheritdoc/>
    public IReadOnlyList<RoundRow> Rounds(Bytes32 schemaId) =>
        Read<IReadOnlyList<RoundRow>>(tables => [.. tables.Rounds.Rows.Where(round => round.Header.SchemaId == schemaId)]);

    /// <inheritdoc/>
    public RoundRow? Round(Bytes32 roundId) => Read(tables => tables.Rounds.Find(roundId));

    /// <inheritdoc/>
    public IReadOnlyList<DeliveryRow> Deliveries(ulong requestId) => Read<IReadOnlyList<DeliveryRow>>(tables =>
        [.. (tables.DeliveriesOfRequest.GetValueOrDefault(requestId) ?? []).Select(id => tables.Deliveries.Find(id)!)]);

    /// <inheritdoc/>
    public IReadOnlyList<DeliveryRow> DeliveriesOf(uint site, ulong fromBlock) =>
        Since(tables => tables.Deliveries, fromBlock, delivery => delivery.Header.Site == site);

    /// <inheritdoc/>
    public DeliveryRow? Delivery(Bytes32 deliveryId) => Read(tables => tables.Deliveries.Find(deliveryId));

    /// <inheritdoc/>
    public IReadOnlyList<ClaimRow> Claims(Bytes32 deliveryId) =>
        Read<IReadOnlyList<ClaimRow>>(
            tables => tables.Claims.TryGetValue(deliveryId, out SortedDictionary<uint, ClaimRow>? claims) ? [.. claims.Values] : []);

    /// <inheritdoc/>
    public EscrowRow? Escrow(ulong requestId) => Read(tables => tables.Escrows.GetValueOrDefault(requestId));

    /// <inheritdoc/>
    public ulong? RevokedAt(uint site, Bytes32 pseudonym) => Read(tables => tables.Revocations.Find((site, pseudonym))?.RevokedSeconds);

    /// <inheritdoc/>
    public IReadOnlyList<RevocationRow> Revocations(uint site) =>
        Read<IReadOnlyList<RevocationRow>>(tables => [.. tables.Revocations.Rows.Where(revocation => revocation.Site == site)]);

    /// <inheritdoc/>
    public IReadOnlyList<FindingRow> Findings(uint site) =>
        Read<IReadOnlyList<FindingRow>>(tables => [.. tables.Findings.Where(finding => finding.Site == site)]);

    /// <inheritdoc/>
    public IReadOnlyList<DemandRow> Demands() => Read<IReadOnlyList<DemandRow>>(tables => [.. tables.Demands.Rows]);

    /// <inheritdoc/>
    public IReadOnlyList<DemandRow> OpenDemands() => Read<IReadOnlyList<DemandRow>>(tables => [.. tables.Demands.Rows.Where(demand =>
        demand.End == DemandEnd.None && ((BatchRow?)tables.Epochs.Find(demand.BatchId) ?? (BatchRow?)tables.Rounds.Find(demand.BatchId)
            ?? tables.Deliveries.Find(demand.BatchId))?.Status == BatchStatus.Posted)]);

    /// <inheritdoc/>
    public IReadOnlyList<Address> Auditors() => Read<IReadOnlyList<Address>>(tables => [.. tables.Auditors.Values]);

    /// <inheritdoc/>
    public BigInteger FreeBalance(Address account) => Read(tables => tables.Free.GetValueOrDefault(account));

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private TRow[] Since<TRow>(Func<LedgerTables, RowList<Bytes32, TRow>> table, ulong fromBlock, Func<TRow, bool> isWanted)
        where TRow : BatchRow =>
        Read(tables => (TRow[])[.. table(tables).Newest.TakeWhile(row => row.Posting.BlockNumber >= fromBlock).Where(isWanted).Reverse()]);

    private T Read<T>(Func<LedgerTables, T> query)
    {
        lock (_gate)
        {
            return query(_tables);
        }
    }

    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<LogCheckpoint> checkpoints = await store.LoadCheckpointsAsync(cancellationToken);
        LedgerTables tables = await TablesOfAsync(cancellationToken);
        lock (_gate)
        {
            (_tables, _checkpoints) = (tables, checkpoints);
            _rebuilds++;
        }
    }

    private async Task<LedgerTables> TablesOfAsync(CancellationToken cancellationToken)
    {
        LedgerTables tables = new();
        LedgerPosition next = default;
        IReadOnlyList<LedgerEvent> page;
        do
        {
            page = await store.LoadEventsAsync(next, EventsPerPage, cancellationToken);
            foreach (LedgerEvent logged in page)
            {
                tables.Apply(logged);
                next = new LedgerPosition(logged.BlockNumber, logged.LogIndex + 1);
            }
        }
        while (page.Count == EventsPerPage);
        return tables;
    }

    private async Task TakeAsync(LogStep step, CancellationToken cancellationToken)
    {
        List<LedgerEvent> events = await WithTimesAsync(step.Logs, cancellationToken);
        try
        {
            await store.AppendAsync(step.UndoFrom, events, step.Checkpoints, cancellationToken);
        }
        catch
        {
            // The store may have lost its answer and not the write: what is stored decides, and is read again.
            _checkpoints = null;
            throw;
        }

        if (step.UndoFrom is not null)
        {
            LedgerTelemetry.Reorganised();
            await LoadAsync(cancellationToken);
            return;
        }

        lock (_gate)
        {
            foreach (LedgerEvent logged in events)
            {
                _tables.Apply(logged);
            }

            _checkpoints = step.Checkpoints;
        }
    }

    private async Task<List<LedgerEvent>> WithTimesAsync(IReadOnlyList<LogEntry> logs, CancellationToken cancellationToken)
    {
        List<LedgerEvent> events = new(logs.Count);
        BlockHeader? block = null;
        foreach (LogEntry log in logs)
        {
            if (block?.Number != log.BlockNumber)
            {
                block = await client.GetBlockAsync(BlockReference.At(log.BlockNumber), cancellationToken);
            }

            if (block?.Hash != log.BlockHash)
            {
                throw new MalformedAnswerException(
                    "eth_getBlockByNumber", $"block {log.BlockNumber} was replaced while its logs were read");
            }

            byte[] topics = new byte[log.Topics.Count * Bytes32.Length];
            for (int i = 0; i < log.Topics.Count; i++)
            {
                log.Topics[i].CopyTo(topics.AsSpan(i * Bytes32.Length));
            }

            events.Add(new LedgerEvent
            {
                BlockNumber = log.BlockNumber,
                LogIndex = log.LogIndex,
                BlockSeconds = block.Timestamp,
                TransactionHash = log.TransactionHash,
                Contract = log.Address,
                Topics = topics,
                Data = log.Data.ToArray(),
            });
        }

        return events;
    }
}
