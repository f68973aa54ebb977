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
    public EpsilonMicro? Cap { get; init; } = PersonBudget.DefaultCap;

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
    int Records, int Released, int WithheldByPolicy, int WithheldBySuppression, int WithheldByCap, int MovedToStricter, EpsilonMicro LossPerRecord, EpsilonMicro LossPerPerson);

/// <summary>A plan would spend more of one record than the cap allows.</summary>
public sealed class CapExceededException(string message) : Exception(message);

/// <summary>
/// Turns raw records into reports: the step after which nothing raw is left. A function of records, policies, plan and site key.
/// </summary>
public static class Perturbation
{
    /// <summary>Draws the reports.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="table">The records.</param>
    /// <param name="profiles">Per record the index of its profile in the schema's menu, or <see cref="SuppressionUnits.Withheld"/>.</param>
    /// <param name="siteKey">The site's key, 32 bytes.</param>
    /// <param name="plan">What to hand out.</param>
    /// <param name="cancellationToken">Cancels between attributes.</param>
    /// <exception cref="CapExceededException">One record's reports alone would exceed the cap.</exception>
    public static (ReportFile Reports, PerturbationSummary Summary) Run(
        Schema schema, RecordTable table, ReadOnlySpan<int> profiles, ReadOnlySpan<byte> siteKey, PerturbationPlan plan, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(plan);
        int[] units = SuppressionUnits.Assign(schema.Profiles, schema.Grades, Cells(schema, table), profiles, table.PersonIndex, plan.MinPersons);
        ProfileLoss[] losses = [.. schema.Profiles.Select(p => LossUnder(schema, p, plan))];
        CheckRecordCap(schema, losses, units, plan);
        (int[] order, byte[] pseudonyms) = Pseudonyms(schema, table, siteKey);
        var persons = new PersonLosses(table.PersonCount);
        bool[] released = Released(table, units, losses, plan, order, persons, out int byCap);

        int[] rows = Array.FindAll(order, record => released[record]);
        byte[] kept = new byte[rows.Length * ReportFile.PseudonymBytes];
        for (int row = 0; row < rows.Length; row++)
        {
            pseudonyms.AsSpan(rows[row] * ReportFile.PseudonymBytes, ReportFile.PseudonymBytes).CopyTo(kept.AsSpan(row * ReportFile.PseudonymBytes));
        }

        var columns = new List<ReportFileColumn>();
        foreach ((int attribute, int[] grades) in plan.Grades.OrderBy(w => w.Key))
        {
            cancellationToken.ThrowIfCancellationRequested();
            columns.AddRange(Draw(schema, table, attribute, grades, rows, units, siteKey));
        }

        var reports = new ReportFile { Schema = schema, Pseudonyms = kept, PersonIndex = ByFirstAppearance(table, rows), Columns = columns };
        return (reports, Summarise(table, profiles, units, losses, released, persons, byCap));
    }

    private static ReportFileColumn[] Draw(Schema schema, RecordTable table, int attribute, int[] grades, int[] rows, int[] units, ReadOnlySpan<byte> siteKey)
    {
        RecordColumn column = table.Columns[attribute];
        AttributeDefinition definition = column.Attribute;
        if (definition.Mechanism is null)
        {
            ReportColumn values = new CodeReports(column.Codes).Take(rows);
            return [new ReportFileColumn(definition, 0, [.. Enumerable.Range(0, rows.Length)], values) { Channel = ReportFileColumn.ChannelOf(schema, definition, 0) }];
        }

        IReportLadder ladder = MechanismCatalogue.Get(definition.Mechanism).CreateLadder(definition.Domain, schema.Grades);
        ColumnKey key = ColumnKey.Derive(siteKey, definition.Source);
        ulong[] facts = definition.ConstantPerPerson ? table.PersonKeys : table.RecordKeys;
        IReadOnlyList<ReportColumn> drawn = ladder.Draw(key, column, facts, grades);
        return [.. grades.Select((grade, i) =>
        {
            int[] holders = [.. Enumerable.Range(0, rows.Length).Where(row => schema.Profiles[units[rows[row]]][attribute] >= grade)];
            return new ReportFileColumn(definition, grade, holders, drawn[i].Take([.. holders.Select(row => rows[row])])) { Channel = ladder[grade] };
        }).Where(c => c.Rows.Length > 0)];
    }

    /// <summary>
    /// Random-looking pseudonyms: AES-256, a permutation of 128-bit blocks, of the record key under a key of site and schema; and the
    /// records in their order.
    /// </summary>
    private static (int[] Order, byte[] Pseudonyms) Pseudonyms(Schema schema, RecordTable table, ReadOnlySpan<byte> siteKey)
    {
        byte[] key = new byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, siteKey, key, salt: [], info: Encoding.UTF8.GetBytes("emrmarket pseudonym v1 " + schema.Id));
        using var aes = Aes.Create();
        aes.Key = key;
        byte[] blocks = new byte[table.Count * ReportFile.PseudonymBytes];
        for (int record = 0; record < table.Count; record++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(blocks.AsSpan(record * ReportFile.PseudonymBytes), table.RecordKeys[record]);
        }

