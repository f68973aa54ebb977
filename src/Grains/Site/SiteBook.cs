using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site;

/// <summary>All that a site knows of one schema, in memory: raw records, policies, losses. Built from the store when the grain wakes, and
/// never sent anywhere.</summary>
internal sealed class SiteBook
{
    private readonly Dictionary<ulong, int> _recordByKey = [];
    private readonly Dictionary<ulong, int> _personByKey = [];
    private readonly Dictionary<Bytes32, int> _recordByPseudonym = [];
    private readonly Dictionary<int, List<PayoutAccount>> _accounts = [];

    private SiteBook(Schema schema, RecordTable records, SiteOptions options)
    {
        (Schema, Records, LedgerId, Quality) = (schema, records, schema.LedgerId(), ReportQuality.Table(schema));
        PersonKeys = new ulong[records.PersonCount];
        Pseudonyms = new Bytes32[records.Count];
        byte[] key = options.Key.ToArray();
        Parallel.For(0, records.Count, record => Pseudonyms[record] = PatientKeys.Pseudonym(key, LedgerId, records.RecordKeys[record]));
        for (int record = 0; record < records.Count; record++)
        {
            PersonKeys[records.PersonIndex[record]] = records.PersonKeys[record];
            _recordByKey.Add(records.RecordKeys[record], record);
            _recordByPseudonym.Add(Pseudonyms[record], record);
        }

        for (int person = 0; person < PersonKeys.Length; person++)
        {
            _personByKey.Add(PersonKeys[person], person);
        }

        Policies = new PersonPolicy[records.PersonCount];
        Budgets = new BudgetBook(schema.Grades, records.PersonIndex, records.PersonCount,
            [.. schema.Attributes.Select(attribute => attribute.ConstantPerPerson)])
        {
            Cap = options.Cap,
        };
    }

    /// <summary>What a person allows and asks; the default is nothing at all.</summary>
    internal readonly record struct PersonPolicy(
        byte Profile, byte Rate, ushort Quota, byte Purpose, long ExpirySeconds, Participation Participation)
    {
        /// <summary>Whether there is an offer at a time.</summary>
        public bool IsOffered(long now) => Quota > 0 && Participation == Participation.Active && ExpirySeconds > now;
    }

    public Schema Schema { get; }

    public Bytes32 LedgerId { get; }

    public QualityTable Quality { get; }

    public RecordTable Records { get; }

    /// <summary>Per person the key.</summary>
    public ulong[] PersonKeys { get; }

    /// <summary>Per record the pseudonym.</summary>
    public Bytes32[] Pseudonyms { get; }

    /// <summary>Per person.</summary>
    public PersonPolicy[] Policies { get; }

    /// <summary>Who withdrew, for ever.</summary>
    public HashSet<int> Withdrawn { get; } = [];

    public BudgetBook Budgets { get; }

    /// <summary>What was measured once; null before.</summary>
    public SiteReidentification? Reidentification { get; set; }

    /// <summary>The reservations of orders that are drawn and not yet with the market, by sequence number.</summary>
    public Dictionary<long, Reservation[]> Pending { get; } = [];

    /// <summary>The versions of the orders that this book knows, by sequence number.</summary>
    public Dictionary<long, long> Versions { get; } = [];

    /// <summary>An order is about to leave: what it reserved is spent.</summary>
    public void Spend(SiteOrderRow order)
    {
        Pending.Remove(order.Sequence, out Reservation[]? reserved);
        for (int i = 0; i < (reserved?.Length ?? 0); i++)
        {
            Budgets.Commit(reserved![i], order.Attributes, order.Grades.AsSpan(i * order.Attributes.Length, order.Attributes.Length));
        }
    }

    /// <summary>An order never left: what it reserved is given back.</summary>
    public void GiveBack(long sequence)
    {
        Pending.Remove(sequence, out Reservation[]? reserved);
        foreach (Reservation reservation in reserved ?? [])
        {
            Budgets.Release(reservation);
        }
    }

    /// <summary>Builds the book of a schema from what is stored.</summary>
    public static async Task<SiteBook> ReadAsync(
        ISiteStore store, string schemaId, SiteOptions options, CancellationToken cancellationToken)
    {
        LoadRecords[] batches = await store.ReadRecordsAsync(schemaId, cancellationToken);
        Schema schema = Schema.Parse(batches[0].SchemaJson, "the stored schema");
        SiteBook book = new(schema, Table(schema, batches), options);
        book.Apply(await store.ReadPoliciesAsync(schemaId, cancellationToken));
        foreach (SiteAccountRow account in await store.ReadAccountsAsync(cancellationToken))
        {
            book.Apply(account);
        }

        foreach (SiteOrderRow order in (await store.ReadOrdersAsync(cancellationToken)).Where(order => order.SchemaId == schemaId))
        {
            book.Replay(order);
        }

        return book;
    }

    /// <summary>The index of a person, -1 when unknown.</summary>
    public int PersonOf(ulong key) => _personByKey.GetValueOrDefault(key, -1);

    /// <summary>The index of a record by its pseudonym, -1 when unknown.</summary>
    public int RecordOf(Bytes32 pseudonym) => _recordByPseudonym.GetValueOrDefault(pseudonym, -1);

    /// <summary>Whether a record is known.</summary>
    public bool Holds(ulong recordKey) => _recordByKey.ContainsKey(recordKey);

