using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace EmrMarket.Contracts.Ethereum.Abi;

/// <summary>Encodes values by their types. Values have the .NET form of <see cref="AbiType"/>; integers may have any integer type in
/// range.</summary>
internal static class AbiEncoder
{
    public const int Word = 32;

    /// <summary>The encoding of a tuple's components, as behind a selector.</summary>
    /// <exception cref="ArgumentException">A value is out of its type's range, or has another form.</exception>
    public static byte[] Encode(AbiTuple tuple, object[] values)
    {
        byte[] encoded = new byte[BodyLength(tuple, values)];
        WriteBody(tuple, values, encoded);
        return encoded;
    }

    /// <summary>The topic of an indexed event parameter: a word, or the hash of the in-place encoding of a type longer than a
    /// word.</summary>
    public static Bytes32 Topic(AbiType type, object value)
    {
        if (type is AbiArray or AbiTuple or AbiBytes or AbiString)
        {
            List<byte> bytes = [];
            WriteInPlace(type, value, bytes, padded: false);
            return Keccak256.Hash(bytes.ToArray());
        }

        Span<byte> word = stackalloc byte[Word];
        word.Clear();
        WriteWord(type, value, word);
        return new Bytes32(word);
    }

    /// <summary>One value of a type that fits a word, right- or left-aligned as the type demands, into 32 zero bytes.</summary>
    public static void WriteWord(AbiType type, object value, Span<byte> destination)
    {
        switch (type)
        {
            case AbiInteger integer:
                WriteInteger(integer, value, destination);
                break;
            case AbiAddress:
                Cast<Address>(type, value).CopyTo(destination[12..]);
                break;
            case AbiBool:
                destination[31] = Cast<bool>(type, value) ? (byte)1 : (byte)0;
                break;
            case AbiFixedBytes { Length: Word } when value is Bytes32 word:
                word.CopyTo(destination);
                break;
            case AbiFixedBytes fixedBytes:
                byte[] bytes = Cast<byte[]>(type, value);
                if (bytes.Length != fixedBytes.Length)
                {
                    throw new ArgumentException($"{type} has {fixedBytes.Length} bytes, got {bytes.Length}", nameof(value));
                }

                bytes.CopyTo(destination);
                break;
            default:
                throw new ArgumentException($"{type} does not fit one word", nameof(type));
        }
    }

    private static int Length(AbiType type, object value) => type switch
    {
        AbiBytes => Word + Padded(Cast<byte[]>(type, value).Length),
        AbiString => Word + Padded(Encoding.UTF8.GetByteCount(Cast<string>(type, value))),
        AbiArray array => (array.Length is null ? Word : 0) + ElementsLength(array.Element, Elements(array, value)),
        AbiTuple tuple => BodyLength(tuple, Cast<object[]>(type, value)),
        _ => Word,
    };

    private static int ElementsLength(AbiType element, object[] values)
    {
        if (!element.IsDynamic)
        {
            return checked(values.Length * element.HeadWords * Word);
        }

        int length = checked(values.Length * Word);
        foreach (object value in values)
        {
            length = checked(length + Length(element, value));
        }

        return length;
    }

    private static int BodyLength(AbiTuple tuple, object[] values)
    {
        CheckCount(tuple, values);
        int length = tuple.BodyHeadWords * Word;
        for (int i = 0; i < values.Length; i++)
        {
            length = checked(length + (tuple.Components[i].IsDynamic ? Length(tuple.Components[i], values[i]) : 0));
        }

        return length;
    }

    /// <summary>Heads first, each dynamic component's head being the offset of its tail; returns the bytes written.</summary>
    private static int WriteBody(AbiTuple tuple, object[] values, Span<byte> destination)
    {
        CheckCount(tuple, values);
        int head = 0;
        int tail = tuple.BodyHeadWords * Word;
        for (int i = 0; i < values.Length; i++)
        {
            WriteItem(tuple.Components[i], values[i], destination, ref head, ref tail);
        }

        return tail;
    }

    private static void WriteItem(AbiType type, object value, Span<byte> destination, ref int head, ref int tail)
    {
        if (type.IsDynamic)
        {
            BinaryPrimitives.WriteInt32BigEndian(destination[(head + Word - 4)..], tail);
            head += Word;
            tail += Write(type, value, destination[tail..]);
        }
        else
        {
            head += Write(type, value, destination[head..]);
        }
    }

