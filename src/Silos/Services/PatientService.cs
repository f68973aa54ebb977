using System.Collections.Concurrent;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Silos.Consents;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>
/// What patients do at their site: see what settings mean, set them by a signed command, and read what was spent, earned and used. Reads
/// are for whoever signed in as the pseudonym's controller; commands carry their own signature, so that no server can set a policy for a
/// patient.
/// </summary>
internal sealed class PatientService(RunningRoles roles, AuditService auditing, TimeProvider clock)
{
    private const int MostCommanding = 10_000;
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<(string Site, string SchemaId, string Pseudonym), (long Asked, string Controller)>
        _commanding = new();

    /// <summary>Who commands a pseudonym: what a sign-in is held against.</summary>
    /// <exception cref="SiteRefusedException"><c>publisher-unknown</c>.</exception>
    public async Task<string> ControllerAsync(string site, string schemaId, string pseudonym) =>
        Show.Hex((await roles.Site(site).Grain.PublisherAsync(schemaId, pseudonym)).Controller);

    /// <summary>Whether an account commands a pseudonym, as of a second ago at most: every call of a patient's session asks. What is taken
    /// over here holds at once.</summary>
    /// <exception cref="SiteRefusedException"><c>publisher-unknown</c>.</exception>
    public async Task<bool> CommandsAsync(string site, string schemaId, string pseudonym, string address)
    {
        long now = clock.GetTimestamp();
        if (!_commanding.TryGetValue((site, schemaId, pseudonym), out (long Asked, string Controller) known)
            || clock.GetElapsedTime(known.Asked, now) >= Fresh)
        {
            if (_commanding.Count >= MostCommanding)
            {
                _commanding.Clear();
            }

            known = (now, await ControllerAsync(site, schemaId, pseudonym));
            _commanding[(site, schemaId, pseudonym)] = known;
        }

        return string.Equals(known.Controller, address, StringComparison.Ordinal);
    }

    /// <summary>The choices of a site's patients, with what each means.</summary>
    public async Task<MenuInfo> MenuAsync(string site, string schemaId)
    {
        SiteRole here = roles.Site(site);
        SiteStatus status = await here.Grain.StatusAsync(schemaId);
        SiteReidentification measured = await here.Grain.ReidentificationAsync(schemaId);
        MarketSchema dealt = roles.Schemas.TryGetValue(schemaId, out MarketSchema? known) ? known
            : throw new ServiceRefusedException("unknown-schema", $"site '{site}' has no records of schema {schemaId}");
        Schema schema = dealt.Schema;
        ProfileEarnings.Row[]? earned = roles.Market is null ? null : await EarnedAsync(schema);
        return new MenuInfo
        {
            SchemaId = schemaId,
            Records = status.Records,
            Persons = status.Persons,
            CapMicro = here.Options.Cap.Micro,
            CrowdSize = measured.People,
            Profiles =
                [.. schema.Profiles.Select(
                    (profile, index) => Profile(dealt, schema, profile, index, measured.TopOne[index], earned?[index]))],
            Rates = RateInfo.Of(here.Options.Rates),
            Purposes = [.. PurposeTree.Default.Purposes.Select(purpose => new PurposeInfo(purpose.Code, purpose.Parent, purpose.Title))],
        };
    }

    /// <summary>What a pseudonym allows and asks now, and what was spent.</summary>
    public async Task<OfferInfo> OfferAsync(string site, string schemaId, string pseudonym) =>
        Info(await roles.Site(site).Grains.GetGrain<IPublisherGrain>(PublisherKey.Of(site, schemaId, pseudonym)).StandingAsync());

    /// <summary>What a pseudonym allows and asks now, as a Consent of HL7 FHIR R4 (docs/CONSENT.md).</summary>
    /// <exception cref="ServiceRefusedException"><c>no-policy</c>: nothing was set yet; <c>policy-invalid</c>: it ends behind the year
    /// 9999.</exception>
    public async Task<string> ConsentAsync(string site, string schemaId, string pseudonym)
    {
        OfferInfo offer = await OfferAsync(site, schemaId, pseudonym);
        if (offer.Quota == 0 || offer.ExpirySeconds > ConsentWriter.NoEnd)
        {
            throw offer.Quota == 0 ? new ServiceRefusedException("no-policy", "this pseudonym has no policy yet")
                : new ServiceRefusedException("policy-invalid", "the policy ends behind the year 9999, which FHIR cannot write");
        }

        return ConsentWriter.Write(
            new ConsentPolicy
            {
                Profile = offer.Profile, Rate = offer.Rate, Quota = offer.Quota, Purpose = offer.Purpose,
                ExpirySeconds = offer.ExpirySeconds,
            },
            Enum.Parse<Participation>(offer.Participation, ignoreCase: true), ConsentMenuOf(site, schemaId));
    }

