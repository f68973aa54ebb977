using System.Text.Json.Serialization;

namespace EmrMarket.Silos.Reporting.Fhir;

// The elements of HL7 FHIR R4 (4.0.1, https://hl7.org/fhir/R4/) that results need, under the specification's own names. No FHIR
// library is referenced: Hl7.Fhir.* is not in every registry this project builds from. Tests hold what is written against the
// specification's own JSON schema and value sets.

/// <summary>A resource.</summary>
[JsonDerivedType(typeof(FhirBundle))]
[JsonDerivedType(typeof(FhirObservation))]
[JsonDerivedType(typeof(FhirGroup))]
[JsonDerivedType(typeof(FhirOrganization))]
[JsonDerivedType(typeof(FhirProvenance))]
[JsonDerivedType(typeof(FhirCodeSystem))]
[JsonDerivedType(typeof(FhirMeasure))]
[JsonDerivedType(typeof(FhirMeasureReport))]
[JsonDerivedType(typeof(FhirConsent))]
internal abstract record FhirResource([property: JsonPropertyOrder(-3)] string ResourceType)
{
    [JsonPropertyOrder(-2)]
    public FhirMeta? Meta { get; init; }

    [JsonPropertyOrder(-1)]
    public FhirNarrative? Text { get; init; }
}

internal sealed record FhirMeta(FhirCoding[] Security);

internal sealed record FhirNarrative(string Div)
{
    public string Status { get; } = "generated";
}

internal sealed record FhirBundle() : FhirResource("Bundle")
{
    public required FhirIdentifier Identifier { get; init; }

    public string Type { get; } = "collection";

    public required DateTimeOffset Timestamp { get; init; }

    public required FhirEntry[] Entry { get; init; }
}

internal sealed record FhirEntry(string FullUrl, FhirResource Resource);

internal sealed record FhirObservation() : FhirResource("Observation")
{
    public FhirIdentifier[]? Identifier { get; init; }

    public FhirExtension[]? Extension { get; init; }

    public required string Status { get; init; }

    public required FhirConcept Code { get; init; }

    public required FhirReference Subject { get; init; }

    public FhirReference[]? Focus { get; init; }

    public required DateTimeOffset Issued { get; init; }

    public FhirReference[]? Performer { get; init; }

    public FhirQuantity? ValueQuantity { get; init; }

    public long? ValueInteger { get; init; }

    public FhirConcept? DataAbsentReason { get; init; }

    public FhirAnnotation[]? Note { get; init; }

    public FhirConcept? Method { get; init; }

    public FhirReference[]? HasMember { get; init; }

    public FhirReference[]? DerivedFrom { get; init; }

    public FhirComponent[]? Component { get; init; }
}

internal sealed record FhirComponent(FhirConcept Code)
{
    public FhirQuantity? ValueQuantity { get; init; }

    public FhirConcept? ValueCodeableConcept { get; init; }

    public string? ValueString { get; init; }

    public long? ValueInteger { get; init; }

    public FhirRange? ValueRange { get; init; }
}

internal sealed record FhirGroup() : FhirResource("Group")
{
    public string Type { get; } = "person";

    public bool Actual { get; } = true;

    public required FhirConcept Code { get; init; }

    public required string Name { get; init; }

    public required FhirCharacteristic[] Characteristic { get; init; }
}

internal sealed record FhirCharacteristic(FhirConcept Code, FhirConcept ValueCodeableConcept)
{
    public bool Exclude { get; }
}

internal sealed record FhirOrganization() : FhirResource("Organization")
{
    public required FhirIdentifier[] Identifier { get; init; }

    public required string Name { get; init; }
}

internal sealed record FhirProvenance() : FhirResource("Provenance")
{
    public required FhirReference[] Target { get; init; }

    public required DateTimeOffset Recorded { get; init; }

    public required FhirConcept Activity { get; init; }

    public required FhirAgent[] Agent { get; init; }

    public required FhirEntity[] Entity { get; init; }
}

internal sealed record FhirAgent(FhirConcept Type, FhirReference Who);

internal sealed record FhirEntity(FhirReference What)
{
    public string Role { get; } = "source";
}

