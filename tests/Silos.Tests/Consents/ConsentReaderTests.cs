using System.Text;
using System.Text.Json.Nodes;
using EmrMarket.Analytics.Records;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Consents;

namespace EmrMarket.Silos.Tests.Consents;

/// <summary>What is read, what is refused and where, and that nothing else ever happens.</summary>
public sealed class ConsentReaderTests
{
    private const string Root = "Consent.provision";
    private const string First = "Consent.provision.provision[0]";
    private const string Second = "Consent.provision.provision[1]";

    [Fact]
    public void Example_is_the_policy_that_it_says()
    {
        ConsentReading reading = Read(ConsentExamples.Example(ConsentExamples.Small));
        Assert.Equal(Participation.Active, reading.Participation);
        Assert.Equal(
            new ConsentPolicy { Profile = 0, Purpose = 1, ExpirySeconds = 1_830_297_600 }, reading.Policy);

        // No profile allows grade 4 of Low attributes and nothing else: the nearest that is nowhere above is 'none', and that is said.
        Assert.Equal(["'sex': the Consent permits grade 4, the profile 'none' allows 0",
            "'age': the Consent permits grade 4, the profile 'none' allows 0"],
            reading.Notes.Select(note => note.Text));
    }

    [Theory]
    [InlineData("2027", 1_830_297_600)]
    [InlineData("2027-12", 1_830_297_600)]
    [InlineData("2028-02", 1_835_481_600)]
    [InlineData("2027-12-31", 1_830_297_600)]
    [InlineData("2027-12-31T23:59:59Z", 1_830_297_600)]
    [InlineData("2027-12-31T23:59:59.999+00:00", 1_830_297_600)]
    [InlineData("2028-01-01T00:00:00+01:00", 1_830_294_001)]
    [InlineData("2027-12-31T18:30:00-05:30", 1_830_297_601)]
    public void End_of_a_period_counts_with_all_that_it_names(string end, long expiry)
    {
        JsonObject consent = ConsentExamples.Example(ConsentExamples.Small);
        consent["provision"]!["period"]!["end"] = end;
        Assert.Equal(expiry, Read(consent).Policy!.ExpirySeconds);
    }

    [Theory]
    [InlineData("active", Participation.Active, true)]
    [InlineData("inactive", Participation.Paused, true)]
    [InlineData("rejected", Participation.Withdrawn, true)]
    public void Status_is_what_the_person_decided(string status, Participation expected, bool says)
    {
        JsonObject consent = ConsentExamples.Example(ConsentExamples.Small);
        consent["status"] = status;
        ConsentReading reading = Read(consent);
        Assert.Equal((expected, says), (reading.Participation, reading.Policy is not null));
    }

    [Theory]
    [InlineData("inactive", Participation.Paused)]
    [InlineData("rejected", Participation.Withdrawn)]
    public void Whoever_stops_is_not_kept_by_what_no_policy_says(string status, Participation expected)
    {
        JsonObject consent = ConsentExamples.Example(ConsentExamples.Small);
        consent["status"] = status;
        consent["provision"]!["actor"] = new JsonArray(new JsonObject());
        consent["provision"]!["provision"]![1]!["class"]![0]!["code"] = "else";
        ConsentReading reading = Read(consent);
        Assert.Equal((expected, null), (reading.Participation, reading.Policy));
        Assert.Equal([Root + ".actor", Second + ".class[0]", Second], reading.Notes.Select(note => note.Expression));
    }

    [Fact]
    public void Consent_that_permits_nothing_is_to_take_no_part()
    {
        JsonObject consent = ConsentExamples.Example(ConsentExamples.Small);
        consent["provision"]!.AsObject().Remove("provision");
        ConsentReading reading = Read(consent);
        Assert.Equal((Participation.Paused, null), (reading.Participation, reading.Policy));
    }

