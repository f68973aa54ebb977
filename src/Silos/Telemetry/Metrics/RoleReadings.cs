using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Transactions;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Roles;
using StoredRequest = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Silos.Telemetry.Metrics;

/// <summary>What gauges need to know of a process.</summary>
internal sealed record ReadProcess
{
    /// <summary>The roles.</summary>
    public required RunningRoles Roles { get; init; }

    /// <summary>The folder of the process.</summary>
    public required string Root { get; init; }

    /// <summary>The file whose time is that of the last backup.</summary>
    public required string BackupFile { get; init; }

    /// <summary>How often each embedded engine was started again.</summary>
    public IReadOnlyDictionary<string, Func<int>> Restarts { get; init; } = new Dictionary<string, Func<int>>(StringComparer.Ordinal);

    /// <summary>When the certificate of the link expires; null where there is none.</summary>
    public DateTimeOffset? CertificateExpiry { get; init; }
}

/// <summary>
/// Gauges of what stands in tables: read every few seconds from the roles' views of the ledger, and not when somebody asks. They cost the
/// roles nothing, and a reading that fails leaves its gauges out.
/// </summary>
internal sealed class RoleReadings : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private readonly Meter _meter = new(SilosMeter.Name);
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, Measurement<double>[]>> _read = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Counter<long> _failures;
    private readonly ReadProcess _process;
    private readonly (string Name, Func<Reading, Task> Read)[] _sources;
    private Task _loop = Task.CompletedTask;

    private RoleReadings(ReadProcess process)
    {
        _process = process;
        _failures = _meter.CreateCounter<long>("emr.readings.failures", "{reading}");
        _sources =
        [
            ("process", ReadProcessAsync),
            .. process.Roles.Market is { } market
                ? new (string, Func<Reading, Task>)[]
                {
                    ("market ledger", reading => ReadLedgerAsync(reading, "market", market.View, market.Account.Address, "round")),
                    ("market", reading => ReadMarketAsync(reading, market)),
                }
                : [],
            .. process.Roles.Sites.Values.SelectMany(site => new (string, Func<Reading, Task>)[]
            {
                ("ledger of site " + site.Name,
                    reading => ReadLedgerAsync(reading, site.Name, site.View, site.Options.Account, "epoch", "delivery")),
                ("site " + site.Name, reading => ReadSiteAsync(reading, site)),
            }),
        ];
    }

    /// <summary>Reads once, and then again and again.</summary>
    public static async Task<RoleReadings> StartAsync(ReadProcess process)
    {
        RoleReadings readings = new(process);
        await readings.ReadAllAsync();
        readings._loop = readings.RunAsync();
        return readings;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _meter.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using PeriodicTimer timer = new(Period);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                await ReadAllAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // It ends.
        }
    }

    private async Task ReadAllAsync()
    {
        Activity.Current = null;
        foreach ((string name, Func<Reading, Task> read) in _sources)
        {
            Reading reading = new();
            try
            {
                await read(reading);
            }
#pragma warning disable CA1031 // Whatever a reading meets, its gauges are missing until the next one, and the roles go on.
            catch (Exception)
#pragma warning restore CA1031
            {
                reading.Clear();
                _failures.Add(1, new KeyValuePair<string, object?>("what", name));
            }

            Publish(name, reading);
        }
    }

    private void Publish(string source, Reading reading)
    {
        foreach ((string instrument, List<Measurement<double>> values) in reading)
        {
            _read.GetOrAdd(instrument, name =>
            {
                ConcurrentDictionary<string, Measurement<double>[]> sources = new(StringComparer.Ordinal);
                IEnumerable<Measurement<double>> Observe() => sources.Values.SelectMany(measured => measured);
                Instrument row = InstrumentTable.All[name];
                _ = row.Kind == InstrumentKind.Counter
                    ? (System.Diagnostics.Metrics.Instrument)_meter.CreateObservableCounter(name, Observe, row.Unit)
                    : _meter.CreateObservableGauge(name, Observe, row.Unit);
                return sources;
            })[source] = [.. values];
        }

        foreach ((string instrument, ConcurrentDictionary<string, Measurement<double>[]> sources) in _read)
        {
            if (!reading.ContainsKey(instrument))
            {
                sources.TryRemove(source, out _);
            }
        }
    }

    private Task ReadProcessAsync(Reading reading)
    {
        string version = typeof(RoleReadings).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
            ?? "";
        RunningRoles roles = _process.Roles;
        reading.Add("emr.build.info", 1, ("version", version.Split('+')[0]),
            ("roles", roles.Market is null ? "site" : roles.Sites.Count == 0 ? "market" : "both"));
        DriveInfo disk = new(_process.Root);
        reading.Add("emr.disk.free", disk.AvailableFreeSpace);
        reading.Add("emr.disk.size", disk.TotalSize);
        if (File.Exists(_process.BackupFile))
        {
            reading.Add("emr.backup.last.success.timestamp", Seconds(File.GetLastWriteTimeUtc(_process.BackupFile)));
        }

        if (_process.CertificateExpiry is { } expiry)
        {
            reading.Add("emr.link.certificate.expiry.timestamp", Seconds(expiry.UtcDateTime));
        }

        foreach ((string engine, Func<int> restarts) in _process.Restarts)
        {
            reading.Add("emr.engine.restarts", restarts(), ("engine", engine));
        }

        return Task.CompletedTask;
    }

    private async Task ReadLedgerAsync(Reading reading, string role, ILedgerView view, Address account, params string[] kinds)
    {
        reading.Add("emr.ledger.head", view.Head, ("role", role));
        reading.Add("emr.ledger.followed", view.FollowedTo, ("role", role));
        if (view.NowSeconds > 0)
        {
            reading.Add("emr.ledger.head.age", Seconds(DateTime.UtcNow) - view.NowSeconds, ("role", role));
        }

        reading.Add("emr.ledger.bond.free", (double)view.FreeBalance(account), ("role", role));
        List<(string Kind, BatchRow Row, uint WindowSeconds)> own = [.. Own(view, account)];
        foreach (string kind in kinds)
        {
            (string Kind, BatchRow Row, uint WindowSeconds)[] same = [.. own.Where(one => one.Kind == kind)];
            foreach (BatchStatus status in (BatchStatus[])[BatchStatus.Posted, BatchStatus.Final, BatchStatus.Void])
            {
                reading.Add("emr.ledger.batches", same.Count(one => one.Row.Status == status), ("role", role), ("kind", kind),
                    ("status", status.ToString().ToLowerInvariant()));
            }

            reading.Add("emr.ledger.batch.overdue",
                same.Where(one => one.Row.Status == BatchStatus.Posted)
                    .Select(one => (double)(view.SettledSeconds - (long)one.Row.Posting.Timestamp - one.WindowSeconds))
                    .Append(0).Max(), ("role", role), ("kind", kind));
        }

        HashSet<Bytes32> ids = [.. own.Select(one => one.Row.Id)];
        DemandRow[] demands = [.. view.OpenDemands().Where(demand => ids.Contains(demand.BatchId))];
        reading.Add("emr.ledger.demands.open", demands.Length, ("role", role));
        if (demands.Length > 0)
        {
            reading.Add("emr.ledger.demand.time_left", demands.Min(demand => (double)demand.AnswerBySeconds) - view.NowSeconds,
                ("role", role));
        }

        // Last, since the node may be away, and what the view says stands all the same.
        IEthereumClient client = _process.Roles.Client;
        try
        {
            reading.Add("emr.ledger.signer.balance",
                (double)await client.GetBalanceAsync(account, BlockReference.Latest, _stopping.Token), ("role", role));
            reading.Add("emr.ledger.gas.price", await client.GetGasPriceAsync(_stopping.Token) switch
            {
                GasPrice.Fixed price => (double)price.WeiPerGas,
                GasPrice.Dynamic price => (double)price.MaxFeePerGas,
                _ => 0,
            }, ("role", role));
        }
        catch (EthereumException)
        {
            _failures.Add(1, new KeyValuePair<string, object?>("what", "node"));
        }
    }

    /// <summary>The batches that an account has posted, with the time in which each may be challenged.</summary>
    private static IEnumerable<(string Kind, BatchRow Row, uint WindowSeconds)> Own(ILedgerView view, Address account)
    {
        var terms = view.Deployment.Terms;
        IEnumerable<(string, BatchRow, uint)> all =
        [
            .. view.Epochs().Select(row => ("epoch", (BatchRow)row, terms.EpochWindowSeconds)),
            .. view.Schemas().SelectMany(schema => view.Rounds(schema.SchemaId))
                .Select(row => ("round", (BatchRow)row, terms.RoundWindowSeconds + terms.RevealGraceSeconds)),
            .. view.Requests().SelectMany(request => view.Deliveries(request.RequestId))
                .Select(row => ("delivery", (BatchRow)row, terms.DeliveryWindowSeconds)),
        ];
        return all.Where(one => one.Item2.Posting.Committer == account);
    }

    private static async Task ReadMarketAsync(Reading reading, MarketRole market)
    {
        ILedgerView view = market.View;
        StoredRequest[] open = await market.Context.Store.FindOpenRequestsAsync(CancellationToken.None);
        foreach (RequestState state in Enum.GetValues<RequestState>().Where(state => state < RequestState.Settled))
        {
            StoredRequest[] there = [.. open.Where(request => request.State == state)];
            string name = state.ToString().ToLowerInvariant();
            reading.Add("emr.market.requests.open", there.Length, ("state", name));
            reading.Add("emr.market.request.longest",
                there.Select(request => (double)(view.NowSeconds - request.Steps[^1].Seconds)).Append(0).Max(), ("state", name));
        }

        (double Open, double Cancelled, double Settled, double Refunded) ended = default;
        double funded = 0, reserved = 0, claimed = 0, refunded = 0, expired = 0, claims = 0, sales = 0;
        foreach (RequestRow request in view.Requests())
        {
            EscrowRow? escrow = view.Escrow(request.RequestId);
            ended = request.Cancelled ? ended with { Cancelled = ended.Cancelled + 1 }
                : escrow is not { IsClosed: true } ? ended with { Open = ended.Open + 1 }
                : escrow.Settled > 0 ? ended with { Settled = ended.Settled + 1 } : ended with { Refunded = ended.Refunded + 1 };
            funded += (double)(escrow?.Funded ?? 0);
            reserved += (double)(escrow?.Reserved ?? 0);
            claimed += (double)(escrow?.Claimed ?? 0);
            refunded += (double)(escrow?.Refunded ?? 0);
            expired += (double)(escrow?.Expired ?? 0);
            claims += view.Deliveries(request.RequestId).Sum(delivery => (double)delivery.Claimed);
        }

        foreach ((string outcome, double count) in ((string, double)[])[
            ("open", ended.Open), ("cancelled", ended.Cancelled), ("settled", ended.Settled), ("refunded", ended.Refunded)])
        {
            reading.Add("emr.market.ledger.requests", count, ("outcome", outcome));
        }

        foreach ((string part, double amount) in ((string, double)[])[
            ("funded", funded), ("reserved", reserved), ("claimed", claimed), ("refunded", refunded), ("expired", expired)])
        {
            reading.Add("emr.market.escrow", amount, ("part", part));
        }

        foreach (SchemaRow schema in view.Schemas())
        {
            sales += view.Rounds(schema.SchemaId).Where(round => round.Status == BatchStatus.Final)
                .Sum(round => (double)round.Header.TotalSales);
        }

        reading.Add("emr.market.sales", sales);
        reading.Add("emr.market.claims", claims);
        reading.Add("emr.market.revocations", view.Sites().Sum(site => view.Revocations(site.Site).Count));
    }

    private Task ReadSiteAsync(Reading reading, SiteRole site)
    {
        ILedgerView view = site.View;
        uint number = view.Sites().FirstOrDefault(row => row.Account == site.Options.Account)?.Site ?? 0;
        foreach (SchemaRow schema in view.Schemas())
        {
            if (view.FinalEpoch(number, schema.SchemaId) is { } epoch)
            {
                // A schema that this process does not know keeps the beginning of its id.
                string name = _process.Roles.Schemas.GetValueOrDefault(Convert.ToHexStringLower(schema.SchemaId.ToArray()))?.Schema.Name
                    ?? Convert.ToHexStringLower(schema.SchemaId.ToArray())[..8];
                reading.Add("emr.site.epoch.members", epoch.Header.MemberCount, ("role", site.Name), ("schema", name));
                reading.Add("emr.site.epoch.age", view.NowSeconds - (double)epoch.EndedSeconds, ("role", site.Name), ("schema", name));
            }
        }

        reading.Add("emr.site.delivered", view.Requests().SelectMany(request => view.Deliveries(request.RequestId))
            .Where(row => row.Header.Site == number && row.Status == BatchStatus.Final).Sum(row => (double)row.Header.Count),
            ("role", site.Name));
        return Task.CompletedTask;
    }

    private static double Seconds(DateTime utc) => (utc - DateTime.UnixEpoch).TotalSeconds;

    /// <summary>What one reading found, by instrument.</summary>
    private sealed class Reading : Dictionary<string, List<Measurement<double>>>
    {
        public Reading()
            : base(StringComparer.Ordinal)
        {
        }

        public void Add(string instrument, double value, params (string Label, string Value)[] labels)
        {
            if (!TryGetValue(instrument, out List<Measurement<double>>? values))
            {
                this[instrument] = values = [];
            }

            values.Add(new(value, [.. labels.Select(label => KeyValuePair.Create(label.Label, (object?)label.Value))]));
        }
    }
}
