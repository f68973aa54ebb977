using System.Buffers.Binary;

namespace EmrMarket.Contracts.Ethereum.JsonRpc;

/// <summary>The filter that a receipt carries of its logs' contracts and topics: three bits of each one's hash (Yellow Paper, section
/// 4.3.1).</summary>
/// <remarks>Receipts of one block repeat their contracts, events and senders, so a hash is kept for as long as the filter is.</remarks>
internal sealed class LogBloom
{
    private const int Bytes = 256;
    private readonly byte[] _bits = new byte[Bytes];
    private readonly Dictionary<Address, (int, int, int)> _ofAddress = [];
    private readonly Dictionary<Bytes32, (int, int, int)> _ofTopic = [];

    public void Clear() => Array.Clear(_bits);

    public void Add(LogEntry log)
    {
        if (!_ofAddress.TryGetValue(log.Address, out (int, int, int) bits))
        {
            bits = _ofAddress[log.Address] = Hash(log.Address.ToArray());
        }

        Set(bits);
        foreach (Bytes32 topic in log.Topics)
        {
            if (!_ofTopic.TryGetValue(topic, out bits))
            {
                bits = _ofTopic[topic] = Hash(topic.ToArray());
            }

            Set(bits);
        }
    }

    /// <summary>True when these bytes are the filter of the logs added.</summary>
    public bool Matches(ReadOnlySpan<byte> bytes) => bytes.SequenceEqual(_bits);

    private static (int, int, int) Hash(ReadOnlySpan<byte> item)
    {
        Span<byte> hash = stackalloc byte[Bytes32.Length];
        Keccak256.Hash(item).CopyTo(hash);
        return (Bit(hash), Bit(hash[2..]), Bit(hash[4..]));

        static int Bit(ReadOnlySpan<byte> two) => BinaryPrimitives.ReadUInt16BigEndian(two) % (Bytes * 8);
    }

    private void Set((int First, int Second, int Third) bits)
    {
        Set(bits.First);
        Set(bits.Second);
        Set(bits.Third);
    }

    private void Set(int bit) => _bits[Bytes - 1 - (bit / 8)] |= (byte)(1 << (bit % 8));
}
