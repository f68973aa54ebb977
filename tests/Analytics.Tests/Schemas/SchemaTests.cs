using System.Text.Json;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Schemas;

public sealed class SchemaTests
{
    /// <summary>A small schema with one attribute of each kind.</summary>
    internal const string Small =
        """
        {
          "format": 1, "name": "small", "version": "1", "title": "A small schema", "publishable": true,
          "attributes": [
            { "name": "region", "tier": "public", "filterable": true, "labels": ["north", "south"] },
            { "name": "sex", "tier": "low", "constantPerPerson": true, "labels": ["f", { "label": "m", "text": "male" }] },
            { "name": "bmi", "tier": "moderate", "optional": true, "grid": { "min": 10, "max": 60, "step": 0.5, "unit": "kg/m2" } },
            { "name": "dx", "tier": "private", "optional": true, "codeList": { "list": "icd9-categories" } }
          ],
          "layouts": [
            { "name": "csv", "record": { "column": "id", "kind": "integer" }, "person": { "column": "pid", "kind": "text" },
              "readings": { "bmi": { "missing": [""] }, "dx": { "missing": ["?"], "normalise": "icd9-category" } } }
          ]
        }
        """;

    [Fact]
    public void Parse_gives_attributes_in_order_with_presence_after_an_optional_grid()
    {
        Schema schema = Schema.Parse(Small, "small.json");
        Assert.Equal(["region", "sex", "bmi", "bmi.present", "dx"], schema.Attributes.Select(a => a.Name));
        Assert.Equal([2, 2, 101, 2, 2091], schema.Attributes.Select(a => a.Domain.Size));
        Assert.Equal([null, "grr", "dsw", "grr", "olh"], schema.Attributes.Select(a => a.Mechanism));
        Assert.Equal([0, 4, 3, 3, 2], schema.Attributes.Select(schema.DefaultGrade));
        Assert.Equal("missing", schema.Attributes[4].Domain.Label(2090));
        Assert.Equal(3, schema.PresenceOf(2));
        Assert.Equal(-1, schema.PresenceOf(1));
        Assert.Equal("60", schema.Attributes[2].Domain.Label(100));
    }

    [Fact]
    public void Id_does_not_depend_on_layout_of_the_text_but_on_every_value()
    {
        Schema schema = Schema.Parse(Small, "a");
        Assert.Matches("^[0-9a-f]{64}$", schema.Id);
        Assert.Equal(schema.Id, Schema.Parse(schema.ToJson(), "b").Id);
        Assert.Equal(schema.Id, Schema.Parse(Small.Replace("\"min\": 10,", "\"min\": 10.0,").Replace("\n", "\n\n"), "c").Id);
        Assert.NotEqual(schema.Id, Schema.Parse(Small.Replace("\"min\": 10,", "\"min\": 11,"), "d").Id);
        Assert.NotEqual(schema.Id, Schema.Parse(Small.Replace("\"north\", \"south\"", "\"south\", \"north\""), "e").Id);
    }

    [Fact]
    public void CanonicalJson_sorts_members_and_writes_numbers_one_way()
    {
        JsonElement value = JsonDocument.Parse("""{ "b": [1.50, -0.0, 10, 1e2], "a": { "z": "é\"", "y": null }, "A": true }""").RootElement;
        string written = System.Text.Encoding.UTF8.GetString(CanonicalJson.Write(value));
        Assert.Equal("""{"A":true,"a":{"y":null,"z":"é\""},"b":[1.5,0,10,100]}""", written);

        // From: printf '%s' '{"A":true,"a":{"y":null,"z":"é\""},"b":[1.5,0,10,100]}' | sha256sum
        Assert.Equal("cae28d3686a6015d7e1563c7715145db09c440622b4715cee6040fa684e6686b", CanonicalJson.Hash(value));
    }

