using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace EmrMarket.Contracts.Ethereum.Abi;

/// <summary>Decodes what contracts return and log. Strict: padding must be zero (or the sign), lengths and offsets must stay inside the
/// data.</summary>
/// <remarks>No word is read more often than an honest encoding needs: data whose offsets point many arrays at the same bytes, which would
/// grow exponentially, runs out of its budget of words instead.</remarks>
internal ref struct AbiDecoder
{
    private const int Word = AbiEncoder.Word;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly ReadOnlySpan<byte> _data;
    private int _wordsLeft;

    private AbiDecoder(ReadOnlySpan<byte> data)
    {
        _data = data;
        _wordsLeft = data.Length / Word;
    }

    /// <summary>The components' values in the .NET forms of <see cref="AbiType"/>; bytes behind them are ignored, as Solidity
    /// does.</summary>
    /// <exception cref="AbiException">The data does not hold such a tuple.</exception>
    public static object[] Decode(AbiTuple tuple, ReadOnlySpan<byte> data)
    {
        AbiDecoder decoder = new(data);
        return decoder.ReadBody(tuple.Components, 0);
    }

    /// <summary>One value of a type that fits a word.</summary>
    public static object DecodeWord(AbiType type, Bytes32 word)
    {
        Span<byte> bytes = stackalloc byte[Word];
        word.CopyTo(bytes);
        return ReadWord(type, bytes, 0);
    }

    private object[] ReadBody(ReadOnlySpan<AbiType> components, int start)
    {
        object[] values = new object[components.Length];
        int head = start;
        for (int i = 0; i < components.Length; i++)
        {
            values[i] = ReadItem(components[i], start, ref head);
        }

        return values;
    }

    private object ReadItem(AbiType type, int start, ref int head)
    {
        if (!type.IsDynamic)
        {
            object value = Read(type, head);
            head += type.HeadWords * Word;
            return value;
        }

        int offset = ReadLength(type, head, "offset");
        head += Word;
        return offset <= _data.Length - start
            ? Read(type, start + offset)
            : throw new AbiException(
                type, start, string.Create(CultureInfo.InvariantCulture, $"its offset {offset} points outside the {_data.Length} bytes"));
    }

    private object Read(AbiType type, int at)
    {
        switch (type)
        {
            case AbiTuple tuple:
                return ReadBody(tuple.Components, at);
            case AbiArray array:
                return ReadArray(array, at);
            case AbiBytes or AbiString:
                ReadOnlySpan<byte> bytes = ReadBytes(type, at);
                try
                {
                    return type is AbiBytes ? bytes.ToArray() : StrictUtf8.GetString(bytes);
                }
                catch (DecoderFallbackException)
                {
                    throw new AbiException(type, at, "the bytes are not UTF-8");
                }

            default:
                return ReadWord(type, Take(type, at), at);
        }
    }

    private object[] ReadArray(AbiArray array, int at)
    {
        int count = array.Length ?? ReadLength(array, at, "length");
        int start = array.Length is null ? at + Word : at;
        if ((long)count * array.Element.HeadWords > (_data.Length - start) / Word)
        {
            throw new AbiException(array, at,
                string.Create(CultureInfo.InvariantCulture, $"{count} elements do not fit the {_data.Length} bytes"));
        }

        object[] values = new object[count];
        int head = start;
        for (int i = 0; i < count; i++)
        {
            values[i] = ReadItem(array.Element, start, ref head);
        }

        return values;
    }

    private ReadOnlySpan<byte> ReadBytes(AbiType type, int at)
    {
        int length = ReadLength(type, at, "length");
        int words = (int)(((long)length + Word - 1) / Word);
        if (words > (_data.Length - at - Word) / Word)
        {
            throw new AbiException(type, at,
                string.Create(CultureInfo.InvariantCulture, $"its {length} bytes do not fit the {_data.Length} bytes"));
        }

        Spend(type, at, words);
        ReadOnlySpan<byte> padded = _data.Slice(at + Word, words * Word);
        return padded[length..].ContainsAnyExcept((byte)0)
            ? throw new AbiException(type, at, "its padding is not zero")
            : padded[..length];
    }

    private int ReadLength(AbiType type, int at, string what)
    {
        ReadOnlySpan<byte> word = Take(type, at);
        int length = BinaryPrimitives.ReadInt32BigEndian(word[28..]);
        return word[..28].ContainsAnyExcept((byte)0) || length < 0
            ? throw new AbiException(type, at, $"its {what} is above 2^31")
            : length;
    }

    private ReadOnlySpan<byte> Take(AbiType type, int at)
    {
        Spend(type, at, 1);
        return at <= _data.Length - Word
            ? _data.Slice(at, Word)
            : throw new AbiException(type, at, string.Create(CultureInfo.InvariantCulture, $"the data ends after {_data.Length} bytes"));
    }

    private void Spend(AbiType type, int at, int words)
    {
        _wordsLeft -= words;
        if (_wordsLeft < 0)
        {
            throw new AbiException(type, at,
                string.Create(CultureInfo.InvariantCulture, $"the data ends after {_data.Length} bytes, or is pointed at twice"));
        }
    }

    private static object ReadWord(AbiType type, ReadOnlySpan<byte> word, int at)
    {
        switch (type)
        {
            case AbiInteger integer:
                return ReadInteger(integer, word, at);
            case AbiAddress:
                return word[..12].ContainsAnyExcept((byte)0)
                    ? throw new AbiException(type, at, "the 12 bytes before it are not zero")
                    : new Address(word[12..]);
            case AbiBool:
                return word[..31].ContainsAnyExcept((byte)0) || word[31] > 1
                    ? throw new AbiException(type, at, "it is neither 0 nor 1")
                    : word[31] == 1;
            case AbiFixedBytes { Length: Word }:
                return new Bytes32(word);
            case AbiFixedBytes fixedBytes:
                return word[fixedBytes.Length..].ContainsAnyExcept((byte)0)
                    ? throw new AbiException(type, at, "its padding is not zero")
                    : word[..fixedBytes.Length].ToArray();
            default:
                throw new ArgumentException($"{type} does not fit one word", nameof(type));
        }
    }

    private static object ReadInteger(AbiInteger type, ReadOnlySpan<byte> word, int at)
    {
        int unused = Word - (type.Bits / 8);
        bool negative = type.IsSigned && (word[unused] & 0x80) != 0;
        if (word[..unused].ContainsAnyExcept(negative ? (byte)0xff : (byte)0))
        {
            throw new AbiException(type, at, "it is out of range");
        }

        return (type.IsSigned, type.Bits) switch
        {
            (false, <= 8) => word[31],
            (false, <= 16) => BinaryPrimitives.ReadUInt16BigEndian(word[30..]),
            (false, <= 32) => BinaryPrimitives.ReadUInt32BigEndian(word[28..]),
            (false, <= 64) => BinaryPrimitives.ReadUInt64BigEndian(word[24..]),
            (false, <= 128) => BinaryPrimitives.ReadUInt128BigEndian(word[16..]),
            (true, <= 8) => (sbyte)word[31],
            (true, <= 16) => BinaryPrimitives.ReadInt16BigEndian(word[30..]),
            (true, <= 32) => BinaryPrimitives.ReadInt32BigEndian(word[28..]),
            (true, <= 64) => BinaryPrimitives.ReadInt64BigEndian(word[24..]),
            (true, <= 128) => BinaryPrimitives.ReadInt128BigEndian(word[16..]),
            _ => (object)new BigInteger(word, isUnsigned: !type.IsSigned, isBigEndian: true),
        };
    }
}
