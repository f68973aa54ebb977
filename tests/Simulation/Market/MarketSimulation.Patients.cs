using System.Globalization;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Simulation.Chain;
using DeliveryRow = EmrMarket.Grains.Ledger.View.DeliveryRow;

namespace EmrMarket.Simulation.Market;

/// <summary>Patients, who command their pseudonyms by the seed that is with the site or by seeds of their own, and what is held of the
/// seeds: which stands behind a published leaf, and that a former one commands nothing.</summary>
internal sealed partial class MarketSimulation
{
    private const int Day = 86_400;
    private const int MostSeeds = 3;

    private readonly Dictionary<(SimulatedProcess Process, int Generation), int> _deciding = [];
    private int _paidToOwnSeeds;

    /// <summary>Somebody who commands a pseudonym.</summary>
    private sealed record Patient(int Site, ulong Person, Bytes32 Pseudonym)
    {
        public ulong Nonce { get; set; } = 1;

        public Message? Pending { get; set; }

        /// <summary>What is to be commanded once the pending message was acknowledged.</summary>
        public PublisherCommandKind? Then { get; set; }

        public bool IsGone { get; set; }

        /// <summary>The seed that is with the site, and those that were handed in, oldest first.</summary>
        public List<(byte[] Seed, EthereumAccount Controller)> Seeds { get; } =
            [SeedOf(PatientKeys.SeedAtSite(MarketWorld.KeyOf(Site), Person), Pseudonym)];

        /// <summary>The newest seed that the site acknowledged; of those after it any may hold.</summary>
        public int Acknowledged { get; set; }

        public EthereumAccount Controller => Seeds[Acknowledged].Controller;

        public PublisherDomain Domain =>
            new(SimulatedChain.ChainId, MarketWorld.Contracts.AccessControl, MarketWorld.Schema.LedgerId(), Pseudonym);
    }

    /// <summary>A signed message of a patient.</summary>
    /// <param name="Name">What it says.</param>
    /// <param name="Nonce">Its nonce.</param>
    /// <param name="Send">Sends it.</param>
    /// <param name="Wish">What the patient allows once it was acknowledged.</param>
    /// <param name="TakesOver">Whether it hands in the newest seed.</param>
    private sealed record Message(
        string Name, ulong Nonce, Func<IPublisherGrain, Task<PublisherOffer>> Send, MarketTruth.Wish Wish, bool TakesOver = false);

    private static (byte[] Seed, EthereumAccount Controller) SeedOf(byte[] seed, Bytes32 pseudonym) =>
        (seed, new EthereumAccount(PatientKeys.Controller(seed, pseudonym)));

    // ---- what patients do ---------------------------------------------------------------------------------------------------

    /// <summary>A patient commands something new, or gives a command again whose answer did not come.</summary>
    private void Command(int step)
    {
        foreach (Patient patient in _patients.Where(patient => _operator[patient.Site] > 1 && (_isCalm || _random.Next(3) == 0)))
        {
            SimulatedProcess process = Commanded(patient.Site);
            string name = "patient " + patient.Person;
            if (process.Points.IsDead || (_running.TryGetValue(name, out Task? running) && !running.IsCompleted))
            {
                continue;
            }

            if (patient.Pending is null && !_isCalm && !patient.IsGone
                && (_scenario.Wants is null || _scenario.HasTakeovers || _scenario is { HasOwnSeeds: true, HasRandomFaults: true })
                && _random.Next(_scenario.HasTakeovers ? 2 : _scenario.Wants is null ? 8 : 40) == 0)
            {
                Decide(patient, step);
            }

            if (patient.Pending is { } message)
            {
                _running[name] = CommandAsync(process, patient, message);
            }
            else if (_scenario.HasOwnSeeds && patient.Acknowledged > 0 && !_isCalm && _random.Next(8) == 0)
            {
                _running[name] = TryFormerSeedAsync(process, patient);
            }
        }
    }

    private void Decide(Patient patient, int step)
    {
        if (_scenario.HasOwnSeeds && patient.Seeds.Count < MostSeeds && _random.Next(4) == 0)
        {
            TakeOver(patient);
            return;
        }

        bool leaves = _scenario.WithdrawAt is { } at ? step >= at
            && patient == _patients.First(p => p.Site == patient.Site) : _random.Next(12) == 0;
        Decide(patient, leaves ? PublisherCommandKind.Withdraw : (PublisherCommandKind)_random.Next(1, 4));
    }

