using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site;

// A site whose store was put back from a backup (docs/BACKUP.md): it makes good what the ledger and the market know, charges what may have
// left, and hands nothing over until somebody says that what nobody can know was entered again. It needs no word of whoever restored: a
// ledger that has a batch of the site which the store has not is enough.
public sealed partial class SiteGrain
{
    private const string HeldBack =
        "the site's store was put back from a backup: enter again what patients and desk commanded since, withdrawals first, then "
            + "'./emr site reconcile --confirm'";

    // Beyond what a request's attempts come to; the numbers of rows that no order named are below zero.
    private const long AttemptsOfARequest = 1_000;

    private SiteRestoreRow? _restore;
    private (int Rebuilds, ulong Block)? _compared;
    private string[] _open = [];

    /// <inheritdoc/>
    public async Task<SiteRestore?> RestoreAsync() => await store.FindRestoreAsync(CancellationToken.None) is { } row
        ? new SiteRestore
        {
            SnapshotSeconds = row.SnapshotSeconds, IsConfirmed = row.IsConfirmed,
            Open = row.IsConfirmed ? [] : row.LedgerSeconds == 0 && _open.Length == 0 ? ["the ledger is not compared yet"] : _open,
        }
        : null;

    /// <inheritdoc/>
    public async Task ConfirmRestoreAsync(bool pauseEveryone)
    {
        SiteRestoreRow? row = await store.FindRestoreAsync(CancellationToken.None);
        if (row is null or { IsConfirmed: true })
        {
            return;
        }

        if (row.LedgerSeconds == 0 || _open.Length > 0)
        {
            throw new SiteRefusedException("restore-open",
                "what the ledger shows is not made good yet: " + (_open.FirstOrDefault() ?? "it is not compared yet, try again"));
        }

        foreach (string schemaId in pauseEveryone ? await store.ReadSchemasAsync(CancellationToken.None) : [])
        {
            SiteBook book = await BookAsync(schemaId);
            await SetAsync(book, [.. Enumerable.Range(0, book.PersonKeys.Length)
                .Where(person => book.Policies[person] is { Quota: > 0, Participation: Participation.Active })], Participation.Paused);
        }

        await store.SaveRestoreAsync(row with { IsConfirmed = true }, CancellationToken.None);
    }

    /// <summary>Whether the site hands nothing over now. Makes good what it can.</summary>
    private async Task<bool> IsHeldBackAsync(uint site, Progress progress)
    {
        _restore = await store.FindRestoreAsync(CancellationToken.None);
        bool isOpen = _restore is { IsConfirmed: false };
        (int rebuilds, ulong followedTo) = (ledger.Rebuilds, ledger.FollowedTo);
        ulong from = !isOpen && _compared is { } last && last.Rebuilds == rebuilds ? last.Block + 1 : 0;
        EpochRow[] epochs = await LostEpochsAsync(site, from);
        DeliveryRow[] deliveries = await LostDeliveriesAsync(site, from);
        if (!isOpen)
        {
            if (epochs.Length + deliveries.Length == 0)
            {
                // Only what was compared and found is not looked at again.
                _compared = (rebuilds, followedTo);
                return false;
            }

            // Nobody said that it was restored, or another process acts with the keys of this one.
            _restore = new SiteRestoreRow(0, 0, IsConfirmed: false);
            await store.SaveRestoreAsync(_restore, CancellationToken.None);
        }

        List<string> open = [];
        foreach (EpochRow epoch in epochs)
        {
            await RecoverAsync(site, epoch, open);
        }

        await FindUnknownMembersAsync(site, open);
        if (open.Count == 0)
        {
            foreach (DeliveryRow delivery in deliveries)
            {
                await RecoverAsync(site, delivery);
            }

            await WithdrawRevokedAsync(site);
            if (_restore!.LedgerSeconds == 0)
            {
                await ChargeUnderWayAsync(site);
                _restore = _restore with { LedgerSeconds = Math.Max(1, ledger.NowSeconds) };
                await store.SaveRestoreAsync(_restore, CancellationToken.None);
            }

            await TakeForgottenAsync(site, open);
        }

        _open = [.. open];
        progress.Wait(null, open.Count > 0 ? open[0] : HeldBack);
        return true;
    }

    // ---- what the ledger has and the store has not --------------------------------------------------------------------------

    private async Task<EpochRow[]> LostEpochsAsync(uint site, ulong fromBlock)
    {
        List<EpochRow> lost = [];
        foreach (IGrouping<Bytes32, EpochRow> schema in ledger.EpochsOf(site, fromBlock).GroupBy(epoch => epoch.Header.SchemaId))
        {
            Dictionary<uint, string> known = (await store.ReadEpochsAsync(schema.Key.ToDigits(), CancellationToken.None))
                .ToDictionary(row => row.Epoch.Epoch, row => row.Epoch.FileHash);
            lost.AddRange(schema.Where(epoch => !known.ContainsKey(epoch.Header.Epoch)));
        }

        return [.. lost];
    }

