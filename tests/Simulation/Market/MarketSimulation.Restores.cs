using System.Globalization;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site.Storage;
using DeliveryRow = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;

namespace EmrMarket.Simulation.Market;

/// <summary>
/// Roles that are backed up at some moment and destroyed at a later one, and put back as <c>emr restore</c> does: alone, or market and
/// sites together. People go on meanwhile: patients withdraw, and staff enter that again before the site goes on.
/// </summary>
internal sealed partial class MarketSimulation
{
    private const int Everybody = MarketWorld.Sites;
    private const int StepsBetweenBackups = 30;
    private const int StepsToDestruction = 60;
    private const int StepsBetweenWithdrawals = 80;
    private const int MostRestores = 3;

    private readonly HashSet<int> _restoredSites = [];
    private Backup? _backup;
    private int _restores;
    private int _lostRounds;
    private int _forgottenDeliveries;
    private bool _hasLateSite;

    /// <summary>What was backed up.</summary>
    /// <param name="Place">A site from 0, the market, or all.</param>
    /// <param name="Seconds">The time.</param>
    /// <param name="Market">The market's store and disk; null when it is not in it.</param>
    /// <param name="Sites">The sites' stores and disks.</param>
    private sealed record Backup(
        int Place, long Seconds, (MemoryMarketStore Store, Disk Disk)? Market, (int Site, MemorySiteStore Store, Disk Disk)[] Sites);

    private void BackUpAndRestore()
    {
        Patient[] there = [.. _patients.Where(patient => patient is { Pending: null, IsGone: false })];
        if (there.Length > 0 && _random.Next(StepsBetweenWithdrawals) == 0)
        {
            Decide(there[_random.Next(there.Length)], PublisherCommandKind.Withdraw);
        }

        if (_backup is null && _restores < MostRestores && _operator.All(step => step > 2) && _random.Next(StepsBetweenBackups) == 0)
        {
            int place = _random.Next(Market, Everybody + 1);
            _backup = new Backup(place, (long)_chain.Now,
                place is Market or Everybody ? (StoreCopy.Of(_marketStore), CopyOf(_market.Disk)) : null,
                [.. Enumerable.Range(0, MarketWorld.Sites).Where(site => place == Everybody || place == site)
                    .Select(site => (site, StoreCopy.Of(_siteStores[site]), CopyOf(_sites[site].Process.Disk)))]);
            _journal.Add(string.Create(CultureInfo.InvariantCulture, $"back up {place}"));
        }
        else if (_backup is { } backup && _random.Next(StepsToDestruction) == 0)
        {
            _backup = null;
            if (IsEveryEpochSomewhere(backup))
            {
                Restore(backup);
            }
        }
    }

    /// <summary>An epoch whose file is lost on both sides needs a later backup of either (docs/BACKUP.md).</summary>
    private bool IsEveryEpochSomewhere(Backup backup) => Audited().Epochs().Where(epoch => epoch.Status != BatchStatus.Void).All(epoch =>
    {
        string hash = MarketContext.Name(epoch.Header.DataHash);
        int site = (int)epoch.Header.Site - 1;
        MemoryMarketStore market = backup.Market?.Store ?? _marketStore;
        MemorySiteStore own = backup.Sites.FirstOrDefault(one => one.Site == site).Store ?? _siteStores[site];
        return market.FindFileAsync(hash, CancellationToken.None).Result is not null
            || own.FindFileAsync(hash, CancellationToken.None).Result is not null;
    });