    private void Decide(Patient patient, PublisherCommandKind kind)
    {
        MarketTruth.Wish now = _truths[patient.Site].Newest(patient.Person);
        PublisherCommand command = kind == PublisherCommandKind.SetPolicy
            ? new PublisherCommand
            {
                Nonce = patient.Nonce, Kind = kind, Profile = (byte)_random.Next(1, 5), Rate = (byte)_random.Next(2), Quota = 2,
                Purpose = (byte)_random.Next(1, 4), ExpirySeconds = MarketWorld.Expiry,
                Signature = [],
            }
            : new PublisherCommand { Nonce = patient.Nonce, Kind = kind, Signature = [] };
        MarketTruth.Wish wish = kind switch
        {
            PublisherCommandKind.SetPolicy => new MarketTruth.Wish(command.Profile, command.Purpose, Participation.Active),
            PublisherCommandKind.Pause => now with { Participation = Participation.Paused },
            PublisherCommandKind.Resume => now with { Participation = Participation.Active },
            _ => now with { Participation = Participation.Withdrawn },
        };
        if (kind == PublisherCommandKind.Withdraw && patient.Acknowledged > 0)
        {
            command = command with { Revocations = RevocationsOf(patient) };
        }

        _journal.Add($"patient {patient.Person:x} wants {kind} {wish}");
        PublisherCommand signed = command.Sign(patient.Domain, patient.Controller);
        patient.Pending = new Message(kind.ToString(), patient.Nonce, publisher => publisher.CommandAsync(signed), wish);
        _truths[patient.Site].Wishes(patient.Person, wish);
    }

    /// <summary>The ledger's revocations of all the person's pseudonyms, which only the patient can sign.</summary>
    private PublisherRevocation[] RevocationsOf(Patient patient) =>
        [.. _truths[patient.Site].PseudonymsOf(patient.Person).Select(pseudonym => new PublisherRevocation
        {
            Pseudonym = MarketContext.Name(pseudonym),
            Signature = SeedOf(patient.Seeds[patient.Acknowledged].Seed, pseudonym).Controller.Sign(SignedMessages.Revocation(
                SimulatedChain.ChainId, MarketWorld.Contracts.AccessControl, (uint)patient.Site + 1, pseudonym)).ToBytes(),
        })];

    /// <summary>A patient makes a seed of the own, and hands in its account.</summary>
    private void TakeOver(Patient patient)
    {
        byte[] seed = new byte[PatientKeys.Length];
        _random.NextBytes(seed);
        PublisherTakeOver signed = PublisherMessages.TakeOver(patient.Domain, patient.Nonce, seed, patient.Controller);
        _journal.Add($"patient {patient.Person:x} wants seed {patient.Seeds.Count}");
        patient.Seeds.Add(SeedOf(seed, patient.Pseudonym));
        patient.Pending = new Message("TakeOver", patient.Nonce, publisher => publisher.TakeOverAsync(signed),
            _truths[patient.Site].Newest(patient.Person), TakesOver: true);
    }

    private static IPublisherGrain PublisherOf(SimulatedProcess process, Patient patient) => process.Grains.GetGrain<IPublisherGrain>(
        PublisherKey.Of(SiteName(patient.Site), SchemaId, MarketContext.Name(patient.Pseudonym)));

    private async Task CommandAsync(SimulatedProcess process, Patient patient, Message message)
    {
        try
        {
            PublisherOffer offer = await message.Send(PublisherOf(process, patient));
            Hold("command-counts-once", offer.NextNonce == message.Nonce + 1 && offer.Participation == message.Wish.Participation,
                $"the answer to {message.Name} {message.Nonce} is {offer}");
            if (patient.Pending != message)
            {
                // An answer that came twice: the call whose process died was made again.
                return;
            }

            _truths[patient.Site].Acknowledged(patient.Person, message.Wish);
            (patient.Pending, patient.Nonce) = (null, message.Nonce + 1);
            patient.Acknowledged = message.TakesOver ? patient.Seeds.Count - 1 : patient.Acknowledged;
            Hold("seed-is-the-patients", offer.OwnSeed == patient.Acknowledged > 0,
                $"after seed {patient.Acknowledged} the offer is {offer}");
            patient.IsGone = message.Wish.Participation == Participation.Withdrawn;
            _journal.Add(
                string.Create(CultureInfo.InvariantCulture,
                    $"patient {patient.Person:x} has {message.Wish} and seed {patient.Acknowledged}"));
            if (patient.Then is { } kind)
            {
                patient.Then = null;
                Decide(patient, kind);
            }
        }
        catch (Exception e) when (e is not MarketInvariantException)
        {
            _said.Add(e.ToString());
            if (e is SiteRefusedException)
            {
                Hold("command-is-taken", false, $"{message.Name} {message.Nonce} was refused: {e.Message}");
            }
        }
    }

