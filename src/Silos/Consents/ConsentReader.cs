using System.Text;
using System.Text.Json;
using EmrMarket.Analytics.Records;
using EmrMarket.Grains.Abstractions.Site;

namespace EmrMarket.Silos.Consents;

/// <summary>
/// Reads a Consent of HL7 FHIR R4 (4.0.1) as the policy that it means (docs/CONSENT.md). The policy never allows more than the Consent:
/// what a policy cannot say is refused, with its place and a reason.
/// </summary>
internal static class ConsentReader
{
    /// <summary>The longest Consent, bytes.</summary>
    public const int MostBytes = 64 << 10;

    private const int MostDepth = 32;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = MostDepth };

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The policy.</summary>
    /// <param name="json">The Consent, UTF-8.</param>
    /// <param name="menu">What a policy may say.</param>
    /// <param name="nowSeconds">The time, unix seconds.</param>
    /// <param name="file">What the Consent is called in messages.</param>
    /// <exception cref="InputException">It is no Consent, or means something that no policy can say. The problems' columns are FHIRPath,
    /// their codes those of OperationOutcome.</exception>
    public static ConsentReading Read(ReadOnlyMemory<byte> json, ConsentMenu menu, long nowSeconds, string file)
    {
        ConsentIssues issues = new(file);
        using JsonDocument document = Parse(json, file);
        ConsentDocument consent = new ConsentParser(menu, issues).Read(document.RootElement);
        issues.Throw(withMeaning: consent.Participation == Participation.Active);
        List<ConsentNote> notes = [];
        ConsentPolicy? policy = issues.OfMeaning.Count > 0 ? null : ConsentRules.Find(menu, consent, nowSeconds, issues, notes);

        // Whoever pauses or withdraws is never kept by what else the Consent says.
        issues.Throw(withMeaning: consent.Participation == Participation.Active);
        return new ConsentReading
        {
            Participation = policy is null && consent.Participation == Participation.Active ? Participation.Paused : consent.Participation,
            Policy = issues.OfMeaning.Count > 0 ? null : policy,
            Notes = [.. notes, .. issues.OfMeaning.Select(problem => new ConsentNote(problem.Column, problem.Message))],
        };
    }

    // A text is unescaped when it is read: one that cannot be is found here, not half-way.
    private static void CheckTexts(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty member in element.EnumerateObject())
            {
                _ = member.Name;
                CheckTexts(member.Value);
            }
        }
        else if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray())
            {
                CheckTexts(item);
            }
        }
        else if (element.ValueKind == JsonValueKind.String)
        {
            _ = element.GetString();
        }
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> json, string file)
    {
        if (json.Length > MostBytes)
        {
            throw Refuse("too-long", 0, $"a Consent has at most {MostBytes} bytes, this one has {json.Length}", "Send the Consent alone.");
        }

        try
        {
            // The parser checks the text that it looks at only.
            _ = Utf8.GetCharCount(json.Span);
            ReadOnlyMemory<byte> text = json.Span.StartsWith("\uFEFF"u8) ? json[3..] : json;
            JsonDocument document = JsonDocument.Parse(text, Strict);
            CheckTexts(document.RootElement);
            return document;
        }
        catch (InvalidOperationException)
        {
            throw Refuse("invalid", 0, "an escaped character is half of one", "Write \\u escapes of UTF-16 in pairs.");
        }
        catch (JsonException e)
        {
            // Its message may quote what was sent.
            throw Refuse("invalid", (e.LineNumber ?? -1) + 1,
                $"this is no JSON, a member is given twice, or it is nested more than {MostDepth} deep",
                "Correct the JSON.");
        }
        catch (DecoderFallbackException)
        {
            throw Refuse("invalid", 0, "the text is not UTF-8", "Save it as UTF-8.");
        }

        InputException Refuse(string code, long line, string message, string fix) =>
            new(new InputProblem(code, file, line, "", message, fix));
    }
}
