using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Records;
using LedgerDelivery = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;

namespace EmrMarket.Silos.Commands.Trace;

/// <summary>
/// The ledger as an auditor reads it: tables that this process built from the chain's own log, and files whose SHA-256 that log names.
/// Where a file comes from is of no account, since one with another hash is never opened.
/// </summary>
internal sealed class AuditedLedger : IAsyncDisposable
{
    private const ulong Confirmations = 1;

    private readonly JsonRpcEthereumClient _node;
    private readonly LedgerReadModel _view;
    private readonly MemoryMarketStore _store = new();
    private readonly string? _mirror;
    private readonly MarketClient? _server;
    private readonly HashSet<Bytes32> _checked = [];
    private readonly List<string> _missing = [];

    private AuditedLedger(JsonRpcEthereumClient node, LedgerReadModel view, IReadOnlyCollection<Schema> schemas, string? mirror,
        MarketClient? server)
    {
        (_node, _view, _mirror, _server) = (node, view, mirror, server);

        // The account would sign receipts, which an auditor never does.
        Market = new MarketContext(schemas, EthereumAccount.Generate(), view, _store, node);
    }

    /// <summary>Chain and files as the checks read them.</summary>
    public MarketContext Market { get; }

    /// <summary>The files whose hashes were checked, as 64 hexadecimal digits.</summary>
    public IEnumerable<string> Files => _checked.Select(MarketContext.Name).Order(StringComparer.Ordinal);

    /// <summary>The files that are named by the ledger and were found nowhere.</summary>
    public IReadOnlyList<string> Missing => _missing;

    /// <summary>Reads the chain's log, after the deployment's code has been held against the chain.</summary>
    /// <param name="node">The node.</param>
    /// <param name="deployment">The contracts.</param>
    /// <param name="schemas">Schema files beside the built-in ones.</param>
    /// <param name="mirror">A folder of files named by their hashes; null for none.</param>
    /// <param name="server">Who is asked for the rest; null for nobody.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CommandException">The node does not answer, or the chain holds other contracts.</exception>
    public static async Task<AuditedLedger> OpenAsync(
        Uri node, ContractDeployment deployment, IReadOnlyList<string> schemas, string? mirror, MarketClient? server,
        CancellationToken cancellationToken)
    {
        JsonRpcEthereumClient client = new(node);
        LedgerReadModel view = new(client, deployment, new MemoryLedgerStore(), Confirmations);
        try
        {
            await deployment.VerifyAsync(client, cancellationToken);
            await view.SyncAsync(cancellationToken);
            return new AuditedLedger(
                client, view, [.. DataFolder.SchemaNames.Concat(schemas).Select(DataFolder.LoadSchema)], mirror, server);
        }
        catch (EthereumException e)
        {
            view.Dispose();
            client.Dispose();
            throw new CommandException(e.IsTransient ? ExitCode.NotReady : ExitCode.Failure, e.Message, e);
        }
    }

    /// <summary>Gets what a request's replay opens: the epochs of its round, the round and the final deliveries.</summary>
    public async Task FetchRequestAsync(LedgerRequest request, CancellationToken cancellationToken)
    {
        if (_view.Books(request.Terms.SchemaId).FirstOrDefault(book => book.Ordinal == request.Book) is { } book)
        {
            foreach (SiteRow site in _view.Sites())
            {
                await FetchAsync(_view.FinalEpoch(site.Site, request.Terms.SchemaId, book.ClosedBlock)?.Header.DataHash, cancellationToken);
            }
        }

        await FetchSaleAsync(request, _ => true, cancellationToken);
    }

    /// <summary>Gets what the trace of a pseudonym opens: the epochs, and what was sold and delivered by the sites that published
    /// it.</summary>
    public async Task FetchPseudonymAsync(Bytes32 pseudonym, CancellationToken cancellationToken)
    {
        HashSet<(uint Site, Bytes32 Schema)> homes = [];
        foreach (EpochRow epoch in _view.Epochs())
        {
            await FetchAsync(epoch.Header.DataHash, cancellationToken);
            if (await Market.EpochAsync(epoch.Header.DataHash) is { } opened
                && Array.Exists(opened.File.Members, member => member.Pseudonym == pseudonym))
            {
                homes.Add((epoch.Header.Site, epoch.Header.SchemaId));
            }
        }

        foreach (LedgerRequest request in _view.Requests())
        {
            await FetchSaleAsync(request, delivery => homes.Contains((delivery.Header.Site, request.Terms.SchemaId)), cancellationToken);
        }
    }

    /// <summary>Gets one file.</summary>
    /// <exception cref="CommandException">A file of another content was handed over under this hash.</exception>
    private async Task FetchAsync(Bytes32? hash, CancellationToken cancellationToken)
    {
        if (hash is not { } wanted || !_checked.Add(wanted))
        {
            return;
        }

        string name = MarketContext.Name(wanted);
        string? place = _mirror is null ? null : Path.Combine(_mirror, name);
        bool mirrored = place is not null && File.Exists(place);
        byte[]? content = mirrored ? await File.ReadAllBytesAsync(place!, cancellationToken)
            : _server is null ? null
            : await _server.FindBytesAsync("api/v1/files/" + name, cancellationToken);
        if (content is null)
        {
            _checked.Remove(wanted);
            _missing.Add(name);
            return;
        }

        if (!SHA256.HashData(content).AsSpan().SequenceEqual(wanted.ToArray()))
        {
            throw new CommandException(
                ExitCode.Failure,
                $"{(mirrored ? place : $"{_server!.Server}: the file of hash {name}")} has SHA-256 "
                    + $"{Convert.ToHexStringLower(SHA256.HashData(content))}, expected {name}: it was altered");
        }

        await _store.KeepFileAsync(name, content, cancellationToken);
        if (place is not null && !mirrored)
        {
            Directory.CreateDirectory(_mirror!);
            await File.WriteAllBytesAsync(place + ".part", content, cancellationToken);
            File.Move(place + ".part", place, overwrite: true);
        }
    }

    private async Task FetchSaleAsync(LedgerRequest request, Func<LedgerDelivery, bool> wanted, CancellationToken cancellationToken)
    {
        LedgerDelivery[] deliveries =
            [.. _view.Deliveries(request.RequestId)
                .Where(delivery => delivery.Status == BatchStatus.Final && delivery.Header.Count > 0 && wanted(delivery))];
        foreach (LedgerDelivery delivery in deliveries)
        {
            await FetchAsync(delivery.Header.DataHash, cancellationToken);
        }

        foreach (EmrMarket.Grains.Ledger.View.RoundRow round in _view.Rounds(request.Terms.SchemaId)
            .Where(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final))
        {
            await FetchAsync(round.Header.DataHash, cancellationToken);
        }
    }

    /// <summary>A sentence about what the answer rests on.</summary>
    public string Grounds() => string.Create(
        CultureInfo.InvariantCulture,
        $"chain {_view.Deployment.ChainId} up to block {_view.FollowedTo}, {_checked.Count} files checked by their hashes");

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _view.Dispose();
        _node.Dispose();
        return ValueTask.CompletedTask;
    }
}
