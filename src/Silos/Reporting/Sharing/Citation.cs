using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using EmrMarket.Silos.Pages.Texts;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Reporting.Sharing;

/// <summary>How the results of a request are cited: one source for the sentence and for what reference managers read.</summary>
internal sealed record Citation
{
    private const string Publisher = "EmrMarket";
    private const string Abstract =
        "Statistics estimated from electronic medical records whose sensitive attributes were randomised under local "
        + "differential privacy before they left their sites. Estimates come with confidence intervals.";

    private static readonly JsonSerializerOptions Quoting = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Document = new(Quoting) { WriteIndented = true, NewLine = "\n" };

    /// <summary>What the request is about.</summary>
    public required string Title { get; init; }

    /// <summary>Its number on the ledger.</summary>
    public required ulong RequestId { get; init; }

    /// <summary>The hash of its terms, 64 hexadecimal digits: it names the results, wherever they are kept.</summary>
    public required string Key { get; init; }

    /// <summary>The ledger's chain.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>The contract that numbers requests.</summary>
    public required string Contract { get; init; }

    /// <summary>When the results were computed.</summary>
    public required DateTimeOffset Date { get; init; }

    /// <summary>The request on its ledger: <c>eip155:CHAIN:CONTRACT/NUMBER</c>, contract as in CAIP-10.</summary>
    public string OnLedger => string.Create(CultureInfo.InvariantCulture, $"eip155:{ChainId}:{Contract}/{RequestId}");

    /// <summary>The sentence.</summary>
    public string Sentence => ResearchPhrases.CitationOf(Title, RequestId, Key, ChainId, Date.ToUnixTimeSeconds());

    /// <summary>How to cite a dossier.</summary>
    public static Citation Of(RequestDossier dossier) => Of(dossier.Request, dossier.ChainId, dossier.Contract);

    /// <summary>How to cite the results of a request.</summary>
    public static Citation Of(RequestInfo request, ulong chainId, string contract) => new()
    {
        Title = request.Title, RequestId = request.RequestId, Key = request.Key, ChainId = chainId, Contract = contract,
        Date = DateTimeOffset.FromUnixTimeSeconds(RequestDossier.EvaluatedSeconds(request)),
    };

    /// <summary>A CITATION.cff of version 1.2.0 (doi:10.5281/zenodo.5171937): YAML, every text in its double-quoted form, which JSON's
    /// is.</summary>
    public string Cff() => string.Create(CultureInfo.InvariantCulture, $"""
        cff-version: 1.2.0
        message: {Quote("If you use these results, please cite them as below.")}
        type: dataset
        title: {Quote(Title)}
        abstract: {Quote(Abstract)}
        authors:
          - name: {Quote($"{Publisher}, {OnLedger[..OnLedger.LastIndexOf('/')]}")}
        date-released: {Quote(Day)}
        version: {Quote("1")}
        identifiers:
          - type: other
            value: {Quote(Key)}
            description: {Quote("keccak-256 of the terms: the request's key")}
          - type: other
            value: {Quote(OnLedger)}
            description: {Quote("the request on its ledger")}
        keywords:
          - {Quote("local differential privacy")}
          - {Quote("electronic medical records")}

        """);

    /// <summary>A BibTeX entry.</summary>
    public string Bibtex() =>
        $$"""
        @misc{emrmarket-{{Key[..12]}},
          author = {{Braced(Publisher)}},
          title = {{Braced(Tex(Title))}},
          year = {{Braced(Date.ToString("yyyy", CultureInfo.InvariantCulture))}},
          month = {{Braced(Date.ToString("MM", CultureInfo.InvariantCulture))}},
          note = {{Braced(Tex(Note))}}
        }

        """;

    /// <summary>A RIS record.</summary>
    public string Ris() => string.Concat(new (string Tag, string Value)[]
    {
        ("TY", "DATA"), ("AU", Publisher), ("TI", Line(Title)), ("PY", Date.ToString("yyyy", CultureInfo.InvariantCulture)),
        ("DA", Date.ToString("yyyy/MM/dd", CultureInfo.InvariantCulture)), ("PB", Publisher), ("AN", Key), ("N1", Line(Note)), ("ER", ""),
    }.Select(field => $"{field.Tag}  - {field.Value}\r\n"));

    /// <summary>CSL-JSON: a list of one item.</summary>
    public string Csl() => JsonSerializer.Serialize(
        new[]
        {
            new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["id"] = $"emrmarket-{Key[..12]}", ["type"] = "dataset", ["title"] = Title,
                ["author"] = new[] { new { literal = Publisher } }, ["publisher"] = Publisher, ["number"] = Key,
                ["issued"] = new Dictionary<string, object>(StringComparer.Ordinal)
                {
                    ["date-parts"] = new[] { new[] { Date.Year, Date.Month, Date.Day } },
                },
                ["abstract"] = Abstract, ["note"] = Note,
            },
        }, Document) + "\n";

    private string Day => Date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private string Note => string.Create(
        CultureInfo.InvariantCulture, $"Request {RequestId} ({OnLedger}), terms {Key}; estimates under local differential privacy");

    // YAML 1.2 takes JSON's strings as they are; what is not printable is escaped in both.
    private static string Quote(string text) => JsonSerializer.Serialize(text, Quoting);

    // What RIS ends a field with.
    private static string Line(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));

    // Two braces: the words are kept as they are, capitals included, and a name is nobody's first and last.
    private static string Braced(string text) => "{{" + text + "}}";

    private static string Tex(string text)
    {
        StringBuilder escaped = new();
        foreach (char c in Line(text))
        {
            escaped.Append(c switch
            {
                '\\' => @"\textbackslash{}", '~' => @"\textasciitilde{}", '^' => @"\textasciicircum{}",
                // Not \{ and \}: BibTeX balances braces before TeX reads the backslash.
                '{' => @"\textbraceleft{}", '}' => @"\textbraceright{}",
                '$' or '&' or '%' or '#' or '_' => $"\\{c}", _ => c.ToString(),
            });
        }

        return escaped.ToString();
    }
}
