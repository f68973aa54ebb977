using System.Text;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;
using EmrMarket.Silos.Tests.Records;
using static EmrMarket.Silos.Tests.Mapping.MappedTexts;

namespace EmrMarket.Silos.Tests.Mapping.Mutations;

/// <summary>Mutated files of FHIR are read or refused, within bounds, with places, and without telling a value.</summary>
public sealed class MutatedResourcesTests : IDisposable
{
    private static readonly MappingLimits Small =
        new() { ResourceBytes = 1 << 16, FreeUnpackedBytes = 1 << 20, Units = 1000, Depth = 64, UnpackRatio = 50, Medications = 20 };

    private static readonly byte[][] Tokens = [.. ((string[])
    [
        "{", "}", "[", "]", "\"", ",", ":", "\n", "null", "1e999", "-", "\\ud800", "\\", "\u0000", "\"resourceType\":\"Bundle\",",
        "\"entry\":[", "true", "99999999999999999999999999999999", "\u00ff", "{\"a\":", "[[[[[[[[[[[[[[[[", "\"subject\":{},", "urn:uuid:",
        "Patient/", " ", "Medication/m", "\"#c\"", "\"contained\":[",
    ]).Select(Encoding.UTF8.GetBytes)];

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public Task Mutated_files_are_read_or_refused() => MutateAsync(4_000);

    [Fact]
    [Trait("Duration", "Long")]
    public Task Mutated_files_are_read_or_refused_a_hundred_thousand_times() => MutateAsync(100_000);

    private async Task MutateAsync(int times)
    {
        Random random = new(11);
        RecordMapping mapping = RecordMapping.Parse(Persons.Replace("code.coding.code",
            "code.coding.code | evidence.detail.resolve().ofType(Medication).code.coding.code", StringComparison.Ordinal), "mapping");

        // Letters that no message has beside each other, in names, notes and codes, and digits that no place has.
        MutationRun run = new("qzjx", "zjxq", "jxqz", "xqzj", "73918");
        string[] resources =
        [
            Patient("a", "\"gender\":\"female\",\"birthDate\":\"2000-06-16\",\"name\":[{\"family\":\"qzjxqzjx\"}]"),
            Observation("urn:uuid:0a", "2020-01-02", "73918.5"), Patient("b", "\"gender\":\"qzjxqzjx\""),
            """{"resourceType":"Condition","subject":{"reference":"Patient/b"},"code":{"coding":[{"code":"z","display":"qzjxqzjx"},{"code":"y"}]},"note":[null,{"text":"\u00e9\ud83d\ude00 qzjxqzjx"}]}""",
            """{"resourceType":"Medication","id":"m","code":{"coding":[{"code":"x"}],"text":"qzjxqzjx"}}""",
            """{"resourceType":"Condition","subject":{"reference":"Patient/b"},"contained":[{"resourceType":"Medication","id":"c"}],"evidence":[{"detail":[{"reference":"Medication/m"},{"reference":"#c"}]}]}""",
            Observation("https://x/fhir/Patient/b/_history/1", "2020-01-02T10:00:00.123456789+01:00", "-1.5e2"),
        ];
        string lines = string.Join('\n', resources);
        byte[][] forms =
        [
            Encoding.UTF8.GetBytes(lines),
            Encoding.UTF8.GetBytes(Bundle(resources.Select((resource, i) => Entry($"urn:uuid:{i}a", resource)))),
            [.. TestFolder.Gzip(lines[..400]), .. TestFolder.Gzip(lines[400..])],
        ];
        for (int i = 0; i < times; i++)
        {
            byte[] bytes = ByteMutation.Of(random, forms[i % 3], Tokens, most: i % 3 == 2 ? 2 : 4);
            string file = _folder.Write(i % 2 == 0 ? "m" : "m.ndjson", bytes);
            await run.OneAsync(
                new Dictionary<string, byte[]>(StringComparer.Ordinal) { [Path.GetFileName(file)] = MutationRun.Unpacked(bytes) },
                () => FhirReader.Read(mapping, [file], Small, CancellationToken.None),
                (place, unpacked) =>
                {
                    Assert.InRange(place.Offset, 0, unpacked.Length);
                    Assert.Equal(1 + unpacked.AsSpan(0, (int)place.Offset).Count((byte)'\n'), place.Line);
                });
        }

        run.End();
    }
}
