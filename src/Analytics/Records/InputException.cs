using System.Globalization;
using System.Text;

namespace EmrMarket.Analytics.Records;

/// <summary>One thing that is wrong with an input file: where, what, and how to fix it.</summary>
/// <param name="Code">A stable code in kebab case, for example <c>unknown-label</c>.</param>
/// <param name="File">The file as the user named it.</param>
/// <param name="Line">The line, from 1; 0 when the problem is the file's as a whole.</param>
/// <param name="Column">The name of the column or JSON path; empty when the problem is the line's.</param>
/// <param name="Message">What failed, expected against got; never a raw record value.</param>
/// <param name="Fix">What the user can do about it.</param>
public sealed record InputProblem(string Code, string File, long Line, string Column, string Message, string Fix)
{
    /// <summary>The offending raw text. Shown by the site's own <c>schema check</c> report only, never by <see cref="ToString"/>.</summary>
    public string? Value { get; init; }

    /// <summary>One line: <c>file:line: [column] message (code). fix</c>. Holds no raw value.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(File);
        if (Line > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $":{Line}");
        }

        text.Append(": ");
        if (Column.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"column '{Column}': ");
        }

        return text.Append(CultureInfo.InvariantCulture, $"{Message} ({Code}). {Fix}").ToString();
    }
}

/// <summary>An input file was refused before it had any effect. The message holds no raw record value.</summary>
public sealed class InputException : Exception
{
    /// <summary>Refuses an input for one reason.</summary>
    public InputException(InputProblem problem)
        : this([problem], 1)
    {
    }

    /// <summary>Refuses an input for several reasons.</summary>
    /// <param name="problems">The first problems found, at least one.</param>
    /// <param name="total">How many there are in all.</param>
    public InputException(IReadOnlyList<InputProblem> problems, long total)
        : base(Describe(problems, total)) => (Problems, Total) = (problems, total);

    /// <summary>The first problems found.</summary>
    public IReadOnlyList<InputProblem> Problems { get; }

    /// <summary>How many problems there are in all.</summary>
    public long Total { get; }

    private static string Describe(IReadOnlyList<InputProblem> problems, long total)
    {
        ArgumentNullException.ThrowIfNull(problems);
        return total == 1
            ? problems[0].ToString()
            : string.Create(CultureInfo.InvariantCulture, $"{problems[0]} ({total - 1} more problems)");
    }
}