    [Fact]
    public void What_R4_says_changes_no_meaning_is_passed_over()
    {
        JsonObject consent = ConsentExamples.Example(ConsentExamples.Small);
        consent["meta"] = JsonNode.Parse("""{"lastUpdated":"2026-01-01T00:00:00Z"}""");
        consent["text"] = JsonNode.Parse("""{"status":"generated","div":"<div>x</div>"}""");
        consent["identifier"] = JsonNode.Parse("""[{"value":"x"}]""");
        consent["patient"] = JsonNode.Parse("""{"reference":"Patient/1"}""");
        consent["performer"] = JsonNode.Parse("""[{"reference":"Patient/1"}]""");
        consent["dateTime"] = "2026-01-01";
        consent["verification"] = JsonNode.Parse("""[{"verified":true}]""");
        consent["extension"] = JsonNode.Parse("""[{"url":"http://example.org/colour","valueString":"green"}]""");
        consent["provision"]!["action"] = JsonNode.Parse("""
            [{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"use"}]},
             {"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"disclose"}]}]
            """);
        Assert.Equal(Read(ConsentExamples.Example(ConsentExamples.Small)).Policy, Read(consent).Policy);
        Assert.Equal(Read(consent).Policy, ConsentExamples.Read("\uFEFF" + consent.ToJsonString(), ConsentExamples.Small).Policy);
    }