    private async Task<DeliveryRow[]> LostDeliveriesAsync(uint site, ulong fromBlock)
    {
        IReadOnlyList<DeliveryRow> posted = ledger.DeliveriesOf(site, fromBlock);
        if (posted.Count == 0)
        {
            return [];
        }

        HashSet<(ulong, uint, string)> known =
            [.. (await store.ReadOrdersAsync(CancellationToken.None)).Select(row => (row.Delivery.RequestId, row.Attempt, row.FileHash))];
        return [.. posted.Where(
            delivery => !known.Contains((delivery.Header.RequestId, delivery.Header.Attempt, delivery.Header.DataHash.ToDigits())))];
    }

    /// <summary>Takes an epoch back that the store forgot, with its file from the market.</summary>
    private async Task RecoverAsync(uint site, EpochRow lost, List<string> open)
    {
        string schemaId = lost.Header.SchemaId.ToDigits();
        byte[]? file = await FindOwnFileAsync(site, lost.Header.DataHash);
        if (file is null && lost.Status != BatchStatus.Void)
        {
            open.Add(string.Create(CultureInfo.InvariantCulture,
                $"epoch {lost.Header.Epoch} of schema {schemaId} is on the ledger, and neither this store nor the market has its file"
                    + $" {lost.Header.DataHash.ToDigits()}: restore a later backup of either"));
            return;
        }

        EpochFile? read = file is null ? null : EpochFile.Read(file);
        await store.KeepEpochAsync(new SiteEpochRow(schemaId, new SiteEpoch
        {
            Epoch = lost.Header.Epoch, Members = read?.Members.Length ?? 0, Classes = read?.Classes.Length ?? 0, Withheld = 0,
            FileHash = lost.Header.DataHash.ToDigits(),
        }), CancellationToken.None);
    }

    /// <summary>Records that were loaded after the backup are missed before anything is drawn of them.</summary>
    private async Task FindUnknownMembersAsync(uint site, List<string> open)
    {
        string[] schemas = await store.ReadSchemasAsync(CancellationToken.None);
        foreach (EpochRow epoch in ledger.Epochs().Where(epoch => epoch.Header.Site == site && epoch.Status != BatchStatus.Void))
        {
            string schemaId = epoch.Header.SchemaId.ToDigits();
            if (await store.FindFileAsync(epoch.Header.DataHash.ToDigits(), CancellationToken.None) is null)
            {
                continue;
            }

            EpochFile file = await EpochFileAsync(epoch.Header.DataHash);
            SiteBook? book = schemas.Contains(schemaId) ? await BookAsync(schemaId) : null;
            int unknown = file.Members.Count(member => book is null || book.RecordOf(member.Pseudonym) < 0);
            if (unknown > 0)
            {
                string what = string.Create(CultureInfo.InvariantCulture,
                    $"epoch {epoch.Header.Epoch} of schema {schemaId} names {unknown} records that are not here");
                open.Add(what + ": load again what was loaded after the backup");
            }
        }
    }

    /// <summary>Charges a delivery that the store forgot: what its file holds, or everything that its request could buy where nobody has
    /// the file.</summary>
    private async Task RecoverAsync(uint site, DeliveryRow lost)
    {
        RequestRow request = ledger.Request(lost.Header.RequestId)!;
        SiteBook book = await BookAsync(request.Terms.SchemaId.ToDigits());
        EpochFile epoch = await SoldEpochAsync(site, request);
        byte[]? file = await FindOwnFileAsync(site, lost.Header.DataHash);
        DeliveryFile? read = file is null ? null : DeliveryFile.Read(file, book.Schema);
        (int[] records, int[] attributes, byte[] grades) = read is null
            ? DeliveryBuilder.Everybody(book, epoch, request.Terms.ToDemand())
            : DeliveryBuilder.Delivered(book, read, epoch, request.Terms.ToDemand());
        int count = (int)lost.Header.Count, sold = read?.Leaves.Length ?? count;
        SiteOrderRow? earlier = (await store.ReadOrdersAsync(CancellationToken.None))
            .FirstOrDefault(row => row.Delivery.RequestId == request.RequestId && row.Attempt == lost.Header.Attempt);
        SiteOrderRow recovered = new()
        {
            Version = earlier?.Version ?? 0,
            Sequence = earlier?.Sequence ?? -(((long)request.RequestId * AttemptsOfARequest) + lost.Header.Attempt) - 1,
            SchemaId = book.Schema.Id,
            Attempt = lost.Header.Attempt,
            State = SiteOrderState.Released,
            FileHash = lost.Header.DataHash.ToDigits(),
            RecordKeys = [.. records.Select(record => book.Records.RecordKeys[record])],
            Attributes = attributes,
            Grades = grades,
            Delivery = new SiteDelivery
            {
                Sequence = earlier?.Sequence ?? 0, RequestId = request.RequestId, Sold = sold, Delivered = count, OverCap = 0,
                NotAllowed = sold - count,
                Refusal = file is not null ? "" : "its file is lost: everybody who was on offer is charged with it",
            },
        };
        await SaveAsync(earlier is { SchemaId.Length: > 0 } ? OrderLosses.Joined(recovered, earlier) : recovered);
        _books.Remove(book.Schema.Id);
    }

