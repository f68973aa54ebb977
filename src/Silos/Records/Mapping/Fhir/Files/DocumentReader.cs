using System.Globalization;
using System.Text.Json;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Fhir.Files;

/// <summary>
/// Reads a file that is one JSON object: a resource, or a bundle, whose entries are taken one by one. Each value is found first, then read,
/// so that an entry that is too deep or has a member twice does not end the file; what is no JSON does.
/// </summary>
internal sealed class DocumentReader(ByteWindow window, string file, MappingLimits limits, IResourceSink sink)
{
    private bool _isEntry;
    private JsonReaderState _state = new(new JsonReaderOptions { MaxDepth = int.MaxValue });

    private enum Found
    {
        Value,
        TooLarge,
        End,
    }

    /// <summary>Reads to the end.</summary>
    /// <exception cref="InputException">It is no JSON, cut short, or neither a resource nor a bundle.</exception>
    public void Read(CancellationToken cancellationToken)
    {
        bool? isBundle = IsBundle();
        if (isBundle is null)
        {
            throw Refuse("not-fhir", window.Line, "the file has no resourceType, or it comes after more than one resource may have");
        }

        if (isBundle == true)
        {
            ReadBundle(cancellationToken);
        }
        else
        {
            ReadResource();
        }

        ReadOnlySpan<byte> rest = window.Bytes;
        while (rest.IndexOfAnyExcept(" \t\r\n"u8) < 0)
        {
            window.Skip(rest.Length);
            if (!window.Fill())
            {
                return;
            }

            rest = window.Bytes;
        }

        throw Refuse("not-json", window.LineOf(rest.IndexOfAnyExcept(" \t\r\n"u8)), "there is more behind the end of the JSON object");
    }

    private void ReadResource()
    {
        (Found found, int start, int length) = Next();
        if (found == Found.TooLarge)
        {
            throw Refuse("too-large", window.Line, "a resource that is no bundle is larger than a resource may be");
        }

        sink.Take(window.Bytes.Slice(start, length), isEntry: false, window.LineOf(start), window.Offset + start);
        window.Skip(start + length);
    }