    // Where in the example, what is put there (nothing: it is taken out), and the refusal: code and place.
    [Theory]
    [InlineData("resourceType", "\"Patient\"", "structure", "Consent")]
    [InlineData("status", null, "required", "Consent.status")]
    [InlineData("status", "\"draft\"", "business-rule", "Consent.status")]
    [InlineData("status", "\"proposed\"", "business-rule", "Consent.status")]
    [InlineData("status", "\"entered-in-error\"", "business-rule", "Consent.status")]
    [InlineData("status", "\"signed\"", "code-invalid", "Consent.status")]
    [InlineData("status", "7", "structure", "Consent.status")]
    [InlineData("_status", "{\"id\":\"x\"}", "not-supported", "Consent._status")]
    [InlineData("implicitRules", "\"http://example.org\"", "not-supported", "Consent.implicitRules")]
    [InlineData("colour", "1", "structure", "Consent.colour")]
    [InlineData("a b", "1", "structure", "Consent.?")]
    [InlineData("scope", null, "required", "Consent.scope")]
    [InlineData("scope.coding.0.code", "\"treatment\"", "business-rule", "Consent.scope")]
    [InlineData("category", null, "required", "Consent.category")]
    [InlineData("category", "[]", "structure", "Consent.category")]
    [InlineData("policy.0.uri", "\"https://example.org/law\"", "not-supported", "Consent.policy[0].uri")]
    [InlineData("policy.0.authority", "\"https://example.org\"", "not-supported", "Consent.policy[0].authority")]
    [InlineData("policyRule.coding.0.code", "\"NOPP\"", "not-supported", "Consent.policyRule")]
    [InlineData("policyRule", null, "required", "Consent.policyRule")]
    [InlineData("verification", "[{\"verified\":false}]", "business-rule", "Consent.verification[0]")]
    [InlineData("modifierExtension", "[{\"url\":\"http://example.org/only-on-mondays\",\"valueBoolean\":true}]", "extension",
        "Consent.modifierExtension[0]")]
    [InlineData("extension", "[{\"url\":\"urn:emrmarket:fhir:StructureDefinition:consent-quota\",\"valueInteger\":1}]", "extension",
        "Consent.extension[0]")]
    [InlineData("extension", "[{\"url\":\"urn:emrmarket:fhir:StructureDefinition:consent-profile\",\"valueString\":\"usual\"}]",
        "conflict", "Consent.extension")]
    [InlineData("modifierExtension", "[{\"url\":\"urn:emrmarket:fhir:StructureDefinition:consent-quota\",\"valueInteger\":0}]", "value",
        "Consent.modifierExtension[0].valueInteger")]
    [InlineData("modifierExtension",
        "[{\"url\":\"urn:emrmarket:fhir:StructureDefinition:consent-rate\",\"extension\":[{\"url\":\"menu\",\"valueInteger\":2}]}]",
            "value",
        "Consent.modifierExtension[0].extension[0].valueInteger")]
    [InlineData("modifierExtension",
        "[{\"url\":\"urn:emrmarket:fhir:StructureDefinition:consent-rate\",\"extension\":[{\"url\":\"menu\",\"valueInteger\":1},{\"url\":\"low\",\"valueString\":\"39\"}]}]",
        "business-rule", "Consent.modifierExtension[0]")]
    [InlineData("provision.type", "\"permit\"", "conflict", Root + ".type")]
    [InlineData("provision.period.start", "\"2026-06-02\"", "business-rule", Root)]
    [InlineData("provision.period.end", "\"2025-12-31\"", "invariant", Root + ".period")]
    [InlineData("provision.period.end", "\"31.12.2027\"", "value", Root + ".period.end")]
    [InlineData("provision.period.end", "\"2027-02-29\"", "value", Root + ".period.end")]
    [InlineData("provision.period.end", "\"2027-12-31T10:00:00\"", "value", Root + ".period.end")]
    [InlineData("provision.period.end", "\"2027-12-31T10:00:00+23:00\"", "value", Root + ".period.end")]
    [InlineData("provision.actor", "[{}]", "not-supported", Root + ".actor")]
    [InlineData("provision.dataPeriod", "{\"start\":\"2020\"}", "not-supported", Root + ".dataPeriod")]
    [InlineData("provision.data", "[{}]", "not-supported", Root + ".data")]
    [InlineData("provision.securityLabel", "[{}]", "not-supported", Root + ".securityLabel")]
    [InlineData("provision.action",
        "[{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/consentaction\",\"code\":\"collect\"}]}]", "not-supported",
        Root + ".action")]
    [InlineData("provision.purpose.0.code", "\"10\"", "not-supported", Root + ".purpose[0]")]
    [InlineData("provision.purpose.0.code", "\"01\"", "not-supported", Root + ".purpose[0]")]
    [InlineData("provision.purpose.0", "{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActReason\",\"code\":\"CLINTRCH\"}",
        "not-supported",
        Root + ".purpose[0]")]
    [InlineData("provision.purpose.0", "{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActReason\",\"code\":\"TREAT\"}",
        "not-supported", Root + ".purpose[0]")]
    [InlineData("provision.purpose",
        "[{\"system\":\"urn:emrmarket:fhir:identifier:purpose\",\"code\":\"1\"},{\"system\":\"urn:emrmarket:fhir:identifier:purpose\",\"code\":\"2\"}]",
        "business-rule", Root + ".purpose")]
    [InlineData("provision.provision.0.type", null, "required", First + ".type")]
    [InlineData("provision.provision.0.type", "\"deny\"", "business-rule", First + ".type")]
    [InlineData("provision.provision.0.type", "\"allow\"", "code-invalid", First + ".type")]
    [InlineData("provision.provision.0.class.0.code", "\"moderate\"", "business-rule", Root)]
    [InlineData("provision.provision.0.class.0", "{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"Observation\"}",
        "not-supported", First + ".class[0]")]
    [InlineData("provision.provision.0.code", "[{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"4548-4\"}]}]", "not-supported",
        First + ".code[0]")]
    [InlineData("provision.provision.0.period", "{\"end\":\"2026-12-31\"}", "business-rule", Root)]
    [InlineData("provision.provision.0.period", "{\"end\":\"2025-12-31\"}", "business-rule", First)]
    [InlineData("provision.provision.0.purpose", "[{\"system\":\"urn:emrmarket:fhir:identifier:purpose\",\"code\":\"2\"}]",
        "business-rule", Root)]
    [InlineData("provision.provision.1.class.0.code", "\"public\"", "conflict", Second)]
    [InlineData("provision.provision.1.modifierExtension.0.url", "\"http://example.org/else\"", "extension", Second
        + ".modifierExtension[0]")]
    [InlineData("provision.provision.1.modifierExtension.0.extension.0.valueInteger", "7", "value", Second
        + ".modifierExtension[0].extension[0].valueInteger")]
    [InlineData("provision.provision.1.modifierExtension.0.extension.0.valueInteger", "2.5", "value", Second
        + ".modifierExtension[0].extension[0].valueInteger")]
    [InlineData("provision.provision.1.modifierExtension.0.extension", "[{\"url\":\"epsilon\",\"valueDecimal\":0.1}]", "business-rule",
        Second + ".modifierExtension[0]")]
    [InlineData("provision.provision.1.modifierExtension.0.extension",
        "[{\"url\":\"grade\",\"valueInteger\":4},{\"url\":\"epsilon\",\"valueDecimal\":3}]", "conflict",
        Second + ".modifierExtension[0]")]
    [InlineData("provision.provision.1.extension", "[{\"url\":\"urn:emrmarket:fhir:StructureDefinition:consent-ceiling\"}]", "extension",
        Second + ".extension[0]")]
    [InlineData("provision.modifierExtension",
        "[{\"url\":\"urn:emrmarket:fhir:StructureDefinition:consent-ceiling\",\"extension\":[{\"url\":\"grade\",\"valueInteger\":1}]}]",
        "extension", Root + ".modifierExtension[0]")]
    public void What_no_policy_can_say_is_refused_where_it_stands(string at, string? put, string code, string place)
    {
        JsonObject consent = ConsentExamples.Example(ConsentExamples.Small);
        JsonNode node = consent;
        string[] steps = at.Split('.');
        foreach (string step in steps[..^1])
        {
            node = int.TryParse(step, System.Globalization.CultureInfo.InvariantCulture, out int index) ? node[index]! : node[step]!;
        }

        JsonNode? value = put is null ? null : JsonNode.Parse(put);
        if (node is JsonArray list)
        {
            list[int.Parse(steps[^1], System.Globalization.CultureInfo.InvariantCulture)] = value;
        }
        else if (value is null)
        {
            node.AsObject().Remove(steps[^1]);
        }
        else
        {
            node[steps[^1]] = value;
        }

        InputException refused = Assert.Throws<InputException>(() => Read(consent));
        Assert.Contains((code, place), refused.Problems.Select(problem => (problem.Code, problem.Column)));
        Assert.All(refused.Problems, problem => Assert.True(problem.Message.Length > 10 && problem.Fix.Length > 3));
    }