internal sealed record FhirCodeSystem() : FhirResource("CodeSystem")
{
    public required string Url { get; init; }

    public required string Version { get; init; }

    public required string Name { get; init; }

    public required string Title { get; init; }

    public string Status { get; } = "active";

    public required string Description { get; init; }

    public bool CaseSensitive { get; } = true;

    public string Content { get; } = "complete";

    public required FhirCodeConcept[] Concept { get; init; }
}

internal sealed record FhirConsent() : FhirResource("Consent")
{
    public FhirExtension[]? Extension { get; init; }

    public FhirExtension[]? ModifierExtension { get; init; }

    public required string Status { get; init; }

    public required FhirConcept Scope { get; init; }

    public required FhirConcept[] Category { get; init; }

    public required FhirReference Patient { get; init; }

    public required FhirPolicy[] Policy { get; init; }

    public required FhirConcept PolicyRule { get; init; }

    public required FhirProvision Provision { get; init; }
}

internal sealed record FhirPolicy(string Uri);

internal sealed record FhirProvision
{
    public FhirExtension[]? ModifierExtension { get; init; }

    public string? Type { get; init; }

    public FhirPeriod? Period { get; init; }

    public FhirCoding[]? Purpose { get; init; }

    public FhirCoding[]? Class { get; init; }

    public FhirConcept[]? Code { get; init; }

    public FhirProvision[]? Provision { get; init; }
}

internal sealed record FhirPeriod(string End)
{
    public string? Start { get; init; }
}

internal sealed record FhirCodeConcept(string Code, string Display, string Definition);

internal sealed record FhirCoding(string System, string Code, string? Display = null);

internal sealed record FhirConcept(FhirCoding[]? Coding, string? Text = null);

internal sealed record FhirIdentifier(string System, string Value);

internal sealed record FhirReference(string? Reference)
{
    public FhirIdentifier? Identifier { get; init; }

    public string? Display { get; init; }
}

internal sealed record FhirQuantity(double? Value)
{
    public FhirExtension[]? Extension { get; init; }

    public string? Unit { get; init; }

    public string? System { get; init; }

    public string? Code { get; init; }
}

internal sealed record FhirRange(FhirQuantity? Low, FhirQuantity? High);

internal sealed record FhirAnnotation(string Text);

internal sealed record FhirExtension(string Url)
{
    public FhirExtension[]? Extension { get; init; }

    public string? ValueString { get; init; }

    public long? ValueInteger { get; init; }

    public double? ValueDecimal { get; init; }

    public string? ValueCode { get; init; }

    public FhirRange? ValueRange { get; init; }
}

internal sealed record FhirMeasure() : FhirResource("Measure")
{
    public required string Url { get; init; }

    public required FhirIdentifier[] Identifier { get; init; }

    public required string Title { get; init; }

    public string Status { get; } = "active";

    public required FhirReference SubjectReference { get; init; }

    public required DateTimeOffset Date { get; init; }

    public required string Description { get; init; }

    public required FhirConcept Scoring { get; init; }

    public required FhirMeasureGroup[] Group { get; init; }
}

internal sealed record FhirMeasureGroup(FhirConcept Code, string Description);

internal sealed record FhirMeasureReport() : FhirResource("MeasureReport")
{
    public required FhirIdentifier[] Identifier { get; init; }

    public string Status { get; } = "complete";

    public string Type { get; } = "summary";

    public required string Measure { get; init; }

    public required FhirReference Subject { get; init; }

    public required DateTimeOffset Date { get; init; }

    public required FhirReference Reporter { get; init; }

    public required FhirPeriod Period { get; init; }

    public required FhirReportGroup[] Group { get; init; }
}

internal sealed record FhirReportGroup(FhirConcept Code)
{
    public FhirExtension[]? Extension { get; init; }

    public FhirReportPopulation[]? Population { get; init; }

    public FhirQuantity? MeasureScore { get; init; }

    public FhirStratifier[]? Stratifier { get; init; }
}

internal sealed record FhirReportPopulation(FhirConcept Code, long Count);

internal sealed record FhirStratifier(FhirConcept[] Code, FhirStratum[] Stratum);

internal sealed record FhirStratum(FhirConcept Value, FhirQuantity MeasureScore);
