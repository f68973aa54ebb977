using System.Text;
using System.Text.Json;
using EmrMarket.Grains.Abstractions.Link;

namespace EmrMarket.Silos.Link;

/// <summary>The payloads of the link (docs/WIRE.md, "Link between site and market"): little-endian; bytes and texts (UTF-8) after their
/// length in 4 bytes.</summary>
internal static class LinkPayloads
{
    private const int HashBytes = 32;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static byte[] Write(MarketDescription description) => JsonSerializer.SerializeToUtf8Bytes(description);

    public static MarketDescription ReadDescription(byte[] payload) =>
        Read(payload, reader => JsonSerializer.Deserialize<MarketDescription>(reader.ReadBytes(payload.Length))!);

    public static byte[] Write(EpochPublication publication) => Write(writer =>
    {
        writer.Write(publication.Site);
        Bytes(writer, publication.LeafFile);
    });

    public static EpochPublication ReadEpoch(byte[] payload) =>
        Read(payload, reader => new EpochPublication { Site = reader.ReadUInt32(), LeafFile = Bytes(reader) });

    public static byte[] WriteOrdersAfter(uint site, long sequence) => Write(writer =>
    {
        writer.Write(site);
        writer.Write(sequence);
    });

    public static (uint Site, long Sequence) ReadOrdersAfter(byte[] payload) =>
        Read(payload, reader => (reader.ReadUInt32(), reader.ReadInt64()));

    public static byte[] WriteFileWanted(uint site, string sha256) => Write(writer =>
    {
        writer.Write(site);
        writer.Write(Convert.FromHexString(sha256));
    });

    public static (uint Site, string Sha256) ReadFileWanted(byte[] payload) =>
        Read(payload, reader => (reader.ReadUInt32(), Convert.ToHexStringLower(reader.ReadBytes(HashBytes))));

    public static byte[] WriteFile(byte[]? file) => Write(writer =>
    {
        writer.Write(file is not null);
        Bytes(writer, file ?? []);
    });

    public static byte[]? ReadFile(byte[] payload) => Read(payload, reader => reader.ReadBoolean() ? Bytes(reader) : NoFile(Bytes(reader)));

    public static byte[] Write(DeliveryOrder[] orders) => Write(writer =>
    {
        // Orders of one round carry one file: it is sent once.
        List<byte[]> rounds = [];
        int[] roundOf = Array.ConvertAll(orders, order =>
        {
            int known = rounds.FindIndex(round => round.AsSpan().SequenceEqual(order.RoundFile));
            if (known < 0)
            {
                rounds.Add(order.RoundFile);
                known = rounds.Count - 1;
            }

            return known;
        });
        writer.Write(rounds.Count);
        foreach (byte[] round in rounds)
        {
            Bytes(writer, round);
        }

        writer.Write(orders.Length);
        for (int i = 0; i < orders.Length; i++)
        {
            writer.Write(orders[i].Sequence);
            writer.Write(orders[i].RequestId);
            writer.Write(orders[i].Attempt);
            Bytes(writer, Strict.GetBytes(orders[i].TermsJson));
            writer.Write(roundOf[i]);
        }
    });

    public static DeliveryOrder[] ReadOrders(byte[] payload) => Read(payload, reader =>
    {
        byte[][] rounds = List(reader, Bytes);
        return List(reader, one => new DeliveryOrder
        {
            Sequence = one.ReadInt64(), RequestId = one.ReadUInt64(), Attempt = one.ReadUInt32(), TermsJson = Strict.GetString(Bytes(one)),
            RoundFile = rounds[one.ReadInt32()],
        });
    });

    public static byte[] Write(DeliveryMessage message) => Write(writer =>
    {
        writer.Write(message.Site);
        writer.Write(message.Sequence);
        Bytes(writer, message.DeliveryFile);
    });

    public static DeliveryMessage ReadDelivery(byte[] payload) =>
        Read(payload,
            reader => new DeliveryMessage { Site = reader.ReadUInt32(), Sequence = reader.ReadInt64(), DeliveryFile = Bytes(reader) });

    public static byte[] Write(DeliveryReceipt receipt) => Write(writer => Bytes(writer, receipt.Signature));

    public static DeliveryReceipt ReadReceipt(byte[] payload) => Read(payload, reader => new DeliveryReceipt { Signature = Bytes(reader) });

    public static byte[] Write(LinkRefusedException refusal) => Write(writer =>
    {
        Bytes(writer, Strict.GetBytes(refusal.Code));
        Bytes(writer, Strict.GetBytes(refusal.Message));
    });

    public static LinkRefusedException ReadRefusal(byte[] payload) =>
        Read(payload, reader => new LinkRefusedException(Strict.GetString(Bytes(reader)), Strict.GetString(Bytes(reader))));

    private static byte[]? NoFile(byte[] rest) => rest.Length == 0 ? null : throw new EndOfStreamException();

    private static byte[] Write(Action<BinaryWriter> write)
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        write(writer);
        writer.Flush();
        return stream.ToArray();
    }

    private static T Read<T>(byte[] payload, Func<BinaryReader, T> read)
    {
        using MemoryStream stream = new(payload);
        using BinaryReader reader = new(stream);
        try
        {
            T value = read(reader);
            return stream.Position == stream.Length
                ? value : throw new LinkProtocolException(400, "link-malformed", "the payload goes on after its content");
        }
        catch (Exception e) when (e is EndOfStreamException or DecoderFallbackException or IndexOutOfRangeException or JsonException)
        {
            throw new LinkProtocolException(400, "link-malformed", $"the payload is not of its kind ({e.GetType().Name})");
        }
    }

    private static void Bytes(BinaryWriter writer, byte[] bytes)
    {
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }

    private static byte[] Bytes(BinaryReader reader)
    {
        int length = reader.ReadInt32();

        // A length that the payload cannot hold is never believed.
        return length >= 0 && length <= reader.BaseStream.Length - reader.BaseStream.Position
            ? reader.ReadBytes(length) : throw new EndOfStreamException();
    }

    private static T[] List<T>(BinaryReader reader, Func<BinaryReader, T> read)
    {
        int count = reader.ReadInt32();
        if (count < 0 || count > reader.BaseStream.Length - reader.BaseStream.Position)
        {
            throw new EndOfStreamException();
        }

        T[] list = new T[count];
        for (int i = 0; i < count; i++)
        {
            list[i] = read(reader);
        }

        return list;
    }
}
