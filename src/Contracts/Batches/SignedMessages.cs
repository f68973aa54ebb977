using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Contracts.Batches;

/// <summary>The digests of what the contracts take a signature for: EIP-712 (docs/WIRE.md, "Signatures").</summary>
public static class SignedMessages
{
    private static readonly TypedDataType ReceiptType = TypedDataType.Parse(
        "DeliveryReceipt(bytes32 deliveryId,bytes32 root,uint8 depth,uint32 count,uint112 amount,uint96 effective,bytes32 dataHash)");

    private static readonly TypedDataType RevocationType = TypedDataType.Parse("Revocation(uint32 site,bytes32 pseudonym)");

    /// <summary>The domain of all messages under one contract.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="contract">The contract that verifies.</param>
    public static TypedDataDomain Domain(ulong chainId, Address contract) => new("EmrMarket", "1", chainId, contract);

    /// <summary>The market's word that it has a delivery.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="evaluation">DataEvaluation.</param>
    /// <param name="deliveryId">The delivery.</param>
    /// <param name="header">Its header.</param>
    public static Bytes32 Receipt(ulong chainId, Address evaluation, Bytes32 deliveryId, DeliveryHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        return ReceiptType.HashToSign(
            Domain(chainId, evaluation),
            [deliveryId, header.Root, header.Depth, header.Count, header.Amount, header.Effective, header.DataHash]);
    }

    /// <summary>A pseudonym's withdrawal, for ever.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="accessControl">DynamicAccessControl.</param>
    /// <param name="site">The site's number.</param>
    /// <param name="pseudonym">The pseudonym, whose controller signs.</param>
    public static Bytes32 Revocation(ulong chainId, Address accessControl, uint site, Bytes32 pseudonym) =>
        RevocationType.HashToSign(Domain(chainId, accessControl), [site, pseudonym]);
}
