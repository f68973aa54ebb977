using System.Globalization;
using System.Text.Json.Nodes;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Consents;
using EmrMarket.Silos.Tests.Api;

namespace EmrMarket.Silos.Tests.Consents;

/// <summary>Policies and Consents mean the same, or the policy less; judged use by use by a reading of R4 of its own.</summary>
public sealed class ConsentMeaningTests
{
    private static readonly string[] Days = ["2025-01-01", "2026-05-31", "2026-06-01", "2026-06-02", "2027-12-31", "2028-02-29"];

    // What codes of HL7 cover at least, and at most (docs/CONSENT.md, "Purposes"), written once more.
    private static readonly Dictionary<string, (int[] Least, int[] Most)> V3 = new(StringComparer.Ordinal)
    {
        ["HRESCH"] = ([2, 9], [0, 1, 2, 3, 4, 5, 7, 8, 9]), ["PUBHLTH"] = ([3], [0, 1, 2, 3, 9]), ["HQUALIMP"] = ([6], [0, 6]),
        ["HMARKT"] = ([], [0, 7]), ["CLINTRCH"] = ([], [0, 1, 2, 3, 4, 5, 7, 8, 9]),
        ["PurposeOfUse"] = ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    };

    public static TheoryData<int> Menus => [0, 1];

    private static ConsentMenu MenuOf(int which) => which == 0 ? ConsentExamples.Small : ConsentExamples.Closed;

    [Theory]
    [MemberData(nameof(Menus))]
    public void Random_consent_never_becomes_a_policy_that_allows_more(int which) => Judge(which, 20260601, 4_000, 200);

    [Theory]
    [MemberData(nameof(Menus))]
    [Trait("Duration", "Long")]
    public void Many_random_consents_never_become_policies_that_allow_more(int which) => Judge(which, 5, 60_000, 3_000);

    private static void Judge(int which, int seed, int consents, int atLeast)
    {
        ConsentMenu menu = MenuOf(which);
        Random random = new(seed);
        (int read, int nested, int exact) = (0, 0, 0);
        for (int i = 0; i < consents; i++)
        {
            JsonObject consent = Random(menu, random);
            ConsentReading reading;
            try
            {
                reading = ConsentExamples.Read(consent.ToJsonString(), menu);
            }
            catch (InputException)
            {
                continue;
            }

            // What HL7's codes cover lies somewhere between the two bounds: wherever it does, the policy allows no more.
            Dictionary<string, HashSet<int>> worlds = V3.ToDictionary(pair => pair.Key,
                pair => pair.Value.Most.Where(code => pair.Value.Least.Contains(code) || random.Next(2) == 0).ToHashSet(),
                    StringComparer.Ordinal);
            string text = consent.ToJsonString();
            bool equal = reading.Notes.Count == 0 && !V3.Keys.Any(code => text.Contains($"\"{code}\"", StringComparison.Ordinal));
            Compare(new ConsentJudge(menu.Schema, worlds), consent, reading, menu, mustEqual: equal);
            read += reading.Policy is null ? 0 : 1;
            exact += equal ? 1 : 0;
            nested += text.Split("\"type\"").Length > 3 ? 1 : 0;
        }

        Assert.True(read >= atLeast && nested >= atLeast / 4 && exact >= atLeast / 4,
            $"only {read} were read, {nested} nested, {exact} without loss");
    }

    [Fact]
    public void Policy_that_is_exported_and_imported_is_the_same()
    {
        Random random = new(11);
        foreach (ConsentMenu menu in (ConsentMenu[])[ConsentExamples.Small, ConsentExamples.Closed, ConsentExamples.Synthetic])
        {
            for (int i = 0; i < 1_000; i++)
            {
                ConsentPolicy policy = RandomPolicy(menu, random);
                Participation participation = (Participation)random.Next(3);
                string consent = ConsentWriter.Write(policy, participation, menu);
                Assert.Equal(consent, ConsentWriter.Write(policy, participation, menu));
                ConsentReading reading = ConsentExamples.Read(consent, menu, Math.Max(ConsentExamples.Now, random.NextInt64(1L << 33)));
                Assert.True(policy == reading.Policy, consent);
                Assert.Equal(participation, reading.Participation);
                Assert.Empty(reading.Notes);
            }
        }
    }