    /// <summary>Who is revoked on the ledger has withdrawn, whether the store knows it or not.</summary>
    private async Task WithdrawRevokedAsync(uint site)
    {
        HashSet<Bytes32> revoked = [.. ledger.Revocations(site).Select(row => row.Pseudonym)];
        foreach (string schemaId in revoked.Count == 0 ? [] : await store.ReadSchemasAsync(CancellationToken.None))
        {
            SiteBook book = await BookAsync(schemaId);
            await SetAsync(book, [.. Enumerable.Range(0, book.Records.Count).Where(record => revoked.Contains(book.Pseudonyms[record]))
                .Select(record => book.Records.PersonIndex[record]).Distinct()
                .Where(person => book.Policies[person].Participation != Participation.Withdrawn)], Participation.Withdrawn);
        }
    }

    private async Task SetAsync(SiteBook book, int[] persons, Participation participation)
    {
        if (persons.Length > 0)
        {
            SiteBook.PersonPolicy[] now = Array.ConvertAll(persons, person => book.Policies[person]);
            await SetPoliciesAsync(new SetPolicies
            {
                SchemaId = book.Schema.Id,
                PersonKeys = Array.ConvertAll(persons, person => book.PersonKeys[person]),
                Profiles = Array.ConvertAll(now, policy => policy.Profile),
                Rates = Array.ConvertAll(now, policy => policy.Rate),
                Quotas = Array.ConvertAll(now, policy => Math.Max((ushort)1, policy.Quota)),
                Purposes = Array.ConvertAll(now, policy => policy.Purpose),
                ExpirySeconds = Array.ConvertAll(now, policy => policy.ExpirySeconds),
                Participation = Array.ConvertAll(persons, _ => participation),
            });
        }
    }

    // ---- what may have left -------------------------------------------------------------------------------------------------

    /// <summary>Orders that were under way at the backup may have been drawn again after it, for others: all who were sold are
    /// charged.</summary>
    private async Task ChargeUnderWayAsync(uint site)
    {
        foreach (SiteOrderRow row in (await store.ReadOrdersAsync(CancellationToken.None))
            .Where(row => row.State is SiteOrderState.Reserved or SiteOrderState.Sending))
        {
            SiteBook book = await BookAsync(row.SchemaId);
            RequestRow request = ledger.Request(row.Delivery.RequestId)!;
            DeliveryBuilder builder = await BuilderAsync(site, book, request, await FinalRoundAsync(request));
            SiteOrderRow all = Forgotten(book, builder, request, row.Sequence, row.Attempt);
            await SaveAsync(OrderLosses.Joined(row with
            {
                State = SiteOrderState.Sending, RecordKeys = all.RecordKeys, Attributes = all.Attributes, Grades = all.Grades,
            }, row));
            _books.Remove(book.Schema.Id);
        }
    }

    /// <summary>Takes the orders that the store does not have, so that what may have left for them is charged; nothing is handed
    /// over.</summary>
    private async Task TakeForgottenAsync(uint site, List<string> open)
    {
        DeliveryOrder[] orders = await NewOrdersAsync(site, await store.ReadOrdersAsync(CancellationToken.None));
        foreach (DeliveryOrder order in orders)
        {
            if (await TakeAsync(site, order) is null)
            {
                open.Add(string.Create(CultureInfo.InvariantCulture, $"the ledger does not show the round of order {order.Sequence} yet"));
                return;
            }
        }

        if (orders.Length > 0)
        {
            open.Add("there are more orders of the market to look at");
        }
    }

    private async Task<DeliveryOrder[]> NewOrdersAsync(uint site, SiteOrderRow[] known)
    {
        long after = Math.Max(0, known.Length == 0 ? 0 : known[^1].Sequence);
        try
        {
            return await market.GetOrdersAsync(site, after, CancellationToken.None);
        }
        catch (LinkRefusedException refusal) when (refusal.Code == LinkRefusedException.EpochMissing)
        {
            await HandInEpochsAsync(site);
            return await market.GetOrdersAsync(site, after, CancellationToken.None);
        }
    }

