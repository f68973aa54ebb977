using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Consents;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>
/// Carries out at a site's desk what its patients said in Consents of HL7 FHIR R4 (docs/CONSENT.md, "At the desk"): the policy of whoever
/// leaves the choice to the site. Whoever commands by an own signature keeps what they commanded; such a one is paused or withdrawn, since
/// that releases nothing, and given no policy.
/// </summary>
internal sealed class ConsentDesk(RunningRoles roles)
{
    /// <summary>Reads files of Consents and carries them out, all that can be: those that cannot are listed.</summary>
    /// <param name="site">The site.</param>
    /// <param name="schema">The schema.</param>
    /// <param name="files">The files: single Consents, bundles, NDJSON.</param>
    /// <param name="wish">What Consents leave open.</param>
    /// <param name="progress">Told how far it is, in percent.</param>
    /// <param name="cancellationToken">Ends it; nothing was carried out then.</param>
    /// <exception cref="InputException">A file as a whole cannot be read.</exception>
    /// <exception cref="SiteRefusedException"><c>command-nonce</c>: a patient changed a policy meanwhile; nothing was carried
    /// out.</exception>
    public async Task<ConsentsInfo> SetAsync(string site, Schema schema, IReadOnlyList<string> files, ConsentsWish wish,
        IProgress<int> progress, CancellationToken cancellationToken)
    {
        SiteRole here = roles.Site(site);
        await here.View.SyncAsync(cancellationToken);
        ConsentMenu menu = ConsentMenu.Of(schema, here.Options.Rates);
        ConsentFiles read = new(menu, wish.Layout, here.View.NowSeconds);
        read.Read(files, cancellationToken);
        PersonConsent[] consents = [.. read.Consents];
        Dictionary<ulong, SitePerson> persons = (await here.Grain.PersonsAsync(schema.Id, [.. consents.Select(one => one.PersonKey)]))
            .ToDictionary(person => person.Policy.PersonKeys[0]);
        List<SetPolicies> before = [], after = [];
        int unchanged = 0;
        for (int i = 0; i < consents.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress.Report(100 * i / consents.Length);
            PersonConsent consent = consents[i];
            if (!persons.TryGetValue(consent.PersonKey, out SitePerson? person))
            {
                read.Add(Problem(consent, "not-found", "the site has no record of this patient", "Load the records first."));
            }
            else if (await NextAsync(here, site, schema.Id, person, consent, wish, read) is { } next)
            {
                if (IsSame(person.Policy, next))
                {
                    unchanged++;
                }
                else
                {
                    before.Add(person.Policy);
                    after.Add(next);
                }
            }
        }

        if (after.Count > 0)
        {
            await here.Grain.SetPoliciesAsync(Joined(after) with { InPlaceOf = Joined(before) });
        }

        return new ConsentsInfo
        {
            Consents = read.Total,
            Active = after.Count(policy => policy.Participation[0] == Participation.Active),
            Paused = after.Count(policy => policy.Participation[0] == Participation.Paused),
            Withdrawn = after.Count(policy => policy.Participation[0] == Participation.Withdrawn),
            Unchanged = unchanged,
            OtherResources = read.PassedOver,
            TotalProblems = read.TotalProblems,
            Problems = [.. read.Problems.Select(problem => new ConsentProblem(
                problem.File, problem.Line, problem.Code, problem.Column, problem.Message, problem.Fix))],
        };
    }

    private static async Task<SetPolicies?> NextAsync(SiteRole here, string site, string schemaId, SitePerson person, PersonConsent consent,
        ConsentsWish wish, ConsentFiles read)
    {
        (SetPolicies now, ConsentReading reading) = (person.Policy, consent.Reading);
        SetPolicies apart = now with { Quotas = [Math.Max((ushort)1, now.Quotas[0])], Participation = [reading.Participation] };
        if (reading.Participation == Participation.Withdrawn)
        {
            return apart;
        }

        if (now.Participation[0] == Participation.Withdrawn)
        {
            read.Add(Problem(consent, "business-rule", "the patient has withdrawn for good", "A withdrawal cannot be taken back."));
            return null;
        }

        if (await CommandsAsync(here, site, schemaId, person))
        {
            if (reading.Participation == Participation.Paused)
            {
                return apart;
            }

            read.Add(Problem(consent, "business-rule", "the patient commands by an own signature, which the site does not replace",
                "The patient hands the Consent in: 'emr patient policy --consent', or the page."));
            return null;
        }

        if (reading.Policy is not { } policy)
        {
            return apart;
        }

        bool had = now.Quotas[0] > 0;
        if ((policy.Rate ?? (had ? now.Rates[0] : wish.Rate)) is not { } rate)
        {
            read.Add(Problem(consent, "required", "the Consent names no asking price, and the patient has none yet",
                "Say which rate of the menu such patients get."));
            return null;
        }

        return now with
        {
            Profiles = [policy.Profile],
            Rates = [rate],
            Quotas = [policy.Quota ?? (had ? now.Quotas[0] : wish.Quota)],
            Purposes = [policy.Purpose],
            ExpirySeconds = [policy.ExpirySeconds],
            Participation = [reading.Participation],
        };
    }

