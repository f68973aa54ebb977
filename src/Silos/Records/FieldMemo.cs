using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>
/// Remembers what the texts of one column mean, by their bytes: a record file has millions of fields and few distinct texts, so that nearly
/// every field is one look-up. At most 65,536 texts are kept.
/// </summary>
internal sealed class FieldMemo
{
    private const int MaxTexts = 1 << 16;
    private Slot[] _slots = new Slot[64];
    private byte[] _texts = new byte[256];
    private int _count, _textsLength;

    private struct Slot
    {
        public ulong Hash;
        public int Start;
        public int Length;
        public ReadValue Value;
        public bool Used;
    }

    /// <summary>Finds a text; a null reference when it is not remembered.</summary>
    public ref readonly ReadValue Find(ReadOnlySpan<byte> text, out ulong hash)
    {
        hash = HashOf(text);
        int mask = _slots.Length - 1;
        for (int at = (int)(hash >> 32) & mask; _slots[at].Used; at = (at + 1) & mask)
        {
            ref Slot slot = ref _slots[at];
            if (slot.Hash == hash && slot.Length == text.Length
                && (text.Length <= 8 || _texts.AsSpan(slot.Start, text.Length).SequenceEqual(text)))
            {
                return ref slot.Value;
            }
        }

        return ref Unsafe.NullRef<ReadValue>();
    }

    /// <summary>Remembers a text that was not found, unless there are too many.</summary>
    public void Add(ReadOnlySpan<byte> text, ulong hash, in ReadValue value)
    {
        if (_count >= MaxTexts)
        {
            return;
        }

        if (2 * ++_count > _slots.Length)
        {
            Slot[] old = _slots;
            _slots = new Slot[2 * old.Length];
            foreach (Slot slot in old)
            {
                if (slot.Used)
                {
                    Place(slot);
                }
            }
        }

        if (_textsLength + text.Length > _texts.Length)
        {
            Array.Resize(ref _texts, Math.Max(2 * _texts.Length, _textsLength + text.Length));
        }

        text.CopyTo(_texts.AsSpan(_textsLength));
        Place(new Slot { Hash = hash, Start = _textsLength, Length = text.Length, Value = value, Used = true });
        _textsLength += text.Length;
    }

    private void Place(Slot slot)
    {
        int mask = _slots.Length - 1;
        int at = (int)(slot.Hash >> 32) & mask;
        while (_slots[at].Used)
        {
            at = (at + 1) & mask;
        }

        _slots[at] = slot;
    }

    /// <summary>A hash that is one to one for texts of at most 8 bytes of one length, so that these need no comparison of texts.</summary>
    private static ulong HashOf(ReadOnlySpan<byte> text)
    {
        if (text.Length < 4)
        {
            return Mix(text.Length switch
            {
                0 => 0,
                1 => text[0],
                2 => text[0] | ((ulong)text[1] << 8),
                _ => text[0] | ((ulong)text[1] << 8) | ((ulong)text[2] << 16),
            });
        }

        if (text.Length <= 8)
        {
            // Two halves that overlap hold every byte; for one length they are one to one with the text.
            return Mix(BinaryPrimitives.ReadUInt32LittleEndian(text) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(text[^4..]) << 32));
        }

        ulong hash = (ulong)text.Length;
        for (ReadOnlySpan<byte> rest = text; rest.Length >= 8; rest = rest[8..])
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(rest));
        }

        return Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(text[^8..]));
    }

    /// <summary>
    /// An odd multiplication and a shift, both invertible (the finaliser of SplitMix64; Steele, Lea and Flood 2014,
    /// doi:10.1145/2660193.2660195).
    /// </summary>
    private static ulong Mix(ulong word)
    {
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9UL;
        word = (word ^ (word >> 27)) * 0x94D049BB133111EBUL;
        return word ^ (word >> 31);
    }
}
