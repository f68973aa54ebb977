using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Bundles of the shape that Synthea writes, with made-up content: a patient each, with what happened to them, and resources of no
/// use in between.</summary>
internal sealed class SyntheaShaped(int seed)
{
    private const string Sct = "http://snomed.info/sct", Loinc = "http://loinc.org", Rx = "http://www.nlm.nih.gov/research/umls/rxnorm";
    private readonly Random _random = new(seed);
    private readonly HashSet<string> _times = new(StringComparer.Ordinal);

    private static readonly string[] Conditions =
        ["44054006", "15777000", "59621000", "38341003", "22298006", "88805009", "195967001", "87433001", "433144002", "162864005",
            "40055000", "72892002"];

    private static readonly string[] Drugs = ["860975", "106892", "314076", "310798", "312961", "855332", "245314", "1049221", "313782",
        "206905"];
    private static readonly string[] Classes = ["AMB", "AMB", "AMB", "EMER", "IMP", "VR", "HH"];
    private static readonly string[] Smoking = ["266919005", "8517006", "449868002", "266927001"];

    /// <summary>The next patient's bundle.</summary>
    public JsonObject Next()
    {
        string patient = Uuid(), birth = $"{_random.Next(1930, 2015)}-{_random.Next(1, 13):00}-{_random.Next(1, 29):00}";
        JsonArray entries = [];
        void Add(JsonObject resource)
        {
            string id = resource["id"]!.GetValue<string>();
            entries.Add(new JsonObject
            {
                ["fullUrl"] = "urn:uuid:" + id, ["resource"] = resource,
                ["request"] = new JsonObject { ["method"] = "POST", ["url"] = resource["resourceType"]!.GetValue<string>() },
            });
        }

        JsonObject person = new()
        {
            ["resourceType"] = "Patient", ["id"] = patient,
            ["text"] = new JsonObject { ["status"] = "generated",
                ["div"] = "<div xmlns=\"http://www.w3.org/1999/xhtml\">a \\ \"b\" \u00e9\n</div>" },
            ["extension"] = new JsonArray(Extension("race", Pick("2106-3", "2054-5", "2028-9")),
                Extension("ethnicity", Pick("2135-2", "2186-5"))),
            ["identifier"] = new JsonArray(
                new JsonObject { ["system"] = "https://github.com/synthetichealth/synthea", ["value"] = patient }),
            ["name"] = new JsonArray(new JsonObject { ["family"] = "Doe" + seed, ["given"] = new JsonArray("Ann") }),
            ["gender"] = Pick("male", "female"), ["birthDate"] = birth,
            ["address"] = new JsonArray(new JsonObject { ["line"] = new JsonArray("1 Way"), ["city"] = "Boston",
                ["state"] = Pick("MA", "Texas", "CA", "Ohio") }),
            ["maritalStatus"] = Concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", Pick("M", "S", "D", "W", "UNK")),
        };
        if (_random.Next(5) == 0)
        {
            person["deceasedDateTime"] = Time();
        }

        if (_random.Next(10) == 0)
        {
            person.Remove("extension");
        }

        Add(person);
        for (int e = _random.Next(12); e > 0; e--)
        {
            string encounter = Uuid();
            Add(new JsonObject
            {
                ["resourceType"] = "Encounter", ["id"] = encounter,
                    ["status"] = Pick("finished", "finished", "finished", "entered-in-error"),
                ["class"] = new JsonObject { ["system"] = "http://terminology.hl7.org/CodeSystem/v3-ActCode", ["code"] = Pick(Classes) },
                ["subject"] = Reference(patient, "Ms. Ann Doe"), ["period"] = new JsonObject { ["start"] = Time() },
            });
            for (int c = _random.Next(3); c > 0; c--)
            {
                Add(new JsonObject
                {
                    ["resourceType"] = "Condition", ["id"] = Uuid(),
                    ["verificationStatus"] = Concept(
                        "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                            Pick("confirmed", "confirmed", "confirmed", "refuted")),
                    ["code"] = Concept(Sct, Pick(Conditions)), ["subject"] = Reference(patient), ["encounter"] = Reference(encounter),
                    ["onsetDateTime"] = Time(),
                });
            }

            for (int o = _random.Next(6); o > 0; o--)
            {
                Add(Observation(patient, encounter));
            }

            if (_random.Next(2) == 0)
            {
                JsonObject request = new()
                {
                    ["resourceType"] = "MedicationRequest", ["id"] = Uuid(), ["status"] = Pick("active", "stopped", "entered-in-error"),
                    ["intent"] = Pick("order", "order", "plan"), ["subject"] = Reference(patient), ["encounter"] = Reference(encounter),
                    ["authoredOn"] = Time(),
                };
                if (_random.Next(2) == 0)
                {
                    request["medicationCodeableConcept"] = Concept(Rx, Pick(Drugs));
                    Add(request);
                }
                else
                {
                    // As US Core's profile may have it: a Medication of its own, before the request or behind it.
                    JsonObject medication = new()
                    {
                        ["resourceType"] = "Medication", ["id"] = Uuid(), ["code"] = Concept(Rx, Pick(Drugs)), ["status"] = "active",
                    };
                    request["medicationReference"] = Reference(medication["id"]!.GetValue<string>());
                    bool before = _random.Next(2) == 0;
                    Add(before ? medication : request);
                    Add(before ? request : medication);
                }
            }

            Add(new JsonObject { ["resourceType"] = "Claim", ["id"] = Uuid(), ["patient"] = Reference(patient),
                ["total"] = new JsonObject { ["value"] = 129.16 } });
        }

        return new JsonObject { ["resourceType"] = "Bundle", ["type"] = "transaction", ["entry"] = entries };
    }

    private static JsonObject Concept(string system, string code) => new()
    {
        ["coding"] = new JsonArray(new JsonObject { ["system"] = system, ["code"] = code, ["display"] = "made up" }), ["text"] = "made up",
    };

    private static JsonObject Reference(string id, string? display = null)
    {
        JsonObject reference = new() { ["reference"] = "urn:uuid:" + id };
        if (display is not null)
        {
            reference["display"] = display;
        }

        return reference;
    }

    private static JsonObject Extension(string name, string code) => new()
    {
        ["url"] = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-" + name,
        ["extension"] = new JsonArray(
            new JsonObject { ["url"] = "ombCategory",
                ["valueCoding"] = new JsonObject { ["system"] = "urn:oid:2.16.840.1.113883.6.238", ["code"] = code } },
            new JsonObject { ["url"] = "text", ["valueString"] = "made up" }),
    };

    private JsonObject Observation(string patient, string encounter)
    {
        JsonObject observation = new()
        {
            ["resourceType"] = "Observation", ["id"] = Uuid(), ["status"] = Pick("final", "final", "final", "final", "entered-in-error"),
            ["subject"] = Reference(patient), ["encounter"] = Reference(encounter), ["effectiveDateTime"] = Time(),
        };
        switch (_random.Next(5))
        {
            case 0:
                observation["code"] = Concept(Loinc, "39156-5");
                observation["valueQuantity"] = Quantity(150, 450, 10, "kg/m2");
                break;
            case 1:
                observation["code"] = Concept(Loinc, Pick("85354-9", "55284-4"));
                JsonObject low = new() { ["code"] = Concept(Loinc, "8462-4"), ["valueQuantity"] = Quantity(50, 130, 1, "mm[Hg]") };
                JsonObject high = new() { ["code"] = Concept(Loinc, "8480-6"), ["valueQuantity"] = Quantity(80, 210, 1, "mm[Hg]") };
                observation["component"] = new JsonArray(low, high);
                break;
            case 2:
                observation["code"] = Concept(Loinc, "72166-2");
                observation["valueCodeableConcept"] = Concept(Sct, Pick(Smoking));
                break;
            case 3:
                observation["code"] = Concept(Loinc, "4548-4");
                observation["valueQuantity"] = Quantity(40, 120, 10, "%");
                break;
            default:
                observation["code"] = Concept(Loinc, "2093-3");
                observation["valueQuantity"] = Quantity(1000, 3500, 10, Pick("mg/dL", "mg/dL", "mmol/L"));
                break;
        }

        return observation;
    }

    private JsonObject Quantity(int from, int below, int divisor, string unit) => new()
    {
        ["value"] = JsonValue.Create((decimal)_random.Next(from, below) / divisor), ["unit"] = unit,
            ["system"] = "http://unitsofmeasure.org", ["code"] = unit,
    };

    /// <summary>A time that nothing else has, so that "the last" is one thing, in one zone, so that texts order as times do.</summary>
    private string Time()
    {
        string time;
        do
        {
            time = new DateTime(1990, 1, 1, 0, 0, 0, DateTimeKind.Unspecified).AddSeconds(_random.Next(1_000_000_000))
                .ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture) + "-05:00";
        }
        while (!_times.Add(time));
        return time;
    }

    private string Uuid()
    {
        byte[] bytes = new byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes).ToString();
    }

    private string Pick(params string[] of) => of[_random.Next(of.Length)];
}