    /// <summary>The policy that a Consent means at a site; it is not set, since setting one takes the patient's signature.</summary>
    /// <exception cref="Analytics.Records.InputException">It is no Consent, or no policy can say what it means.</exception>
    public ConsentInfo ReadConsent(string site, string schemaId, ReadOnlyMemory<byte> consent) => ConsentInfo.Of(
        ConsentReader.Read(consent, ConsentMenuOf(site, schemaId), roles.View.NowSeconds, "the Consent"), SchemaOf(site, schemaId));

    private ConsentMenu ConsentMenuOf(string site, string schemaId) =>
        ConsentMenu.Of(SchemaOf(site, schemaId), roles.Site(site).Options.Rates);

    private Schema SchemaOf(string site, string schemaId) => roles.Schemas.TryGetValue(schemaId, out MarketSchema? known) ? known.Schema
        : throw new ServiceRefusedException("unknown-schema", $"site '{site}' has no records of schema {schemaId}");

    /// <summary>Carries out a signed command.</summary>
    /// <exception cref="SiteRefusedException">The signature, the nonce or the policy is refused; nothing was changed.</exception>
    public async Task<OfferInfo> CommandAsync(string site, string schemaId, string pseudonym, CommandInfo command) =>
        Info(await roles.Site(site).Grains.GetGrain<IPublisherGrain>(PublisherKey.Of(site, schemaId, pseudonym))
            .CommandAsync(new PublisherCommand
        {
            Nonce = command.Nonce,
            Kind = Enum.TryParse(command.Kind, ignoreCase: true, out PublisherCommandKind kind) && Enum.IsDefined(kind) ? kind
                : throw new SiteRefusedException(
                    "command-malformed", $"the kind is setPolicy, pause, resume or withdraw, got '{command.Kind}'"),
            Profile = command.Profile,
            Rate = command.Rate,
            Quota = command.Quota,
            Purpose = command.Purpose,
            ExpirySeconds = command.ExpirySeconds,
            Signature = Bytes(command.Signature),
            Revocations = [.. (command.Revocations ?? []).Select(one => new PublisherRevocation
            {
                Pseudonym = one.Pseudonym, Signature = Bytes(one.Signature),
            })],
        }));

    /// <summary>Takes a payout account in the place of the seed that is with the site.</summary>
    /// <exception cref="SiteRefusedException">A signature, the nonce or the account is refused; nothing was changed.</exception>
    public async Task<OfferInfo> TakeOverAsync(string site, string schemaId, string pseudonym, TakeOverInfo takeOver)
    {
        PublisherOffer taken = await roles.Site(site).Grains.GetGrain<IPublisherGrain>(PublisherKey.Of(site, schemaId, pseudonym))
            .TakeOverAsync(new PublisherTakeOver
        {
            Nonce = takeOver.Nonce,
            PublicKey = Bytes(takeOver.PublicKey),
            ChainCode = Bytes(takeOver.ChainCode),
            Signature = Bytes(takeOver.Signature),
            AccountSignature = Bytes(takeOver.AccountSignature),
        });
        _commanding.TryRemove((site, schemaId, pseudonym), out _);
        return Info(taken);
    }