    [Fact]
    public void Source_is_shared_by_equal_uses_of_a_column_and_by_no_others()
    {
        string Source(string json, string attribute)
        {
            Schema schema = Schema.Parse(json, "x");
            return schema.Attributes[schema.IndexOf(attribute)].Source;
        }

        Assert.StartsWith("bmi#", Source(Small, "bmi"));
        Assert.Equal(Source(Small, "bmi"), Source(Small.Replace("\"small\"", "\"other\"")
            .Replace("\"tier\": \"low\", \"constant", "\"title\": \"t\", \"tier\": \"low\", \"constant"), "bmi"));
        Assert.NotEqual(Source(Small, "bmi"), Source(Small, "bmi.present"));
        Assert.NotEqual(Source(Small, "bmi"), Source(Small.Replace("0.5", "0.25"), "bmi"));
        Assert.NotEqual(Source(Small, "dx"), Source(Small.Replace("\"?\"", "\"!\""), "dx"));
        Assert.NotEqual(Source(Small, "sex"), Source(Small.Replace("\"constantPerPerson\": true, ", ""), "sex"));
        Assert.Equal(Source(Small, "sex"), Source(Small.Replace("\"text\": \"male\"", "\"text\": \"Male\""), "sex"));
        Assert.Equal(Source(Small, "dx"), Source(Small.Replace("\"private\"", "\"moderate\""), "dx"));
        Assert.NotEqual(Source(Small, "dx"), Source(Small.Replace("\"private\"", "\"private\", \"mechanism\": \"oue\""), "dx"));
    }

    [Theory]
    [InlineData("\"format\": 1", "\"format\": 2", "schema-format")]
    [InlineData("\"name\": \"small\"", "\"name\": \"Small one\"", "schema-name")]
    [InlineData("\"name\": \"sex\"", "\"name\": \"bmi\"", "schema-duplicate")]
    [InlineData("\"f\", {", "\"m\", {", "schema-duplicate")]
    [InlineData("\"tier\": \"public\"", "\"tier\": \"low\"", "schema-filterable")]
    [InlineData("\"tier\": \"public\"", "\"mechanism\": \"grr\", \"tier\": \"public\"", "schema-mechanism")]
    [InlineData("\"name\": \"bmi\",", "\"name\": \"bmi\", \"mechanism\": \"oue\",", null)]
    [InlineData("\"name\": \"bmi\",", "\"name\": \"bmi\", \"mechanism\": \"laplace\",", "schema-mechanism")]
    [InlineData("\"name\": \"sex\",", "\"name\": \"sex\", \"mechanism\": \"dsw\",", "schema-mechanism")]
    [InlineData("\"step\": 0.5", "\"step\": 0.7", "schema-grid")]
    [InlineData("\"step\": 0.5", "\"step\": -1", "schema-grid")]
    [InlineData("\"max\": 60", "\"max\": 60000", "schema-grid")]
    [InlineData(
        "\"labels\": [\"north\", \"south\"]",
        "\"labels\": [\"north\", \"south\"], \"ordered\": true, \"grid\": { \"min\": 0, \"max\": 1, \"step\": 1, \"unit\": \"\" }",
        "schema-domain")]
    [InlineData("\"labels\": [\"f\", { \"label\": \"m\", \"text\": \"male\" }]", "\"labels\": [\"f\"]", "schema-domain")]
    [InlineData("icd9-categories", "icd11", "schema-code-list")]
    [InlineData("\"bmi\": { \"missing\": [\"\"] }", "\"sex\": { \"missing\": [\"\"] }", "schema-reading")]
    [InlineData("\"bmi\": { \"missing\": [\"\"] }", "\"height\": { }", "schema-reading")]
    [InlineData("icd9-category", "upper-case", "schema-reading")]
    [InlineData("\"bmi\": { \"missing\": [\"\"] }", "\"bmi\": { \"column\": \"pid\" }", "schema-identifier")]
    [InlineData("\"name\": \"csv\",", "\"name\": \"csv\", \"directIdentifiers\": [\"sex\"],", "schema-layouts")]
    [InlineData("\"name\": \"csv\",", "\"name\": \"csv\", \"salt\": 256,", "schema-layouts")]
    [InlineData("\"layouts\": [", "\"layouts\": [ { \"name\": \"other\", \"salt\": 1 },", "schema-layouts")]
    [InlineData("\"publishable\": true,", "\"publishable\": true, \"grades\": [1, 0.5],", "schema-grades")]
    [InlineData(
        "\"publishable\": true,", "\"publishable\": true, \"grades\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],",
        "schema-grades")]
    [InlineData(
        "\"publishable\": true,", "\"publishable\": true, \"ceilings\": { \"low\": 7, \"moderate\": 3, \"private\": 2 },",
        "schema-ceilings")]
    [InlineData("\"publishable\": true,", "\"publishable\": true, \"profiles\": [],", "schema-profiles")]
    [InlineData("\"publishable\": true,", "\"publishable\": true, \"colour\": 1,", "schema-json")]
    [InlineData("\"publishable\": true,", "", "schema-json")]
    [InlineData("\"publishable\": true,", "\"publishable\": true, \"publishable\": true,", "schema-json")]
    [InlineData("\"title\": \"A small schema\"", "\"title\": null", "schema-json")]
    [InlineData("\"tier\": \"public\"", "\"tier\": 0", "schema-json")]
    [InlineData("{ \"label\": \"m\"", "{ \"name\": \"m\"", "schema-json")]
    public void Parse_refuses_what_is_wrong_by_code(string from, string to, string? code)
    {
        string json = Small.Replace(from, to);
        Assert.NotEqual(Small, json);
        if (code is null)
        {
            Schema.Parse(json, "s.json");
            return;
        }

        InputException refused = Assert.Throws<InputException>(() => Schema.Parse(json, "s.json"));
        Assert.Contains(refused.Problems, p => p.Code == code);
        Assert.All(refused.Problems, p => Assert.Equal("s.json", p.File));
    }

