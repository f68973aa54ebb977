using System.Numerics;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Site;

namespace EmrMarket.Grains.Site.Publishers;

/// <summary>
/// What patients sign (docs/WIRE.md, "Patients' messages"): EIP-712 under the domain of the ledger's DynamicAccessControl, whose own
/// messages have other types, so that none stands for another.
/// </summary>
public static class PublisherMessages
{
    private static readonly TypedDataType CommandType = TypedDataType.Parse(
        "PublisherCommand(bytes32 schemaId,bytes32 pseudonym,uint64 nonce,uint8 kind,uint8 profile,uint8 rate,uint16 quota,uint8 "
            + "purpose,uint64 expiry)");

    /// <summary>The digest of a command; its signature is not looked at.</summary>
    public static Bytes32 Digest(PublisherDomain domain, PublisherCommand command)
    {
        ArgumentNullException.ThrowIfNull(domain);
        ArgumentNullException.ThrowIfNull(command);
        return CommandType.HashToSign(domain.TypedData,
        [
            domain.SchemaId, domain.Pseudonym, (BigInteger)command.Nonce, (BigInteger)(int)command.Kind, (BigInteger)command.Profile,
            (BigInteger)command.Rate,
            (BigInteger)command.Quota, (BigInteger)command.Purpose, (BigInteger)command.ExpirySeconds,
        ]);
    }

    /// <summary>Signs a command with the pseudonym's controller key.</summary>
    public static PublisherCommand Sign(this PublisherCommand command, PublisherDomain domain, EthereumAccount controller)
    {
        ArgumentNullException.ThrowIfNull(controller);
        return command with { Signature = controller.Sign(Digest(domain, command)).ToBytes() };
    }
}

/// <summary>For whom and where a patient's message holds.</summary>
/// <param name="ChainId">The ledger's chain.</param>
/// <param name="AccessControl">The ledger's DynamicAccessControl.</param>
/// <param name="SchemaId">The schema.</param>
/// <param name="Pseudonym">The pseudonym.</param>
public sealed record PublisherDomain(ulong ChainId, Address AccessControl, Bytes32 SchemaId, Bytes32 Pseudonym)
{
    internal TypedDataDomain TypedData => SignedMessages.Domain(ChainId, AccessControl);
}
