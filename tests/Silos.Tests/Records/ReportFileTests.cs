using System.Security.Cryptography;
using System.Text.Json;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Reports;

namespace EmrMarket.Silos.Tests.Records;

public sealed class ReportFileTests : IDisposable
{
    private static readonly byte[] SiteKey = SHA256.HashData("a site"u8);
    private static readonly RecordTable Table = DataFolder.LoadSynthetic(DataFolder.SyntheticSeed(1)).Generate(3_000);
    private static readonly Schema Schema = DataFolder.LoadSchema("synthetic");
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static int Index(string attribute) => Schema.IndexOf(attribute);

    private static int Profile(string name) => Schema.Profiles.TakeWhile(p => p.Name != name).Count();

    /// <summary>One attribute per form of reports: codes of one and two bytes, sets, hashes; one Public; one constant per person.</summary>
    private static PerturbationPlan Plan(EpsilonMicro? cap = null) => new()
    {
        Grades = new Dictionary<int, int[]>
        {
            [Index("region")] = [],
            [Index("sex")] = [2, 4],
            [Index("age")] = [3],
            [Index("medications")] = [4],
            [Index("diagnosis")] = [1, 2],
            [Index("diagnosis_chapter")] = [3],
        },
        Cap = cap,
    };

    private static (ReportFile Reports, PerturbationSummary Summary) Run(
        PerturbationPlan plan, byte[]? key = null, int[]? profiles = null) =>
        Perturbation.Run(Schema, Table, profiles ?? PolicyChoice.Everybody(Profile("balanced")).Assign(Table, SiteKey), key
            ?? SiteKey, plan);

    private byte[] Bytes(ReportFile reports, string name = "r.emr-reports")
    {
        ReportFileFormat.Write(reports, _folder.Place(name));
        return File.ReadAllBytes(_folder.Place(name));
    }

    [Fact]
    public void Written_file_reads_back_the_same()
    {
        ReportFile written = Run(Plan()).Reports;
        byte[] bytes = Bytes(written);
        ReportFile read = ReportFileFormat.Read(_folder.Place("r.emr-reports"));
        Assert.Equal(Schema.Id, read.Schema.Id);
        Assert.Equal(written.Pseudonyms, read.Pseudonyms);
        Assert.Equal(written.PersonIndex, read.PersonIndex);
        Assert.Equal(written.Columns.Select(c => (c.Attribute.Name, c.Grade, c.Rows.Length)), read.Columns.Select(
            c => (c.Attribute.Name, c.Grade, c.Rows.Length)));
        Assert.Equal(bytes, Bytes(read, "again.emr-reports"));
        Assert.DoesNotContain(Directory.EnumerateFiles(_folder.Path), f => f.EndsWith(".part", StringComparison.Ordinal));
    }

