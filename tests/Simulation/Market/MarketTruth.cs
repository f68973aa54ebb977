using System.Buffers.Binary;
using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Site;

namespace EmrMarket.Simulation.Market;

/// <summary>What the people of a site really want, and what really left it: kept beside the grains, from what was acknowledged to people
/// and what was seen on the wire.</summary>
internal sealed partial class MarketTruth
{
    private readonly Dictionary<Bytes32, int> _recordOf = [];
    private readonly Dictionary<ulong, List<Wish>> _wishes = [];
    private readonly Dictionary<(ulong Fact, int Attribute), int> _released = [];
    private readonly LoadRecords _records;

    public MarketTruth(int site)
    {
        _records = MarketWorld.RecordsOf(site);
        for (int record = 0; record < _records.RecordKeys.Length; record++)
        {
            _recordOf.Add(PatientKeys.Pseudonym(MarketWorld.KeyOf(site), MarketWorld.Schema.LedgerId(), _records.RecordKeys[record]),
                record);
        }

        SetPolicies policies = MarketWorld.PoliciesOf(site);
        for (int i = 0; i < policies.PersonKeys.Length; i++)
        {
            _wishes.Add(policies.PersonKeys[i], [new Wish(policies.Profiles[i], policies.Purposes[i], Participation.Active)]);
        }
    }

    /// <summary>What a person allows.</summary>
    public sealed record Wish(byte Profile, byte Purpose, Participation Participation);

    /// <summary>The pseudonyms, one per record.</summary>
    public IReadOnlyDictionary<Bytes32, int> Records => _recordOf;

    public ulong PersonOf(int record) => _records.PersonKeys[record];

    /// <summary>The pseudonyms of all records of a person.</summary>
    public IEnumerable<Bytes32> PseudonymsOf(ulong person) =>
        _recordOf.Where(pair => PersonOf(pair.Value) == person).Select(pair => pair.Key);

    /// <summary>What a person wished last.</summary>
    public Wish Newest(ulong person) => _wishes[person][^1];

    /// <summary>A person commands something: from now on either may hold.</summary>
    public void Wishes(ulong person, Wish wish) => _wishes[person].Add(wish);

    /// <summary>The site acknowledged it: the earlier no longer holds.</summary>
    public void Acknowledged(ulong person, Wish wish) => _wishes[person].RemoveRange(0, _wishes[person].IndexOf(wish));

    /// <summary>The site refused it: it never held.</summary>
    public void Refused(ulong person, Wish wish) => _wishes[person].Remove(wish);

    /// <summary>A delivery leaves the site: the first thing in it that somebody does not allow; null when all is right.</summary>
    public string? Leaves(DeliveryFile file, EpochFile epoch, byte purpose)
    {
        for (int slot = 0; slot < file.Leaves.Length; slot++)
        {
            if (file.Leaves[slot].PayoutAddress == Address.Zero)
            {
                continue;
            }

            int record = _recordOf[epoch.Members[file.Leaves[slot].MemberPosition].Pseudonym];
            ulong person = PersonOf(record);
            (int Attribute, int Grade)[] reports = [
                .. file.Columns.Where(column => column.Slots.Contains(slot)).Select(column => (column.Attribute, column.Grade))];
            if (!_wishes[person].Exists(wish => Allows(wish, reports, purpose)))
            {
                return $"person {person:x} allows {string.Join(" or ", _wishes[person])}, and grades {string.Join(", ", reports)} leave "
                    + $"for purpose {purpose}";
            }

            foreach ((int attribute, int grade) in reports)
            {
                (ulong, int) fact = (MarketWorld.Schema.Attributes[attribute].ConstantPerPerson ? person : _records.RecordKeys[record],
                    attribute);
                _released[fact] = Math.Max(grade, _released.GetValueOrDefault(fact));
            }
        }

        return null;
    }

    /// <summary>The loss of a person by what left the site, micro-epsilon.</summary>
    public long LossOf(ulong person)
    {
        HashSet<ulong> facts = [person, .. _records.RecordKeys.Where((_, record) => PersonOf(record) == person)];
        return _released.Where(pair => facts.Contains(pair.Key.Fact)).Sum(pair => MarketWorld.Schema.Grades[pair.Value].Micro);
    }

    /// <summary>The persons.</summary>
    public IEnumerable<ulong> Persons => _wishes.Keys;

    /// <summary>The first of the site's keys, of persons or records, in binary or in digits, that stands in something outside the site;
    /// null when none does.</summary>
    public string? FindIn(IEnumerable<object> outside)
    {
        HashSet<ulong> keys = [.. _records.PersonKeys, .. _records.RecordKeys];
        keys.UnionWith(keys.Select(BinaryPrimitives.ReverseEndianness).ToArray());
        foreach (object thing in outside)
        {
            if (thing is byte[] bytes)
            {
                for (int i = 0; i + 8 <= bytes.Length; i++)
                {
                    if (keys.Contains(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i))))
                    {
                        return $"at byte {i} of {bytes.Length}";
                    }
                }
            }
            else if (FindInText((string)thing, keys) is { } where)
            {
                return where;
            }
        }

        return null;
    }

    /// <summary>All that an object holds, as bytes and text.</summary>
    public static IEnumerable<object> ContentOf(object store)
    {
        foreach (FieldInfo field in store.GetType().GetFields(BindingFlags.Instance | BindingFlags.NonPublic))
        {
            if (field.GetValue(store) is not IEnumerable values)
            {
                continue;
            }

            foreach (object? value in values)
            {
                object? content = value?.GetType() is { IsGenericType: true } pair
                    && pair.GetGenericTypeDefinition() == typeof(KeyValuePair<,>) ? pair.GetProperty("Value")!.GetValue(value) : value;
                yield return content as byte[] ?? (object)JsonSerializer.Serialize(content);
            }
        }
    }

    private static bool Allows(Wish wish, (int Attribute, int Grade)[] reports, byte purpose) => wish.Participation == Participation.Active
        && PurposeTree.Default.Closure([wish.Purpose]).Contains(purpose)
        && reports.All(report => report.Grade <= MarketWorld.Schema.Profiles[wish.Profile][report.Attribute]);

    private static string? FindInText(string text, HashSet<ulong> keys)
    {
        foreach (Match match in LongTokens().Matches(text))
        {
            string token = match.Value;
            bool isFound = ulong.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
                && keys.Contains(number);
            for (int i = 0; i + 16 <= token.Length && !isFound; i++)
            {
                isFound = keys.Contains(ulong.Parse(token.AsSpan(i, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
            }

            if (isFound)
            {
                return $"in the text {text[..Math.Min(text.Length, 200)]}";
            }
        }

        return null;
    }

    [GeneratedRegex("[0-9a-fA-F]{16,}", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex LongTokens();
}
