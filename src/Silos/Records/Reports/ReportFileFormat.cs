using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Exchange;

namespace EmrMarket.Silos.Records.Reports;

/// <summary>
/// The bytes of a report file (docs/WIRE.md, "Report files"): magic, version, header, pseudonyms, persons, columns, SHA-256 of all that.
/// Little-endian. A file that is cut short, altered, or of a later version is refused; a file appears under its name only when it is whole.
/// </summary>
public static class ReportFileFormat
{
    /// <summary>The version of the format.</summary>
    public const int Version = 1;

    /// <summary>The ending of report files.</summary>
    public const string Extension = ".emr-reports";

    private const int HashBytes = 32;
    private static ReadOnlySpan<byte> Magic => "EMRREPTS"u8;

    private static JsonSerializerOptions Options { get; } = new(SchemaJson.Options) { WriteIndented = false };

    /// <summary>Writes a report file; whatever was there stays whole until the new one is.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(ReportFile reports, string path)
    {
        ArgumentNullException.ThrowIfNull(reports);
        Write(reports.Schema, reports.Pseudonyms, reports.PersonIndex, reports.Columns.Select(
            c => (c, c.Rows.Length)), reports.Columns, path);
    }

    /// <summary>Draws and writes a hand-out, an attribute at a time; whatever was there stays whole until the new file is.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(PreparedReports reports, string path, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reports);
        Write(reports.Schema, reports.Pseudonyms, reports.PersonIndex, reports.Outline(), reports.Draw(cancellationToken), path);
    }

    private static void Write(
        Schema schema, byte[] pseudonyms, int[] persons, IEnumerable<(ReportFileColumn Column, int Reports)> outline,
        IEnumerable<ReportFileColumn> columns, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        string unfinished = path + ".part";
        try
        {
            using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.ReadWrite))
            {
                using (var hashing = new HashingWriter(stream))
                {
                    WriteHeader(schema, persons.Length, outline, hashing);
                    hashing.Write(pseudonyms);
                    hashing.Write(MemoryMarshal.AsBytes<int>(persons));
                    foreach (ReportFileColumn column in columns)
                    {
                        WriteColumn(column, persons.Length, hashing);
                    }

                    stream.Write(hashing.Hash());
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    /// <summary>Reads a report file.</summary>
    /// <exception cref="InputException">The file is no report file, is damaged, or is of a later version.</exception>
    public static ReportFile Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refuse(path, "unreadable-file", e.Message, "Check the path and its permissions.");
        }

        return Read(bytes, path);
    }

    /// <summary>Reads all report files of a folder, or the one file that is named; all of one schema.</summary>
    /// <exception cref="InputException">There is none, one is damaged, or they are of different schemas.</exception>
    public static IReadOnlyList<ReportFile> ReadAll(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string[] files = Directory.Exists(path)
            ? [.. Directory.EnumerateFiles(path, "*" + Extension).Order(StringComparer.Ordinal)]
            : [path];
        ReportFile[] reports = [.. files.Select(Read)];
        if (reports.Length == 0)
        {
            throw Refuse(path, "no-reports", $"the folder holds no file '*{Extension}'", "'./emr perturb' writes report files.");
        }

        int other = Array.FindIndex(reports, r => r.Schema.Id != reports[0].Schema.Id);
        return other < 0 ? reports : throw Refuse(
            files[other], "schema-mismatch", $"its schema {reports[other].Schema.Id} is not that of {files[0]}, {reports[0].Schema.Id}",
            "Estimate the files of one schema at a time.");
    }

    internal static ReportFile Read(byte[] bytes, string path)
    {
        var at = new Cursor(bytes, path);
        if (!at.Take(Magic.Length).SequenceEqual(Magic))
        {
            throw Refuse(path, "not-a-report-file", "it does not begin as a report file does", "'./emr perturb' writes report files.");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(at.Take(4));
        if (version != Version)
        {
            throw Refuse(
                path, "future-version", $"it is of format version {version}; this program reads version {Version}",
                "Use the program that wrote it, or a later one.");
        }

        int end = bytes.Length - HashBytes;
        if (end < at.Place || !SHA256.HashData(bytes.AsSpan(0, end)).AsSpan().SequenceEqual(bytes.AsSpan(end)))
        {
            throw Refuse(
                path, "damaged-reports", "its SHA-256 is not the one that it ends in: it was cut short or altered",
                "Copy the file again from the site that wrote it.");
        }

        Header header;
        Schema schema;
        try
        {
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(at.Take(4));
            header = JsonSerializer.Deserialize<Header>(at.Take(length), Options) ?? throw new JsonException("The header is null.");
            schema = Schema.Compile(header.Schema, path);
        }
        catch (JsonException e)
        {
            throw Refuse(
                path, "report-header", $"its header is no header of version {Version}: {e.Message}",
                "Ask the site that wrote it for a valid file.");
        }

        if (header.Records < 0 || schema.Id != header.SchemaId)
        {
            throw Refuse(
                path, "report-header", "its schema is not the one that its schemaId names, or its count is negative",
                "Ask the site that wrote it for a valid file.");
        }

        int records = header.Records;
        byte[] pseudonyms = at.Take((long)records * ReportFile.PseudonymBytes).ToArray();
        int[] persons = MemoryMarshal.Cast<byte, int>(at.Take(4L * records)).ToArray();
        CheckOrder(pseudonyms, persons, path);
        var columns = new List<ReportFileColumn>();
        foreach (HeaderColumn column in header.Columns)
        {
            columns.Add(ReadColumn(ref at, column, schema, records, path));
        }

        if (at.Place != end || columns.DistinctBy(c => (c.Attribute.Name, c.Grade)).Count() != columns.Count)
        {
            throw Refuse(
                path, "report-header", "its content is longer than its header says, or a column occurs twice",
                "Ask the site that wrote it for a valid file.");
        }

        return new ReportFile { Schema = schema, Pseudonyms = pseudonyms, PersonIndex = persons, Columns = columns };
    }

    private static void CheckOrder(byte[] pseudonyms, int[] persons, string path)
    {
        for (int i = 1; i < persons.Length; i++)
        {
            ReadOnlySpan<byte> previous = pseudonyms.AsSpan((i - 1) * ReportFile.PseudonymBytes, ReportFile.PseudonymBytes);
            if (previous.SequenceCompareTo(pseudonyms.AsSpan(i * ReportFile.PseudonymBytes, ReportFile.PseudonymBytes)) >= 0)
            {
                throw Refuse(path, "report-order", "its pseudonyms are not ascending", "Ask the site that wrote it for a valid file.");
            }
        }

        int seen = 0;
        foreach (int person in persons)
        {
            if (person < 0 || person > seen)
            {
                throw Refuse(
                    path, "report-order", "its persons are not numbered by first appearance",
                    "Ask the site that wrote it for a valid file.");
            }

            seen = Math.Max(seen, person + 1);
        }
    }

    private static void WriteHeader(
        Schema schema, int records, IEnumerable<(ReportFileColumn Column, int Reports)> outline, HashingWriter to)
    {
        var header = new Header
        {
            Schema = schema.Document,
            SchemaId = schema.Id,
            Records = records,
            Columns = [.. outline.Select(c => new HeaderColumn
            {
                Attribute = c.Column.Attribute.Name,
                Grade = c.Column.Grade,
                EpsilonMicro = c.Column.Channel.Epsilon.Micro,
                Mechanism = c.Column.Attribute.Mechanism,
                P = c.Column.Channel.P,
                Q = c.Column.Channel.Q,
                Form = FormOf(c.Column),
                Reports = c.Reports,
            })],
        };
        byte[] json = CanonicalJson.Write(JsonSerializer.SerializeToElement(header, Options));
        to.Write(Magic);
        to.Write((uint)Version);
        to.Write((uint)json.Length);
        to.Write(json);
    }

    private static void WriteColumn(ReportFileColumn column, int records, HashingWriter to)
    {
        byte[] members = new byte[(records + 7) / 8];
        foreach (int row in column.Rows)
        {
            members[row >> 3] |= (byte)(1 << (row & 7));
        }

        to.Write(members);
        var bytes = new ArrayBufferWriter<byte>();
        ReportColumnFormat.Write(column.Attribute, column.Channel, column.Reports, bytes);
        to.Write(bytes.WrittenSpan);
    }

    private static ReportForm FormOf(ReportFileColumn column) => ReportColumnFormat.FormOf(column.Channel, column.Reports);

    private static ReportFileColumn ReadColumn(ref Cursor at, HeaderColumn header, Schema schema, int records, string path)
    {
        int index = schema.IndexOf(header.Attribute);
        AttributeDefinition? attribute = index < 0 ? null : schema.Attributes[index];
        if (attribute is null || attribute.Mechanism != header.Mechanism || header.Grade > schema.Grades.Count
            || (attribute.Mechanism is null ? header.Grade != 0 : header.Grade < 1))
        {
            throw Refuse(
                path, "report-header", $"its column '{header.Attribute}' at grade {header.Grade} does not fit its schema",
                "Ask the site that wrote it for a valid file.");
        }

        Channel channel = ReportFileColumn.ChannelOf(schema, attribute, header.Grade);
        if (channel.Epsilon.Micro != header.EpsilonMicro || channel.P != header.P || channel.Q != header.Q)
        {
            throw Refuse(
                path, "other-channel",
                $"the reports of '{attribute.Name}' at grade {header.Grade} came through another channel than this program's",
                "Use the version of the program that wrote them.");
        }

        ReadOnlySpan<byte> members = at.Take((records + 7) / 8);
        var rows = new List<int>(Math.Clamp(header.Reports, 0, records));
        for (int row = 0; row < records; row++)
        {
            if ((members[row >> 3] >> (row & 7) & 1) != 0)
            {
                rows.Add(row);
            }
        }

        bool stray = records % 8 != 0 && members[^1] >> (records % 8) != 0;
        if (rows.Count != header.Reports || stray)
        {
            throw Refuse(
                path, "report-header", $"its column '{attribute.Name}' has another number of reports than its header says",
                "Ask the site that wrote it for a valid file.");
        }

        ReadOnlySpan<byte> bytes = at.Take((long)rows.Count * ReportColumnFormat.BytesPerReport(header.Form, attribute.Domain.Size));
        var column = new ReportFileColumn(
            attribute, header.Grade, [.. rows], ReportColumnFormat.Read(header.Form, attribute, rows.Count, bytes)) { Channel = channel };
        if (FormOf(column) != header.Form || !ReportColumnFormat.AreOutputs(attribute, channel, column.Reports))
        {
            throw Refuse(
                path, "report-values", $"its column '{attribute.Name}' holds what its channel cannot produce",
                "Ask the site that wrote it for a valid file.");
        }

        return column;
    }

    private static InputException Refuse(string path, string code, string message, string fix) =>
        new(new InputProblem(code, path, 0, "", message, fix));

    private sealed record Header
    {
        public required SchemaDocument Schema { get; init; }

        public required string SchemaId { get; init; }

        public required int Records { get; init; }

        public required IReadOnlyList<HeaderColumn> Columns { get; init; }
    }

    private sealed record HeaderColumn
    {
        public required string Attribute { get; init; }

        public required int Grade { get; init; }

        public required long EpsilonMicro { get; init; }

        public string? Mechanism { get; init; }

        [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
        public required double P { get; init; }

        [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
        public required double Q { get; init; }

        public required ReportForm Form { get; init; }

        public required int Reports { get; init; }
    }

    /// <summary>A place in the bytes of a file that never runs past their end.</summary>
    private ref struct Cursor(byte[] bytes, string path)
    {
        public int Place { get; private set; }

        public ReadOnlySpan<byte> Take(long count)
        {
            if (count < 0 || count > bytes.Length - Place)
            {
                throw Refuse(
                    path, "damaged-reports", "it ends before its content does", "Copy the file again from the site that wrote it.");
            }

            ReadOnlySpan<byte> taken = bytes.AsSpan(Place, (int)count);
            Place += (int)count;
            return taken;
        }
    }

    private sealed class HashingWriter(Stream stream) : IDisposable
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public void Write(ReadOnlySpan<byte> bytes)
        {
            _hash.AppendData(bytes);
            stream.Write(bytes);
        }

        public void Write(uint value)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
            Write(bytes);
        }

        public byte[] Hash() => _hash.GetHashAndReset();

        public void Dispose() => _hash.Dispose();
    }
}
