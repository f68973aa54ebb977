using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting;

/// <summary>The sentences of the report.</summary>
internal static class ReportWords
{
    /// <summary>What was measured and found.</summary>
    public static IEnumerable<string> Lead(ResultsDocument results)
    {
        DataInformation data = results.Run.Data;
        EvaluationSummary summary = results.Summary;
        string kinds = string.Join(", ", results.Statistics.Where(s => s.Refusal is null).GroupBy(s => s.Kind)
            .Select(g => StatisticNames.Counted(g.Count(), g.Key)));
        yield return $"Every sensitive value of {Numbers.Count(data.Records)} records was randomised as a patient's site would, each "
            + $"attribute at its tier's default ceiling. From the randomised reports alone we estimated {summary.Answered} statistics "
            + $"({kinds}) and then compared them with the truth.";
        if (summary.Intervals > 0)
        {
            yield return $"{Numbers.Count(summary.Covered)} of {Numbers.Count(summary.Intervals)} intervals contain the truth "
                + $"({Numbers.Percent((double)summary.Covered / summary.Intervals)}); at a confidence of "
                + $"{Numbers.Percent(results.Run.Confidence)}, {Numbers.Count(summary.ExpectedCovered)} were to be expected."
                + (summary.Guaranteed == 0 ? "" : summary.GuaranteeMissed == 0
                    ? $" None of {Numbers.Count(summary.Guaranteed)} guaranteed half-widths was exceeded."
                    : $" {summary.GuaranteeMissed} of {Numbers.Count(summary.Guaranteed)} guaranteed half-widths were exceeded.");
        }

        IReadOnlyList<ShareErrors> errors = EvaluationSummary.ErrorsByKind(results.Statistics);
        if (errors.Count > 0)
        {
            yield return "Error of a share in percent of the records, half of all and at most: "
                + string.Join("; ", errors.Select(
                    e => $"{StatisticNames.Plural(e.Kind)} {Numbers.Percent(e.Median)} and {Numbers.Percent(e.Largest)}")) + ".";
        }
    }

    /// <summary>What the numbers do not say.</summary>
    public static IEnumerable<string> Limits(ResultsDocument results)
    {
        foreach (string note in results.Run.Notes)
        {
            yield return note;
        }

        foreach (EvaluatedStatistic statistic in results.Statistics.Where(s => s.Refusal is not null))
        {
            yield return $"{StatisticNames.Title(statistic)} was refused: {statistic.Refusal}";
        }

        yield return "One run of the core pass is one draw of the noise: the intervals of one statistic err together, so the share of "
            + "intervals that contain the truth moves by a few points from run to run. The coverage experiment repeats it.";
        yield return "Intervals are about these records. Whether these records stand for other people is a question about how they were "
            + "collected.";
        yield return "The epsilon of an attribute bounds what its reports reveal about one attribute. A record releases several, and "
            + "their losses add.";
        yield return "Reports of one record stay together, so someone who knows its raw values can look for it among them. With all "
            + "attributes at these ceilings the right one of 1,000 records was found in 7 to 33 of 100 cases, most where Public "
            + "attributes narrow the search (docs/ATTACK_MODEL.md); 'emr audit-privacy --data ... --schema ...' measures it for other "
            + "data and policies.";
        yield return "The core pass draws every attribute of every record, so no lifetime budget is applied here; the market applies it.";
    }

    /// <summary>The statistics worth a plot of their own: one of each kind first, then more frequencies.</summary>
    public static IReadOnlyList<EvaluatedStatistic> Plotted(IReadOnlyList<EvaluatedStatistic> statistics)
    {
        const int MostPlots = 12;
        EvaluatedStatistic[] answered = [.. statistics.Where(s => s.Cells.Count > 1 && s.Grades.Any(g => g is not null))];
        var plotted = new List<EvaluatedStatistic>();
        foreach (IGrouping<StatisticKind, EvaluatedStatistic> kind in answered.GroupBy(s => s.Kind))
        {
            int wanted = kind.Key == StatisticKind.Frequency ? 4 : 1;
            plotted.AddRange(kind.OrderBy(s => s.Cells.Count is >= 3 and <= StatisticFigures.MostRows ? 0 : 1).Take(wanted));
        }

        // Neighbours of like height leave no holes.
        return [.. plotted.Take(MostPlots).OrderBy(s => Math.Min(s.Cells.Count, StatisticFigures.MostRows))];
    }
}
