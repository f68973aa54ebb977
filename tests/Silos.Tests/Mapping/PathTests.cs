using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EmrMarket.Silos.Records.Mapping.Fhir;
using EmrMarket.Silos.Records.Mapping.Fhir.Paths;
using EmrMarket.Silos.Tests.Api;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Paths give what a reference implementation of FHIRPath gives, on the specification's own examples.</summary>
public sealed class PathTests
{
    // In each: every example of the type, and what must be given by some of them, so that no comparison is of nothing with nothing.
    private static readonly string[] Expressions =
    [
        "Observation.status", "Observation.code.coding.code", "Observation.code.coding[1].code", "Observation.code.coding.first().system",
        "Observation.code.coding.last().display", "Observation.value.ofType(Quantity).value", "Observation.value.ofType(Quantity).unit",
        "Observation.value.ofType(CodeableConcept).coding.code", "Observation.value.ofType(string)", "Observation.value.as(Quantity).value",
        "(Observation.value as Quantity).value", "Observation.value is Quantity", "Observation.value.is(Quantity)",
            "Observation.value.exists()",
        "Observation.value.empty()", "Observation.value.exists().not()", "Observation.component.count()",
        "Observation.component.where(code.coding.exists(code = '8480-6')).value.ofType(Quantity).value",
        "Observation.component.where(code.coding.exists(system = 'http://loinc.org' and code = '8462-4')).value.ofType(Quantity).value",
        "Observation.component.all(value.exists())", "Observation.component.exists(value.ofType(Quantity).value > 100)",
        "Observation.effective.ofType(dateTime)", "Observation.effective.ofType(Period).start",
        "Observation.effective.ofType(dateTime) | Observation.effective.ofType(Period).start",
        "Observation.value.ofType(Quantity).value > 10", "Observation.value.ofType(Quantity).value <= 36.5",
        "Observation.value.ofType(Quantity).value = 185", "Observation.value.ofType(Quantity).value != 185.0",
        "Observation.status = 'final'", "Observation.status != 'final'", "Observation.status in ('final' | 'amended')",
        "('final' | 'amended') contains Observation.status", "Observation.status = 'final' and Observation.component.exists()",
        "Observation.status = 'final' or Observation.foo.bar = 1", "Observation.status = 'final' xor Observation.value.exists()",
        "Observation.foo.bar = 1", "(Observation.foo.bar = 1).not()", "Observation.foo.bar = 1 or Observation.status = 'final'",
        "Observation.foo.bar = 1 and Observation.status = 'none'", "Observation.category.coding.code.where($this = 'vital-signs')",
        "Observation.code.coding.where(system.startsWith('http://loinc')).code", "Observation.interpretation.coding.code.count() > 0",
        "Observation.code.coding.code | Observation.code.coding.code", "Observation.referenceRange.low.value",
        "Observation.referenceRange[0].low.value < Observation.referenceRange[0].high.value", "Observation.hasMember.reference.count()",
        "Observation.effective.ofType(dateTime) < @2014-01-01", "Observation.issued > @2012-01-01T00:00:00Z", "{}", "true", "1.50", "-3",
            "'a\\'b\\u0041'",
        "Patient.gender", "Patient.active", "Patient.active = true", "Patient.active.not()", "Patient.birthDate",
            "Patient.birthDate < @1980-01-01",
        "Patient.birthDate = @1974-12-25", "Patient.birthDate != @1974", "Patient.birthDate >= @1974-12", "Patient.name.given",
            "Patient.name[0].given[1]",
        "Patient.name.where(use = 'official').family", "Patient.name.where(use = 'official' and given.exists()).given.first()",
        "Patient.telecom.where(system = 'phone' and use = 'work').value", "Patient.deceased.ofType(boolean)",
            "Patient.deceased.ofType(dateTime).exists()",
        "Patient.deceased.exists() and (Patient.deceased is boolean)", "Patient.address.state", "Patient.contact.relationship.coding.code",
        "Patient.extension.url", "Patient.extension('http://example.org/StructureDefinition/trials').value.ofType(code)",
        "Patient.extension.extension.value.ofType(CodeableConcept).coding.code", "Patient.multipleBirth.ofType(integer)",
            "Patient.maritalStatus.coding.code",
        "Patient.name.given.where($this.startsWith('P'))", "Patient.name.exists(family = 'Chalmers')", "Patient.name = Patient.name",
        "Encounter.class.code", "Encounter.status = 'finished'", "Encounter.period.start", "Encounter.subject.reference",
            "Encounter.length.value",
        "Encounter.participant.individual.reference", "Encounter.hospitalization.exists()",
        "Condition.code.coding.where(system = 'http://snomed.info/sct').code", "Condition.clinicalStatus.coding.code",
        "Condition.verificationStatus.coding.exists(code = 'entered-in-error' or code = 'refuted').not()",
            "Condition.onset.ofType(dateTime)",
        "Condition.onset.ofType(Age).value", "Condition.severity.coding.display", "Condition.abatement.exists()",
        "MedicationRequest.medication.ofType(CodeableConcept).coding.code", "MedicationRequest.medication.ofType(Reference).reference",
        "MedicationRequest.dosageInstruction.timing.repeat.frequency", "MedicationRequest.authoredOn", "MedicationRequest.intent = 'order'",
        "MedicationRequest.dosageInstruction.doseAndRate.dose.ofType(Quantity).value",
            "MedicationRequest.dosageInstruction.asNeeded.ofType(boolean)",
        "MedicationRequest.contained.where($this is Medication).code.coding.code",
            "MedicationRequest.contained.ofType(Medication).code.coding.code",
    ];

