using System.Text;
using System.Text.Json;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;
using EmrMarket.Silos.Records.Mapping.Fhir.Files;

namespace EmrMarket.Silos.Consents;

/// <summary>A Consent of a file.</summary>
/// <param name="File">The file as its reader named it.</param>
/// <param name="Line">The line on which it begins, from 1.</param>
/// <param name="PersonKey">The key of its patient (docs/SCHEMAS.md, "Layout").</param>
/// <param name="Reading">What it means.</param>
internal sealed record PersonConsent(string File, long Line, ulong PersonKey, ConsentReading Reading);

/// <summary>
/// Reads files of Consents: single ones, bundles, and a Consent per line (NDJSON). Each says by its <c>patient</c> whose it is: the id in
/// the reference is the person's id in the files that the records were loaded from. What is wrong with one of them is told with its place,
/// and the others are read.
/// </summary>
internal sealed class ConsentFiles : IResourceSink
{
    private const int MostProblems = 100;

    private static readonly JsonDocumentOptions Loose = new() { MaxDepth = 64 };

    private readonly ConsentMenu _menu;
    private readonly LayoutDocument _layout;
    private readonly IdentifierDocument _id;
    private readonly long _nowSeconds;
    private readonly List<PersonConsent> _consents = [];
    private readonly List<InputProblem> _problems = [];
    private readonly HashSet<ulong> _known = [];
    private readonly HashSet<ulong> _repeated = [];
    private string _file = "";

    /// <summary>A reader of the Consents of a schema's persons.</summary>
    /// <param name="menu">What their policies may say.</param>
    /// <param name="layout">The layout of the files that the persons' ids are from; null for the only one.</param>
    /// <param name="nowSeconds">The time, unix seconds.</param>
    /// <exception cref="InputException">There is no such layout, several and none was named, or it has no ids.</exception>
    public ConsentFiles(ConsentMenu menu, string? layout, long nowSeconds)
    {
        IReadOnlyList<LayoutDocument> layouts = menu.Schema.Document.Layouts;
        _layout = layouts.FirstOrDefault(one => layout is null ? layouts.Count == 1 : one.Name == layout)
            ?? throw Refuse("value", $"the schema has the layouts {string.Join(", ", layouts.Select(one => one.Name))}",
                "Name the layout of the files that the records were loaded from.");
        _id = _layout.Person ?? _layout.Record
            ?? throw Refuse("not-supported", $"records of the layout {_layout.Name} have no ids, so nobody can be found by one",
                "Load records with ids.");
        (_menu, _nowSeconds) = (menu, nowSeconds);

        static InputException Refuse(string code, string message, string fix) => new(new InputProblem(code, "layout", 0, "", message, fix));
    }

    /// <summary>One for each person, in the order of the files; of a person with several there is none.</summary>
    public IEnumerable<PersonConsent> Consents => _consents.Where(consent => !_repeated.Contains(consent.PersonKey));

    /// <summary>What is wrong, the first hundred; the columns are FHIRPath, the codes those of OperationOutcome.</summary>
    public IReadOnlyList<InputProblem> Problems => _problems;

    /// <summary>How many problems there are.</summary>
    public long TotalProblems { get; private set; }

    /// <summary>How many Consents were read, right or wrong.</summary>
    public long Total { get; private set; }

    /// <summary>How many resources were of other types, and passed over.</summary>
    public long PassedOver { get; private set; }

    /// <summary>Reads files to their end.</summary>
    /// <exception cref="InputException">A file as a whole cannot be read.</exception>
    public void Read(IReadOnlyList<string> files, CancellationToken cancellationToken)
    {
        foreach (string file in files)
        {
            _file = Path.GetFileName(file);
            FhirFile.Read(file, MappingLimits.Default, this, cancellationToken);
        }
    }

    /// <summary>Notes what is wrong with a Consent.</summary>
    public void Add(InputProblem problem)
    {
        TotalProblems++;
        if (_problems.Count < MostProblems)
        {
            _problems.Add(problem);
        }
    }

    /// <inheritdoc/>
    public void TooLarge(long line, long offset) =>
        Add(new InputProblem("too-long", _file, line, "", "the resource is larger than a resource may be", "Hand Consents in alone."));

    /// <inheritdoc/>
    public void Take(ReadOnlySpan<byte> json, bool isEntry, long line, long offset)
    {
        byte[] resource = json.ToArray();
        try
        {
            string? type, reference;
            using (JsonDocument document = JsonDocument.Parse(resource, Loose))
            {
                JsonElement root = document.RootElement;
                if (isEntry && !Member(root, "resource", out root))
                {
                    // It only says what a server is to do.
                    return;
                }

                type = Member(root, "resourceType", out JsonElement named) && named.ValueKind == JsonValueKind.String
                    ? named.GetString() : null;
                if (type is not null and not "Consent")
                {
                    PassedOver++;
                    return;
                }

                reference = Member(root, "patient", out JsonElement patient) && Member(patient, "reference", out JsonElement text)
                    && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
                resource = isEntry ? Encoding.UTF8.GetBytes(root.GetRawText()) : resource;
            }

            Total++;
            ConsentReading reading = ConsentReader.Read(resource, _menu, _nowSeconds, _file);
            if (PersonOf(reference, line) is { } person)
            {
                if (!_known.Add(person))
                {
                    _repeated.Add(person);
                    Add(new InputProblem(
                        "multiple-matches", _file, line, "Consent.patient", "there is another Consent of this patient before",
                        "Hand in the one that holds: which it is cannot be told from here. None of them was carried out."));
                }

                _consents.Add(new PersonConsent(_file, line, person, reading));
            }
        }
        catch (InputException e)
        {
            foreach (InputProblem problem in e.Problems)
            {
                Add(problem with { Line = line });
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Its message may quote what was handed in.
            Add(new InputProblem("invalid", _file, line, "", "this is no JSON, or nested more than 64 deep", "Correct the JSON."));
        }
    }

    private static bool Member(JsonElement element, string name, out JsonElement member)
    {
        member = default;
        return element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out member);
    }

    private ulong? PersonOf(string? text, long line)
    {
        ReferenceFault? fault = text is null ? new ReferenceFault(IssueCode.Required, "a Consent has a patient.reference") : null;
        if (text is not null && FhirReference.Parse(text, out fault) is { Type: null or "Patient" } reference
            && RecordKey.Of(_layout, _id.Kind, Encoding.UTF8.GetBytes(reference.Id)) is { } key)
        {
            return key.Key;
        }

        Add(new InputProblem(text is null ? "required" : "value", _file, line, "Consent.patient.reference",
            fault?.Message ?? "it names no patient by an id of the form that the records have",
            $"Write Patient/ID, with the person's id in the column '{_id.Column}' of the files that were loaded."));
        return null;
    }
}
