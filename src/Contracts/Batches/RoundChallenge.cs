using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Batches;

/// <summary>One challenge that the leaves of a round allow to be raised.</summary>
/// <param name="Kind">The contract's method, for example challengePair.</param>
/// <param name="Class">The class's position in the round.</param>
/// <param name="Request">The request's index in the book.</param>
/// <param name="Call">What would be sent.</param>
public sealed record RoundChallenge(string Kind, uint Class, uint Request, ContractCall Call);

/// <summary>Every challenge against a round, made from its own leaves: what a committer tries before others do, and an auditor
/// afterwards.</summary>
/// <remarks>A round that refuses all of them has no fault of the kinds E1 to E8, no dropped request that must be kept, and no sale of what
/// does not exist: each challenge concerns one class, one request or one pair, and all classes, requests and pairs are gone
/// through.</remarks>
public static class RoundChallenges
{
    /// <summary>All challenges, cheapest first.</summary>
    /// <param name="matching">The contract.</param>
    /// <param name="round">What was posted.</param>
    /// <param name="batch">Its leaves.</param>
    /// <param name="classes">Every class of every site's current epoch at the closing of the book.</param>
    /// <param name="requestIds">The book's requests by index.</param>
    /// <exception cref="ArgumentException">There is no class or no request, or two classes have one position.</exception>
    public static IEnumerable<RoundChallenge> All(
        MatchingDecision matching, Round round, RoundBatch batch, IReadOnlyCollection<ClassEvidence> classes,
        IReadOnlyList<ulong> requestIds)
    {
        ArgumentNullException.ThrowIfNull(matching);
        ArgumentNullException.ThrowIfNull(round);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(classes);
        ArgumentNullException.ThrowIfNull(requestIds);
        if (classes.Count == 0 || requestIds.Count == 0)
        {
            throw new ArgumentException("a round decides at least one request, and is challenged by classes that exist", nameof(classes));
        }

        Dictionary<uint, ClassEvidence> byPosition = classes.ToDictionary(evidence => PositionOf(batch, evidence));
        return OfRequests(matching, round, batch, requestIds)
            .Concat(OfClasses(matching, round, batch, byPosition, requestIds))
            .Concat(OfPairs(matching, round, batch, byPosition, requestIds))
            .Concat(OfSales(matching, round, batch, byPosition));
    }

    /// <summary>The first challenge that the contract would accept now, or none.</summary>
    /// <param name="matching">The contract.</param>
    /// <param name="challenger">Who would raise it.</param>
    /// <param name="challenges">Challenges of one posted round.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="ContractRevertException">A challenge is refused for another reason than that it shows no fault: the evidence is not
    /// the ledger's, or the round is not open to challenges.</exception>
    public static async Task<RoundChallenge?> FindFaultAsync(
        MatchingDecision matching, Address challenger, IEnumerable<RoundChallenge> challenges, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(matching);
        ArgumentNullException.ThrowIfNull(challenges);
        foreach (RoundChallenge challenge in challenges)
        {
            try
            {
                await matching.TryAsync(challenge.Call, challenger, cancellationToken);
                return challenge;
            }
            catch (NoFaultException)
            {
                // Right in this respect.
            }
        }

        return null;
    }

    /// <summary>E4, E5 of a request, and dropping.</summary>
    private static IEnumerable<RoundChallenge> OfRequests(
        MatchingDecision matching, Round round, RoundBatch batch, IReadOnlyList<ulong> requestIds)
    {
        for (uint j = 0; j < requestIds.Count; j++)
        {
            yield return new RoundChallenge(
                "challengeRequest", 0, j,
                matching.ChallengeRequest(round, batch.OpenRequest(requestIds[(int)j], j), batch.OpenRequestRow(j)));
        }
    }

    /// <summary>E3, E5 of a class, and E8 where it has a premium.</summary>
    private static IEnumerable<RoundChallenge> OfClasses(
        MatchingDecision matching, Round round, RoundBatch batch, Dictionary<uint, ClassEvidence> byPosition,
        IReadOnlyList<ulong> requestIds)
    {
        foreach ((uint c, ClassEvidence evidence) in byPosition)
        {
            PriceOpening price = batch.OpenPrice(c);
            yield return new RoundChallenge("challengeClass", c, 0, matching.ChallengeClass(round, evidence, price, batch.OpenClassRow(c)));
            if (price.Leaf.Premium > 0)
            {
                // A support that does not exist is at fault by its name alone; the contract then reads none of the other openings.
                uint j = price.Leaf.SupportRequest < requestIds.Count ? price.Leaf.SupportRequest : 0;
                bool fits = price.Leaf.SupportClass >> batch.PositionBits == 0;
                uint support = fits ? price.Leaf.SupportClass : c;
                yield return new RoundChallenge("challengeSupport", c, j, matching.ChallengeSupport(
                    round, evidence, price, batch.OpenRequest(requestIds[(int)j], j), batch.OpenByClass(c, j), batch.OpenRequestRow(j),
                    byPosition.GetValueOrDefault(support, evidence), batch.OpenPrice(support), batch.OpenByClass(support, j)));
            }
        }
    }

    /// <summary>E1, E2, E5, E6 and E7 of a class and a request.</summary>
    private static IEnumerable<RoundChallenge> OfPairs(
        MatchingDecision matching, Round round, RoundBatch batch, Dictionary<uint, ClassEvidence> byPosition,
        IReadOnlyList<ulong> requestIds)
    {
        foreach ((uint c, ClassEvidence evidence) in byPosition)
        {
            PriceOpening price = batch.OpenPrice(c);
            for (uint j = 0; j < requestIds.Count; j++)
            {
                SalesOpening byClass = batch.OpenByClass(c, j);
                yield return new RoundChallenge("challengePair", c, j,
                    matching.ChallengePair(round, evidence, price, batch.OpenRequest(requestIds[(int)j], j), byClass));
                yield return new RoundChallenge(
                    "challengeSymmetry", c, j, matching.ChallengeSymmetry(round, c, j, byClass, batch.OpenByRequest(c, j)));
            }
        }
    }

    /// <summary>Sales by or to what does not exist, and E7 there.</summary>
    private static IEnumerable<RoundChallenge> OfSales(
        MatchingDecision matching, Round round, RoundBatch batch, Dictionary<uint, ClassEvidence> byPosition)
    {
        foreach ((uint c, uint j) in batch.Pairs)
        {
            // Any class's epoch serves where the site has none.
            Epoch epoch = byPosition.Values.FirstOrDefault(
                evidence => evidence.Epoch.Header.Site == (c >> batch.Header.ClassBits) + 1, byPosition.Values.First()).Epoch;
            SalesOpening sale = batch.OpenByClass(c, j);
            yield return new RoundChallenge(
                "challengeSymmetry", c, j, matching.ChallengeSymmetry(round, c, j, sale, batch.OpenByRequest(c, j)));
            if (sale.Quantity > 0)
            {
                yield return new RoundChallenge("challengePhantom", c, j, matching.ChallengePhantom(round, c, j, sale, epoch));
            }
        }
    }

    private static uint PositionOf(RoundBatch batch, ClassEvidence evidence) =>
        ((evidence.Epoch.Header.Site - 1) << batch.Header.ClassBits) | evidence.Class.Index;
}
