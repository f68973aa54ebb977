using System.Numerics;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Auditing;

/// <summary>One report that is released about every record: of an attribute, by its index in the table, at a grade.</summary>
public readonly record struct ReleasedReport(int Attribute, int Grade);

/// <summary>How often an attacker who knows a person's whole raw record picks that person's reports out of a crowd.</summary>
/// <param name="People">Size of the crowd.</param>
/// <param name="Attributes">Number of randomised attributes whose reports the attacker sees.</param>
/// <param name="TopOne">Share of people whose own reports the attacker ranks first; a tie of m counts 1/m.</param>
/// <param name="Loss">The summed loss of what is released about one record.</param>
public sealed record ReidentificationFinding(int People, int Attributes, double TopOne, EpsilonMicro Loss)
{
    /// <summary>The share that a blind guess would get right.</summary>
    public double Chance => 1.0 / People;

    /// <summary>The binomial standard error of <see cref="TopOne"/>.</summary>
    public double StandardError => Math.Sqrt(TopOne * (1 - TopOne) / People);
}

/// <summary>
/// The measurement behind the sentence "reports are fingerprints to someone who knows the raw values". The attacker is the strongest there
/// is: the likelihood of a row of reports given the known values, which for these mechanisms orders rows by the summed log odds of the
/// attributes whose report supports the known value (proof.md of each mechanism: a report has one of two probabilities).
/// </summary>
public static class Reidentification
{
    /// <summary>The largest crowd: scores of all pairs are held at once.</summary>
    public const int MaxPeople = 5_000;

    /// <summary>Draws a crowd: the first record of each of some randomly chosen persons.</summary>
    /// <param name="table">The raw records.</param>
    /// <param name="people">Size of the crowd: at least 2, at most <see cref="MaxPeople"/> and the table's number of persons.</param>
    /// <param name="siteKey">A key of 32 bytes that makes the choice.</param>
    /// <returns>A table of <paramref name="people"/> records.</returns>
    public static RecordTable ChooseCrowd(RecordTable table, int people, ReadOnlySpan<byte> siteKey)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentOutOfRangeException.ThrowIfLessThan(people, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(people, Math.Min(MaxPeople, table.PersonCount));
        int[] firstRecord = new int[table.PersonCount];
        Array.Fill(firstRecord, -1);
        for (int i = table.Count - 1; i >= 0; i--)
        {
            firstRecord[table.PersonIndex[i]] = i;
        }

        var lots = new Vector128<byte>[table.PersonCount];
        for (int i = 0; i < lots.Length; i++)
        {
            lots[i] = Coin.Counter((ulong)i, version: 0, value: 0, step: 0, block: 0);
        }

        ColumnKey.Derive(siteKey, "crowd").CipherFor("crowd").Encrypt(lots);
        int[] chosen = [.. firstRecord.Where(i => i >= 0).OrderBy(i => lots[table.PersonIndex[i]].AsUInt64()[0]).Take(people).Order()];
        return new RecordTable
        {
            RecordKeys = [.. chosen.Select(i => table.RecordKeys[i])],
            PersonKeys = [.. chosen.Select(i => table.PersonKeys[i])],
            PersonIndex = [.. Enumerable.Range(0, people)],
            PersonCount = people,
            Columns =
            [
                .. table.Columns.Select(column => new RecordColumn
                {
                    Attribute = column.Attribute,
                    Codes = [.. chosen.Select(i => column.Codes[i])],
                    Fractions = column.Fractions is { } fractions ? [.. chosen.Select(i => fractions[i])] : null,
                }),
            ],
        };
    }

