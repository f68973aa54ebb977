using System.Globalization;
using System.Text;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Omop;

/// <summary>
/// Reads tables of the OMOP Common Data Model 5.4 into rows. What is wrong with a row of a table is reported with its place, and the others
/// count; what is wrong with a file as a whole refuses all of them. Memory grows with persons, visits and columns, not with rows.
/// </summary>
internal sealed class OmopReader
{
    private readonly MappingReport _report;
    private readonly RowAccumulator _rows;
    private readonly MappingLimits _limits;
    private readonly Fact _fact = new();
    private readonly Dictionary<long, long> _personOfVisit = [];
    private readonly HashSet<long> _passedVisits = [];
    private readonly HashSet<long> _passedPersons = [];
    private readonly HashSet<long> _persons = [];

    private OmopReader(OmopMapping mapping, MappingLimits limits)
    {
        (_report, _limits) = (new MappingReport(limits), limits);
        _rows = new RowAccumulator(mapping.Mapping, _report, limits);
    }

    /// <summary>Reads a folder's tables to their end.</summary>
    /// <param name="mapping">The mapping.</param>
    /// <param name="path">The folder.</param>
    /// <param name="limits">What the load may take.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>All that they say, to be written.</returns>
    /// <exception cref="InputException">The mapping is none of OMOP, a table or a column is missing, or a file as a whole cannot be
    /// read.</exception>
    public static RowAccumulator Read(RecordMapping mapping, string path, MappingLimits limits, CancellationToken cancellationToken)
    {
        OmopMapping compiled = OmopMapping.Compile(mapping);
        OmopFolder folder = new(path);
        OmopReader reader = new(compiled, limits);
        foreach (OmopTable table in compiled.Tables)
        {
            folder.Require(table.Name, "Export it, if need be with its header alone.");
        }

        string[] unread = [.. folder.Tables.Where(name => name is not (OmopTables.Concept or OmopTables.Ancestor)
            && compiled.Tables.All(table => table.Name != name))];
        if (unread.Length > 0)
        {
            reader._report.Note("not read, since the mapping does not name them: " + string.Join(", ", unread));
        }

        OmopConcepts.AddDescendants(compiled, folder, limits, cancellationToken);
        OmopConcepts.CheckNames(compiled, folder, reader._report, limits, cancellationToken);
        foreach (OmopTable table in compiled.Tables)
        {
            reader.Read(table, folder.Find(table.Name)!, cancellationToken);
        }

        return reader._rows;
    }

    /// <summary>Reads a header.</summary>
    /// <exception cref="InputException">A column is missing or there twice.</exception>
    internal static void Begin(IOmopRows rows, string file, IReadOnlyList<string> columns, OmopCells cells)
    {
        if (!rows.ReadRow())
        {
            throw new InputException(new InputProblem("empty-file", file, 0, "", "the file has no header",
                "A table has a header, if no more."));
        }

        string[] header = [.. Enumerable.Range(0, rows.FieldCount).Select(i =>
            Encoding.UTF8.GetString(rows.Field(i)).Trim().ToLowerInvariant())];
        int[] places = [.. columns.Select(column => Array.IndexOf(header, column))];
        for (int i = 0; i < places.Length; i++)
        {
            if (places[i] < 0 || Array.LastIndexOf(header, columns[i]) != places[i])
            {
                throw new InputException(new InputProblem("header-mismatch", file, 1, columns[i],
                    places[i] < 0 ? "the table has no such column, which the mapping needs" : "the table has the column twice",
                    "Export the columns of CDM 5.4, separated by commas or tabs, under their own names, in any order."));
            }
        }

        cells.Begin(rows, places);
    }

