using System.Globalization;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary>The findings for people.</summary>
internal static class AuditPrivacyTables
{
    /// <summary>Prints the findings on standard output.</summary>
    public static void Print(AuditFindings findings)
    {
        IAnsiConsole console = AnsiConsole.Console;
        if (findings.Losses.Count > 0)
        {
            var losses = new Table().Title(Text($"Privacy loss from {findings.Samples:N0} reports of each of two values"));
            losses.AddColumns("mechanism", "values", "grade");
            foreach (string heading in new[] { "claimed", "measured", "at least", "visible excess", "" })
            {
                losses.AddColumn(new TableColumn(heading).RightAligned());
            }

            foreach (LossRow row in findings.Losses)
            {
                losses.AddRow(
                    row.Mechanism, Text($"{row.DomainSize}"), Text($"{row.Grade}"), Text($"{row.Epsilon:0.##}"), Loss(row.Measured),
                    Loss(row.LowerBound), Loss(row.SmallestVisibleExcess), row.Violated ? "[red]violated[/]" : "ok");
            }

            console.Write(losses);
            console.MarkupLine(
                Text($"Each bound is wrong with probability at most {findings.TailProbability:0.0e+0}. An excess over the claim smaller ")
                    + "than the last figure would not have been seen.");
            console.WriteLine();
        }

        var people = new Table().Title(Text($"Re-identification in a crowd of {findings.People:N0} from {Markup.Escape(findings.Data)}"));
        people.AddColumn("grade").AddColumn(new TableColumn("epsilon").RightAligned());
        int[] counts = [.. findings.ByGrade.Select(finding => finding.Attributes).Distinct()];
        foreach (int count in counts)
        {
            people.AddColumn(new TableColumn(Text($"{count} known")).RightAligned());
        }

        foreach (IGrouping<int, GradeFinding> grade in findings.ByGrade.GroupBy(finding => finding.Grade))
        {
            people.AddRow([Text($"{grade.Key}"), Text($"{grade.First().Epsilon:0.##}"), .. grade.Select(finding => Share(finding.TopOne))]);
        }

        console.Write(people);
        PolicyFinding policy = findings.ByPolicy;
        console.MarkupLine(policy.TopOne is { } topOne
            ? Text($"Policy '{Markup.Escape(policy.Policy)}' ({policy.Attributes} randomised attributes, {policy.TotalEpsilon:0.##} ")
                + Text($"epsilon in all; {policy.PublicAttributes} public ones known as they are): {Share(topOne)} ± ")
                + Text($"{Share(policy.StandardError!.Value)}.")
            : Text($"Policy '{Markup.Escape(policy.Policy)}' releases no report."));
        console.MarkupLine(
            Text($"By chance: {Share(findings.Chance)}. The attacker knows every raw value of the record and ranks the crowd's reports ")
                + "by their likelihood; \"5 known\": by the reports of the schema's first five randomised attributes.");
        if (findings.Violated)
        {
            console.MarkupLine("[red]A mechanism loses more than it claims: do not release its reports.[/]");
        }
    }

    private static string Loss(double? value) => value is { } loss ? Text($"{loss:0.0000}") : "-";

    private static string Share(double value) => Text($"{100 * value:0.0} %");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
