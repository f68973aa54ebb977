using System.Globalization;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping.Summaries;

namespace EmrMarket.Silos.Records.Mapping;

/// <summary>
/// Gathers facts into one row per person or visit. Memory grows with units and columns, not with facts. A fact with anything wrong has no
/// effect at all: it is reported and left out.
/// </summary>
internal sealed class RowAccumulator
{
    private readonly RecordMapping _mapping;
    private readonly MappingLimits _limits;
    private readonly UnitTable _persons = new();
    private readonly UnitTable _visits = new();
    private readonly ColumnSummary[] _summaries;
    private readonly HashSet<string>?[] _codes;
    private readonly List<(int Column, MappedValue Value)> _taken = [];
    private readonly bool _personsAreDefined;

    /// <summary>Begins a load.</summary>
    public RowAccumulator(RecordMapping mapping, MappingReport report, MappingLimits limits)
    {
        (_mapping, Report, _limits) = (mapping, report, limits);
        _summaries = [.. mapping.Document.Columns.Select(ColumnSummary.Of)];
        _codes = [.. mapping.Document.Columns.Select(column => column.Codes is { } codes ? codes.ToHashSet(StringComparer.Ordinal) : null)];
        _personsAreDefined = mapping.Document.Sources.Any(source => source.Defines == MappedUnit.Person);
    }

    /// <summary>What became of what was read.</summary>
    public MappingReport Report { get; }

    /// <summary>Takes a fact; false when something is wrong with it, which is then reported.</summary>
    /// <exception cref="InputException">There are more persons and visits than a load may have.</exception>
    public bool Add(Fact fact)
    {
        MappingSource source = _mapping.Document.Sources[fact.Source];
        if (IssueOf(fact, source) is { } issue)
        {
            Report.Add(issue);
            return false;
        }

        if (_persons.Count + _visits.Count >= _limits.Units)
        {
            throw new InputException(new InputProblem(
                "too-many-units", Report.Files[fact.Place.File], fact.Place.Line, "",
                string.Create(CultureInfo.InvariantCulture, $"there are more than {_limits.Units} persons and visits"),
                    "Load fewer of them at a time."));
        }

        int person, visit = -1;
        if (source.Defines == MappedUnit.Person)
        {
            if (!_persons.Define(fact.Person!, fact.Alias, fact.Place, out person, out int merged))
            {
                Report.Add(new MappingIssue(IssueCode.Duplicate, fact.Place, "the person was there before: the later one is left out"));
                return false;
            }

            Merge(MappedUnit.Person, person, merged);
        }
        else
        {
            person = _persons.Mention(fact.Person!, fact.Place);
        }

        if (source.Defines == MappedUnit.Visit)
        {
            if (!_visits.Define(fact.Visit!, fact.Alias, fact.Place, out visit, out int merged))
            {
                Report.Add(new MappingIssue(IssueCode.Duplicate, fact.Place, "the visit was there before: the later one is left out"));
                return false;
            }

            _visits.Set(visit, fact.Date?.Day ?? -1, person);
            Merge(MappedUnit.Visit, visit, merged);
        }
        else if (fact.Visit is not null)
        {
            visit = _visits.Mention(fact.Visit, fact.Place);
        }

        _persons.See(person, fact.Date?.Day ?? -1);
        foreach ((int column, MappedValue value) in _taken)
        {
            int unit = _mapping.UnitOf[column] == MappedUnit.Person ? person : visit;
            if (unit >= 0)
            {
                _summaries[column].Add(unit, fact.Date, value);
            }
        }

        return true;
    }

    /// <summary>Ends the reading: reports what was mentioned and never defined, and gives the rows.</summary>
    public MappedRowSet Finish()
    {
        bool perVisit = _mapping.Document.Rows.Per == MappedUnit.Visit;
        if (_personsAreDefined)
        {
            ReportUndefined(_persons, "person");
        }

        ReportUndefined(_visits, "visit");
        UnitTable table = perVisit ? _visits : _persons;
        int[] rows = table.Defined();
        if (perVisit && _personsAreDefined)
        {
            int all = rows.Length;
            rows = [.. rows.Where(visit => _persons.IsDefined(_persons.Find(_visits.Person(visit))))];
            Report.RowsLeftOut += all - rows.Length;
        }

        return new MappedRowSet(_mapping, _persons, _visits, _summaries, rows);
    }

