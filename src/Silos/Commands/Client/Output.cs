using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>How a client's commands print: tables for people, one JSON document for programs. Progress and remarks go to standard
/// error.</summary>
internal static class Output
{
    private static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>One JSON document on standard output.</summary>
    public static void Json<T>(T document) => Console.Out.WriteLine(JsonSerializer.Serialize(document, Indented));

    /// <summary>A table, where there is anything to put into it; columns whose name begins with a blank are right-aligned.</summary>
    public static void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        IReadOnlyList<string>[] all = [.. rows];
        if (all.Length == 0)
        {
            return;
        }

        Table table = new() { Border = TableBorder.Simple };
        foreach (string column in columns)
        {
            TableColumn added = new TableColumn(Markup.Escape(column.Trim())).NoWrap();
            table.AddColumn(column.StartsWith(' ') ? added.RightAligned() : added);
        }

        foreach (IReadOnlyList<string> row in all)
        {
            table.AddRow(row.Select(cell => new Text(cell)));
        }

        Terminal(Console.Out).Write(table);
    }

    /// <summary>Names and their values, one pair a line.</summary>
    public static void Facts(params IReadOnlyList<(string Name, string Value)> facts)
    {
        int width = facts.Max(fact => fact.Name.Length);
        foreach ((string name, string value) in facts)
        {
            Console.Out.WriteLine(name.PadRight(width) + "  " + value);
        }
    }

    /// <summary>A sentence on standard output.</summary>
    public static void Say(string sentence) => Console.Out.WriteLine(sentence);

    /// <summary>A remark on standard error, which no program reads.</summary>
    public static void Remark(string sentence) => Console.Error.WriteLine("emr: " + sentence);

    /// <summary>A writer as tables are drawn on it: plain and unfolded unless it is a terminal.</summary>
    public static IAnsiConsole Terminal(TextWriter output)
    {
        IAnsiConsole console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(output), Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
            });
        if (Console.IsOutputRedirected)
        {
            // A file has no width: nothing is folded.
            console.Profile.Width = 400;
        }

        return console;
    }
}
