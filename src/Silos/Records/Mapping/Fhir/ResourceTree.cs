using System.Globalization;
using System.Text;
using System.Text.Json;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>What a node of a resource is.</summary>
internal enum NodeKind : byte
{
    /// <summary>An object.</summary>
    Object = 0,

    /// <summary>An array; it has a node of its own, which paths never see.</summary>
    Array,

    /// <summary>A text.</summary>
    String,

    /// <summary>A number that a decimal holds.</summary>
    Number,

    /// <summary>true.</summary>
    True,

    /// <summary>false.</summary>
    False,

    /// <summary>null.</summary>
    Null,
}

/// <summary>Why a resource is no resource.</summary>
/// <param name="Code">What kind of issue.</param>
/// <param name="Offset">Bytes before the place, in the resource.</param>
/// <param name="Path">The path of the place, for example <c>component[2].valueQuantity.value</c>.</param>
/// <param name="Message">What is wrong.</param>
internal sealed record ResourceFault(IssueCode Code, long Offset, string Path, string Message);

/// <summary>
/// One resource of FHIR's JSON as a flat tree in buffers that are used again for the next one, so that reading allocates nothing. Strict
/// where JSON leaves it open (RFC 8259, section 4 and 6): a member that is given twice, a number that a decimal cannot hold, text that is
/// not UTF-8 and nesting beyond the limit are faults. O(bytes).
/// </summary>
internal sealed class ResourceTree
{
    private const int FewMembers = 24;
    private const long MostGrafted = 16 << 20;
    private static readonly JsonReaderOptions Options = new() { MaxDepth = int.MaxValue };
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly int _depth;
    private readonly int[] _open;
    private readonly Dictionary<int, int> _grafts = [];
    private Node[] _nodes = new Node[256];
    private byte[] _text = new byte[4096];
    private int _count;
    private int _used;
    private long _grafted;

    /// <summary>A tree for one resource after the other.</summary>
    /// <param name="depth">The deepest nesting.</param>
    public ResourceTree(int depth) => (_depth, _open) = (depth, new int[depth + 1]);

    /// <summary>Reads a resource. Null when it is one JSON value within the limits, else what is wrong; then the tree must not be
    /// used.</summary>
    public ResourceFault? Parse(ReadOnlySpan<byte> json)
    {
        (_count, _used, _grafted) = (0, 0, 0);
        _grafts.Clear();
        return Read(json);
    }

    /// <summary>Puts another resource, which was written by <see cref="Write"/>, beside the one that was read: once for each key.</summary>
    /// <returns>Its node; null when all that stands beside has more than 16 MiB.</returns>
    public int? Graft(int key, ReadOnlySpan<byte> json)
    {
        if (_grafts.TryGetValue(key, out int node))
        {
            return node;
        }

        _grafted += json.Length;
        if (_grafted > MostGrafted)
        {
            return null;
        }

        _grafts.Add(key, node = _count);
        return Read(json) is null ? node : throw new InvalidOperationException("What was written cannot be read again.");
    }

    /// <summary>Writes a node as JSON, to the same bytes whatever its spaces and escapes were.</summary>
    public void Write(Utf8JsonWriter json, int node)
    {
        switch (Kind(node))
        {
            case NodeKind.Object:
                json.WriteStartObject();
                for (int child = First(node); child < End(node); child = End(child))
                {
                    json.WritePropertyName(Name(child));
                    Write(json, child);
                }

                json.WriteEndObject();
                break;
            case NodeKind.Array:
                json.WriteStartArray();
                for (int child = First(node); child < End(node); child = End(child))
                {
                    Write(json, child);
                }

                json.WriteEndArray();
                break;
            case NodeKind.String:
                json.WriteStringValue(Bytes(node));
                break;
            case NodeKind.Number:
                json.WriteRawValue(Bytes(node));
                break;
            case NodeKind.True or NodeKind.False:
                json.WriteBooleanValue(Kind(node) == NodeKind.True);
                break;
            default:
                json.WriteNullValue();
                break;
        }
    }

