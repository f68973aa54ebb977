using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Embedded.State;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Grains.Tests.Ledger;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>Only its controller commands a pseudonym, each command counts once, and what is refused changes nothing.</summary>
public sealed class PublisherGrainTests(LedgerFixture fixture) : IClassFixture<LedgerFixture>
{
    private const ulong Person = 1001;
    private static readonly byte[] Key = [.. Enumerable.Range(1, SiteOptions.KeyBytes).Select(i => (byte)i)];
    private static readonly Bytes32 Schema = Bytes32.ParseDigits(Clinic.Schema.Id);
    private static readonly Bytes32 Pseudonym = PatientKeys.Pseudonym(Key, Schema, 1);
    private static readonly EthereumAccount Controller = new(PatientKeys.Controller(PatientKeys.SeedAtSite(Key, Person), Pseudonym));

    private static readonly byte[] Own = [.. Enumerable.Range(50, PatientKeys.Length).Select(i => (byte)i)];
    private static readonly EthereumAccount OwnController = new(PatientKeys.Controller(Own, Pseudonym));

    private static PublisherCommand Policy(ulong nonce) => new()
    {
        Nonce = nonce, Kind = PublisherCommandKind.SetPolicy, Profile = 2, Rate = 1, Quota = 7, Purpose = 2, ExpirySeconds = 3_000_000_000,
        Signature = [],
    };

    private static PublisherCommand Plain(ulong nonce, PublisherCommandKind kind) => new() { Nonce = nonce, Kind = kind, Signature = [] };

