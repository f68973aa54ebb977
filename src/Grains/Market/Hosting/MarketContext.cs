using System.Collections.Concurrent;
using System.Security.Cryptography;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Sending;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Storage;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;
using StoredRequest = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Grains.Market.Hosting;

/// <summary>What all grains of the market share: the schemas, its account, the ledger as it was read, and the files that the ledger's
/// hashes stand for.</summary>
public sealed class MarketContext
{
    // Two sites' epochs, a round and a few deliveries: what the steps of one round open again and again.
    private const int MostRecent = 8;
    private const long SecondsBetweenTries = 3600;

    private readonly ConcurrentDictionary<Bytes32, WeakReference<object>> _files = new();
    private readonly object?[] _recent = new object?[MostRecent];
    private readonly EthereumAccount _account;
    private readonly RandomNumberGenerator _coins;
    private int _next;

    /// <summary>A market.</summary>
    /// <param name="schemas">The schemas that it deals in.</param>
    /// <param name="account">The market's account, which signs receipts; its transactions are sent by its ledger grain.</param>
    /// <param name="view">The ledger.</param>
    /// <param name="store">What the market keeps.</param>
    /// <param name="client">The node; grains only form calls with it, which the ledger grain sends.</param>
    /// <param name="coins">Where the reveals of rounds come from; a simulation gives its own.</param>
    public MarketContext(
        IReadOnlyCollection<Schema> schemas, EthereumAccount account, ILedgerView view, IMarketStore store, IEthereumClient client,
        RandomNumberGenerator? coins = null)
    {
        ArgumentNullException.ThrowIfNull(schemas);
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(view);
        Schemas = schemas.ToDictionary(
            schema => schema.Id, schema => new MarketSchema(schema, ReportQuality.Table(schema)), StringComparer.Ordinal);
        (_account, View, Store, _coins) = (account, view, store, coins ?? RandomNumberGenerator.Create());
        Matching = new MatchingDecision(client, Address.Parse(view.Deployment.Matching.Address));
        Evaluation = new DataEvaluation(client, Address.Parse(view.Deployment.Evaluation.Address));
        Payments = new AnonymousTransaction(client, Address.Parse(view.Deployment.Payments.Address));
    }

    /// <summary>The schemas by id.</summary>
    public IReadOnlyDictionary<string, MarketSchema> Schemas { get; }

    /// <summary>The ledger as it was read last.</summary>
    public ILedgerView View { get; }

    /// <summary>What the market keeps.</summary>
    public IMarketStore Store { get; }

    /// <summary>The chain.</summary>
    public ulong ChainId => View.Deployment.ChainId;

    /// <summary>DynamicAccessControl.</summary>
    public Address Access => Address.Parse(View.Deployment.AccessControl.Address);

    /// <summary>MatchingDecision.</summary>
    public MatchingDecision Matching { get; }

    /// <summary>DataEvaluation.</summary>
    public DataEvaluation Evaluation { get; }

    /// <summary>AnonymousTransaction.</summary>
    public AnonymousTransaction Payments { get; }

    /// <summary>Key of the ledger grain that sends for the market.</summary>
    public string LedgerKey => LedgerGrain.KeyOf(ChainId, _account.Address);

    /// <summary>The secret that seeds a round together with a block's hash.</summary>
    public Bytes32 NewReveal()
    {
        byte[] reveal = new byte[Bytes32.Length];
        _coins.GetBytes(reveal);
        return new Bytes32(reveal);
    }

    /// <summary>Signs a delivery's receipt.</summary>
    public byte[] Sign(Bytes32 deliveryId, DeliveryHeader header) =>
        _account.Sign(SignedMessages.Receipt(ChainId, Evaluation.Address, deliveryId, header)).ToBytes();

    /// <summary>A round's file, with its trees; null when the market does not have it.</summary>
    public Task<OpenedRound?> RoundAsync(Bytes32 fileHash) => OpenAsync(fileHash, bytes =>
    {
        RoundFile file = RoundFile.Read(bytes);
        return new OpenedRound(file, file.Build(ChainId, Matching.Address), bytes);
    });

    /// <summary>An epoch's file, with its trees; null when the market does not have it.</summary>
    public Task<OpenedEpoch?> EpochAsync(Bytes32 fileHash) => OpenAsync(fileHash, bytes =>
    {
        EpochFile file = EpochFile.Read(bytes);
        return new OpenedEpoch(file, file.Build(ChainId, Access, fileHash));
    });

    /// <summary>A delivery's file, with its tree; null when the market does not have it.</summary>
    public Task<OpenedDelivery?> DeliveryAsync(Bytes32 fileHash, Schema schema) => OpenAsync(fileHash, bytes =>
    {
        DeliveryFile file = DeliveryFile.Read(bytes, schema);
        return new OpenedDelivery(file, file.Build(ChainId, Evaluation.Address, fileHash));
    });

