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

    private static readonly TypedDataType TakeOverType = TypedDataType.Parse(
        "PublisherTakeOver(bytes32 schemaId,bytes32 pseudonym,uint64 nonce,uint8 accountPrefix,bytes32 accountX,bytes32 chainCode)");

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

    /// <summary>The digest of an account that is handed in; its signatures are not looked at.</summary>
    public static Bytes32 Digest(PublisherDomain domain, PublisherTakeOver takeOver)
    {
        ArgumentNullException.ThrowIfNull(domain);
        ArgumentNullException.ThrowIfNull(takeOver);
        return TakeOverType.HashToSign(domain.TypedData,
        [
            domain.SchemaId, domain.Pseudonym, (BigInteger)takeOver.Nonce, (BigInteger)takeOver.PublicKey[0],
            new Bytes32(takeOver.PublicKey.AsSpan(1)), new Bytes32(takeOver.ChainCode),
        ]);
    }

    /// <summary>Hands in the account of a seed, signed by the controller so far and by the account itself.</summary>
    public static PublisherTakeOver TakeOver(PublisherDomain domain, ulong nonce, ReadOnlySpan<byte> seed, EthereumAccount controller)
    {
        ArgumentNullException.ThrowIfNull(controller);
        PayoutAccount account = PayoutAccount.Of(seed);
        PublisherTakeOver unsigned = new()
        {
            Nonce = nonce, PublicKey = account.Key.ToArray(), ChainCode = account.ChainCode.ToArray(), Signature = [],
            AccountSignature = [],
        };
        Bytes32 digest = Digest(domain, unsigned);
        return unsigned with
        {
            Signature = controller.Sign(digest).ToBytes(),
            AccountSignature = new EthereumAccount(PatientKeys.Account(seed)).Sign(digest).ToBytes(),
        };
    }

    /// <summary>Whose key signed a digest; null for nobody's. What is wrong with a signature would help a forger only.</summary>
    internal static Address? SignerOf(Bytes32 digest, byte[] signature)
    {
        try
        {
            return EthereumAccount.Recover(digest, Signature.FromBytes(signature));
        }
        catch (InvalidSignatureException)
        {
            return null;
        }
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
