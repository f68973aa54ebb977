using System.Globalization;
using System.Text;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Rounds;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Grains.Tests.Runtime.Driving;
using EmrMarket.Simulation.Chain;
using EmrMarket.Simulation.Driving;
using EmrMarket.Simulation.Market;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace EmrMarket.Simulation.Anonymity;

/// <summary>
/// The whole way of two patients with equal records through a site, a market and the ledger: a schema with two epochs, another schema, two
/// requests of which the second does not buy everybody, claims, and both withdraw on one day. What is kept of it is what somebody has who
/// holds the market's database, the ledger and the wire.
/// </summary>
internal sealed class ObservedFlow : SmallMarket
{
    private readonly byte[] _siteKey;
    private readonly bool _hasOwnSeeds;
    private readonly Dictionary<int, byte[]> _ownSeeds = [];

    private ObservedFlow(Random random, byte[] siteKey, bool hasCoins, bool hasOwnSeeds)
        : base(random, [MarketWorld.Schema, Other], new SiteOptions(siteKey, MarketWorld.SiteAccounts[0].Address, MarketWorld.Rates)
        {
            PayoutDepth = 1, Coins = hasCoins ? new MarketWorld.Coins(random.Next()) : new NoCoins(),
        })
    {
        (_siteKey, _hasOwnSeeds) = (siteKey, hasOwnSeeds);
    }

    /// <summary>A second schema of the same patients.</summary>
    public static Schema Other { get; } = Schema.Parse(
        MarketWorld.Schema.ToJson().Replace("\"A ward\"", "\"Another ward\"", StringComparison.Ordinal), "other.json");

    /// <summary>Runs it.</summary>
    /// <param name="seed">Decides all that is drawn.</param>
    /// <param name="hasCoins">False for a site whose order and salts are not drawn: a planted leak.</param>
    /// <param name="hasOwnSeeds">Whether both patients take over with seeds of their own before the second epoch.</param>
    /// <returns>What belongs to the patient who was loaded first, and to the other one.</returns>
    public static TwinViews Run(int seed, bool hasCoins = true, bool hasOwnSeeds = false)
    {
        Random random = new(seed);
        byte[] siteKey = new byte[SiteOptions.KeyBytes];
        random.NextBytes(siteKey);
        return In(() => new ObservedFlow(random, siteKey, hasCoins, hasOwnSeeds), flow => flow.Go(), flow => flow.Views());
    }

    private void Go()
    {
        foreach (Schema schema in (Schema[])[MarketWorld.Schema, Other])
        {
            Do(() => Site.LoadAsync(Records(schema)));
            Do(() => Site.SetPoliciesAsync(Policies(schema)));
            Decide(schema);
        }

        for (int person = 0; person < 2 && _hasOwnSeeds; person++)
        {
            TakeOver(person);
        }

        Decide(MarketWorld.Schema);
        string[] keys = [.. ((uint[])[1_000, 12]).Select(Open)];
        Drive(() => keys.All(key => MarketStore.FindRequestAsync(key, CancellationToken.None).Result is { HasEnded: true }), keys);

        // The first one withdraws in the middle of a day, the other an hour later.
        Pass(SecondsToNextDay + 40_000);
        Drive(() => true, keys);
        Withdraw(0);
        Drive(() => true, keys);
        Pass(3_600);
        Drive(() => true, keys);
        Withdraw(1);
        Drive(() => true, keys);
        if (Ledger().Revocations(1).Any())
        {
            throw new InvalidOperationException("a withdrawal was told on the day on which it was made");
        }

        Pass(SecondsToNextDay);
        Drive(() => Ledger().Revocations(1).Any(), keys);
    }

    /// <summary>The patient makes a seed of the own, and hands in its account.</summary>
    private void TakeOver(int person)
    {
        byte[] own = new byte[PatientKeys.Length];
        Chance.NextBytes(own);
        PublisherTakeOver signed = PublisherMessages.TakeOver(DomainOf(person), 1, own, ControllerOf(person));
        Do(() => PublisherOf(person).TakeOverAsync(signed));
        _ownSeeds.Add(person, own);
    }

