using System.Globalization;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Omop;
using EmrMarket.Silos.Tests.Storage;
using Npgsql;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>What is mapped is what PostgreSQL says of the same tables: each column of a mapping is written as SQL, and its conditions are
/// sent as they
/// stand.</summary>
public sealed class OmopOracleTests
{
    private const string ByVisit = """
        {
          "format": 1, "kind": "omop", "name": "stays", "version": "1", "title": "Stays of men and women",
          "rows": {"per": "visit", "record": "visit", "person": "patient"},
          "sources": [
            {"name": "persons", "reads": "person", "defines": "person", "person": "person_id", "where": "gender_concept_id in (8507 /* MALE */, 8532 /* FEMALE */)"},
            {"name": "visits", "reads": "visit_occurrence", "defines": "visit", "person": "person_id", "visit": "visit_occurrence_id", "date": "visit_start_date",
              "where": "visit_concept_id <> 32036 /* Laboratory Visit */ and (visit_start_date >= '2015-06-01' or visit_start_date < '2015-03-01')"},
            {"name": "conditions", "reads": "condition_occurrence", "person": "person_id", "visit": "visit_occurrence_id", "date": "condition_start_date"},
            {"name": "measurements", "reads": "measurement", "person": "person_id", "visit": "visit_occurrence_id", "date": "measurement_date",
              "where": "value_as_number is not null"},
            {"name": "drugs", "reads": "drug_exposure", "person": "person_id", "visit": "visit_occurrence_id"}
          ],
          "columns": [
            {"name": "sex", "source": "persons", "value": "gender_concept_id", "summary": "only", "concepts": [{"id": 8507, "name": "MALE"}, {"id": 8532, "name": "FEMALE", "as": "f"}]},
            {"name": "kind", "source": "visits", "value": "visit_concept_id", "summary": "only"},
            {"name": "day", "source": "visits", "value": "visit_start_date", "summary": "only"},
            {"name": "codes", "source": "conditions", "where": "condition_concept_id <> 0 /* No matching concept */", "summary": "count"},
            {"name": "sources", "source": "conditions", "value": "condition_source_value", "where": "condition_source_value = 'E11.9; \"x\"'", "summary": "exists"},
            {"name": "all_codes", "source": "conditions", "per": "person", "summary": "count"},
            {"name": "diabetes", "source": "conditions", "per": "person", "value": "condition_concept_id", "descendants": true, "summary": "exists",
              "concepts": [{"id": 201826, "name": "Type 2 diabetes mellitus"}]},
            {"name": "least", "source": "measurements", "value": "value_as_number", "summary": "min"},
            {"name": "most", "source": "measurements", "value": "value_as_number", "summary": "max", "where": "unit_concept_id in (8876 /* millimeter mercury column */, 8840 /* milligram per deciliter */)"},
            {"name": "mean", "source": "measurements", "per": "person", "value": "value_as_number", "summary": "mean", "digits": 3, "where": "value_as_number > 20.5 and value_as_number <= 150"},
            {"name": "first", "source": "measurements", "per": "person", "value": "value_as_number", "summary": "first", "as": "number"},
            {"name": "unit", "source": "measurements", "per": "person", "value": "unit_concept_id", "summary": "first"},
            {"name": "pills", "source": "drugs", "value": "quantity", "summary": "count"}
          ]
        }
        """;

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Mapped_persons_are_what_the_database_says()
    {
        using OmopFolderWriter folder = OmopFolderWriter.Random(1, 400).WriteCsv();
        await CompareAsync(folder, DataFolder.LoadMapping("omop"));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Mapped_visits_are_what_the_database_says()
    {
        using OmopFolderWriter folder = OmopFolderWriter.Random(2, 400).WriteCsv();
        await CompareAsync(folder, RecordMapping.Parse(ByVisit, "stays.json"));
    }

    [Fact]
    public void Rows_depend_on_no_order_of_columns_rows_or_letters_and_on_no_separator()
    {
        foreach (RecordMapping mapping in (RecordMapping[])[DataFolder.LoadMapping("omop"), RecordMapping.Parse(ByVisit, "stays.json")])
        {
            using OmopFolderWriter folder = OmopFolderWriter.Random(3, 200).WriteCsv();
            string[] rows = Rows(mapping, folder.Path);
            using OmopFolderWriter otherwise = OmopFolderWriter.Random(3, 200).WriteOtherwise(4);
            Assert.True(rows.Length > 100);
            Assert.Equal(rows, Rows(mapping, otherwise.Path));
        }
    }

    [Fact]
    public void Schema_that_reads_FHIR_takes_every_person()
    {
        using OmopFolderWriter folder = OmopFolderWriter.Random(5, 300).WriteCsv();
        RowAccumulator rows = OmopReader.Read(DataFolder.LoadMapping("omop"), folder.Path, MappingLimits.Default, CancellationToken.None);
        using MappedRecords records = MappedRecords.Create(rows, DataFolder.LoadSchema("synthea"), null, CancellationToken.None);
        Assert.Equal((300, 0, 0), (records.Report.Rows, records.Report.RowsLeftOut, records.Report.TotalIssues));
    }

    internal static string[] Rows(RecordMapping mapping, string folder)
    {
        RowAccumulator rows = OmopReader.Read(mapping, folder, MappingLimits.Default, CancellationToken.None);
        string file = Path.Combine(folder, "mapped.out");
        MappedRecords.Write(rows, file, CancellationToken.None);
        Assert.True(rows.Report.TotalIssues == 0, rows.Report.TotalIssues > 0 ? rows.Report.Issues[0].ToString() : "");
        string[] lines = File.ReadAllLines(file);
        File.Delete(file);
        return lines;
    }

    private static async Task CompareAsync(OmopFolderWriter folder, RecordMapping mapping)
    {
        await using NpgsqlDataSource database = await TestDatabases.CreateEmptyAsync();
        await using NpgsqlConnection connection = await database.OpenConnectionAsync();
        foreach ((string table, List<string[]> rows) in folder.Tables)
        {
            await ExecuteAsync(connection, $"CREATE TABLE {table} ({string.Join(", ", rows[0].Select(name => $"{name} {TypeOf(name)}"))})");
            await using TextWriter copy = await connection.BeginTextImportAsync($"COPY {table} FROM STDIN (FORMAT csv, HEADER)");
            await copy.WriteAsync(folder.Csv(table));
        }

        string[] lines = Rows(mapping, folder.Path);
        string[] header = lines[0].Split(',');
        bool visits = mapping.Document.Rows.Per == MappedUnit.Visit;
        int ids = visits ? 2 : 1;
        Dictionary<string, string[]> mapped = lines.Skip(1).Select(line => line.Split(',')).ToDictionary(row => row[0],
            StringComparer.Ordinal);
        Dictionary<string, string> expected = await PairsAsync(connection, Units(mapping));
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), mapped.Keys);
        Assert.True(mapped.Count > 200);
        for (int c = 0; c < mapping.Document.Columns.Count; c++)
        {
            MappingColumn column = mapping.Document.Columns[c];
            Dictionary<string, string> values = await PairsAsync(connection, Sql(mapping, c));
            string none = column.Summary switch { Summary.Exists => "no", Summary.Count => "0", _ => "" };
            foreach ((string unit, string[] row) in mapped)
            {
                string of = mapping.UnitOf[c] == MappedUnit.Person ? row[ids - 1] : unit;
                Assert.True(values.GetValueOrDefault(of, none) == row[ids + c],
                    $"{header[ids + c]} of {unit}: the database says '{values.GetValueOrDefault(of, none)}', the mapping '{row[ids + c]}'");
            }

            Assert.True(column.Name == "state" || mapped.Values.Select(row => row[ids + c]).Distinct().Count() > 1 || values.Count == 0,
                column.Name);
        }
    }

    private static string TypeOf(string column) => column switch
    {
        "value_as_number" or "quantity" => "numeric",
        _ when column.EndsWith("_date", StringComparison.Ordinal) => "date",
        _ when column.EndsWith("_id", StringComparison.Ordinal) || column.EndsWith("_of_birth", StringComparison.Ordinal) => "bigint",
        _ => "text",
    };

    private static string Units(RecordMapping mapping)
    {
        MappingSource persons = mapping.Document.Sources.Single(source => source.Defines == MappedUnit.Person);
        string known = $"SELECT person_id FROM person WHERE {persons.Where ?? "true"}";
        return mapping.Document.Rows.Per == MappedUnit.Person ? $"SELECT p::text, '' FROM ({known}) AS k(p)"
            : $"SELECT visit_occurrence_id::text, '' FROM visit_occurrence WHERE "
                + $"({mapping.Document.Sources.Single(s => s.Defines == MappedUnit.Visit).Where}) "
                + $"AND person_id IN ({known})";
    }

    /// <summary>The unit and its text, for every unit that has one.</summary>
    private static string Sql(RecordMapping mapping, int index)
    {
        MappingColumn column = mapping.Document.Columns[index];
        MappingSource source = mapping.Document.Sources[mapping.SourceOf[index]];
        string unit = mapping.UnitOf[index] == MappedUnit.Person ? "t.person_id" : "t.visit_occurrence_id";
        string date = source.Date ?? "NULL::date";
        if (column.As == ValueForm.Age)
        {
            string seen = string.Join(" UNION ALL ", mapping.Document.Sources.Where(each => each.Date is not null)
                .Select(each => $"SELECT person_id, {each.Date} AS d FROM {each.Reads} WHERE {each.Where ?? "true"}"));
            return $"""
                SELECT t.person_id::text, date_part('year', age(max(s.d), CASE WHEN month_of_birth IS NULL THEN make_date(year_of_birth::int, 7, 1)
                    ELSE make_date(year_of_birth::int, month_of_birth::int, coalesce(day_of_birth, 15)::int) END))::text
                FROM person t JOIN ({seen}) s USING (person_id) GROUP BY t.person_id, year_of_birth, month_of_birth, day_of_birth
                """;
        }

        string value = column.Value ?? "1";
        string join = "";
        if (column.Concepts is { } concepts)
        {
            string rows = string.Join(", ", concepts.Select(concept =>
                $"({concept.Id}, '{concept.As ?? concept.Id.ToString(CultureInfo.InvariantCulture)}')"));
            join = column.Descendants
                ? $"JOIN (SELECT id, '' AS label FROM (VALUES {rows}) AS c(id, l) UNION SELECT descendant_concept_id, '' FROM "
                    + "concept_ancestor "
                    + $"WHERE ancestor_concept_id IN ({string.Join(", ", concepts.Select(concept => concept.Id))})) m ON m.id = t.{value}"
                : $"JOIN (VALUES {rows}) AS m(id, label) ON m.id = t.{value}";
            value = "m.label";
        }

        string number = column.Summary is Summary.Min or Summary.Max or Summary.Mean || column.As == ValueForm.Number
            ? $"trim_scale({value})" : $"({value})";
        string from =
            $"FROM {source.Reads} t {join} WHERE ({source.Where ?? "true"}) AND ({column.Where ?? "true"}) AND ({value}) IS NOT NULL";
        string text = column.Summary switch
        {
            Summary.Exists => "'yes'",
            Summary.Count => "count(*)::text",
            Summary.Min => $"trim_scale(min({number}))::text",
            Summary.Max => $"trim_scale(max({number}))::text",
            Summary.Mean => $"trim_scale(round(avg({number}), {column.Digits ?? 2}))::text",
            Summary.Last => $"(array_agg({number}::text ORDER BY {date} DESC NULLS LAST, {number}::text COLLATE \"C\" DESC))[1]",
            _ => $"(array_agg({number}::text ORDER BY {date} NULLS LAST, {number}::text COLLATE \"C\"))[1]",
        };
        return $"SELECT {unit}::text, {text} {from} AND {unit} IS NOT NULL GROUP BY {unit}";
    }

    private static async Task<Dictionary<string, string>> PairsAsync(NpgsqlConnection connection, string sql)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        Dictionary<string, string> pairs = new(StringComparer.Ordinal);
        while (await reader.ReadAsync())
        {
            pairs.Add(reader.GetString(0), reader.GetString(1));
        }

        return pairs;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