    [Fact]
    public void Bytes_lie_where_the_format_says()
    {
        ReportFile reports = Run(new PerturbationPlan { Grades = new Dictionary<int, int[]>
        {
            [Index("sex")] = [4], [Index("medications")] = [4], [Index("diagnosis")] = [2],
        }, Cap = null }).Reports;
        byte[] bytes = Bytes(reports);
        Assert.Equal("EMRREPTS", System.Text.Encoding.ASCII.GetString(bytes, 0, 8));
        Assert.Equal(1, BitConverter.ToInt32(bytes, 8));
        int headerLength = BitConverter.ToInt32(bytes, 12), n = reports.Count;
        JsonElement header = JsonDocument.Parse(bytes.AsMemory(16, headerLength)).RootElement;
        Assert.Equal(Schema.Id, header.GetProperty("schemaId").GetString());
        Assert.Equal(n, header.GetProperty("records").GetInt32());
        Assert.Equal(
            ["codes8", "hashes", "codes8"], header.GetProperty("columns").EnumerateArray().Select(c => c.GetProperty("form").GetString()));
        Assert.Equal([2_000_000, 500_000, 2_000_000], header.GetProperty("columns").EnumerateArray()
            .Select(c => c.GetProperty("epsilonMicro").GetInt32()));
        int at = 16 + headerLength;
        Assert.Equal(reports.Pseudonyms, bytes[at..(at += 16 * n)]);
        Assert.Equal(reports.PersonIndex[n - 1], BitConverter.ToInt32(bytes, at + (4 * (n - 1))));
        at += 4 * n;
        int members = (n + 7) / 8;
        Assert.All(bytes[at..(at + members - 1)], b => Assert.Equal(0xFF, b));
        at += members;
        Assert.Equal(((CodeReports)reports.Columns[0].Reports).Codes.Select(c => (byte)c), bytes[at..(at += n)]);
        at += members;
        var hashes = (HashReports)reports.Columns[1].Reports;
        Assert.Equal(hashes.Multipliers[1], BitConverter.ToUInt32(bytes, at + 4));
        Assert.Equal(hashes.Addends[1], BitConverter.ToUInt32(bytes, at + (4 * n) + 4));
        Assert.Equal(hashes.Cells[1], BitConverter.ToUInt16(bytes, at + (8 * n) + 2));
        at += (10 * n) + members;
        Assert.Equal(((CodeReports)reports.Columns[2].Reports).Codes.Select(c => (byte)c), bytes[at..(at += n)]);
        Assert.Equal(SHA256.HashData(bytes[..at]), bytes[at..]);

        // A pseudonym, from the record key alone.
        using var aes = Aes.Create();
        aes.Key = HKDF.DeriveKey(
            HashAlgorithmName.SHA256, SiteKey, 32, [], System.Text.Encoding.UTF8.GetBytes("emrmarket pseudonym v1 " + Schema.Id));
        byte[] block = new byte[16];
        block[0] = 7;
        Assert.Contains(Convert.ToHexString(aes.EncryptEcb(block, PaddingMode.None)), Pseudonyms(reports));
    }

    [Fact]
    public void Same_key_and_data_give_the_same_bytes_and_another_key_shares_no_pseudonym()
    {
        byte[] first = Bytes(Run(Plan()).Reports, "a.emr-reports");
        Assert.Equal(first, Bytes(Run(Plan()).Reports, "b.emr-reports"));
        ReportFile other = Run(Plan(), SHA256.HashData("another site"u8)).Reports;
        Assert.Empty(Pseudonyms(other).Intersect(Pseudonyms(Run(Plan()).Reports)));
    }

    [Fact]
    public void Reports_do_not_depend_on_what_else_is_wanted_nor_on_the_order_of_records()
    {
        PerturbationPlan one = new() { Grades = new Dictionary<int, int[]> { [Index("diagnosis")] = [1] }, Cap = null, MinPersons = 1 };
        ReportFile alone = Run(one).Reports;
        ReportFileColumn column = Run(Plan() with { MinPersons = 1 })
            .Reports.Columns.Single(c => c.Attribute.Name == "diagnosis" && c.Grade == 1);
        Assert.Equal(((HashReports)alone.Columns[0].Reports).Cells, ((HashReports)column.Reports).Cells);

        int[] order = [.. Enumerable.Range(0, Table.Count).Reverse()];
        T[] Reorder<T>(T[] values) => Array.ConvertAll(order, i => values[i]);
        var reversed = new RecordTable
        {
            RecordKeys = Reorder(Table.RecordKeys), PersonKeys = Reorder(Table.PersonKeys), PersonIndex = Reorder(Table.PersonIndex),
            PersonCount = Table.PersonCount,
            Columns = [.. Table.Columns.Select(c => new RecordColumn
            {
                Attribute = c.Attribute, Codes = Reorder(c.Codes), Fractions = c.Fractions is null ? null : Reorder(c.Fractions),
            })],
        };
        int[] profiles = PolicyChoice.Everybody(Profile("balanced")).Assign(reversed, SiteKey);
        Assert.Equal(Bytes(Run(Plan()).Reports, "a.emr-reports"), Bytes(
            Perturbation.Run(Schema, reversed, profiles, SiteKey, Plan()).Reports, "b.emr-reports"));
    }

    [Fact]
    public void Reports_of_a_constant_attribute_are_one_per_person()
    {
        ReportFile reports = Run(Plan()).Reports;
        ushort[] codes = ((CodeReports)reports.Columns.Single(c => c.Attribute.Name == "sex" && c.Grade == 4).Reports).Codes;
        Assert.Contains(reports.PersonIndex.CountBy(p => p), p => p.Value > 1);
        Assert.All(reports.PersonIndex.Zip(codes).GroupBy(p => p.First), g => Assert.Single(g.Select(p => p.Second).Distinct()));
    }

