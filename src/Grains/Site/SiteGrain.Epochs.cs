using System.Security.Cryptography;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site.Epochs;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site;

// Epochs: who is on offer, who withdrew, and the leaves that somebody demands.
public sealed partial class SiteGrain
{
    /// <inheritdoc/>
    public async Task<SiteEpoch> DecideEpochAsync(string schemaId)
    {
        await ledger.SyncAsync();
        SiteBook book = await BookAsync(schemaId);
        uint site = SiteNumber();
        if (await store.FindRestoreAsync(CancellationToken.None) is { IsConfirmed: false })
        {
            throw new SiteRefusedException("restore-open", HeldBack);
        }

        if (site == 0)
        {
            throw new SiteRefusedException(
                "not-admitted", $"the consortium has not registered the account {options.Account} as a site: ask it to, then try again");
        }

        SiteEpochRow[] epochs = await store.ReadEpochsAsync(schemaId, CancellationToken.None);
        if (epochs.Length > 0 && StatusOf(site, book.LedgerId, epochs[^1].Epoch.Epoch) is BatchStatus.Absent or BatchStatus.Posted)
        {
            return epochs[^1].Epoch;
        }

        uint number = epochs.Length == 0 ? 1 : epochs[^1].Epoch.Epoch + 1;
        EpochPast past = await PastAsync(book, site, epochs);
        (EpochFile? file, int withheld) = EpochBuilder.Build(book, options, site, number, past, ledger.NowSeconds);
        if (file is null)
        {
            throw new SiteRefusedException("nobody-to-publish",
                $"of {book.Records.Count} records none is on offer, or fewer than {OfferClasses.MinPersons} persons are alike in every "
                    + "group: set policies first");
        }

        byte[] bytes = file.Write();
        SiteEpoch epoch = new()
        {
            Epoch = number, Members = file.Members.Length, Classes = file.Classes.Length, Withheld = withheld,
            FileHash = Convert.ToHexStringLower(SHA256.HashData(bytes)),
        };
        byte[] absent = past.WriteAbsent(file);
        string absentHash = Convert.ToHexStringLower(SHA256.HashData(absent));
        await store.KeepFileAsync(epoch.FileHash, bytes, CancellationToken.None);
        await store.KeepFileAsync(absentHash, absent, CancellationToken.None);
        return (await store.KeepEpochAsync(new SiteEpochRow(schemaId, epoch) { AbsentHash = absentHash }, CancellationToken.None)).Epoch;
    }

    /// <summary>Where the site's records stood last: in the newest final epoch, or where its row says of those who are not in it. A row
    /// of an earlier program, or one that was taken back from the ledger, does not say; then earlier epochs are read.</summary>
    private async Task<EpochPast> PastAsync(SiteBook book, uint site, SiteEpochRow[] decided)
    {
        Dictionary<uint, string> absent = decided.ToDictionary(row => row.Epoch.Epoch, row => row.AbsentHash);
        EpochPast past = new();
        foreach (EpochRow row in ledger.Epochs(book.LedgerId).Reverse()
            .Where(row => row.Header.Site == site && row.Status == BatchStatus.Final))
        {
            past.AddEarlier(await EpochFileAsync(row.Header.DataHash));
            if (absent.GetValueOrDefault(row.Header.Epoch) is { Length: > 0 } hash)
            {
                past.AddEarlier(await FileAsync(hash));
                break;
            }

            if (Array.TrueForAll(book.Pseudonyms, pseudonym => past.Find(pseudonym) is not null))
            {
                break;
            }
        }

        return past;
    }

    private async Task AdvanceEpochsAsync(uint site, string schemaId, Progress progress)
    {
        SiteEpochRow[] epochs = await store.ReadEpochsAsync(schemaId, CancellationToken.None);
        if (epochs.Length == 0)
        {
            return;
        }

        SiteEpoch epoch = epochs[^1].Epoch;
        Bytes32 schema = Bytes32.ParseDigits(schemaId);
        EpochRow? posted = ledger.Epoch(BatchId.Epoch(ledger.Deployment.ChainId, AccessControl, site, schema, epoch.Epoch));
        DynamicAccessControl contract = new(node, AccessControl);
        if (posted is null)
        {
            string id = $"post-epoch/{schemaId}/{epoch.Epoch}";
            if (!_submitted.Contains(id))
            {
                byte[] bytes = await FileAsync(epoch.FileHash);
                await market.PublishEpochAsync(new EpochPublication { Site = site, LeafFile = bytes }, CancellationToken.None);
                EpochFile file = EpochFile.Read(bytes);
                EpochBatch batch = file.Build(ledger.Deployment.ChainId, AccessControl, Bytes32.ParseDigits(epoch.FileHash));
                Remember(batch.Header.DataHash, file);
                await SubmitAsync(id, contract.PostEpoch(batch.Header), progress);
            }

            progress.Wait(null, $"the ledger to take epoch {epoch.Epoch}");
        }
        else if (posted.Status == BatchStatus.Posted)
        {
            long due = (long)posted.Posting.Timestamp + ledger.Deployment.Terms.EpochWindowSeconds;
            if (ledger.NowSeconds >= due)
            {
                await SubmitAsync($"finalise-epoch/{schemaId}/{epoch.Epoch}",
                    contract.FinaliseEpoch(new Epoch(posted.Header, posted.Posting)), progress);
            }

            progress.Wait(due, $"the window of epoch {epoch.Epoch}");
        }
    }