    private void Withdraw(int person)
    {
        Bytes32 pseudonym = PseudonymOf(MarketWorld.Schema, person);
        PublisherRevocation[] revocations = !_ownSeeds.ContainsKey(person) ? [] :
        [
            new PublisherRevocation
            {
                Pseudonym = MarketContext.Name(pseudonym),
                Signature = ControllerOf(person).Sign(
                    SignedMessages.Revocation(SimulatedChain.ChainId, MarketWorld.Contracts.AccessControl, 1, pseudonym)).ToBytes(),
            },
        ];
        PublisherCommand command = new PublisherCommand
        {
            Nonce = _ownSeeds.ContainsKey(person) ? 2ul : 1, Kind = PublisherCommandKind.Withdraw, Signature = [],
            Revocations = revocations,
        }.Sign(DomainOf(person), ControllerOf(person));
        Do(() => PublisherOf(person).CommandAsync(command));
    }

    private IPublisherGrain PublisherOf(int person) => SiteProcess.Grains.GetGrain<IPublisherGrain>(
        PublisherKey.Of(SiteName, MarketWorld.Schema.Id, MarketContext.Name(PseudonymOf(MarketWorld.Schema, person))));

    private PublisherDomain DomainOf(int person) => new(
        SimulatedChain.ChainId, MarketWorld.Contracts.AccessControl, MarketWorld.Schema.LedgerId(),
        PseudonymOf(MarketWorld.Schema, person));

    /// <summary>Whoever commands now: the patient's own seed, or the one that is with the site.</summary>
    private EthereumAccount ControllerOf(int person) => new(PatientKeys.Controller(
        _ownSeeds.TryGetValue(person, out byte[]? own) ? own : PatientKeys.SeedAtSite(_siteKey, PersonKey(person)),
        PseudonymOf(MarketWorld.Schema, person)));

    // ---- people ---------------------------------------------------------------------------------------------------------------

    private Bytes32 PseudonymOf(Schema schema, int person) => PatientKeys.Pseudonym(_siteKey, schema.LedgerId(), (ulong)person + 1);

    // ---- what is seen ---------------------------------------------------------------------------------------------------------

    private TwinViews Views()
    {
        LedgerReadModel ledger = Ledger();
        List<(string Name, EpochFile File)> epochs = [.. ledger.Epochs().Select(row => (
            $"{(row.Header.SchemaId == Other.LedgerId() ? "other" : "epoch")} {row.Header.Epoch}",
            EpochFile.Read(MarketStore.FindFileAsync(MarketContext.Name(row.Header.DataHash), CancellationToken.None).Result!)))];
        Dictionary<string, byte[][]> streams = new(StringComparer.Ordinal)
        {
            ["market files"] = [.. MarketTruth.ContentOf(MarketStore).OfType<byte[]>()],
            ["market rows"] = [.. MarketTruth.ContentOf(MarketStore).OfType<string>().Select(Encoding.UTF8.GetBytes)],
            ["transactions"] = [.. Chain.Data],
            ["wire"] = [.. Wire],
        };
        Dictionary<string, string>[] twins = [.. Enumerable.Range(0, 2).Select(person => Of(person, ledger, epochs, streams))];
        return new TwinViews(twins[0], twins[1]);
    }