    /// <summary>What a node is.</summary>
    public NodeKind Kind(int node) => _nodes[node].Kind;

    /// <summary>The name of a node's member; an element's is that of its array.</summary>
    public ReadOnlySpan<byte> Name(int node) => _text.AsSpan(_nodes[node].NameStart, _nodes[node].NameLength);

    /// <summary>The bytes of a text or number.</summary>
    public ReadOnlySpan<byte> Bytes(int node) => _text.AsSpan(_nodes[node].Start, _nodes[node].Length);

    /// <summary>The text of a text or number.</summary>
    public string Text(int node) => Utf8.GetString(Bytes(node));

    /// <summary>The number.</summary>
    public decimal Number(int node) => decimal.Parse(Bytes(node), NumberStyles.Float, CultureInfo.InvariantCulture);

    /// <summary>The first child, which is <see cref="End"/> of the node where there is none.</summary>
    public static int First(int node) => node + 1;

    /// <summary>The node behind this one and all in it.</summary>
    public int End(int node) => _nodes[node].End;

    /// <summary>A member of an object; -1 without it.</summary>
    public int Member(int node, ReadOnlySpan<byte> name)
    {
        if (Kind(node) == NodeKind.Object)
        {
            for (int child = First(node); child < End(node); child = End(child))
            {
                if (Name(child).SequenceEqual(name))
                {
                    return child;
                }
            }
        }

        return -1;
    }

    /// <summary>A text member of an object; null without it, or when it is no text.</summary>
    public string? TextMember(int node, ReadOnlySpan<byte> name) =>
        Member(node, name) is >= 0 and var member && Kind(member) == NodeKind.String ? Text(member) : null;

    private static NodeKind KindOf(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => NodeKind.Object,
        JsonTokenType.StartArray => NodeKind.Array,
        JsonTokenType.String => NodeKind.String,
        JsonTokenType.Number => NodeKind.Number,
        JsonTokenType.True => NodeKind.True,
        JsonTokenType.False => NodeKind.False,
        _ => NodeKind.Null,
    };

    /// <summary>Member names of FHIR are letters and digits; anything else is not repeated.</summary>
    private static string Shown(ReadOnlySpan<byte> name)
    {
        foreach (byte b in name)
        {
            if (!char.IsAsciiLetterOrDigit((char)b) && b != '_')
            {
                return "?";
            }
        }

        return name.Length > 64 ? "?" : Encoding.ASCII.GetString(name);
    }

    private ResourceFault? Read(ReadOnlySpan<byte> json)
    {
        if (_text.Length - _used < json.Length)
        {
            // Unescaping never makes text longer.
            Array.Resize(ref _text, Math.Max(_used + json.Length, 2 * _text.Length));
        }

        int first = _count;
        var reader = new Utf8JsonReader(json, Options);
        int open = 0;
        try
        {
            int nameStart = 0, nameLength = 0;
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        nameStart = _used;
                        nameLength = Take(ref reader);
                        continue;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        int closed = _open[--open];
                        _nodes[closed].End = _count;
                        if (reader.TokenType == JsonTokenType.EndObject && RepeatedMember(closed) is >= 0 and var repeated)
                        {
                            // Its name is in the path, not in the words: where a file is no FHIR a name may be anything.
                            return Fault(IssueCode.Structure, reader.TokenStartIndex, open + 1, "a member is given twice", repeated);
                        }

                        nameLength = 0;
                        continue;
                    default:
                        break;
                }

                if (_count == _nodes.Length)
                {
                    Array.Resize(ref _nodes, 2 * _count);
                }

                ref Node node = ref _nodes[_count];
                node = new Node { NameStart = nameStart, NameLength = nameLength, End = _count + 1, Start = _used,
                    Kind = KindOf(reader.TokenType) };
                if (nameLength == 0 && open > 0 && _nodes[_open[open - 1]].Kind == NodeKind.Array)
                {
                    // Elements go by the name of their array, which is how paths know them.
                    (node.NameStart, node.NameLength) = (_nodes[_open[open - 1]].NameStart, _nodes[_open[open - 1]].NameLength);
                }

                _count++;
                if (node.Kind is NodeKind.Object or NodeKind.Array)
                {
                    if (open == _depth)
                    {
                        return Fault(IssueCode.TooLong, reader.TokenStartIndex, open,
                            $"objects and arrays are nested deeper than {_depth}");
                    }

                    _open[open++] = _count - 1;
                }
                else if (node.Kind is NodeKind.String or NodeKind.Number)
                {
                    node.Length = Take(ref reader);
                    if (node.Kind == NodeKind.Number && !decimal.TryParse(
                        _text.AsSpan(node.Start, node.Length), NumberStyles.Float, CultureInfo.InvariantCulture, out _))
                    {
                        return Fault(IssueCode.Value, reader.TokenStartIndex, open, "the number is beyond what a decimal holds (7.9e28)");
                    }
                }

                nameLength = 0;
            }