        byte[] pseudonyms = aes.EncryptEcb(blocks, PaddingMode.None);
        var keys = new UInt128[table.Count];
        int[] order = new int[table.Count];
        for (int record = 0; record < keys.Length; record++)
        {
            keys[record] = BinaryPrimitives.ReadUInt128BigEndian(pseudonyms.AsSpan(record * ReportFile.PseudonymBytes));
            order[record] = record;
        }

        Array.Sort(keys, order);
        return (order, pseudonyms);
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

    private static ProfileLoss LossUnder(Schema schema, PolicyProfile profile, PerturbationPlan plan)
    {
        EpsilonMicro record = EpsilonMicro.Zero, person = EpsilonMicro.Zero;
        bool anyRandomised = false;
        foreach ((int attribute, int[] grades) in plan.Grades.Where(w => schema.Attributes[w.Key].Tier != Tier.Public))
        {
            anyRandomised = true;
            EpsilonMicro loss = schema.Grades[grades.Where(g => g <= profile[attribute]).DefaultIfEmpty(0).Max()];
            (record, person) = schema.Attributes[attribute].ConstantPerPerson ? (record, person + loss) : (record + loss, person);
        }

        // Who withholds everything is not published with Public values alone either.
        bool withholds = (anyRandomised ? record + person : profile.TotalLoss(schema.Grades)) == EpsilonMicro.Zero;
        return new ProfileLoss(record, person, withholds);
    }

    private static void CheckRecordCap(Schema schema, ProfileLoss[] losses, int[] units, PerturbationPlan plan)
    {
        foreach (int profile in units.Where(u => u != SuppressionUnits.Withheld).Distinct())
        {
            EpsilonMicro loss = losses[profile].Record + losses[profile].Person;
            if (plan.Cap is { } cap && loss > cap)
            {
                throw new CapExceededException(
                    $"Under profile '{schema.Profiles[profile].Name}' these reports would spend {loss} epsilon of one record, above the cap of {cap}: "
                    + "hand out fewer attributes, or lower grades.");
            }
        }
    }

    /// <summary>
    /// Which records go out: those that some report is wanted of, a person's in the order of their pseudonyms until the person's cap is
    /// used up.
    /// </summary>
    private static bool[] Released(RecordTable table, int[] units, ProfileLoss[] losses, PerturbationPlan plan, int[] order, PersonLosses persons, out int byCap)
    {
        bool[] released = new bool[table.Count];
        byCap = 0;
        foreach (int record in order)
        {
            if (units[record] == SuppressionUnits.Withheld || losses[units[record]].WithholdsAll)
            {
                continue;
            }

            released[record] = persons.TryAdd(table.PersonIndex[record], losses[units[record]], plan.Cap);
            byCap += released[record] ? 0 : 1;
        }

        return released;
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
        RecordTable table, ReadOnlySpan<int> profiles, int[] units, ProfileLoss[] losses, bool[] released, PersonLosses persons, int byCap)
    {
        int byPolicy = 0, bySuppression = 0, moved = 0, count = 0;
        EpsilonMicro highest = EpsilonMicro.Zero;
        for (int i = 0; i < released.Length; i++)
        {
            if (released[i])
            {
                count++;
                moved += units[i] != profiles[i] ? 1 : 0;
                EpsilonMicro loss = losses[units[i]].Record + losses[units[i]].Person;
                highest = loss > highest ? loss : highest;
            }
            else if (profiles[i] == SuppressionUnits.Withheld || losses[profiles[i]].WithholdsAll)
            {
                byPolicy++;
            }
            else if (units[i] == SuppressionUnits.Withheld || losses[units[i]].WithholdsAll)
            {
                bySuppression++;
            }
        }

        return new PerturbationSummary(table.Count, count, byPolicy, bySuppression, byCap, moved, highest, persons.Highest);
    }

    /// <summary>What a profile lets a plan release: of each record, and of the person once.</summary>
    private readonly record struct ProfileLoss(EpsilonMicro Record, EpsilonMicro Person, bool WithholdsAll);

    /// <summary>What each person's released records have spent: their own facts, and the highest of the facts that they share.</summary>
    private sealed class PersonLosses(int persons)
    {
        private readonly long[] _records = new long[persons];
        private readonly long[] _shared = new long[persons];

        public EpsilonMicro Highest => new(_records.Zip(_shared, (own, shared) => own + shared).DefaultIfEmpty(0).Max());

        public bool TryAdd(int person, ProfileLoss loss, EpsilonMicro? cap)
        {
            long records = _records[person] + loss.Record.Micro, shared = Math.Max(_shared[person], loss.Person.Micro);
            if (records + shared > (cap?.Micro ?? long.MaxValue))
            {
                return false;
            }

            (_records[person], _shared[person]) = (records, shared);
            return true;
        }
    }
}
