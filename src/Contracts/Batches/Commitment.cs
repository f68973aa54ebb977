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
    public static Bytes32 Of(Epoch epoch)
    {
        ArgumentNullException.ThrowIfNull(epoch);
        return Keccak256.Hash(AbiEncoder.Encode(EpochType, epoch.ToAbi()));
    }

    /// <summary>Of a round.</summary>
    public static Bytes32 Of(Round round)
    {
        ArgumentNullException.ThrowIfNull(round);
        return Keccak256.Hash(AbiEncoder.Encode(RoundType, round.ToAbi()));
    }

    /// <summary>Of a delivery.</summary>
    public static Bytes32 Of(Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(delivery);
        return Keccak256.Hash(AbiEncoder.Encode(DeliveryType, delivery.ToAbi()));
    }
}