    [RequiresFact(Tool.Anvil)]
    public async Task Signed_policy_holds_and_the_same_again_changes_nothing()
    {
        await using Site site = await Site.OpenAsync(await fixture.StartedAsync());
        PublisherCommand command = Policy(1).Sign(site.Domain, Controller);
        PublisherOffer first = await site.Publisher.CommandAsync(command);
        PublisherOffer again = await site.Publisher.CommandAsync(command);

        Assert.Equal(first, again);
        Assert.Equal((2UL, 2, 1, 7, 2, 3_000_000_000L),
            (first.NextNonce, (int)first.Profile, (int)first.Rate, (int)first.Quota, (int)first.Purpose, first.ExpirySeconds));
        Assert.Equal(first, await site.AskAsync());
        Assert.Equal(1, site.Store.Saved);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task More_attributes_than_the_ledger_takes_are_refused_before_anything_is_kept()
    {
        await using Site site = await Site.OpenAsync(await fixture.StartedAsync());
        string attributes = string.Join(
            ',', Enumerable.Range(0, 65).Select(a => $$"""{"name":"a{{a}}","tier":"low","labels":["no","yes"]}"""));
        LoadRecords load = Clinic.Records([0], [0]) with
        {
            SchemaJson = $$"""
                {
                  "format": 1, "name": "wide", "version": "1", "title": "Wide", "publishable": true,
                  "attributes": [{{attributes}}], "layouts": [{ "name": "wide" }]
                }
                """,
            Codes = [.. Enumerable.Repeat(new ushort[1], 65)],
            Fractions = [.. Enumerable.Repeat(Array.Empty<uint>(), 65)],
        };
        SiteRefusedException refusal =
            await Assert.ThrowsAsync<SiteRefusedException>(() => site.Runtime.GetGrain<ISiteGrain>("ward").LoadAsync(load));

        Assert.Equal("schema", refusal.Code);
        Assert.Equal([Clinic.Schema.Id], await site.Store.ReadSchemasAsync(CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Pause_and_resume_keep_the_policy_and_withdrawal_is_for_ever()
    {
        await using Site site = await Site.OpenAsync(await fixture.StartedAsync());
        PublisherOffer paused = await site.Publisher.CommandAsync(Plain(1, PublisherCommandKind.Pause).Sign(site.Domain, Controller));
        PublisherOffer resumed = await site.Publisher.CommandAsync(Plain(2, PublisherCommandKind.Resume).Sign(site.Domain, Controller));
        PublisherOffer gone = await site.Publisher.CommandAsync(Plain(3, PublisherCommandKind.Withdraw).Sign(site.Domain, Controller));
        SiteRefusedException refusal = await Assert.ThrowsAsync<SiteRefusedException>(
            () => site.Publisher.CommandAsync(Plain(4, PublisherCommandKind.Resume).Sign(site.Domain, Controller)));

        Assert.Equal((Participation.Paused, 3, 2), (paused.Participation, (int)paused.Profile, (int)paused.Quota));
        Assert.Equal(paused with { Participation = Participation.Active, NextNonce = 3 }, resumed);
        Assert.Equal(resumed with { Participation = Participation.Withdrawn, NextNonce = 4 }, gone);
        Assert.Equal("policy-invalid", refusal.Code);
        Assert.Equal(gone, await site.AskAsync());
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Command_that_is_replayed_forged_altered_or_malformed_is_refused_and_changes_nothing()
    {
        await using Site site = await Site.OpenAsync(await fixture.StartedAsync());
        PublisherCommand first = Policy(1).Sign(site.Domain, Controller);
        await site.Publisher.CommandAsync(first);
        await site.Publisher.CommandAsync(Plain(2, PublisherCommandKind.Pause).Sign(site.Domain, Controller));
        PublisherOffer before = await site.AskAsync();
        PublisherCommand good = Policy(3).Sign(site.Domain, Controller);
        EthereumAccount other = new(PatientKeys.Controller(PatientKeys.SeedAtSite(Key, Person + 1), PatientKeys.Pseudonym(Key, Schema, 2)));
        (string Code, PublisherCommand Command)[] wrong =
        [
            ("command-nonce", first),
            ("command-nonce", Policy(4).Sign(site.Domain, Controller)),
            ("command-nonce", Plain(2, PublisherCommandKind.Resume).Sign(site.Domain, Controller)),
            ("command-nonce", Policy(ulong.MaxValue).Sign(site.Domain, Controller)),
            ("command-signature", Policy(3).Sign(site.Domain, other)),
            ("command-signature", Policy(3).Sign(site.Domain with { ChainId = 1 }, Controller)),
            ("command-signature", Policy(3).Sign(site.Domain with { Pseudonym = PatientKeys.Pseudonym(Key, Schema, 2) }, Controller)),
            ("command-signature", Policy(3).Sign(site.Domain with { SchemaId = Bytes32.Zero }, Controller)),
            ("command-signature", good with { Profile = 4 }),
            ("command-signature", good with { Rate = 0 }),
            ("command-signature", good with { Quota = 8 }),
            ("command-signature", good with { Purpose = 1 }),
            ("command-signature", good with { ExpirySeconds = 3_000_000_001 }),
            ("command-signature", good with { Nonce = 4 }),
            ("command-signature", good with { Signature = [.. good.Signature.AsSpan(0, 64), 29] }),
            ("command-signature", good with { Signature = new byte[65] }),
            ("command-malformed", good with { Signature = good.Signature[..64] }),
            ("command-malformed", good with { Signature = [.. good.Signature, 0] }),
            ("command-malformed", good with { Signature = null! }),
            ("command-malformed", good with { Kind = (PublisherCommandKind)5 }),
            ("command-malformed", good with { Kind = PublisherCommandKind.Pause }),
            ("command-malformed", good with { Nonce = 0 }),
            ("command-malformed", good with { ExpirySeconds = -1 }),
            ("command-malformed", Plain(3, PublisherCommandKind.SetPolicy).Sign(site.Domain, Controller)),
            ("policy-invalid", (Policy(3) with { Profile = 200 }).Sign(site.Domain, Controller)),
            ("policy-invalid", (Policy(3) with { Rate = 2 }).Sign(site.Domain, Controller)),
            ("policy-invalid", (Policy(3) with { Quota = 0 }).Sign(site.Domain, Controller)),
            ("policy-invalid", (Policy(3) with { Purpose = 250 }).Sign(site.Domain, Controller)),
        ];
        foreach ((string code, PublisherCommand command) in wrong)
        {
            SiteRefusedException refusal = await Assert.ThrowsAsync<SiteRefusedException>(() => site.Publisher.CommandAsync(command));
            Assert.Equal(code, refusal.Code);
            Assert.Equal(before, await site.AskAsync());
        }

        Assert.Equal(4UL, (await site.Publisher.CommandAsync(good)).NextNonce);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Account_that_is_handed_in_commands_from_then_on_and_the_keys_that_the_site_has_do_not()
    {
        MemorySiteStore store = await Clinic.StoreAsync(Clinic.Records([0, 1], [0, 1]));
        MemoryGrainStateStore states = new();
        LedgerFixture ledger = await fixture.StartedAsync();
        await using (Site site = await Site.OpenAsync(ledger, new FaultySiteStore(store), states))
        {
            PublisherOffer before = await site.AskAsync();
            PublisherTakeOver takeOver = PublisherMessages.TakeOver(site.Domain, 1, Own, Controller);
            PublisherOffer after = await site.Publisher.TakeOverAsync(takeOver);
            Assert.Equal(before with { NextNonce = 2, OwnSeed = true }, after);
            Assert.Equal(after, await site.Publisher.TakeOverAsync(takeOver));
            Assert.False(before.OwnSeed);
        }

        // Another process on what is stored.
        await using Site again = await Site.OpenAsync(ledger, new FaultySiteStore(store), states);
        SitePublisher known = await again.Runtime.GetGrain<ISiteGrain>("ward").PublisherAsync(Clinic.Schema.Id, Pseudonym.ToString()[2..]);
        Assert.Equal(OwnController.Address, new Address(known.Controller));
        foreach (Func<Task<PublisherOffer>> forged in (Func<Task<PublisherOffer>>[])
        [
            () => again.Publisher.CommandAsync(Policy(2).Sign(again.Domain, Controller)),
            () => again.Publisher.CommandAsync(Plain(2, PublisherCommandKind.Withdraw).Sign(again.Domain, Controller)),
            () => again.Publisher.TakeOverAsync(PublisherMessages.TakeOver(again.Domain, 2, new byte[32], Controller)),
            () => again.Publisher.TakeOverAsync(
                PublisherMessages.TakeOver(again.Domain, 2, PatientKeys.SeedAtSite(Key, Person), Controller)),
        ])
        {
            Assert.Equal("command-signature", (await Assert.ThrowsAsync<SiteRefusedException>(forged)).Code);
        }

        Assert.Equal((3UL, 7),
            ((await again.Publisher.CommandAsync(Policy(2).Sign(again.Domain, OwnController))).NextNonce,
                (int)(await again.AskAsync()).Quota));

        // Who commands may change the seed again, and not back: neither to an earlier one nor to the one that the site has.
        Assert.Equal("account-known", (await Assert.ThrowsAsync<SiteRefusedException>(() => again.Publisher.TakeOverAsync(
            PublisherMessages.TakeOver(again.Domain, 3, PatientKeys.SeedAtSite(Key, Person), OwnController)))).Code);
        byte[] next = [.. Enumerable.Repeat((byte)7, PatientKeys.Length)];
        await again.Publisher.TakeOverAsync(PublisherMessages.TakeOver(again.Domain, 3, next, OwnController));
        EthereumAccount last = new(PatientKeys.Controller(next, Pseudonym));
        Assert.Equal("account-known", (await Assert.ThrowsAsync<SiteRefusedException>(
            () => again.Publisher.TakeOverAsync(PublisherMessages.TakeOver(again.Domain, 4, Own, last)))).Code);
        Assert.Equal("command-signature", (await Assert.ThrowsAsync<SiteRefusedException>(
            () => again.Publisher.CommandAsync(Policy(4).Sign(again.Domain, OwnController)))).Code);
        Assert.Equal(5UL, (await again.Publisher.CommandAsync(Policy(4).Sign(again.Domain, last))).NextNonce);
        Assert.Equal(2, (await store.ReadAccountsAsync(CancellationToken.None)).Length);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Account_that_is_forged_altered_malformed_or_of_another_place_is_refused_and_changes_nothing()
    {
        MemorySiteStore store = await Clinic.StoreAsync(Clinic.Records([0, 1], [0, 1]));
        await using Site site = await Site.OpenAsync(await fixture.StartedAsync(), new FaultySiteStore(store));
        PublisherOffer before = await site.AskAsync();
        PublisherTakeOver good = PublisherMessages.TakeOver(site.Domain, 1, Own, Controller);
        PublisherTakeOver other = PublisherMessages.TakeOver(site.Domain, 1, new byte[32], Controller);
        PublisherTakeOver In(PublisherDomain domain) => PublisherMessages.TakeOver(domain, 1, Own, Controller);
        (string Code, PublisherTakeOver TakeOver)[] wrong =
        [
            ("command-nonce", PublisherMessages.TakeOver(site.Domain, 2, Own, Controller)),
            ("command-signature", PublisherMessages.TakeOver(site.Domain, 1, Own, OwnController)),
            ("command-signature", In(site.Domain with { ChainId = 1 })),
            ("command-signature", In(site.Domain with { SchemaId = Bytes32.Zero })),
            ("command-signature", In(site.Domain with { Pseudonym = PatientKeys.Pseudonym(Key, Schema, 2) })),
            ("command-signature", In(site.Domain with { AccessControl = Address.Zero })),
            ("command-signature", good with { Nonce = 2 }),
            ("command-signature", good with { PublicKey = other.PublicKey }),
            ("command-signature", good with { ChainCode = other.ChainCode }),
            ("command-signature", good with { Signature = good.AccountSignature }),
            ("command-signature", good with { AccountSignature = good.Signature }),
            ("command-signature", good with { AccountSignature = other.AccountSignature }),
            ("command-signature", good with { Signature = new byte[65] }),
            ("command-malformed", good with { Nonce = 0 }),
            ("command-malformed", good with { PublicKey = good.PublicKey[1..] }),
            ("command-malformed", good with { PublicKey = [4, .. good.PublicKey[1..]] }),
            ("command-malformed", good with { PublicKey = [2, .. new byte[31], 5] }),
            ("command-malformed", good with { PublicKey = null! }),
            ("command-malformed", good with { ChainCode = good.ChainCode[1..] }),
            ("command-malformed", good with { ChainCode = null! }),
            ("command-malformed", good with { Signature = good.Signature[1..] }),
            ("command-malformed", good with { AccountSignature = null! }),
        ];
        foreach ((string code, PublisherTakeOver takeOver) in wrong)
        {
            SiteRefusedException refusal = await Assert.ThrowsAsync<SiteRefusedException>(() => site.Publisher.TakeOverAsync(takeOver));
            Assert.Equal(code, refusal.Code);
            Assert.DoesNotContain(Convert.ToHexString(takeOver.ChainCode ?? [1]), refusal.ToString(), StringComparison.OrdinalIgnoreCase);
            Assert.Equal(before, await site.AskAsync());
        }

        Assert.Empty(await store.ReadAccountsAsync(CancellationToken.None));
        Assert.True((await site.Publisher.TakeOverAsync(good)).OwnSeed);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Crash_at_any_write_leaves_an_account_to_be_handed_in_again_with_the_effect_of_once()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        int faults = 0;
        for (int at = 1; ; at++)
        {
            foreach (bool stored in new[] { false, true })
            {
                FaultyStates states = new();
                MemorySiteStore kept = await Clinic.StoreAsync(Clinic.Records([0, 1], [0, 1]));
                FaultySiteStore store = new(kept);
                PublisherTakeOver takeOver;
                await using (Site first = await Site.OpenAsync(ledger, store, states))
                {
                    takeOver = PublisherMessages.TakeOver(first.Domain, 1, Own, Controller);
                    Countdown fault = new(at, stored);
                    (states.Fault, store.Fault) = (fault, fault);
                    if (!await FailsAsync(() => first.Publisher.TakeOverAsync(takeOver)) && !fault.Struck)
                    {
                        Assert.Equal(6, faults);
                        return;
                    }

                    faults++;
                    first.Runtime.Kill();
                    (states.Fault, store.Fault) = (null, null);
                }

                // A command of the old key comes first: it counts only where the account was never stored.
                await using Site second = await Site.OpenAsync(ledger, store, states);
                Exception? old = await Record.ExceptionAsync(() => second.Publisher.CommandAsync(
                    Plain(2, PublisherCommandKind.Pause).Sign(second.Domain, Controller)));
                Assert.Equal(at == 1 && !stored ? "command-nonce" : "command-signature", Assert.IsType<SiteRefusedException>(old).Code);
                Assert.Equal(2UL, (await second.Publisher.TakeOverAsync(takeOver)).NextNonce);
                Assert.Equal(Participation.Paused, (await second.Publisher.CommandAsync(
                    Plain(2, PublisherCommandKind.Pause).Sign(second.Domain, OwnController))).Participation);
                Assert.Single(await kept.ReadAccountsAsync(CancellationToken.None));
            }
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Revocations_come_with_a_withdrawal_and_only_of_the_person_s_own_pseudonyms_by_their_own_keys()
    {
        MemorySiteStore store = await Clinic.StoreAsync(Clinic.Records([0, 1], [0, 1]));
        LedgerFixture ledger = await fixture.StartedAsync();
        await using Site site = await Site.OpenAsync(ledger, new FaultySiteStore(store));
        await site.Publisher.TakeOverAsync(PublisherMessages.TakeOver(site.Domain, 1, Own, Controller));
        PublisherOffer before = await site.AskAsync();
        Bytes32 stranger = PatientKeys.Pseudonym(Key, Schema, 2);
        EthereumAccount strangers = new(PatientKeys.Controller(PatientKeys.SeedAtSite(Key, Person + 1), stranger));
        PublisherRevocation Revocation(Bytes32 pseudonym, EthereumAccount signer, uint number = 1) => new()
        {
            Pseudonym = pseudonym.ToString()[2..],
            Signature = signer.Sign(
                SignedMessages.Revocation(site.Domain.ChainId, site.Domain.AccessControl, number, pseudonym)).ToBytes(),
        };
        PublisherCommand With(PublisherCommandKind kind, params PublisherRevocation[] revocations) =>
            (Plain(2, kind) with { Revocations = revocations }).Sign(site.Domain, OwnController);
        PublisherRevocation good = Revocation(Pseudonym, OwnController);
        foreach (PublisherCommand wrong in (PublisherCommand[])
        [
            With(PublisherCommandKind.Pause, good),
            With(PublisherCommandKind.Withdraw, good, Revocation(stranger, strangers)),
            With(PublisherCommandKind.Withdraw, Revocation(Pseudonym, Controller)),
            With(PublisherCommandKind.Withdraw, Revocation(Pseudonym, OwnController, 2)),
            With(PublisherCommandKind.Withdraw, good with { Signature = good.Signature[1..] }),
            With(PublisherCommandKind.Withdraw, good with { Pseudonym = good.Pseudonym.ToUpperInvariant() }),
            With(PublisherCommandKind.Withdraw) with { Revocations = null! },
        ])
        {
            Assert.Equal("command-malformed",
                (await Assert.ThrowsAsync<SiteRefusedException>(() => site.Publisher.CommandAsync(wrong))).Code);
            Assert.Equal(before, await site.AskAsync());
        }

        Assert.Empty(await store.ReadRevocationsAsync(Clinic.Schema.Id, CancellationToken.None));
        Assert.Equal(Participation.Withdrawn, (await site.Publisher.CommandAsync(With(PublisherCommandKind.Withdraw, good))).Participation);
        SiteRevocationRow kept = Assert.Single(await store.ReadRevocationsAsync(Clinic.Schema.Id, CancellationToken.None));
        Assert.Equal((good.Pseudonym, Convert.ToHexString(good.Signature)), (kept.Pseudonym, Convert.ToHexString(kept.Signature)));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Person_is_withdrawn_at_the_desk_whoever_has_the_seed()
    {
        await using Site site = await Site.OpenAsync(await fixture.StartedAsync());
        await site.Publisher.TakeOverAsync(PublisherMessages.TakeOver(site.Domain, 1, Own, Controller));
        ISiteGrain desk = site.Runtime.GetGrain<ISiteGrain>("ward");
        Assert.Equal("record-unknown",
            (await Assert.ThrowsAsync<SiteRefusedException>(() => desk.WithdrawAtDeskAsync(Clinic.Schema.Id, 2))).Code);
        Assert.Equal(Participation.Active, (await site.AskAsync()).Participation);
        await desk.WithdrawAtDeskAsync(Clinic.Schema.Id, 0);
        Assert.Equal(Participation.Withdrawn, (await site.AskAsync()).Participation);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Pseudonym_that_the_site_does_not_know_has_no_standing()
    {
        await using Site site = await Site.OpenAsync(await fixture.StartedAsync());
        IPublisherGrain nobody = site.Runtime.GetGrain<IPublisherGrain>(PublisherKey.Of("ward", Clinic.Schema.Id, new string('a', 64)));
        Assert.Equal("publisher-unknown", (await Assert.ThrowsAsync<SiteRefusedException>(() => nobody.StandingAsync())).Code);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Crash_at_any_write_leaves_a_command_to_be_given_again_with_the_effect_of_once()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        int faults = 0;
        for (int at = 1; ; at++)
        {
            foreach (bool stored in new[] { false, true })
            {
                FaultyStates states = new();
                FaultySiteStore store = new(await Clinic.StoreAsync(Clinic.Records([0, 1], [0, 1])));
                PublisherCommand command;
                await using (Site first = await Site.OpenAsync(ledger, store, states))
                {
                    command = Policy(1).Sign(first.Domain, Controller);
                    Countdown fault = new(at, stored);
                    (states.Fault, store.Fault) = (fault, fault);
                    bool failed = await FailsAsync(() => first.Publisher.CommandAsync(command));
                    if (!failed && !fault.Struck)
                    {
                        // Every write of a command is behind us: three, each lost and each stored without an answer.
                        Assert.Equal(6, faults);
                        return;
                    }

                    faults++;
                    first.Runtime.Kill();
                    (states.Fault, store.Fault) = (null, null);
                }

                await using Site second = await Site.OpenAsync(ledger, store, states);
                PublisherOffer offer = await second.Publisher.CommandAsync(command);
                Assert.Equal((2UL, 2, 7, Participation.Active),
                    (offer.NextNonce, (int)offer.Profile, (int)offer.Quota, offer.Participation));
                PublisherOffer paused = await second.Publisher.CommandAsync(
                    Plain(2, PublisherCommandKind.Pause).Sign(second.Domain, Controller));
                Assert.Equal("command-nonce",
                    (await Assert.ThrowsAsync<SiteRefusedException>(() => second.Publisher.CommandAsync(command))).Code);
                Assert.Equal(paused, await second.AskAsync());
            }
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Command_that_a_crash_cut_short_does_not_undo_a_later_one_for_the_same_person()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        Bytes32 otherPseudonym = PatientKeys.Pseudonym(Key, Schema, 2);
        EthereumAccount otherController = new(PatientKeys.Controller(PatientKeys.SeedAtSite(Key, Person), otherPseudonym));
        foreach ((int at, bool stored) in ((int, bool)[])[(1, true), (2, false), (2, true), (3, false)])
        {
            FaultyStates states = new();
            FaultySiteStore store = new(await Clinic.StoreAsync(Clinic.Records([0, 0], [0, 1]) with { PersonKeys = [Person, Person] }));
            PublisherCommand command;
            await using (Site first = await Site.OpenAsync(ledger, store, states))
            {
                command = Policy(1).Sign(first.Domain, Controller);
                Countdown fault = new(at, stored);
                (states.Fault, store.Fault) = (fault, fault);
                Assert.True(await FailsAsync(() => first.Publisher.CommandAsync(command)));
                first.Runtime.Kill();
                (states.Fault, store.Fault) = (null, null);
            }

            await using Site second = await Site.OpenAsync(ledger, store, states);
            IPublisherGrain other = second.Runtime.GetGrain<IPublisherGrain>(
                PublisherKey.Of("ward", Clinic.Schema.Id, otherPseudonym.ToString()[2..]));
            PublisherOffer paused = await other.CommandAsync(
                Plain(1, PublisherCommandKind.Pause).Sign(second.Domain with { Pseudonym = otherPseudonym }, otherController));
            Assert.Equal(Participation.Paused, paused.Participation);

            Assert.Equal("command-nonce",
                (await Assert.ThrowsAsync<SiteRefusedException>(() => second.Publisher.CommandAsync(command))).Code);
            PublisherOffer standing = await second.AskAsync();
            Assert.Equal((2UL, Participation.Paused, paused.Profile), (standing.NextNonce, standing.Participation, standing.Profile));
            Assert.Equal(Participation.Withdrawn, (await second.Publisher.CommandAsync(
                Plain(2, PublisherCommandKind.Withdraw).Sign(second.Domain, Controller))).Participation);
        }
    }

    private static async Task<bool> FailsAsync(Func<Task> call)
    {
        try
        {
            await call();
            return false;
        }
        catch (Exception e) when (e is IOException || e.InnerException is IOException)
        {
            return true;
        }
    }

    /// <summary>Lets the n-th write fail: before it is stored, or after.</summary>
    private sealed class Countdown(int writes, bool stored)
    {
        private int _left = writes;

        public bool Struck => _left <= 0;

        public async Task RunAsync(Func<Task> write)
        {
            bool strikes = --_left == 0;
            if (!strikes || stored)
            {
                await write();
            }

            if (strikes)
            {
                throw new IOException("the connection broke");
            }
        }
    }

    private sealed class FaultyStates : IGrainStateStore
    {
        private readonly MemoryGrainStateStore _inner = new();

        public Countdown? Fault { get; set; }

        public Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken) =>
            _inner.ReadAsync(key, cancellationToken);

        public async Task<string> WriteAsync(
            GrainStateKey key, ReadOnlyMemory<byte> payload, string? expectedEtag, CancellationToken cancellationToken)
        {
            if (Fault is null)
            {
                return await _inner.WriteAsync(key, payload, expectedEtag, cancellationToken);
            }

            string etag = "";
            await Fault.RunAsync(async () => etag = await _inner.WriteAsync(key, payload, expectedEtag, cancellationToken));
            return etag;
        }

        public Task ClearAsync(GrainStateKey key, string? expectedEtag, CancellationToken cancellationToken) =>
            _inner.ClearAsync(key, expectedEtag, cancellationToken);
    }

    private sealed class FaultySiteStore(MemorySiteStore inner) : ISiteStore
    {
        public Countdown? Fault { get; set; }

        public int Saved { get; private set; }

        public Task SavePoliciesAsync(SetPolicies policies, CancellationToken cancellationToken)
        {
            Saved++;
            return Fault is null ? inner.SavePoliciesAsync(policies, cancellationToken)
                : Fault.RunAsync(() => inner.SavePoliciesAsync(policies, cancellationToken));
        }

        public Task KeepRecordsAsync(LoadRecords batch, string schemaId, CancellationToken cancellationToken) =>
            inner.KeepRecordsAsync(batch, schemaId, cancellationToken);

        public Task<LoadRecords[]> ReadRecordsAsync(string schemaId, CancellationToken cancellationToken) =>
            inner.ReadRecordsAsync(schemaId, cancellationToken);

        public Task<string[]> ReadSchemasAsync(CancellationToken cancellationToken) => inner.ReadSchemasAsync(cancellationToken);

        public Task<SetPolicies> ReadPoliciesAsync(string schemaId, CancellationToken cancellationToken) =>
            inner.ReadPoliciesAsync(schemaId, cancellationToken);

        public Task KeepAccountAsync(SiteAccountRow row, CancellationToken cancellationToken) => Fault is null
            ? inner.KeepAccountAsync(row, cancellationToken) : Fault.RunAsync(() => inner.KeepAccountAsync(row, cancellationToken));

        public Task<SiteAccountRow[]> ReadAccountsAsync(CancellationToken cancellationToken) => inner.ReadAccountsAsync(cancellationToken);

        public Task SaveRevocationAsync(SiteRevocationRow row, CancellationToken cancellationToken) => Fault is null
            ? inner.SaveRevocationAsync(row, cancellationToken) : Fault.RunAsync(() => inner.SaveRevocationAsync(row, cancellationToken));

        public Task<SiteRevocationRow[]> ReadRevocationsAsync(string schemaId, CancellationToken cancellationToken) =>
            inner.ReadRevocationsAsync(schemaId, cancellationToken);

        public Task KeepFileAsync(string sha256, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            inner.KeepFileAsync(sha256, content, cancellationToken);

        public Task<byte[]?> FindFileAsync(string sha256, CancellationToken cancellationToken) =>
            inner.FindFileAsync(sha256, cancellationToken);

        public Task<SiteEpochRow> KeepEpochAsync(SiteEpochRow row, CancellationToken cancellationToken) =>
            inner.KeepEpochAsync(row, cancellationToken);

        public Task<SiteEpochRow[]> ReadEpochsAsync(string schemaId, CancellationToken cancellationToken) =>
            inner.ReadEpochsAsync(schemaId, cancellationToken);

        public Task SaveOrderAsync(SiteOrderRow row, CancellationToken cancellationToken) => inner.SaveOrderAsync(row, cancellationToken);

        public Task<SiteOrderRow[]> ReadOrdersAsync(CancellationToken cancellationToken) => inner.ReadOrdersAsync(cancellationToken);

        public Task<ulong[]> KeepWithdrawnAsync(string schemaId, long day, ulong[] persons, CancellationToken cancellationToken) =>
            inner.KeepWithdrawnAsync(schemaId, day, persons, cancellationToken);

        public Task<SiteRestoreRow?> FindRestoreAsync(CancellationToken cancellationToken) => inner.FindRestoreAsync(cancellationToken);

        public Task SaveRestoreAsync(SiteRestoreRow row, CancellationToken cancellationToken) =>
            inner.SaveRestoreAsync(row, cancellationToken);

        public Task<IAsyncDisposable> HoldAsync(CancellationToken cancellationToken) => inner.HoldAsync(cancellationToken);
    }

    /// <summary>What a patient's commands must never need.</summary>
    private sealed class NoMarket : ISiteMarketLink
    {
        public Task<MarketDescription> DescribeAsync(CancellationToken cancellationToken) =>
            throw new InvalidOperationException("a patient's command reached the market");

        public Task PublishEpochAsync(EpochPublication publication, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("a patient's command reached the market");

        public Task<DeliveryOrder[]> GetOrdersAsync(uint site, long afterSequence, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("a patient's command reached the market");

        public Task<DeliveryReceipt> DeliverAsync(DeliveryMessage message, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("a patient's command reached the market");

        public Task<byte[]?> FindFileAsync(uint site, string sha256, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("a patient's command reached the market");
    }

    /// <summary>A site's process on stores that outlive it.</summary>
    private sealed class Site : IAsyncDisposable
    {
        private readonly ServiceProvider _services;

        private Site(LedgerFixture ledger, FaultySiteStore store, IGrainStateStore states)
        {
            (Store, View) = (store, ledger.View(new MemoryLedgerStore()));
            _services = new ServiceCollection().AddSingleton<ISiteStore>(store).AddSingleton<ILedgerView>(View)
                .AddSingleton<ISiteMarketLink>(new NoMarket())
                .AddSingleton(ledger.Client).AddSingleton(Clinic.Options(Key, ledger.SiteAccount)).BuildServiceProvider();
            Runtime = new EmbeddedGrainRuntime(
                new EmbeddedGrainOptions
                {
                    GrainAssemblies = { typeof(SiteGrain).Assembly }, StateStores = { [EmbeddedGrainOptions.DefaultStore] = _ => states },
                },
                _services, TimeProvider.System);
            Publisher = Runtime.GetGrain<IPublisherGrain>(PublisherKey.Of("ward", Clinic.Schema.Id, Pseudonym.ToString()[2..]));
            Domain = new PublisherDomain(
                ledger.Deployment.ChainId, Address.Parse(ledger.Deployment.AccessControl.Address), Schema, Pseudonym);
        }

        public FaultySiteStore Store { get; }

        public LedgerReadModel View { get; }

        public EmbeddedGrainRuntime Runtime { get; }

        public IPublisherGrain Publisher { get; }

        public PublisherDomain Domain { get; }

        public static async Task<Site> OpenAsync(LedgerFixture ledger, FaultySiteStore? store = null, IGrainStateStore? states = null) =>
            new(ledger, store ?? new FaultySiteStore(await Clinic.StoreAsync(Clinic.Records([0, 1], [0, 1]))),
                states ?? new MemoryGrainStateStore());

        public Task<PublisherOffer> AskAsync() => Publisher.StandingAsync();

        public async ValueTask DisposeAsync()
        {
            Runtime.Kill();
            await _services.DisposeAsync();
            View.Dispose();
        }
    }
}