    /// <summary>
    /// Measures the attack after the first so many of the released reports, for each wanted number. O(people² attributes).
    /// </summary>
    /// <param name="crowd">The crowd, from <see cref="ChooseCrowd"/>.</param>
    /// <param name="grades">The ladder.</param>
    /// <param name="released">What is released about everybody, in the order in which the attacker gets it.</param>
    /// <param name="counts">The wanted numbers of reports, increasing, each in 1..released.Count.</param>
    /// <param name="knownAsTheyAre">
    /// Attributes that leave the site as they are (Public ones): the attacker passes over rows that differ in one.
    /// </param>
    /// <param name="siteKey">The site key of the reports' coins.</param>
    /// <param name="cancellation">Stops between attributes.</param>
    public static IReadOnlyList<ReidentificationFinding> Measure(
        RecordTable crowd,
        GradeLadder grades,
        IReadOnlyList<ReleasedReport> released,
        IReadOnlyList<int> counts,
        IReadOnlyList<int> knownAsTheyAre,
        ReadOnlySpan<byte> siteKey,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(crowd);
        ArgumentNullException.ThrowIfNull(grades);
        ArgumentNullException.ThrowIfNull(released);
        ArgumentNullException.ThrowIfNull(counts);
        ArgumentNullException.ThrowIfNull(knownAsTheyAre);
        int n = crowd.Count;

        // scores[target * n + row]: the log likelihood of the row's reports given the target's values, up to a constant.
        double[] scores = new double[(long)n * n];
        foreach (int attribute in knownAsTheyAre)
        {
            ExcludeOthers(scores, crowd.Columns[attribute].Codes);
        }

        var findings = new List<ReidentificationFinding>();
        EpsilonMicro loss = EpsilonMicro.Zero;
        for (int i = 0; i < released.Count && findings.Count < counts.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            AddScores(scores, crowd, crowd.Columns[released[i].Attribute], grades, released[i].Grade, siteKey);
            loss += grades[released[i].Grade];
            if (counts[findings.Count] == i + 1)
            {
                findings.Add(new ReidentificationFinding(n, i + 1, TopOne(scores, n), loss));
            }
        }

        return findings;
    }

    private static void ExcludeOthers(double[] scores, ushort[] codes)
    {
        int n = codes.Length;
        for (int target = 0; target < n; target++)
        {
            for (int row = 0; row < n; row++)
            {
                scores[(target * n) + row] = codes[row] == codes[target] ? scores[(target * n) + row] : double.NegativeInfinity;
            }
        }
    }

    private static void AddScores(
        double[] scores, RecordTable crowd, RecordColumn column, GradeLadder grades, int grade, ReadOnlySpan<byte> siteKey)
    {
        int n = crowd.Count;
        IReportLadder ladder = MechanismCatalogue.Get(column.Attribute.Mechanism!).CreateLadder(column.Attribute.Domain, grades);
        ulong[] facts = column.Attribute.ConstantPerPerson ? crowd.PersonKeys : crowd.RecordKeys;
        ReportColumn reports = ladder.Draw(ColumnKey.Derive(siteKey, column.Attribute.Source), column, facts, [grade])[0];
        double logOdds = Math.Log((double)ladder[grade].ExactOdds!.Value);
        int[] values = [.. column.Codes.Where(code => code != RecordColumn.Missing).Distinct().Select(code => (int)code)];
        SupportBitmaps support = ladder[grade].Support(reports, values);
        var place = values.Select((value, i) => (value, i)).ToDictionary(pair => pair.value, pair => pair.i);
        Parallel.For(0, n, target =>
        {
            // A missing grid value enters as a uniform cell: its report tells the attacker nothing about which row it is.
            if (column.Codes[target] != RecordColumn.Missing)
            {
                ReadOnlySpan<ulong> rows = support[place[column.Codes[target]]];
                for (int w = 0; w < rows.Length; w++)
                {
                    for (ulong rest = rows[w]; rest != 0; rest &= rest - 1)
                    {
                        scores[(target * n) + (64 * w) + BitOperations.TrailingZeroCount(rest)] += logOdds;
                    }
                }
            }
        });
    }

    private static double TopOne(double[] scores, int n)
    {
        double successes = 0;
        for (int target = 0; target < n; target++)
        {
            ReadOnlySpan<double> row = scores.AsSpan(target * n, n);
            double own = row[target];
            int better = 0;
            int equal = 0;
            foreach (double score in row)
            {
                better += score > own ? 1 : 0;
                equal += score == own ? 1 : 0;
            }

            successes += better == 0 ? 1.0 / equal : 0;
        }

        return successes / n;
    }
}