    /// <summary>Whether the patient gave a command for any of the own pseudonyms, a taking over included.</summary>
    private static async Task<bool> CommandsAsync(SiteRole here, string site, string schemaId, SitePerson person)
    {
        foreach (string pseudonym in person.Pseudonyms)
        {
            PublisherOffer offer = await here.Grains.GetGrain<IPublisherGrain>(PublisherKey.Of(site, schemaId, pseudonym)).StandingAsync();
            if (offer.NextNonce > 1)
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsSame(SetPolicies one, SetPolicies other) =>
        one.Profiles[0] == other.Profiles[0] && one.Rates[0] == other.Rates[0] && one.Quotas[0] == other.Quotas[0]
        && one.Purposes[0] == other.Purposes[0] && one.ExpirySeconds[0] == other.ExpirySeconds[0]
        && one.Participation[0] == other.Participation[0];

    private static SetPolicies Joined(List<SetPolicies> policies) => policies[0] with
    {
        PersonKeys = [.. policies.Select(policy => policy.PersonKeys[0])],
        Profiles = [.. policies.Select(policy => policy.Profiles[0])],
        Rates = [.. policies.Select(policy => policy.Rates[0])],
        Quotas = [.. policies.Select(policy => policy.Quotas[0])],
        Purposes = [.. policies.Select(policy => policy.Purposes[0])],
        ExpirySeconds = [.. policies.Select(policy => policy.ExpirySeconds[0])],
        Participation = [.. policies.Select(policy => policy.Participation[0])],
    };

    private static InputProblem Problem(PersonConsent consent, string code, string message, string fix) =>
        new(code, consent.File, consent.Line, "Consent", message, fix);
}

/// <summary>What Consents at the desk leave open.</summary>
internal sealed record ConsentsWish
{
    /// <summary>The layout of the files that the persons' ids are from; null for the schema's only one.</summary>
    public string? Layout { get; init; }

    /// <summary>The asking price of who has none yet and names none, by its number on the site's menu; null to refuse such a one.</summary>
    public byte? Rate { get; init; }

    /// <summary>The sales per record and round of who has no policy yet and names none, at least 1.</summary>
    public ushort Quota { get; init; } = 4;
}

/// <summary>What became of Consents at a site's desk.</summary>
internal sealed record ConsentsInfo
{
    /// <summary>How many were read.</summary>
    public required long Consents { get; init; }

    /// <summary>Persons who take part by another policy than before.</summary>
    public required int Active { get; init; }

    /// <summary>Persons who pause from now on.</summary>
    public required int Paused { get; init; }

    /// <summary>Persons who withdrew for ever.</summary>
    public required int Withdrawn { get; init; }

    /// <summary>Persons whose policy was the Consent's before.</summary>
    public required int Unchanged { get; init; }

    /// <summary>Resources of other types, which were passed over.</summary>
    public required long OtherResources { get; init; }

    /// <summary>How many problems there are; a Consent with one was not carried out.</summary>
    public required long TotalProblems { get; init; }

    /// <summary>The first hundred.</summary>
    public required ConsentProblem[] Problems { get; init; }
}

/// <summary>Why a Consent was not carried out.</summary>
/// <param name="File">Its file.</param>
/// <param name="Line">Its line, from 1.</param>
/// <param name="Code">A code of OperationOutcome.</param>
/// <param name="Expression">Where in it, as FHIRPath.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Fix">What to do.</param>
internal sealed record ConsentProblem(string File, long Line, string Code, string Expression, string Message, string Fix);