    private void Restore(Backup backup)
    {
        _restores++;
        _journal.Add(string.Create(CultureInfo.InvariantCulture, $"destroy and restore {backup.Place}"));
        foreach ((int site, MemorySiteStore store, Disk disk) in backup.Sites)
        {
            _forgottenDeliveries += Forgotten(_siteStores[site]) - Forgotten(store);
            End(_sites[site].Process);
            store.SaveRestoreAsync(new SiteRestoreRow(backup.Seconds, 0, IsConfirmed: false), CancellationToken.None).Wait();
            _siteStores[site] = store;
            _restoredSites.Add(site);
            SimulatedProcess next = SiteProcess(
                string.Create(CultureInfo.InvariantCulture, $"site{site + 1} restored {_restores}/"), site, disk);
            next.Open(_random.Next());
            _sites[site] = (next, site);
        }

        if (backup.Market is { } market)
        {
            End(_market);
            _marketStore = market.Store;
            _marketStore.OrderAgainAbove((long)_chain.Now + (1_000L * _restores));
            _lostRounds += Audited().Rounds(MarketWorld.Schema.LedgerId()).Count(round => round.Status == BatchStatus.Final
                && _marketStore.FindFileAsync(MarketContext.Name(round.Header.DataHash), CancellationToken.None).Result is null);
            _market = MarketProcess(string.Create(CultureInfo.InvariantCulture, $"market restored {_restores}/"), market.Disk);
            _market.Open(_random.Next());
            foreach (Wanted wanted in _wanted)
            {
                wanted.IsDrafted &= Status(wanted) is not null;
            }

            if (!_hasLateSite && _random.Next(2) == 0)
            {
                // Positions of rounds have more bits from now on than those of the rounds that were lost.
                _hasLateSite = true;
                _chain.Send(MarketWorld.Consortium, new DynamicAccessControl(null!, MarketWorld.Contracts.AccessControl).RegisterSite(
                    MarketWorld.Auditor, Keccak256.Hash("a third site")));
            }
        }

        _running.Clear();
        _answers.Clear();

        static int Forgotten(MemorySiteStore store) =>
            store.ReadOrdersAsync(CancellationToken.None).Result.Count(order => order.State == SiteOrderState.Released);
    }

    /// <summary>Staff of a site that was put back enter again what patients commanded, and let it go on. True when there was something to
    /// do.</summary>
    private async Task<bool> ReconcileAsync(ISiteGrain grain, int site)
    {
        if (!_restoredSites.Contains(site) || await grain.RestoreAsync() is not { IsConfirmed: false } restore)
        {
            return false;
        }

        if (restore.Open.Length == 0)
        {
            foreach (Patient patient in _patients.Where(patient =>
                patient.Site == site && _truths[site].Newest(patient.Person).Participation == Participation.Withdrawn))
            {
                await grain.WithdrawAtDeskAsync(SchemaId, _truths[site].Records[patient.Pseudonym]);
                _truths[site].Acknowledged(patient.Person, _truths[site].Newest(patient.Person));
                (patient.Pending, patient.IsGone) = (null, true);
            }

            await grain.ConfirmRestoreAsync(_scenario.Seed % 4 == 0);
        }

        return true;
    }

    private static void End(SimulatedProcess process)
    {
        process.Points.Kill();
        process.Dispose();
    }

    private Disk CopyOf(Disk disk) => new()
    {
        Ledger = StoreCopy.Of(disk.Ledger), States = StoreCopy.Of(disk.States), Holder = NewDisk().Holder,
    };

    /// <summary>What a delivery on the ledger held; null where a market that was put back lost it, and nobody may send it again.</summary>
    private byte[]? DeliveredFile(DeliveryRow delivery)
    {
        byte[]? file = _marketStore.FindFileAsync(MarketContext.Name(delivery.Header.DataHash), CancellationToken.None).Result;
        Hold("files-are-kept", file is not null || _scenario.HasRestores, $"the market lost the file of {delivery.Id}");
        return file;
    }

    /// <summary>Whether somebody asked again for a request that a restored market forgot, and was too late.</summary>
    private bool IsForgotten(LedgerRequest request) => _scenario.HasRestores && _wanted.Exists(wanted =>
        wanted is { IsRefused: true, Funded: > 0 } && wanted.Terms.Hash() == request.Terms.TermsHash);
}
