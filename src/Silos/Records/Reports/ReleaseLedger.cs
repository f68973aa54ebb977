using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records.Reports;

/// <summary>
/// What a site has released of each record so far: per attribute the highest grade. A file of the site's own (docs/WIRE.md, "Ledger of
/// releases"), by which caps hold across hand-outs: releasing a grade that is out already costs nothing, a higher one its difference. It
/// names records and persons by pseudonyms, and belongs to one schema and one site key.
/// </summary>
public sealed class ReleaseLedger
{
    /// <summary>The version of the format.</summary>
    public const int Version = 1;

    private const int HashBytes = 32;
    private const int NameBytes = 16;
    private readonly string _schemaId;
    private readonly byte[] _personKey;
    private readonly string[] _attributes;

    // Entries ascending by the record's pseudonym, so that they are met in the order in which records are released.
    private UInt128[] _records;
    private UInt128[] _persons;
    private byte[] _grades;

    private ReleaseLedger(Schema schema, ReadOnlySpan<byte> siteKey)
    {
        (_schemaId, _attributes, _records, _persons, _grades) = (schema.Id, [.. schema.Attributes.Select(a => a.Name)], [], [], []);
        _personKey = new byte[32];
        HKDF.DeriveKey(
            HashAlgorithmName.SHA256, siteKey, _personKey, salt: [], info: Encoding.UTF8.GetBytes("emrmarket ledger v1 " + schema.Id));
    }

    /// <summary>Number of records of which something is out.</summary>
    public int Count => _records.Length;

    private static ReadOnlySpan<byte> Magic => "EMRSPENT"u8;

    /// <summary>A ledger in which nothing has been released.</summary>
    public static ReleaseLedger Empty(Schema schema, ReadOnlySpan<byte> siteKey)
    {
        ArgumentNullException.ThrowIfNull(schema);
        return new ReleaseLedger(schema, siteKey);
    }

    /// <summary>Reads a ledger; a file that does not exist is an empty one.</summary>
    /// <exception cref="InputException">The file is no ledger, damaged, of a later version, or of another schema or site key.</exception>
    public static ReleaseLedger Read(string path, Schema schema, ReadOnlySpan<byte> siteKey)
    {
        ReleaseLedger ledger = Empty(schema, siteKey);
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (FileNotFoundException)
        {
            return ledger;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refuse(path, "unreadable-file", e.Message, "Check the path and its permissions.");
        }

        ledger.Parse(bytes, path);
        return ledger;
    }