    private static int Write(AbiType type, object value, Span<byte> destination)
    {
        switch (type)
        {
            case AbiBytes:
                byte[] bytes = Cast<byte[]>(type, value);
                BinaryPrimitives.WriteInt32BigEndian(destination[(Word - 4)..], bytes.Length);
                bytes.CopyTo(destination[Word..]);
                return Word + Padded(bytes.Length);
            case AbiString:
                int count = Encoding.UTF8.GetBytes(Cast<string>(type, value), destination[Word..]);
                BinaryPrimitives.WriteInt32BigEndian(destination[(Word - 4)..], count);
                return Word + Padded(count);
            case AbiTuple tuple:
                return WriteBody(tuple, Cast<object[]>(type, value), destination);
            case AbiArray array:
                object[] elements = Elements(array, value);
                int start = 0;
                if (array.Length is null)
                {
                    BinaryPrimitives.WriteInt32BigEndian(destination[(Word - 4)..], elements.Length);
                    start = Word;
                }

                int head = 0;
                int tail = elements.Length * array.Element.HeadWords * Word;
                foreach (object element in elements)
                {
                    WriteItem(array.Element, element, destination[start..], ref head, ref tail);
                }

                return start + tail;
            default:
                WriteWord(type, value, destination);
                return Word;
        }
    }

    /// <summary>The encoding of event topics: elements one after the other, byte strings padded to words unless they stand alone, no
    /// lengths.</summary>
    private static void WriteInPlace(AbiType type, object value, List<byte> destination, bool padded)
    {
        switch (type)
        {
            case AbiBytes or AbiString:
                byte[] bytes = type is AbiBytes ? Cast<byte[]>(type, value) : Encoding.UTF8.GetBytes(Cast<string>(type, value));
                destination.AddRange(bytes);
                destination.AddRange(new byte[padded ? Padded(bytes.Length) - bytes.Length : 0]);
                break;
            case AbiArray array:
                foreach (object element in Elements(array, value))
                {
                    WriteInPlace(array.Element, element, destination, padded: true);
                }

                break;
            case AbiTuple tuple:
                object[] values = Cast<object[]>(type, value);
                CheckCount(tuple, values);
                for (int i = 0; i < tuple.Components.Length; i++)
                {
                    WriteInPlace(tuple.Components[i], values[i], destination, padded: true);
                }

                break;
            default:
                byte[] word = new byte[Word];
                WriteWord(type, value, word);
                destination.AddRange(word);
                break;
        }
    }

    private static void CheckCount(AbiTuple tuple, object[] values)
    {
        if (values.Length != tuple.Components.Length)
        {
            throw new ArgumentException($"{tuple} has {tuple.Components.Length} components, got {values.Length} values", nameof(values));
        }
    }

    private static object[] Elements(AbiArray array, object value)
    {
        object[] elements = Cast<object[]>(array, value);
        return array.Length is null || array.Length == elements.Length
            ? elements
            : throw new ArgumentException($"{array} has {array.Length} elements, got {elements.Length}", nameof(value));
    }

    private static void WriteInteger(AbiInteger type, object value, Span<byte> destination)
    {
        // The common unsigned widths go straight to their bytes; every other form takes the way through BigInteger.
        if (!type.IsSigned && type.Bits >= 64 && value is ulong or uint or ushort or byte)
        {
            BinaryPrimitives.WriteUInt64BigEndian(
                destination[24..], value switch { ulong v => v, uint v => v, ushort v => v, byte v => v, _ => 0 });
            return;
        }

        BigInteger integer = value switch
        {
            BigInteger v => v,
            ulong v => v,
            long v => v,
            uint v => v,
            int v => v,
            ushort v => v,
            short v => v,
            byte v => v,
            sbyte v => v,
            UInt128 v => v,
            Int128 v => v,
            _ => throw WrongForm(type, value),
        };
        if (integer < type.Minimum || integer > type.Maximum)
        {
            throw new ArgumentOutOfRangeException(nameof(value), $"{type} lies between {type.Minimum} and {type.Maximum}, got {integer}");
        }

        if (integer.Sign < 0)
        {
            destination[..Word].Fill(0xff);
        }

        int count = integer.GetByteCount(isUnsigned: integer.Sign >= 0);
        integer.TryWriteBytes(destination[(Word - count)..], out _, isUnsigned: integer.Sign >= 0, isBigEndian: true);
    }

    private static T Cast<T>(AbiType type, object value) => value is T typed ? typed : throw WrongForm(type, value);

    private static ArgumentException WrongForm(AbiType type, object? value) =>
        new($"{type} cannot be made of a {value?.GetType().Name ?? "null"}", nameof(value));

    private static int Padded(int length) => checked(length + Word - 1) / Word * Word;
}