    [Fact]
    public void Exported_policy_permits_exactly_what_the_policy_allows()
    {
        Random random = new(12);
        foreach (ConsentMenu menu in (ConsentMenu[])[ConsentExamples.Small, ConsentExamples.Closed])
        {
            ConsentJudge judge = new(menu.Schema, new Dictionary<string, HashSet<int>>(StringComparer.Ordinal));
            for (int i = 0; i < 80; i++)
            {
                ConsentPolicy policy = RandomPolicy(menu, random);
                ConsentReading reading = new() { Participation = Participation.Active, Policy = policy, Notes = [] };
                Compare(judge, JsonNode.Parse(ConsentWriter.Write(policy, Participation.Active, menu))!.AsObject(), reading, menu,
                    mustEqual: true);
            }
        }
    }

    [RequiresFact(Tool.Node)]
    public async Task Exported_policy_is_R4_as_the_specification_has_it()
    {
        Random random = new(13);
        string[] consents = [.. ((ConsentMenu[])[ConsentExamples.Small, ConsentExamples.Closed, ConsentExamples.Synthetic])
            .SelectMany(menu => Enumerable.Range(0, 12).Select(_ => ConsentWriter.Write(RandomPolicy(menu, random),
                (Participation)random.Next(3), menu)))];
        string full = consents.First(each => each.Contains("\"period\"", StringComparison.Ordinal) && each.Contains("\"epsilon\"",
            StringComparison.Ordinal));
        (string Good, string Bad)[] planted =
        [
            ("\"policyRule\":", "\"policyRules\":"), ("\"type\": \"permit\"", "\"type\": \"allow\""), ("\"scope\":", "\"scopes\":"),
            ("\"De-identified Information Access\"", "\"Anonymous\""), ("\"valueDecimal\":", "\"valueNumber\":"), ("\"end\": \"",
                "\"end\": \"x"),
        ];
        Assert.All(planted, each => Assert.Contains(each.Good, full, StringComparison.Ordinal));
        string[] faults = await FhirOracle.FaultsAsync([.. consents, .. planted.Select(each => full.Replace(each.Good, each.Bad,
            StringComparison.Ordinal))]);
        Assert.All(faults[..consents.Length], fault => Assert.Equal("", fault));
        Assert.All(faults[consents.Length..], fault => Assert.NotEqual("", fault));
    }

    /// <summary>Holds every use under the policy against the Consent; the other way round too where nothing may be lost.</summary>
    private static void Compare(ConsentJudge judge, JsonObject consent, ConsentReading reading, ConsentMenu menu, bool mustEqual)
    {
        ConsentPolicy? policy = reading.Participation == Participation.Active ? reading.Policy : null;
        Schema schema = menu.Schema;
        long[] times = [.. Days.SelectMany(day => new[] { Seconds(day) - 1, Seconds(day) }),
            .. policy is null ? Array.Empty<long>() : [policy.ExpirySeconds - 1, policy.ExpirySeconds], ConsentExamples.Now, 1L << 35];
        foreach (long time in times.Where(time => time is >= ConsentExamples.Now and < ConsentWriter.NoEnd).Distinct())
        {
            for (int a = 0; a < schema.Attributes.Count; a++)
            {
                bool isPublic = schema.Attributes[a].Tier == Tier.Public;
                for (int grade = 1; grade <= (isPublic ? 1 : schema.Grades.Count); grade++)
                {
                    for (int purpose = 0; purpose < ConsentJudge.Purposes; purpose++)
                    {
                        bool allowed = policy is not null && time < policy.ExpirySeconds && ConsentJudge.IsKindOf(purpose, policy.Purpose)
                            && (isPublic || grade <= schema.Profiles[policy.Profile][a]);
                        if (allowed || mustEqual)
                        {
                            bool permitted = judge.Permits(consent, schema.Attributes[a].Name, grade, purpose, time);
                            Assert.True(permitted == allowed,
                                $"{schema.Attributes[a].Name} at grade {grade} for purpose {purpose} at {time}: the policy "
                                    + $"{(allowed ? "allows" : "refuses")} what the Consent does "
                                    + $"{(permitted ? "permit" : "not permit")}\n{policy}\n{consent}");
                        }
                    }
                }
            }
        }
    }

    private static ConsentPolicy RandomPolicy(ConsentMenu menu, Random random) => new()
    {
        Profile = (byte)random.Next(menu.Schema.Profiles.Count),
        Rate = random.Next(4) == 0 ? null : (byte)random.Next(menu.Rates.Count),
        Quota = random.Next(4) == 0 ? null : (ushort)random.Next(1, 65_536),
        Purpose = (byte)random.Next(ConsentJudge.Purposes),
        ExpirySeconds = random.Next(5) switch
        {
            0 => random.NextInt64(ConsentWriter.NoEnd + 1),
            1 => random.NextInt64(100) * 86_400,
            2 => ConsentWriter.NoEnd - random.Next(2),
            3 => Seconds(Days[random.Next(Days.Length)]),
            _ => Seconds(Days[random.Next(Days.Length)]) + random.Next(100),
        },
    };