    /// <summary>Writes the ledger; whatever was there stays whole until the new one is. Only its owner may read it.</summary>
    public void Write(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] header = JsonSerializer.SerializeToUtf8Bytes(
            new Header(_schemaId, Convert.ToHexStringLower(KeyMark()), _attributes, Count), JsonSerializerOptions.Web);
        byte[] bytes = new byte[Magic.Length + 8 + header.Length + (Count * (2 * NameBytes)) + _grades.Length + HashBytes];
        Magic.CopyTo(bytes);
        int at = Magic.Length;
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at + 4), header.Length);
        header.CopyTo(bytes, at += 8);
        at += header.Length;
        foreach (UInt128 name in _records.Concat(_persons))
        {
            BinaryPrimitives.WriteUInt128BigEndian(bytes.AsSpan(at), name);
            at += NameBytes;
        }

        _grades.CopyTo(bytes, at);
        SHA256.HashData(bytes.AsSpan(0, bytes.Length - HashBytes), bytes.AsSpan(bytes.Length - HashBytes));

        string unfinished = path + ".part";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using (var stream = new FileStream(unfinished, options))
            {
                stream.Write(bytes);
                stream.Flush(flushToDisk: true);
            }

            File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    /// <summary>The pseudonyms of persons in this ledger: AES-256, a permutation, of their keys.</summary>
    internal UInt128[] PersonNames(ulong[] personKeys)
    {
        using var aes = Aes.Create();
        aes.Key = _personKey;
        byte[] blocks = new byte[personKeys.Length * NameBytes];
        for (int i = 0; i < personKeys.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(blocks.AsSpan(i * NameBytes), personKeys[i]);
        }

        byte[] names = aes.EncryptEcb(blocks, PaddingMode.None);
        var persons = new UInt128[personKeys.Length];
        for (int i = 0; i < persons.Length; i++)
        {
            persons[i] = BinaryPrimitives.ReadUInt128BigEndian(names.AsSpan(i * NameBytes));
        }

        return persons;
    }

    /// <summary>The grades of a record, one per attribute in schema order; 0 for what is not out. Empty when nothing is.</summary>
    internal ReadOnlySpan<byte> GradesOf(UInt128 record)
    {
        int at = Array.BinarySearch(_records, record);
        return at < 0 ? [] : Row(at);
    }

    /// <summary>All entries: the person and the grades of each record.</summary>
    internal (UInt128 Person, ReadOnlyMemory<byte> Grades) Entry(int index) =>
        (_persons[index], _grades.AsMemory(index * _attributes.Length, _attributes.Length));

    /// <summary>Raises the grades of records, given ascending by pseudonym, to at least these.</summary>
    /// <param name="records">The records' pseudonyms, ascending.</param>
    /// <param name="persons">Their persons' names.</param>
    /// <param name="grades">One grade per attribute of each.</param>
    internal void Raise(UInt128[] records, UInt128[] persons, byte[] grades)
    {
        int width = _attributes.Length, left = 0, right = 0, count = 0;
        var mergedRecords = new UInt128[_records.Length + records.Length];
        var mergedPersons = new UInt128[mergedRecords.Length];
        byte[] mergedGrades = new byte[mergedRecords.Length * width];
        for (; left < _records.Length || right < records.Length; count++)
        {
            bool old = right == records.Length || (left < _records.Length && _records[left] <= records[right]);
            bool raised = left == _records.Length || (right < records.Length && records[right] <= _records[left]);
            Span<byte> row = mergedGrades.AsSpan(count * width, width);
            (mergedRecords[count], mergedPersons[count]) = old ? (_records[left], _persons[left]) : (records[right], persons[right]);
            if (old)
            {
                Row(left++).CopyTo(row);
            }

            for (int a = 0; raised && a < width; a++)
            {
                row[a] = Math.Max(row[a], grades[(right * width) + a]);
            }

            right += raised ? 1 : 0;
        }

        (_records, _persons, _grades) = (mergedRecords[..count], mergedPersons[..count], mergedGrades[..(count * width)]);
    }

    private ReadOnlySpan<byte> Row(int index) => _grades.AsSpan(index * _attributes.Length, _attributes.Length);

    // Tells a ledger of another key from this one's; a key derived for this alone.
    private byte[] KeyMark() => HMACSHA256.HashData(_personKey, "key mark"u8)[..8];

    private void Parse(byte[] bytes, string path)
    {
        if (bytes.Length < Magic.Length + 8 + HashBytes || !bytes.AsSpan(0, Magic.Length).SequenceEqual(Magic))
        {
            throw Refuse(
                path, "not-a-ledger", "it does not begin as a ledger of releases does", "'./emr perturb' writes it; name another file.");
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(Magic.Length));
        if (version != Version)
        {
            throw Refuse(
                path, "future-version", $"it is of format version {version}; this program reads version {Version}",
                "Use the program that wrote it, or a later one.");
        }

        int end = bytes.Length - HashBytes;
        if (!SHA256.HashData(bytes.AsSpan(0, end)).AsSpan().SequenceEqual(bytes.AsSpan(end)))
        {
            throw Refuse(
                path, "damaged-ledger", "its SHA-256 is not the one that it ends in: it was cut short or altered",
                "Restore the last good copy.");
        }

        int at = Magic.Length + 8, length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(Magic.Length + 4));
        Header? header = length < 0 || length > end - at
            ? null
            : JsonSerializer.Deserialize<Header>(bytes.AsSpan(at, length), JsonSerializerOptions.Web);
        if (header is null || header.Records < 0 || end - at - length != header.Records * ((2L * NameBytes) + header.Attributes.Length))
        {
            throw Refuse(path, "damaged-ledger", "its content is not as long as its header says", "Restore the last good copy.");
        }

        if (header.SchemaId != _schemaId || !header.Attributes.SequenceEqual(_attributes))
        {
            throw Refuse(
                path, "schema-mismatch", $"it is of schema {header.SchemaId}, not {_schemaId}",
                "Keep a ledger for each schema. What was released under another schema adds to a person's loss and is not counted here.");
        }

        if (header.KeyMark != Convert.ToHexStringLower(KeyMark()))
        {
            throw Refuse(
                path, "other-site-key", "it was written under another site key",
                "Use that key: reports drawn under two keys are independent, so that their losses add.");
        }

        at += length;
        (_records, _persons) = (Names(bytes, ref at, header.Records), Names(bytes, ref at, header.Records));
        _grades = bytes[at..end];
    }

    private static UInt128[] Names(byte[] bytes, ref int at, int count)
    {
        var names = new UInt128[count];
        for (int i = 0; i < count; i++, at += NameBytes)
        {
            names[i] = BinaryPrimitives.ReadUInt128BigEndian(bytes.AsSpan(at));
        }

        return names;
    }

    private static InputException Refuse(string path, string code, string message, string fix) =>
        new(new InputProblem(code, path, 0, "", message, fix));

    private sealed record Header(string SchemaId, string KeyMark, string[] Attributes, int Records);
}
