using System.Buffers.Binary;
using System.Text;

namespace EmrMarket.Contracts.Ethereum;

/// <summary>A 20-byte account or contract address; its text carries the checksum of EIP-55.</summary>
public readonly record struct Address
{
    /// <summary>The number of bytes.</summary>
    public const int Length = 20;

    private readonly ulong _first;
    private readonly ulong _second;
    private readonly uint _third;

    /// <summary>Takes exactly 20 bytes.</summary>
    /// <exception cref="ArgumentException">There are fewer or more.</exception>
    public Address(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Length)
        {
            throw new ArgumentException($"an address has {Length} bytes, got {bytes.Length}", nameof(bytes));
        }

        _first = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _second = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _third = BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]);
    }

    /// <summary>The zero address, which nobody holds.</summary>
    public static Address Zero => default;

    /// <summary>Reads 0x and 40 hexadecimal digits, in one case or with the checksum of EIP-55 in mixed case.</summary>
    /// <exception cref="FormatException">Wrong length or digits, or mixed case that does not match the checksum.</exception>
    public static Address Parse(string text)
    {
        byte[] bytes = Hex.Decode(text);
        if (bytes.Length != Length)
        {
            throw new FormatException($"an address is 0x and 40 hexadecimal digits, got {bytes.Length} bytes: {Hex.Excerpt(text)}");
        }

        Address address = new(bytes);
        string digits = text[2..];
        bool oneCase = !digits.Any(char.IsAsciiLetterUpper) || !digits.Any(char.IsAsciiLetterLower);
        return oneCase || string.Equals(text, address.ToString(), StringComparison.Ordinal)
            ? address
            : throw new FormatException(
                $"the capitals of address {text} do not match its EIP-55 checksum {address}: a digit is mistyped, or the case was changed");
    }

    /// <summary>The address of the contract that an account creates with its transaction of this nonce.</summary>
    public static Address OfContract(Address creator, ulong nonce)
    {
        Bytes32 hash = Keccak256.Hash(Transactions.Rlp.List(Transactions.Rlp.Bytes(creator.ToArray()), Transactions.Rlp.Integer(nonce)));
        return new Address(hash.ToArray().AsSpan(12));
    }

    /// <summary>Writes the bytes to the start of a span of at least 20.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _first);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _second);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], _third);
    }

    /// <summary>The bytes in a new array.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Length];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>0x and 40 hexadecimal digits with the checksum of EIP-55, https://eips.ethereum.org/EIPS/eip-55.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        CopyTo(bytes);
        char[] digits = Convert.ToHexStringLower(bytes).ToCharArray();
        byte[] hash = Keccak256.Hash(Encoding.ASCII.GetBytes(digits)).ToArray();
        for (int i = 0; i < digits.Length; i++)
        {
            int nibble = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 0xf;
            digits[i] = nibble >= 8 ? char.ToUpperInvariant(digits[i]) : digits[i];
        }

        return "0x" + new string(digits);
    }
}
