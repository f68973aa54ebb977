using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Exchange;

namespace EmrMarket.Grains.Site.Epochs;

/// <summary>
/// Where pseudonyms stood last in a site's final epochs, and at which published grades. Whoever was left out of the newest epoch stood in
/// an earlier one all the same, and their next leaf has to point there: the contract voids an epoch whose members leave out their past
/// (<c>challengeHistory</c>).
/// </summary>
internal sealed class EpochPast
{
    private const byte Version = 1;

    private readonly Dictionary<Bytes32, Place> _places = [];

    /// <summary>A pseudonym's place in an epoch.</summary>
    /// <param name="Epoch">The epoch.</param>
    /// <param name="Position">The member's position in it.</param>
    /// <param name="HighWater">The grades that its class published as released.</param>
    public readonly record struct Place(uint Epoch, uint Position, AttributeGrades HighWater);

    /// <summary>A past of one epoch alone.</summary>
    public static EpochPast Of(EpochFile epoch)
    {
        EpochPast past = new();
        past.AddEarlier(epoch);
        return past;
    }

    /// <summary>Adds an epoch before all that were added: whoever has a place keeps it.</summary>
    public void AddEarlier(EpochFile epoch)
    {
        AttributeGrades[] highWater = [.. epoch.Classes.Select(leaf => leaf.HighWater.ToGrades())];
        for (int position = 0; position < epoch.Members.Length; position++)
        {
            MemberLeaf member = epoch.Members[position];
            _places.TryAdd(member.Pseudonym, new Place(epoch.Epoch, (uint)position, highWater[member.LocalClass]));
        }
    }

    /// <summary>Adds what <see cref="WriteAbsent"/> wrote, before all that were added.</summary>
    /// <exception cref="InvalidDataException">The bytes are of a later program.</exception>
    public void AddEarlier(byte[] absent)
    {
        using BinaryReader reader = new(new MemoryStream(absent));
        byte version = reader.ReadByte();
        if (version != Version)
        {
            throw new InvalidDataException(
                $"a file of places in earlier epochs has version {version}, and this program reads version {Version}: a later program "
                    + "wrote it. Use that one");
        }

        for (int count = reader.ReadInt32(); count > 0; count--)
        {
            _places.TryAdd(
                new Bytes32(reader.ReadBytes(Bytes32.Length)),
                new Place(reader.ReadUInt32(), reader.ReadUInt32(), new AttributeGrades(
                    new UInt128(reader.ReadUInt64(), reader.ReadUInt64()), new UInt128(reader.ReadUInt64(), reader.ReadUInt64()))));
        }
    }

    /// <summary>The places of those who are in none of an epoch's: with the epoch's own members they are its whole past, so that the next
    /// epoch has to read no earlier one (docs/DATA_MODEL.md, "What a site keeps").</summary>
    public byte[] WriteAbsent(EpochFile epoch)
    {
        HashSet<Bytes32> members = [.. epoch.Members.Select(member => member.Pseudonym)];
        KeyValuePair<Bytes32, Place>[] absent = [.. _places.Where(place => !members.Contains(place.Key)).OrderBy(place => place.Key)];
        using MemoryStream bytes = new();
        using BinaryWriter writer = new(bytes);
        writer.Write(Version);
        writer.Write(absent.Length);
        foreach ((Bytes32 pseudonym, Place place) in absent)
        {
            writer.Write(pseudonym.ToArray());
            writer.Write(place.Epoch);
            writer.Write(place.Position);
            foreach (UInt128 grades in (UInt128[])[place.HighWater.High, place.HighWater.Low])
            {
                writer.Write((ulong)(grades >> 64));
                writer.Write((ulong)grades);
            }
        }

        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>The place of a pseudonym; null for one that was never published.</summary>
    public Place? Find(Bytes32 pseudonym) => _places.TryGetValue(pseudonym, out Place place) ? place : null;
}
