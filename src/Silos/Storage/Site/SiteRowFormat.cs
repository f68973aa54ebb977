using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Silos.Storage.Site;

/// <summary>
/// The content of a site's rows before it is sealed (docs/DATA_MODEL.md, "What a site keeps"): a version byte, then texts (UTF-8 after
/// their length) and columns (their number of entries, then the entries), little-endian. What is small and has names is JSON.
/// </summary>
internal static class SiteRowFormat
{
    private const byte Version = 1;

    public static byte[] Write(LoadRecords batch) => Write(writer =>
    {
        writer.Write(batch.Id);
        writer.Write(batch.SchemaJson);
        Column<ulong>(writer, batch.RecordKeys);
        Column<ulong>(writer, batch.PersonKeys);
        writer.Write(batch.Codes.Length);
        foreach (ushort[] codes in batch.Codes)
        {
            Column<ushort>(writer, codes);
        }

        writer.Write(batch.Fractions.Length);
        foreach (uint[] fractions in batch.Fractions)
        {
            Column<uint>(writer, fractions);
        }
    });

    public static byte[] Write(ulong[] persons) => Write(writer => Column<ulong>(writer, persons));

    public static ulong[] ReadPersons(byte[] content) => Read(content, Column<ulong>);

    public static LoadRecords ReadRecords(byte[] content) => Read(content, reader => new LoadRecords
    {
        Id = reader.ReadString(),
        SchemaJson = reader.ReadString(),
        RecordKeys = Column<ulong>(reader),
        PersonKeys = Column<ulong>(reader),
        Codes = Columns<ushort>(reader),
        Fractions = Columns<uint>(reader),
    });

    public static byte[] Write(SetPolicies policies) => Write(writer =>
    {
        writer.Write(policies.SchemaId);
        Column<ulong>(writer, policies.PersonKeys);
        Column<byte>(writer, policies.Profiles);
        Column<byte>(writer, policies.Rates);
        Column<ushort>(writer, policies.Quotas);
        Column<byte>(writer, policies.Purposes);
        Column<long>(writer, policies.ExpirySeconds);
        Column<byte>(writer, Array.ConvertAll(policies.Participation, one => (byte)one));
    });

    public static SetPolicies ReadPolicies(byte[] content) => Read(content, reader => new SetPolicies
    {
        SchemaId = reader.ReadString(),
        PersonKeys = Column<ulong>(reader),
        Profiles = Column<byte>(reader),
        Rates = Column<byte>(reader),
        Quotas = Column<ushort>(reader),
        Purposes = Column<byte>(reader),
        ExpirySeconds = Column<long>(reader),
        Participation = Array.ConvertAll(Column<byte>(reader), one => (Participation)one),
    });

    public static byte[] Write(SiteOrderRow row) => Write(writer =>
    {
        writer.Write(JsonSerializer.Serialize(row with { RecordKeys = [], Attributes = [], Grades = [] }));
        Column<ulong>(writer, row.RecordKeys);
        Column<int>(writer, row.Attributes);
        Column<byte>(writer, row.Grades);
    });

    public static SiteOrderRow ReadOrder(byte[] content) =>
        Read(content, reader => JsonSerializer.Deserialize<SiteOrderRow>(reader.ReadString())! with
    {
        RecordKeys = Column<ulong>(reader),
        Attributes = Column<int>(reader),
        Grades = Column<byte>(reader),
    });

    public static byte[] Write(SiteEpochRow row) => Write(writer => writer.Write(JsonSerializer.Serialize(row)));

    public static SiteEpochRow ReadEpoch(byte[] content) =>
        Read(content, reader => JsonSerializer.Deserialize<SiteEpochRow>(reader.ReadString())!);

    public static byte[] Write(SiteAccountRow row) => Write(writer =>
    {
        writer.Write(row.PersonKey);
        Column<byte>(writer, row.PublicKey);
        Column<byte>(writer, row.ChainCode);
    });

    public static SiteAccountRow ReadAccount(byte[] content) => Read(content, reader => new SiteAccountRow
    {
        PersonKey = reader.ReadUInt64(),
        PublicKey = Column<byte>(reader),
        ChainCode = Column<byte>(reader),
    });

    public static byte[] Write(SiteRevocationRow row) => Write(writer =>
    {
        writer.Write(row.SchemaId);
        writer.Write(row.Pseudonym);
        Column<byte>(writer, row.Signature);
    });

    public static SiteRevocationRow ReadRevocation(byte[] content) => Read(content, reader => new SiteRevocationRow
    {
        SchemaId = reader.ReadString(),
        Pseudonym = reader.ReadString(),
        Signature = Column<byte>(reader),
    });

    private static byte[] Write(Action<BinaryWriter> write)
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream, Encoding.UTF8);
        writer.Write(Version);
        write(writer);
        writer.Flush();
        return stream.ToArray();
    }

    private static T Read<T>(byte[] content, Func<BinaryReader, T> read)
    {
        using MemoryStream stream = new(content);
        using BinaryReader reader = new(stream, Encoding.UTF8);
        byte version = reader.ReadByte();
        return version == Version ? read(reader)
            : throw new SealException(
                $"a row of the site's database has version {version}, and this program reads version {Version}: it was written by a "
                    + "later one. Use that one");
    }

    private static void Column<T>(BinaryWriter writer, ReadOnlySpan<T> column)
        where T : unmanaged
    {
        writer.Write(column.Length);
        writer.Write(MemoryMarshal.AsBytes(column));
    }

    private static T[] Column<T>(BinaryReader reader)
        where T : unmanaged
    {
        T[] column = new T[reader.ReadInt32()];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(column.AsSpan()));
        return column;
    }

    private static T[][] Columns<T>(BinaryReader reader)
        where T : unmanaged
    {
        T[][] columns = new T[reader.ReadInt32()][];
        for (int i = 0; i < columns.Length; i++)
        {
            columns[i] = Column<T>(reader);
        }

        return columns;
    }
}
