using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Batches;

/// <summary>The ids of batches, known before they are posted (docs/WIRE.md, "Batches").</summary>
public static class BatchId
{
    /// <summary>Of an epoch.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="accessControl">The contract DynamicAccessControl.</param>
    /// <param name="site">1, 2, 3, ...</param>
    /// <param name="schemaId">The schema.</param>
    /// <param name="epoch">1, 2, 3, ...</param>
    public static Bytes32 Epoch(ulong chainId, Address accessControl, uint site, Bytes32 schemaId, uint epoch)
    {
        WordWriter words = new(stackalloc byte[6 * Bytes32.Length]);
        words.Write(1UL);
        words.Write(chainId);
        words.Write(accessControl);
        words.Write((ulong)site);
        words.Write(schemaId);
        words.Write((ulong)epoch);
        return Keccak256.Hash(words.Written);
    }

    /// <summary>Of a round.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="matching">The contract MatchingDecision.</param>
    /// <param name="schemaId">The schema.</param>
    /// <param name="ordinal">The book's ordinal, 0, 1, 2, ...</param>
    /// <param name="attempt">0, 1, 2, ...</param>
    public static Bytes32 Round(ulong chainId, Address matching, Bytes32 schemaId, uint ordinal, uint attempt)
    {
        WordWriter words = new(stackalloc byte[6 * Bytes32.Length]);
        words.Write(2UL);
        words.Write(chainId);
        words.Write(matching);
        words.Write(schemaId);
        words.Write((ulong)ordinal);
        words.Write((ulong)attempt);
        return Keccak256.Hash(words.Written);
    }

    /// <summary>Of a delivery.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="evaluation">The contract DataEvaluation.</param>
    /// <param name="requestId">1, 2, 3, ...</param>
    /// <param name="site">1, 2, 3, ...</param>
    /// <param name="attempt">0, 1, 2, ...</param>
    public static Bytes32 Delivery(ulong chainId, Address evaluation, ulong requestId, uint site, uint attempt)
    {
        WordWriter words = new(stackalloc byte[6 * Bytes32.Length]);
        words.Write(3UL);
        words.Write(chainId);
        words.Write(evaluation);
        words.Write(requestId);
        words.Write((ulong)site);
        words.Write((ulong)attempt);
        return Keccak256.Hash(words.Written);
    }

    /// <summary>The hash of a filterable cell, for example "age=40-49": keccak of its UTF-8 text; zero for none.</summary>
    public static Bytes32 PublicCell(string cell) => string.IsNullOrEmpty(cell) ? Bytes32.Zero : Keccak256.Hash(cell);
}
