using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;

namespace EmrMarket.Contracts.Tests.Ethereum.Cast;

/// <summary>Random types of the ABI with values in the codec's form, and the same values as cast reads them. Edge values are as likely as
/// middle ones.</summary>
internal sealed class RandomValues(int seed)
{
    private readonly Random _random = new(seed);

    public Random Random => _random;

    /// <summary>A type that fits a word.</summary>
    public AbiType WordType() => Elementary(_random.Next(6));

    public AbiType Type(int depth) => _random.Next(depth > 0 ? 12 : 8) switch
    {
        < 8 and var kind => Elementary(kind),
        8 or 9 => new AbiArray(Type(depth - 1), _random.Next(2) == 0 ? null : _random.Next(1, 4)),
        _ => Tuple(depth - 1, _random.Next(1, 5)),
    };

    private AbiType Elementary(int kind) => kind switch
    {
        0 or 1 => new AbiInteger(8 * _random.Next(1, 33), IsSigned: false),
        2 => new AbiInteger(8 * _random.Next(1, 33), IsSigned: true),
        3 => new AbiAddress(),
        4 => new AbiBool(),
        5 => new AbiFixedBytes(_random.Next(1, 33)),
        6 => new AbiBytes(),
        _ => new AbiString(),
    };

    public AbiTuple Tuple(int depth, int count) => new([.. Enumerable.Range(0, count).Select(_ => Type(depth))]);

    public object Value(AbiType type) => type switch
    {
        AbiInteger integer => AbiDecoder.DecodeWord(integer, Word(integer, Integer(integer))),
        AbiAddress => new Address(Bytes(20)),
        AbiBool => _random.Next(2) == 1,
        AbiFixedBytes { Length: 32 } => new Bytes32(Bytes(32)),
        AbiFixedBytes fixedBytes => Bytes(fixedBytes.Length),
        AbiBytes => Bytes(Length()),
        AbiString => new string([.. Enumerable.Range(0, Length()).Select(_ => (char)('a' + _random.Next(26)))]),
        AbiArray array => Enumerable.Range(0, array.Length ?? _random.Next(4)).Select(_ => Value(array.Element)).ToArray(),
        AbiTuple tuple => tuple.Components.Select(Value).ToArray(),
        _ => throw new ArgumentException("no such type", nameof(type)),
    };

    public byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        _random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>The value as cast reads it.</summary>
    public static string Text(AbiType type, object value) => (type, value) switch
    {
        (AbiArray array, object[] items) => "[" + string.Join(',', items.Select(item => Text(array.Element, item))) + "]",
        (AbiTuple tuple, object[] items) =>
            "(" + string.Join(',', items.Zip(tuple.Components).Select(pair => Text(pair.Second, pair.First))) + ")",
        (AbiString, string text) => "\"" + text + "\"",
        (_, byte[] bytes) => Hex.Encode(bytes),
        (_, bool flag) => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    /// <summary>The number of values that fit a word or are byte strings.</summary>
    public static int Count(object value) => value is object[] items ? items.Sum(Count) : 1;

    private int Length() => _random.Next(6) switch { 0 => 0, 1 => 31, 2 => 32, 3 => 33, _ => _random.Next(100) };

    private BigInteger Integer(AbiInteger type) => _random.Next(4) switch
    {
        0 => type.Maximum,
        1 => type.Minimum,
        2 => BigInteger.Zero,
        _ => new BigInteger(Bytes(type.Bits / 8), isUnsigned: !type.IsSigned),
    };

    // Integers come out of the decoder in the .NET type that the codec gives them.
    private static Bytes32 Word(AbiInteger type, BigInteger value)
    {
        byte[] word = new byte[32];
        AbiEncoder.WriteWord(type, value, word);
        return new Bytes32(word);
    }
}