    private void Read(OmopTable table, string file, CancellationToken cancellationToken)
    {
        int place = _report.AddFile(_limits.FileNamesOnly ? Path.GetFileName(file) : file), type = _report.TypeOf(table.Name);
        TypeCount count = _report.Types[type];
        OmopCells cells = new(table.Columns);
        using IOmopRows rows = OmopRows.Open(file, _limits);
        Begin(rows, file, table.Columns, cells);
        int width = rows.FieldCount;
        while (rows.ReadRow())
        {
            cancellationToken.ThrowIfCancellationRequested();
            Place at = new(place, type, rows.Line, -1, ++count.Read);
            (bool used, bool wrong) = (false, false);
            if (rows.FieldCount != width)
            {
                _report.Add(new MappingIssue(IssueCode.Structure, at,
                    string.Create(CultureInfo.InvariantCulture, $"the row has {rows.FieldCount} fields, the header {width}")));
                wrong = true;
            }

            foreach (OmopSource source in wrong ? [] : table.Sources)
            {
                try
                {
                    if (source.Where?.Holds(cells) == false)
                    {
                        PassOver(source, cells);
                        continue;
                    }

                    // Of a person whom the mapping leaves out nothing is wanted, and nothing is wrong.
                    if (source.Defines != MappedUnit.Person && cells.Integer(source.Person) is { } person
                        && _passedPersons.Contains(person) && !_persons.Contains(person))
                    {
                        continue;
                    }

                    Fill(source, cells, at);
                    bool taken = IsOfItsVisit(source, cells, at, table) && _rows.Add(_fact);
                    if (taken && source.Defines == MappedUnit.Person)
                    {
                        _persons.Add(cells.Integer(source.Person)!.Value);
                    }

                    used |= taken;
                    wrong |= !taken;
                }
                catch (OmopCellException e)
                {
                    _report.Add(new MappingIssue(IssueCode.Value, at, e.Message, $"{table.Name}.{e.Column}"));
                    wrong = true;
                }
            }

            count.Used += used ? 1 : 0;
            count.LeftOut += wrong && !used ? 1 : 0;
        }
    }

    /// <summary>Remembers a person or visit that is there, but that the mapping does not want.</summary>
    private void PassOver(OmopSource source, OmopCells cells)
    {
        if (source.Defines == MappedUnit.Person && cells.Integer(source.Person) is { } person)
        {
            _passedPersons.Add(person);
        }
        else if (source.Defines == MappedUnit.Visit && cells.Integer(source.Visit!.Value) is { } visit)
        {
            _passedVisits.Add(visit);
        }
    }

    private void Fill(OmopSource source, OmopCells cells, in Place place)
    {
        _fact.Begin(source.Index, place);
        _fact.Person = Id(cells.Integer(source.Person));
        long? visit = source.Visit is { } column ? cells.Integer(column) : null;
        _fact.Visit = source.Defines != MappedUnit.Visit && visit is { } left && _passedVisits.Contains(left)
            && !_personOfVisit.ContainsKey(left) ? null : Id(visit);
        _fact.Date = source.Date is { } date ? cells.Date(date) : null;
        foreach (OmopColumn value in source.Columns)
        {
            if (value.Where?.Holds(cells) != false && TextOf(value, cells) is { } text)
            {
                _fact.Add(value.Index, text);
            }
        }

        static string? Id(long? id) => id?.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Whether the row's visit, where it names one, is of the row's person.</summary>
    private bool IsOfItsVisit(OmopSource source, OmopCells cells, in Place place, OmopTable table)
    {
        if (source.Visit is not { } column || cells.Integer(column) is not { } visit || cells.Integer(source.Person) is not { } person)
        {
            return true;
        }

        if (source.Defines == MappedUnit.Visit)
        {
            _personOfVisit.TryAdd(visit, person);
            return true;
        }

        if (!_personOfVisit.TryGetValue(visit, out long known) || known == person)
        {
            return true;
        }

        _report.Add(new MappingIssue(IssueCode.BusinessRule, place, "the visit is another person's",
            $"{table.Name}.{table.Columns[column]}"));
        return false;
    }

    private static string? TextOf(OmopColumn column, OmopCells cells)
    {
        if (column.Value.Length == 0)
        {
            return "";
        }

        if (column.Labels is { } labels)
        {
            return cells.Integer(column.Value[0]) is { } concept ? labels.GetValueOrDefault(concept) : null;
        }

        if (column.Value.Length == 1)
        {
            return cells.Text(column.Value[0]);
        }

        // A year, a month and a day: as far as they are known.
        StringBuilder date = new();
        foreach (int part in column.Value)
        {
            if (cells.Integer(part) is not { } number)
            {
                break;
            }

            date.Append(date.Length > 0 ? "-" : "").Append(number.ToString(date.Length > 0 ? "00" : "0000", CultureInfo.InvariantCulture));
        }

        return date.Length > 0 ? date.ToString() : null;
    }
}
