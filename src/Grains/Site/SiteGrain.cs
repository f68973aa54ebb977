using System.Security.Cryptography;
using EmrMarket.Analytics.Auditing;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Sending;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site;

/// <summary>The site's workflow. Every step is decided from store and ledger alone and may be repeated, so that a crash between any two of
/// them loses and doubles nothing.</summary>
[GrainType("site")]
public sealed partial class SiteGrain(
    ISiteStore store, ILedgerView ledger, ISiteMarketLink market, IEthereumClient node, SiteOptions options)
    : Grain, ISiteGrain
{
    private const int MillionParts = 1_000_000;

    // The crowd of docs/ATTACK_MODEL.md's figures.
    private const int CrowdSize = 1_000;

    private readonly Dictionary<string, SiteBook> _books = new(StringComparer.Ordinal);
    private readonly Dictionary<Bytes32, EpochFile> _epochFiles = [];
    private readonly HashSet<string> _submitted = new(StringComparer.Ordinal);
    private readonly HashSet<string> _refused = new(StringComparer.Ordinal);
    private (string Hash, RoundFile File, RoundBatch Batch)? _round;

    private Address AccessControl => Address.Parse(ledger.Deployment.AccessControl.Address);

    private Address Evaluation => Address.Parse(ledger.Deployment.Evaluation.Address);

    private ILedgerGrain Account => GrainFactory.GetGrain<ILedgerGrain>(LedgerGrain.KeyOf(ledger.Deployment.ChainId, options.Account));

    /// <inheritdoc/>
    public async Task LoadAsync(LoadRecords load)
    {
        ArgumentNullException.ThrowIfNull(load);
        Schema schema = Checked(load);
        if (_books.TryGetValue(schema.Id, out SiteBook? book) || (await store.ReadSchemasAsync(CancellationToken.None)).Contains(schema.Id))
        {
            if ((await store.ReadRecordsAsync(schema.Id, CancellationToken.None)).Any(batch => batch.Id == load.Id))
            {
                _books.Remove(schema.Id);
                return;
            }

            book ??= await BookAsync(schema.Id);
            int known = Array.FindIndex(load.RecordKeys, book.Holds);
            if (known >= 0)
            {
                throw new SiteRefusedException("record-known",
                    $"record {known + 1} of the batch stands under its key already: a record is loaded once; give a corrected one a new "
                        + "key");
            }
        }

        try
        {
            await store.KeepRecordsAsync(load, schema.Id, CancellationToken.None);
        }
        finally
        {
            // Whether they were stored or not: the book is read again.
            _books.Remove(schema.Id);
        }
    }

    /// <inheritdoc/>
    public async Task SetPoliciesAsync(SetPolicies policies)
    {
        ArgumentNullException.ThrowIfNull(policies);
        SiteBook book = await BookAsync(policies.SchemaId);
        int count = policies.PersonKeys.Length;
        if (policies.Profiles.Length != count || policies.Rates.Length != count || policies.Quotas.Length != count
            || policies.Purposes.Length != count
            || policies.ExpirySeconds.Length != count || policies.Participation.Length != count)
        {
            throw new SiteRefusedException("policy-columns", $"{count} persons need {count} entries in every column");
        }

        for (int i = 0; i < count; i++)
        {
            string? fault = book.PersonOf(policies.PersonKeys[i]) < 0 ? "the person is not known here"
                : policies.Profiles[i] >= book.Schema.Profiles.Count
                ? $"profile {policies.Profiles[i]} is not on the menu of {book.Schema.Profiles.Count}"
                : policies.Rates[i] >= options.Rates.Count ? $"rate {policies.Rates[i]} is not on the menu of {options.Rates.Count}"
                : policies.Quotas[i] == 0 ? "the quota is at least 1: to be left out, pause or withdraw"
                : PurposeTree.Default.Purposes.All(purpose => purpose.Code != policies.Purposes[i])
                ? $"there is no purpose {policies.Purposes[i]}"
                : policies.ExpirySeconds[i] < 0 ? "the end lies before 1970"
                : !Enum.IsDefined(policies.Participation[i]) ? $"there is no participation {policies.Participation[i]}"
                : book.Policies[book.PersonOf(policies.PersonKeys[i])].Participation == Participation.Withdrawn
                && policies.Participation[i] != Participation.Withdrawn
                    ? "the person has withdrawn for good" : null;
            if (fault is not null)
            {
                throw new SiteRefusedException("policy-invalid", $"policy {i + 1} of {count}: {fault}");
            }
        }

        SetPolicies next = policies with { InPlaceOf = null };
        if (policies.InPlaceOf is { } known && !book.Has(known) && !book.Has(next))
        {
            throw new SiteRefusedException("command-nonce",
                "what the person allows was changed since the command was signed, by a command for another of their pseudonyms or by the "
                    + "site: ask for the offer, and sign again");
        }

        try
        {
            await store.SavePoliciesAsync(next, CancellationToken.None);
        }
        catch
        {
            // Whether they were stored is not known, and a withdrawal that was has to count: the book is read again.
            _books.Remove(policies.SchemaId);
            throw;
        }

        book.Apply(next);
    }

    /// <inheritdoc/>
    public async Task<int> SetDefaultPoliciesAsync(SetDefaultPolicies policies)
    {
        ArgumentNullException.ThrowIfNull(policies);
        SiteBook book = await BookAsync(policies.SchemaId);
        int[] persons = [.. Enumerable.Range(0, book.PersonKeys.Length).Where(person => book.Policies[person].Quota == 0)];
        (byte[] profiles, byte[] rates) = (Drawn(policies.ProfileShares, persons.Length), Drawn(policies.RateShares, persons.Length));
        if (persons.Length > 0)
        {
            await SetPoliciesAsync(new SetPolicies
            {
                SchemaId = policies.SchemaId,
                PersonKeys = Array.ConvertAll(persons, person => book.PersonKeys[person]),
                Profiles = profiles,
                Rates = rates,
                Quotas = Array.ConvertAll(persons, _ => policies.Quota),
                Purposes = Array.ConvertAll(persons, _ => policies.Purpose),
                ExpirySeconds = Array.ConvertAll(persons, _ => policies.ExpirySeconds),
                Participation = Array.ConvertAll(persons, _ => Participation.Active),
            });
        }

        return persons.Length;
    }

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
        (EpochFile? file, int withheld) = EpochBuilder.Build(
            book, options, site, number, await PastAsync(book, site), ledger.NowSeconds);
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
        await store.KeepFileAsync(epoch.FileHash, bytes, CancellationToken.None);
        return (await store.KeepEpochAsync(new SiteEpochRow(schemaId, epoch), CancellationToken.None)).Epoch;
    }

    /// <summary>Where the site's records stood last. Earlier epochs are read only for those who are in no later one: they paused, or are
    /// new.</summary>
    private async Task<EpochPast> PastAsync(SiteBook book, uint site)
    {
        EpochPast past = new();
        foreach (EpochRow row in ledger.Epochs(book.LedgerId).Reverse()
            .Where(row => row.Header.Site == site && row.Status == BatchStatus.Final))
        {
            if (past.Count == book.Records.Count)
            {
                break;
            }

            past.AddEarlier(book, past.Count == 0 ? await EpochFileAsync(row.Header.DataHash)
                : EpochFile.Read(await FileAsync(row.Header.DataHash.ToDigits())));
        }

        return past;
    }

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

    /// <inheritdoc/>
    public async Task<SitePublisher> PublisherAsync(string schemaId, string pseudonym)
    {
        // A process that lost its store must not answer a patient by what it knew, nor refuse a command that follows one it does not know.
        await using IAsyncDisposable hold = await store.HoldAsync(CancellationToken.None);
        (SiteBook book, int record) = await RecordAsync(schemaId, pseudonym);
        int person = book.Records.PersonIndex[record];
        return new SitePublisher
        {
            Site = SiteNumber(),
            Controller = ControllerOf(book, record).ToArray(),
            Accounts = [.. book.AccountsOf(record).Select(account => account.Key.ToArray())],
            Policy = book.PolicyOf(schemaId, person),
            LossMicro = book.Budgets.LossOf(person).Micro,
            CapMicro = book.Budgets.Cap.Micro,
        };
    }

    /// <inheritdoc/>
    public async Task TakeOverAsync(SiteTakeOver takeOver)
    {
        ArgumentNullException.ThrowIfNull(takeOver);
        (SiteBook book, int record) = await RecordAsync(takeOver.SchemaId, takeOver.Pseudonym);
        PayoutAccount account;
        try
        {
            account = new PayoutAccount(new PublicKey(takeOver.PublicKey), takeOver.ChainCode);
        }
        catch (ArgumentException e)
        {
            throw new SiteRefusedException("account-malformed", e.Message);
        }

        if (book.AccountsOf(record).Contains(account))
        {
            return;
        }

        if (ControllerOf(book, record) != new Address(takeOver.Controller))
        {
            throw new SiteRefusedException("account-changed",
                "another account was handed in for this person since the command was signed: sign it again with the controller of today");
        }

        SiteAccountRow row = new()
        {
            PersonKey = book.Records.PersonKeys[record], PublicKey = takeOver.PublicKey, ChainCode = takeOver.ChainCode,
        };
        try
        {
            await store.KeepAccountAsync(row, CancellationToken.None);
        }
        catch
        {
            // Whether it was stored is not known, and one that was has to count: the books are read again.
            _books.Clear();
            throw;
        }

        foreach (SiteBook one in _books.Values)
        {
            one.Apply(row);
        }
    }

    /// <inheritdoc/>
    public async Task KeepWithdrawnAsync(SiteRevocations revocations)
    {
        ArgumentNullException.ThrowIfNull(revocations);
        (SiteBook book, int record) = await RecordAsync(revocations.SchemaId, revocations.Pseudonym);
        uint site = await KnownSiteNumberAsync();
        foreach (PublisherRevocation revocation in revocations.Revocations)
        {
            (_, int other) = await RecordAsync(revocations.SchemaId, revocation.Pseudonym);
            Bytes32 digest = SignedMessages.Revocation(ledger.Deployment.ChainId, AccessControl, site, book.Pseudonyms[other]);
            if (book.Records.PersonIndex[other] != book.Records.PersonIndex[record]
                || (site != 0 && PublisherMessages.SignerOf(digest, revocation.Signature) != ControllerOf(book, other)))
            {
                throw new SiteRefusedException("command-malformed",
                    "a revocation is of another person's pseudonym, or its signature is not of that pseudonym's controller for this ledger "
                        + "and site");
            }
        }

        foreach (PublisherRevocation revocation in revocations.Revocations)
        {
            await store.SaveRevocationAsync(
                new SiteRevocationRow
                {
                    SchemaId = revocations.SchemaId, Pseudonym = revocation.Pseudonym, Signature = revocation.Signature,
                }, CancellationToken.None);
        }
    }

    /// <summary>The site's number; 0 while nobody can know it: the ledger shows no admission yet, or cannot be read by a process that has
    /// just begun. A withdrawal waits for neither; what is handed in with it is looked at again before it is sent.</summary>
    private async Task<uint> KnownSiteNumberAsync()
    {
        if (SiteNumber() == 0)
        {
            try
            {
                await ledger.SyncAsync();
            }
            catch (EthereumException)
            {
                return SiteNumber();
            }
        }

        return SiteNumber();
    }

    /// <inheritdoc/>
    public async Task<SitePerson[]> PersonsAsync(string schemaId, ulong[] personKeys)
    {
        ArgumentNullException.ThrowIfNull(personKeys);
        SiteBook book = await BookAsync(schemaId);
        int[] persons = [.. personKeys.Select(book.PersonOf).Where(person => person >= 0).Distinct()];
        HashSet<int> asked = [.. persons];
        ILookup<int, string> pseudonyms = Enumerable.Range(0, book.Records.Count)
            .Where(record => asked.Contains(book.Records.PersonIndex[record]))
            .ToLookup(record => book.Records.PersonIndex[record], record => book.Pseudonyms[record].ToDigits());
        return [.. persons.Select(person => new SitePerson
        {
            Policy = book.PolicyOf(schemaId, person), Pseudonyms = [.. pseudonyms[person]],
        })];
    }

    /// <inheritdoc/>
    public async Task WithdrawAtDeskAsync(string schemaId, int record)
    {
        SiteBook book = await BookAsync(schemaId);
        int person = book.Records.PersonIndex[RecordAt(book, record)];
        SetPolicies known = book.PolicyOf(schemaId, person);
        await SetPoliciesAsync(
            known with { Quotas = [Math.Max((ushort)1, known.Quotas[0])], Participation = [Participation.Withdrawn] });
    }

    private static int RecordAt(SiteBook book, int record) => record >= 0 && record < book.Records.Count ? record
        : throw new SiteRefusedException("record-unknown",
            $"there is no record {record}: the schema has {book.Records.Count}, counted from 0 in the order of loading");

    private Address ControllerOf(SiteBook book, int record) => PatientAddresses.Of(
        book, options.Key.ToArray(), [new AddressPlace(record, book.AccountOf(record), null, 0)])[0];

    /// <inheritdoc/>
    public async Task<SiteEnrolment> EnrolmentAsync(string schemaId, int record)
    {
        SiteBook book = await BookAsync(schemaId);
        int person = book.Records.PersonIndex[RecordAt(book, record)];
        await ledger.SyncAsync();
        return new SiteEnrolment
        {
            Site = SiteNumber(),
            Seed = PatientKeys.SeedAtSite(options.Key, book.PersonKeys[person]),
            Pseudonyms =
                [.. Enumerable.Range(0, book.Records.Count).Where(r => book.Records.PersonIndex[r] == person)
                    .Select(r => book.Pseudonyms[r].ToDigits())],
        };
    }

    /// <inheritdoc/>
    public async Task<SiteReidentification> ReidentificationAsync(string schemaId)
    {
        SiteBook book = await BookAsync(schemaId);
        return book.Reidentification ??= Measure(book);
    }

    private static SiteReidentification Measure(SiteBook book)
    {
        // Coins of its own: what is measured here is released to nobody.
        byte[] key = RandomNumberGenerator.GetBytes(SiteOptions.KeyBytes);
        int people = Math.Min(CrowdSize, book.Records.PersonCount);
        if (people < 2)
        {
            return new SiteReidentification { People = people, TopOne = [.. book.Schema.Profiles.Select(_ => 1.0)] };
        }

        RecordTable crowd = Reidentification.ChooseCrowd(book.Records, people, key);
        int[] all = [.. Enumerable.Range(0, book.Schema.Attributes.Count)];
        int[] known = [.. all.Where(a => book.Schema.Attributes[a].Tier == Tier.Public)];
        return new SiteReidentification
        {
            People = people,
            TopOne =
            [
                .. book.Schema.Profiles.Select(profile =>
                {
                    ReleasedReport[] released = [.. all.Where(a => profile[a] > 0).Select(a => new ReleasedReport(a, profile[a]))];
                    return released.Length == 0 ? 1.0 / people
                        : Reidentification.Measure(crowd, book.Schema.Grades, released, [released.Length], known, key)[0].TopOne;
                }),
            ],
        };
    }

    /// <inheritdoc/>
    public async Task<PublisherUse[]> UsesAsync(string schemaId, string pseudonym)
    {
        (SiteBook book, int record) = await RecordAsync(schemaId, pseudonym);
        await ledger.SyncAsync();
        uint site = SiteNumber();
        List<PublisherUse> uses = [];
        HashSet<(ulong, uint)> told = [];
        foreach (SiteOrderRow order in await store.ReadOrdersAsync(CancellationToken.None))
        {
            // What a restored market ordered again is one use.
            if (order.SchemaId != schemaId
                || order.State is not (SiteOrderState.Reserved or SiteOrderState.Sending or SiteOrderState.Released)
                || !order.RecordKeys.Contains(book.Records.RecordKeys[record])
                || await store.FindFileAsync(order.FileHash, CancellationToken.None) is not { } delivered
                || !told.Add((order.Delivery.RequestId, order.Attempt)))
            {
                continue;
            }

            EpochRow epoch = SoldEpoch(site, ledger.Request(order.Delivery.RequestId)!);
            DeliveryFile file = DeliveryFile.Read(delivered, book.Schema);
            uses.AddRange(PublisherUses.Of(book, ledger, site, order, file, (await EpochFileAsync(epoch.Header.DataHash), epoch), record));
        }

        return [.. uses];
    }

    private async Task<(SiteBook Book, int Record)> RecordAsync(string schemaId, string pseudonym)
    {
        SiteBook book = await BookAsync(schemaId);
        int record = pseudonym.Length == 64 && pseudonym.All(char.IsAsciiHexDigit) ? book.RecordOf(Bytes32.ParseDigits(pseudonym)) : -1;
        return record >= 0 ? (book, record)
            : throw new SiteRefusedException("publisher-unknown",
                "this site has no such pseudonym in this schema: give the 64 hexadecimal digits of the wallet's entry");
    }

    // ---- epochs -----------------------------------------------------------------------------------------------------------

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
                _epochFiles[batch.Header.DataHash] = file;
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

    // ---- orders -----------------------------------------------------------------------------------------------------------

    private async Task AdvanceOrdersAsync(uint site, Progress progress)
    {
        SiteOrderRow[] known = await store.ReadOrdersAsync(CancellationToken.None);
        ForgetBooksBehind(known);

        // What the market has signed for needs the market no more.
        await RecordAllAsync(site, known, progress);
        foreach (SiteOrderRow row in known.Where(row => row.State is SiteOrderState.Reserved or SiteOrderState.Sending))
        {
            await HandOverAsync(site, row, progress);
        }

        DeliveryOrder[] orders = await NewOrdersAsync(site, known);
        foreach (DeliveryOrder order in orders)
        {
            SiteOrderRow? row = await TakeAsync(site, order);
            if (row is null)
            {
                progress.Wait(null, $"the ledger to show the round of order {order.Sequence}");
                break;
            }

            progress.Done();
            if (row.State == SiteOrderState.Reserved)
            {
                await HandOverAsync(site, row, progress, isJustDrawn: true);
            }
        }

        if (progress.HasDone)
        {
            await RecordAllAsync(site, await store.ReadOrdersAsync(CancellationToken.None), progress);
        }
    }

    private async Task RecordAllAsync(uint site, SiteOrderRow[] orders, Progress progress)
    {
        foreach (SiteOrderRow row in orders.Where(row => row.State == SiteOrderState.Released))
        {
            await RecordAsync(site, row, progress);
        }
    }

    /// <summary>Another process may have worked on this store: a book that does not know what became of an order knows too few losses, and
    /// is read again.</summary>
    private void ForgetBooksBehind(SiteOrderRow[] known)
    {
        foreach (SiteOrderRow row in known)
        {
            if (_books.TryGetValue(row.SchemaId, out SiteBook? book) && book.Versions.GetValueOrDefault(row.Sequence) != row.Version)
            {
                _books.Remove(row.SchemaId);
            }
        }
    }

    /// <summary>Checks an order against the ledger and draws its delivery; null while the ledger does not show the round yet. One that
    /// contradicts the ledger is refused and done with: it must not keep those behind it waiting.</summary>
    private async Task<SiteOrderRow?> TakeAsync(uint site, DeliveryOrder order)
    {
        try
        {
            return await DrawAsync(site, order);
        }
        catch (Exception e) when (e is ExchangeFileException or LinkRefusedException or SiteRefusedException)
        {
            // What was reserved before the fault was met stands in no row.
            _books.Clear();
            SiteOrderRow row = new()
            {
                Sequence = order.Sequence,
                SchemaId = "",
                Attempt = order.Attempt,
                State = SiteOrderState.Empty,
                FileHash = "",
                RecordKeys = [],
                Attributes = [],
                Grades = [],
                Delivery = new SiteDelivery
                {
                    Sequence = order.Sequence, RequestId = order.RequestId, Sold = 0, Delivered = 0, OverCap = 0, NotAllowed = 0,
                    Refusal = e.Message,
                },
            };
            await store.SaveOrderAsync(row, CancellationToken.None);
            return row with { Version = 1 };
        }
    }

    /// <summary>Draws an order's delivery and keeps both with the losses reserved; null while the ledger does not show the round
    /// yet.</summary>
    private async Task<SiteOrderRow?> DrawAsync(uint site, DeliveryOrder order)
    {
        RequestRow? request = ledger.Request(order.RequestId);
        string hash = Convert.ToHexStringLower(SHA256.HashData(order.RoundFile));
        if (_round?.Hash != hash)
        {
            RoundFile file = RoundFile.Read(order.RoundFile);
            _round = (hash, file, file.Build(ledger.Deployment.ChainId, Address.Parse(ledger.Deployment.Matching.Address)));
        }

        (_, RoundFile round, RoundBatch batch) = _round.Value;
        if (request is null || ledger.Round(batch.Id) is not { Status: BatchStatus.Final, Seed: not null } posted)
        {
            return null;
        }

        TermsDocument terms = TermsDocument.Read(order.TermsJson);
        if (terms.Hash() != request.Terms.TermsHash || terms.SchemaId != request.Terms.SchemaId.ToDigits()
            || posted.Header != batch.Header || request.Book != batch.Header.Ordinal
            || request.Index >= round.RequestIds.Count || round.RequestIds[(int)request.Index] != order.RequestId || request.Cancelled)
        {
            throw new LinkRefusedException("order-contradicts-ledger",
                $"order {order.Sequence} names terms, a round or a request that the ledger does not: nothing is drawn for it");
        }

        SiteBook book = await BookAsync(terms.SchemaId);
        await store.KeepFileAsync(hash, order.RoundFile, CancellationToken.None);
        DeliveryBuilder builder = await BuilderAsync(site, book, request, batch);
        if (await FindReleasedAsync(order) is { } released)
        {
            return await ReleaseAgainAsync(book, builder, request, order, released, MayBeForgotten(posted));
        }

        SiteOrderRow? forgotten = MayBeForgotten(posted) ? Forgotten(book, builder, request, order.Sequence, order.Attempt) : null;
        return await KeepAsync(
            book, 0, order.Sequence, order.Attempt,
            builder.Draw(request.RequestId, request.Index, request.Terms.ToDemand(), order.Attempt, ledger.NowSeconds), forgotten);
    }

    /// <summary>What draws deliveries of a final round to a request.</summary>
    private async Task<DeliveryBuilder> BuilderAsync(uint site, SiteBook book, RequestRow request, RoundBatch batch) => new(
        book, options, await SoldEpochAsync(site, request), batch, ledger.Round(batch.Id)!.Seed!.Value,
        pseudonym => ledger.RevokedAt(site, pseudonym) is not null);

    /// <summary>The final round of a request, from the store, where the order was kept with it.</summary>
    private async Task<RoundBatch> FinalRoundAsync(RequestRow request)
    {
        RoundRow round = ledger.Rounds(request.Terms.SchemaId)
            .First(one => one.Header.Ordinal == request.Book && one.Status == BatchStatus.Final);
        return RoundFile.Read(await FileAsync(round.Header.DataHash.ToDigits()))
            .Build(ledger.Deployment.ChainId, Address.Parse(ledger.Deployment.Matching.Address));
    }

    /// <summary>The site's epoch of which the round of a request sells: the one that was final when its book was closed.</summary>
    private Task<EpochFile> SoldEpochAsync(uint site, RequestRow request) => EpochFileAsync(SoldEpoch(site, request).Header.DataHash);

    private EpochRow SoldEpoch(uint site, RequestRow request)
    {
        BookRow closed = ledger.Books(request.Terms.SchemaId).First(one => one.Ordinal == request.Book);
        return ledger.FinalEpoch(site, request.Terms.SchemaId, closed.ClosedBlock)
            ?? throw new LinkRefusedException("order-contradicts-ledger",
                $"request {request.RequestId} is to be served from an epoch, and the ledger has none that was final");
    }

    /// <summary>Keeps a drawn delivery with its order in place of an earlier version. Losses of what may have left before stay with the
    /// order, beside those of what is drawn now: somebody may be in it who was in no file before.</summary>
    private async Task<SiteOrderRow> KeepAsync(
        SiteBook book, long version, long sequence, uint attempt, DeliveryBuilder.Drawn drawn, SiteOrderRow? sent = null)
    {
        byte[] bytes = drawn.File.Write(book.Schema);
        ulong[] keys = Array.ConvertAll(drawn.Records, record => book.Records.RecordKeys[record]);
        SiteOrderRow row = new()
        {
            Version = version,
            Sequence = sequence,
            SchemaId = book.Schema.Id,
            Attempt = attempt,
            State = sent is not null ? SiteOrderState.Sending : keys.Length > 0 ? SiteOrderState.Reserved : SiteOrderState.Empty,
            FileHash = Convert.ToHexStringLower(SHA256.HashData(bytes)),
            RecordKeys = keys,
            Attributes = drawn.Attributes,
            Grades = drawn.Grades,
            Delivery = new SiteDelivery
            {
                Sequence = sequence, RequestId = drawn.File.RequestId, Sold = drawn.Sold, Delivered = keys.Length, OverCap = drawn.OverCap,
                NotAllowed = drawn.NotAllowed,
            },
        };
        if (sent is null)
        {
            book.Pending[sequence] = drawn.Reserved;
            await SaveAsync(row, bytes);
            return row with { Version = version + 1 };
        }

        SiteOrderRow joined = OrderLosses.Joined(row, sent);
        await SaveAsync(joined, bytes);

        // The book has reserved what is drawn now, and the row says what is spent.
        _books.Remove(book.Schema.Id);
        return joined with { Version = version + 1 };
    }

    private async Task SaveAsync(SiteOrderRow row, byte[]? file = null)
    {
        try
        {
            if (file is not null)
            {
                await store.KeepFileAsync(row.FileHash, file, CancellationToken.None);
            }

            await store.SaveOrderAsync(row, CancellationToken.None);
            if (_books.TryGetValue(row.SchemaId, out SiteBook? book))
            {
                book.Versions[row.Sequence] = row.Version + 1;
            }
        }
        catch
        {
            // Whether it was stored is not known: the book is read again from what was.
            _books.Remove(row.SchemaId);
            throw;
        }
    }

    /// <summary>
    /// Hands a delivery to the market. That it is about to leave is stored before, so that a loss is charged from then on whatever becomes
    /// of it; and who withdrew or became stricter between drawing and handing over, or between two tries, is taken out first. Until it has
    /// left no other process can take the store, and hear of a withdrawal that this one does not know.
    /// </summary>
    private async Task HandOverAsync(uint site, SiteOrderRow row, Progress progress, bool isJustDrawn = false)
    {
        await using IAsyncDisposable hold = await store.HoldAsync(CancellationToken.None);
        SiteBook book = await BookAsync(row.SchemaId);
        if (!isJustDrawn && await RedrawnAsync(site, row) is { } redrawn)
        {
            (book, row) = (await BookAsync(row.SchemaId), redrawn);
            progress.Done();
        }

        if (row.State == SiteOrderState.Reserved)
        {
            SiteOrderRow sending = row with { State = SiteOrderState.Sending };
            await SaveAsync(sending);
            row = sending with { Version = row.Version + 1 };
            book.Spend(row);
        }

        if (row.State != SiteOrderState.Sending)
        {
            return;
        }

        if (row.Delivery.Delivered == 0)
        {
            // All who were to be delivered withdrew after a first try.
            await SaveAsync(
                row with { State = SiteOrderState.Refused, Delivery = row.Delivery with { Refusal = "nobody allows it any more" } });
            progress.Done();
            return;
        }

        try
        {
            DeliveryReceipt receipt = await market.DeliverAsync(
                new DeliveryMessage
                {
                    Site = site, Sequence = row.Sequence, DeliveryFile = await FileAsync(row.FileHash),
                }, CancellationToken.None);
            await SaveAsync(row with { State = SiteOrderState.Released, Receipt = receipt.Signature });
        }
        catch (LinkRefusedException refusal) when (refusal.Code == LinkRefusedException.NotReady)
        {
            progress.Wait(null, "the market to know what it ordered: " + refusal.Message);
            return;
        }
        catch (LinkRefusedException refusal)
        {
            // The reports have left, whatever the market says of them: the losses stay.
            await SaveAsync(row with { State = SiteOrderState.Refused, Delivery = row.Delivery with { Refusal = refusal.Message } });
        }

        progress.Done();
    }

    /// <summary>The order with its delivery drawn again, when somebody in it does not allow it any more; null when all still do.</summary>
    private async Task<SiteOrderRow?> RedrawnAsync(uint site, SiteOrderRow row)
    {
        SiteBook book = await BookAsync(row.SchemaId);
        RequestRow request = ledger.Request(row.Delivery.RequestId)!;
        DeliveryFile file = DeliveryFile.Read(await FileAsync(row.FileHash), book.Schema);
        if (DeliveryBuilder.IsAllowed(book, file, await SoldEpochAsync(site, request), request.Terms.ToDemand(), ledger.NowSeconds,
            pseudonym => ledger.RevokedAt(site, pseudonym) is not null))
        {
            return null;
        }

        if (row.State == SiteOrderState.Reserved)
        {
            book.GiveBack(row.Sequence);
        }

        DeliveryBuilder builder = await BuilderAsync(site, book, request, await FinalRoundAsync(request));
        return await KeepAsync(
            book, row.Version, row.Sequence, row.Attempt,
            builder.Draw(request.RequestId, request.Index, request.Terms.ToDemand(), row.Attempt, ledger.NowSeconds),
            row.State == SiteOrderState.Sending ? row : null);
    }

    /// <summary>Posts a delivery that the market has, and finalises it after its window.</summary>
    private async Task RecordAsync(uint site, SiteOrderRow row, Progress progress)
    {
        Bytes32 id = BatchId.Delivery(ledger.Deployment.ChainId, Evaluation, row.Delivery.RequestId, site, row.Attempt);
        DeliveryRow? posted = ledger.Delivery(id);
        DataEvaluation contract = new(node, Evaluation);
        string command = $"record-delivery/{row.Delivery.RequestId}/{row.Attempt}";
        if (posted is null)
        {
            if (!_submitted.Contains(command))
            {
                SiteBook book = await BookAsync(row.SchemaId);
                DeliveryFile file = DeliveryFile.Read(await FileAsync(row.FileHash), book.Schema);
                DeliveryBatch batch = file.Build(ledger.Deployment.ChainId, Evaluation, Bytes32.ParseDigits(row.FileHash));
                await SubmitAsync(command, contract.RecordDelivery(batch.Header, row.Receipt), progress);
            }

            progress.Wait(null, $"the ledger to take the delivery to request {row.Delivery.RequestId}");
        }
        else if (posted.Status == BatchStatus.Posted)
        {
            long due = (long)posted.Posting.Timestamp + ledger.Deployment.Terms.DeliveryWindowSeconds;
            if (ledger.NowSeconds >= due)
            {
                await SubmitAsync($"finalise-delivery/{row.Delivery.RequestId}/{row.Attempt}",
                    contract.FinaliseDelivery(new Delivery(posted.Header, posted.Posting)), progress);
            }

            progress.Wait(due, $"the window of the delivery to request {row.Delivery.RequestId}");
        }
    }

    // ---- what all steps use -----------------------------------------------------------------------------------------------

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

    /// <summary>Indices by chance, in shares of millionths.</summary>
    private static byte[] Drawn(int[] shares, int count)
    {
        if (shares is null || shares.Length is 0 or > byte.MaxValue || Array.Exists(shares, share => share < 0)
            || shares.Sum(share => (long)share) != MillionParts)
        {
            throw new SiteRefusedException("policy-shares", "shares are millionths, none is negative, and they sum to 1,000,000");
        }

        byte[] drawn = new byte[count];
        for (int i = 0; i < count; i++)
        {
            int point = RandomNumberGenerator.GetInt32(MillionParts);
            while ((point -= shares[drawn[i]]) >= 0)
            {
                drawn[i]++;
            }
        }

        return drawn;
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
        if (!_epochFiles.TryGetValue(hash, out EpochFile? file))
        {
            file = EpochFile.Read(await FileAsync(hash.ToDigits()));
            _epochFiles.Add(hash, file);
        }

        return file;
    }

    private async Task<byte[]> FileAsync(string hash) => await store.FindFileAsync(hash, CancellationToken.None)
        ?? throw new InvalidOperationException($"the site's store lost the file {hash}, which its rows name: restore it from a backup");

    private static Schema Checked(LoadRecords load)
    {
        Schema schema;
        try
        {
            schema = Schema.Parse(load.SchemaJson, "the schema");
        }
        catch (InputException e)
        {
            throw new SiteRefusedException("schema", e.Message);
        }

        if (schema.Attributes.Count > AttributeGrades.MaxAttributes)
        {
            throw new SiteRefusedException("schema",
                $"schema '{schema.Name}' has {schema.Attributes.Count} attributes, and the ledger takes at most "
                    + $"{AttributeGrades.MaxAttributes} for sale: load the records under a schema that leaves some out");
        }

        int count = load.RecordKeys.Length;
        bool fits = count > 0 && load.PersonKeys.Length == count && load.Codes.Length == schema.Attributes.Count
            && load.Fractions.Length == schema.Attributes.Count
            && load.Codes.All(column => column.Length == count)
            && load.Fractions.All(column => column.Length == 0 || column.Length == count)
            && load.RecordKeys.Distinct().Count() == count;
        if (!schema.Publishable || !fits)
        {
            throw new SiteRefusedException("records", schema.Publishable
                ? $"the batch has {count} records, of which each needs a key of its own and an entry in every one of the schema's "
                    + $"{schema.Attributes.Count} columns"
                : $"schema '{schema.Name}' was proposed by a program and not yet confirmed by a person: ./emr schema confirm");
        }

        for (int a = 0; a < load.Codes.Length; a++)
        {
            AttributeDefinition attribute = schema.Attributes[a];
            int wrong = Array.FindIndex(load.Codes[a],
                code => code >= attribute.Domain.Size && (code != RecordColumn.Missing || attribute.Domain is not GridDomain));
            if (wrong >= 0)
            {
                throw new SiteRefusedException("records",
                    $"record {wrong + 1} of the batch has a code of '{attribute.Name}' outside its domain of {attribute.Domain.Size} "
                        + "values");
            }
        }

        return schema;
    }

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
