namespace EmrMarket.Analytics.Budgets;

/// <summary>
/// The losses of all records of a site, column by column: the rules of <see cref="PersonBudget"/> for hundreds of thousands of records at once. A release is reserved when it is matched,
/// spent when it goes out, and given back when it does not. Against committed grades: what is pending for the same fact counts again, so that spent and reserved never exceed a cap,
/// whichever of the pending ones go out. Not thread-safe: its owner serialises calls.
/// </summary>
public sealed class BudgetBook
{
    private readonly GradeLadder _grades;
    private readonly int[] _personOf;
    private readonly bool[] _ofPerson;
    private readonly byte[] _highest;
    private readonly byte[] _highestOfPerson;
    private readonly long[] _own;
    private readonly long[] _shared;
    private readonly long[] _total;
    private readonly long[] _largestOwn;

    /// <summary>Records of which nothing has been released.</summary>
    /// <param name="grades">The ladder of losses.</param>
    /// <param name="personOf">Per record the number of its person, from 0.</param>
    /// <param name="persons">Number of persons.</param>
    /// <param name="ofPerson">Per attribute whether it is a fact of the person, constant over the person's records.</param>
    public BudgetBook(GradeLadder grades, int[] personOf, int persons, bool[] ofPerson)
    {
        ArgumentNullException.ThrowIfNull(grades);
        ArgumentNullException.ThrowIfNull(personOf);
        ArgumentNullException.ThrowIfNull(ofPerson);
        (_grades, _personOf, _ofPerson) = (grades, personOf, ofPerson);
        _highest = new byte[personOf.Length * ofPerson.Length];
        _highestOfPerson = new byte[persons * ofPerson.Length];
        (_own, _shared, _total, _largestOwn) = (new long[personOf.Length], new long[persons], new long[persons], new long[persons]);
    }

    /// <summary>The most that may be spent and reserved over all facts of a person, and over those of one record and its person.</summary>
    public EpsilonMicro Cap { get; init; } = PersonBudget.DefaultCap;

    /// <summary>The highest loss, spent and reserved, of any person.</summary>
    public EpsilonMicro Highest => new(_total.DefaultIfEmpty(0).Max());

    /// <summary>The highest grade that was ever released of an attribute of a record; 0 for none.</summary>
    public int HighestGrade(int record, int attribute) => _ofPerson[attribute]
        ? _highestOfPerson[(_personOf[record] * _ofPerson.Length) + attribute]
        : _highest[(record * _ofPerson.Length) + attribute];

    /// <summary>The loss, spent and reserved, of a person.</summary>
    public EpsilonMicro LossOf(int person) => new(_total[person]);

    /// <summary>Reserves the losses of a record's reports, or nothing at all.</summary>
    /// <param name="record">The record.</param>
    /// <param name="attributes">The attributes, each at most once.</param>
    /// <param name="grades">Their grades, each in 1 to the ladder's count.</param>
    /// <returns>What was reserved, to be handed back once to <see cref="Commit"/> or <see cref="Release"/>; null when a cap would be exceeded.</returns>
    public Reservation? TryReserve(int record, ReadOnlySpan<int> attributes, ReadOnlySpan<byte> grades)
    {
        Reservation wanted = Wanted(record, attributes, grades);
        int person = _personOf[record];
        bool fits = _total[person] + wanted.Own + wanted.Shared <= Cap.Micro
            && Math.Max(_own[record] + wanted.Own, wanted.Shared > 0 ? _largestOwn[person] : 0) + _shared[person] + wanted.Shared <= Cap.Micro;
        return fits ? Add(wanted) : null;
    }

    /// <summary>Reserves what a store says was reserved before, without asking again whether it fits.</summary>
    public Reservation Restore(int record, ReadOnlySpan<int> attributes, ReadOnlySpan<byte> grades) => Add(Wanted(record, attributes, grades));

    /// <summary>The reports went out: the difference to the highest grades so far is spent for ever.</summary>
    public void Commit(Reservation reservation, ReadOnlySpan<int> attributes, ReadOnlySpan<byte> grades)
    {
        Release(reservation);
        Reservation spent = Wanted(reservation.Record, attributes, grades);
        Add(spent);
        for (int i = 0; i < attributes.Length; i++)
        {
            ref byte highest = ref _ofPerson[attributes[i]]
                ? ref _highestOfPerson[(_personOf[reservation.Record] * _ofPerson.Length) + attributes[i]]
                : ref _highest[(reservation.Record * _ofPerson.Length) + attributes[i]];
            highest = Math.Max(highest, grades[i]);
        }
    }

    /// <summary>Nothing went out: what was reserved is given back.</summary>
    public void Release(Reservation reservation)
    {
        int person = _personOf[reservation.Record];
        _own[reservation.Record] -= reservation.Own;
        _shared[person] -= reservation.Shared;
        _total[person] -= reservation.Own + reservation.Shared;
    }

    private Reservation Wanted(int record, ReadOnlySpan<int> attributes, ReadOnlySpan<byte> grades)
    {
        long own = 0, shared = 0;
        for (int i = 0; i < attributes.Length; i++)
        {
            long more = Math.Max(0, _grades[grades[i]].Micro - _grades[HighestGrade(record, attributes[i])].Micro);
            (own, shared) = _ofPerson[attributes[i]] ? (own, shared + more) : (own + more, shared);
        }

        return new Reservation(record, own, shared);
    }

    private Reservation Add(Reservation wanted)
    {
        int person = _personOf[wanted.Record];
        _own[wanted.Record] += wanted.Own;
        _shared[person] += wanted.Shared;
        _total[person] += wanted.Own + wanted.Shared;

        // Only rises: after something was given back it may be too high, which refuses too early and never too late.
        _largestOwn[person] = Math.Max(_largestOwn[person], _own[wanted.Record]);
        return wanted;
    }
}

/// <summary>What was reserved for a record.</summary>
/// <param name="Record">The record.</param>
/// <param name="Own">For facts of the record, micro-epsilon.</param>
/// <param name="Shared">For facts of its person, micro-epsilon.</param>
public readonly record struct Reservation(int Record, long Own, long Shared);
