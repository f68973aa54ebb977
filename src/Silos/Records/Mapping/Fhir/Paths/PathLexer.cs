using System.Globalization;
using System.Text;

namespace EmrMarket.Silos.Records.Mapping.Fhir.Paths;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    /// <summary>A name, a function's name, or an operator that is a word.</summary>
    Name = 0,

    /// <summary>A name in back ticks, which is never an operator.</summary>
    QuotedName,

    /// <summary>A text in single quotes.</summary>
    Text,

    /// <summary>A number.</summary>
    Number,

    /// <summary>A date or time behind @.</summary>
    Date,

    /// <summary><c>$this</c>.</summary>
    This,

    /// <summary>A sign.</summary>
    Symbol,

    /// <summary>The end.</summary>
    End,
}

/// <summary>A token of a path.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text, quotes and escapes resolved.</param>
/// <param name="Position">Its first character, from 1.</param>
internal readonly record struct PathToken(TokenKind Kind, string Text, int Position);

/// <summary>Takes a path apart into tokens.</summary>
internal static class PathLexer
{
    private static readonly string[] Symbols = ["!=", "<=", ">=", ".", "(", ")", "[", "]", "{", "}", "=", "<", ">", "|", "-"];

    /// <summary>The tokens of a text, the last one its end.</summary>
    /// <exception cref="PathSyntaxException">A character begins no token of the subset.</exception>
    public static List<PathToken> Read(string text)
    {
        List<PathToken> tokens = [];
        int at = 0;
        while (true)
        {
            while (at < text.Length && text[at] is ' ' or '\t' or '\n' or '\r')
            {
                at++;
            }

            if (at == text.Length)
            {
                tokens.Add(new PathToken(TokenKind.End, "", at + 1));
                return tokens;
            }

            tokens.Add(Next(text, ref at));
        }
    }

    private static PathToken Next(string text, ref int at)
    {
        int start = at, position = at + 1;
        char c = text[at];
        if (c is '\'' or '`')
        {
            return new PathToken(c == '`' ? TokenKind.QuotedName : TokenKind.Text, Quoted(text, ref at), position);
        }

        if (char.IsAsciiLetter(c) || c == '_')
        {
            return new PathToken(TokenKind.Name, Run(text, ref at, char.IsAsciiLetterOrDigit, '_'), position);
        }

        if (char.IsAsciiDigit(c))
        {
            Run(text, ref at, char.IsAsciiDigit, '\0');
            if (at + 1 < text.Length && text[at] == '.' && char.IsAsciiDigit(text[at + 1]))
            {
                at++;
                Run(text, ref at, char.IsAsciiDigit, '\0');
            }

            return at - start <= 28 ? new PathToken(TokenKind.Number, text[start..at], position)
                : throw new PathSyntaxException(position, "a number has at most 28 characters");
        }

        if (c == '@')
        {
            at++;
            int from = at;
            while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] is '-' or ':' or 'T' or 'Z' or '+'
                || text[at] == '.' && at + 1 < text.Length && char.IsAsciiDigit(text[at + 1])))
            {
                at++;
            }

            string date = text[from..at].TrimEnd('T');
            return MappedDate.TryParse(date, out _) ? new PathToken(TokenKind.Date, date, position)
                : throw new PathSyntaxException(position, "expected a date or time such as @2020-01-31 or @2020-01-31T12:00:00Z");
        }

        if (text.AsSpan(at).StartsWith("$this"))
        {
            at += "$this".Length;
            return new PathToken(TokenKind.This, "$this", position);
        }

        foreach (string symbol in Symbols)
        {
            if (text.AsSpan(at).StartsWith(symbol, StringComparison.Ordinal))
            {
                at += symbol.Length;
                return new PathToken(TokenKind.Symbol, symbol, position);
            }
        }

        throw new PathSyntaxException(position, $"'{c}' is not in the subset");
    }

    private static string Run(string text, ref int at, Func<char, bool> belongs, char also)
    {
        int start = at;
        while (at < text.Length && (belongs(text[at]) || text[at] == also))
        {
            at++;
        }

        return text[start..at];
    }

    private static string Quoted(string text, ref int at)
    {
        char quote = text[at];
        int position = at + 1;
        var value = new StringBuilder();
        for (at++; at < text.Length && text[at] != quote; at++)
        {
            if (text[at] != '\\')
            {
                value.Append(text[at]);
                continue;
            }

            at++;
            char escape = at < text.Length ? text[at] : '\0';
            int plain = "'`\"/\\fnrt".IndexOf(escape, StringComparison.Ordinal);
            if (escape == 'u' && at + 4 < text.Length
                && ushort.TryParse(text.AsSpan(at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code))
            {
                value.Append((char)code);
                at += 4;
            }
            else if (plain >= 0 && escape != '\0')
            {
                value.Append("'`\"/\\\f\n\r\t"[plain]);
            }
            else
            {
                throw new PathSyntaxException(at, "there is no such escape");
            }
        }

        if (at == text.Length)
        {
            throw new PathSyntaxException(position, $"the {(quote == '`' ? "name" : "text")} is not closed");
        }

        at++;
        return value.ToString();
    }
}
