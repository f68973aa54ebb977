using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records.Reports;

/// <summary>What a site wants to hand out, and within which limits.</summary>
public sealed record PerturbationPlan
{
    /// <summary>
    /// By attribute (index in the schema) the grades to write, ascending; a Public attribute is written when it is listed, with no grade.
    /// </summary>
    public required IReadOnlyDictionary<int, int[]> Grades { get; init; }

    /// <summary>The most loss of a person, and of a record; null for no cap.</summary>
    public EpsilonMicro? Cap { get; init; } = BudgetBook.DefaultCap;

    /// <summary>The least number of distinct persons of a unit of equal Public values and profile.</summary>
    public int MinPersons { get; init; } = SuppressionUnits.MinPersons;
}

/// <summary>What a perturbation did, in numbers that disclose nobody.</summary>
/// <param name="Records">Records read.</param>
/// <param name="Released">Records in the report file.</param>
/// <param name="WithheldByPolicy">Records whose policy allows nothing of what is wanted.</param>
/// <param name="WithheldBySuppression">Records withheld because too few persons share their Public values and profile.</param>
/// <param name="WithheldByCap">Records withheld because their person's cap is used up by other records.</param>
/// <param name="MovedToStricter">Records published under a stricter profile than their own, for the same reason as suppression.</param>
/// <param name="LossPerRecord">The highest loss of a released record.</param>
/// <param name="LossPerPerson">The highest loss of a person.</param>
public sealed record PerturbationSummary(
    int Records, int Released, int WithheldByPolicy, int WithheldBySuppression, int WithheldByCap, int MovedToStricter,
    EpsilonMicro LossPerRecord, EpsilonMicro LossPerPerson);

/// <summary>A plan would spend more of one record than the cap allows.</summary>
public sealed class CapExceededException(string message) : Exception(message);

/// <summary>
/// Turns raw records into reports: the step after which nothing raw is left. A function of records, policies, plan and site key.
/// </summary>
public static class Perturbation
{
    /// <summary>Draws the reports, all in memory.</summary>
    /// <inheritdoc cref="Prepare"/>
    public static (ReportFile Reports, PerturbationSummary Summary) Run(
        Schema schema, RecordTable table, ReadOnlySpan<int> profiles, ReadOnlySpan<byte> siteKey, PerturbationPlan plan,
        CancellationToken cancellationToken = default)
    {
        PreparedReports prepared = Prepare(schema, table, profiles, siteKey, plan);
        ReportFileColumn[] columns = [.. prepared.Draw(cancellationToken)];
        var reports = new ReportFile
        {
            Schema = schema, Pseudonyms = prepared.Pseudonyms, PersonIndex = prepared.PersonIndex, Columns = columns,
        };
        return (reports, prepared.Summary);
    }

    /// <summary>Decides who is handed out, and charges the ledger; draws nothing yet.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="table">The records.</param>
    /// <param name="profiles">Per record the index of its profile in the schema's menu, or <see cref="SuppressionUnits.Withheld"/>.</param>
    /// <param name="siteKey">The site's key, 32 bytes.</param>
    /// <param name="plan">What to hand out.</param>
    /// <param name="ledger">What is out already, raised by what this hand-out releases; null when nothing is, or no cap holds.</param>
    /// <exception cref="CapExceededException">One record's reports alone would exceed the cap.</exception>
    public static PreparedReports Prepare(
        Schema schema, RecordTable table, ReadOnlySpan<int> profiles, ReadOnlySpan<byte> siteKey, PerturbationPlan plan,
        ReleaseLedger? ledger = null)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(plan);
        ledger ??= ReleaseLedger.Empty(schema, siteKey);
        int[] units = SuppressionUnits.Assign(
            schema.Profiles, schema.Grades, Cells(schema, table), profiles, table.PersonIndex, plan.MinPersons);
        PlannedRelease[] planned = [.. schema.Profiles.Select(p => PlannedRelease.Under(schema, p, plan))];
        CheckRecordCap(schema, planned, units, plan);
        (int[] order, UInt128[] pseudonyms) = Pseudonyms(schema, table, siteKey);
        UInt128[] personNames = ledger.PersonNames(table.PersonKeys);
        var persons = new PersonLosses(schema, table, ledger, personNames);
        bool[] released = new bool[table.Count];
        int byCap = 0;
        for (int place = 0; place < order.Length; place++)
        {
            int record = order[place];
            if (units[record] != SuppressionUnits.Withheld && !planned[units[record]].WithholdsAll)
            {
                // A person's records in the order of their pseudonyms, until the person's cap is used up.
                released[record] = persons.TryAdd(
                    table.PersonIndex[record], planned[units[record]].Grades, ledger.GradesOf(pseudonyms[place]), plan.Cap);
                byCap += released[record] ? 0 : 1;
            }
        }

