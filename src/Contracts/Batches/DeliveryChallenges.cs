using System.Globalization;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Batches;

/// <summary>What a delivery is judged against.</summary>
/// <param name="Match">The final round that sold it.</param>
/// <param name="Round">The round's leaves.</param>
/// <param name="Epoch">The site's epoch that the round sold.</param>
/// <param name="Request">The request's index in the book.</param>
public sealed record DeliverySale(Round Match, RoundBatch Round, PostedEpoch Epoch, uint Request);

/// <summary>The challenges against a delivery, slot by slot.</summary>
/// <remarks>
/// The right payout address of a member is hidden by a hash until it was paid to. Where one address serves all sales (payout depth 0), a
/// leaf that pays to another one shows, and whoever saw the right one in another delivery can prove it; with deeper trees only the patient
/// and the site can.
/// </remarks>
public static class DeliveryChallenges
{
    /// <summary>All that can be raised.</summary>
    /// <param name="evaluation">The contract.</param>
    /// <param name="delivery">What was posted.</param>
    /// <param name="batch">Its leaves.</param>
    /// <param name="sale">What it is judged against.</param>
    /// <param name="isRevoked">Whether a pseudonym of the site is revoked.</param>
    /// <param name="payeesOf">Addresses at which a pseudonym may have been paid; asked for those alone whose leaf pays to another than the
    /// member's.</param>
    public static IEnumerable<BatchChallenge> All(
        DataEvaluation evaluation, Delivery delivery, DeliveryBatch batch, DeliverySale sale, Predicate<Bytes32> isRevoked,
        Func<Bytes32, IEnumerable<Address>> payeesOf)
    {
        ArgumentNullException.ThrowIfNull(evaluation);
        ArgumentNullException.ThrowIfNull(delivery);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(sale);
        ArgumentNullException.ThrowIfNull(isRevoked);
        ArgumentNullException.ThrowIfNull(payeesOf);
        uint site = delivery.Header.Site;
        EpochBatch epoch = sale.Epoch.Batch;
        RowOpening sold = sale.Round.OpenSiteRow(sale.Request, site);
        uint[] starts =
        [
            .. Enumerable.Range(0, epoch.Classes.Count)
                .Select(k => sale.Round.FirstSlot(PositionOf(sale.Round, site, (uint)k), sale.Request)),
        ];
        bool spotted = false;
        uint class_ = 0;
        for (uint slot = 0; slot < batch.Leaves.Count; slot++)
        {
            DeliveryOpening opening = batch.Open(slot);
            if (opening.Leaf == DeliveryBatch.Undelivered)
            {
                continue;
            }

            string where = string.Create(CultureInfo.InvariantCulture, $"slot {slot}");
            if (slot >= sold.Sum)
            {
                yield return new("challengeExcess", where, evaluation.ChallengeExcess(delivery, opening, sale.Match, sold));
                continue;
            }

            while (class_ + 1 < starts.Length && starts[class_ + 1] <= slot)
            {
                class_++;
            }

            uint position = PositionOf(sale.Round, site, class_);
            SlotEvidence evidence = new(
                sale.Match, epoch.Evidence(sale.Epoch.Posted.Posting, class_), sale.Round.OpenPrice(position),
                sale.Round.OpenByRequest(position, sale.Request), sale.Round.OpenByClass(position, sale.Request));
            yield return new("challengeSlot", where, evaluation.ChallengeSlot(delivery, opening, evidence));
            if (opening.Leaf.MemberPosition >= epoch.Members.Count)
            {
                continue;
            }

            MemberOpening member = epoch.OpenMember(opening.Leaf.MemberPosition);
            if (isRevoked(member.Leaf.Pseudonym))
            {
                yield return new("challengeRevoked", where, evaluation.ChallengeRevoked(delivery, opening, sale.Epoch.Posted, member));
            }

            bool isHis = IsHis(member.Leaf, opening.Leaf.PayoutAddress);
            if (sale.Epoch.Posted.Header.PayoutDepth == 0 && (!isHis || !spotted)
                && (isHis ? opening.Leaf.PayoutAddress : Find(member.Leaf, payeesOf)) is { } payee)
            {
                // One that is right as well, so that the rule here and the contract's are seen to agree.
                spotted |= isHis;
                yield return new("challengePayee", where,
                    evaluation.ChallengePayee(delivery, opening, evidence, member, new PayoutOpening(payee, [])));
            }
        }
    }

    private static Address? Find(MemberLeaf member, Func<Bytes32, IEnumerable<Address>> payeesOf)
    {
        foreach (Address payee in payeesOf(member.Pseudonym))
        {
            if (IsHis(member, payee))
            {
                return payee;
            }
        }

        return null;
    }

    /// <summary>Whether an address is the only one in a member's payout tree.</summary>
    private static bool IsHis(MemberLeaf member, Address payee) => Leaves.Payout(member.Pseudonym, 0, payee).Hash == member.PayoutRoot;

    private static uint PositionOf(RoundBatch round, uint site, uint class_) => ((site - 1) << round.Header.ClassBits) | class_;
}