    /// <summary>Every use of a pseudonym's record, oldest first, with who asked and why.</summary>
    public async Task<UseInfo[]> HistoryAsync(string site, string schemaId, string pseudonym, CancellationToken cancellationToken)
    {
        PublisherUse[] uses = await roles.Site(site).Grain.UsesAsync(schemaId, pseudonym);
        Dictionary<ulong, AskedInfo?> asked = [];
        foreach (ulong request in uses.Select(use => use.RequestId).Distinct())
        {
            asked.Add(request, await AskedAsync(request, cancellationToken));
        }

        return [.. uses.Select(use => new UseInfo
        {
            RequestId = use.RequestId,
            Asked = asked[use.RequestId],
            Purpose = use.Purpose,
            PurposeTitle = PurposeTree.Default.Purposes.FirstOrDefault(purpose => purpose.Code == use.Purpose)?.Title ?? "",
            State = use.State.ToString().ToLowerInvariant(),
            Attributes = [.. use.Attributes.Select((name, i) => new UsedAttribute(name, use.Grades[i]))],
            Epoch = use.Epoch,
            EpochId = use.EpochId,
            MemberPosition = use.MemberPosition,
            RoundId = use.RoundId,
            Attempt = use.Attempt,
            DeliveryId = use.DeliveryId,
            Slot = use.Slot,
            ReportHash = use.ReportHash,
            Amount = Show.Amount(use.Amount),
            Payee = Show.Hex(use.Payee),
        })];
    }

    private async Task<AskedInfo?> AskedAsync(ulong request, CancellationToken cancellationToken)
    {
        try
        {
            TermsDocument terms = TermsDocument.Read(await auditing.TermsAsync(request, cancellationToken));
            return new AskedInfo(terms.Title, terms.Why, terms.Researcher);
        }
        catch (ServiceRefusedException)
        {
            // A process of sites alone has no terms documents; the purpose stands on the ledger all the same.
            return null;
        }
    }

    // It opens every delivery's file: now and then is enough for what people compare.
    private const ulong BlocksBetweenEarnings = 20;

    private readonly ConcurrentDictionary<string, (ulong Block, ProfileEarnings.Row[] Rows)> _earned = new(StringComparer.Ordinal);

    private async Task<ProfileEarnings.Row[]> EarnedAsync(Schema schema)
    {
        ulong now = roles.View.FollowedTo;
        if (!_earned.TryGetValue(schema.Id, out (ulong Block, ProfileEarnings.Row[] Rows) known) || now < known.Block
            || now >= known.Block + BlocksBetweenEarnings)
        {
            known = _earned[schema.Id] = (now, await ProfileEarnings.OfAsync(roles.Here(), schema));
        }

        return known.Rows;
    }

    private static ProfileMeaning Profile(
        MarketSchema dealt, Schema schema, PolicyProfile profile, int index, double topOne, ProfileEarnings.Row? earned) => new()
    {
        Index = index,
        Name = profile.Name,
        Reidentified = topOne,
        RecordsOffered = earned?.Offered,
        RecordsSold = earned?.Sold,
        Earned = earned is { } row ? Show.Amount(row.Paid) : null,
        Attributes =
        [
            .. Enumerable.Range(0, schema.Attributes.Count).Where(a => schema.Attributes[a].Tier != Tier.Public)
            .Select(a => new AttributeMeaning
            {
                Name = schema.Attributes[a].Name,
                Title = schema.Attributes[a].Title,
                Tier = schema.Attributes[a].Tier.ToString().ToLowerInvariant(),
                Grade = profile[a],
                EpsilonMicro = schema.Grades[profile[a]].Micro,
                GuessRight = GuessRight(schema.Grades[profile[a]]),
                QualityPpb = profile[a] == 0 ? 0 : dealt.Table.QualityOf(a, profile[a]),
            }),
        ],
        LossMicro = Enumerable.Range(0, schema.Attributes.Count).Where(a => schema.Attributes[a].Tier != Tier.Public)
            .Sum(a => schema.Grades[profile[a]].Micro),
    };

    // The chance with which an observer of one report tells two values apart, whatever the mechanism: e^eps / (1 + e^eps) at most
    // (docs/ATTACK_MODEL.md).
    private static double GuessRight(EpsilonMicro epsilon) => 1 / (1 + Math.Exp(-epsilon.Micro / 1e6));

    private static OfferInfo Info(PublisherOffer offer) => new()
    {
        NextNonce = offer.NextNonce,
        Profile = offer.Profile,
        Rate = offer.Rate,
        Quota = offer.Quota,
        Purpose = offer.Purpose,
        ExpirySeconds = offer.ExpirySeconds,
        Participation = offer.Participation.ToString().ToLowerInvariant(),
        LossMicro = offer.LossMicro,
        CapMicro = offer.CapMicro,
        OwnSeed = offer.OwnSeed,
    };

    private static byte[] Bytes(string hex)
    {
        try
        {
            return Convert.FromHexString(hex.StartsWith("0x", StringComparison.Ordinal) ? hex[2..] : hex);
        }
        catch (FormatException)
        {
            throw new SiteRefusedException("command-malformed", "a signature, key or chain code is not hexadecimal");
        }
    }
}

