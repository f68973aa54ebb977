using System.Security.Cryptography;
using EmrMarket.Analytics.Auditing;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site;

// What patients, and the desk for them, ask and command.
public sealed partial class SiteGrain
{
    // The crowd of docs/ATTACK_MODEL.md's figures.
    private const int CrowdSize = 1_000;

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

        if (account.Key.Equals(PublicKey.Of(PatientKeys.Account(
            PatientKeys.SeedAtSite(options.Key, book.Records.PersonKeys[record])))))
        {
            throw new SiteRefusedException("account-known",
                "this account follows from the seed that is with the site: make a new seed, which nobody else has");
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
}
