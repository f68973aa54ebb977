using System.Globalization;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Consents;

/// <summary>
/// Which policy a Consent's provisions come to. R4's rule, every nested provision is an exception to the one that it is nested in, is
/// carried out on a table: the highest grade permitted, by time, purpose and attribute. A policy can say it when the table is one row, for
/// one purpose and its kinds, from now until some time.
/// </summary>
internal sealed class ConsentRules
{
    private const byte NotAbout = byte.MaxValue;

    private static readonly Purpose[] Purposes = [.. PurposeTree.Default.Purposes];

    private readonly Schema _schema;
    private readonly ConsentIssues _issues;
    private readonly List<ConsentNote> _notes;
    private readonly long[] _starts;
    private readonly int _row;
    private readonly int _slice;

    private ConsentRules(Schema schema, ConsentProvision root, ConsentIssues issues, List<ConsentNote> notes)
    {
        (_schema, _issues, _notes) = (schema, issues, notes);
        _starts = [.. Times(root).Append(long.MinValue).Where(time => time != long.MaxValue).Distinct().Order()];
        _row = schema.Attributes.Count;
        _slice = Purposes.Length * _row;
    }

    /// <summary>The policy; null when there is none, and the issues then say why, or when nothing is permitted and no policy says so.
    /// O(provisions * times * purposes * attributes).</summary>
    /// <param name="menu">What a policy may say.</param>
    /// <param name="document">What the Consent says.</param>
    /// <param name="nowSeconds">The time, unix seconds: what is permitted later only cannot be said.</param>
    /// <param name="issues">Takes what no policy can say.</param>
    /// <param name="notes">Takes where the policy allows less.</param>
    public static ConsentPolicy? Find(
        ConsentMenu menu, ConsentDocument document, long nowSeconds, ConsentIssues issues, List<ConsentNote> notes)
    {
        if (document.Root is not { } root)
        {
            return null;
        }

        ConsentRules rules = new(menu.Schema, root, issues, notes);
        byte[] permitted = rules.Evaluate(root);
        permitted.AsSpan().Replace(NotAbout, (byte)0);
        return rules.Policy(permitted, root, document, nowSeconds);
    }

    private static IEnumerable<long> Times(ConsentProvision provision) =>
        provision.Exceptions.SelectMany(Times).Append(provision.From).Append(provision.Until);

    /// <summary>The highest grade that a provision permits with its exceptions, 0 for none, where it is about; <see cref="NotAbout"/>
    /// elsewhere.</summary>
    private byte[] Evaluate(ConsentProvision provision)
    {
        byte[] table = new byte[_starts.Length * _slice];
        byte own = provision.Permits ? (byte)provision.Ceiling : (byte)0;
        for (int i = 0; i < table.Length; i++)
        {
            long start = _starts[i / _slice];
            bool isAbout = start >= provision.From && start < provision.Until
                && (provision.Purposes >> Purposes[i % _slice / _row].Code & 1) == 1 && (provision.Attributes >> (i % _row) & 1) == 1;
            table[i] = isAbout ? own : NotAbout;
        }

        bool[] excepted = new bool[table.Length];
        foreach (ConsentProvision exception in provision.Exceptions)
        {
            byte[] said = Evaluate(exception);
            (bool touches, bool contradicts) = (false, false);
            for (int i = 0; i < table.Length; i++)
            {
                if (table[i] == NotAbout || said[i] == NotAbout)
                {
                    continue;
                }

                byte next = provision.Permits ? Math.Min(said[i], own) : said[i];
                touches = true;
                contradicts |= excepted[i] && table[i] != next;
                excepted[i] = true;
                table[i] = next;
            }

            if (contradicts)
            {
                _issues.Unsayable("conflict", exception.Path, "an earlier provision beside this one says otherwise of the same use",
                    "Let no two provisions at one level be about the same attribute, purpose and time.");
            }

            if (!touches)
            {
                _issues.Unsayable("business-rule", exception.Path, "the provision is about nothing that the one around it is about",
                    "A nested provision is an exception: name attributes, purposes and times of what it is nested in.");
            }
        }

        return table;
    }

    private ConsentPolicy? Policy(byte[] permitted, ConsentProvision root, ConsentDocument document, long now)
    {
        bool Permits(int slice) => permitted.AsSpan(slice * _slice, _slice).ContainsAnyExcept((byte)0);
        long End(int slice) => slice + 1 < _starts.Length ? _starts[slice + 1] : long.MaxValue;

        // What is over does not matter, unless everything is over.
        int[] slices = [.. Enumerable.Range(0, _starts.Length).Where(slice => End(slice) > now && Permits(slice))];
        slices = slices.Length > 0 ? slices : [.. Enumerable.Range(0, _starts.Length).Where(Permits)];
        if (slices.Length == 0)
        {
            return Nothing(root, document);
        }

        if (_starts[slices[0]] > now)
        {
            _issues.Unsayable("business-rule", "Consent.provision", "nothing is permitted before a time to come",
                "A policy holds from when it is set: hand the Consent in when its time has come.");
            return null;
        }

        ReadOnlySpan<byte> first = permitted.AsSpan(slices[0] * _slice, _slice);
        for (int i = 1; i < slices.Length; i++)
        {
            if (slices[i] != slices[i - 1] + 1 || !permitted.AsSpan(slices[i] * _slice, _slice).SequenceEqual(first))
            {
                _issues.Unsayable("business-rule", "Consent.provision", "other things are permitted at other times",
                    "A policy allows the same until it ends: give all that is permitted one end.");
                return null;
            }
        }

        int purposes = 0;
        ReadOnlySpan<byte> row = default;
        for (int p = 0; p < Purposes.Length; p++)
        {
            ReadOnlySpan<byte> grades = first.Slice(p * _row, _row);
            if (!grades.ContainsAnyExcept((byte)0))
            {
                continue;
            }

            if (purposes != 0 && !grades.SequenceEqual(row))
            {
                _issues.Unsayable("business-rule", "Consent.provision", "other attributes or grades are permitted for other purposes",
                    "A policy allows the same for its purpose and all kinds of it.");
                return null;
            }

            row = grades;
            purposes |= 1 << Purposes[p].Code;
        }

        return Said(row, purposes, End(slices[^1]), document.Profile) is { } policy
            ? policy with { Rate = document.Rate, Quota = document.Quota } : null;
    }

