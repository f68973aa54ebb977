using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Analytics.Tests.Schemas;

namespace EmrMarket.Analytics.Tests.Records;

public sealed class AttributeReadingTests
{
    private static AttributeReading Reading(string attribute, string json)
    {
        Schema schema = Schema.Parse(json, "s");
        return AttributeReading.Create(schema, schema.Document.Layouts[0], schema.Attributes[schema.IndexOf(attribute)]);
    }

    [Theory]
    [InlineData("10", 0, 0u, false)]
    [InlineData("60", 100, 0u, false)]
    [InlineData("10.5", 1, 0u, false)]
    [InlineData("10.25", 0, 0x80000000u, false)]
    [InlineData("59.9", 99, 0xCCCCCCCCu, false)]
    [InlineData("9.99", 0, 0u, true)]
    [InlineData("-3", 0, 0u, true)]
    [InlineData("60.01", 100, 0u, true)]
    [InlineData("", RecordColumn.Missing, 0u, false)]
    public void Grid_value_has_the_lower_cell_and_the_fraction_beyond_it(string text, int code, uint fraction, bool clipped) =>
        Assert.Equal(new ReadValue((ushort)code, fraction, clipped, null), Reading("bmi", SchemaTests.Small).Read(text, null));

    [Theory]
    [InlineData("bmi", "abc", "malformed-number")]
    [InlineData("bmi", "1e3", "malformed-number")]
    [InlineData("bmi", "1,5", "malformed-number")]
    [InlineData("bmi", " 12", "malformed-number")]
    [InlineData("sex", "male", "unknown-label")]
    [InlineData("sex", "", "unknown-label")]
    [InlineData("dx", "xyz", "malformed-code")]
    [InlineData("dx", "V92", "unknown-label")]
    public void Text_outside_the_domain_is_refused_without_showing_it(string attribute, string text, string code)
    {
        ReadFault fault = Reading(attribute, SchemaTests.Small).Read(text, null).Fault!;
        Assert.Equal(code, fault.Code);
        Assert.False(text.Length > 2 && (fault.Message + fault.Fix).Contains(text, StringComparison.Ordinal));
    }

    [Fact]
    public void Reading_steps_apply_in_order()
    {
        const string Years =
            """
            { "format": 1, "name": "a", "version": "1", "title": "a", "publishable": true,
              "attributes": [ { "name": "age", "tier": "low", "grid": { "min": 0, "max": 99, "step": 1, "unit": "years" } },
                              { "name": "band", "tier": "low", "optional": true, "labels": ["child", "adult"] },
                              { "name": "n", "tier": "low", "labels": ["one", "2"] },
                              { "name": "k", "tier": "public", "labels": ["x"] } ],
              "layouts": [ { "name": "l", "readings": {
                "age": { "unitColumn": "u", "unitDivisors": { "y": 1, "m": 12 } },
                "band": { "column": "age", "missing": ["?"], "unitColumn": "u", "unitDivisors": { "y": 1, "m": 12 },
                          "ranges": [ { "from": 0, "below": 18, "label": "child" }, { "from": 18, "below": 120, "label": "adult" } ] },
                "n": { "normalise": "integer", "map": { "1": "one" } },
                "k": { "constant": "x" } } } ] }
            """;
        Assert.Equal(1, Reading("age", Years).Read("23", "m").Code);
        Assert.Equal(23, Reading("age", Years).Read("23", "y").Code);
        Assert.Equal("unknown-unit", Reading("age", Years).Read("23", "w").Fault!.Code);
        Assert.Equal("unknown-unit", Reading("age", Years).Read("many", "y").Fault!.Code);
        Assert.Equal(0, Reading("band", Years).Read("200", "m").Code);
        Assert.Equal(1, Reading("band", Years).Read("18", "y").Code);
        Assert.Equal(2, Reading("band", Years).Read("?", "y").Code);
        Assert.Equal("out-of-domain", Reading("band", Years).Read("121", "y").Fault!.Code);
        Assert.Equal(0, Reading("n", Years).Read("1.0", null).Code);
        Assert.Equal(1, Reading("n", Years).Read("2.0", null).Code);
        Assert.Equal("malformed-number", Reading("n", Years).Read("1.5", null).Fault!.Code);
        Assert.Equal("unknown-label", Reading("n", Years).Read("3.0", null).Fault!.Code);
        Assert.Null(Reading("k", Years).Column);
        Assert.Equal(0, Reading("k", Years).Read("", null).Code);
        Assert.Throws<InputException>(() => Reading("n", Years.Replace("\"1\": \"one\"", "\"1\": \"uno\"")));
    }
}
