using System.Buffers.Binary;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;

namespace EmrMarket.Contracts.Bindings;

/// <summary>Finds the type of a custom error by its selector.</summary>
internal sealed class RevertTable((AbiError Definition, Func<ReadOnlyMemory<byte>, ContractRevertException> Make)[] errors)
{
    private readonly Dictionary<uint, Func<ReadOnlyMemory<byte>, ContractRevertException>> _bySelector =
        errors.ToDictionary(error => BinaryPrimitives.ReadUInt32BigEndian(error.Definition.Selector), error => error.Make);

    public ContractRevertException FromData(ReadOnlyMemory<byte> revertData)
    {
        if (revertData.Length >= 4
            && _bySelector.TryGetValue(
                BinaryPrimitives.ReadUInt32BigEndian(revertData.Span), out Func<ReadOnlyMemory<byte>, ContractRevertException>? make))
        {
            try
            {
                return make(revertData);
            }
            catch (AbiException)
            {
                // A selector of ours before arguments that are not: another contract's error, named by its selector below.
            }
        }

        return ContractRevertException.FromData(revertData);
    }
}

/// <summary>Finds the type of an event by its first topic.</summary>
internal sealed class EventTable((AbiEvent Definition, Func<LogEntry, IContractEvent> Decode)[] events)
{
    private readonly ILookup<Bytes32, (AbiEvent Definition, Func<LogEntry, IContractEvent> Decode)> _byTopic =
        events.ToLookup(entry => entry.Definition.Topic);

    public IContractEvent? Decode(LogEntry log)
    {
        ArgumentNullException.ThrowIfNull(log);
        if (log.Topics.Count == 0)
        {
            return null;
        }

        // Two events of one signature differ in which parameters are indexed, as the Transfer of tokens and of collectibles does.
        foreach ((AbiEvent definition, Func<LogEntry, IContractEvent> decode) in _byTopic[log.Topics[0]])
        {
            if (definition.TopicCount == log.Topics.Count)
            {
                return decode(log);
            }
        }

        return null;
    }
}