        int[] places = [.. Enumerable.Range(0, order.Length).Where(place => released[order[place]])];
        int[] rows = Array.ConvertAll(places, place => order[place]);
        UInt128[] names = Array.ConvertAll(places, place => pseudonyms[place]);
        ledger.Raise(
            names, Array.ConvertAll(rows, record => personNames[record]), [.. rows.SelectMany(record => planned[units[record]].Grades)]);
        return new PreparedReports(schema, table, siteKey, plan, rows, Array.ConvertAll(rows, record => units[record]))
        {
            Pseudonyms = Bytes(names),
            PersonIndex = ByFirstAppearance(table, rows),
            Summary = Summarise(table, profiles, units, planned, released, persons, byCap),
        };
    }

    /// <summary>
    /// Random-looking pseudonyms, ascending: AES-256, a permutation of 128-bit blocks, of the record key under a key of site and schema;
    /// and whose they are.
    /// </summary>
    private static (int[] Order, UInt128[] Pseudonyms) Pseudonyms(Schema schema, RecordTable table, ReadOnlySpan<byte> siteKey)
    {
        byte[] key = new byte[32];
        HKDF.DeriveKey(
            HashAlgorithmName.SHA256, siteKey, key, salt: [], info: Encoding.UTF8.GetBytes("emrmarket pseudonym v1 " + schema.Id));
        using var aes = Aes.Create();
        aes.Key = key;
        byte[] blocks = new byte[table.Count * ReportFile.PseudonymBytes];
        for (int record = 0; record < table.Count; record++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(blocks.AsSpan(record * ReportFile.PseudonymBytes), table.RecordKeys[record]);
        }

        aes.EncryptEcb(blocks, blocks, PaddingMode.None);
        var pseudonyms = new UInt128[table.Count];
        int[] order = new int[table.Count];
        for (int record = 0; record < order.Length; record++)
        {
            pseudonyms[record] = BinaryPrimitives.ReadUInt128BigEndian(blocks.AsSpan(record * ReportFile.PseudonymBytes));
            order[record] = record;
        }

        Array.Sort(pseudonyms, order);
        return (order, pseudonyms);
    }

    private static byte[] Bytes(UInt128[] pseudonyms)
    {
        byte[] bytes = new byte[pseudonyms.Length * ReportFile.PseudonymBytes];
        for (int row = 0; row < pseudonyms.Length; row++)
        {
            BinaryPrimitives.WriteUInt128BigEndian(bytes.AsSpan(row * ReportFile.PseudonymBytes), pseudonyms[row]);
        }

        return bytes;
    }

    /// <summary>
    /// Per record a number for its combination of all Public values, handed out or not: were it of those in the plan alone, two hand-outs
    /// of one record could be compared, and who is missing from the second would show a value of the rare.
    /// </summary>
    private static int[] Cells(Schema schema, RecordTable table)
    {
        int[] cells = new int[table.Count];
        foreach (int attribute in Enumerable.Range(0, schema.Attributes.Count).Where(a => schema.Attributes[a].Tier == Tier.Public))
        {
            var numbers = new Dictionary<(int, ushort), int>();
            ushort[] codes = table.Columns[attribute].Codes;
            for (int record = 0; record < cells.Length; record++)
            {
                (int, ushort) cell = (cells[record], codes[record]);
                if (!numbers.TryGetValue(cell, out int number))
                {
                    numbers.Add(cell, number = numbers.Count);
                }

                cells[record] = number;
            }
        }

        return cells;
    }

    private static void CheckRecordCap(Schema schema, PlannedRelease[] planned, int[] units, PerturbationPlan plan)
    {
        foreach (int profile in units.Where(u => u != SuppressionUnits.Withheld).Distinct())
        {
            EpsilonMicro loss = planned[profile].Loss;
            if (plan.Cap is { } cap && loss > cap)
            {
                throw new CapExceededException(
                    $"Under profile '{schema.Profiles[profile].Name}' these reports would spend {loss} epsilon of one record, above the "
                    + $"cap of {cap}: hand out fewer attributes, or lower grades.");
            }
        }
    }

    private static int[] ByFirstAppearance(RecordTable table, int[] rows)
    {
        int[] numbers = new int[table.PersonCount];
        int[] persons = new int[rows.Length];
        int seen = 0;
        for (int row = 0; row < rows.Length; row++)
        {
            ref int number = ref numbers[table.PersonIndex[rows[row]]];
            number = number == 0 ? ++seen : number;
            persons[row] = number - 1;
        }

        return persons;
    }

    private static PerturbationSummary Summarise(
        RecordTable table, ReadOnlySpan<int> profiles, int[] units, PlannedRelease[] planned, bool[] released, PersonLosses persons,
        int byCap)
    {
        int byPolicy = 0, bySuppression = 0, moved = 0, count = 0;
        for (int i = 0; i < released.Length; i++)
        {
            if (released[i])
            {
                count++;
                moved += units[i] != profiles[i] ? 1 : 0;
            }
            else if (profiles[i] == SuppressionUnits.Withheld || planned[profiles[i]].WithholdsAll)
            {
                byPolicy++;
            }
            else if (units[i] == SuppressionUnits.Withheld || planned[units[i]].WithholdsAll)
            {
                bySuppression++;
            }
        }

        return new PerturbationSummary(table.Count, count, byPolicy, bySuppression, byCap, moved, persons.HighestOfRecord, persons.Highest);
    }

    /// <summary>What a profile lets a plan release: per attribute the highest grade, 0 for none and for Public ones.</summary>
    private sealed record PlannedRelease(byte[] Grades, EpsilonMicro Loss, bool WithholdsAll)
    {
        public static PlannedRelease Under(Schema schema, PolicyProfile profile, PerturbationPlan plan)
        {
            byte[] highest = new byte[schema.Attributes.Count];
            EpsilonMicro loss = EpsilonMicro.Zero;
            bool anyRandomised = false;
            foreach ((int attribute, int[] grades) in plan.Grades.Where(w => schema.Attributes[w.Key].Tier != Tier.Public))
            {
                anyRandomised = true;
                highest[attribute] = (byte)grades.Where(g => g <= profile[attribute]).DefaultIfEmpty(0).Max();
                loss += schema.Grades[highest[attribute]];
            }

            // Who withholds everything is not published with Public values alone either.
            bool withholds = (anyRandomised ? loss : profile.TotalLoss(schema.Grades)) == EpsilonMicro.Zero;
            return new PlannedRelease(highest, loss, withholds);
        }
    }

    /// <summary>
    /// What each person's released records have spent, in this hand-out and before: every record its own facts at their highest grades, and
    /// the person once the highest grade of each fact that its records share.
    /// </summary>
    private sealed class PersonLosses
    {
        private readonly Schema _schema;
        private readonly long[] _loss;
        private readonly int[] _shared;
        private readonly byte[] _sharedGrades;

        public PersonLosses(Schema schema, RecordTable table, ReleaseLedger ledger, UInt128[] personNames)
        {
            _schema = schema;
            _loss = new long[table.PersonCount];
            _shared = [.. Enumerable.Range(0, schema.Attributes.Count).Where(a => schema.Attributes[a].ConstantPerPerson)];
            _sharedGrades = new byte[table.PersonCount * _shared.Length];
            if (ledger.Count == 0)
            {
                return;
            }

            var persons = new Dictionary<UInt128, int>(table.PersonCount);
            for (int record = 0; record < table.Count; record++)
            {
                persons[personNames[record]] = table.PersonIndex[record];
            }

            for (int entry = 0; entry < ledger.Count; entry++)
            {
                (UInt128 name, ReadOnlyMemory<byte> grades) = ledger.Entry(entry);
                if (persons.TryGetValue(name, out int person))
                {
                    _ = TryAdd(person, grades.Span, [], cap: null);
                }
            }
        }

        public EpsilonMicro Highest => new(_loss.DefaultIfEmpty(0).Max());

        public EpsilonMicro HighestOfRecord { get; private set; }

        /// <summary>Adds what a record's grades cost beyond those that are out; false, and nothing, when that exceeds the cap.</summary>
        public bool TryAdd(int person, ReadOnlySpan<byte> grades, ReadOnlySpan<byte> before, EpsilonMicro? cap)
        {
            long added = 0, ofRecord = 0;
            for (int attribute = 0; attribute < grades.Length; attribute++)
            {
                byte old = before.IsEmpty ? (byte)0 : before[attribute];
                long now = _schema.Grades[Math.Max(old, grades[attribute])].Micro;
                ofRecord += now;
                added += _schema.Attributes[attribute].ConstantPerPerson ? 0 : now - _schema.Grades[old].Micro;
            }

            Span<byte> shared = _sharedGrades.AsSpan(person * _shared.Length, _shared.Length);
            for (int i = 0; i < shared.Length; i++)
            {
                added += Math.Max(0, _schema.Grades[grades[_shared[i]]].Micro - _schema.Grades[shared[i]].Micro);
            }

            if (cap is { } most && added > 0 && _loss[person] + added > most.Micro)
            {
                return false;
            }

            _loss[person] += added;
            HighestOfRecord = new EpsilonMicro(Math.Max(HighestOfRecord.Micro, ofRecord));
            for (int i = 0; i < shared.Length; i++)
            {
                shared[i] = Math.Max(shared[i], grades[_shared[i]]);
            }

            return true;
        }
    }
}

