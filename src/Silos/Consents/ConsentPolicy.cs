using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Consents;

/// <summary>What a policy may say at a site: the schema with its attributes, ladder and menu of profiles, and the site's menu of
/// rates.</summary>
/// <param name="Schema">The schema.</param>
/// <param name="Rates">The rates, by their numbers.</param>
internal sealed record ConsentMenu(Schema Schema, IReadOnlyList<RateInfo> Rates)
{
    /// <summary>The menu of a site.</summary>
    public static ConsentMenu Of(Schema schema, IEnumerable<TierRates> rates) => new(schema, RateInfo.Of(rates));
}

/// <summary>A policy as a Consent says it: of a patient's command (docs/WIRE.md, "Patients' messages") all but signature and
/// nonce.</summary>
internal sealed record ConsentPolicy
{
    /// <summary>The profile, by its number on the schema's menu.</summary>
    public required byte Profile { get; init; }

    /// <summary>The asking price, by its number on the site's menu; null where the Consent names none.</summary>
    public byte? Rate { get; init; }

    /// <summary>Sales per record and round, from 1; null where the Consent names none.</summary>
    public ushort? Quota { get; init; }

    /// <summary>The purpose that is admitted, with all below it.</summary>
    public required byte Purpose { get; init; }

    /// <summary>Unix seconds, from 0: the first at which nothing is allowed any more.</summary>
    public required long ExpirySeconds { get; init; }
}

/// <summary>What a Consent comes to.</summary>
internal sealed record ConsentReading
{
    /// <summary>Whether the person takes part, pauses, or withdraws.</summary>
    public required Participation Participation { get; init; }

    /// <summary>The policy; null where the Consent only ends or pauses taking part and says none that a policy can say.</summary>
    public ConsentPolicy? Policy { get; init; }

    /// <summary>Where the policy allows less than the Consent does, and why; it never allows more.</summary>
    public required IReadOnlyList<ConsentNote> Notes { get; init; }
}

/// <summary>Something about a Consent that is not wrong, and that its reader should know.</summary>
/// <param name="Expression">Where, as FHIRPath.</param>
/// <param name="Text">What.</param>
internal sealed record ConsentNote(string Expression, string Text);
