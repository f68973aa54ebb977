using System.Globalization;
using System.Numerics;

namespace EmrMarket.Contracts.Ethereum.Abi;

/// <summary>A type of the contract ABI, https://docs.soliditylang.org/en/latest/abi-spec.html.</summary>
/// <remarks>Every type has one .NET form: integers the smallest of byte to UInt128 (sbyte to Int128) that holds them and BigInteger above,
/// bytes32 <see cref="Bytes32"/>, other byte strings byte[], arrays and tuples object[].</remarks>
internal abstract record AbiType
{
    /// <summary>The canonical name, as in signatures.</summary>
    public abstract string Name { get; }

    /// <summary>True when the encoding's length depends on the value, so that the head holds an offset.</summary>
    public virtual bool IsDynamic => false;

    /// <summary>Words in the head: 1 for dynamic types.</summary>
    public virtual int HeadWords => 1;

    public sealed override string ToString() => Name;

    /// <summary>Reads a type's name; a tuple's components may carry names, which are ignored.</summary>
    /// <exception cref="FormatException">The text is no type.</exception>
    public static AbiType Parse(string text) => new AbiSignatureReader(text).ReadWholeType();

    internal static AbiType FromElementary(string name) => name switch
    {
        "address" => new AbiAddress(),
        "bool" => new AbiBool(),
        "string" => new AbiString(),
        "bytes" => new AbiBytes(),
        "function" => new AbiFixedBytes(24),
        "uint" => new AbiInteger(256, IsSigned: false),
        "int" => new AbiInteger(256, IsSigned: true),
        _ when Suffix(name, "uint") is { } bits and > 0 and <= 256 && bits % 8 == 0 => new AbiInteger(bits, IsSigned: false),
        _ when Suffix(name, "int") is { } bits and > 0 and <= 256 && bits % 8 == 0 => new AbiInteger(bits, IsSigned: true),
        _ when Suffix(name, "bytes") is { } length and > 0 and <= 32 => new AbiFixedBytes(length),
        _ => throw new FormatException($"{Hex.Excerpt(name)} is no ABI type"),
    };

    private static int? Suffix(string name, string prefix) =>
        name.StartsWith(prefix, StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : null;
}

internal sealed record AbiInteger(int Bits, bool IsSigned) : AbiType
{
    public override string Name => string.Create(CultureInfo.InvariantCulture, $"{(IsSigned ? "int" : "uint")}{Bits}");

    public BigInteger Minimum => IsSigned ? -(BigInteger.One << (Bits - 1)) : BigInteger.Zero;

    public BigInteger Maximum => (BigInteger.One << (IsSigned ? Bits - 1 : Bits)) - 1;
}

internal sealed record AbiAddress : AbiType
{
    public override string Name => "address";
}

internal sealed record AbiBool : AbiType
{
    public override string Name => "bool";
}

internal sealed record AbiFixedBytes(int Length) : AbiType
{
    public override string Name => string.Create(CultureInfo.InvariantCulture, $"bytes{Length}");
}

internal sealed record AbiBytes : AbiType
{
    public override string Name => "bytes";

    public override bool IsDynamic => true;
}

internal sealed record AbiString : AbiType
{
    public override string Name => "string";

    public override bool IsDynamic => true;
}

/// <summary>An array of a fixed length, or of any length where it is null.</summary>
internal sealed record AbiArray(AbiType Element, int? Length) : AbiType
{
    public override string Name => string.Create(CultureInfo.InvariantCulture, $"{Element.Name}[{Length}]");

    public override bool IsDynamic { get; } = Length is null || Element.IsDynamic;

    public override int HeadWords { get; } = Length is null || Element.IsDynamic ? 1 : checked(Length.Value * Element.HeadWords);
}

/// <summary>A tuple: a struct, or the parameters of a function.</summary>
internal sealed record AbiTuple : AbiType
{
    public AbiTuple(params AbiType[] components)
    {
        Components = components;
        IsDynamic = components.Any(component => component.IsDynamic);
        BodyHeadWords = components.Sum(component => component.HeadWords);
        Name = "(" + string.Join(',', components.Select(component => component.Name)) + ")";
    }

    public AbiType[] Components { get; }

    public override string Name { get; }

    public override bool IsDynamic { get; }

    public override int HeadWords => IsDynamic ? 1 : BodyHeadWords;

    /// <summary>Words of the components' heads, whether or not the tuple itself stands behind an offset.</summary>
    public int BodyHeadWords { get; }

    public bool Equals(AbiTuple? other) => other is not null && string.Equals(Name, other.Name, StringComparison.Ordinal);

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);
}