/// <summary>A site's menu for its patients.</summary>
internal sealed record MenuInfo
{
    public required string SchemaId { get; init; }

    public required int Records { get; init; }

    public required int Persons { get; init; }

    /// <summary>The most that all releases of a person together may cost, micro-epsilon.</summary>
    public required long CapMicro { get; init; }

    /// <summary>The crowd in which re-identification was measured: a blind guess is right once in as many.</summary>
    public required int CrowdSize { get; init; }

    public required ProfileMeaning[] Profiles { get; init; }

    public required RateInfo[] Rates { get; init; }

    public required PurposeInfo[] Purposes { get; init; }
}

/// <summary>What a profile means.</summary>
internal sealed record ProfileMeaning
{
    public required int Index { get; init; }

    public required string Name { get; init; }

    public required AttributeMeaning[] Attributes { get; init; }

    /// <summary>What releasing every attribute at its ceiling costs, micro-epsilon: the odds of any two records change by e to this at
    /// most.</summary>
    public required long LossMicro { get; init; }

    /// <summary>How often whoever knows a record picks it out of the crowd by all that this profile releases, as measured at this
    /// site.</summary>
    public required double Reidentified { get; init; }

    /// <summary>Records now on offer under this profile, at all sites; null at a site that runs apart from its market.</summary>
    public required long? RecordsOffered { get; init; }

    /// <summary>Records that were delivered under it so far; null as above.</summary>
    public required long? RecordsSold { get; init; }

    /// <summary>What was paid for them, token units; null as above.</summary>
    public required string? Earned { get; init; }
}

internal sealed record AttributeMeaning
{
    public required string Name { get; init; }

    public required string Title { get; init; }

    public required string Tier { get; init; }

    /// <summary>0 for withheld.</summary>
    public required int Grade { get; init; }

    public required long EpsilonMicro { get; init; }

    /// <summary>How often an observer of this one answer is right between two values, at most; 0.5 without it.</summary>
    public required double GuessRight { get; init; }

    /// <summary>Effective records that a report at this grade is worth, parts per billion.</summary>
    public required long QualityPpb { get; init; }
}

/// <summary>A row of the menu of rates.</summary>
/// <param name="Index">Its index.</param>
/// <param name="PerEpsilon">Token units per epsilon for the tiers public, low, moderate, private.</param>
internal sealed record RateInfo(int Index, string[] PerEpsilon)
{
    private static readonly Tier[] Tiers = [Tier.Public, Tier.Low, Tier.Moderate, Tier.Private];

    /// <summary>A site's menu.</summary>
    public static RateInfo[] Of(IEnumerable<TierRates> menu) =>
        [.. menu.Select((rates, index) => new RateInfo(index, [.. Tiers.Select(tier => Show.Amount(rates[tier].Units))]))];
}

/// <summary>Where a patient stands.</summary>
internal sealed record OfferInfo
{
    /// <summary>The nonce of the next command.</summary>
    public required ulong NextNonce { get; init; }

    public required byte Profile { get; init; }

    public required byte Rate { get; init; }

    /// <summary>Sales per record and round; 0 before the first policy.</summary>
    public required ushort Quota { get; init; }

    public required byte Purpose { get; init; }

    public required long ExpirySeconds { get; init; }

    /// <summary>active, paused or withdrawn.</summary>
    public required string Participation { get; init; }

    public required long LossMicro { get; init; }

    public required long CapMicro { get; init; }

    /// <summary>Whether only the patient has the seed, and the site no key that commands or is paid from the next epoch on.</summary>
    public required bool OwnSeed { get; init; }
}

/// <summary>What a Consent of HL7 FHIR R4 means at a site (docs/CONSENT.md).</summary>
internal sealed record ConsentInfo
{
    /// <summary>What the person wants: active, paused or withdrawn.</summary>
    public required string Participation { get; init; }

    /// <summary>The policy to sign; null where the Consent only pauses or withdraws.</summary>
    public ConsentPolicyInfo? Policy { get; init; }

    /// <summary>Where the policy allows less than the Consent permits; it never allows more.</summary>
    public required ConsentNote[] Notes { get; init; }

