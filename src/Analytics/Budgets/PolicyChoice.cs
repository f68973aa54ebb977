using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Budgets;

/// <summary>A share of people who take a profile.</summary>
/// <param name="Profile">The index of the profile in the schema's menu.</param>
/// <param name="Parts">The share in millionths.</param>
public readonly record struct ProfileShare(int Profile, int Parts);

/// <summary>
/// Who takes which profile, for simulations and for sites that set policies by default. A person's records all have one profile.
/// </summary>
public sealed class PolicyChoice
{
    private const int Whole = 1_000_000;
    private readonly ProfileShare[] _shares;
    private readonly ProfileShare[] _sharesOfHolders;
    private readonly int _attribute;
    private readonly bool[] _held;

    private PolicyChoice(IReadOnlyList<ProfileShare> shares, IReadOnlyList<ProfileShare> sharesOfHolders, int attribute, bool[] held)
    {
        Check(shares);
        Check(sharesOfHolders);
        (_shares, _sharesOfHolders, _attribute, _held) = ([.. shares], [.. sharesOfHolders], attribute, held);
    }

    /// <summary>Everybody takes one profile.</summary>
    public static PolicyChoice Everybody(int profile) => Mix([new ProfileShare(profile, Whole)]);

    /// <summary>People choose at random, in these shares, whatever their values are.</summary>
    /// <param name="shares">The shares, which sum to 1,000,000 millionths.</param>
    public static PolicyChoice Mix(IReadOnlyList<ProfileShare> shares)
    {
        ArgumentNullException.ThrowIfNull(shares);
        return new PolicyChoice(shares, shares, -1, []);
    }

    /// <summary>
    /// People who hold one of some values in any of their records choose in other shares than the rest: selection, which biases what only
    /// the generous deliver.
    /// </summary>
    /// <param name="schema">The schema.</param>
    /// <param name="attribute">The attribute.</param>
    /// <param name="labels">The values, by their labels.</param>
    /// <param name="holders">The shares of those who hold one.</param>
    /// <param name="others">The shares of the rest.</param>
    /// <exception cref="ArgumentException">There is no such attribute or label, or shares do not sum to 1,000,000.</exception>
    public static PolicyChoice ByValue(
        Schema schema, string attribute, IReadOnlyCollection<string> labels, IReadOnlyList<ProfileShare> holders,
        IReadOnlyList<ProfileShare> others)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(holders);
        ArgumentNullException.ThrowIfNull(others);
        int index = schema.IndexOf(attribute);
        if (index < 0)
        {
            throw new ArgumentException($"Schema '{schema.Name}' has no attribute '{attribute}'.", nameof(attribute));
        }

        AttributeDomain domain = schema.Attributes[index].Domain;
        bool[] held = [.. Enumerable.Range(0, domain.Size).Select(code => labels.Contains(domain.Label(code)))];
        return Array.TrueForAll(held, h => !h)
            ? throw new ArgumentException($"'{attribute}' has none of the values {string.Join(", ", labels)}.", nameof(labels))
            : new PolicyChoice(others, holders, index, held);
    }

    /// <summary>
    /// The profile of each record: that of its person. A function of the key, the person and (for <see cref="ByValue"/>) the person's
    /// values.
    /// </summary>
    /// <param name="table">The records.</param>
    /// <param name="key">The key of the choices, 16 bytes or more.</param>
    public int[] Assign(RecordTable table, ReadOnlySpan<byte> key)
    {
        ArgumentNullException.ThrowIfNull(table);
        bool[] holds = new bool[table.PersonCount];
        if (_attribute >= 0)
        {
            ushort[] codes = table.Columns[_attribute].Codes;
            for (int record = 0; record < table.Count; record++)
            {
                holds[table.PersonIndex[record]] |= codes[record] < _held.Length && _held[codes[record]];
            }
        }

        int[] byPerson = new int[table.PersonCount];
        Array.Fill(byPerson, -1);
        int[] profiles = new int[table.Count];
        Span<byte> derived = stackalloc byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, key, derived, salt: [], info: Encoding.UTF8.GetBytes("emrmarket policy choice v1"));
        var cipher = new CoinCipher(derived);
        Span<Vector128<byte>> coins = stackalloc Vector128<byte>[1];
        for (int record = 0; record < profiles.Length; record++)
        {
            int person = table.PersonIndex[record];
            if (byPerson[person] < 0)
            {
                coins[0] = Vector128.Create(table.PersonKeys[record], 0UL).AsByte();
                cipher.Encrypt(coins);
                int part = (int)(coins[0].AsUInt64()[0] % Whole);
                byPerson[person] = Pick(holds[person] ? _sharesOfHolders : _shares, part);
            }

            profiles[record] = byPerson[person];
        }

        return profiles;
    }

    private static int Pick(ProfileShare[] shares, int part)
    {
        foreach (ProfileShare share in shares)
        {
            if ((part -= share.Parts) < 0)
            {
                return share.Profile;
            }
        }

        return shares[^1].Profile;
    }

    private static void Check(IReadOnlyList<ProfileShare> shares)
    {
        if (shares.Any(s => s.Parts < 0 || s.Profile < 0) || shares.Sum(s => (long)s.Parts) != Whole)
        {
            throw new ArgumentException(
                $"The shares are not negative and sum to {Whole} millionths; they sum to {shares.Sum(s => (long)s.Parts)}.",
                nameof(shares));
        }
    }
}
