namespace EmrMarket.Grains.Market.Storage;

/// <summary>The market's rows in memory: for tests, simulation, and evaluations that keep nothing.</summary>
public sealed class MemoryMarketStore : IMarketStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RequestRow> _requests = new(StringComparer.Ordinal);
    private readonly List<string> _requestOrder = [];
    private readonly Dictionary<(string SchemaId, uint Ordinal, uint Attempt), RoundRow> _rounds = [];
    private readonly Dictionary<uint, List<OrderRow>> _orders = [];
    private readonly Dictionary<(ulong RequestId, uint Site, uint Attempt, string FileHash), DeliveryRow> _deliveries = [];
    private readonly Dictionary<string, string> _results = new(StringComparer.Ordinal);
    private long _ordersAbove;

    /// <inheritdoc/>
    public Task KeepFileAsync(string sha256, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Do(() => _files.TryAdd(sha256, content.ToArray()));

    /// <inheritdoc/>
    public Task<byte[]?> FindFileAsync(string sha256, CancellationToken cancellationToken) => Do(() => _files.GetValueOrDefault(sha256));

    /// <inheritdoc/>
    public Task<RequestRow?> FindRequestAsync(string key, CancellationToken cancellationToken) =>
        Do(() => _requests.GetValueOrDefault(key));

    /// <inheritdoc/>
    public Task SaveRequestAsync(RequestRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        return Do(() =>
        {
            long stored = _requests.TryGetValue(row.Key, out RequestRow? known) ? known.Version : 0;
            if (stored != row.Version)
            {
                throw new MarketStoreConflictException(
                    $"request {row.Key} is stored in version {stored}, and was changed from version {row.Version}");
            }

            if (known is null)
            {
                _requestOrder.Add(row.Key);
            }

            _requests[row.Key] = row with { Version = stored + 1 };
            return true;
        });
    }

    /// <inheritdoc/>
    public Task<RequestRow[]> FindRequestsOfAsync(string researcher, CancellationToken cancellationToken) =>
        Do(() => InOrder().Reverse().Where(row => string.Equals(row.Researcher, researcher, StringComparison.Ordinal)).ToArray());

    /// <inheritdoc/>
    public Task<RequestRow[]> FindOpenRequestsAsync(CancellationToken cancellationToken) =>
        Do(() => InOrder().Where(row => !row.HasEnded).ToArray());

    /// <inheritdoc/>
    public Task<RoundRow> KeepRoundAsync(RoundRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        return Do(() => First(_rounds, (row.SchemaId, row.Ordinal, row.Attempt), row));
    }

    /// <inheritdoc/>
    public Task<RoundRow[]> FindRoundsAsync(string schemaId, CancellationToken cancellationToken) => Do(() => _rounds.Values
        .Where(row => string.Equals(row.SchemaId, schemaId, StringComparison.Ordinal)).OrderBy(row => row.Ordinal)
        .ThenBy(row => row.Attempt).ToArray());

    /// <inheritdoc/>
    public Task PlaceOrdersAsync(IReadOnlyList<OrderRow> orders, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(orders);
        return Do(() =>
        {
            foreach (OrderRow order in orders)
            {
                if (!_orders.TryGetValue(order.Site, out List<OrderRow>? placed))
                {
                    _orders.Add(order.Site, placed = []);
                }

                if (!placed.Exists(o => o.RequestId == order.RequestId && o.Attempt == order.Attempt))
                {
                    placed.Add(order with { Sequence = Math.Max(_ordersAbove, placed.Count == 0 ? 0 : placed[^1].Sequence) + 1 });
                }
            }

            return true;
        });
    }

    /// <inheritdoc/>
    public Task<OrderRow[]> FindOrdersAsync(uint site, long afterSequence, int most, CancellationToken cancellationToken) =>
        Do(() => _orders.TryGetValue(site, out List<OrderRow>? placed)
            ? placed.Where(order => order.Sequence > afterSequence).Take(most).ToArray() : []);

    /// <inheritdoc/>
    public Task<DeliveryRow> KeepDeliveryAsync(DeliveryRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        return Do(() => First(_deliveries, (row.RequestId, row.Site, row.Attempt, row.FileHash), row));
    }

    /// <inheritdoc/>
    public Task<string> KeepResultsAsync(string requestKey, string resultsJson, CancellationToken cancellationToken) =>
        Do(() => First(_results, requestKey, resultsJson));

    /// <inheritdoc/>
    public Task<string?> FindResultsAsync(string requestKey, CancellationToken cancellationToken) =>
        Do(() => _results.GetValueOrDefault(requestKey));

    /// <summary>What putting a backup back does to the orders (docs/BACKUP.md): what did not come is ordered again, under higher
    /// numbers.</summary>
    /// <param name="above">At least the highest number that any site has seen.</param>
    public void OrderAgainAbove(long above)
    {
        lock (_lock)
        {
            _ordersAbove = above;
            foreach (List<OrderRow> placed in _orders.Values)
            {
                placed.RemoveAll(order => !_deliveries.Keys.Any(
                    came => came.RequestId == order.RequestId && came.Site == order.Site && came.Attempt == order.Attempt));
            }
        }
    }

    private static TValue First<TKey, TValue>(Dictionary<TKey, TValue> rows, TKey key, TValue row)
        where TKey : notnull => rows.TryAdd(key, row) ? row : rows[key];

    private IEnumerable<RequestRow> InOrder() => _requestOrder.Select(key => _requests[key]);

    private Task<T> Do<T>(Func<T> work)
    {
        lock (_lock)
        {
            return Task.FromResult(work());
        }
    }
}
