using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EmrMarket.Silos.Reporting.Fhir;

/// <summary>Resources as the JSON of HL7 FHIR R4 (https://hl7.org/fhir/R4/json.html).</summary>
internal static class FhirJson
{
    /// <summary>The media type of what is written.</summary>
    public const string MediaType = "application/fhir+json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        IndentSize = 1,
        NewLine = "\n",
        Converters = { new Instant(), new PlainText() },
    };

    /// <summary>A resource, as JSON. The same resource gives the same bytes.</summary>
    public static string Write(FhirResource resource) => JsonSerializer.Serialize(resource, Json) + "\n";

    /// <summary>Strings of FHIR have no characters below U+0020 but tab and line ends (R4, "Primitive Types").</summary>
    private sealed class PlainText : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString();

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(
            value.Any(IsForbidden) ? string.Concat(value.Select(c => IsForbidden(c) ? '\uFFFD' : c)) : value);

        private static bool IsForbidden(char c) => c < ' ' && c is not ('\t' or '\n' or '\r');
    }

    /// <summary>Times as FHIR writes them: in UTC, to the second.</summary>
    private sealed class Instant : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetDateTimeOffset();

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
    }
}
