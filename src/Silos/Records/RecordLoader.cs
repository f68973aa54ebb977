using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records;

/// <summary>
/// Reads record files (CSV, packed with gzip or not) into columns. Each file is recognised by its columns as one of the schema's layouts.
/// Strict: whatever the schema does not declare is refused with file, line, column, code and fix, before any record is used. Memory: the
/// batch, and 16 to 53 bytes per record for finding duplicates where ids come from the file.
/// </summary>
public sealed class RecordLoader
{
    /// <summary>Records per batch of <see cref="ReadBatches"/>, unless told otherwise.</summary>
    public const int DefaultBatchSize = 65_536;

    /// <summary>How many problems <see cref="Check"/> lists.</summary>
    public const int MaxListedProblems = 100;

    private readonly Schema _schema;

    /// <summary>A loader of records of a schema.</summary>
    public RecordLoader(Schema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        _schema = schema;
    }

    /// <summary>All records of the files, in their order.</summary>
    /// <exception cref="InputException">A file is refused; the first problem found.</exception>
    public RecordTable Load(IReadOnlyList<string> files, CancellationToken cancellationToken = default) =>
        RecordTable.Concat(_schema, [.. ReadBatches(files, DefaultBatchSize, cancellationToken)]);

    /// <summary>
    /// The records of the files in tables of at most <paramref name="batchSize"/> records; the dense person index of each counts its own
    /// persons.
    /// </summary>
    /// <exception cref="InputException">A file is refused: thrown while enumerating, when the problem is met.</exception>
    public IEnumerable<RecordTable> ReadBatches(IReadOnlyList<string> files, int batchSize, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        return new Pass(_schema, batchSize, problem => throw new InputException(problem)).Read(files, cancellationToken);
    }

    /// <summary>The records that are right, as <see cref="ReadBatches"/>; the others are told and left out.</summary>
    /// <param name="files">The files.</param>
    /// <param name="onProblem">What is wrong, with line and offending text, when it is met: for the site's own eyes.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InputException">A file as a whole is refused: thrown while enumerating.</exception>
    internal IEnumerable<RecordTable> ReadValid(
        IReadOnlyList<string> files, Action<InputProblem> onProblem, CancellationToken cancellationToken) =>
        new Pass(_schema, DefaultBatchSize, onProblem).Read(files, cancellationToken);

    /// <summary>
    /// Reads every record of the files and lists what is wrong, with the offending text of each value: for the site's own eyes.
    /// </summary>
    public (long Records, long Clipped, IReadOnlyList<InputProblem> Problems, long TotalProblems) Check(
        IReadOnlyList<string> files, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(files);
        var problems = new List<InputProblem>();
        long total = 0, records = 0, clipped = 0;
        void Note(InputProblem problem)
        {
            total++;
            if (problems.Count < MaxListedProblems)
            {
                problems.Add(problem);
            }
        }

        var pass = new Pass(_schema, DefaultBatchSize, Note);
        try
        {
            foreach (RecordTable table in pass.Read(files, cancellationToken))
            {
                records += table.Count;
                clipped += table.Columns.Sum(c => (long)c.Clipped);
            }
        }
        catch (InputException structural)
        {
            Note(structural.Problems[0]);
        }

        return (records, clipped, problems, total);
    }

    /// <summary>One pass over files: what must be remembered across them.</summary>
    private sealed class Pass(Schema schema, int batchSize, Action<InputProblem> onProblem)
    {
        private readonly KeyIndex _records = new();
        private readonly KeyIndex _persons = new();
        private readonly Dictionary<string, long> _rowsByLayout = new(StringComparer.Ordinal);
        private readonly int[] _constant =
            [.. Enumerable.Range(0, schema.Attributes.Count).Where(a => schema.Attributes[a].ConstantPerPerson)];
        private readonly Batch _batch = new(schema, batchSize);
        private ushort[] _personCodes = new ushort[1024];

