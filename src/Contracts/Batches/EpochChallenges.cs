using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Batches;

/// <summary>The challenges against an epoch, made from its leaves and from those of the site's final epochs before it.</summary>
/// <remarks>
/// The contract judges every class. Of members, of which an epoch may have hundreds of thousands, it judges those that break a rule here,
/// and the first of each class besides, so that the rules here and there are seen to agree. A file puts a member into the class whose range
/// holds it, so a class's range is judged at both ends.
/// </remarks>
public static class EpochChallenges
{
    private const int MostAttributes = 64;

    /// <summary>All that can be raised; those of classes first.</summary>
    /// <param name="access">The contract.</param>
    /// <param name="epoch">The epoch.</param>
    /// <param name="earlier">All final epochs of the site and schema before it, by number; null when one of them is not known, so that the
    /// members' pasts cannot be judged.</param>
    public static IEnumerable<BatchChallenge> All(
        DynamicAccessControl access, PostedEpoch epoch, IReadOnlyDictionary<uint, PostedEpoch>? earlier)
    {
        ArgumentNullException.ThrowIfNull(access);
        ArgumentNullException.ThrowIfNull(epoch);
        return OfClasses(access, epoch).Concat(OfPseudonyms(access, epoch))
            .Concat(earlier is null ? [] : OfPasts(access, epoch, earlier));
    }

    /// <summary>Cap and range of every class.</summary>
    private static IEnumerable<BatchChallenge> OfClasses(DynamicAccessControl access, PostedEpoch epoch)
    {
        EpochBatch batch = epoch.Batch;
        for (uint k = 0; k < batch.Classes.Count; k++)
        {
            string where = Text($"class {k}");
            ClassOpening opening = batch.OpenClass(k);
            yield return new BatchChallenge("challengeEpsilonCap", where, access.ChallengeEpsilonCap(epoch.Posted, opening));
            uint last = batch.Starts[(int)k] + batch.Classes[(int)k].Size - 1;
            foreach (uint position in batch.Starts[(int)k] == last ? [last] : new[] { batch.Starts[(int)k], last })
            {
                yield return new BatchChallenge(
                    "challengeClassRange", where, access.ChallengeClassRange(epoch.Posted, opening, batch.OpenMember(position)));
            }
        }
    }

    private static IEnumerable<BatchChallenge> OfPseudonyms(DynamicAccessControl access, PostedEpoch epoch)
    {
        Dictionary<Bytes32, uint> first = [];
        for (uint position = 0; position < epoch.Batch.Members.Count; position++)
        {
            if (!first.TryAdd(epoch.Batch.Members[(int)position].Pseudonym, position))
            {
                uint other = first[epoch.Batch.Members[(int)position].Pseudonym];
                yield return new BatchChallenge("challengeDuplicate", Text($"members {other} and {position}"),
                    access.ChallengeDuplicate(epoch.Posted, epoch.Batch.OpenMember(other), epoch.Batch.OpenMember(position)));
            }
        }
    }

    /// <summary>Where each member says that it stood before, and where it did.</summary>
    private static IEnumerable<BatchChallenge> OfPasts(
        DynamicAccessControl access, PostedEpoch epoch, IReadOnlyDictionary<uint, PostedEpoch> earlier)
    {
        (uint Number, PostedEpoch Epoch, Dictionary<Bytes32, uint> Positions)[] pasts =
        [
            .. earlier.OrderByDescending(past => past.Key).Select(past => (past.Key, past.Value, past.Value.Batch.Members
                .Select((member, position) => (member.Pseudonym, Position: (uint)position)).DistinctBy(member => member.Pseudonym)
                .ToDictionary(member => member.Pseudonym, member => member.Position))),
        ];
        for (uint position = 0; position < epoch.Batch.Members.Count; position++)
        {
            MemberLeaf leaf = epoch.Batch.Members[(int)position];
            bool isFirst = epoch.Batch.Starts[(int)leaf.LocalClass] == position;
            string where = Text($"member {position}");
            PostedEpoch? before = earlier.GetValueOrDefault(leaf.PreviousEpoch);
            bool leads = before is not null && leaf.PreviousPosition < before.Batch.Members.Count;
            if (isFirst || (leaf.PreviousEpoch != 0 && !leads))
            {
                yield return new BatchChallenge("challengePointer", where,
                    access.ChallengePointer(epoch.Posted, epoch.Batch.OpenMember(position), (before ?? epoch).Posted));
            }

            if (leads && (isFirst || !IsPast(before!.Batch, leaf, epoch.Batch.Classes[(int)leaf.LocalClass])))
            {
                yield return History(access, where, epoch, position, before!, leaf.PreviousPosition);
            }

            foreach ((_, PostedEpoch past, Dictionary<Bytes32, uint> positions) in pasts.TakeWhile(
                past => past.Number > leaf.PreviousEpoch))
            {
                if (positions.TryGetValue(leaf.Pseudonym, out uint skipped))
                {
                    yield return History(access, where, epoch, position, past, skipped);
                }
            }
        }
    }

    private static BatchChallenge History(
        DynamicAccessControl access, string where, PostedEpoch epoch, uint position, PostedEpoch past, uint pastPosition) =>
        new("challengeHistory", where, access.ChallengeHistory(
            epoch.Posted, epoch.Batch.OpenMember(position), epoch.Batch.OpenClass(epoch.Batch.Members[(int)position].LocalClass),
            past.Posted, past.Batch.OpenMember(pastPosition), past.Batch.OpenClass(past.Batch.Members[(int)pastPosition].LocalClass)));

    /// <summary>Whether the leaf that a member points to has its pseudonym, and no grade that was released since fell.</summary>
    private static bool IsPast(EpochBatch before, MemberLeaf leaf, ClassLeaf now)
    {
        MemberLeaf past = before.Members[(int)leaf.PreviousPosition];
        BigInteger highest = before.Classes[(int)past.LocalClass].HighWater;
        return past.Pseudonym == leaf.Pseudonym
            && Enumerable.Range(0, MostAttributes).All(a => Grade(now.HighWater, a) >= Grade(highest, a));
    }

    private static int Grade(BigInteger grades, int attribute) => (int)((grades >> (4 * attribute)) & 0xF);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