    private static JsonObject Random(ConsentMenu menu, Random random)
    {
        JsonObject consent = ConsentExamples.Example(menu);
        bool optIn = random.Next(3) == 0;
        consent["policyRule"]!["coding"]![0]!["code"] = optIn ? random.Next(2) == 0 ? "OPTIN" : "OPTINR" : random.Next(2) == 0 ? "OPTOUT"
            : "OPTOUTE";
        if (random.Next(4) == 0)
        {
            consent.Remove("policyRule");
        }

        JsonObject root = Provision(optIn, 0);
        if (consent["policyRule"] is null)
        {
            root["type"] = optIn ? "permit" : "deny";
        }

        consent["provision"] = root;
        return consent;

        JsonObject Provision(bool permits, int depth)
        {
            JsonObject provision = depth == 0 ? [] : new JsonObject { ["type"] = permits ? "permit" : "deny" };
            if (depth == 0 ? random.Next(5) > 0 : random.Next(12) == 0)
            {
                provision["purpose"] = new JsonArray(random.Next(3) == 0
                    ? new JsonObject { ["system"] = ConsentExamples.V3, ["code"] = V3.Keys.ElementAt(random.Next(V3.Count)) }
                    : new JsonObject
                    {
                        ["system"] = ConsentExamples.Own + "identifier:purpose",
                            ["code"] = random.Next(10).ToString(CultureInfo.InvariantCulture),
                    });
            }

            if (depth == 0 ? random.Next(2) == 0 : random.Next(10) == 0)
            {
                string[] days = [.. Enumerable.Range(0, 2).Select(_ => Days[random.Next(Days.Length)]).Order(StringComparer.Ordinal)];
                provision["period"] = random.Next(3) switch
                {
                    0 => new JsonObject { ["start"] = days[0] },
                    1 => new JsonObject { ["end"] = random.Next(2) == 0 ? days[1] : days[1] + "T11:12:13Z" },
                    _ => new JsonObject { ["start"] = days[0], ["end"] = days[1] },
                };
            }

            if (depth > 0 && random.Next(2) == 0)
            {
                provision["class"] = new JsonArray([.. ((string[])["public", "low", "moderate", "private"]).Where(_ => random.Next(3) == 0)
                    .Select(tier => (JsonNode)new JsonObject { ["system"] = ConsentExamples.Own + "CodeSystem:tier", ["code"] = tier })]);
            }

            if (depth > 0 && random.Next(3) == 0)
            {
                provision["code"] = new JsonArray([.. menu.Schema.Attributes.Where(_ => random.Next(3) == 0).Select(attribute =>
                    (JsonNode)new JsonObject
                {
                    ["coding"] = new JsonArray(new JsonObject
                    {
                        ["system"] = ConsentExamples.Own + "identifier:schema:" + menu.Schema.Id, ["code"] = attribute.Name,
                    }),
                })]);
            }

            if (permits && random.Next(2) == 0)
            {
                int grade = random.Next(1, menu.Schema.Grades.Count + 1);
                provision["modifierExtension"] = new JsonArray(new JsonObject
                {
                    ["url"] = ConsentExamples.Own + "StructureDefinition:consent-ceiling",
                    ["extension"] = new JsonArray(random.Next(2) == 0 ? new JsonObject { ["url"] = "grade", ["valueInteger"] = grade }
                        : new JsonObject { ["url"] = "epsilon", ["valueDecimal"] = (menu.Schema.Grades[grade].Micro
                            + random.Next(2)) / 1e6m }),
                });
            }

            if (depth < 4 && (depth == 0 || random.Next(3) == 0))
            {
                provision["provision"] = new JsonArray([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => (JsonNode)Provision(!permits,
                    depth + 1))]);
            }

            foreach (string name in (string[])["class", "code"])
            {
                if (provision[name] is JsonArray { Count: 0 })
                {
                    provision.Remove(name);
                }
            }

            return provision;
        }
    }

    private static long Seconds(string day) => new DateTimeOffset(
        DateOnly.ParseExact(day, "yyyy-MM-dd", CultureInfo.InvariantCulture).ToDateTime(TimeOnly.MinValue),
            TimeSpan.Zero).ToUnixTimeSeconds();
}