/// <summary>
/// A hand-out that is decided, whose reports are drawn attribute by attribute, so that those of one at a time are in memory.
/// </summary>
public sealed class PreparedReports
{
    private readonly RecordTable _table;
    private readonly byte[] _siteKey;
    private readonly PerturbationPlan _plan;
    private readonly int[] _rows;
    private readonly int[] _profiles;

    internal PreparedReports(
        Schema schema, RecordTable table, ReadOnlySpan<byte> siteKey, PerturbationPlan plan, int[] rows, int[] profiles) =>
        (Schema, _table, _siteKey, _plan, _rows, _profiles) = (schema, table, siteKey.ToArray(), plan, rows, profiles);

    /// <summary>The schema.</summary>
    public Schema Schema { get; }

    /// <summary>Per released record its pseudonym of 16 bytes, ascending.</summary>
    public required byte[] Pseudonyms { get; init; }

    /// <summary>Per released record the index of its person, numbered by first appearance.</summary>
    public required int[] PersonIndex { get; init; }

    /// <summary>What the hand-out is, in numbers that disclose nobody.</summary>
    public required PerturbationSummary Summary { get; init; }

    /// <summary>
    /// Per attribute and grade without its reports: the columns that <see cref="Draw(CancellationToken)"/> will give, in that order.
    /// </summary>
    public IEnumerable<(ReportFileColumn Empty, int Reports)> Outline() =>
        from wanted in Wanted()
        from column in Draw(
            wanted.Attribute, wanted.Grades, [], new RecordColumn { Attribute = Schema.Attributes[wanted.Attribute], Codes = [] })
        let reports = Holders(wanted.Attribute, column.Grade).Length
        where reports > 0
        select (column, reports);