    [Fact]
    public void Rows_are_in_the_order_of_pseudonyms_and_columns_stay_aligned()
    {
        ReportFile reports = Run(Plan()).Reports;
        string[] pseudonyms = [.. Pseudonyms(reports)];
        Assert.Equal(pseudonyms.Order(StringComparer.Ordinal), pseudonyms);

        // The Public column tells which raw record a row is of: regions and persons must agree row by row.
        ushort[] regions = ((CodeReports)reports.Columns[0].Reports).Codes;
        Assert.Equal(Table.Columns[Index("region")].Codes.Order(), regions.Order());
        Assert.All(reports.PersonIndex.Zip(regions).GroupBy(p => p.First), g => Assert.Single(g.Select(p => p.Second).Distinct()));
    }

    [Fact]
    public void Only_allowed_grades_are_written_and_small_units_withheld()
    {
        int[] profiles = new int[Table.Count];
        for (int i = 0; i < profiles.Length; i++)
        {
            profiles[i] = Table.PersonIndex[i] % 3 == 0 ? Profile(
                "conservative") : Table.PersonIndex[i] % 3 == 1 ? Profile("balanced") : SuppressionUnits.Withheld;
        }

        (ReportFile reports, PerturbationSummary summary) = Run(Plan(), profiles: profiles);
        Assert.Equal(profiles.Count(p => p == SuppressionUnits.Withheld), summary.WithheldByPolicy);
        Assert.Equal(Table.Count, summary.Released + summary.WithheldByPolicy + summary.WithheldBySuppression + summary.WithheldByCap);
        Assert.Equal(profiles.Count(p => p == Profile("balanced")), reports.Columns.Single(c => c.Attribute.Name == "diagnosis"
            && c.Grade == 2).Rows.Length);
        Assert.Equal(reports.Count, reports.Columns.Single(c => c.Attribute.Name == "diagnosis" && c.Grade == 1).Rows.Length);

        int few = 0;
        int[] rare = Array.ConvertAll(profiles, p => p == Profile("balanced") && few++ < 10 ? Profile("generous") : p);
        Assert.InRange(Run(Plan(), profiles: rare).Summary.MovedToStricter, 10, 10);
    }

    [Fact]
    public void Cap_holds_for_every_person_and_refuses_what_one_record_exceeds()
    {
        (ReportFile all, PerturbationSummary free) = Run(Plan());
        EpsilonMicro cap = free.LossPerRecord + free.LossPerRecord;
        (ReportFile capped, PerturbationSummary summary) = Run(Plan(cap));
        Assert.True(free.LossPerPerson > cap);
        Assert.True(summary.LossPerPerson <= cap);
        Assert.Equal(all.Count - capped.Count, summary.WithheldByCap);
        Assert.Equal(all.PersonCount, capped.PersonCount);
        Assert.Throws<CapExceededException>(() => Run(Plan(free.LossPerRecord - new EpsilonMicro(1))));
    }

    [Fact]
    public void Loss_is_the_sum_of_the_highest_grades()
    {
        // sex 4: 2 (per person), age 3: 1, medications 4: 2, diagnosis 2: 0.5, chapter 3: 1.
        PerturbationSummary summary = Run(Plan()).Summary;
        Assert.Equal(6_500_000, summary.LossPerRecord.Micro);
        int most = Table.PersonIndex.CountBy(p => p).Max(p => p.Value);
        Assert.Equal(2_000_000 + (most * 4_500_000L), summary.LossPerPerson.Micro);
    }