    private void ReadBundle(CancellationToken cancellationToken)
    {
        Token();
        while (Token() == JsonTokenType.PropertyName)
        {
            if (!_isEntry)
            {
                Skip();
                continue;
            }

            if (Token() != JsonTokenType.StartArray)
            {
                throw Refuse("not-fhir", window.Line, "the bundle's entry is no list");
            }

            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                (Found found, int start, int length) = Next();
                if (found == Found.End)
                {
                    break;
                }

                if (found == Found.TooLarge)
                {
                    sink.TooLarge(window.LineOf(start), window.Offset + start);
                    Skip();
                    continue;
                }

                sink.Take(window.Bytes.Slice(start, length), isEntry: true, window.LineOf(start), window.Offset + start);
                window.Skip(start + length);
            }
        }
    }

    /// <summary>Whether the object is a bundle; null when that cannot be seen. Moves nothing.</summary>
    private bool? IsBundle()
    {
        while (true)
        {
            var reader = new Utf8JsonReader(window.Bytes, window.IsLast, _state);
            bool? answer = null;
            try
            {
                bool more = reader.Read();
                while (answer is null && (more = reader.Read()) && reader.TokenType == JsonTokenType.PropertyName)
                {
                    bool wanted = Says(reader, "resourceType"u8);
                    if (!(more = reader.Read()) || !(more = reader.TrySkip()))
                    {
                        break;
                    }

                    if (wanted)
                    {
                        answer = reader.TokenType == JsonTokenType.String && Says(reader, "Bundle"u8);
                    }
                }

                if (answer is not null || more)
                {
                    return answer;
                }
            }
            catch (JsonException e)
            {
                throw NotJson(e, reader.BytesConsumed);
            }

            if (!window.Fill())
            {
                return window.IsLast ? throw CutShort() : null;
            }
        }
    }

    /// <summary>Goes to the next token.</summary>
    private JsonTokenType Token()
    {
        while (true)
        {
            var reader = new Utf8JsonReader(window.Bytes, window.IsLast, _state);
            try
            {
                if (reader.Read())
                {
                    JsonTokenType type = reader.TokenType;
                    _isEntry = type == JsonTokenType.PropertyName && Says(reader, "entry"u8);
                    Move(reader);
                    return type;
                }
            }
            catch (JsonException e)
            {
                throw NotJson(e, reader.BytesConsumed);
            }

            More();
        }
    }

    /// <summary>Finds the next value without moving: where it begins in the window, and how long it is. The state moves to its end; the
    /// caller skips its bytes.</summary>
    private (Found Found, int Start, int Length) Next()
    {
        while (true)
        {
            var reader = new Utf8JsonReader(window.Bytes, window.IsLast, _state);
            int start = 0;
            try
            {
                if (reader.Read())
                {
                    start = (int)reader.TokenStartIndex;
                    if (reader.TokenType == JsonTokenType.EndArray)
                    {
                        Move(reader);
                        return (Found.End, 0, 0);
                    }

                    if (reader.TrySkip())
                    {
                        int length = (int)reader.BytesConsumed - start;
                        if (length > limits.ResourceBytes)
                        {
                            return (Found.TooLarge, start, 0);
                        }

                        _state = reader.CurrentState;
                        return (Found.Value, start, length);
                    }
                }
            }
            catch (JsonException e)
            {
                throw NotJson(e, reader.BytesConsumed);
            }

            if (window.IsFull)
            {
                return (Found.TooLarge, start, 0);
            }

            More();
        }
    }

    /// <summary>Goes behind the next value, token by token, however large it is.</summary>
    private void Skip()
    {
        int depth = 0;
        do
        {
            // Many tokens a time: a value of gigabytes has hundreds of millions.
            var reader = new Utf8JsonReader(window.Bytes, window.IsLast, _state);
            int read = 0;
            try
            {
                while ((read == 0 || depth > 0) && reader.Read())
                {
                    read++;
                    depth += reader.TokenType switch
                    {
                        JsonTokenType.StartObject or JsonTokenType.StartArray => 1,
                        JsonTokenType.EndObject or JsonTokenType.EndArray => -1,
                        _ => 0,
                    };
                }
            }
            catch (JsonException e)
            {
                throw NotJson(e, reader.BytesConsumed);
            }

            Move(reader);
            if (read > 0 && depth == 0)
            {
                return;
            }

            More();
        }
        while (true);
    }

    /// <summary>Whether a name or text is this one. One with half a surrogate pair, which cannot be compared, is not.</summary>
    private static bool Says(in Utf8JsonReader reader, ReadOnlySpan<byte> text)
    {
        try
        {
            return reader.ValueTextEquals(text);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private void Move(in Utf8JsonReader reader)
    {
        _state = reader.CurrentState;
        window.Skip((int)reader.BytesConsumed);
    }

    private void More()
    {
        if (window.Fill())
        {
            return;
        }

        // At the last block the reader throws by itself where anything is missing, unless all is white space.
        throw window.IsLast ? CutShort() : Refuse("too-large", window.Line, "one text or number is larger than a resource may be");
    }

    private InputException CutShort() => Refuse("not-json", window.LineOf(window.Bytes.Length), string.Create(
        CultureInfo.InvariantCulture, $"the file ends at byte {window.Offset + window.Bytes.Length}, before its object does"));

    private InputException NotJson(JsonException e, long consumed) => Refuse("not-json", e.LineNumber + 1 ?? window.Line, string.Create(
        CultureInfo.InvariantCulture, $"the file is no JSON from byte {window.Offset + consumed} on, or is cut short"));

    private InputException Refuse(string code, long line, string message) => new(new InputProblem(
        code, file, line, "", message,
            "Write the file anew. A file with a resource per line (NDJSON) keeps what is readable; its name ends in .ndjson."));
}
