using System.Globalization;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics.Distributions;

namespace EmrMarket.Analytics.Records.Synthetic;

/// <summary>
/// A batch of synthetic records: per attribute of the parameters one text per record, as an index into the attribute's texts.
/// </summary>
/// <param name="FirstRecord">The index of the first record, from 0; its id is one more.</param>
/// <param name="Persons">Per record the index of its person, from 0; the person's id is one more.</param>
/// <param name="Values">Per attribute, per record an index into <see cref="SyntheticGenerator.Texts"/>.</param>
internal sealed record SyntheticBatch(long FirstRecord, long[] Persons, IReadOnlyList<ushort[]> Values)
{
    public int Count => Persons.Length;
}

/// <summary>
/// Draws synthetic records: latent x = sum of loadings times factors + own noise, standard normal; the value is the one whose band of the
/// normal distribution holds x (Gaussian copula; Nelsen 2006, doi:10.1007/0-387-28678-0). Deterministic in (parameters, schema, seed),
/// whatever the size of batches or the number of cores.
/// </summary>
public sealed class SyntheticGenerator
{
    /// <summary>Records per batch: bounds the memory of streaming.</summary>
    public const int DefaultBatchSize = 65_536;

    private readonly Schema _schema;
    private readonly SyntheticParameters _parameters;
    private readonly Law[] _laws;
    private readonly double[] _recordsPerPerson;
    private readonly byte[] _seed;

    /// <summary>A generator of records of a schema.</summary>
    /// <param name="schema">The schema; its first layout says how texts are read.</param>
    /// <param name="parameters">The law, with an entry per attribute of the schema.</param>
    /// <param name="seed">The seed, 16 bytes or more; equal seeds give equal records.</param>
    /// <exception cref="InputException">The parameters do not fit the schema.</exception>
    public SyntheticGenerator(Schema schema, SyntheticParameters parameters, ReadOnlySpan<byte> seed)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(parameters);
        if (seed.Length < 16)
        {
            throw new ArgumentException($"A seed has 16 bytes or more; got {seed.Length}.", nameof(seed));
        }

        _schema = schema;
        _parameters = parameters;
        _seed = seed.ToArray();
        double total = parameters.RecordsPerPerson.Sum();
        _recordsPerPerson = new double[parameters.RecordsPerPerson.Count];
        double below = 0;
        for (int i = 0; i < _recordsPerPerson.Length; i++)
        {
            below += parameters.RecordsPerPerson[i] / total;
            _recordsPerPerson[i] = below;
        }

