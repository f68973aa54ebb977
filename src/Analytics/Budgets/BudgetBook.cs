namespace EmrMarket.Analytics.Budgets;

/// <summary>
/// The losses of all records of a site, column by column. A fact's loss is that of the highest grade ever released of it, since its lower
/// grades are functions of that report. A release is reserved when it is matched, spent when it goes out, and given back when it does not.
/// Against committed grades: what is pending for the same fact counts again, so that spent and reserved never exceed the cap, whichever of
/// the pending ones go out. Not thread-safe: its owner serialises calls.
/// </summary>
public sealed class BudgetBook
{
    /// <summary>The lifetime cap of a person unless a site sets another: 20 epsilon.</summary>
    public static readonly EpsilonMicro DefaultCap = new(20_000_000);

    private readonly GradeLadder _grades;
    private readonly int[] _personOf;
    private readonly bool[] _ofPerson;
    private readonly byte[] _highest;
    private readonly byte[] _highestOfPerson;
    private readonly long[] _total;

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
        _total = new long[persons];
    }

    /// <summary>
    /// The most that may be spent and reserved over all facts of a person; those of one record and its person are part of them.
    /// </summary>
    public EpsilonMicro Cap { get; init; } = DefaultCap;

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
    /// <returns>
    /// What was reserved, to be handed back once to <see cref="Commit"/> or <see cref="Release"/>; null when the cap would be exceeded.
    /// </returns>
    public Reservation? TryReserve(int record, ReadOnlySpan<int> attributes, ReadOnlySpan<byte> grades)
    {
        Reservation wanted = Wanted(record, attributes, grades);
        return _total[_personOf[record]] + wanted.Micro <= Cap.Micro ? Add(wanted) : null;
    }

    /// <summary>Reserves what a store says was reserved before, without asking again whether it fits.</summary>
    public Reservation Restore(int record, ReadOnlySpan<int> attributes, ReadOnlySpan<byte> grades) =>
        Add(Wanted(record, attributes, grades));

    /// <summary>The reports went out: the difference to the highest grades so far is spent for ever.</summary>
    public void Commit(Reservation reservation, ReadOnlySpan<int> attributes, ReadOnlySpan<byte> grades)
    {
        Release(reservation);
        Add(Wanted(reservation.Record, attributes, grades));
        for (int i = 0; i < attributes.Length; i++)
        {
            ref byte highest = ref _ofPerson[attributes[i]]
                ? ref _highestOfPerson[(_personOf[reservation.Record] * _ofPerson.Length) + attributes[i]]
                : ref _highest[(reservation.Record * _ofPerson.Length) + attributes[i]];
            highest = Math.Max(highest, grades[i]);
        }
    }

    /// <summary>Nothing went out: what was reserved is given back.</summary>
    public void Release(Reservation reservation) => _total[_personOf[reservation.Record]] -= reservation.Micro;

    private Reservation Wanted(int record, ReadOnlySpan<int> attributes, ReadOnlySpan<byte> grades)
    {
        long micro = 0;
        for (int i = 0; i < attributes.Length; i++)
        {
            micro += Math.Max(0, _grades[grades[i]].Micro - _grades[HighestGrade(record, attributes[i])].Micro);
        }

        return new Reservation(record, micro);
    }

    private Reservation Add(Reservation wanted)
    {
        _total[_personOf[wanted.Record]] += wanted.Micro;
        return wanted;
    }
}

/// <summary>What was reserved for a record.</summary>
/// <param name="Record">The record.</param>
/// <param name="Micro">The loss, micro-epsilon.</param>
public readonly record struct Reservation(int Record, long Micro);
