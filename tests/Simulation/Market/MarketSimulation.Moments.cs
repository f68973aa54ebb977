using System.Globalization;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Storage;
using DeliveryRow = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;
using StoredRequest = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Simulation.Market;

/// <summary>The moments at which people change their minds, and what is held of patients' uses afterwards.</summary>
internal sealed partial class MarketSimulation
{
    private readonly List<string> _moments = [];
    private readonly Dictionary<string, (ulong Head, string Said)> _onLedger = new(StringComparer.Ordinal);
    private Wanted? _struck;
    private bool _hasStruck;

    /// <summary>Notes the moments of all requests; true once, when one comes at which somebody is to act.</summary>
    private bool IsMoment()
    {
        if (_scenario.Wants is null)
        {
            return false;
        }

        bool comes = false;
        foreach (Wanted wanted in _wanted)
        {
            if (MomentOf(wanted) is not { } moment || _moments.Contains(moment))
            {
                continue;
            }

            _moments.Add(moment);
            if (_struck is null
                && (moment == _scenario.CancelMoment || moment == _scenario.WithdrawMoment || moment == _scenario.OwnSeedMoment))
            {
                (_struck, comes) = (wanted, true);
            }
        }

        return comes;
    }

    /// <summary>Lets happen what was to happen at the moment that has come.</summary>
    private void Strike()
    {
        if (_struck is null || _hasStruck)
        {
            return;
        }

        _hasStruck = true;
        if (_scenario.OwnSeedMoment is not null)
        {
            for (int site = 0; site < MarketWorld.Sites; site++)
            {
                Patient patient = _patients.First(patient => patient.Site == site);
                TakeOver(patient);
                patient.Then = PublisherCommandKind.Withdraw;
            }

            Command(int.MaxValue);
        }
        else if (_scenario.WithdrawMoment is not null)
        {
            for (int site = 0; site < MarketWorld.Sites; site++)
            {
                if (_scenario.HasTakeovers)
                {
                    TakeOver(site);
                }

                Decide(_patients.First(patient => patient.Site == site), PublisherCommandKind.Withdraw);
            }

            Command(int.MaxValue);
        }
        else if (!_scenario.CancelsOnLedger)
        {
            // Also before the market's answer: the key is the researcher's own.
            _running["cancel " + _struck.Key] = CancelAsync(_struck);
        }
        else if (OnLedger(_struck) is { } request)
        {
            _chain.Send(_struck.Researcher, Matching.CancelRequest(request.RequestId));
        }
    }

    /// <summary>Where a request stands on all sides; null before its terms were handed in.</summary>
    private string? MomentOf(Wanted wanted)
    {
        StoredRequest? row = _marketStore.FindRequestAsync(wanted.Key, CancellationToken.None).Result;
        if (row is null)
        {
            return null;
        }

        if (!_onLedger.TryGetValue(wanted.Key, out (ulong Head, string Said) seen) || seen.Head != _chain.Head)
        {
            _onLedger[wanted.Key] = seen = (_chain.Head, OnLedgerSaid(wanted));
        }

        SiteOrderRow? order = Array.FindLast(_siteStores[0].ReadOrdersAsync(CancellationToken.None).Result,
            order => row.RequestId > 0 && order.Delivery.RequestId == row.RequestId);
        return $"{row.State}, {seen.Said}, order {order?.State.ToString() ?? "none"}";
    }

    private string OnLedgerSaid(Wanted wanted)
    {
        LedgerReadModel view = Audited();
        if (OnLedger(wanted) is not { } request)
        {
            return "not on the ledger";
        }

        string book = request.Cancelled ? "cancelled" : view.Books(request.Terms.SchemaId).Any(book => book.Ordinal == request.Book)
            ? "closed" : "open";
        RoundRow? round = view.Rounds(request.Terms.SchemaId).Where(round => round.Header.Ordinal == request.Book)
            .MaxBy(round => round.Header.Attempt);
        DeliveryRow? delivery = view.Deliveries(request.RequestId).Where(delivery => delivery.Header.Site == 1)
            .MaxBy(delivery => delivery.Header.Attempt);
        string paid = delivery is null || delivery.Claimed == 0 ? "none" : delivery.Claimed < delivery.Header.Count ? "some" : "all";
        string decided = round is null ? "none"
            : round.Status == BatchStatus.Posted && round.SealedBlockHash is not null ? "Sealed" : round.Status.ToString();
        string delivered = delivery is null ? "none" : delivery.Status.ToString();
        string escrow = view.Escrow(request.RequestId)!.IsClosed ? "closed" : "open";
        return string.Create(CultureInfo.InvariantCulture,
            $"book {book}, round {decided}, delivery {delivered}, paid {paid}, escrow {escrow}");
    }