        var readings = schema.Document.Layouts[0].Readings;
        _laws = [.. parameters.Attributes.Select(a => Compile(a.Key, a.Value))];
        AttributeDefinition? unknown = schema.Attributes.FirstOrDefault(
            a => Array.Find(_laws, l => l.Name == LawNameOf(a, readings)) is null);
        if (unknown is not null)
        {
            throw Wrong(unknown.Name, "the schema's attribute has no law in the parameters");
        }
    }

    /// <summary>The columns that are drawn, in the parameters' order.</summary>
    public IReadOnlyList<string> Columns => [.. _laws.Select(l => l.Name)];

    /// <summary>The texts of a column by index; the missing value is the empty text.</summary>
    public IReadOnlyList<string> Texts(int column) => _laws[column].Texts;

    /// <summary>Draws a table of exactly this many records. 200,000 take well under a second.</summary>
    public RecordTable Generate(int records)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(records);
        return RecordTable.Concat(_schema, [.. GenerateTables(records, DefaultBatchSize)]);
    }

    /// <summary>
    /// Draws records in tables of whole persons: <paramref name="batchSize"/> records each, and the rest of the last one's person.
    /// </summary>
    public IEnumerable<RecordTable> GenerateTables(long records, int batchSize)
    {
        ReadValue[][] meanings = Meanings();
        foreach (SyntheticBatch batch in GenerateBatches(records, batchSize))
        {
            yield return ToTable(batch, meanings);
        }
    }

    /// <summary>Draws records in batches of texts.</summary>
    internal IEnumerable<SyntheticBatch> GenerateBatches(long records, int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(records);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        var counts = new NormalStream(_seed, "records per person");
        double[] uniform = new double[1024];
        long person = -1;
        int remaining = 0;
        for (long first = 0; first < records;)
        {
            var persons = new List<long>(batchSize + _recordsPerPerson.Length);
            while (first + persons.Count < records && (persons.Count < batchSize || remaining > 0))
            {
                if (remaining == 0)
                {
                    person++;
                    if (person % uniform.Length == 0)
                    {
                        counts.FillUniform(person, uniform);
                    }

                    int found = Array.BinarySearch(_recordsPerPerson, uniform[person % uniform.Length]);
                    remaining = Math.Min((found >= 0 ? found : ~found) + 1, _recordsPerPerson.Length);
                }

                remaining--;
                persons.Add(person);
            }

            yield return Draw(first, [.. persons]);
            first += persons.Count;
        }
    }

    private SyntheticBatch Draw(long first, long[] persons)
    {
        long firstPerson = persons[0];
        int personCount = (int)(persons[^1] - firstPerson) + 1;
        var factors = new Dictionary<string, double[]>(StringComparer.Ordinal);
        foreach (string factor in _parameters.PersonFactors)
        {
            factors.Add(factor, Normals("factor " + factor, firstPerson, personCount));
        }

        foreach (string factor in _parameters.RecordFactors)
        {
            factors.Add(factor, Normals("factor " + factor, first, persons.Length));
        }

        ushort[][] values = new ushort[_laws.Length][];
        Parallel.For(0, _laws.Length, a =>
        {
            Law law = _laws[a];
            double[] latents = Latents(
                law.Name, law.Parameters.Loadings, law.ConstantPerPerson, first, persons, firstPerson, personCount, factors);
            ushort[] drawn = new ushort[latents.Length];
            for (int i = 0; i < drawn.Length; i++)
            {
                drawn[i] = law.Find(latents[i]);
            }

            if (law.ConstantPerPerson)
            {
                drawn = Array.ConvertAll(persons, p => drawn[(int)(p - firstPerson)]);
            }

            if (law.Parameters.Missing is { } missing)
            {
                double threshold = Normal.InvCDF(0, 1, missing.Share);
                double[] absence = Latents(
                    "missing " + law.Name, missing.Loadings, false, first, persons, firstPerson, personCount, factors);
                for (int i = 0; i < drawn.Length; i++)
                {
                    if (absence[i] < threshold)
                    {
                        drawn[i] = (ushort)(law.Texts.Count - 1);
                    }
                }
            }

            values[a] = drawn;
        });
        return new SyntheticBatch(first, persons, values);
    }

    private double[] Latents(
        string name,
        IReadOnlyDictionary<string, double> loadings,
        bool perPerson,
        long first,
        long[] persons,
        long firstPerson,
        int personCount,
        Dictionary<string, double[]> factors)
    {
        double[] latents = perPerson ? Normals(name, firstPerson, personCount) : Normals(name, first, persons.Length);
        double own = Math.Sqrt(Math.Max(0, 1 - loadings.Values.Sum(l => l * l)));
        for (int i = 0; i < latents.Length; i++)
        {
            latents[i] *= own;
        }

        foreach ((string factor, double loading) in loadings)
        {
            double[] values = factors[factor];
            bool byPerson = !perPerson && _parameters.PersonFactors.Contains(factor);
            for (int i = 0; i < latents.Length; i++)
            {
                latents[i] += loading * values[byPerson ? (int)(persons[i] - firstPerson) : i];
            }
        }

        return latents;
    }

    private double[] Normals(string stream, long first, int count)
    {
        var normals = new NormalStream(_seed, stream);
        double[] values = new double[count];
        normals.Fill(first, values);
        return values;
    }

    /// <summary>Per attribute of the schema, the meaning of every text of its column: read once, as the loader would.</summary>
    private ReadValue[][] Meanings()
    {
        LayoutDocument layout = _schema.Document.Layouts[0];
        return [.. _schema.Attributes.Select(attribute =>
        {
            Law law = LawOf(attribute);
            if (IsPresence(attribute))
            {
                return [.. law.Texts.Select(text => ReadValue.Of(text.Length == 0 ? 0 : 1))];
            }

            AttributeReading reading = AttributeReading.Create(_schema, layout, attribute);
            return law.Texts.Select(text => reading.Read(text, unit: null) is { Fault: null } value
                ? value
                : throw Wrong(law.Name, "the schema refuses one of its values")).ToArray();
        })];
    }

    private static bool IsPresence(AttributeDefinition attribute) =>
        attribute.Name.EndsWith(Schema.PresenceSuffix, StringComparison.Ordinal);

    private Law LawOf(AttributeDefinition attribute)
    {
        string name = LawNameOf(attribute, _schema.Document.Layouts[0].Readings);
        return Array.Find(_laws, l => l.Name == name)!;
    }

    private static string LawNameOf(AttributeDefinition attribute, IReadOnlyDictionary<string, ReadingDocument>? readings)
    {
        string name = attribute.Name.EndsWith(Schema.PresenceSuffix, StringComparison.Ordinal)
            ? attribute.Name[..^Schema.PresenceSuffix.Length]
            : attribute.Name;
        return readings?.GetValueOrDefault(name)?.Column ?? name;
    }

    private RecordTable ToTable(SyntheticBatch batch, ReadValue[][] meanings)
    {
        var columns = new RecordColumn[_schema.Attributes.Count];
        Parallel.For(0, columns.Length, a =>
        {
            AttributeDefinition attribute = _schema.Attributes[a];
            ushort[] drawn = batch.Values[Array.IndexOf(_laws, LawOf(attribute))];
            ReadValue[] meaning = meanings[a];
            ushort[] codes = new ushort[drawn.Length];
            uint[]? fractions = Array.Exists(meaning, m => m.Fraction != 0) ? new uint[drawn.Length] : null;
            int clipped = 0;
            for (int i = 0; i < drawn.Length; i++)
            {
                ReadValue value = meaning[drawn[i]];
                codes[i] = value.Code;
                clipped += value.Clipped ? 1 : 0;
                if (fractions is not null)
                {
                    fractions[i] = value.Fraction;
                }
            }

            columns[a] = new RecordColumn { Attribute = attribute, Codes = codes, Fractions = fractions, Clipped = clipped };
        });
        ulong[] records = new ulong[batch.Count], people = new ulong[batch.Count];
        int[] index = new int[batch.Count];
        for (int i = 0; i < records.Length; i++)
        {
            records[i] = (ulong)(batch.FirstRecord + i + 1);
            people[i] = (ulong)batch.Persons[i] + 1;
            index[i] = (int)(batch.Persons[i] - batch.Persons[0]);
        }

        return new RecordTable
        {
            RecordKeys = records, PersonKeys = people, PersonIndex = index, PersonCount = index[^1] + 1, Columns = columns,
        };
    }

    private Law Compile(string name, AttributeLaw law)
    {
        IEnumerable<KeyValuePair<string, double>> loadings = law.Loadings.Concat(law.Missing?.Loadings ?? new Dictionary<string, double>());
        if (loadings.Any(l => !_parameters.PersonFactors.Contains(l.Key) && !_parameters.RecordFactors.Contains(l.Key)))
        {
            throw Wrong(name, "it loads on a factor that is not declared");
        }

        bool constant = _schema.IndexOf(name) is >= 0 and int index && _schema.Attributes[index].ConstantPerPerson;
        if (constant && (law.Missing is not null || law.Loadings.Keys.Any(_parameters.RecordFactors.Contains)))
        {
            throw Wrong(name, "an attribute that is constant per person loads on person factors only and is never missing");
        }

        if (Math.Max(law.Loadings.Values.Sum(l => l * l), law.Missing?.Loadings.Values.Sum(l => l * l) ?? 0) > 1 + 1e-9)
        {
            throw Wrong(name, "the squares of its loadings sum to more than 1");
        }

        (List<string> texts, List<double> shares) = law.Distribution is { } points ? Numeric(name, law, points) : Categorical(name, law);
        if (texts.Count > ushort.MaxValue)
        {
            throw Wrong(name, "it has more than 65,535 values");
        }

        double[] thresholds = new double[texts.Count - 1];
        double below = 0, total = shares.Sum();
        for (int i = 0; i < thresholds.Length; i++)
        {
            below += shares[i];
            thresholds[i] = Normal.InvCDF(0, 1, Math.Min(1, below / total));
        }

        if (law.Missing is not null)
        {
            texts.Add("");
        }

        return new Law(name, law, constant, texts, thresholds);
    }

    private static (List<string> Texts, List<double> Shares) Categorical(string name, AttributeLaw law) =>
        law.Weights is { Count: > 0 } weights
        ? ([.. weights.Keys], [.. weights.Values.Select(w => (double)w)])
        : throw Wrong(name, "it has neither weights nor a distribution");

    private static (List<string> Texts, List<double> Shares) Numeric(
        string name, AttributeLaw law, IReadOnlyList<IReadOnlyList<decimal>> points)
    {
        bool valid = points.Count >= 2 && points.All(p => p.Count == 2) && points[0][1] == 0 && points[^1][1] == 1
            && points.Zip(points.Skip(1)).All(p => p.First[0] < p.Second[0] && p.First[1] <= p.Second[1]);
        if (!valid)
        {
            throw Wrong(name, "its distribution is not a list of [value, share below] that rises from share 0 to share 1");
        }

        decimal unit = 1;
        for (int i = 0; i < law.Decimals; i++)
        {
            unit /= 10;
        }

        string format = law.Decimals == 0 ? "0" : "0." + new string('0', law.Decimals);
        var texts = new List<string>();
        var shares = new List<double>();
        decimal SharesBelow(decimal value)
        {
            int next = Enumerable.Range(0, points.Count).FirstOrDefault(i => points[i][0] >= value, points.Count);
            return next == 0 ? 0 : next == points.Count ? 1
                : points[next - 1][1]
                    + ((points[next][1] - points[next - 1][1]) * (value - points[next - 1][0]) / (points[next][0] - points[next - 1][0]));
        }

        // A printed value stands for the band [value, value + unit).
        for (decimal value = points[0][0]; value < points[^1][0]; value += unit)
        {
            texts.Add(value.ToString(format, CultureInfo.InvariantCulture));
            shares.Add((double)(SharesBelow(value + unit) - SharesBelow(value)));
        }

        return (texts, shares);
    }

    private static InputException Wrong(string attribute, string message) =>
        new(new InputProblem(
            "synthetic-parameters", "synthetic parameters", 0, attribute, message, "Correct the parameter file or the schema."));

    private sealed record Law(
        string Name, AttributeLaw Parameters, bool ConstantPerPerson, IReadOnlyList<string> Texts, double[] Thresholds)
    {
        public ushort Find(double latent)
        {
            int low = 0, high = Thresholds.Length;
            while (low < high)
            {
                int middle = (low + high) >> 1;
                if (Thresholds[middle] <= latent)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle;
                }
            }

            return (ushort)low;
        }
    }
}
