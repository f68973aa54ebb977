using System.Security.Cryptography;
using System.Text.Json;
using EmrMarket.Analytics.Auditing;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary>One run of <c>emr audit-privacy</c>.</summary>
internal sealed class AuditPrivacyRun
{
    private const int SyntheticRecords = 20_000;
    private static readonly int[] AttributeCounts = [1, 2, 5, 10, 20];

    // One domain per mechanism, of a size at which it is used.
    private static readonly (string Mechanism, AttributeDomain Domain)[] AuditedDomains =
    [
        ("grr", Categories(10)), ("ss", Categories(30)), ("oue", Categories(30)), ("olh", Categories(1_000)),
        ("dsw", new GridDomain(0, 1, 64, "1")),
    ];

    private static readonly JsonSerializerOptions JsonLayout = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public required long Samples { get; init; }

    public required IReadOnlyList<string> Mechanisms { get; init; }

    public required IReadOnlyList<string> Data { get; init; }

    public required string? Schema { get; init; }

    public required string? Policy { get; init; }

    public required int People { get; init; }

    public required bool Json { get; init; }

    /// <summary>Audits, prints, and answers with the exit code.</summary>
    public int Run(CancellationToken cancellation)
    {
        // Input is refused before the long part begins.
        (string name, Schema schema, RecordTable crowd) = LoadCrowd(cancellation);
        PolicyProfile policy = ChoosePolicy(schema);

        var losses = new List<LossAuditFinding>();
        foreach ((string id, AttributeDomain domain) in AuditedDomains.Where(audited => Mechanisms.Contains(audited.Mechanism)))
        {
            Progress($"{id}: {Samples:N0} reports of each of two values at {GradeLadder.Default.Count} grades");
            losses.AddRange(LossAudit.Run(MechanismCatalogue.Get(id), domain, GradeLadder.Default, Samples, FreshKey(), cancellation));
        }

        Progress($"re-identification in a crowd of {crowd.Count:N0}");
        IReadOnlyList<GradeFinding> byGrade = MeasureByGrade(schema, crowd, cancellation);
        PolicyFinding byPolicy = MeasurePolicy(schema, crowd, policy, cancellation);
        var findings = new AuditFindings(
            Samples, LossAudit.TailProbability, [.. losses.Select(LossRow.Of)], name, crowd.Count, 1.0 / crowd.Count, byGrade, byPolicy,
            losses.Any(loss => loss.Violated));
        if (Json)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(findings, JsonLayout));
        }
        else
        {
            AuditPrivacyTables.Print(findings);
        }

        return findings.Violated ? ExitCode.Failure : ExitCode.Success;
    }

    private (string Name, Schema Schema, RecordTable Crowd) LoadCrowd(CancellationToken cancellation)
    {
        if (Data.Count > 0 && Schema is null)
        {
            throw new CommandException(
                ExitCode.Usage, $"--data needs --schema: a file, or one of {string.Join(", ", DataFolder.SchemaNames)}.");
        }

        if (Data.Count == 0 && Schema is not (null or "synthetic"))
        {
            throw new CommandException(ExitCode.Usage, $"--schema '{Schema}' needs the records: give --data FILE.");
        }

        Schema schema = DataFolder.LoadSchema(Schema ?? "synthetic");
        RecordTable table = Data.Count > 0
            ? new RecordLoader(schema).Load(Data, cancellation)
            : DataFolder.LoadSynthetic(SHA256.HashData("emrmarket synthetic records v1"u8)).Generate(SyntheticRecords);
        if (table.PersonCount < 2)
        {
            throw new CommandException(ExitCode.Usage, $"The data holds {table.PersonCount} persons; a crowd takes at least two.");
        }

        int people = Math.Min(People, table.PersonCount);
        return (Data.Count > 0
            ? string.Join(", ", Data)
            : "synthetic records", schema, Reidentification.ChooseCrowd(table, people, RandomNumberGenerator.GetBytes(32)));
    }

    private PolicyProfile ChoosePolicy(Schema schema)
    {
        if (Policy is null)
        {
            return PolicyProfile.Create("default ceilings", schema.Attributes, schema.Grades, schema.Ceilings);
        }

        return schema.Profiles.FirstOrDefault(profile => profile.Name == Policy) ?? throw new CommandException(
            ExitCode.Usage, $"--policy '{Policy}' is not on the menu of schema '{schema.Name}': expected "
                + $"{string.Join(", ", schema.Profiles.Select(p => p.Name))}.");
    }

    /// <summary>Every randomised attribute at one grade, the first 1, 2, 5, 10, 20 of them and all.</summary>
    private static List<GradeFinding> MeasureByGrade(Schema schema, RecordTable crowd, CancellationToken cancellation)
    {
        int[] attributes = [.. Enumerable.Range(0, schema.Attributes.Count).Where(a => schema.Attributes[a].Tier != Tier.Public)];
        int[] counts = [.. AttributeCounts.Where(count => count < attributes.Length), attributes.Length];
        var findings = new List<GradeFinding>();
        for (int grade = 1; grade <= schema.Grades.Count; grade++)
        {
            ReleasedReport[] released = [.. attributes.Select(a => new ReleasedReport(a, grade))];
            foreach (ReidentificationFinding finding in
                Reidentification.Measure(crowd, schema.Grades, released, counts, [], RandomNumberGenerator.GetBytes(32), cancellation))
            {
                findings.Add(new GradeFinding(
                    grade, schema.Grades[grade].Value, finding.Attributes, finding.TopOne, finding.StandardError, finding.Loss.Value));
            }
        }

        return findings;
    }

    /// <summary>Everything that a policy lets out, Public attributes included.</summary>
    private static PolicyFinding MeasurePolicy(Schema schema, RecordTable crowd, PolicyProfile policy, CancellationToken cancellation)
    {
        int[] all = [.. Enumerable.Range(0, schema.Attributes.Count)];
        int[] known = [.. all.Where(a => schema.Attributes[a].Tier == Tier.Public)];
        ReleasedReport[] released = [.. all.Where(a => policy[a] > 0).Select(a => new ReleasedReport(a, policy[a]))];
        if (released.Length == 0)
        {
            return new PolicyFinding(policy.Name, known.Length, 0, null, null, 0);
        }

        ReidentificationFinding finding =
            Reidentification.Measure(
                crowd, schema.Grades, released, [released.Length], known, RandomNumberGenerator.GetBytes(32), cancellation)[0];
        return new PolicyFinding(policy.Name, known.Length, released.Length, finding.TopOne, finding.StandardError, finding.Loss.Value);
    }

    private static ColumnKey FreshKey() => ColumnKey.Derive(RandomNumberGenerator.GetBytes(32), "audit");

    private static CategoricalDomain Categories(int k) => new([.. Enumerable.Range(0, k).Select(i => $"value {i}")], Ordered: false);

    private static void Progress(string message)
    {
        if (!Console.IsErrorRedirected)
        {
            Console.Error.WriteLine($"emr: {message} ...");
        }
    }
}