    [Fact]
    public void Consent_for_records_of_another_schema_is_refused()
    {
        InputException refused = Assert.Throws<InputException>(
            () => ConsentExamples.Read(ConsentExamples.Example(ConsentExamples.Closed).ToJsonString(), ConsentExamples.Small));
        Assert.Equal(("not-supported", "Consent.policy[0].uri"), (refused.Problems[0].Code, refused.Problems[0].Column));
    }

    [Theory]
    [InlineData("invalid", "")]
    [InlineData("invalid", "{")]
    [InlineData("invalid", "{\"status\":\"active\",\"status\":\"rejected\"}")]
    [InlineData("invalid", "{\"provision\":{\"type\":\"deny\",\"type\":\"permit\"}}")]
    [InlineData("invalid", "{} {}")]
    [InlineData("invalid", "{\"a\":1,}")]
    [InlineData("invalid", "{/**/}")]
    [InlineData("invalid", "\u0001")]
    [InlineData("structure", "{}")]
    [InlineData("structure", "[]")]
    [InlineData("structure", "null")]
    [InlineData("structure", "\"Consent\"")]
    public void What_is_no_Consent_is_refused(string code, string text)
    {
        InputException refused = Assert.Throws<InputException>(() => ConsentExamples.Read(text, ConsentExamples.Small));
        Assert.Equal(code, refused.Problems[0].Code);
    }

