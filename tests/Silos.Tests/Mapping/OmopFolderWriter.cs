using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Folders of tables as sites export them: small, and as a seed decides.</summary>
internal sealed class OmopFolderWriter : IDisposable
{
    private static readonly DateOnly FirstDay = new(2015, 1, 1);

    public string Path { get; } = Directory.CreateTempSubdirectory("emrmarket-omop-").FullName;

    /// <summary>The rows of each table, the header first.</summary>
    public Dictionary<string, List<string[]>> Tables { get; } = new(StringComparer.Ordinal);

    /// <summary>A few hundred persons with all that the built-in mapping reads.</summary>
    public static OmopFolderWriter Random(int seed, int persons)
    {
        OmopFolderWriter folder = new();
        Random random = new(seed);
        long next = 1;
        folder.Begin("person", "person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "race_concept_id",
            "ethnicity_concept_id", "location_id", "person_source_value");
        folder.Begin("visit_occurrence", "visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date", "visit_end_date",
            "visit_type_concept_id");
        folder.Begin("condition_occurrence", "condition_occurrence_id", "person_id", "condition_concept_id", "condition_start_date",
            "visit_occurrence_id",
            "condition_source_value");
        folder.Begin("measurement", "measurement_id", "person_id", "measurement_concept_id", "measurement_date", "value_as_number",
            "unit_concept_id",
            "visit_occurrence_id", "value_source_value");
        folder.Begin("observation", "observation_id", "person_id", "observation_concept_id", "observation_date", "value_as_concept_id",
            "value_as_string");
        folder.Begin("drug_exposure", "drug_exposure_id", "person_id", "drug_concept_id", "drug_exposure_start_date", "quantity",
            "visit_occurrence_id");
        folder.Begin("death", "person_id", "death_date");
        folder.Begin("concept_ancestor", "ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation",
            "max_levels_of_separation");
        foreach ((int ancestor, int descendant) in ((int, int)[])[(201826, 201826), (201826, 443731), (316866, 320128), (1503297,
            40163924), (381316, 443454),
            (999, 320128)])
        {
            folder.Add("concept_ancestor", ancestor, descendant, 0, 0);
        }

        for (int p = 0; p < persons; p++)
        {
            // Ids of 64 bits, some negative, as surrogate keys are.
            long person = random.NextInt64(long.MinValue / 2, long.MaxValue);
            DateOnly last = FirstDay;
            folder.Add("person", person, Pick(8507, 8532, 0), 1930 + random.Next(80), Maybe(1 + random.Next(12)), null, Pick(8527, 8516,
                8515, 0),
                Pick(38003563, 38003564, 0), Maybe(7), "MRN \"" + p + "\", kept");
            if (folder.Tables["person"][^1][3] is { Length: > 0 } && random.Next(3) > 0)
            {
                folder.Tables["person"][^1][4] = (1 + random.Next(28)).ToString(CultureInfo.InvariantCulture);
            }

            List<long> visits = [];
            for (int v = random.Next(5); v > 0; v--)
            {
                visits.Add(next);
                folder.Add("visit_occurrence", next++, person, Pick(9201, 9202, 9203, 262, 581476, 32036), Day(), null, 32817);
            }

            object? Visit() => visits.Count > 0 && random.Next(4) > 0 ? visits[random.Next(visits.Count)] : null;
            for (int i = random.Next(6); i > 0; i--)
            {
                folder.Add("condition_occurrence", next++, person, Pick(201826, 443731, 320128, 316866, 443454, 433736, 4112853, 0), Day(),
                    Visit(), "E11.9; \"x\"");
            }

            foreach (int day in Enumerable.Range(0, random.Next(8)).Select(_ => random.Next(2000)).Distinct())
            {
                (int concept, int unit) = ((int, int)[])[(3038553, 9531), (3038553, 0), (3004249, 8876), (3004410, 8554), (3027114,
                    8840)] is var kinds
                    ? kinds[random.Next(kinds.Length)] : default;
                folder.Add("measurement", next++, person, concept, FirstDay.AddDays(day), Maybe(Math.Round(concept switch
                {
                    3038553 => 15 + (30 * random.NextDouble()),
                    3004249 => 90 + (100 * random.NextDouble()),
                    3004410 => 4 + (8 * random.NextDouble()),
                    _ => 100 + (200 * random.NextDouble()),
                }, random.Next(3))), unit, Visit(), null);
            }

            foreach (int day in Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(2000)).Distinct())
            {
                folder.Add("observation", next++, person, 4275495, FirstDay.AddDays(day), Pick(4144272, 4310250, 42709996, 4338692, 0),
                    null);
            }

            for (int i = random.Next(4); i > 0; i--)
            {
                folder.Add("drug_exposure", next++, person, Pick(1503297, 40163924, 1545958, 1332418, 19), Day(), Maybe(30), Visit());
            }

            if (random.Next(10) == 0)
            {
                folder.Add("death", person, Day());
            }
        }

        return folder;

        object Pick(params int[] of) => of[random.Next(of.Length)];

        object? Maybe(object value) => random.Next(5) == 0 ? null : value;

        object Day() => FirstDay.AddDays(random.Next(2000));
    }

    public void Begin(string table, params string[] columns) => Tables[table] = [columns];

    public void Add(string table, params object?[] cells) => Tables[table].Add([.. cells.Select(cell => cell switch
    {
        null => "",
        DateOnly day => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        IFormattable value => value.ToString(null, CultureInfo.InvariantCulture),
        _ => cell.ToString()!,
    })]);

    /// <summary>A table as CSV.</summary>
    public string Csv(string table) => string.Concat(Tables[table].Select(row => string.Join(',', row.Select(cell =>
        cell.AsSpan().ContainsAny(",\"\n") ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : cell)) + "\n"));

    /// <summary>Writes all tables as CSV.</summary>
    public OmopFolderWriter WriteCsv()
    {
        foreach (string table in Tables.Keys)
        {
            File.WriteAllText(File_(table + ".csv"), Csv(table));
        }

        return this;
    }

    /// <summary>Writes all tables otherwise: columns and rows in another order, names in capitals, tabs without quotes, and some
    /// packed.</summary>
    public OmopFolderWriter WriteOtherwise(int seed)
    {
        Random random = new(seed);
        foreach ((string table, List<string[]> rows) in Tables)
        {
            int[] order = [.. Enumerable.Range(0, rows[0].Length)];
            random.Shuffle(order);
            string[][] others = [.. rows.Skip(1)];
            random.Shuffle(others);
            byte[] text = Encoding.UTF8.GetBytes("\uFEFF" + string.Concat(others.Prepend([.. rows[0].Select(name =>
                name.ToUpperInvariant())])
                .Select(row => string.Join('\t', order.Select(i => row[i])) + "\r\n")));
            bool packed = random.Next(2) == 0;
            using FileStream file = File.Create(File_(table.ToUpperInvariant() + (packed ? ".csv.gz" : ".tsv")));
            using Stream stream = packed ? new GZipStream(file, CompressionLevel.Fastest) : file;
            stream.Write(text);
        }

        return this;
    }

    public string File_(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