    internal static string[] Examples()
    {
        using FileStream file = File.OpenRead(Path.Combine(
            Tools.RepositoryRoot, "tests", "Silos.Tests", "Mapping", "Data", "r4-examples.ndjson.gz"));
        using StreamReader lines = new(new GZipStream(file, CompressionMode.Decompress));
        return lines.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [RequiresFact(Tool.Node)]
    public async Task Paths_give_what_a_reference_implementation_gives()
    {
        // One example has numbers that neither a decimal nor the oracle's floating point holds.
        string[] examples = [.. Examples().Where(example => !example.Contains("\"id\":\"decimal\"", StringComparison.Ordinal))];
        JsonArray expected = await OracleAsync(examples, Expressions);
        ResourceTree tree = new(64);
        PathContext context = new(tree);
        List<string> wrong = [];
        int given = 0;
        for (int e = 0; e < Expressions.Length; e++)
        {
            PathNode path = PathParser.Parse(Expressions[e]);
            bool any = false;
            for (int r = 0; r < examples.Length; r++)
            {
                Assert.Null(tree.Parse(Encoding.UTF8.GetBytes(examples[r])));
                string? got = Evaluate(context, path), wanted = expected[e]![r] is JsonArray items ? string.Join('\n', items.Select(Text))
                    : null;
                any |= wanted is { Length: > 0 };
                given += wanted is { Length: > 0 } ? 1 : 0;
                if (got != wanted)
                {
                    wrong.Add($"{Expressions[e]} on example {r}: expected '{wanted ?? "a failure"}', got '{got ?? "a failure"}'");
                }
            }

            if (!any && !Expressions[e].Contains("foo", StringComparison.Ordinal) && Expressions[e] != "{}")
            {
                wrong.Add($"{Expressions[e]} is given by no example");
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} differ:\n{string.Join('\n', wrong.Take(20))}");
        Assert.True(given > 2000, $"{given}");
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("a.", 3)]
    [InlineData("a..b", 3)]
    [InlineData("a + 1", 3)]
    [InlineData("a * 2", 3)]
    [InlineData("a & 'b'", 3)]
    [InlineData("a ~ 'b'", 3)]
    [InlineData("a implies b", 3)]
    [InlineData("a.lower()", 3)]
    [InlineData("a.select(b)", 3)]
    [InlineData("a.repeat(b)", 3)]
    [InlineData("a.resolve()", 3)]
    [InlineData("a.resolve().code", 3)]
    [InlineData("a.resolve().ofType(Patient)", 3)]
    [InlineData("a.resolve(b).ofType(Medication)", 3)]
    [InlineData("a.children()", 3)]
    [InlineData("a.descendants()", 3)]
    [InlineData("a.matches('(x+)+')", 3)]
    [InlineData("a.trace('x')", 3)]
    [InlineData("iif(a, b)", 6)]
    [InlineData("iif(a)", 1)]
    [InlineData("%resource.id", 1)]
    [InlineData("$index", 1)]
    [InlineData("a.where()", 3)]
    [InlineData("a.count(b)", 3)]
    [InlineData("a.extension(b)", 3)]
    [InlineData("a[b]", 3)]
    [InlineData("a[-1]", 3)]
    [InlineData("a.$this", 3)]
    [InlineData("a.ofType(Quantity)", 3)]
    [InlineData("value.ofType(Nothing)", 14)]
    [InlineData("a = 'b", 5)]
    [InlineData("a = \"b\"", 5)]
    [InlineData("a = '\\x'", 6)]
    [InlineData("a = @2020-13", 5)]
    [InlineData("a = 4 'mg'", 7)]
    [InlineData("a) ", 2)]
    [InlineData("(a", 3)]
    [InlineData("a b", 3)]
    [InlineData("a // b", 3)]
    public void Paths_outside_the_subset_are_refused_with_their_place(string path, int position) =>
        Assert.StartsWith(
            $"at character {position}: ", Assert.Throws<PathSyntaxException>(() => PathParser.Parse(path)).Message,
                StringComparison.Ordinal);

    [Fact]
    public void Deep_and_long_paths_are_refused()
    {
        Assert.Throws<PathSyntaxException>(() => PathParser.Parse(new string('(', 40_000) + "a" + new string(')', 40_000)));
        Assert.Throws<PathSyntaxException>(() => PathParser.Parse(new string('(', 1000) + "a" + new string(')', 1000)));
        Assert.Throws<PathSyntaxException>(() =>
            PathParser.Parse(string.Concat(Enumerable.Repeat("a.where(", 300)) + "a" + new string(')', 300)));
        Assert.Throws<PathSyntaxException>(() => PathParser.Parse(string.Join('.', Enumerable.Repeat("a", 3000))));
    }

    [Fact]
    public void Expression_that_takes_too_many_steps_on_a_resource_fails_there()
    {
        // Each of 20,000 different values is held against all before it: 200 million comparisons.
        string json = $$"""{"resourceType":"Basic","a":[{{string.Join(',', Enumerable.Range(0, 20_000))}}]}""";
        ResourceTree tree = new(64);
        Assert.Null(tree.Parse(Encoding.UTF8.GetBytes(json)));
        Assert.Throws<PathException>(() => new PathContext(tree).Evaluate(PathParser.Parse("a | a"), 0, []));
    }

    private static string? Evaluate(PathContext context, PathNode path)
    {
        List<PathItem> items = [];
        try
        {
            context.Evaluate(path, 0, items);
        }
        catch (PathException)
        {
            return null;
        }

        return string.Join('\n', items.Select(item => context.Value(item) is { } value ? Plain(value) : "object"));
    }

    private static string Text(JsonNode? node) => node!.GetValueKind() == JsonValueKind.String ? Plain(node.GetValue<string>())
        : Plain(node.ToJsonString());

    // 150 and 150.00 are one number, and the oracle has doubles.
    private static string Plain(string text) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)
            ? ((double)number).ToString("R", CultureInfo.InvariantCulture) : text;

    private static async Task<JsonArray> OracleAsync(string[] resources, string[] expressions)
    {
        string tools = await FhirOracle.ToolsAsync();
        using Process process = Process.Start(new ProcessStartInfo(Tools.Require(Tool.Node), ["path.mjs"])
        {
            WorkingDirectory = tools, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
                UseShellExecute = false,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(
            $$"""{"resources":[{{string.Join(',', resources)}}],"expressions":{{JsonSerializer.Serialize(expressions)}}}""");
        process.StandardInput.Close();
        await process.WaitForExitAsync(CancellationToken.None);
        Assert.True(process.ExitCode == 0, await error);
        return JsonNode.Parse(await output)!.AsArray();
    }
}