    /// <summary>Nobody is in a final delivery whose revocation was older than the grace when it was posted: its challenge would be
    /// accepted, and the site lose its bond.</summary>
    private void CheckRevoked(DeliveryRow delivery, LedgerRequest request, LedgerReadModel view)
    {
        EpochFile epoch = EpochOf(delivery.Header.Site, request, view).File;
        if (DeliveredFile(delivery) is not { } bytes)
        {
            return;
        }

        DeliveryFile file = DeliveryFile.Read(bytes, MarketWorld.Schema);
        foreach (Bytes32 pseudonym in file.Leaves.Where(leaf => leaf.PayoutAddress != Address.Zero)
            .Select(leaf => epoch.Members[leaf.MemberPosition].Pseudonym))
        {
            ulong? revoked = view.RevokedAt(delivery.Header.Site, pseudonym);
            Hold("nobody-revoked-is-delivered",
                revoked is null || delivery.Posting.Timestamp < revoked + MarketWorld.Deployment.Terms.RevocationGraceSeconds,
                $"a delivery of site {delivery.Header.Site} to request {request.RequestId} was posted at {delivery.Posting.Timestamp} "
                    + $"with somebody revoked at {revoked}");
        }
    }

    /// <summary>Every patient sees each use of the own record as it stands on the ledger, paid to an address of the own seed.</summary>
    private void CheckUses()
    {
        foreach (Patient patient in _patients)
        {
            SimulatedProcess process = _sites.First(s => s.Site == patient.Site).Process;
            Task<PublisherUse[]> asked = process.Grains.GetGrain<ISiteGrain>(SiteName(patient.Site))
                .UsesAsync(SchemaId, MarketContext.Name(patient.Pseudonym));
            for (int i = 0; i < 100 && !asked.IsCompleted; i++)
            {
                Turn(50);
            }

            Hold("uses-are-the-ledgers", asked.IsCompletedSuccessfully,
                $"a patient asked in vain: {asked.Exception?.InnerException?.Message}");
            CheckUses(patient,
                [.. asked.Result.Where(use => use.State != PublisherUseState.Void && use.State != PublisherUseState.Released)]);
        }
    }

    private void CheckUses(Patient patient, PublisherUse[] uses)
    {
        LedgerReadModel view = Audited();
        List<string> expected = [];
        foreach (LedgerRequest request in view.Requests())
        {
            foreach (DeliveryRow delivery in view.Deliveries(request.RequestId)
                .Where(d => d.Header.Site == patient.Site + 1 && d.Status == BatchStatus.Final))
            {
                (EpochFile epoch, _) = EpochOf(delivery.Header.Site, request, view);
                DeliveryFile file =
                    DeliveryFile.Read(_siteStores[patient.Site]
                        .FindFileAsync(MarketContext.Name(delivery.Header.DataHash), CancellationToken.None).Result!, MarketWorld.Schema);
                foreach (ClaimRow claim in view.Claims(delivery.Id)
                    .Where(claim => epoch.Members[file.Leaves[claim.Slot].MemberPosition].Pseudonym == patient.Pseudonym))
                {
                    expected.Add(Said(request.RequestId, claim.Slot, claim.Amount, claim.Payee, PublisherUseState.Paid));
                    CheckPayee(patient, epoch, file.Leaves[claim.Slot].MemberPosition, claim.Payee);
                }
            }
        }

        string[] told = [.. uses.Select(use => Said(use.RequestId, use.Slot, use.Amount, new Address(use.Payee), use.State))];
        Hold("uses-are-the-ledgers", told.Order(StringComparer.Ordinal).SequenceEqual(expected.Order(StringComparer.Ordinal)),
            $"a patient is told of {string.Join(" and ", told)}; on the ledger is {string.Join(" and ", expected)}");
        _uses += told.Length;

        static string Said(ulong request, uint slot, UInt128 amount, Address payee, PublisherUseState state) =>
            $"request {request} slot {slot} {amount} to {payee} {state}";
    }

    private int _uses;

    /// <summary>An address is one of those that the seed behind the published leaf gives for the epoch, and the published root commits to
    /// them.</summary>
    private void CheckPayee(Patient patient, EpochFile epoch, uint position, Address payee)
    {
        byte[] seed = patient.Seeds[SeedBehind(patient, epoch, epoch.Members[position].Controller)].Seed;
        Address[] own =
            EthereumAccount.AddressesOf(
                [.. Enumerable.Range(0, 1 << epoch.PayoutDepth)
                    .Select(index => PatientKeys.Payout(seed, patient.Pseudonym, epoch.Epoch, (uint)index))]);
        Contracts.Merkle.TreeNode[] leaves = [
            .. own.Select((address, index) => Contracts.Merkle.Leaves.Payout(patient.Pseudonym, (uint)index, address))];
        Hold("patients-are-paid", own.Contains(payee)
            && Contracts.Merkle.SumTree.Build(epoch.PayoutDepth, leaves).Root.Hash == epoch.Members[position].PayoutRoot,
            $"payee {payee} is none of the patient's {string.Join(", ", own)}, or they are not those of the published root");
    }

    private (EpochFile File, EpochRow Row) EpochOf(uint site, LedgerRequest request, LedgerReadModel view)
    {
        ulong closed = view.Books(request.Terms.SchemaId).First(book => book.Ordinal == request.Book).ClosedBlock;
        EpochRow row = view.FinalEpoch(site, request.Terms.SchemaId, closed)!;
        return (EpochFile.Read(
            _siteStores[site - 1].FindFileAsync(MarketContext.Name(row.Header.DataHash), CancellationToken.None).Result!), row);
    }
}