/// <summary>All findings of a run, as printed by --json.</summary>
/// <param name="Samples">Reports drawn for each of the two values, per mechanism and grade.</param>
/// <param name="TailProbability">The probability that one binomial bound is wrong.</param>
/// <param name="Losses">The audit of losses.</param>
/// <param name="Data">What the crowd was drawn from.</param>
/// <param name="People">Size of the crowd.</param>
/// <param name="Chance">The share that a blind guess would get right.</param>
/// <param name="ByGrade">Re-identification with every randomised attribute at one grade.</param>
/// <param name="ByPolicy">Re-identification under a policy, Public attributes known as they are.</param>
/// <param name="Violated">Whether any mechanism was proved to lose more than it claims.</param>
internal sealed record AuditFindings(
    long Samples,
    double TailProbability,
    IReadOnlyList<LossRow> Losses,
    string Data,
    int People,
    double Chance,
    IReadOnlyList<GradeFinding> ByGrade,
    PolicyFinding ByPolicy,
    bool Violated);

/// <summary>
/// One mechanism at one grade; losses in epsilon (natural logarithm). Null where no report of the other value hit the event.
/// </summary>
internal sealed record LossRow(
    string Mechanism, int DomainSize, int Grade, double Epsilon, double? Measured, double LowerBound, double? UpperBound,
    double? SmallestVisibleExcess, bool Violated)
{
    public static LossRow Of(LossAuditFinding finding) => new(
        finding.Mechanism, finding.DomainSize, finding.Grade, finding.Epsilon.Value, Finite(finding.Measured), finding.LowerBound,
        Finite(finding.UpperBound),
        Finite(finding.SmallestVisibleExcess), finding.Violated);

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}

/// <summary>Re-identification by the first <paramref name="Attributes"/> randomised attributes at one grade.</summary>
internal sealed record GradeFinding(int Grade, double Epsilon, int Attributes, double TopOne, double StandardError, double TotalEpsilon);

/// <summary>Re-identification under a policy; null when it releases nothing.</summary>
internal sealed record PolicyFinding(
    string Policy, int PublicAttributes, int Attributes, double? TopOne, double? StandardError, double TotalEpsilon);