    /// <summary>Whoever has a seed that counted before, be it the site itself, tries to command.</summary>
    private async Task TryFormerSeedAsync(SimulatedProcess process, Patient patient)
    {
        int former = _random.Next(patient.Acknowledged);
        PublisherCommand command = new PublisherCommand
        {
            Nonce = patient.Nonce, Kind = (PublisherCommandKind)_random.Next(2, 5), Signature = [],
        }.Sign(patient.Domain, patient.Seeds[former].Controller);
        try
        {
            PublisherOffer offer = await PublisherOf(process, patient).CommandAsync(command);
            Hold("former-seed-commands-nothing", false, $"seed {former} of {patient.Seeds.Count} commanded {command.Kind}: {offer}");
        }
        catch (Exception e) when (e is not MarketInvariantException)
        {
            // Refused, or lost with a process.
            _said.Add(e.ToString());
        }
    }

    // ---- epochs and their leaves --------------------------------------------------------------------------------------------

    /// <summary>Before a site's first epoch its first patient takes over.</summary>
    private bool IsSeedAwaited(int site)
    {
        if (!_scenario.HasOwnSeeds)
        {
            return false;
        }

        Patient first = _patients.First(patient => patient.Site == site);
        if (first is { Seeds.Count: 1, Pending: null })
        {
            TakeOver(first);
        }

        return first.Acknowledged == 0;
    }

    /// <summary>Decides an epoch, whose leaves have to stand under the seeds that were acknowledged before.</summary>
    private async Task DecideEpochAsync(SimulatedProcess process, ISiteGrain grain, int site)
    {
        (SimulatedProcess, int) here = (process, process.Points.Generation);
        bool isAlone = _deciding.GetValueOrDefault(here) == 0;
        _deciding[here] = _deciding.GetValueOrDefault(here) + 1;
        uint before = (await _siteStores[site].ReadEpochsAsync(SchemaId, CancellationToken.None)).LastOrDefault()?.Epoch.Epoch ?? 0;
        (Patient Patient, int Seed)[] acknowledged =
            [.. _patients.Where(patient => patient.Site == site).Select(patient => (patient, patient.Acknowledged))];
        try
        {
            SiteEpoch decided = await grain.DecideEpochAsync(SchemaId);
            if (!isAlone || decided.Epoch <= before)
            {
                // Decided by another call, which began before.
                return;
            }

            EpochFile file = EpochFile.Read((await _siteStores[site].FindFileAsync(decided.FileHash, CancellationToken.None))!);
            foreach ((Patient patient, int seed) in acknowledged)
            {
                int? published = PublishedSeed(patient, file);
                Hold("newest-seed-is-published", published is null || published >= seed,
                    $"epoch {decided.Epoch} of site {site + 1} has seed {published} of somebody whose seed {seed} was acknowledged");
            }
        }
        finally
        {
            _deciding[here]--;
        }
    }

    private int? PublishedSeed(Patient patient, EpochFile epoch)
    {
        int position = Array.FindIndex(epoch.Members, member => member.Pseudonym == patient.Pseudonym);
        return position < 0 ? null : SeedBehind(patient, epoch, epoch.Members[position].Controller);
    }

    private int SeedBehind(Patient patient, EpochFile epoch, Address controller)
    {
        int seed = patient.Seeds.FindIndex(one => one.Controller.Address == controller);
        Hold("leaf-is-of-a-seed", seed >= 0, $"epoch {epoch.Epoch} names {controller} as the controller of a patient who has no such key");
        return seed;
    }

