namespace EmrMarket.Analytics.Budgets;

/// <summary>
/// A fact that reports are drawn of: an attribute of one record, or of the person when it is constant over the person's records.
/// </summary>
/// <param name="Record">The record's key; null for a fact of the person.</param>
/// <param name="Source">The source of its coins (<see cref="Schemas.AttributeDefinition.Source"/>).</param>
/// <param name="ValueVersion">The version of its value: a corrected value is a new fact and charged anew.</param>
public readonly record struct Fact(ulong? Record, string Source, ushort ValueVersion = 0);

/// <summary>A wish to release a fact's report at a grade.</summary>
/// <param name="Fact">The fact.</param>
/// <param name="Grade">The grade, at least 1.</param>
public readonly record struct Release(Fact Fact, int Grade);

/// <summary>What became of a command.</summary>
public enum BudgetOutcome
{
    /// <summary>The losses are reserved; commit or release decides.</summary>
    Reserved = 0,

    /// <summary>Refused: some cap would be exceeded; nothing was reserved.</summary>
    OverCap = 1,

    /// <summary>The reports went out and the losses are spent.</summary>
    Committed = 2,

    /// <summary>Nothing went out and nothing is charged.</summary>
    Released = 3,
}

/// <summary>
/// The losses of one person at one site: reserved when a match is made, spent when reports go out, given back when they do not. A fact's
/// loss is that of the highest grade ever released (its lower grades are functions of it), so a commit charges the difference to the
/// highest so far. Every operation is all or nothing and, by its command id, may be repeated without effect. At any time spent + reserved
/// stays within both caps, unless the caps were lowered below it; then nothing more is reserved. Not thread-safe: its owner serialises
/// calls.
/// </summary>
public sealed class PersonBudget
{
    private readonly Dictionary<Fact, int> _highest = [];
    private readonly Dictionary<Guid, Command> _commands = [];

    /// <summary>A person of whom nothing has been released.</summary>
    /// <param name="grades">The ladder of losses.</param>
    public PersonBudget(GradeLadder grades)
    {
        ArgumentNullException.ThrowIfNull(grades);
        Grades = grades;
    }

    /// <summary>The lifetime cap of a person, and of a record, unless a site sets another: 20 epsilon.</summary>
    public static EpsilonMicro DefaultCap { get; } = new(20_000_000);

    /// <summary>The ladder of losses.</summary>
    public GradeLadder Grades { get; }

    /// <summary>The most that may be spent and reserved over all of the person's facts.</summary>
    public EpsilonMicro PersonCap { get; set; } = DefaultCap;

    /// <summary>The most that may be spent and reserved over the facts of one record and those of the person.</summary>
    public EpsilonMicro RecordCap { get; set; } = DefaultCap;

    /// <summary>The loss of all that was released.</summary>
    public EpsilonMicro Spent => Sum(_highest.Select(h => Grades[h.Value]));

    /// <summary>The loss that is set aside for pending commands.</summary>
    public EpsilonMicro Reserved => Sum(_commands.Values.SelectMany(c => c.Pending).Select(p => p.Amount));

    /// <summary>The highest grade of a fact that was ever released; 0 for none.</summary>
    public int HighestGrade(Fact fact) => _highest.GetValueOrDefault(fact);

    /// <summary>What became of a command; null when it was never given.</summary>
    public BudgetOutcome? OutcomeOf(Guid command) => _commands.TryGetValue(command, out Command? known) ? known.Outcome : null;

    /// <summary>The loss spent and reserved of one record, the facts of its person included.</summary>
    public EpsilonMicro LossOfRecord(ulong record) => LossWhere(f => f.Record is null || f.Record == record);

