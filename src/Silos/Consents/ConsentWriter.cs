using System.Globalization;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Reporting.Fhir;
using EmrMarket.Silos.Reporting.Plots;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Consents;

/// <summary>
/// Writes a policy as a Consent of HL7 FHIR R4 (4.0.1): everything is denied but what nested provisions permit, each up to a ceiling
/// (docs/CONSENT.md). It names nobody: a patient may show it without linking person and pseudonym.
/// </summary>
internal static class ConsentWriter
{
    /// <summary>The end that means none: of the year 9999, the last that FHIR can write.</summary>
    public const long NoEnd = 253_402_300_800;

    private const long Day = 86_400;

    /// <summary>The Consent, as JSON. The same policy gives the same bytes.</summary>
    /// <param name="policy">The policy; rate and quota are left out where they are null.</param>
    /// <param name="participation">Becomes the status: active, inactive (paused) or rejected (withdrawn).</param>
    /// <param name="menu">What the policy's numbers mean.</param>
    /// <exception cref="ArgumentException">A number of the policy is on no menu, or its end lies behind the year 9999.</exception>
    public static string Write(ConsentPolicy policy, Participation participation, ConsentMenu menu)
    {
        Schema schema = menu.Schema;
        if (policy.Profile >= schema.Profiles.Count || policy.Rate >= menu.Rates.Count || policy.Quota == 0
            || policy.ExpirySeconds is < 0 or > NoEnd)
        {
            throw new ArgumentException("the policy is not of this menu, or ends behind the year 9999", nameof(policy));
        }

        PolicyProfile profile = schema.Profiles[policy.Profile];
        Purpose purpose = PurposeTree.Default.Purposes.Single(each => each.Code == policy.Purpose);
        return FhirJson.Write(new FhirConsent
        {
            Text = Narrative(policy, profile, purpose),
            Extension = [new FhirExtension(ConsentCodes.Profile) { ValueString = profile.Name }],
            ModifierExtension = Asked(policy, menu).ToArray() is { Length: > 0 } asked ? asked : null,
            Status = participation switch
            {
                Participation.Active => "active",
                Participation.Paused => "inactive",
                _ => "rejected",
            },
            Scope = new FhirConcept([ConsentCodes.Research]),
            Category = [new FhirConcept([ConsentCodes.Deidentified])],
            Patient = new FhirReference(null) { Display = "whoever signs the policy that this Consent means" },
            Policy = [new FhirPolicy(ConsentCodes.PolicyOf(schema))],
            PolicyRule = new FhirConcept([ConsentCodes.OptOutWithExceptions]),
            Provision = new FhirProvision
            {
                Period = policy.ExpirySeconds == NoEnd ? null : new FhirPeriod(LastMoment(policy.ExpirySeconds)),
                Purpose =
                [
                    new FhirCoding(FhirCodes.Purpose, purpose.Code.ToString(CultureInfo.InvariantCulture), purpose.Title),
                ],
                Provision = ConsentCodes.AllTiers.SelectMany(tier => Permits(schema, profile, tier)).ToArray() is { Length: > 0 } permits
                    ? permits : null,
            },
        });
    }

    // One per tier where its attributes share a ceiling, else one per ceiling: no two cover the same attribute.
    private static IEnumerable<FhirProvision> Permits(Schema schema, PolicyProfile profile, Tier tier)
    {
        int[] attributes = [.. Enumerable.Range(0, schema.Attributes.Count).Where(a => schema.Attributes[a].Tier == tier)];
        if (attributes.Length == 0)
        {
            yield break;
        }

        if (tier == Tier.Public)
        {
            // A Public attribute has no ceiling: it leaves as it is, with every record that is offered.
            yield return new FhirProvision { Type = "permit", Class = [Coding(tier)] };
            yield break;
        }

        ILookup<int, int> byCeiling = attributes.ToLookup(a => profile[a]);
        foreach (IGrouping<int, int> ceiling in byCeiling.Where(group => group.Key > 0).OrderBy(group => group.Key))
        {
            yield return new FhirProvision
            {
                Type = "permit",
                ModifierExtension = [CeilingOf(ceiling.Key, schema.Grades)],
                Class = byCeiling.Count == 1 ? [Coding(tier)] : null,
                Code = byCeiling.Count == 1 ? null
                    : [.. ceiling.Select(a => new FhirConcept(
                        [new FhirCoding(ConsentCodes.Attributes(schema), schema.Attributes[a].Name, schema.Attributes[a].Title)]))],
            };
        }
    }

    private static FhirExtension CeilingOf(int grade, GradeLadder ladder) => new(ConsentCodes.Ceiling)
    {
        Extension =
        [
            new FhirExtension("grade") { ValueInteger = grade },
            new FhirExtension("epsilon") { ValueDecimal = ladder[grade].Value },
        ],
    };

    private static IEnumerable<FhirExtension> Asked(ConsentPolicy policy, ConsentMenu menu)
    {
        if (policy.Rate is { } number)
        {
            RateInfo rate = menu.Rates[number];
            yield return new FhirExtension(ConsentCodes.Rate)
            {
                Extension =
                [
                    new FhirExtension("menu") { ValueInteger = number },
                    .. ConsentCodes.AllTiers.Select(
                        (tier, i) => new FhirExtension(ConsentCodes.NameOf(tier)) { ValueString = rate.PerEpsilon[i] }),
                ],
            };
        }

        if (policy.Quota is { } quota)
        {
            yield return new FhirExtension(ConsentCodes.Quota) { ValueInteger = quota };
        }
    }

    private static FhirCoding Coding(Tier tier) => new(ConsentCodes.Tiers, ConsentCodes.NameOf(tier), tier.ToString());

    // The end of a period counts: a day is the whole day, a second the whole second.
    private static string LastMoment(long expiry) => DateTimeOffset.FromUnixTimeSeconds(expiry - 1)
        .ToString(expiry % Day == 0 ? "yyyy-MM-dd" : "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static FhirNarrative Narrative(ConsentPolicy policy, PolicyProfile profile, Purpose purpose) => new(
        $"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Randomised answers may be used for: {SvgBuilder.Escape(purpose.Title)}, and all "
        + $"kinds of it; under the profile {SvgBuilder.Escape(profile.Name)}"
        + (policy.ExpirySeconds == NoEnd ? "" : $"; until {LastMoment(policy.ExpirySeconds)} (UTC)")
            + ". Nothing else is allowed.</p></div>");
}