    /// <summary>The request on the ledger that a stored one follows: the first that its own researcher opened under its document. Whoever
    /// else opens one under the same hash, or the same researcher once more, funds a request that nobody serves.</summary>
    public LedgerRequest? OnLedger(StoredRequest row)
    {
        ArgumentNullException.ThrowIfNull(row);
        if (row.RequestId > 0)
        {
            return View.Request(row.RequestId);
        }

        Bytes32 hash = Bytes32.ParseDigits(row.Key);
        Address researcher = Address.Parse(row.Researcher);
        return View.Requests(Bytes32.ParseDigits(row.SchemaId))
            .FirstOrDefault(request => request.Terms.TermsHash == hash && request.Researcher == researcher);
    }

    /// <summary>The file of a hash as the store names it.</summary>
    public static string Name(Bytes32 hash) => hash.ToDigits();

    /// <summary>
    /// Sends a command once and says how it stands. One that the ledger refused is tried again once an hour of the ledger's time: what it
    /// lacked (a bond, for example) may have come.
    /// </summary>
    public async Task<LedgerOutcome> SendAsync(IGrainFactory grains, string id, ContractCall call, ulong? gasLimit = null)
    {
        ArgumentNullException.ThrowIfNull(grains);
        ArgumentNullException.ThrowIfNull(call);
        ILedgerGrain ledger = grains.GetGrain<ILedgerGrain>(LedgerKey);
        LedgerOutcome outcome = (await ledger.SubmitAsync([Command(id, call, gasLimit)]))[0];
        return outcome.State != LedgerState.Refused ? outcome
            : (await ledger.SubmitAsync([Command($"{id}@{View.NowSeconds / SecondsBetweenTries}", call, gasLimit)]))[0];
    }

    /// <summary>When a refused command is tried again: at the next full hour of the ledger's time.</summary>
    public static long NextTry(long now) => ((now / SecondsBetweenTries) + 1) * SecondsBetweenTries;

    /// <summary>Hands many commands to the ledger grain at once; those that it has are not sent again.</summary>
    public async Task<LedgerOutcome[]> SendAllAsync(
        IGrainFactory grains, IReadOnlyList<(string Id, ContractCall Call, ulong GasLimit)> commands)
    {
        ArgumentNullException.ThrowIfNull(grains);
        ArgumentNullException.ThrowIfNull(commands);
        return await grains.GetGrain<ILedgerGrain>(LedgerKey).SubmitAsync([.. commands.Select(c => Command(c.Id, c.Call, c.GasLimit))]);
    }

    private static LedgerCommand Command(string id, ContractCall call, ulong? gasLimit) =>
        new() { Id = id, To = call.To!.Value.ToArray(), Data = call.Data.ToArray(), GasLimit = gasLimit };

    // The trees of a large file cost seconds to build and megabytes to keep: the last few used stay, the others live as long as memory
    // allows.
    private async Task<T?> OpenAsync<T>(Bytes32 fileHash, Func<byte[], T> open)
        where T : class
    {
        if (_files.TryGetValue(fileHash, out WeakReference<object>? known) && known.TryGetTarget(out object? alive))
        {
            Keep(alive);
            return (T)alive;
        }

        byte[]? bytes = await Store.FindFileAsync(Name(fileHash), CancellationToken.None);
        if (bytes is null)
        {
            return null;
        }

        T opened = open(bytes);
        _files[fileHash] = new WeakReference<object>(opened);
        Keep(opened);
        return opened;
    }

    private void Keep(object opened)
    {
        if (Array.IndexOf(_recent, opened) < 0)
        {
            _recent[(uint)Interlocked.Increment(ref _next) % MostRecent] = opened;
        }
    }
}

/// <summary>A schema that the market deals in.</summary>
/// <param name="Schema">The schema.</param>
/// <param name="Table">Its quality table.</param>
public sealed record MarketSchema(Schema Schema, QualityTable Table);

/// <summary>A round's file with its trees.</summary>
/// <param name="File">The leaves.</param>
/// <param name="Batch">The trees.</param>
/// <param name="Bytes">The file.</param>
public sealed record OpenedRound(RoundFile File, RoundBatch Batch, byte[] Bytes);

/// <summary>An epoch's file with its trees.</summary>
/// <param name="File">The leaves, with the texts of public cells.</param>
/// <param name="Batch">The trees.</param>
public sealed record OpenedEpoch(EpochFile File, EpochBatch Batch);

/// <summary>A delivery's file with its tree.</summary>
/// <param name="File">The file.</param>
/// <param name="Batch">The tree.</param>
public sealed record OpenedDelivery(DeliveryFile File, DeliveryBatch Batch);