    /// <summary>Seeds follow each other in the epochs of the ledger as they were handed in, and whoever was paid was under the seed of the
    /// epoch that was sold.</summary>
    private void CheckLeaves(LedgerReadModel view)
    {
        for (int site = 0; site < MarketWorld.Sites; site++)
        {
            CheckPasts(view, site);
        }

        foreach (Patient patient in _patients)
        {
            int newest = 0;
            foreach (EpochRow row in view.Epochs().Where(row => row.Header.Site == patient.Site + 1).OrderBy(row => row.Header.Epoch))
            {
                byte[] file = _siteStores[patient.Site]
                    .FindFileAsync(MarketContext.Name(row.Header.DataHash), CancellationToken.None).Result!;
                int published = PublishedSeed(patient, EpochFile.Read(file)) ?? newest;
                Hold("seeds-only-follow", published >= newest, $"epoch {row.Header.Epoch} has seed {published} after seed {newest}");
                newest = published;
            }
        }

        foreach (Grains.Ledger.View.RequestRow request in view.Requests())
        {
            foreach (DeliveryRow delivery in view.Deliveries(request.RequestId).Where(delivery => delivery.Status == BatchStatus.Final))
            {
                if (DeliveredFile(delivery) is not { } bytes)
                {
                    continue;
                }

                (EpochFile epoch, _) = EpochOf(delivery.Header.Site, request, view);
                DeliveryFile file = DeliveryFile.Read(bytes, MarketWorld.Schema);
                foreach (ClaimRow claim in view.Claims(delivery.Id))
                {
                    uint position = file.Leaves[claim.Slot].MemberPosition;
                    if (_patients.Find(patient => patient.Site + 1 == delivery.Header.Site
                        && patient.Pseudonym == epoch.Members[position].Pseudonym) is { } patient)
                    {
                        CheckPayee(patient, epoch, position, claim.Payee);
                        _paidToOwnSeeds += SeedBehind(patient, epoch, epoch.Members[position].Controller) > 0 ? 1 : 0;
                    }
                }
            }
        }
    }

    /// <summary>Every leaf points to the newest final epoch before in which its pseudonym stood, or somebody has the epoch
    /// voided.</summary>
    private void CheckPasts(LedgerReadModel view, int site)
    {
        Dictionary<Bytes32, (uint Epoch, uint Position)> stood = [];
        foreach (EpochRow row in view.Epochs().Where(row => row.Header.Site == site + 1).OrderBy(row => row.Header.Epoch))
        {
            EpochFile file = EpochFile.Read(
                _siteStores[site].FindFileAsync(MarketContext.Name(row.Header.DataHash), CancellationToken.None).Result!);
            foreach (MemberLeaf leaf in file.Members)
            {
                Hold("leaves-tell-their-past", (leaf.PreviousEpoch, leaf.PreviousPosition) == stood.GetValueOrDefault(leaf.Pseudonym),
                    $"epoch {row.Header.Epoch} of site {site + 1} has a leaf after {leaf.PreviousEpoch}/{leaf.PreviousPosition} of a "
                        + $"pseudonym that stood at {stood.GetValueOrDefault(leaf.Pseudonym)}");
            }

            foreach ((int position, MemberLeaf leaf) in file.Members.Index().Where(_ => row.Status == BatchStatus.Final))
            {
                stood[leaf.Pseudonym] = (row.Header.Epoch, (uint)position);
            }
        }
    }

    /// <summary>Whoever withdrew stands revoked on the ledger a day later, by a signature that their leaf accepts: the site's where the
    /// leaf is under the seed that is with it, else the patient's own under the seed with which they withdrew.</summary>
    private void CheckWithdrawalsReachTheLedger()
    {
        Patient[] gone = [.. _patients.Where(patient => patient.IsGone && IsSignedFor(patient))];
        if (gone.Length == 0)
        {
            return;
        }

        _chain.Wait(Day);
        for (int step = 0; step < 100 && !gone.All(IsRevoked); step++)
        {
            Calm(step);
            CheckAlways();
        }

        foreach (Patient patient in gone)
        {
            Hold("withdrawal-reaches-the-ledger", IsRevoked(patient),
                $"patient {patient.Person:x} withdrew with seed {patient.Acknowledged}, and the ledger does not say so a day later");
        }

        bool IsRevoked(Patient patient) => Audited().RevokedAt((uint)patient.Site + 1, patient.Pseudonym) is not null;
    }

    private bool IsSignedFor(Patient patient) =>
        Audited().FinalEpoch((uint)patient.Site + 1, MarketWorld.Schema.LedgerId()) is { } epoch
        && PublishedSeed(patient, EpochFile.Read(
            _siteStores[patient.Site].FindFileAsync(MarketContext.Name(epoch.Header.DataHash), CancellationToken.None).Result!))
            is { } seed && (seed == 0 || seed == patient.Acknowledged);
}