    [Fact]
    public void Any_altered_byte_and_any_cut_is_refused()
    {
        byte[] bytes = Bytes(Run(new PerturbationPlan { Grades = new Dictionary<int, int[]> { [Index("diabetes")] = [2] } }).Reports);
        var random = new Random(3);
        for (int i = 0; i < 200; i++)
        {
            byte[] altered = [.. bytes];
            altered[i < 40 ? i : random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            Assert.Throws<InputException>(() => ReportFileFormat.Read(altered, "f"));
            Assert.Throws<InputException>(() => ReportFileFormat.Read(bytes[..random.Next(bytes.Length)], "f"));
        }

        byte[] future = [.. bytes];
        future[8] = 2;
        Assert.Equal("future-version", Assert.Throws<InputException>(() => ReportFileFormat.Read(future, "f")).Problems[0].Code);
        Assert.Equal("damaged-reports", Assert.Throws<InputException>(() => ReportFileFormat.Read([.. bytes, 0], "f")).Problems[0].Code);
    }

    [Fact]
    public void Content_that_its_channel_cannot_produce_is_refused_even_with_a_right_sum()
    {
        byte[] bytes = Bytes(Run(new PerturbationPlan { Grades = new Dictionary<int, int[]> { [Index("diabetes")] = [2] } }).Reports);
        InputException Forge(int fromEnd, byte value)
        {
            byte[] forged = [.. bytes];
            forged[^fromEnd] = value;
            SHA256.HashData(forged.AsSpan(0, forged.Length - 32)).CopyTo(forged.AsSpan(forged.Length - 32));
            return Assert.Throws<InputException>(() => ReportFileFormat.Read(forged, "f"));
        }

        Assert.Equal("report-values", Forge(33, 2).Problems[0].Code);
    }

    [Fact]
    public void Batches_hold_the_records_that_have_all_wanted_reports()
    {
        int[] profiles = Array.ConvertAll(Table.PersonIndex, p => p % 2 == 0 ? Profile("conservative") : Profile("balanced"));
        ReportFile reports = Run(Plan(), profiles: profiles).Reports;
        ReportBatch batch = reports.Batch([("diagnosis", 2), ("age", 3)])!;
        Assert.Equal(profiles.Count(p => p == Profile("balanced")), batch.Count);
        Assert.Equal(2, batch.Attributes.Count);
        ReportBatch[] batches = [.. reports.HighestGrades(["diagnosis", "region"])];
        Assert.Equal([1, 2], batches.Select(b => b["diagnosis"].Grade).Order());
        Assert.Equal(reports.Count, batches.Sum(b => b.Count));
        Assert.Throws<EstimationRefusedException>(() => reports.Batch([("diagnosis", 3)]));
        Assert.Throws<EstimationRefusedException>(() => reports.HighestGrades(["bmi"]).Count());
    }

    [Fact]
    public void Estimate_from_the_file_finds_the_truth_within_eight_standard_errors()
    {
        ReportFile reports = Run(Plan()).Reports;
        ReportFileFormat.Write(reports, _folder.Place("x.emr-reports"));
        ReportFile read = Assert.Single(ReportFileFormat.ReadAll(_folder.Path));
        ReportFileColumn column = read.Columns.Single(c => c.Attribute.Name == "sex" && c.Grade == 4);
        double n = column.Rows.Length, p = column.Channel.P, q = column.Channel.Q;
        double estimate = ((column.Channel.CountSupport(column.Reports)[0] / n) - q) / (p - q);
        double truth = Table.Columns[Index("sex")].Codes.Count(c => c == 0) / n;

        // Persons have at most 12 records that share one coin: the variance is at most 12/4 / (n (p-q)^2); beyond 8 of these SD with
        // probability below 2e-15 (normal).
        Assert.InRange(estimate, truth - (8 * Math.Sqrt(3 / n) / (p - q)), truth + (8 * Math.Sqrt(3 / n) / (p - q)));
    }

    [Fact]
    public void Prepared_reports_written_an_attribute_at_a_time_are_the_same_bytes()
    {
        int[] profiles = Array.ConvertAll(Table.PersonIndex, p => p % 2 == 0 ? Profile("conservative") : Profile("balanced"));
        PreparedReports prepared = Perturbation.Prepare(Schema, Table, profiles, SiteKey, Plan());
        ReportFileFormat.Write(prepared, _folder.Place("p.emr-reports"));
        Assert.Equal(Bytes(Run(Plan(), profiles: profiles).Reports), File.ReadAllBytes(_folder.Place("p.emr-reports")));
    }

    private ReleaseLedger Ledger(byte[]? key = null, Schema? schema = null) =>
        ReleaseLedger.Read(_folder.Place("k.ledger"), schema ?? Schema, key ?? SiteKey);

    private (string[] Released, PerturbationSummary Summary) HandOut(EpsilonMicro? cap, params (string Attribute, int Grade)[] wanted)
    {
        ReleaseLedger ledger = Ledger();
        var plan = new PerturbationPlan { Grades = wanted.ToDictionary(w => Index(w.Attribute), w => new[] { w.Grade }), Cap = cap };
        int[] profiles = PolicyChoice.Everybody(Profile("generous")).Assign(Table, SiteKey);
        PreparedReports prepared = Perturbation.Prepare(Schema, Table, profiles, SiteKey, plan, ledger);
        ledger.Write(_folder.Place("k.ledger"));
        return ([.. prepared.Pseudonyms.Chunk(ReportFile.PseudonymBytes).Select(Convert.ToHexString)], prepared.Summary);
    }

    [Fact]
    public void Ledger_charges_a_second_hand_out_the_difference_only()
    {
        (string[] first, PerturbationSummary one) = HandOut(cap: null, ("diagnosis", 2), ("sex", 3));
        (string[] again, PerturbationSummary two) = HandOut(cap: null, ("diagnosis", 2), ("sex", 3));
        Assert.Equal(first, again);
        Assert.Equal((one.LossPerPerson, one.LossPerRecord), (two.LossPerPerson, two.LossPerRecord));

        // A lower grade is out with the higher one; a higher one costs the difference for every record, of a shared fact once.
        Assert.Equal(one.LossPerPerson, HandOut(cap: null, ("diagnosis", 1), ("sex", 1)).Summary.LossPerPerson);
        int most = Table.PersonIndex.CountBy(p => p).Max(p => p.Value);
        EpsilonMicro raised = HandOut(cap: null, ("diagnosis", 3), ("sex", 4)).Summary.LossPerPerson;
        Assert.Equal((most * Schema.Grades[3].Micro) + Schema.Grades[4].Micro, raised.Micro);
        Assert.Equal((most * (Schema.Grades[3].Micro + Schema.Grades[2].Micro)) + Schema.Grades[4]
            .Micro, HandOut(cap: null, ("diabetes", 2)).Summary.LossPerPerson.Micro);
    }

    [Fact]
    public void Ledger_holds_the_cap_across_hand_outs()
    {
        var cap = new EpsilonMicro(4_000_000);
        (string[] first, PerturbationSummary one) = HandOut(cap, ("diagnosis", 3));
        (string[] second, PerturbationSummary two) = HandOut(cap, ("diabetes", 3));
        Assert.True(one.LossPerPerson <= cap && two.LossPerPerson <= cap);
        Assert.True(two.WithheldByCap > one.WithheldByCap);

        // Whoever had four records out is used up: none of them is in the second hand-out. The same plan again gives what it gave.
        Assert.Equal(first, HandOut(cap, ("diagnosis", 3)).Released);
        Assert.Equal(second, HandOut(cap, ("diabetes", 3)).Released);
        Assert.True(HandOut(cap, ("diagnosis", 3), ("diabetes", 3)).Summary.LossPerPerson <= cap);
    }

    [Fact]
    public void Ledger_of_another_key_or_schema_or_an_altered_one_is_refused()
    {
        HandOut(cap: null, ("sex", 1));
        string Code(Func<ReleaseLedger> read) => Assert.Throws<InputException>(read).Problems[0].Code;
        Assert.Equal("other-site-key", Code(() => Ledger(SHA256.HashData("another site"u8))));
        Assert.Equal("schema-mismatch", Code(() => Ledger(schema: DataFolder.LoadSchema("diabetic_data"))));
        byte[] bytes = File.ReadAllBytes(_folder.Place("k.ledger"));
        var random = new Random(4);
        for (int i = 0; i < 100; i++)
        {
            byte[] altered = [.. bytes];
            altered[i < 40 ? i : random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(_folder.Place("k.ledger"), i % 2 == 0 ? altered : bytes[..random.Next(bytes.Length)]);
            Assert.Contains(Code(() => Ledger()), new[] { "not-a-ledger", "future-version", "damaged-ledger" });
        }
    }

    private static IEnumerable<string> Pseudonyms(ReportFile reports) =>
        reports.Pseudonyms.Chunk(ReportFile.PseudonymBytes).Select(Convert.ToHexString);
}