    /// <summary>Whether persons have just these policies now.</summary>
    public bool Has(SetPolicies policies) => Enumerable.Range(0, policies.PersonKeys.Length)
        .All(i => PersonOf(policies.PersonKeys[i]) is >= 0 and var person && Policies[person] == Policy(policies, i));

    private static PersonPolicy Policy(SetPolicies policies, int i) => new(
        policies.Profiles[i], policies.Rates[i], policies.Quotas[i], policies.Purposes[i], policies.ExpirySeconds[i],
        policies.Participation[i]);

    /// <summary>What a person allows and asks.</summary>
    public SetPolicies PolicyOf(string schemaId, int person) => new()
    {
        SchemaId = schemaId,
        PersonKeys = [PersonKeys[person]],
        Profiles = [Policies[person].Profile],
        Rates = [Policies[person].Rate],
        Quotas = [Policies[person].Quota],
        Purposes = [Policies[person].Purpose],
        ExpirySeconds = [Policies[person].ExpirySeconds],
        Participation = [Policies[person].Participation],
    };

    public void Apply(SetPolicies policies)
    {
        for (int i = 0; i < policies.PersonKeys.Length; i++)
        {
            int person = PersonOf(policies.PersonKeys[i]);
            Policies[person] = Policy(policies, i);
            if (policies.Participation[i] == Participation.Withdrawn)
            {
                Withdrawn.Add(person);
            }
        }
    }

    /// <summary>A person hands in a payout account; one of them that is known stays where it stands. Whoever is unknown here is passed
    /// over.</summary>
    public void Apply(SiteAccountRow row)
    {
        int person = PersonOf(row.PersonKey);
        if (person < 0)
        {
            return;
        }

        if (!_accounts.TryGetValue(person, out List<PayoutAccount>? accounts))
        {
            _accounts.Add(person, accounts = []);
        }

        PayoutAccount account = new(new PublicKey(row.PublicKey), row.ChainCode);
        if (!accounts.Contains(account))
        {
            accounts.Add(account);
        }
    }

    /// <summary>All accounts that the person of a record handed in, oldest first: none of somebody whose seed is with the site.</summary>
    public IReadOnlyList<PayoutAccount> AccountsOf(int record) =>
        _accounts.TryGetValue(Records.PersonIndex[record], out List<PayoutAccount>? accounts) ? accounts : [];

    /// <summary>The account under which a record is published next; null for the seed that is with the site.</summary>
    public PayoutAccount? AccountOf(int record) => AccountsOf(record) is { Count: > 0 } accounts ? accounts[^1] : null;

    /// <summary>The account behind a published leaf, told by the controller that stands in it: the leaf says which one counts for its
    /// epoch, whatever was handed in since. Null for the seed that is with the site.</summary>
    public PayoutAccount? AccountBehind(int record, Address controller) =>
        AccountsOf(record).FirstOrDefault(account => account.Controller(Pseudonyms[record]) == controller);

    /// <summary>What a person's policy allows of each attribute: the profile's ceilings, and Public attributes unless everything is
    /// withheld.</summary>
    public AttributeGrades CeilingsOf(byte profile)
    {
        PolicyProfile chosen = Schema.Profiles[profile];
        bool withholds = chosen.TotalLoss(Schema.Grades) == EpsilonMicro.Zero;
        Span<int> grades = stackalloc int[Schema.Attributes.Count];
        for (int a = 0; a < grades.Length; a++)
        {
            grades[a] = Schema.Attributes[a].Tier == Tier.Public ? (withholds ? 0 : 1) : chosen[a];
        }

        return AttributeGrades.Of(grades);
    }

    /// <summary>Sets losses as an order left them.</summary>
    private void Replay(SiteOrderRow order)
    {
        Versions[order.Sequence] = order.Version;
        if (order.State == SiteOrderState.Empty)
        {
            return;
        }

        int width = order.Attributes.Length;
        Reservation[] reserved =
            [.. order.RecordKeys.Select(
                (key, i) => Budgets.Restore(_recordByKey[key], order.Attributes, order.Grades.AsSpan(i * width, width)))];
        Pending.Add(order.Sequence, reserved);
        if (order.State != SiteOrderState.Reserved)
        {
            Spend(order);
        }
    }

    private static RecordTable Table(Schema schema, LoadRecords[] batches)
    {
        ulong[] persons = [.. batches.SelectMany(batch => batch.PersonKeys)];
        Dictionary<ulong, int> numbers = [];
        int[] index = Array.ConvertAll(persons, person =>
        {
            if (!numbers.TryGetValue(person, out int number))
            {
                numbers.Add(person, number = numbers.Count);
            }

            return number;
        });
        return new RecordTable
        {
            RecordKeys = [.. batches.SelectMany(batch => batch.RecordKeys)],
            PersonKeys = persons,
            PersonIndex = index,
            PersonCount = numbers.Count,
            Columns = [.. schema.Attributes.Select((attribute, a) => new RecordColumn
            {
                Attribute = attribute,
                Codes = [.. batches.SelectMany(batch => batch.Codes[a])],
                Fractions = batches.Any(batch => batch.Fractions[a].Length > 0)
                    ? [.. batches.SelectMany(
                        batch => batch.Fractions[a].Length > 0 ? batch.Fractions[a] : new uint[batch.RecordKeys.Length])]
                    : null,
            })],
        };
    }
}
