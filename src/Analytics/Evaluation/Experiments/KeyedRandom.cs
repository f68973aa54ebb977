using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>
/// Choices that an experiment makes by itself (which records, which person is strict), as a function of a key: AES-256 in counter mode.
/// </summary>
internal sealed class KeyedRandom : IDisposable
{
    private readonly Aes _aes;
    private readonly byte[] _buffer = new byte[4096];
    private int _used = 4096;
    private ulong _counter;

    /// <summary>A stream of choices.</summary>
    /// <param name="key">32 bytes.</param>
    public KeyedRandom(byte[] key)
    {
        _aes = Aes.Create();
        _aes.Key = key;
    }

    /// <summary>A uniform integer in 0..bound-1, without bias (rejection).</summary>
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        uint limit = uint.MaxValue - (uint)((1UL << 32) % (uint)bound);
        uint word;
        do
        {
            word = Next();
        }
        while (word > limit);

        return (int)(word % (uint)bound);
    }

    /// <summary>A uniform number in [0, 1) with 32 bits.</summary>
    public double Unit() => Next() / 4294967296.0;

    /// <summary>
    /// <paramref name="count"/> of the indexes 0..total-1, each set equally likely, in increasing order (Floyd's algorithm).
    /// </summary>
    public int[] Sample(int total, int count)
    {
        var chosen = new HashSet<int>(count);
        for (int last = total - count; last < total; last++)
        {
            int candidate = Below(last + 1);
            if (!chosen.Add(candidate))
            {
                chosen.Add(last);
            }
        }

        int[] sorted = [.. chosen];
        Array.Sort(sorted);
        return sorted;
    }

    /// <inheritdoc/>
    public void Dispose() => _aes.Dispose();

    private uint Next()
    {
        if (_used == _buffer.Length)
        {
            Span<byte> counters = _buffer;
            for (int block = 0; block < _buffer.Length; block += 16)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(counters[block..], _counter++);
                BinaryPrimitives.WriteUInt64LittleEndian(counters[(block + 8)..], 0);
            }

            _aes.EncryptEcb(_buffer, _buffer, PaddingMode.None);
            _used = 0;
        }

        uint word = BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(_used));
        _used += 4;
        return word;
    }
}
