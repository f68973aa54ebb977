using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Grains.Exchange;

/// <summary>The market's word that it has a delivery: an EIP-712 signature of its header (docs/WIRE.md, "Signatures").</summary>
public static class DeliveryReceipts
{
    private static readonly TypedDataType Type = TypedDataType.Parse(
        "DeliveryReceipt(bytes32 deliveryId,bytes32 root,uint8 depth,uint32 count,uint112 amount,uint96 effective,bytes32 dataHash)");

    /// <summary>The digest that is signed.</summary>
    public static Bytes32 Digest(ulong chainId, Address evaluation, Bytes32 deliveryId, DeliveryHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        return Type.HashToSign(
            new TypedDataDomain("EmrMarket", "1", chainId, evaluation),
            [deliveryId, header.Root, header.Depth, header.Count, header.Amount, header.Effective, header.DataHash]);
    }

    /// <summary>Signs it: 65 bytes.</summary>
    public static byte[] Sign(EthereumAccount market, ulong chainId, Address evaluation, Bytes32 deliveryId, DeliveryHeader header)
    {
        ArgumentNullException.ThrowIfNull(market);
        return market.Sign(Digest(chainId, evaluation, deliveryId, header)).ToBytes();
    }
}
