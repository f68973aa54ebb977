using System.Diagnostics;
using System.Globalization;
using System.Text;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Omop;

namespace EmrMarket.Benchmarks.Records;

/// <summary>Mapping tables of OMOP with 64 MB of measurements by the built-in mapping, beside a plain pass of the CSV reader over the same
/// bytes, which finds every field and looks at none.</summary>
public static class OmopBench
{
    private const int Rounds = 3;
    private const int Bytes = 64_000_000;
    private const int Persons = 2_000;

    // What the mapping reads and this table does not measure: there, with their headers alone.
    private static readonly (string Table, string Header)[] Empty =
    [
        ("visit_occurrence", "visit_occurrence_id,person_id,visit_concept_id,visit_start_date"),
        ("condition_occurrence", "person_id,condition_concept_id,condition_start_date"),
        ("observation", "person_id,observation_concept_id,observation_date,value_as_concept_id"),
        ("drug_exposure", "person_id,drug_concept_id,drug_exposure_start_date"),
        ("death", "person_id,death_date"),
        ("concept_ancestor", "ancestor_concept_id,descendant_concept_id"),
    ];

    /// <summary>Measures and prints the table.</summary>
    public static void Run(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-bench-");
        try
        {
            string file = Path.Combine(folder.FullName, "measurement.csv");
            int rows = Write(folder.FullName, file);
            RecordMapping mapping = DataFolder.LoadMapping("omop");
            double megabytes = new FileInfo(file).Length / 1e6;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"omop: {rows:N0} measurements of {Persons:N0} persons, CSV of {megabytes:N0} MB; best of {Rounds}"));
            double baseline = Best(() => ReadFields(file, rows));
            double mapped = Best(() =>
            {
                RowAccumulator read = OmopReader.Read(mapping, folder.FullName, MappingLimits.Default, CancellationToken.None);
                if (read.Report.TotalIssues > 0 || read.Report.Types.Sum(type => type.Read) != rows + Persons)
                {
                    throw new InvalidOperationException("The rows are not those that were written.");
                }
            });
            output.WriteLine("step                                       MB/s");
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"read, check and map ({mapping.Document.Columns.Count} columns)       {megabytes / mapped,8:N0}"));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"baseline: CSV reader, fields only      {megabytes / baseline,8:N0}"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static double Best(Action step)
    {
        double best = double.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            step();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    private static int Write(string folder, string measurements)
    {
        foreach ((string table, string header) in Empty)
        {
            File.WriteAllText(Path.Combine(folder, table + ".csv"), header + "\n");
        }

        File.WriteAllText(Path.Combine(folder, "person.csv"), string.Concat(Enumerable.Range(0, Persons).Select(person => string.Create(
            CultureInfo.InvariantCulture, $"{person},8507,{1930 + (person % 80)},1,1,8527,38003564,\n")).Prepend(
            "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,race_concept_id,ethnicity_concept_id,location_id\n")));
        using FileStream stream = File.Create(measurements);
        stream.Write("measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,measurement_type_concept_id,value_as_number,unit_concept_id,visit_occurrence_id,measurement_source_value,unit_source_value\n"u8);
        int rows = 0;
        for (; stream.Position < Bytes; rows++)
        {
            (int concept, int unit, string code) = (rows % 4) switch
            {
                0 => (3004249, 8876, "8480-6"),
                1 => (3038553, 9531, "39156-5"),
                2 => (3027114, 8840, "2093-3"),
                _ => (3024171, 8541, "9279-1"),
            };
            (int year, int value) = (1990 + (rows % 30), 20 + (rows % 20));
            stream.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
                $"{rows},{rows % Persons},{concept},{year}-05-01,{year}-05-01 10:00:00,32817,{value}.5,{unit},{rows},{code},-\n")));
        }

        return rows;
    }

    private static void ReadFields(string file, int rows)
    {
        using CsvRowReader reader = new(RecordFile.Open(file), file);
        int read = -1;
        while (reader.ReadRow())
        {
            read++;
        }

        if (read != rows)
        {
            throw new InvalidOperationException("The rows are not those that were written.");
        }
    }
}
