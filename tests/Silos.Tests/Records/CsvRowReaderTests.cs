using System.Text;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Tests.Records;

public sealed class CsvRowReaderTests
{
    private static List<string[]> Read(string text, int chunk = int.MaxValue) => Read(Encoding.UTF8.GetBytes(text), chunk);

    private static List<string[]> Read(byte[] bytes, int chunk = int.MaxValue)
    {
        using var reader = new CsvRowReader(new ChunkStream(bytes, chunk), "f.csv");
        var rows = new List<string[]>();
        while (reader.ReadRow())
        {
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(reader.Text)]);
        }

        Assert.False(reader.ReadRow());
        return rows;
    }

    [Theory]
    [InlineData("a,b\n1,2\n", "a|b/1|2")]
    [InlineData("a,b\r\n1,2\r\n", "a|b/1|2")]
    [InlineData("a,b\n1,2", "a|b/1|2")]
    [InlineData("a,b\n,\n", "a|b/|")]
    [InlineData("\uFEFFa,b\n1,2", "a|b/1|2")]
    [InlineData("a,b\n\"1,5\",\"say \"\"hi\"\"\"\n", "a|b/1,5|say \"hi\"")]
    [InlineData("a,b\r\n\"line\none\",2\r\n3,4", "a|b/line\none|2/3|4")]
    [InlineData("a\n\"\"\n", "a/")]
    [InlineData("a,b\n\"x\",\"\"\r\n", "a|b/x|")]
    public void Rows_are_split_as_RFC_4180_says(string text, string expected)
    {
        foreach (int chunk in new[] { int.MaxValue, 1, 3 })
        {
            Assert.Equal(expected, string.Join('/', Read(text, chunk).Select(r => string.Join('|', r))));
        }
    }

    [Theory]
    [InlineData("a,b\n1,\"2\n")]
    [InlineData("a,b\n1,\"2\"x\n")]
    [InlineData("a,b\n1,2\"3\n")]
    public void Broken_quotes_are_refused_with_their_line(string text)
    {
        InputProblem problem = Assert.Throws<InputException>(() => Read(text)).Problems[0];
        Assert.Equal(("malformed-csv", 2), (problem.Code, problem.Line));
    }

    [Fact]
    public void Encodings_are_told_by_their_mark_and_others_refused()
    {
        Assert.Equal(["a", "é"], Read([.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("a,é\n")]).Single());
        Assert.Equal("encoding", Assert.Throws<InputException>(() => Read([0x61, 0x0A, 0xE9, 0x0A])).Problems[0].Code);
    }

    [Fact]
    public void Random_files_are_split_as_they_were_put_together()
    {
        var random = new Random(20_261_121);
        for (int file = 0; file < 300; file++)
        {
            int columns = random.Next(2, 70);
            string newLine = random.Next(2) == 0 ? "\n" : "\r\n";
            string[][] rows =
                [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => Enumerable.Range(0, columns).Select(_ => Field(random)).ToArray())];
            string text = string.Concat(rows.Select(r => string.Join(',', r.Select(f => Quote(f, random))) + newLine));
            Assert.Equal(rows, Read(text, random.Next(1, 5000)));
        }
    }

    [Fact]
    public void Line_numbers_count_the_lines_inside_quotes()
    {
        using var reader = new CsvRowReader(new MemoryStream(Encoding.UTF8.GetBytes("a\n\"x\ny\"\nb\n")), "f");
        var lines = new List<long>();
        while (reader.ReadRow())
        {
            lines.Add(reader.Line);
        }

        Assert.Equal([1, 2, 4], lines);
    }

    private static string Field(Random random)
    {
        const string Alphabet = "abc 012.-é漢,\"\n\r";
        return string.Concat(
            Enumerable.Range(0, random.Next(12)).Select(_ => Alphabet[random.Next(random.Next(8) == 0 ? Alphabet.Length : 11)]));
    }

    private static string Quote(string field, Random random) =>
        field.AsSpan().ContainsAny(",\"\r\n") || random.Next(10) == 0 ? "\"" + field.Replace("\"", "\"\"") + "\"" : field;

    /// <summary>Gives at most a few bytes per read, as networks and decompressors do.</summary>
    private sealed class ChunkStream(byte[] bytes, int chunk) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(chunk, count));
    }
}
