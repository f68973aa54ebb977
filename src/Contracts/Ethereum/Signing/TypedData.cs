using System.Numerics;
using System.Text;
using EmrMarket.Contracts.Ethereum.Abi;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>A struct type of EIP-712, https://eips.ethereum.org/EIPS/eip-712, written as its encodeType, the text whose hash contracts
/// hold.</summary>
/// <example><c>TypedDataType.Parse("Mail(Person from,Person to,string contents)Person(string name,address wallet)")</c></example>
public sealed class TypedDataType
{
    private readonly Dictionary<string, (string Type, string Name)[]> _structs;
    private readonly string _primary;

    private TypedDataType(string primary, Dictionary<string, (string Type, string Name)[]> structs)
    {
        _primary = primary;
        _structs = structs;
        TypeHash = TypeHashOf(primary);
    }

    /// <summary>The hash of encodeType, which a contract's TYPEHASH constant equals.</summary>
    public Bytes32 TypeHash { get; }

    /// <summary>Reads the primary struct and, after it, the structs it refers to.</summary>
    /// <exception cref="FormatException">The text is no encodeType, or a struct is defined twice.</exception>
    public static TypedDataType Parse(string encodeType)
    {
        ArgumentNullException.ThrowIfNull(encodeType);
        Dictionary<string, (string Type, string Name)[]> structs = new(StringComparer.Ordinal);
        string? primary = null;
        foreach (string definition in encodeType.Split(')', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = definition.Split('(');
            if (parts.Length != 2 || parts[0].Length == 0)
            {
                throw new FormatException($"{Hex.Excerpt(encodeType)} is no EIP-712 type: expected Name(type field,...)");
            }

            (string Type, string Name)[] fields = [
                .. parts[1].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(field => field.Split(' ') is [var type, var name]
                ? (type, name)
                : throw new FormatException(
                    $"{Hex.Excerpt(field)} is no field of an EIP-712 type: expected a type, one blank and a name"))];
            if (!structs.TryAdd(parts[0], fields))
            {
                throw new FormatException($"the EIP-712 type {Hex.Excerpt(encodeType)} defines {parts[0]} twice");
            }

            primary ??= parts[0];
        }

        return new TypedDataType(primary ?? throw new FormatException("an EIP-712 type cannot be empty"), structs);
    }

    /// <summary>The hash that is signed for a message under a domain.</summary>
    /// <param name="domain">Whose message it is: replays elsewhere fail.</param>
    /// <param name="values">The fields in order: integers of any integer type, string, bool, <see cref="Address"/>, <see cref="Bytes32"/>,
    /// byte[]; object[] for structs and arrays.</param>
    /// <exception cref="ArgumentException">A value does not fit its field.</exception>
    public Bytes32 HashToSign(TypedDataDomain domain, object[] values)
    {
        ArgumentNullException.ThrowIfNull(domain);
        return Keccak256.Hash([0x19, 0x01, .. domain.Separator.ToArray(), .. HashStruct(values).ToArray()]);
    }

    /// <summary>hashStruct of EIP-712: the hash of the type's hash and the fields.</summary>
    /// <exception cref="ArgumentException">A value does not fit its field.</exception>
    public Bytes32 HashStruct(object[] values) => HashStructOf(_primary, values);

    private Bytes32 HashStructOf(string name, object[] values)
    {
        (string Type, string Name)[] fields = _structs[name];
        if (values.Length != fields.Length)
        {
            throw new ArgumentException($"the EIP-712 type {name} has {fields.Length} fields, got {values.Length} values", nameof(values));
        }

        List<byte> encoded = [.. TypeHashOf(name).ToArray()];
        for (int i = 0; i < fields.Length; i++)
        {
            encoded.AddRange(EncodeField(fields[i].Type, values[i]));
        }

        return Keccak256.Hash(encoded.ToArray());
    }

    private byte[] EncodeField(string type, object value)
    {
        if (type.EndsWith(']'))
        {
            int bracket = type.LastIndexOf('[');
            AbiArray shape = (AbiArray)AbiType.Parse(string.Concat("uint8", type.AsSpan(bracket)));
            if (value is not object[] elements || (shape.Length is { } length && length != elements.Length))
            {
                throw new ArgumentException(
                    $"a field of type {type} takes an object[] of its length, got {value.GetType().Name}", nameof(value));
            }

            List<byte> encoded = [];
            foreach (object element in elements)
            {
                encoded.AddRange(EncodeField(type[..bracket], element));
            }

            return Keccak256.Hash(encoded.ToArray()).ToArray();
        }

        if (_structs.ContainsKey(type))
        {
            return HashStructOf(type,
                value as object[] ?? throw new ArgumentException($"a field of struct {type} takes an object[]", nameof(value))).ToArray();
        }

        return AbiEncoder.Topic(AbiType.Parse(type), value).ToArray();
    }

    // encodeType: the struct itself, then all that it refers to, sorted by name.
    private Bytes32 TypeHashOf(string name)
    {
        SortedSet<string> found = new(StringComparer.Ordinal);
        Collect(name, found);
        found.Remove(name);
        StringBuilder text = new();
        foreach (string part in found.Prepend(name))
        {
            text.Append(part).Append('(').AppendJoin(',', _structs[part].Select(field => field.Type + " " + field.Name)).Append(')');
        }

        return Keccak256.Hash(text.ToString());
    }

    private void Collect(string name, SortedSet<string> found)
    {
        if (!found.Add(name))
        {
            return;
        }

        foreach ((string type, _) in _structs[name])
        {
            string element = type.Split('[')[0];
            if (_structs.ContainsKey(element))
            {
                Collect(element, found);
            }
        }
    }
}

/// <summary>The domain that a typed message belongs to: a contract on a chain.</summary>
/// <param name="Name">The name that the contract gives itself.</param>
/// <param name="Version">The version of its messages.</param>
/// <param name="ChainId">The chain, so that a message is not replayed on another.</param>
/// <param name="VerifyingContract">The contract, so that a message is not replayed to another.</param>
public sealed record TypedDataDomain(string Name, string Version, BigInteger ChainId, Address VerifyingContract)
{
    private static readonly TypedDataType Type =
        TypedDataType.Parse("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// <summary>The domain separator of EIP-712, which a contract's DOMAIN_SEPARATOR() equals.</summary>
    public Bytes32 Separator => Type.HashStruct([Name, Version, ChainId, VerifyingContract]);
}

/// <summary>The permit of EIP-2612, https://eips.ethereum.org/EIPS/eip-2612: an allowance by signature.</summary>
public static class Eip2612Permit
{
    private static readonly TypedDataType Type =
        TypedDataType.Parse("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    /// <summary>The hash of the permit's type.</summary>
    public static Bytes32 TypeHash => Type.TypeHash;

    /// <summary>Signs an allowance.</summary>
    /// <param name="owner">Whose tokens they are.</param>
    /// <param name="token">The token's domain.</param>
    /// <param name="spender">Who may take them.</param>
    /// <param name="value">How many, in the token's smallest unit.</param>
    /// <param name="nonce">The token's <c>nonces(owner)</c>.</param>
    /// <param name="deadline">The last block timestamp, in Unix seconds, at which the permit holds.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative or above 2^256 - 1.</exception>
    public static Signature Sign(
        EthereumAccount owner, TypedDataDomain token, Address spender, BigInteger value, BigInteger nonce, BigInteger deadline)
    {
        ArgumentNullException.ThrowIfNull(owner);
        return owner.Sign(Type.HashToSign(token, [owner.Address, spender, value, nonce, deadline]));
    }
}