    /// <summary>Relays the revocations of those who withdrew, once a day of the ledger's time. Who they are is kept at the day's first
    /// step, also when they are nobody: whoever withdraws later waits for the next day, or the time of a transaction would tell when
    /// somebody withdrew.</summary>
    private async Task RevokeAsync(uint site, string schemaId, Progress progress)
    {
        const long Day = 86_400;
        SiteBook book = await BookAsync(schemaId);
        long day = ledger.NowSeconds / Day;
        string id = $"revoke/{schemaId}/{day}";
        if (_submitted.Contains(id) || ledger.FinalEpoch(site, book.LedgerId) is not { } epoch)
        {
            return;
        }

        ulong[] withdrawn = await store.KeepWithdrawnAsync(
            schemaId, day, [.. book.Withdrawn.Select(person => book.PersonKeys[person]).Order()], CancellationToken.None);
        HashSet<int> persons = [.. withdrawn.Select(book.PersonOf)];
        int[] records = [.. Enumerable.Range(0, book.Records.Count)
            .Where(record => persons.Contains(book.Records.PersonIndex[record])
                && ledger.RevokedAt(site, book.Pseudonyms[record]) is null)];
        if (records.Length > 0)
        {
            EpochFile file = await EpochFileAsync(epoch.Header.DataHash);
            Dictionary<Bytes32, uint> positions = file.Members.Select((member, i) => (member.Pseudonym, (uint)i)).ToDictionary();
            Dictionary<Bytes32, byte[]> handedIn = (await store.ReadRevocationsAsync(schemaId, CancellationToken.None))
                .ToDictionary(row => Bytes32.Parse("0x" + row.Pseudonym), row => row.Signature);
            List<(uint, byte[])> members = [];
            foreach (int record in records.Where(record => positions.ContainsKey(book.Pseudonyms[record])))
            {
                uint position = positions[book.Pseudonyms[record]];
                if (SignRevocation(book, site, record, file.Members[position].Controller, handedIn) is { } signature)
                {
                    members.Add((position, signature));
                }
            }

            EpochBatch batch = file.Build(ledger.Deployment.ChainId, AccessControl, epoch.Header.DataHash);
            foreach ((int part, ContractCall call) in Revocations.Calls(
                new(node, AccessControl), batch, epoch.Posting, members).Index())
            {
                await SubmitAsync($"{id}/{part}", call, progress);
            }
        }

        _submitted.Add(id);
    }

    /// <summary>The revocation that the controller in a published leaf accepts: the site's own signature where the seed is with the site,
    /// else the patient's; null when the patient handed in none that fits.</summary>
    private byte[]? SignRevocation(SiteBook book, uint site, int record, Address controller, Dictionary<Bytes32, byte[]> handedIn)
    {
        Bytes32 pseudonym = book.Pseudonyms[record];
        Bytes32 digest = SignedMessages.Revocation(ledger.Deployment.ChainId, AccessControl, site, pseudonym);
        if (book.AccountBehind(record, controller) is null)
        {
            byte[] seed = PatientKeys.SeedAtSite(options.Key, book.Records.PersonKeys[record]);
            return new EthereumAccount(PatientKeys.Controller(seed, pseudonym)).Sign(digest).ToBytes();
        }

        return handedIn.TryGetValue(pseudonym, out byte[]? signature) && PublisherMessages.SignerOf(digest, signature) == controller
            ? signature : null;
    }

    /// <summary>Opens the leaves that somebody demands of what this site posted.</summary>
    private async Task AnswerDemandsAsync(uint site, Progress progress)
    {
        foreach (DemandRow demand in ledger.OpenDemands())
        {
            string id = $"answer/{demand.BatchId}/{demand.Kind}/{demand.Position}/{demand.DemandedBlock}";
            if (_submitted.Contains(id))
            {
                continue;
            }

            Bytes32? file = ledger.Epoch(demand.BatchId) is { } posted && posted.Header.Site == site ? posted.Header.DataHash
                : ledger.Delivery(demand.BatchId) is { } delivered && delivered.Header.Site == site ? delivered.Header.DataHash : null;
            if (file is { } named && await store.FindFileAsync(named.ToDigits(), CancellationToken.None) is null)
            {
                // Nobody can open it: the batch will be void, and the site's other work must not wait for that.
                progress.Wait((long)demand.AnswerBySeconds, $"file {named} of a demanded leaf, which the site's store does not have");
                continue;
            }

            if (ledger.Epoch(demand.BatchId) is { } epoch && epoch.Header.Site == site)
            {
                EpochBatch batch = (await EpochFileAsync(epoch.Header.DataHash))
                    .Build(ledger.Deployment.ChainId, AccessControl, epoch.Header.DataHash);
                await SubmitAsync(id, DemandAnswers.Epoch(new(node, AccessControl), batch, epoch.Posting, demand.Kind, demand.Position),
                    progress);
            }
            else if (ledger.Delivery(demand.BatchId) is { } delivery && delivery.Header.Site == site)
            {
                SiteBook book = await BookAsync(ledger.Request(delivery.Header.RequestId)!.Terms.SchemaId.ToDigits());
                DeliveryFile leaves = DeliveryFile.Read(await FileAsync(delivery.Header.DataHash.ToDigits()), book.Schema);
                DeliveryBatch batch = leaves.Build(ledger.Deployment.ChainId, Evaluation, delivery.Header.DataHash);
                await SubmitAsync(id, DemandAnswers.Delivery(new(node, Evaluation), batch, delivery.Posting, demand.Position), progress);
            }
        }
    }
}