    private void ReportUndefined(UnitTable table, string what)
    {
        for (int unit = 0; unit < table.Count; unit++)
        {
            if (!table.IsDefined(unit) && !table.IsMerged(unit))
            {
                string message = string.Create(
                    CultureInfo.InvariantCulture, $"no file has the {what} to which it and others, {table.Mentions(unit)} in all, refer");
                Report.Add(new MappingIssue(IssueCode.NotFound, table.FirstMention(unit), message) { Unit = table.Id(unit) });
            }
        }
    }

    private void Merge(MappedUnit level, int into, int from)
    {
        for (int column = 0; from >= 0 && column < _summaries.Length; column++)
        {
            if (_mapping.UnitOf[column] == level)
            {
                _summaries[column].Merge(into, from);
            }
        }
    }

    private MappingIssue? IssueOf(Fact fact, MappingSource source)
    {
        MappingIssue Wrong(IssueCode code, string message, string expression = "") => new(code, fact.Place, message, expression);
        if (fact.Person is null || source.Defines == MappedUnit.Visit && fact.Visit is null)
        {
            return Wrong(IssueCode.Required, fact.Person is null ? "it says of no person" : "it says of no visit",
                fact.Person is null ? source.Person : source.Visit!);
        }

        if (!IsText(fact.Person) || fact.Visit is not null && !IsText(fact.Visit) || fact.Alias is not null && !IsText(fact.Alias))
        {
            return Wrong(IssueCode.Value, "an id is too long, or has characters of control");
        }

        _taken.Clear();
        foreach ((int c, string text) in fact.Values)
        {
            MappingColumn column = _mapping.Document.Columns[c];
            if (_codes[c]?.Contains(text) == false)
            {
                continue;
            }

            bool taken = _taken.Count > 0 && _taken[^1].Column == c;
            if (column.Summary is Summary.Exists or Summary.Count)
            {
                if (!taken)
                {
                    _taken.Add((c, new MappedValue("")));
                }

                continue;
            }

            if (taken)
            {
                return Wrong(IssueCode.MultipleMatches, $"several values for column '{column.Name}', which takes one of each",
                    column.Value!);
            }

            if (Convert(column, text) is not { } value)
            {
                return Wrong(IssueCode.Value, $"the value for column '{column.Name}' is " + column.As switch
                {
                    ValueForm.Age => "no date",
                    ValueForm.Text => $"longer than {_limits.TextLength} characters, or has characters of control",
                    null when column.Summary is Summary.Only or Summary.First or Summary.Last =>
                        $"longer than {_limits.TextLength} characters, or has characters of control",
                    _ => "no decimal number below 10^15",
                }, column.Value!);
            }

            _taken.Add((c, value));
        }

        return null;
    }

    private MappedValue? Convert(MappingColumn column, string text)
    {
        if (column.As == ValueForm.Age)
        {
            return MappedDate.TryParse(text, out MappedDate birth) ? new MappedValue("", Day: birth.Day) : null;
        }

        if (column.As == ValueForm.Number || column.Summary is Summary.Min or Summary.Max or Summary.Mean)
        {
            return Numbers.TryParse(text, out decimal number) ? new MappedValue(Numbers.Text(number), number) : null;
        }

        return IsText(text) || text.Length == 0 ? new MappedValue(text) : null;
    }

    private bool IsText(string text)
    {
        if (text.Length == 0 || text.Length > _limits.TextLength)
        {
            return false;
        }

        foreach (char c in text)
        {
            if (char.IsControl(c) || c is '\u2028' or '\u2029')
            {
                return false;
            }
        }

        return true;
    }
}
