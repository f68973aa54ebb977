using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Grains.Site.Epochs;

/// <summary>
/// Tells the ledger who withdrew, so that no delivery can name them later and everybody can check it. All of a day go together, at the
/// day's first step of the ledger's time, in the order of their pseudonyms: when somebody withdrew is not told. The site signs with the
/// keys that patients leave with it; who has the own seed signed it with the withdrawal.
/// </summary>
internal static class Revocations
{
    /// <summary>The most that the contract takes at once.</summary>
    public const int Most = 64;

    /// <summary>The calls that revoke members of an epoch.</summary>
    /// <param name="contract">The contract.</param>
    /// <param name="batch">The epoch.</param>
    /// <param name="posting">Who posted it when.</param>
    /// <param name="members">The positions of those who withdrew, with the signatures of their controllers.</param>
    public static IEnumerable<ContractCall> Calls(
        DynamicAccessControl contract, EpochBatch batch, Posting posting, IEnumerable<(uint Position, byte[] Signature)> members)
    {
        Epoch epoch = new(batch.Header, posting);
        return members.OrderBy(member => batch.Members[(int)member.Position].Pseudonym).Chunk(Most).Select(chunk => contract.Revoke(
            [.. chunk.Select(member => new Revocation(epoch, batch.OpenMember(member.Position), member.Signature))]));
    }
}
