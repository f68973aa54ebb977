using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping.Fhir.Files;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>
/// Gathers the Medications of all files before anything else is read, since they may come behind what refers to them. What is wrong with
/// one is told when the files are read for their rows; until then it is not there.
/// </summary>
internal sealed class MedicationReader : ResourceSplitter
{
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly MedicationTable _medications;
    private readonly ArrayBufferWriter<byte> _content = new();
    private string _file = "";

    private MedicationReader(MappingLimits limits) : base(limits) => _medications = new MedicationTable(limits);

    /// <summary>Reads files to their end.</summary>
    /// <exception cref="InputException">A file as a whole cannot be read, or there are too many.</exception>
    public static MedicationTable Read(IEnumerable<string> files, MappingLimits limits, CancellationToken cancellationToken)
    {
        MedicationReader reader = new(limits);
        foreach (string file in files)
        {
            reader._file = file;
            FhirFile.Read(file, limits, reader, cancellationToken);
        }

        return reader._medications;
    }

    /// <inheritdoc/>
    protected override bool IsOfNoUse(ReadOnlySpan<byte> json) =>
        json.IndexOf("\"Medication\""u8) < 0 && json.IndexOf("\\u"u8) < 0;

    /// <inheritdoc/>
    protected override void TakeResource(int root, string? fullUrl, long line, long offset, long index)
    {
        if (Tree.TextMember(root, "resourceType"u8) != "Medication")
        {
            return;
        }

        string? id = Tree.TextMember(root, "id"u8), other = FhirReference.OfFullUrl(fullUrl);
        WriteContent(root);
        foreach (string name in new[] { id, other }.OfType<string>())
        {
            _medications.Add(name, _content.WrittenSpan, _file, line);
        }
    }

    /// <inheritdoc/>
    protected override void TakeFault(ResourceFault fault, long line, long offset, long index)
    {
    }

    /// <summary>Writes what says what a Medication is, but not which: no id, number of a batch or text.</summary>
    private void WriteContent(int root)
    {
        _content.ResetWrittenCount();
        using Utf8JsonWriter json = new(_content, Compact);
        json.WriteStartObject();
        json.WriteString("resourceType"u8, "Medication"u8);
        for (int child = ResourceTree.First(root); child < Tree.End(root); child = Tree.End(child))
        {
            ReadOnlySpan<byte> name = Tree.Name(child);
            if (name.SequenceEqual("code"u8) || name.SequenceEqual("status"u8) || name.SequenceEqual("form"u8)
                || name.SequenceEqual("amount"u8) || name.SequenceEqual("ingredient"u8))
            {
                json.WritePropertyName(name);
                Tree.Write(json, child);
            }
        }

        json.WriteEndObject();
    }
}
