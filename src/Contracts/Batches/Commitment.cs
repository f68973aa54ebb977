using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;

namespace EmrMarket.Contracts.Batches;

/// <summary>The one word that a contract keeps of a batch: keccak(abi.encode(header, posting)) (docs/WIRE.md, "Batches").</summary>
public static class Commitment
{
    private const string PostingType = "(address,uint64,uint64)";

    private static readonly AbiTuple EpochType = (AbiTuple)AbiType.Parse(
        $"((uint32,bytes32,uint32,uint8,uint8,uint8,uint32,uint32,bytes32,bytes32,bytes32),{PostingType})");

    private static readonly AbiTuple RoundType = (AbiTuple)AbiType.Parse(
        $"((bytes32,uint32,uint32,uint8,uint8,uint8,uint64,bytes32,bytes32,bytes32,bytes32,bytes32,bytes32),{PostingType})");

    private static readonly AbiTuple DeliveryType = (AbiTuple)AbiType.Parse(
        $"((uint64,uint32,uint32,uint8,uint32,uint112,uint96,bytes32,bytes32),{PostingType})");

    /// <summary>Of an epoch.</summary>
    public static Bytes32 Of(Epoch epoch) => Keccak256.Hash(Encode(epoch));

    /// <summary>Of a round.</summary>
    public static Bytes32 Of(Round round) => Keccak256.Hash(Encode(round));

    /// <summary>Of a delivery.</summary>
    public static Bytes32 Of(Delivery delivery) => Keccak256.Hash(Encode(delivery));

    /// <summary>What is hashed of an epoch: 14 words, header and posting.</summary>
    public static byte[] Encode(Epoch epoch)
    {
        ArgumentNullException.ThrowIfNull(epoch);
        return AbiEncoder.Encode(EpochType, epoch.ToAbi());
    }

    /// <summary>What is hashed of a round: 16 words, header and posting.</summary>
    public static byte[] Encode(Round round)
    {
        ArgumentNullException.ThrowIfNull(round);
        return AbiEncoder.Encode(RoundType, round.ToAbi());
    }

    /// <summary>What is hashed of a delivery: 12 words, header and posting.</summary>
    public static byte[] Encode(Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(delivery);
        return AbiEncoder.Encode(DeliveryType, delivery.ToAbi());
    }
}
