using System.Globalization;

namespace EmrMarket.Silos.Records.Mapping.Omop;

/// <summary>
/// A condition on a row, in a part of SQL: comparisons of a column with a number, a text or a date, <c>in</c>, <c>is null</c>,
/// <c>is not null</c>, <c>and</c>, <c>or</c>, parentheses. As in SQL, a comparison with what is not there is not met. A concept has its
/// name behind it, as a comment of SQL: <c>unit_concept_id = 8554 /* percent */</c>.
/// </summary>
internal abstract class OmopCondition
{
    /// <summary>Whether a row meets it.</summary>
    /// <exception cref="OmopCellException">A cell is not of its column's type.</exception>
    public abstract bool Holds(OmopCells row);

    /// <summary>Reads a condition.</summary>
    /// <param name="text">The text.</param>
    /// <param name="column">The number of a column and what it holds, by its name; throws for one that the table does not have.</param>
    /// <param name="concepts">Takes the concepts that it names.</param>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static OmopCondition Parse(
        string text, Func<string, (int Number, OmopType Type)> column, ICollection<MappedConcept> concepts)
    {
        Parser parser = new(text, column, concepts);
        OmopCondition condition = parser.Or(0);
        parser.End();
        return condition;
    }

    private sealed class All(OmopCondition left, OmopCondition right) : OmopCondition
    {
        public override bool Holds(OmopCells row) => left.Holds(row) && right.Holds(row);
    }

    private sealed class Any(OmopCondition left, OmopCondition right) : OmopCondition
    {
        public override bool Holds(OmopCells row) => left.Holds(row) || right.Holds(row);
    }

    private sealed class Null(int column, bool isNull) : OmopCondition
    {
        public override bool Holds(OmopCells row) => row.IsEmpty(column) == isNull;
    }

    private sealed class Compares(int column, OmopType type, string sign, IReadOnlyList<Literal> literals) : OmopCondition
    {
        public override bool Holds(OmopCells row)
        {
            if (row.IsEmpty(column))
            {
                return false;
            }

            foreach (Literal literal in literals)
            {
                int order = type switch
                {
                    OmopType.Integer => ((decimal)row.Integer(column)!.Value).CompareTo(literal.Number),
                    OmopType.Number => row.Number(column)!.Value.CompareTo(literal.Number),
                    OmopType.Date => row.Date(column)!.Value.Ticks.CompareTo(literal.Ticks),
                    _ => string.CompareOrdinal(row.Text(column), literal.Text),
                };
                if (sign switch
                {
                    "=" => order == 0,
                    "<>" => order != 0,
                    "<" => order < 0,
                    "<=" => order <= 0,
                    ">" => order > 0,
                    _ => order >= 0,
                })
                {
                    return true;
                }
            }

            return false;
        }
    }

    private sealed record Literal(decimal Number, long Ticks, string Text);

    private sealed class Parser(
        string text, Func<string, (int Number, OmopType Type)> column, ICollection<MappedConcept> concepts)
    {
        private const int MostDepth = 32;

        private static readonly string[] Signs = ["<>", "<=", ">=", "=", "<", ">"];

        private int _at;

        public OmopCondition Or(int depth)
        {
            OmopCondition left = And(depth);
            while (Word("or"))
            {
                left = new Any(left, And(depth));
            }

            return left;
        }

        public void End()
        {
            Blank();
            if (_at < text.Length)
            {
                throw Wrong("'and', 'or' or the end");
            }
        }

        private OmopCondition And(int depth)
        {
            OmopCondition left = Term(depth);
            while (Word("and"))
            {
                left = new All(left, Term(depth));
            }

            return left;
        }

        private OmopCondition Term(int depth)
        {
            if (Sign("("))
            {
                OmopCondition inner = depth < MostDepth ? Or(depth + 1) : throw Wrong("fewer parentheses");
                Expect(")");
                return inner;
            }

            string name = Name();
            (int number, OmopType type) = column(name);
            bool isConcept = name.EndsWith("_concept_id", StringComparison.Ordinal);
            if (Word("is"))
            {
                bool isNull = !Word("not");
                return Word("null") ? new Null(number, isNull) : throw Wrong("'null'");
            }

            if (Word("in"))
            {
                Expect("(");
                List<Literal> literals = [Value(type, isConcept)];
                while (Sign(","))
                {
                    literals.Add(Value(type, isConcept));
                }

                Expect(")");
                return new Compares(number, type, "=", literals);
            }

            string sign = Signs.FirstOrDefault(Sign) ?? throw Wrong("a comparison, 'in' or 'is'");
            return type == OmopType.Text && sign is not ("=" or "<>")
                ? throw new FormatException($"at {_at + 1}: a text is compared by = and <> alone, since its order depends on a language")
                : new Compares(number, type, sign, [Value(type, isConcept)]);
        }

        private Literal Value(OmopType type, bool isConcept)
        {
            Blank();
            int start = _at;
            if (type is OmopType.Integer or OmopType.Number)
            {
                while (_at < text.Length && (char.IsAsciiDigit(text[_at]) || text[_at] is '.' or '-'))
                {
                    _at++;
                }

                if (!decimal.TryParse(text.AsSpan(start, _at - start), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint,
                    CultureInfo.InvariantCulture, out decimal number))
                {
                    throw Wrong("a number");
                }

                if (isConcept)
                {
                    concepts.Add(new MappedConcept((long)number, Comment()));
                }

                return new Literal(number, 0, "");
            }

            if (_at >= text.Length || text[_at] != '\'')
            {
                throw Wrong("a text in single quotes");
            }

            int end = _at + 1;
            while (end < text.Length && (text[end] != '\'' || (end + 1 < text.Length && text[end + 1] == '\'')))
            {
                end += text[end] == '\'' ? 2 : 1;
            }

            if (end >= text.Length)
            {
                throw Wrong("a closing quote");
            }

            string quoted = text[(_at + 1)..end].Replace("''", "'", StringComparison.Ordinal);
            _at = end + 1;
            return type == OmopType.Text ? new Literal(0, 0, quoted)
                : quoted.Length >= 10 && MappedDate.TryParse(quoted, out MappedDate date) ? new Literal(0, date.Ticks, "")
                    : throw Wrong("a date such as '2020-12-31'");
        }

        private string Comment()
        {
            Expect("/*");
            int end = text.IndexOf("*/", _at, StringComparison.Ordinal);
            string name = end > _at ? text[_at..end].Trim() : throw Wrong("the concept's name and '*/'");
            _at = end + 2;
            return name;
        }

        private string Name()
        {
            Blank();
            int start = _at;
            while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] == '_'))
            {
                _at++;
            }

            return _at > start ? text[start.._at].ToLowerInvariant() : throw Wrong("a column");
        }

        private bool Word(string word)
        {
            Blank();
            int end = _at + word.Length;
            bool isThere = end <= text.Length && text.AsSpan(_at, word.Length).Equals(word, StringComparison.OrdinalIgnoreCase)
                && (end == text.Length || !(char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'));
            _at = isThere ? end : _at;
            return isThere;
        }

        private bool Sign(string sign)
        {
            Blank();
            bool isThere = text.AsSpan(_at).StartsWith(sign, StringComparison.Ordinal);
            _at += isThere ? sign.Length : 0;
            return isThere;
        }

        private void Expect(string sign)
        {
            if (!Sign(sign))
            {
                throw Wrong($"'{sign}'");
            }
        }

        private void Blank()
        {
            while (_at < text.Length && text[_at] is ' ' or '\t' or '\n' or '\r')
            {
                _at++;
            }
        }

        private FormatException Wrong(string expected) => new(string.Create(CultureInfo.InvariantCulture,
            $"at {_at + 1}: expected {expected}"));
    }
}
