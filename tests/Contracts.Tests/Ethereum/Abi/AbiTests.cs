using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;
using EmrMarket.Contracts.Tests.Ethereum.Cast;

namespace EmrMarket.Contracts.Tests.Ethereum.Abi;

public class AbiTests
{
    // The examples of https://docs.soliditylang.org/en/latest/abi-spec.html, sections "Examples" and "Use of Dynamic Types".
    public static TheoryData<string, object[], string> SpecificationExamples => new()
    {
        {
            "baz(uint32,bool)", [69u, true],
            "0xcdcd77c000000000000000000000000000000000000000000000000000000000000000450000000000000000000000000000000000000000000000000000000000000001"
        },
        {
            "bar(bytes3[2])", [new object[] { "abc"u8.ToArray(), "def"u8.ToArray() }],
            "0xfce353f661626300000000000000000000000000000000000000000000000000000000006465660000000000000000000000000000000000000000000000000000000000"
        },
        {
            "sam(bytes,bool,uint256[])", ["dave"u8.ToArray(), true, new object[] { 1, 2, 3 }],
            "0xa5643bf20000000000000000000000000000000000000000000000000000000000000060000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000000000000000000000000000000000000000a0000000000000000000000000000000000000000000000000000000000000000464617665000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000003000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000003"
        },
        {
            "f(uint256,uint32[],bytes10,bytes)",
            [0x123, new object[] { 0x456, 0x789 }, "1234567890"u8.ToArray(), "Hello, world!"u8.ToArray()],
            "0x8be6524600000000000000000000000000000000000000000000000000000000000001230000000000000000000000000000000000000000000000000000000000000080313233343536373839300000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000e0000000000000000000000000000000000000000000000000000000000000000200000000000000000000000000000000000000000000000000000000000004560000000000000000000000000000000000000000000000000000000000000789000000000000000000000000000000000000000000000000000000000000000d48656c6c6f2c20776f726c642100000000000000000000000000000000000000"
        },
        {
            "g(uint256[][],string[])", [new object[] { new object[] { 1, 2 }, new object[] { 3 } }, new object[] { "one", "two", "three" }],
            "0x2289b18c000000000000000000000000000000000000000000000000000000000000004000000000000000000000000000000000000000000000000000000000000001400000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000004000000000000000000000000000000000000000000000000000000000000000a0000000000000000000000000000000000000000000000000000000000000000200000000000000000000000000000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000000000000000000000000000000000000000030000000000000000000000000000000000000000000000000000000000000003000000000000000000000000000000000000000000000000000000000000006000000000000000000000000000000000000000000000000000000000000000a000000000000000000000000000000000000000000000000000000000000000e000000000000000000000000000000000000000000000000000000000000000036f6e650000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000374776f000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000057468726565000000000000000000000000000000000000000000000000000000"
        },
    };

    [Theory]
    [MemberData(nameof(SpecificationExamples))]
    public void Encode_equals_the_examples_of_the_specification(string signature, object[] arguments, string expected) =>
        Assert.Equal(expected, Hex.Encode(new AbiFunction(signature, "()").Encode(arguments)));

