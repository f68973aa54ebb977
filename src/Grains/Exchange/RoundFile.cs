using System.Buffers.Binary;
using System.Security.Cryptography;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Grains.Exchange;

/// <summary>An epoch that a round used.</summary>
/// <param name="Site">The site's number.</param>
/// <param name="Epoch">The epoch's number.</param>
/// <param name="DataHash">SHA-256 of its leaf file, as its header says.</param>
public readonly record struct EpochReference(uint Site, uint Epoch, Bytes32 DataHash);

/// <summary>A premium above zero.</summary>
/// <param name="Position">The class's position: (site - 1) * 2^classBits + class index.</param>
/// <param name="Leaf">Premium, support and rank.</param>
public readonly record struct PricedClass(uint Position, PriceLeaf Leaf);

/// <summary>All leaves of a round, in one file (docs/WIRE.md, "Exchanged files"): whoever has it can rebuild the round's four trees and
/// check them against the ledger.</summary>
public sealed record RoundFile
{
    private const string Magic = "EMRROUND";
    private const uint Version = 1;
    private const int MostEntries = 1 << 26;

    /// <summary>The schema.</summary>
    public required Bytes32 SchemaId { get; init; }

    /// <summary>The book's ordinal.</summary>
    public required uint Ordinal { get; init; }

    /// <summary>The attempt.</summary>
    public required uint Attempt { get; init; }

    /// <summary>Bits of a site's number less one.</summary>
    public required byte SiteBits { get; init; }

    /// <summary>Bits of a class's index.</summary>
    public required byte ClassBits { get; init; }

    /// <summary>Bits of a request's index.</summary>
    public required byte RequestBits { get; init; }

    /// <summary>keccak of the seed's reveal.</summary>
    public required Bytes32 SeedCommit { get; init; }

    /// <summary>The epochs used, by rising site.</summary>
    public required IReadOnlyList<EpochReference> Epochs { get; init; }

    /// <summary>The ids of the book's requests by index.</summary>
    public required IReadOnlyList<ulong> RequestIds { get; init; }

    /// <summary>The premiums above zero, by rising position.</summary>
    public required IReadOnlyList<PricedClass> Prices { get; init; }

    /// <summary>Surplus and dropping by index.</summary>
    public required IReadOnlyList<RequestLeaf> Requests { get; init; }

    /// <summary>The sales, by class, then request.</summary>
    public required IReadOnlyList<Sale> Sales { get; init; }

    /// <summary>What a file is named by: SHA-256 of its bytes, the <c>dataHash</c> of the header on the ledger.</summary>
    public static Bytes32 HashOf(ReadOnlySpan<byte> file) => new(SHA256.HashData(file));

    /// <summary>The position of a class.</summary>
    public uint Position(uint site, uint index) => ((site - 1) << ClassBits) | index;

    /// <summary>The same round in trees of more positions.</summary>
    /// <param name="siteBits">Bits of a site's number less one; no fewer than now are taken.</param>
    /// <param name="classBits">Bits of a class's index; no fewer than now are taken.</param>
    public RoundFile Widened(byte siteBits, byte classBits)
    {
        byte bits = Math.Max(ClassBits, classBits);
        return this with
        {
            SiteBits = Math.Max(SiteBits, siteBits),
            ClassBits = bits,
            Prices = [.. Prices.Select(
                price => new PricedClass(At(price.Position), price.Leaf with { SupportClass = At(price.Leaf.SupportClass) }))],
            Sales = [.. Sales.Select(sale => sale with { Class = At(sale.Class) })],
        };

        uint At(uint position) => ((position >> ClassBits) << bits) | (position & ((1u << ClassBits) - 1));
    }

    /// <summary>The round's trees and header.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="matching">The contract MatchingDecision.</param>
    /// <exception cref="ExchangeFileException">The leaves fit no trees of the stated depths.</exception>
    public RoundBatch Build(ulong chainId, Address matching)
    {
        RoundHeader shape = new(
            SchemaId, Ordinal, Attempt, SiteBits, ClassBits, RequestBits, 0, SeedCommit, HashOf(Write()), default, default,
            default, default);
        try
        {
            return RoundBatch.Build(
                chainId, matching, shape, Prices.ToDictionary(price => price.Position, price => price.Leaf), Requests, [.. Sales]);
        }
        catch (ArgumentException e)
        {
            throw new ExchangeFileException(
                "round-shape", $"the leaves of round {Ordinal}, attempt {Attempt}, fit no trees of the stated depths: {e.Message}");
        }
    }

