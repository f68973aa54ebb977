using System.Text.Json.Nodes;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Consents;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Tests.Consents;

/// <summary>Schemas, a site's rates, and Consents to begin with.</summary>
internal static class ConsentExamples
{
    public const string Own = "urn:emrmarket:fhir:";
    public const string V3 = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

    // 2026-06-01.
    public const long Now = 1_780_272_000;

    public static RateInfo[] Rates { get; } =
        [new(0, ["0", "10", "20", "30"]), new(1, ["0", "40", "50", "340282366920938463463374607431768211455"])];

    /// <summary>A Public attribute, every tier, ceilings that differ within a tier, and profiles of equal ceilings.</summary>
    public static ConsentMenu Small { get; } = new(Parse(
        """
        {"name":"region","tier":"public","labels":["n","s"]},{"name":"sex","tier":"low","labels":["f","m"]},
        {"name":"age","tier":"low","labels":["young","old"]},{"name":"bmi","tier":"moderate","optional":true,"grid":{"min":10,"max":60,"step":1,"unit":"kg/m2"}},
        {"name":"hiv","tier":"private","labels":["no","yes"]}
        """,
        """
        {"name":"none","ceilings":{"low":0,"moderate":0,"private":0}},
        {"name":"careful","ceilings":{"low":2,"moderate":1,"private":0}},
        {"name":"twin","ceilings":{"low":2,"moderate":1,"private":0}},
        {"name":"usual","ceilings":{"low":4,"moderate":3,"private":2},"attributes":{"age":3,"bmi":0}},
        {"name":"all","ceilings":{"low":6,"moderate":6,"private":6}}
        """), Rates);

    /// <summary>Nothing Public.</summary>
    public static ConsentMenu Closed { get; } = new(Parse(
        """{"name":"sex","tier":"low","labels":["f","m"]},{"name":"hiv","tier":"private","labels":["no","yes"]}""",
        """{"name":"none","ceilings":{"low":0,"moderate":0,"private":0}},{"name":"some","ceilings":{"low":3,"moderate":0,"private":0}}"""), Rates);

    public static ConsentMenu Synthetic { get; } = new(DataFolder.LoadSchema("synthetic"), Rates);

    /// <summary>Denies all but Public and Low attributes up to grade 4, for research, until the end of 2027.</summary>
    public static JsonObject Example(ConsentMenu menu) => JsonNode.Parse($$"""
        {
         "resourceType": "Consent",
         "id": "example",
         "status": "active",
         "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]},
         "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
         "policy": [{"uri": "urn:emrmarket:fhir:identifier:schema:{{menu.Schema.Id}}"}],
         "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]},
         "provision": {
          "period": {"start": "2026-01-01", "end": "2027-12-31"},
          "purpose": [{"system": "urn:emrmarket:fhir:identifier:purpose", "code": "1"}],
          "provision": [
           {"type": "permit", "class": [{"system": "urn:emrmarket:fhir:CodeSystem:tier", "code": "public"}]},
           {
            "type": "permit", "class": [{"system": "urn:emrmarket:fhir:CodeSystem:tier", "code": "low"}],
            "modifierExtension": [{"url": "urn:emrmarket:fhir:StructureDefinition:consent-ceiling", "extension": [{"url": "grade", "valueInteger": 4}]}]
           }
          ]
         }
        }
        """)!.AsObject();

    public static ConsentReading Read(string json, ConsentMenu menu, long now = Now) =>
        ConsentReader.Read(System.Text.Encoding.UTF8.GetBytes(json), menu, now, "consent.json");

    private static Schema Parse(string attributes, string profiles) => Schema.Parse(
        $$$"""
        {"format":1,"name":"small","version":"1","title":"small","publishable":true,"attributes":[{{{attributes}}}],
         "profiles":[{{{profiles}}}],"layouts":[{"name":"small","readings":{}}]}
        """, "small");
}
