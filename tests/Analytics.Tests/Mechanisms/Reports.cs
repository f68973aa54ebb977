using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Olh;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>Reads reports one at a time, as plainly as their definitions say: the oracle of the counting code.</summary>
internal static class Reports
{
    /// <summary>A report in print.</summary>
    public static string Row(ReportColumn reports, int i) => reports switch
    {
        CodeReports codes => $"{codes.Codes[i]}",
        SetReports sets => string.Join(',', sets.Words.AsSpan(i * sets.WordsPerReport, sets.WordsPerReport).ToArray()),
        HashReports hashes => $"{hashes.Multipliers[i]} {hashes.Addends[i]} {hashes.Cells[i]}",
        _ => throw new ArgumentException($"unknown reports {reports.GetType()}", nameof(reports)),
    };

    /// <summary>All reports in print.</summary>
    public static string[] Rows(ReportColumn reports) => [.. Enumerable.Range(0, reports.Count).Select(i => Row(reports, i))];

    /// <summary>Whether report i counts for value v.</summary>
    public static bool Supports(Channel channel, ReportColumn reports, int i, int v) => reports switch
    {
        CodeReports codes when channel is DswChannel dsw => codes.Codes[i] >= v && codes.Codes[i] <= v + (2 * dsw.Bandwidth),
        CodeReports codes => codes.Codes[i] == v,
        SetReports sets => (sets.Words[(i * sets.WordsPerReport) + (v / 64)] >> (v % 64) & 1) == 1,
        HashReports hashes => Math.Floor((double)((hashes.Multipliers[i] * (uint)v)
            + hashes.Addends[i]) / 4294967296 * ((OlhChannel)channel).Cells) == hashes.Cells[i],
        _ => throw new ArgumentException($"unknown reports {reports.GetType()}", nameof(reports)),
    };
}