    /// <summary>What a reading says, with the names of the menu.</summary>
    public static ConsentInfo Of(ConsentReading reading, Schema schema) => new()
    {
        Participation = reading.Participation.ToString().ToLowerInvariant(),
        Policy = reading.Policy is { } policy
            ? new ConsentPolicyInfo
            {
                Profile = policy.Profile,
                ProfileName = schema.Profiles[policy.Profile].Name,
                Rate = policy.Rate,
                Quota = policy.Quota,
                Purpose = policy.Purpose,
                PurposeTitle = PurposeTree.Default.Purposes.Single(purpose => purpose.Code == policy.Purpose).Title,
                ExpirySeconds = policy.ExpirySeconds,
            } : null,
        Notes = [.. reading.Notes],
    };
}

/// <summary>A policy as a Consent says it.</summary>
internal sealed record ConsentPolicyInfo
{
    public required byte Profile { get; init; }

    public required string ProfileName { get; init; }

    /// <summary>By its number on the menu; null where the Consent names none.</summary>
    public byte? Rate { get; init; }

    /// <summary>Sales per record and round; null where the Consent names none.</summary>
    public ushort? Quota { get; init; }

    public required byte Purpose { get; init; }

    public required string PurposeTitle { get; init; }

    public required long ExpirySeconds { get; init; }
}

/// <summary>A patient's signed command (docs/WIRE.md, "Patients' messages").</summary>
internal sealed record CommandInfo
{
    public required ulong Nonce { get; init; }

    /// <summary>setPolicy, pause, resume or withdraw; all members below but the signature are 0 unless it sets a policy.</summary>
    public required string Kind { get; init; }

    public byte Profile { get; init; }

    public byte Rate { get; init; }

    public ushort Quota { get; init; }

    public byte Purpose { get; init; }

    public long ExpirySeconds { get; init; }

    /// <summary>65 bytes as hexadecimal digits.</summary>
    public required string Signature { get; init; }

    /// <summary>With a withdrawal, the revocations that the person's controllers signed for the ledger: of whoever has the own
    /// seed.</summary>
    public SignedRevocation[]? Revocations { get; init; }
}

/// <summary>A revocation for the ledger.</summary>
/// <param name="Pseudonym">The pseudonym, 64 lower-case hexadecimal digits.</param>
/// <param name="Signature">Its controller's signature, 65 bytes as hexadecimal digits.</param>
internal sealed record SignedRevocation(string Pseudonym, string Signature);

/// <summary>A patient's signed payout account (docs/WIRE.md, "Patients' messages").</summary>
internal sealed record TakeOverInfo
{
    public required ulong Nonce { get; init; }

    /// <summary>The account's public key in compressed form, 33 bytes as hexadecimal digits.</summary>
    public required string PublicKey { get; init; }

    /// <summary>Its chain code, 32 bytes as hexadecimal digits.</summary>
    public required string ChainCode { get; init; }

    /// <summary>Of the controller so far, 65 bytes as hexadecimal digits.</summary>
    public required string Signature { get; init; }

    /// <summary>Of the account's own key, 65 bytes as hexadecimal digits.</summary>
    public required string AccountSignature { get; init; }
}

/// <summary>A use of a record.</summary>
internal sealed record UseInfo
{
    public required ulong RequestId { get; init; }

    /// <summary>Who asked, and why; null at a site that runs apart from its market.</summary>
    public required AskedInfo? Asked { get; init; }

    public required byte Purpose { get; init; }

    /// <summary>The purpose in words.</summary>
    public required string PurposeTitle { get; init; }

    /// <summary>reserved, released, posted, final, paid or void.</summary>
    public required string State { get; init; }

    public required UsedAttribute[] Attributes { get; init; }

    public required uint Epoch { get; init; }

    public required string EpochId { get; init; }

    public required uint MemberPosition { get; init; }

    public required string RoundId { get; init; }

    public required uint Attempt { get; init; }

    public required string DeliveryId { get; init; }

    public required uint Slot { get; init; }

    public required string ReportHash { get; init; }

    public required string Amount { get; init; }

    public required string Payee { get; init; }
}

/// <summary>What a request says to patients.</summary>
/// <param name="Title">What it is about.</param>
/// <param name="Why">Why it is asked.</param>
/// <param name="Researcher">The account that asks.</param>
internal sealed record AskedInfo(string Title, string Why, string Researcher);

internal sealed record UsedAttribute(string Name, int Grade);