    [Fact]
    public void Parse_lists_every_fault_at_once()
    {
        string json = Small.Replace("0.5", "0.7").Replace("\"tier\": \"public\"", "\"tier\": \"low\"").Replace("icd9-category\"", "none\"");
        Assert.Equal(3, Assert.Throws<InputException>(() => Schema.Parse(json, "s")).Total);
    }

    [Fact]
    public void Default_menu_has_at_most_eight_profiles_around_the_default_ceilings()
    {
        Schema schema = Schema.Parse(Small, "s");
        Assert.InRange(schema.Profiles.Count, 1, Schema.MaxProfiles);
        PolicyProfile balanced = schema.Profiles.Single(p => p.Name == "balanced");
        Assert.Equal(schema.Attributes.Select(schema.DefaultGrade), balanced.Ceilings.ToArray());
        Assert.Equal(new EpsilonMicro(2_000_000 + 1_000_000 + 1_000_000 + 500_000), balanced.TotalLoss(schema.Grades));
    }

    [Fact]
    public void NearestStricter_never_allows_more_than_the_wish_in_any_field()
    {
        Schema schema = Schema.Parse(Small, "s");
        for (int low = 0; low <= 6; low++)
        {
            for (int moderate = 0; moderate <= 6; moderate++)
            {
                for (int @private = 0; @private <= 6; @private++)
                {
                    PolicyProfile wish = PolicyProfile.Create(
                        "wish", schema.Attributes, schema.Grades, new TierCeilings(low, moderate, @private));
                    PolicyProfile published = ProfileMenu.NearestStricter(schema, wish)!;
                    Assert.True(published.IsAtLeastAsStrictAs(wish));
                    Assert.DoesNotContain(schema.Profiles, p => p.IsAtLeastAsStrictAs(wish)
                        && p.TotalLoss(schema.Grades) > published.TotalLoss(schema.Grades));
                }
            }
        }
    }
}