    [Fact]
    public void Too_long_too_deep_too_many_and_wrongly_encoded_is_refused_at_once()
    {
        Assert.Equal("too-long", Code(new byte[ConsentReader.MostBytes + 1]));
        Assert.Equal("invalid", Code(Encoding.UTF8.GetBytes(new string('[', 60_000))));
        Assert.Equal("invalid", Code(Encoding.Unicode.GetBytes("{}")));
        Assert.Equal("invalid", Code([(byte)'{', (byte)'"', 0xC3, (byte)'"', (byte)':', (byte)'1', (byte)'}']));
        JsonObject consent = ConsentExamples.Example(ConsentExamples.Small);
        JsonArray provisions = consent["provision"]!["provision"]!.AsArray();
        for (int i = 0; i < 128; i++)
        {
            provisions.Add(new JsonObject { ["type"] = "permit" });
        }

        Assert.Equal("too-costly", Code(Encoding.UTF8.GetBytes(consent.ToJsonString())));
        JsonObject deep = ConsentExamples.Example(ConsentExamples.Small);
        JsonNode at = deep["provision"]!["provision"]![0]!;
        for (int i = 0; i < 7; i++)
        {
            at["provision"] = new JsonArray(new JsonObject { ["type"] = i % 2 == 0 ? "deny" : "permit" });
            at = at["provision"]![0]!;
        }

        Assert.Equal("too-costly", Code(Encoding.UTF8.GetBytes(deep.ToJsonString())));

        static string Code(byte[] json) =>
            Assert.Throws<InputException>(() => ConsentReader.Read(json, ConsentExamples.Small, ConsentExamples.Now, "x")).Problems[0].Code;
    }

    [Fact]
    public void Damaged_Consent_is_read_or_refused_and_nothing_else() => Damage(7, 20_000);

    [Fact]
    [Trait("Duration", "Long")]
    public void Consent_damaged_in_many_ways_is_read_or_refused_and_nothing_else() => Damage(8, 500_000);

    private static void Damage(int seed, int times)
    {
        Random random = new(seed);
        byte[] good = Encoding.UTF8.GetBytes(ConsentExamples.Example(ConsentExamples.Small).ToJsonString());
        byte[][] words = [.. ((string[])["null", "{}", "[]", "-1", "1e400", "\"\"", "true", "\\u0000", "\"\\ud800\"",
            "9223372036854775808", "\"9999-12-31\"", "\"0000\""])
            .Select(Encoding.UTF8.GetBytes)];
        (int read, int refused) = (0, 0);
        for (int i = 0; i < times; i++)
        {
            List<byte> text = [.. good];
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                int at = random.Next(text.Count);
                switch (random.Next(5))
                {
                    case 0:
                        text[at] = (byte)random.Next(256);
                        break;
                    case 1:
                        text.RemoveRange(at, Math.Min(random.Next(1, 20), text.Count - at));
                        break;
                    case 2:
                        text.InsertRange(at, words[random.Next(words.Length)]);
                        break;
                    default:
                        // A whole value gives way, so that more than the parser is tried.
                        int colon = text.IndexOf((byte)':', at);
                        int end = colon < 0 ? -1 : text.FindIndex(colon, b => b is (byte)',' or (byte)'}' or (byte)']');
                        if (end > colon + 1)
                        {
                            text.RemoveRange(colon + 1, end - colon - 1);
                            text.InsertRange(colon + 1, words[random.Next(words.Length)]);
                        }

                        break;
                }

                if (text.Count == 0)
                {
                    break;
                }
            }

            try
            {
                ConsentReader.Read(text.ToArray(), ConsentExamples.Small, ConsentExamples.Now, "x");
                read++;
            }
            catch (InputException e)
            {
                Assert.NotEmpty(e.Problems);
                refused++;
            }
        }

        Assert.True(read > times / 100 && refused > times / 2, $"{read} were read, {refused} refused");
    }

    private static ConsentReading Read(JsonObject consent) => ConsentExamples.Read(consent.ToJsonString(), ConsentExamples.Small);
}
