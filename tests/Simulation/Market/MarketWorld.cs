using System.Buffers.Binary;
using System.Security.Cryptography;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Simulation.Chain;

namespace EmrMarket.Simulation.Market;

/// <summary>What every run begins with: a small schema, two sites of some forty persons, accounts, contracts with short windows.</summary>
internal static class MarketWorld
{
    public const int Sites = 2;
    public const int Persons = 44;
    public const int Wealth = 100_000_000;
    public const long Expiry = 2_000_000_000;
    public static readonly EpsilonMicro Cap = new(2_000_000);

    private static readonly Address[] At = [.. Enumerable.Range(1, 5).Select(i => Address.Parse("0x" + new string((char)('0' + i), 40)))];

    public static Schema Schema { get; } = Schema.Parse(
        """
        {
          "format": 1, "name": "ward", "version": "1", "title": "A ward", "publishable": true,
          "attributes": [
            { "name": "sex", "tier": "low", "constantPerPerson": true, "labels": ["female", "male"] },
            { "name": "ill", "tier": "private", "labels": ["no", "yes", "unknown"] }
          ],
          "layouts": [ { "name": "ward" } ]
        }
        """,
        "ward.json");

    public static EthereumAccount Market { get; } = Account("market");

    public static EthereumAccount[] SiteAccounts { get; } = [Account("site 1"), Account("site 2")];

    public static Address Consortium { get; } = Account("consortium").Address;

    public static Address Fund { get; } = Account("fund").Address;

    public static Address Auditor { get; } = Account("auditor").Address;

    public static Address[] Researchers { get; } = [Account("researcher 1").Address, Account("researcher 2").Address];

    public static TierRates[] Rates { get; } = [new(new(0), new(10), new(20), new(30)), new(new(0), new(20), new(40), new(60))];

    public static ContractsStruct Contracts { get; } = new(At[0], At[1], At[2], At[3]);

    public static ContractDeployment Deployment { get; } = new()
    {
        ChainId = SimulatedChain.ChainId,
        FirstBlock = 0,
        Token = Deployed(At[4]),
        AccessControl = Deployed(At[0]),
        Matching = Deployed(At[1]),
        Evaluation = Deployed(At[2]),
        Payments = Deployed(At[3]),
        Terms = new DeploymentTerms(
            EpochWindowSeconds: 4_000, RoundWindowSeconds: 8_000, DeliveryWindowSeconds: 6_000, BookIntervalSeconds: 600,
            RevealGraceSeconds: 20_000, RepostGraceSeconds: 30_000, RevocationGraceSeconds: 3_000, RotationDelaySeconds: 10_000,
            ClaimPeriodSeconds: 5_000_000, EpochBondUnits: 1_000, RoundBondUnits: 2_000, DeliveryBondUnits: 999, DemandDepositUnits: 77,
            RelayFeeUnits: 3,
            MinimumBudgetUnits: 100),
    };

    public static byte[] KeyOf(int site) => Keccak256.Hash($"the key of site {site + 1}").ToArray();

    /// <summary>Every fourth person has two records. Keys are long numbers, so that they are found wherever they do not belong.</summary>
    public static LoadRecords RecordsOf(int site)
    {
        Random random = new(site + 77);
        ulong[] people = [.. Enumerable.Range(0, Persons).Select(person => LongNumber($"person {site} {person}"))];
        ulong[] persons = [.. people.SelectMany((person, i) => Enumerable.Repeat(person, i % 4 == 0 ? 2 : 1))];
        Dictionary<ulong, ushort> sex = people.ToDictionary(person => person, _ => (ushort)random.Next(2));
        return new LoadRecords
        {
            Id = "first",
            SchemaJson = Schema.ToJson(),
            RecordKeys = [.. persons.Select((_, i) => LongNumber($"record {site} {i}"))],
            PersonKeys = persons,
            Codes = [[.. persons.Select(person => sex[person])], [.. persons.Select(_ => (ushort)random.Next(3))]],
            Fractions = [[], []],
        };
    }

    /// <summary>Half of the persons are balanced and half generous, for research.</summary>
    public static SetPolicies PoliciesOf(int site)
    {
        ulong[] persons = [.. RecordsOf(site).PersonKeys.Distinct()];
        return new SetPolicies
        {
            SchemaId = Schema.Id,
            PersonKeys = persons,
            Profiles = [.. persons.Select((_, i) => (byte)(i % 2 == 0 ? 3 : 4))],
            Rates = new byte[persons.Length],
            Quotas = [.. persons.Select(_ => (ushort)2)],
            Purposes = [.. persons.Select((_, i) => (byte)(i % 4 < 2 ? 1 : 2))],
            ExpirySeconds = [.. persons.Select(_ => Expiry)],
            Participation = new Participation[persons.Length],
        };
    }

    /// <summary>A chain on which everybody has money, both sites are registered and the schema is published.</summary>
    public static SimulatedChain Chain(bool refusesPayees = false)
    {
        SimulatedChain chain = new(self =>
        {
            LedgerModel model = new(
                SimulatedChain.ChainId, Contracts,
                Deployment.Terms.For(At[4], new DeploymentRoles(Consortium, Market.Address, Fund)), self.HashOf);
            foreach (Address account in (Address[])[
                Consortium, Market.Address, Auditor, .. SiteAccounts.Select(site => site.Address), .. Researchers])
            {
                model.Mint(account, Wealth);
                model.Approve(new CallContext(account, 0, 0), Wealth);
            }

            return new ModelContracts(model, Contracts, At[4]) { RefusesPayees = refusesPayees };
        });
        AnonymousTransaction payments = new(null!, At[3]);
        SchemaPublication schema = Schema.ToPublication(BudgetBook.DefaultCap);
        foreach (Address account in (Address[])[Market.Address, Auditor, .. SiteAccounts.Select(site => site.Address)])
        {
            chain.Send(Consortium, payments.Deposit(account, 200_000));
        }

        foreach (EthereumAccount site in SiteAccounts)
        {
            chain.Send(Consortium, new DynamicAccessControl(null!, At[0]).RegisterSite(site.Address, Keccak256.Hash("site")));
        }

        chain.Send(Consortium, new DynamicAccessControl(null!, At[0]).SetAuditor(Auditor, true));
        chain.Send(Consortium,
            new DataEvaluation(null!, At[2])
                .PublishSchema(schema.SchemaId, schema.Tiers, schema.CapMicro, schema.LadderMicro, schema.Quality));
        chain.Mine();
        return chain;
    }

    private static EthereumAccount Account(string name) => new(Keccak256.Hash("the account of the " + name).ToArray());

    private static ulong LongNumber(string name) => BinaryPrimitives.ReadUInt64BigEndian(Keccak256.Hash(name).ToArray()) | (1UL << 63);

    private static DeployedContract Deployed(Address address) => new(address.ToString(), null, Bytes32.Zero.ToString());

    /// <summary>Bytes that a seed decides.</summary>
    public sealed class Coins(int seed) : RandomNumberGenerator
    {
        private readonly Random _random = new(seed);

        public override void GetBytes(byte[] data) => _random.NextBytes(data);

        public override void GetBytes(Span<byte> data) => _random.NextBytes(data);
    }
}
