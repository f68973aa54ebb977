using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Sending;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site;

/// <summary>The site's workflow. Every step is decided from store and ledger alone and may be repeated, so that a crash between any two of
/// them loses and doubles nothing.</summary>
[GrainType("site")]
public sealed partial class SiteGrain(
    ISiteStore store, ILedgerView ledger, ISiteMarketLink market, IEthereumClient node, SiteOptions options)
    : Grain, ISiteGrain
{
    private readonly Dictionary<string, SiteBook> _books = new(StringComparer.Ordinal);

    // The last few used, newest last: what one pass opens again and again. A file of 200,000 members takes some 50 MB.
    private const int MostEpochFiles = 4;
    private readonly List<(Bytes32 Hash, EpochFile File)> _epochFiles = [];

    private readonly HashSet<string> _submitted = new(StringComparer.Ordinal);
    private readonly HashSet<string> _refused = new(StringComparer.Ordinal);
    private (string Hash, RoundFile File, RoundBatch Batch)? _round;

    private Address AccessControl => Address.Parse(ledger.Deployment.AccessControl.Address);

    private Address Evaluation => Address.Parse(ledger.Deployment.Evaluation.Address);

    private ILedgerGrain Account => GrainFactory.GetGrain<ILedgerGrain>(LedgerGrain.KeyOf(ledger.Deployment.ChainId, options.Account));

    /// <inheritdoc/>
    public async Task<Advance> AdvanceAsync()
    {
        await ledger.SyncAsync();
        uint site = SiteNumber();
        Progress progress = new();
        if (site == 0)
        {
            progress.Wait(null, "admission by the consortium");
            return progress.Answer();
        }

        if (await IsHeldBackAsync(site, progress))
        {
            // A leaf of a batch that stands on the ledger is opened all the same: it releases nothing, and unopened it would cost the bond.
            await AnswerDemandsAsync(site, progress);
            return progress.Answer();
        }

        foreach (string schemaId in await store.ReadSchemasAsync(CancellationToken.None))
        {
            await AdvanceEpochsAsync(site, schemaId, progress);
            await RevokeAsync(site, schemaId, progress);
        }

        await AnswerDemandsAsync(site, progress);

        await AdvanceOrdersAsync(site, progress);
        return progress.Answer();
    }

    /// <inheritdoc/>
    public async Task<SiteStatus> StatusAsync(string schemaId)
    {
        SiteBook book = await BookAsync(schemaId);
        return new SiteStatus
        {
            Site = SiteNumber(),
            Records = book.Records.Count,
            Persons = book.Records.PersonCount,
            Epochs = [.. (await store.ReadEpochsAsync(schemaId, CancellationToken.None)).Select(row => row.Epoch)],
            Deliveries =
                [.. (await store.ReadOrdersAsync(CancellationToken.None)).Where(row => row.SchemaId == schemaId)
                    .Select(row => row.Delivery)],
            HighestLossMicro = book.Budgets.Highest.Micro,
        };
    }

    /// <summary>Sends a command once. One that the ledger refused is tried again once an hour of its time: what was lacking, a bond for
    /// example, may have come.</summary>
    private async Task SubmitAsync(string id, ContractCall call, Progress progress)
    {
        string attempt = _refused.Contains(id) ? $"{id}@{ledger.NowSeconds / 3600}" : id;
        LedgerOutcome outcome = (
            await Account.SubmitAsync([new LedgerCommand { Id = attempt, To = call.To!.Value.ToArray(), Data = call.Data.ToArray() }]))[0];
        if (outcome.State == LedgerState.Refused)
        {
            _refused.Add(id);
            progress.Wait(((ledger.NowSeconds / 3600) + 1) * 3600, $"the ledger to accept {id}, which it refuses: {outcome.Refusal}");
        }
        else if (_submitted.Add(attempt))
        {
            progress.Done();
        }
    }

    private uint SiteNumber() => ledger.Sites().FirstOrDefault(row => row.Account == options.Account)?.Site ?? 0;

    private BatchStatus StatusOf(uint site, Bytes32 schema, uint epoch) =>
        ledger.Epoch(BatchId.Epoch(ledger.Deployment.ChainId, AccessControl, site, schema, epoch))?.Status ?? BatchStatus.Absent;

    private async Task<SiteBook> BookAsync(string schemaId)
    {
        if (!_books.TryGetValue(schemaId, out SiteBook? book))
        {
            if (!(await store.ReadSchemasAsync(CancellationToken.None)).Contains(schemaId))
            {
                throw new SiteRefusedException("unknown-schema", $"there are no records of schema {schemaId} here: load some first");
            }

            book = await SiteBook.ReadAsync(store, schemaId, options, CancellationToken.None);
            _books.Add(schemaId, book);
        }

        return book;
    }

    private async Task<EpochFile> EpochFileAsync(Bytes32 hash)
    {
        int at = _epochFiles.FindIndex(known => known.Hash == hash);
        EpochFile file = at >= 0 ? _epochFiles[at].File : EpochFile.Read(await FileAsync(hash.ToDigits()));
        Remember(hash, file);
        return file;
    }

    private void Remember(Bytes32 hash, EpochFile file)
    {
        _epochFiles.RemoveAll(known => known.Hash == hash);
        _epochFiles.Add((hash, file));
        if (_epochFiles.Count > MostEpochFiles)
        {
            _epochFiles.RemoveAt(0);
        }
    }

    private async Task<byte[]> FileAsync(string hash) => await store.FindFileAsync(hash, CancellationToken.None)
        ?? throw new InvalidOperationException($"the site's store lost the file {hash}, which its rows name: restore it from a backup");

    /// <summary>Collects what a pass did and what it waits for.</summary>
    private sealed class Progress
    {
        private bool _progressed;
        private long? _due;
        private string _waitsFor = "";

        public bool HasDone => _progressed;

        public void Done() => _progressed = true;

        public void Wait(long? due, string what)
        {
            _due = due is { } time ? Math.Min(_due ?? long.MaxValue, time) : _due;
            _waitsFor = _waitsFor.Length == 0 ? what : _waitsFor;
        }

        public Advance Answer() => new() { Progressed = _progressed, DueSeconds = _due, WaitsFor = _waitsFor };
    }
}