    /// <summary>The columns of reports, by attribute in schema order and grade.</summary>
    public IEnumerable<ReportFileColumn> Draw(CancellationToken cancellationToken)
    {
        foreach ((int attribute, int[] grades) in Wanted())
        {
            cancellationToken.ThrowIfCancellationRequested();
            RecordColumn raw = _table.Columns[attribute];
            ulong[] facts = raw.Attribute.ConstantPerPerson ? _table.PersonKeys : _table.RecordKeys;
            var column = new RecordColumn
            {
                Attribute = raw.Attribute,
                Codes = Array.ConvertAll(_rows, record => raw.Codes[record]),
                Fractions = raw.Fractions is { } fractions ? Array.ConvertAll(_rows, record => fractions[record]) : null,
            };
            foreach (ReportFileColumn drawn in Draw(attribute, grades, Array.ConvertAll(_rows, record => facts[record]), column))
            {
                int[] holders = Holders(attribute, drawn.Grade);
                if (holders.Length > 0)
                {
                    yield return drawn with { Rows = holders, Reports = holders.Length == _rows.Length
                        ? drawn.Reports
                        : drawn.Reports.Take(holders) };
                }
            }
        }
    }

    private IEnumerable<(int Attribute, int[] Grades)> Wanted() => _plan.Grades.OrderBy(w => w.Key).Select(w => (w.Key, w.Value));

    private IEnumerable<ReportFileColumn> Draw(int attribute, int[] grades, ulong[] facts, RecordColumn column)
    {
        AttributeDefinition definition = Schema.Attributes[attribute];
        if (definition.Mechanism is null)
        {
            return [new ReportFileColumn(definition, 0, [], new CodeReports(column.Codes))
            {
                Channel = ReportFileColumn.ChannelOf(Schema, definition, 0),
            }];
        }

        IReportLadder ladder = MechanismCatalogue.Get(definition.Mechanism).CreateLadder(definition.Domain, Schema.Grades);
        IReadOnlyList<ReportColumn> drawn = ladder.Draw(ColumnKey.Derive(_siteKey, definition.Source), column, facts, grades);
        return grades.Select((grade, i) => new ReportFileColumn(definition, grade, [], drawn[i]) { Channel = ladder[grade] });
    }

    private int[] Holders(int attribute, int grade) =>
        [.. Enumerable.Range(0, _rows.Length).Where(row => grade == 0 || Schema.Profiles[_profiles[row]][attribute] >= grade)];
}
