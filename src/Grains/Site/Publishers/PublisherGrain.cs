using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Ledger.View;

namespace EmrMarket.Grains.Site.Publishers;

/// <summary>
/// Checks who commands a pseudonym, and passes on what is rightly commanded. It keeps the nonce: a command is stored before the site is
/// told of it, and the site may be told twice, so that a crash in between neither loses it nor lets it be used again.
/// </summary>
[GrainType("publisher")]
public sealed class PublisherGrain([PersistentState("publisher", "Default")] IPersistentState<PublisherState> state, ILedgerView ledger)
    : Grain, IPublisherGrain
{
    // Far more than anybody has records at a site.
    private const int MostRevocations = 1_000;

    private string _schemaId = "";
    private string _pseudonym = "";
    private ISiteGrain _site = null!;

    private PublisherDomain Domain => new(
        ledger.Deployment.ChainId, Address.Parse(ledger.Deployment.AccessControl.Address), Bytes32.ParseDigits(_schemaId),
        Bytes32.ParseDigits(_pseudonym));

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        string[] parts = this.GetPrimaryKeyString().Split('/');
        if (parts.Length < 3 || !IsHash(parts[^1]) || !IsHash(parts[^2]))
        {
            throw new SiteRefusedException("publisher-unknown",
                "a publisher is named by site/schema/pseudonym, schema and pseudonym with 64 lower-case hexadecimal digits");
        }

        (_schemaId, _pseudonym) = (parts[^2], parts[^1]);
        _site = GrainFactory.GetGrain<ISiteGrain>(string.Join('/', parts[..^2]));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task<PublisherOffer> CommandAsync(PublisherCommand command)
    {
        ArgumentNullException.ThrowIfNull(command);
        bool bare = command is { Profile: 0, Rate: 0, Quota: 0, Purpose: 0, ExpirySeconds: 0 };
        if (!Enum.IsDefined(command.Kind) || command.Signature is not { Length: 65 } || command.Nonce == 0 || command.ExpirySeconds < 0
            || bare != (command.Kind != PublisherCommandKind.SetPolicy) || !AreWellFormed(command))
        {
            throw new SiteRefusedException(
                "command-malformed",
                "a command has a kind from 1 to 4, a nonce from 1, a signature of 65 bytes, a policy when and only when it sets one, and "
                    + $"at most {MostRevocations} revocations, each with its pseudonym and 65 bytes, only when it withdraws");
        }

        // First what was commanded before: it may have given the pseudonym another controller.
        Bytes32 digest = PublisherMessages.Digest(Domain, command);
        await FinishBeforeAsync(digest);
        SitePublisher known = await SignedAsync(digest, command.Signature);
        PublisherState before = state.State;
        if (command.Nonce != before.Nonce || digest.ToString() != before.Digest)
        {
            if (command.Nonce != before.Nonce + 1)
            {
                throw new SiteRefusedException("command-nonce",
                    $"the command has nonce {command.Nonce}, expected {before.Nonce + 1}: ask for the offer, and sign again");
            }

            await StoreAsync(new PublisherState { Nonce = command.Nonce, Digest = digest.ToString(), EarlierDigest = before.Digest,
                Unfinished = Next(known.Policy, command) with { InPlaceOf = known.Policy }, UnfinishedRevocations = command.Revocations });
            await FinishAsync();
        }

        return OfferOf(await _site.PublisherAsync(_schemaId, _pseudonym));
    }

    /// <inheritdoc/>
    public async Task<PublisherOffer> TakeOverAsync(PublisherTakeOver takeOver)
    {
        ArgumentNullException.ThrowIfNull(takeOver);
        if (takeOver.Nonce == 0 || takeOver.ChainCode is not { Length: PatientKeys.Length } || takeOver.Signature is not { Length: 65 }
            || takeOver.AccountSignature is not { Length: 65 } || KeyOf(takeOver.PublicKey) is not { } key)
        {
            throw new SiteRefusedException(
                "command-malformed",
                $"an account has a public key of {PublicKey.Length} bytes in compressed form and a chain code of {PatientKeys.Length}, and "
                    + "comes with a nonce from 1 and two signatures of 65 bytes");
        }

        Bytes32 digest = PublisherMessages.Digest(Domain, takeOver);
        if (PublisherMessages.SignerOf(digest, takeOver.AccountSignature) != key.Address)
        {
            throw new SiteRefusedException(
                "command-signature", "the account's signature is not of its own key: an account is handed in by whoever has its key");
        }

        await FinishBeforeAsync(digest);
        PublisherState before = state.State;
        if (takeOver.Nonce != before.Nonce || digest.ToString() != before.Digest)
        {
            SitePublisher known = await SignedAsync(digest, takeOver.Signature);
            if (takeOver.Nonce != before.Nonce + 1)
            {
                throw new SiteRefusedException("command-nonce",
                    $"the command has nonce {takeOver.Nonce}, expected {before.Nonce + 1}: ask for the offer, and sign again");
            }

            if (known.Accounts.Any(account => account.AsSpan().SequenceEqual(takeOver.PublicKey)))
            {
                throw new SiteRefusedException("account-known", "this account was handed in before: make a new seed");
            }

            await StoreAsync(new PublisherState
            {
                Nonce = takeOver.Nonce,
                Digest = digest.ToString(),
                EarlierDigest = before.Digest,
                UnfinishedTakeOver = new SiteTakeOver
                {
                    SchemaId = _schemaId, Pseudonym = _pseudonym, Controller = known.Controller, PublicKey = takeOver.PublicKey,
                    ChainCode = takeOver.ChainCode,
                },
            });
            await FinishAsync();
        }

        return await StandingAsync();
    }

    /// <inheritdoc/>
    public async Task<PublisherOffer> StandingAsync() => OfferOf(await _site.PublisherAsync(_schemaId, _pseudonym));

    /// <summary>What the site knows of the pseudonym, once its controller is seen to have signed.</summary>
    private async Task<SitePublisher> SignedAsync(Bytes32 digest, byte[] signature)
    {
        SitePublisher known = await _site.PublisherAsync(_schemaId, _pseudonym);
        return PublisherMessages.SignerOf(digest, signature) == new Address(known.Controller) ? known
            : throw new SiteRefusedException("command-signature",
                "the signature is not of the pseudonym's controller key for this message, ledger, schema and pseudonym");
    }

    private static PublicKey? KeyOf(byte[]? compressed)
    {
        try
        {
            return compressed is null ? null : new PublicKey(compressed);
        }
        catch (ArgumentException)
        {
            // Told with all else that an account must be.
            return null;
        }
    }

    private static bool AreWellFormed(PublisherCommand command) =>
        command.Revocations is { Length: <= MostRevocations } revocations
        && (revocations.Length == 0 || command.Kind == PublisherCommandKind.Withdraw)
        && Array.TrueForAll(revocations, one => one is { Signature.Length: 65, Pseudonym: not null } && IsHash(one.Pseudonym));

    /// <summary>Finishes what was commanded before another command. That the site refuses the earlier one is told to whoever gives it
    /// again, and keeps nobody from the later one.</summary>
    private async Task FinishBeforeAsync(Bytes32 digest)
    {
        string given = state.State.Digest;
        try
        {
            await FinishAsync();
        }
        catch (SiteRefusedException) when (given != digest.ToString())
        {
        }
    }

    /// <summary>Tells the site of a command that is stored and that it may not know of yet. One that it refuses was never given: its nonce
    /// is free again. One that came too late, after another command for the same person, keeps its nonce: it may have held for a while,
    /// and must not hold again.</summary>
    private async Task FinishAsync()
    {
        PublisherState given = state.State;
        if (given is { Unfinished: null, UnfinishedTakeOver: null })
        {
            return;
        }

        try
        {
            if (given.UnfinishedTakeOver is { } takeOver)
            {
                await _site.TakeOverAsync(takeOver);
            }

            if (given.UnfinishedRevocations.Length > 0)
            {
                await _site.KeepWithdrawnAsync(
                    new SiteRevocations { SchemaId = _schemaId, Pseudonym = _pseudonym, Revocations = given.UnfinishedRevocations });
            }

            if (given.Unfinished is { } policy)
            {
                await _site.SetPoliciesAsync(policy);
            }
        }
        catch (SiteRefusedException e)
        {
            await StoreAsync(e.Code == "command-nonce" ? new PublisherState { Nonce = given.Nonce }
                : new PublisherState { Nonce = given.Nonce - 1, Digest = given.EarlierDigest });
            throw;
        }

        await StoreAsync(given with { Unfinished = null, UnfinishedTakeOver = null, UnfinishedRevocations = [] });
    }

    private async Task StoreAsync(PublisherState next)
    {
        state.State = next;
        try
        {
            await state.WriteStateAsync();
        }
        catch
        {
            // Whether it was stored is not known: the next call begins from the store.
            DeactivateOnIdle();
            throw;
        }
    }

    private static SetPolicies Next(SetPolicies now, PublisherCommand command) => command.Kind == PublisherCommandKind.SetPolicy
        ? now with
        {
            Profiles = [command.Profile], Rates = [command.Rate], Quotas = [command.Quota], Purposes = [command.Purpose],
            ExpirySeconds = [command.ExpirySeconds],
            Participation = [Participation.Active],
        }
        : now with
        {
            // Who never had a policy can leave too; what is written for them ended in 1970 and offers nothing.
            Quotas = [Math.Max((ushort)1, now.Quotas[0])],
            Participation =
            [
                command.Kind switch
                {
                    PublisherCommandKind.Pause => Participation.Paused,
                    PublisherCommandKind.Resume => Participation.Active,
                    _ => Participation.Withdrawn,
                },
            ],
        };

    private PublisherOffer OfferOf(SitePublisher known) => new()
    {
        NextNonce = state.State.Nonce + 1,
        Profile = known.Policy.Profiles[0],
        Rate = known.Policy.Rates[0],
        Quota = known.Policy.Quotas[0],
        Purpose = known.Policy.Purposes[0],
        ExpirySeconds = known.Policy.ExpirySeconds[0],
        Participation = known.Policy.Participation[0],
        LossMicro = known.LossMicro,
        CapMicro = known.CapMicro,
        OwnSeed = known.Accounts.Length > 0,
    };

    private static bool IsHash(string text) =>
        text.Length == 64 && text.All(digit => char.IsAsciiDigit(digit) || digit is >= 'a' and <= 'f');
}

/// <summary>The commands of a pseudonym so far.</summary>
[GenerateSerializer]
[Alias("emr.PublisherState")]
public sealed record PublisherState
{
    /// <summary>The nonce of the newest command; 0 before the first.</summary>
    [Id(0)]
    public ulong Nonce { get; init; }

    /// <summary>Its digest.</summary>
    [Id(1)]
    public string Digest { get; init; } = "";

    /// <summary>The digest of the one before, which is the newest again when the site refuses this one.</summary>
    [Id(2)]
    public string EarlierDigest { get; init; } = "";

    /// <summary>What the site is still to be told; null when it was.</summary>
    [Id(3)]
    public SetPolicies? Unfinished { get; init; }

    /// <summary>The account that the site is still to be told of; null when it was.</summary>
    [Id(4)]
    public SiteTakeOver? UnfinishedTakeOver { get; init; }

    /// <summary>The revocations that the site is still to be told of before the policy.</summary>
    [Id(5)]
    public PublisherRevocation[] UnfinishedRevocations { get; init; } = [];
}