    /// <summary>Reserves the losses of releases: all of them or none. A command that was given before keeps its outcome.</summary>
    /// <param name="command">The id of the command.</param>
    /// <param name="releases">What would be released; a fact at most once.</param>
    /// <exception cref="ArgumentException">A fact occurs twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A grade is not on the ladder.</exception>
    public BudgetOutcome Reserve(Guid command, IReadOnlyList<Release> releases)
    {
        ArgumentNullException.ThrowIfNull(releases);
        if (_commands.TryGetValue(command, out Command? known))
        {
            return known.Outcome;
        }

        if (releases.Any(r => r.Grade < 1 || r.Grade > Grades.Count))
        {
            throw new ArgumentOutOfRangeException(nameof(releases), $"A release is at a grade of 1 to {Grades.Count}.");
        }

        if (releases.DistinctBy(r => r.Fact).Count() != releases.Count)
        {
            throw new ArgumentException("A command releases a fact once.", nameof(releases));
        }

        // Against what is committed, not against what is pending: should a pending command be released, this one still has all it needs.
        Pending[] pending = [.. releases.Select(r => new Pending(r, Difference(r)))];
        EpsilonMicro wanted = Sum(pending.Select(p => p.Amount));
        bool fits = Spent + Reserved + wanted <= PersonCap && FitsRecords(pending);

        // A refusal is remembered too: a repeated command must not succeed later, when its sender has already been told no.
        _commands.Add(command, fits ? new Command(BudgetOutcome.Reserved, pending) : new Command(BudgetOutcome.OverCap, []));
        return fits ? BudgetOutcome.Reserved : BudgetOutcome.OverCap;
    }

    /// <summary>Charges a reserved command: the reports went out.</summary>
    /// <exception cref="InvalidOperationException">The command was never reserved, or was refused or released.</exception>
    public void Commit(Guid command)
    {
        Command known = Find(command);
        if (known.Outcome == BudgetOutcome.Committed)
        {
            return;
        }

        Require(known, BudgetOutcome.Reserved, command);
        foreach (Pending pending in known.Pending)
        {
            _highest[pending.Release.Fact] = Math.Max(HighestGrade(pending.Release.Fact), pending.Release.Grade);
        }

        _commands[command] = new Command(BudgetOutcome.Committed, []);
    }

    /// <summary>Gives back what a command reserved: nothing went out.</summary>
    /// <exception cref="InvalidOperationException">The command was never reserved, or was refused or committed.</exception>
    public void Release(Guid command)
    {
        Command known = Find(command);
        if (known.Outcome == BudgetOutcome.Released)
        {
            return;
        }

        Require(known, BudgetOutcome.Reserved, command);
        _commands[command] = new Command(BudgetOutcome.Released, []);
    }

    private bool FitsRecords(Pending[] pending)
    {
        // Facts of the person burden every record that something was ever released of, or is now.
        EpsilonMicro ofPerson = Sum(pending.Where(p => p.Release.Fact.Record is null).Select(p => p.Amount));
        IEnumerable<ulong> known = _highest.Keys.Concat(_commands.Values.SelectMany(c => c.Pending).Select(p => p.Release.Fact))
            .Concat(pending.Select(p => p.Release.Fact))
            .Where(f => f.Record is not null).Select(f => f.Record!.Value).Distinct();
        bool fits = ofPerson == EpsilonMicro.Zero || LossWhere(f => f.Record is null) + ofPerson <= RecordCap;
        foreach (ulong record in known)
        {
            EpsilonMicro own = Sum(pending.Where(p => p.Release.Fact.Record == record).Select(p => p.Amount));
            EpsilonMicro added = own + ofPerson;
            fits &= added == EpsilonMicro.Zero || LossOfRecord(record) + added <= RecordCap;
        }

        return fits;
    }

    private EpsilonMicro LossWhere(Func<Fact, bool> counts) =>
        Sum(_highest.Where(h => counts(h.Key)).Select(h => Grades[h.Value]))
        + Sum(_commands.Values.SelectMany(c => c.Pending).Where(p => counts(p.Release.Fact)).Select(p => p.Amount));

    private EpsilonMicro Difference(Release release)
    {
        EpsilonMicro loss = Grades[release.Grade], before = Grades[HighestGrade(release.Fact)];
        return loss > before ? loss - before : EpsilonMicro.Zero;
    }

    private Command Find(Guid command) =>
        _commands.TryGetValue(command, out Command? known)
            ? known
            : throw new InvalidOperationException($"Command {command} was never reserved: reserve it first.");

    private static void Require(Command known, BudgetOutcome expected, Guid command)
    {
        if (known.Outcome != expected)
        {
            throw new InvalidOperationException($"Command {command} is {known.Outcome}; expected {expected}.");
        }
    }

    private static EpsilonMicro Sum(IEnumerable<EpsilonMicro> losses) => losses.Aggregate(EpsilonMicro.Zero, (sum, loss) => sum + loss);

    private sealed record Command(BudgetOutcome Outcome, Pending[] Pending);

    private readonly record struct Pending(Release Release, EpsilonMicro Amount);
}
