using System.Text.Json.Nodes;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;

namespace EmrMarket.Silos.Tests.Mapping;

public sealed class RecordMappingTests
{
    [Fact]
    public void Built_in_mappings_are_read_and_fit_the_schema_of_their_name()
    {
        Assert.NotEmpty(DataFolder.MappingNames);
        foreach (string name in DataFolder.MappingNames.Where(name => DataFolder.LoadMapping(name).Document.Kind == MappingKind.Fhir))
        {
            RecordMapping mapping = DataFolder.LoadMapping(name);
            _ = FhirMapping.Compile(mapping);
            Assert.Equal(name, mapping.Document.Name);
            Assert.True(mapping.Fits(DataFolder.LoadSchema(name)));
            Assert.False(mapping.Fits(DataFolder.LoadSchema("synthetic")));
        }
    }

    [Theory]
    [InlineData("Patient.name.family")]
    [InlineData("name.where(use = 'official').given.first()")]
    [InlineData("telecom.value")]
    [InlineData("address.line")]
    [InlineData("address.where(use = 'home').city")]
    [InlineData("address.postalCode")]
    [InlineData("address.text")]
    [InlineData("identifier.where(type.coding.code = 'MR').value")]
    [InlineData("birthDate")]
    [InlineData("Patient.birthDate | deceased.ofType(dateTime)")]
    [InlineData("id")]
    [InlineData("photo.exists()")]
    [InlineData("contact.gender")]
    [InlineData("text.div")]
    [InlineData("Patient.text.status")]
    [InlineData("link.other.reference")]
    [InlineData("generalPractitioner.display")]
    [InlineData("`name`.`family`")]
    [InlineData("gender.where($this = 'male' and %NAME%)")]
    [InlineData("extension('http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName').value.ofType(string)")]
    [InlineData("extension.where(url = 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName').value.ofType(string)")]
    [InlineData("extension.value.ofType(HumanName).exists()")]
    [InlineData("extension.valueHumanName.exists()")]
    public void Direct_identifiers_are_refused_as_value_and_as_condition(string path)
    {
        path = path.Replace("%NAME%", "name.exists()", StringComparison.Ordinal);
        foreach (string member in new[] { "value", "where" })
        {
            JsonNode mapping = JsonNode.Parse(MappedTexts.Persons)!;
            mapping["columns"]![0]![member] = path;
            InputProblem problem = Refusal(mapping.ToJsonString());
            Assert.Equal(("mapping-identifier", "columns.sex." + member), (problem.Code, problem.Column));
        }
    }

    [Theory]
    [InlineData("code.coding.display")]
    [InlineData("code.coding.where(system = 'x').first().display")]
    [InlineData("code.text")]
    [InlineData("subject.type")]
    public void Names_of_codes_are_no_identifiers(string path)
    {
        JsonNode mapping = JsonNode.Parse(MappedTexts.Persons)!;
        mapping["columns"]![3]!["value"] = path;
        _ = FhirMapping.Compile(RecordMapping.Parse(mapping.ToJsonString(), "m"));
    }

    [Theory]
    [InlineData("\"format\": 1", "\"format\": 2", "mapping-format")]
    [InlineData("\"format\": 1,", "", "mapping-json")]
    [InlineData("\"format\": 1,", "\"format\": 1, \"format\": 1,", "mapping-json")]
    [InlineData("\"format\": 1,", "\"format\": 1, \"extra\": 1,", "mapping-json")]
    [InlineData("\"kind\": \"fhir\"", "\"kind\": \"omop\"", "mapping-kind")]
    [InlineData("\"kind\": \"fhir\"", "\"kind\": 0", "mapping-json")]
    [InlineData("\"name\": \"t\"", "\"name\": \"T\"", "mapping-name")]
    [InlineData("\"name\": \"count\"", "\"name\": \"sex\"", "mapping-duplicate")]
    [InlineData("\"name\": \"count\"", "\"name\": \"id\"", "mapping-duplicate")]
    [InlineData("\"reads\": \"Condition\"", "\"reads\": \"Conditions\"", "mapping-source")]
    [InlineData("\"defines\": \"person\", ", "", "mapping-rows")]
    [InlineData("\"record\": \"id\"", "\"record\": \"id\", \"person\": \"p\"", "mapping-rows")]
    [InlineData("\"reads\": \"Condition\",", "\"reads\": \"Condition\", \"visit\": \"encounter\",", "mapping-source")]
    [InlineData("\"source\": \"o\", \"summary\"", "\"source\": \"q\", \"summary\"", "mapping-column")]
    [InlineData("\"at\": \"2020-06-15\"", "\"at\": \"2020-06-31\"", "mapping-column")]
    [InlineData("\"at\": \"2020-06-15\"", "\"at\": \"visit\"", "mapping-column")]
    [InlineData("\"summary\": \"last\"", "\"summary\": \"only\"", "mapping-column")]
    [InlineData("\"summary\": \"exists\"", "\"summary\": \"last\"", "mapping-column")]
    [InlineData("\"digits\": 1", "\"digits\": 7", "mapping-column")]
    [InlineData("\"codes\": [\"x\", \"y\"]", "\"codes\": []", "mapping-column")]
    [InlineData("\"value\": \"gender\"", "\"value\": \"gender.lower()\"", "mapping-path")]
    public void Wrong_mappings_are_refused_with_the_part(string from, string to, string code)
    {
        Assert.Contains(from, MappedTexts.Persons, StringComparison.Ordinal);
        int at = MappedTexts.Persons.IndexOf(from, StringComparison.Ordinal);
        Assert.Equal(code, Refusal(MappedTexts.Persons[..at] + to + MappedTexts.Persons[(at + from.Length)..]).Code);
    }

    private static InputProblem Refusal(string mapping) =>
        Assert.Single(Assert.Throws<InputException>(() => FhirMapping.Compile(RecordMapping.Parse(mapping, "m"))).Problems);
}
