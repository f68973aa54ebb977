using System.Text.RegularExpressions;
using EmrMarket.Silos.Telemetry;
using EmrMarket.Silos.Telemetry.Logs;

namespace EmrMarket.Silos.Tests.Telemetry;

/// <summary>docs/OPERATIONS.md says what the program does, and its events can hold no person's data.</summary>
public sealed partial class OperationsDocumentTests
{
    [Fact]
    public void Tables_are_those_of_the_program()
    {
        string document = File.ReadAllText(Path.Combine(Tools.RepositoryRoot, "docs", "OPERATIONS.md"));
        const string Begin = "<!-- tables -->\n", End = "<!-- end of tables -->";
        string tables = document[
            (document.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length)..document.IndexOf(End, StringComparison.Ordinal)];
        Assert.True(TelemetryReference.Write() == tables,
            "the tables of docs/OPERATIONS.md are not those of the program: put the output of './emr config --telemetry' between their "
                + "marks");
    }

    [Fact]
    public void Events_have_ids_of_their_own_and_parameters_of_the_list()
    {
        Assert.InRange(TelemetryReference.Events.Count, 15, 100);
        Assert.Equal(TelemetryReference.Events.Count, TelemetryReference.Events.Select(one => one.Id).Distinct().Count());
        foreach (TelemetryReference.LoggedEvent one in TelemetryReference.Events)
        {
            Assert.All(Parameter().Matches(one.Message).Select(match => match.Groups["name"].Value),
                name => Assert.Contains(name, LogEvents.Parameters));
        }
    }

    [GeneratedRegex(@"\{(?<name>[^}]+)\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Parameter();
}