    private Dictionary<string, string> Of(
        int person, LedgerReadModel ledger, List<(string Name, EpochFile File)> epochs, Dictionary<string, byte[][]> streams)
    {
        Dictionary<string, string> seen = new(StringComparer.Ordinal);
        Dictionary<string, byte[]> ids = new(StringComparer.Ordinal);
        foreach ((string name, EpochFile epoch) in epochs)
        {
            Bytes32 pseudonym = PseudonymOf(name.StartsWith("other", StringComparison.Ordinal) ? Other : MarketWorld.Schema, person);
            uint position = (uint)Array.FindIndex(epoch.Members, one => one.Pseudonym == pseudonym);
            MemberLeaf member = epoch.Members[position];
            seen[name + " position"] = Number(position);
            seen[name + " class"] = Number(member.LocalClass);
            seen[name + " payout root"] = member.PayoutRoot.ToString();
            seen[name + " previous"] = Number(member.PreviousEpoch) + Number(member.PreviousPosition);
            seen[name + " salt"] = member.Salt.ToString();
            string schema = name[..^2];
            seen[schema + " pseudonym"] = pseudonym.ToString();
            seen[schema + " controller"] = Hex.Encode(member.Controller.ToArray());
            seen[name + " is commanded by the site"] = member.Controller
                == new EthereumAccount(PatientKeys.Controller(PatientKeys.SeedAtSite(_siteKey, PersonKey(person)), pseudonym)).Address
                ? "1" : "0";
            ids[schema + " pseudonym"] = pseudonym.ToArray();
            ids[schema + " controller"] = member.Controller.ToArray();
        }

        EpochFile sold = epochs.Single(epoch => epoch.Name == "epoch 2").File;
        var deliveries = ledger.Requests().SelectMany(request => ledger.Deliveries(request.RequestId));
        foreach ((int i, Grains.Ledger.View.DeliveryRow delivery) in deliveries.Index())
        {
            DeliveryFile file = DeliveryFile.Read(
                MarketStore.FindFileAsync(MarketContext.Name(delivery.Header.DataHash), CancellationToken.None).Result!,
                MarketWorld.Schema);
            Bytes32 pseudonym = PseudonymOf(MarketWorld.Schema, person);
            int slot = Array.FindIndex(file.Leaves,
                leaf => leaf.PayoutAddress != Address.Zero && sold.Members[leaf.MemberPosition].Pseudonym == pseudonym);
            string name = $"sale {i + 1}";
            seen[name + " is made"] = slot >= 0 ? "1" : "0";
            if (slot < 0)
            {
                continue;
            }

            ClaimRow[] claims = [.. ledger.Claims(delivery.Id)];
            int claimed = Array.FindIndex(claims, claim => claim.Slot == slot);
            seen[name + " slot"] = Number((uint)slot);
            seen[name + " payee"] = Hex.Encode(file.Leaves[slot].PayoutAddress.ToArray());
            seen[name + " reports"] = file.Leaves[slot].ReportHash.ToString();
            seen[name + " amount"] = file.Leaves[slot].Amount.ToString("x32", CultureInfo.InvariantCulture);
            seen[name + " effective"] = file.Leaves[slot].Effective.ToString("x32", CultureInfo.InvariantCulture);
            seen[name + " person"] = Number((uint)file.Persons[slot]);
            seen[name + " claim"] = Number((uint)claimed);
            ids[name + " payee"] = file.Leaves[slot].PayoutAddress.ToArray();
        }

        RevocationRow[] revoked = [.. ledger.Revocations(1)];
        int revocation = Array.FindIndex(revoked, row => row.Pseudonym == PseudonymOf(MarketWorld.Schema, person));
        seen["revocation"] = Number((uint)revocation);
        seen["revocation time"] = Number((uint)revoked[revocation].RevokedSeconds);
        foreach ((string id, byte[] value) in ids)
        {
            foreach ((string stream, byte[][] rows) in streams)
            {
                (int count, string first) = Find(value, rows);
                seen[$"{id} count in {stream}"] = Number((uint)count);
                if (count > 0)
                {
                    seen[$"{id} place in {stream}"] = first;
                }
            }
        }

        return seen;
    }

    /// <summary>How often something stands in rows, in binary or as text, and where first.</summary>
    private static (int Count, string First) Find(byte[] value, byte[][] rows)
    {
        byte[] text = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(value));
        int count = 0;
        string first = "";
        for (int row = 0; row < rows.Length; row++)
        {
            foreach (byte[] form in (byte[][])[value, text])
            {
                for (int at = rows[row].AsSpan().IndexOf(form); at >= 0;)
                {
                    first = count++ == 0 ? Number((uint)row) + Number((uint)at) : first;
                    int next = rows[row].AsSpan(at + 1).IndexOf(form);
                    at = next < 0 ? -1 : at + 1 + next;
                }
            }
        }

        return (count, first);
    }

    private static string Number(uint value) => value.ToString("x8", CultureInfo.InvariantCulture);

    /// <summary>Bytes that are always the same: the order of loading stays, and salts repeat.</summary>
    private sealed class NoCoins : System.Security.Cryptography.RandomNumberGenerator
    {
        public override void GetBytes(byte[] data) => GetBytes(data.AsSpan());

        public override void GetBytes(Span<byte> data)
        {
            // The index of each draw: the shuffle exchanges everybody with themselves.
            for (int i = 0; i < data.Length; i++)
            {
                data[i] = (byte)(i % 8 == 0 ? i / 8 : 0);
            }
        }
    }
}
