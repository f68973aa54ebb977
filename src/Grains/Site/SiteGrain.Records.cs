using System.Security.Cryptography;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;

namespace EmrMarket.Grains.Site;

// What comes in: records, and what their persons allow.
public sealed partial class SiteGrain
{
    private const int MillionParts = 1_000_000;

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
}