    /// <summary>A policy that allows nothing, in the words of the root; null when the menu has none.</summary>
    private ConsentPolicy? Nothing(ConsentProvision root, ConsentDocument document)
    {
        bool sayable = _schema.Attributes.All(attribute => attribute.Tier != Tier.Public)
            && _schema.Profiles.Any(profile => !profile.Ceilings.ContainsAnyExcept(0))
            && Purposes.Any(purpose => ConsentParser.KindsOf(purpose.Code) == root.Purposes);
        if (sayable && Said(new byte[_row], root.Purposes, root.Until, document.Profile) is { } policy)
        {
            return policy with { Rate = document.Rate, Quota = document.Quota };
        }

        _notes.Add(new ConsentNote("Consent.provision", "nothing is permitted: that is to take no part"));
        return null;
    }

    private ConsentPolicy? Said(ReadOnlySpan<byte> grades, int purposes, long until, string? named)
    {
        byte? purpose = Purposes.Where(each => ConsentParser.KindsOf(each.Code) == purposes).Select(each => (byte?)each.Code)
            .FirstOrDefault();
        if (purpose is null)
        {
            _issues.Unsayable("business-rule", "Consent.provision",
                "permitted are " + string.Join(", ", Purposes.Where(each => (purposes >> each.Code & 1) == 1).Select(each =>
                    $"'{each.Title}'"))
                    + ": that is no purpose with all kinds of it",
                "A policy admits one purpose and every kind of it.");
        }

        // An end that FHIR cannot write is no end.
        long expiry = until > ConsentWriter.NoEnd ? ConsentWriter.NoEnd : until;
        if (expiry < 0)
        {
            _issues.Unsayable("business-rule", "Consent.provision", "all that is permitted ended before 1970", "Correct the period.");
        }

        for (int a = 0; a < _row; a++)
        {
            if (_schema.Attributes[a].Tier == Tier.Public && grades[a] == 0)
            {
                _issues.Unsayable("business-rule", "Consent.provision",
                    $"'{_schema.Attributes[a].Name}' is Public and not permitted: it leaves as it is with every record that is offered",
                    "Permit class public, or do not take part.");
            }
        }

        int? profile = ProfileOf(grades, named);
        return purpose is { } admitted && expiry >= 0 && profile is { } index
            ? new ConsentPolicy { Profile = (byte)index, Purpose = admitted, ExpirySeconds = expiry } : null;
    }

    private int? ProfileOf(ReadOnlySpan<byte> grades, string? named)
    {
        Dictionary<string, int> own = new(StringComparer.Ordinal);
        for (int a = 0; a < _row; a++)
        {
            if (_schema.Attributes[a].Tier != Tier.Public)
            {
                own.Add(_schema.Attributes[a].Name, grades[a]);
            }
        }

        PolicyProfile wish = PolicyProfile.Create("consent", _schema.Attributes, _schema.Grades, new TierCeilings(0, 0, 0), own);
        if (named is not null)
        {
            int known = _schema.Profiles.TakeWhile(profile => profile.Name != named).Count();
            if (known < _schema.Profiles.Count && _schema.Profiles[known].Ceilings.SequenceEqual(wish.Ceilings))
            {
                return known;
            }

            _issues.Unsayable("conflict", "Consent.extension",
                "the profile that is named has other ceilings than the provisions permit, or is not on the menu",
                "Leave the name out: the nearest profile that is nowhere above the Consent is then taken.");
            return null;
        }

        if (ProfileMenu.NearestStricter(_schema, wish) is not { } nearest)
        {
            _issues.Unsayable("business-rule", "Consent.provision", "no profile of the menu is as strict in every attribute",
                "Permit more, or do not take part.");
            return null;
        }

        foreach ((int a, int grade) in wish.Ceilings.ToArray().Index().Where(pair => nearest[pair.Index] < pair.Item))
        {
            _notes.Add(new ConsentNote("Consent.provision", string.Create(CultureInfo.InvariantCulture,
                $"'{_schema.Attributes[a].Name}': the Consent permits grade {grade}, the profile '{nearest.Name}' allows {nearest[a]}")));
        }

        return _schema.Profiles.TakeWhile(profile => profile != nearest).Count();
    }
}