        public IEnumerable<RecordTable> Read(IReadOnlyList<string> files, CancellationToken cancellationToken)
        {
            foreach (string file in files)
            {
                using var reader = new CsvRowReader(RecordFile.Open(file), file);
                Columns columns = Columns.Recognise(schema, reader, file);
                _rowsByLayout.TryAdd(columns.Layout.Name, 0);
                long before = _rowsByLayout[columns.Layout.Name];
                while (reader.ReadRow())
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    long row = ++_rowsByLayout[columns.Layout.Name];
                    if (ReadRecord(reader, columns, row, file) && _batch.Commit())
                    {
                        yield return _batch.ToTable();
                    }
                }

                if (_rowsByLayout[columns.Layout.Name] == before)
                {
                    throw new InputException(new InputProblem(
                        "no-records", file, 1, "", "the file has a header and no record", "A record file has at least one record."));
                }
            }

            if (_batch.Count > 0)
            {
                yield return _batch.ToTable();
            }
        }

        private bool ReadRecord(CsvRowReader reader, Columns columns, long row, string file)
        {
            if (reader.FieldCount != columns.Count)
            {
                onProblem(new InputProblem(
                    "column-count", file, reader.Line, "", $"expected {columns.Count} fields as in the header, got {reader.FieldCount}",
                    "Look for a missing field, a comma inside an unquoted text, or a line that was cut."));
                return false;
            }

            bool valid = ReadValues(reader, columns, file);
            if (ReadKey(reader, columns.Layout.Record, columns.RecordColumn, columns.Layout, row, file) is not { } record
                || ReadKey(reader, columns.Layout.Person, columns.PersonColumn, columns.Layout, row, file, record) is not { } person)
            {
                return false;
            }

            if (columns.Layout.Record is { } id)
            {
                (_, bool added, bool collides) = _records.Add(record.Key, record.Check);
                if (!added)
                {
                    onProblem(collides
                        ? new InputProblem(
                            "id-collision", file, reader.Line, id.Column, "two record ids share 64 bits of their hash",
                            "Change the id of one of the two records.")
                        : new InputProblem(
                            "duplicate-id", file, reader.Line, id.Column, "the record id occurs before",
                            "Give every record an id of its own, or drop the repeated line."));
                    return false;
                }
            }

            if (valid && columns.Layout.Person is { } personId && !CheckPerson(person, personId, reader.Line, file))
            {
                return false;
            }

            _batch.RecordKeys[_batch.Count] = record.Key;
            _batch.PersonKeys[_batch.Count] = person.Key;
            return valid;
        }

        private bool CheckPerson((ulong Key, ulong Check) person, IdentifierDocument id, long line, string file)
        {
            // Integer ids cannot collide, so that their persons are looked up only when values must not differ between a person's records.
            if (id.Kind == IdentifierKind.Integer && _constant.Length == 0)
            {
                return true;
            }

            (int index, bool added, bool collides) = _persons.Add(person.Key, person.Check);
            if (collides)
            {
                onProblem(
                    new InputProblem(
                        "id-collision", file, line, id.Column, "two person ids share 64 bits of their hash",
                        "Change the id of one of the two persons."));
                return false;
            }

            int at = index * _constant.Length;
            if (at + _constant.Length > _personCodes.Length)
            {
                Array.Resize(ref _personCodes, 2 * _personCodes.Length);
            }

            for (int c = 0; c < _constant.Length; c++)
            {
                ushort code = _batch.Codes[_constant[c]][_batch.Count];
                if (added)
                {
                    _personCodes[at + c] = code;
                }
                else if (_personCodes[at + c] != code)
                {
                    onProblem(new InputProblem(
                        "not-constant", file, line, schema.Attributes[_constant[c]].Name,
                        "the value differs from an earlier record of the same person",
                        "Correct one of the records, or declare the attribute as not constant per person."));
                    return false;
                }
            }

            return true;
        }