            return _count == first ? Fault(IssueCode.Structure, 0, 0, "there is no JSON value") : null;
        }
        catch (JsonException)
        {
            // The reader's own words may quote the input.
            return Fault(IssueCode.Structure, reader.BytesConsumed, open, "it is no JSON from here on");
        }
        catch (InvalidOperationException)
        {
            return Fault(IssueCode.Structure, reader.TokenStartIndex, open, "the text is not UTF-8, or has half a surrogate pair");
        }
    }

    private int Take(ref Utf8JsonReader reader)
    {
        int length;
        if (reader.TokenType == JsonTokenType.Number)
        {
            reader.ValueSpan.CopyTo(_text.AsSpan(_used));
            length = reader.ValueSpan.Length;
        }
        else
        {
            length = reader.CopyString(_text.AsSpan(_used));
        }

        _used += length;
        return length;
    }

    /// <param name="code">What kind of issue.</param>
    /// <param name="offset">Bytes before the place.</param>
    /// <param name="open">How many objects and arrays are around it.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="at">Its node; null for the last one.</param>
    private ResourceFault Fault(IssueCode code, long offset, int open, string message, int? at = null)
    {
        var path = new StringBuilder();
        for (int depth = 1; depth <= open; depth++)
        {
            int parent = _open[depth - 1], node = depth < open ? _open[depth] : at ?? _count - 1;
            if (node <= parent)
            {
                break;
            }

            if (_nodes[parent].Kind == NodeKind.Array)
            {
                int index = 0;
                for (int child = parent + 1; child < node; child = Math.Max(_nodes[child].End, child + 1))
                {
                    index++;
                }

                path.Append(CultureInfo.InvariantCulture, $"[{index}]");
            }
            else
            {
                path.Append(path.Length > 0 ? "." : "").Append(Shown(Name(node)));
            }
        }

        return new ResourceFault(code, offset, path.ToString(), message);
    }

    /// <summary>A member with the name of an earlier one; -1 without.</summary>
    private int RepeatedMember(int node)
    {
        int members = 0;
        for (int child = First(node); child < End(node); child = End(child))
        {
            for (int other = First(node); members < FewMembers && other < child; other = End(other))
            {
                if (Name(other).SequenceEqual(Name(child)))
                {
                    return child;
                }
            }

            members++;
        }

        if (members <= FewMembers)
        {
            return -1;
        }

        HashSet<string> names = new(StringComparer.Ordinal);
        for (int child = First(node); child < End(node); child = End(child))
        {
            if (!names.Add(Encoding.UTF8.GetString(Name(child))))
            {
                return child;
            }
        }

        return -1;
    }

    private struct Node
    {
        public int NameStart;
        public int NameLength;
        public int Start;
        public int Length;
        public int End;
        public NodeKind Kind;
    }
}
