using System.Text.Json;
using System.Text.RegularExpressions;

namespace EmrMarket.Silos.Tests.Evaluate;

/// <summary>
/// Validates against the part of JSON Schema 2020-12 that docs/results.schema.json uses. A keyword that it does not know is an error, so
/// that no rule of a schema is silently skipped.
/// </summary>
internal sealed class JsonSchemaValidator(JsonElement root)
{
    private static readonly HashSet<string> Annotations = new(StringComparer.Ordinal) { "$schema", "$defs", "title", "description" };
    private readonly List<string> _faults = [];

    /// <summary>Every violation, with its place.</summary>
    public static IReadOnlyList<string> Validate(string schema, string instance)
    {
        using JsonDocument schemaDocument = JsonDocument.Parse(schema);
        using JsonDocument instanceDocument = JsonDocument.Parse(instance);
        var validator = new JsonSchemaValidator(schemaDocument.RootElement);
        validator.Check(schemaDocument.RootElement, instanceDocument.RootElement, "$");
        return validator._faults;
    }

    private void Check(JsonElement schema, JsonElement value, string place)
    {
        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            switch (keyword.Name)
            {
                case "$ref":
                    Check(Resolve(keyword.Value.GetString()!), value, place);
                    break;
                case "type":
                    string[] types = keyword.Value.ValueKind == JsonValueKind.Array
                        ? [.. keyword.Value.EnumerateArray().Select(t => t.GetString()!)] : [keyword.Value.GetString()!];
                    Require(types.Any(t => IsOfType(value, t)), place, $"is {value.ValueKind}, expected {string.Join(" or ", types)}");
                    break;
                case "const":
                    Require(JsonElement.DeepEquals(keyword.Value, value), place, $"is not {keyword.Value}");
                    break;
                case "enum":
                    Require(keyword.Value.EnumerateArray()
                        .Any(e => JsonElement.DeepEquals(e, value)), place, $"'{value}' is not one of {keyword.Value}");
                    break;
                case "pattern" when value.ValueKind == JsonValueKind.String:
                    Require(Regex.IsMatch(value.GetString()!, keyword.Value.GetString(
                        )!, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5)), place, $"does not match {keyword.Value}");
                    break;
                case "minLength" when value.ValueKind == JsonValueKind.String:
                    Require(value.GetString()!.Length >= keyword.Value.GetInt32(), place, "is too short");
                    break;
                case "minimum" when value.ValueKind == JsonValueKind.Number:
                    Require(value.GetDouble() >= keyword.Value.GetDouble(), place, $"{value} is below {keyword.Value}");
                    break;
                case "maximum" when value.ValueKind == JsonValueKind.Number:
                    Require(value.GetDouble() <= keyword.Value.GetDouble(), place, $"{value} is above {keyword.Value}");
                    break;
                case "exclusiveMinimum" when value.ValueKind == JsonValueKind.Number:
                    Require(value.GetDouble() > keyword.Value.GetDouble(), place, $"{value} is not above {keyword.Value}");
                    break;
                case "exclusiveMaximum" when value.ValueKind == JsonValueKind.Number:
                    Require(value.GetDouble() < keyword.Value.GetDouble(), place, $"{value} is not below {keyword.Value}");
                    break;
                case "required" when value.ValueKind == JsonValueKind.Object:
                    foreach (JsonElement name in keyword.Value.EnumerateArray())
                    {
                        Require(value.TryGetProperty(name.GetString()!, out _), place, $"lacks '{name}'");
                    }

                    break;
                case "properties" when value.ValueKind == JsonValueKind.Object:
                    foreach (JsonProperty property in keyword.Value.EnumerateObject())
                    {
                        if (value.TryGetProperty(property.Name, out JsonElement member))
                        {
                            Check(property.Value, member, $"{place}.{property.Name}");
                        }
                    }

                    break;
                case "additionalProperties" when value.ValueKind == JsonValueKind.Object:
                    CheckAdditional(schema, keyword.Value, value, place);
                    break;
                case "minItems" when value.ValueKind == JsonValueKind.Array:
                    Require(value.GetArrayLength() >= keyword.Value.GetInt32(), place, "has too few items");
                    break;
                case "items" when value.ValueKind == JsonValueKind.Array:
                    int index = 0;
                    foreach (JsonElement item in value.EnumerateArray())
                    {
                        Check(keyword.Value, item, $"{place}[{index++}]");
                    }

                    break;
                case "pattern" or "minLength" or "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum" or "required"
                    or "properties"
                    or "additionalProperties" or "minItems" or "items":
                    break;
                default:
                    Require(
                        Annotations.Contains(keyword.Name), place, $"the schema's keyword '{keyword.Name}' is not known to this validator");
                    break;
            }
        }
    }

    private void CheckAdditional(JsonElement schema, JsonElement rule, JsonElement value, string place)
    {
        foreach (JsonProperty member in value.EnumerateObject())
        {
            if (schema.TryGetProperty("properties", out JsonElement known) && known.TryGetProperty(member.Name, out _))
            {
                continue;
            }

            if (rule.ValueKind == JsonValueKind.False)
            {
                _faults.Add($"{place} has the unknown member '{member.Name}'");
            }
            else if (rule.ValueKind == JsonValueKind.Object)
            {
                Check(rule, member.Value, $"{place}.{member.Name}");
            }
        }
    }

    private static bool IsOfType(JsonElement value, string type) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        _ => throw new InvalidOperationException($"The schema's type '{type}' is not known to this validator."),
    };

    private JsonElement Resolve(string reference) => reference.StartsWith("#/$defs/", StringComparison.Ordinal)
        ? root.GetProperty("$defs").GetProperty(reference["#/$defs/".Length..])
        : throw new InvalidOperationException($"The reference '{reference}' is not known to this validator.");

    private void Require(bool holds, string place, string fault)
    {
        if (!holds)
        {
            _faults.Add($"{place} {fault}");
        }
    }
}