        private bool ReadValues(CsvRowReader reader, Columns columns, string file)
        {
            bool valid = true;
            for (int a = 0; a < columns.Attributes.Length; a++)
            {
                ColumnReading column = columns.Attributes[a];
                ReadValue value = column.Read(reader);
                if (value.Fault is { } fault)
                {
                    valid = false;
                    onProblem(new InputProblem(fault.Code, file, reader.Line, column.Name, fault.Message, fault.Fix)
                    {
                        Value = reader.Text(column.Index),
                    });
                    continue;
                }

                _batch.Set(column.Attribute, value);
                if (column.Presence >= 0)
                {
                    _batch.Set(column.Presence, ReadValue.Of(value.Code == RecordColumn.Missing ? 0 : 1));
                }
            }

            return valid;
        }

        private (ulong Key, ulong Check)? ReadKey(
            CsvRowReader reader, IdentifierDocument? id, int column, LayoutDocument layout, long row, string file,
            (ulong Key, ulong Check)? otherwise = null)
        {
            if (id is null)
            {
                return otherwise ?? RecordKey.OfRow(layout, row);
            }

            ReadOnlySpan<byte> text = reader.Field(column);
            if (text.IsEmpty)
            {
                onProblem(new InputProblem("missing-id", file, reader.Line, id.Column, "the id is empty", "Every record has an id."));
                return null;
            }

            if (RecordKey.Of(layout, id.Kind, text) is { } key)
            {
                return key;
            }

            onProblem(new InputProblem(
                "malformed-id", file, reader.Line, id.Column,
                $"the id is no whole number without leading zeros below 2^{(layout.Salt == 0 ? 64 : 56)}",
                "Correct the id, or declare its kind as text.") { Value = reader.Text(column) });
            return null;
        }
    }

    /// <summary>The columns of the batch that is being filled.</summary>
    private sealed class Batch
    {
        private readonly Schema _schema;
        private readonly int _size;
        private readonly int[] _clipped;
        private uint[]?[] _fractions;

        public Batch(Schema schema, int size)
        {
            (_schema, _size) = (schema, size);
            _clipped = new int[schema.Attributes.Count];
            (Codes, _fractions, RecordKeys, PersonKeys) = (
                Allocate(), new uint[]?[schema.Attributes.Count], new ulong[size], new ulong[size]);
        }

        public int Count { get; private set; }

        public ushort[][] Codes { get; private set; }

        public ulong[] RecordKeys { get; private set; }

        public ulong[] PersonKeys { get; private set; }

        public void Set(int attribute, in ReadValue value)
        {
            Codes[attribute][Count] = value.Code;
            if (value.Fraction != 0 || _fractions[attribute] is not null)
            {
                (_fractions[attribute] ??= new uint[_size])[Count] = value.Fraction;
            }

            _clipped[attribute] += value.Clipped ? 1 : 0;
        }

        /// <summary>Keeps the record that was set; true when the batch is full.</summary>
        public bool Commit() => ++Count == _size;

        public RecordTable ToTable()
        {
            int count = Count;
            var index = new KeyIndex(count);
            int[] personIndex = new int[count];
            for (int i = 0; i < count; i++)
            {
                personIndex[i] = index.Add(PersonKeys[i]).Index;
            }

            var table = new RecordTable
            {
                RecordKeys = Trim(RecordKeys, count),
                PersonKeys = Trim(PersonKeys, count),
                PersonIndex = personIndex,
                PersonCount = index.Count,
                Columns = [.. _schema.Attributes.Select((attribute, a) => new RecordColumn
                {
                    Attribute = attribute,
                    Codes = Trim(Codes[a], count),
                    Fractions = _fractions[a] is { } fractions ? Trim(fractions, count) : null,
                    Clipped = _clipped[a],
                })],
            };
            (Codes, _fractions, RecordKeys, PersonKeys, Count) = (
                Allocate(), new uint[]?[_clipped.Length], new ulong[_size], new ulong[_size], 0);
            Array.Clear(_clipped);
            return table;
        }

        private static T[] Trim<T>(T[] values, int count) => values.Length == count ? values : values[..count];

        private ushort[][] Allocate() => [.. Enumerable.Range(0, _clipped.Length).Select(_ => new ushort[_size])];
    }
}