    /// <summary>The file.</summary>
    public byte[] Write()
    {
        using MemoryStream content = new();
        using BinaryWriter writer = new(content);
        writer.Write(SchemaId.ToArray());
        writer.Write(Ordinal);
        writer.Write(Attempt);
        writer.Write(SiteBits);
        writer.Write(ClassBits);
        writer.Write(RequestBits);
        writer.Write(SeedCommit.ToArray());
        writer.Write(Epochs.Count);
        foreach (EpochReference epoch in Epochs)
        {
            writer.Write(epoch.Site);
            writer.Write(epoch.Epoch);
            writer.Write(epoch.DataHash.ToArray());
        }

        writer.Write(RequestIds.Count);
        foreach (ulong id in RequestIds)
        {
            writer.Write(id);
        }

        writer.Write(Prices.Count);
        foreach ((uint position, PriceLeaf leaf) in Prices)
        {
            writer.Write(position);
            Write(writer, leaf.Premium);
            writer.Write(leaf.SupportRequest);
            writer.Write(leaf.SupportClass);
            writer.Write(leaf.Rank);
        }

        writer.Write(Requests.Count);
        foreach (RequestLeaf leaf in Requests)
        {
            Write(writer, leaf.Surplus);
            writer.Write(leaf.Dropped);
        }

        writer.Write(Sales.Count);
        foreach (Sale sale in Sales)
        {
            writer.Write(sale.Class);
            writer.Write(sale.Request);
            writer.Write(sale.Quantity);
        }

        writer.Flush();
        return ExchangeFile.Frame(Magic, Version, content.GetBuffer().AsSpan(0, (int)content.Length));
    }

    /// <summary>Reads a file strictly: what <see cref="Write()"/> would not have written is refused.</summary>
    /// <exception cref="ExchangeFileException">The file is damaged, of a future version, or inconsistent.</exception>
    public static RoundFile Read(ReadOnlyMemory<byte> file)
    {
        using MemoryStream content = new(ExchangeFile.Open(file, Magic, Version).ToArray(), writable: false);
        using BinaryReader reader = new(content);
        RoundFile round;
        try
        {
            round = new RoundFile
            {
                SchemaId = ReadHash(reader),
                Ordinal = reader.ReadUInt32(),
                Attempt = reader.ReadUInt32(),
                SiteBits = reader.ReadByte(),
                ClassBits = reader.ReadByte(),
                RequestBits = reader.ReadByte(),
                SeedCommit = ReadHash(reader),
                Epochs = Many(reader, r => new EpochReference(r.ReadUInt32(), r.ReadUInt32(), ReadHash(r))),
                RequestIds = Many(reader, r => r.ReadUInt64()),
                Prices = Many(reader,
                    r => new PricedClass(r.ReadUInt32(), new PriceLeaf(ReadWide(r), r.ReadUInt32(), r.ReadUInt32(), r.ReadUInt32()))),
                Requests = Many(reader, r => new RequestLeaf(ReadWide(r), ReadFlag(r))),
                Sales = Many(reader, r => new Sale(r.ReadUInt32(), r.ReadUInt32(), r.ReadUInt32())),
            };
        }
        catch (EndOfStreamException)
        {
            throw new ExchangeFileException("round-shape", "the round file ends within a list");
        }

        round.Check(content.Length - content.Position);
        return round;
    }

    private void Check(long left)
    {
        string? fault = left != 0 ? $"{left} bytes follow the last list"
            : Requests.Count != RequestIds.Count ? $"{RequestIds.Count} requests have {Requests.Count} leaves"
            : SiteBits > 10 || ClassBits > 14 || RequestBits > 32 ? $"depths {SiteBits}, {ClassBits}, {RequestBits} exceed 10, 14, 32"
            : !Rises(Epochs, epoch => epoch.Site) ? "sites do not rise"
            : !Rises(Prices, price => price.Position) || Prices.Any(price => price.Leaf.Premium == 0)
            ? "premiums are not above zero by rising position"
            : !Rises(Sales, sale => ((ulong)sale.Class << 32) | sale.Request) || Sales.Any(sale => sale.Quantity == 0)
            ? "sales are not above zero by rising class and request"
            : Sales.Any(sale => sale.Request >= Requests.Count) ? "a sale is to a request that is not in the book"
            : null;
        if (fault is not null)
        {
            throw new ExchangeFileException("round-shape", $"the file of round {Ordinal}, attempt {Attempt}: {fault}");
        }
    }

    private static bool Rises<T>(IReadOnlyList<T> items, Func<T, ulong> key)
    {
        for (int i = 1; i < items.Count; i++)
        {
            if (key(items[i]) <= key(items[i - 1]))
            {
                return false;
            }
        }

        return true;
    }

    private static bool Rises<T>(IReadOnlyList<T> items, Func<T, uint> key) => Rises(items, item => (ulong)key(item));

    private static T[] Many<T>(BinaryReader reader, Func<BinaryReader, T> read)
    {
        int count = reader.ReadInt32();
        if (count is < 0 or > MostEntries || count > reader.BaseStream.Length - reader.BaseStream.Position)
        {
            throw new ExchangeFileException("round-shape", $"a list of {count} entries does not fit the file");
        }

        T[] items = new T[count];
        for (int i = 0; i < count; i++)
        {
            items[i] = read(reader);
        }

        return items;
    }

    private static Bytes32 ReadHash(BinaryReader reader) => reader.ReadBytes(Bytes32.Length) is { Length: Bytes32.Length } bytes
        ? new Bytes32(bytes) : throw new EndOfStreamException();

    private static bool ReadFlag(BinaryReader reader) => reader.ReadByte() switch
    {
        0 => false,
        1 => true,
        byte other => throw new ExchangeFileException("round-shape", $"a flag is 0 or 1, not {other}"),
    };

    private static UInt128 ReadWide(BinaryReader reader) =>
        reader.ReadBytes(16) is { Length: 16 } bytes ? BinaryPrimitives.ReadUInt128LittleEndian(bytes) : throw new EndOfStreamException();

    private static void Write(BinaryWriter writer, UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, value);
        writer.Write(bytes);
    }
}
