using System.Globalization;

namespace EmrMarket.Contracts.Ethereum.Abi;

/// <summary>A function of a contract: its selector, its parameters and what it returns.</summary>
internal sealed class AbiFunction
{
    /// <param name="signature">Name and parameters, such as <c>transfer(address to,uint256 amount)</c>.</param>
    /// <param name="outputs">The returned tuple, such as <c>(bool)</c>.</param>
    public AbiFunction(string signature, string outputs)
    {
        (string name, AbiType[] types, _) = new AbiSignatureReader(signature).ReadWholeSignature();
        Inputs = new AbiTuple(types);
        Outputs = (AbiTuple)AbiType.Parse(outputs);
        Signature = name + Inputs.Name;
        Selector = Keccak256.Hash(Signature).ToArray()[..4];
    }

    public string Signature { get; }

    public byte[] Selector { get; }

    public AbiTuple Inputs { get; }

    public AbiTuple Outputs { get; }

    public byte[] Encode(object[] arguments) => [.. Selector, .. AbiEncoder.Encode(Inputs, arguments)];

    public object[] DecodeOutputs(ReadOnlySpan<byte> data) => AbiDecoder.Decode(Outputs, data);
}

/// <summary>A custom error of a contract.</summary>
internal sealed class AbiError
{
    public AbiError(string signature)
    {
        (string name, AbiType[] types, _) = new AbiSignatureReader(signature).ReadWholeSignature();
        Inputs = new AbiTuple(types);
        Signature = name + Inputs.Name;
        Selector = Keccak256.Hash(Signature).ToArray()[..4];
    }

    public string Signature { get; }

    public byte[] Selector { get; }

    public AbiTuple Inputs { get; }

    /// <summary>The arguments behind the selector.</summary>
    public object[] Decode(ReadOnlySpan<byte> data) => AbiDecoder.Decode(Inputs, data[4..]);
}

/// <summary>An event of a contract.</summary>
internal sealed class AbiEvent
{
    private readonly AbiType[] _types;
    private readonly bool[] _indexed;
    private readonly AbiTuple _data;

    public AbiEvent(string signature)
    {
        (string name, _types, _indexed) = new AbiSignatureReader(signature).ReadWholeSignature();
        _data = new AbiTuple([.. _types.Where((_, i) => !_indexed[i])]);
        Signature = name + new AbiTuple(_types).Name;
        Topic = Keccak256.Hash(Signature);
        TopicCount = 1 + _indexed.Count(indexed => indexed);
    }

    public string Signature { get; }

    /// <summary>The first topic of every log of this event.</summary>
    public Bytes32 Topic { get; }

    /// <summary>Topics of every log: the event's own and one for each indexed parameter.</summary>
    public int TopicCount { get; }

    /// <summary>The parameters in the order of their declaration; an indexed one longer than a word is its hash, a
    /// <see cref="Bytes32"/>.</summary>
    /// <exception cref="AbiException">The log is of another event, or damaged.</exception>
    public object[] Decode(IReadOnlyList<Bytes32> topics, ReadOnlySpan<byte> data)
    {
        if (topics.Count != TopicCount || topics[0] != Topic)
        {
            throw new AbiException(string.Create(CultureInfo.InvariantCulture,
                $"the log is not a {Signature}: expected {TopicCount} topics, the first {Topic}, got {topics.Count}: read it with the "
                    + $"contract that wrote it"));
        }

        object[] values = new object[_types.Length];
        object[] unindexed = AbiDecoder.Decode(_data, data);
        int topic = 1;
        int field = 0;
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = !_indexed[i] ? unindexed[field++]
                : IsHashed(_types[i]) ? topics[topic++]
                : AbiDecoder.DecodeWord(_types[i], topics[topic++]);
        }

        return values;
    }

    private static bool IsHashed(AbiType type) => type is AbiArray or AbiTuple or AbiBytes or AbiString;
}
