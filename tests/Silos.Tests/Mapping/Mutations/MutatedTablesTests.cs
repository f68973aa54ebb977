using System.Text;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Omop;
using EmrMarket.Silos.Tests.Records;

namespace EmrMarket.Silos.Tests.Mapping.Mutations;

/// <summary>Mutated tables of OMOP are read or refused, within bounds, with places, and without telling a value.</summary>
public sealed class MutatedTablesTests : IDisposable
{
    private static readonly Dictionary<string, string> Tables = new(StringComparer.Ordinal)
    {
        ["person.csv"] =
            "person_id,gender_concept_id,year_of_birth,person_source_value\n739184,8507,1970,qzjxqzjx\n846257,8532,1980,\"qzjx\"\"q,zjx\"\n",
        ["visit_occurrence.csv"] =
            "visit_occurrence_id,person_id,visit_concept_id,visit_start_date\n10,739184,9201,2020-01-02\n20,846257,9202,2020-03-04\n",
        ["condition_occurrence.csv"] =
            "person_id,condition_concept_id,condition_start_date,visit_occurrence_id\n739184,201826,2020-01-02,10\n846257,0,2020-03-04,\n",
    };

    private static readonly byte[][] Tokens = [.. ((string[])
    [
        "\"", "\"\"", ",", "\t", "\r", "\n\n", "\0", "\u00A0", "-", "9223372036854775808", "2020-13-01", "1e400", ",,,,", "\uFEFF",
        "\u2028", "1.0", "739184", "10\n",
    ]).Select(Encoding.UTF8.GetBytes)];

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public Task Mutated_tables_are_read_or_refused() => MutateAsync(2_500);

    [Fact]
    [Trait("Duration", "Long")]
    public Task Mutated_tables_are_read_or_refused_a_hundred_thousand_times() => MutateAsync(100_000);

    private async Task MutateAsync(int times)
    {
        Random random = new(7);
        RecordMapping mapping = RecordMapping.Parse(OmopReaderTests.Small, "small.json");
        MappingLimits limits = new() { Units = 1000, FreeUnpackedBytes = 1 << 20, UnpackRatio = 50 };
        MutationRun run = new("qzjx", "zjxq", "jxqz", "xqzj", "73918", "39184", "84625", "46257");
        Dictionary<string, byte[]> folder = new(StringComparer.Ordinal);
        foreach ((string name, string text) in Tables)
        {
            folder[name] = Encoding.UTF8.GetBytes(text);
            _folder.Write(name, text);
        }

        for (int i = 0; i < times; i++)
        {
            string name = Tables.Keys.ElementAt(random.Next(Tables.Count));
            byte[] whole = folder[name];
            byte[] form = (i % 3) switch
            {
                0 => whole,
                1 => [.. whole.Select(b => b == (byte)',' ? (byte)'\t' : b)],
                _ => TestFolder.Gzip(Tables[name]),
            };

            // A packed table seldom survives: half of them are packed after the mutation.
            byte[] bytes = i % 6 == 5 ? TestFolder.Gzip(ByteMutation.Of(random, whole, Tokens, most: 3))
                : ByteMutation.Of(random, form, Tokens, most: i % 3 == 2 ? 1 : 3);
            _folder.Write(name, bytes);
            folder[name] = MutationRun.Unpacked(bytes);
            await run.OneAsync(folder, () => OmopReader.Read(mapping, _folder.Path, limits, CancellationToken.None), (place, table) =>
                Assert.InRange(place.Line, 2, MutationRun.Lines(table)));
            _folder.Write(name, whole);
            folder[name] = whole;
        }

        run.End();
    }
}