    [Theory]
    [InlineData("uint8", 256)]
    [InlineData("uint8", -1)]
    [InlineData("int8", 128)]
    [InlineData("int8", -129)]
    public void Encode_refuses_an_integer_out_of_range(string type, int value) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => AbiEncoder.Encode(new AbiTuple(AbiType.Parse(type)), [value]));

    [Fact]
    public void Encode_refuses_the_first_integer_beyond_every_width()
    {
        for (int bits = 8; bits <= 256; bits += 8)
        {
            foreach (bool isSigned in (bool[])[true, false])
            {
                AbiInteger type = new(bits, isSigned);
                AbiTuple tuple = new(type);
                Assert.Throws<ArgumentOutOfRangeException>(() => AbiEncoder.Encode(tuple, [type.Maximum + 1]));
                Assert.Throws<ArgumentOutOfRangeException>(() => AbiEncoder.Encode(tuple, [type.Minimum - 1]));
                Assert.Equal(type.Maximum,
                    BigInteger.Parse(Convert.ToString(AbiDecoder.Decode(tuple, AbiEncoder.Encode(tuple, [type.Maximum]))[0],
                        System.Globalization.CultureInfo.InvariantCulture)!, System.Globalization.CultureInfo.InvariantCulture));
                Assert.Equal(type.Minimum,
                    BigInteger.Parse(Convert.ToString(AbiDecoder.Decode(tuple, AbiEncoder.Encode(tuple, [type.Minimum]))[0],
                        System.Globalization.CultureInfo.InvariantCulture)!, System.Globalization.CultureInfo.InvariantCulture));
            }
        }
    }

    [Fact]
    public void Encode_refuses_values_of_another_form()
    {
        Assert.Throws<ArgumentException>(() => AbiEncoder.Encode(new AbiTuple(AbiType.Parse("bytes4")), [new byte[5]]));
        Assert.Throws<ArgumentException>(() => AbiEncoder.Encode(new AbiTuple(AbiType.Parse("uint8[2]")), [new object[] { 1 }]));
        Assert.Throws<ArgumentException>(() => AbiEncoder.Encode(new AbiTuple(AbiType.Parse("address")), ["0x00"]));
        Assert.Throws<ArgumentException>(() => AbiEncoder.Encode(new AbiTuple(AbiType.Parse("(uint8,bool)")), [new object[] { 1 }]));
        Assert.Throws<ArgumentException>(() => AbiEncoder.Encode(new AbiTuple(AbiType.Parse("bool")), []));
    }

    [Theory]
    [InlineData("uint7")]
    [InlineData("uint264")]
    [InlineData("bytes33")]
    [InlineData("bytes0")]
    [InlineData("uint8[0]")]
    [InlineData("uint8[")]
    [InlineData("(uint8")]
    [InlineData("(uint8,)")]
    [InlineData("uint8]")]
    [InlineData("uint8[99999999999]")]
    [InlineData("")]
    [InlineData("tuple")]
    public void Parse_refuses_what_is_no_type(string text) => Assert.Throws<FormatException>(() => AbiType.Parse(text));

    [Fact]
    public void Parse_refuses_nesting_without_end() => Assert.Throws<FormatException>(() => AbiType.Parse(new string('(', 100_000)));

    [Theory]
    [InlineData("uint8", "0x0000000000000000000000000000000000000000000000000000000000000100")]
    [InlineData("int8", "0x00000000000000000000000000000000000000000000000000000000000000ff")]
    [InlineData("bool", "0x0000000000000000000000000000000000000000000000000000000000000002")]
    [InlineData("address", "0x0000000000000000000000010000000000000000000000000000000000000000")]
    [InlineData("bytes4", "0x0000000001000000000000000000000000000000000000000000000000000000")]
    [InlineData("uint256", "0x00000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("bytes", "0x0000000000000000000000000000000000000000000000000000000000000040")]
    [InlineData("bytes",
        "0x00000000000000000000000000000000000000000000000000000000000000200000000000000000000000000000000000000000000000000000000000000021")]
    [InlineData("uint8[]",
        "0x0000000000000000000000000000000000000000000000000000000000000020ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    [InlineData("string",
        "0x00000000000000000000000000000000000000000000000000000000000000200000000000000000000000000000000000000000000000000000000000000001ff00000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("string",
        "0x000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000016100000000000000000000000000000000000000000000000000000000000001")]
    public void Decode_refuses_what_no_compiler_writes(string type, string data) =>
        Assert.Throws<AbiException>(() => AbiDecoder.Decode(new AbiTuple(AbiType.Parse(type)), Hex.Decode(data)));

    [Fact]
    public void Decode_ends_soon_on_offsets_that_point_back_to_the_same_arrays()
    {
        // Every element of a nested array points to the next level's one array: 8 levels of 30 elements would be 6 * 10^11 values.
        const int Levels = 8;
        const int Width = 30;
        AbiType type = AbiType.Parse("uint8" + string.Concat(Enumerable.Repeat("[]", Levels)));
        List<byte> data = [.. Word(32)];
        for (int level = 0; level < Levels; level++)
        {
            data.AddRange(Word(Width));
            for (int i = 0; i < Width; i++)
            {
                data.AddRange(Word(level < Levels - 1 ? Width * 32 : 1));
            }
        }

        Assert.Throws<AbiException>(() => AbiDecoder.Decode(new AbiTuple(type), data.ToArray()));

        static byte[] Word(int value)
        {
            byte[] word = new byte[32];
            System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(word.AsSpan(28), value);
            return word;
        }
    }

    [Fact]
    public void Decode_of_mutated_payloads_gives_values_or_a_typed_error()
    {
        // 50,000 payloads: a value that comes out encodes to a payload that decodes to it again, so nothing is made up.
        RandomValues random = new(20260807);
        int refused = 0;
        for (int i = 0; i < 1_000; i++)
        {
            AbiTuple type = random.Tuple(depth: 3, count: 3);
            byte[] honest = AbiEncoder.Encode(type, (object[])random.Value(type));
            for (int j = 0; j < 50; j++)
            {
                byte[] mutated = Mutation.Of(honest, random.Random);
                try
                {
                    object[] values = AbiDecoder.Decode(type, mutated);
                    Assert.True(AbiValues.AreEqual(values, AbiDecoder.Decode(type, AbiEncoder.Encode(type, values))));
                }
                catch (AbiException)
                {
                    refused++;
                }
            }
        }

        Assert.InRange(refused, 10_000, 49_000);
    }

    [Fact]
    public void Event_of_another_shape_is_refused()
    {
        AbiEvent definition = new("Transfer(address indexed from,address indexed to,uint256 amount)");
        Assert.Equal("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", definition.Topic.ToString());
        Assert.Throws<AbiException>(() => definition.Decode([definition.Topic], new byte[32]));
        Assert.Throws<AbiException>(() => definition.Decode([default, default, default], new byte[32]));
        Assert.Throws<AbiException>(() => definition.Decode([definition.Topic, default, default], new byte[31]));
    }
}
