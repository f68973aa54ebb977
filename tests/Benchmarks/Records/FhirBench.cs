using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;

namespace EmrMarket.Benchmarks.Records;

/// <summary>Mapping 64 MB of observations by the built-in mapping, beside a plain pass of the JSON reader over the same bytes, which looks
/// at every token and keeps nothing.</summary>
public static class FhirBench
{
    private const int Rounds = 3;
    private const int Bytes = 64_000_000;
    private const int Patients = 2_000;

    /// <summary>Measures and prints the table.</summary>
    public static void Run(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-bench-");
        try
        {
            string file = Path.Combine(folder.FullName, "resources.ndjson");
            int resources = Write(file);
            RecordMapping mapping = DataFolder.LoadMapping("synthea");
            double megabytes = new FileInfo(file).Length / 1e6;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"fhir: {resources:N0} resources of {Patients:N0} patients, NDJSON of {megabytes:N0} MB; best of {Rounds}"));
            double baseline = Best(() => ReadTokens(file));
            double mapped = Best(() =>
            {
                RowAccumulator rows = FhirReader.Read(mapping, [file], MappingLimits.Default, CancellationToken.None);
                if (rows.Report.TotalIssues > 0 || rows.Report.Types.Sum(type => type.Used) != resources)
                {
                    throw new InvalidOperationException("The resources are not those that were written.");
                }
            });
            output.WriteLine("step                                       MB/s");
            int columns = mapping.Document.Columns.Count;
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"read, check and map ({columns} columns)       {megabytes / mapped,8:N0}"));
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"baseline: Utf8JsonReader, tokens only  {megabytes / baseline,8:N0}"));
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

    private static int Write(string file)
    {
        using FileStream stream = File.Create(file);
        int resources = 0;
        for (; stream.Position < Bytes; resources++)
        {
            int patient = resources % Patients;
            stream.Write(Encoding.UTF8.GetBytes(resources < Patients
                ? $$"""{"resourceType":"Patient","id":"p{{patient}}","gender":"female","birthDate":"1970-01-01","address":[{"state":"MA"}]}""" + "\n"
                : Observation(resources, patient)));
        }

        return resources;
    }

    // The shape of Synthea's vital signs.
    private static string Observation(int number, int patient) => string.Create(CultureInfo.InvariantCulture,
        $$$"""{"resourceType":"Observation","id":"o{{{number}}}","meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-bmi"]},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"39156-5","display":"Body mass index (BMI) [Ratio]"}],"text":"Body mass index (BMI) [Ratio]"},"subject":{"reference":"Patient/p{{{patient}}}"},"encounter":{"reference":"Encounter/e{{{number}}}"},"effectiveDateTime":"{{{1990 + (number % 30)}}}-05-01T10:00:00-05:00","issued":"2020-05-01T10:00:00.123-05:00","valueQuantity":{"value":{{{20 + (number % 20)}}}.5,"unit":"kg/m2","system":"http://unitsofmeasure.org","code":"kg/m2"}}""") + "\n";

    private static void ReadTokens(string file)
    {
        using FileStream stream = File.OpenRead(file);
        byte[] buffer = new byte[1 << 20];
        int kept = 0;
        JsonReaderState state = new(new JsonReaderOptions { AllowMultipleValues = true });
        while (true)
        {
            int read = stream.Read(buffer, kept, buffer.Length - kept);
            var reader = new Utf8JsonReader(buffer.AsSpan(0, kept + read), isFinalBlock: read == 0, state);
            while (reader.Read())
            {
            }

            if (read == 0)
            {
                return;
            }

            state = reader.CurrentState;
            int used = (int)reader.BytesConsumed;
            kept = kept + read - used;
            buffer.AsSpan(used, kept).CopyTo(buffer);
        }
    }
}