    /// <summary>Gives a market that lost them the files of the epochs that are on the ledger, and public by that.</summary>
    private async Task HandInEpochsAsync(uint site)
    {
        foreach (EpochRow epoch in ledger.Epochs().Where(epoch => epoch.Header.Site == site && epoch.Status != BatchStatus.Void))
        {
            if (await store.FindFileAsync(epoch.Header.DataHash.ToDigits(), CancellationToken.None) is { } file)
            {
                await market.PublishEpochAsync(new EpochPublication { Site = site, LeafFile = file }, CancellationToken.None);
            }
        }
    }

    /// <summary>Whether an order of a round may have been served by what the store has forgotten.</summary>
    private bool MayBeForgotten(RoundRow round) =>
        _restore is { } restore && (!restore.IsConfirmed || (long)round.EndedSeconds <= restore.LedgerSeconds);

    /// <summary>An order as if all that was sold had left: the most that may have.</summary>
    private static SiteOrderRow Forgotten(SiteBook book, DeliveryBuilder builder, RequestRow request, long sequence, uint attempt)
    {
        (int[] records, int[] attributes, byte[] grades) = builder.Sold(request.Index, request.Terms.ToDemand());
        return new SiteOrderRow
        {
            Sequence = sequence,
            SchemaId = book.Schema.Id,
            Attempt = attempt,
            State = SiteOrderState.Sending,
            FileHash = "",
            RecordKeys = [.. records.Select(record => book.Records.RecordKeys[record])],
            Attributes = attributes,
            Grades = grades,
            Delivery = new SiteDelivery
            {
                Sequence = sequence, RequestId = request.RequestId, Sold = records.Length, Delivered = 0, OverCap = 0, NotAllowed = 0,
            },
        };
    }

    /// <summary>The delivery that was released for an order under another number: a restored market orders again.</summary>
    private async Task<SiteOrderRow?> FindReleasedAsync(DeliveryOrder order) => (await store.ReadOrdersAsync(CancellationToken.None))
        .FirstOrDefault(row => row.Delivery.RequestId == order.RequestId && row.Attempt == order.Attempt
            && row.State == SiteOrderState.Released && row.Sequence != order.Sequence);

    /// <summary>
    /// An order for what was released before: the same file goes out once more, as far as it is still allowed. A file that is lost is drawn
    /// again; where that comes to another one than the ledger names, since somebody allows less now, nobody can have it any more.
    /// </summary>
    private async Task<SiteOrderRow> ReleaseAgainAsync(SiteBook book, DeliveryBuilder builder, RequestRow request, DeliveryOrder order,
        SiteOrderRow released, bool isForgotten)
    {
        bool hasFile = await store.FindFileAsync(released.FileHash, CancellationToken.None) is not null;
        if (!hasFile)
        {
            byte[] bytes = builder.Draw(request.RequestId, request.Index, request.Terms.ToDemand(), order.Attempt, ledger.NowSeconds)
                .File.Write(book.Schema);
            _books.Remove(book.Schema.Id);
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) == released.FileHash)
            {
                await store.KeepFileAsync(released.FileHash, bytes, CancellationToken.None);
                hasFile = true;
            }
        }

        if (hasFile && isForgotten)
        {
            // An earlier try may have held others of those who were sold, and none beside them.
            SiteOrderRow all = Forgotten(book, builder, request, order.Sequence, order.Attempt);
            SiteOrderRow charged = released with
            {
                RecordKeys = all.RecordKeys, Attributes = all.Attributes, Grades = all.Grades,
                Delivery = released.Delivery with { Sold = all.RecordKeys.Length, Refusal = "" },
            };
            await SaveAsync(charged);
            released = charged;
        }

        return await RepeatAsync(order, released, hasFile ? SiteOrderState.Sending : SiteOrderState.Empty);
    }

    private async Task<SiteOrderRow> RepeatAsync(DeliveryOrder order, SiteOrderRow before, SiteOrderState state)
    {
        SiteOrderRow row = before with
        {
            Version = 0, Sequence = order.Sequence, State = state, Receipt = [], Delivery = before.Delivery with
            {
                Sequence = order.Sequence,
            },
        };
        await SaveAsync(row);
        _books.Remove(row.SchemaId);
        return row with { Version = 1 };
    }

    /// <summary>A file of the site's own, from its store or the market; what the market gives is held against its hash.</summary>
    private async Task<byte[]?> FindOwnFileAsync(uint site, Bytes32 hash)
    {
        string name = hash.ToDigits();
        if (await store.FindFileAsync(name, CancellationToken.None) is { } here)
        {
            return here;
        }

        byte[]? file = await market.FindFileAsync(site, name, CancellationToken.None);
        if (file is null || Convert.ToHexStringLower(SHA256.HashData(file)) != name)
        {
            return null;
        }

        await store.KeepFileAsync(name, file, CancellationToken.None);
        return file;
    }
}
