using System.Globalization;

namespace EmrMarket.Silos.Records.Mapping.Fhir.Paths;

/// <summary>What an item of a collection is.</summary>
internal enum ItemKind : byte
{
    /// <summary>A node of the resource.</summary>
    Node = 0,

    /// <summary>A text of the expression.</summary>
    Text,

    /// <summary>A number.</summary>
    Number,

    /// <summary>true or false.</summary>
    Boolean,

    /// <summary>A date or time of the expression.</summary>
    Date,
}

/// <summary>An item of a collection, which is what every path gives.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Node">The node.</param>
/// <param name="Type">The type that a choice of types was made of, for example <c>Quantity</c>; null where the resource does not
/// say.</param>
/// <param name="Text">The text of a text or date.</param>
/// <param name="Number">The number; 1 or 0 for true or false.</param>
internal readonly record struct PathItem(ItemKind Kind, int Node = -1, string? Type = null, string? Text = null, decimal Number = 0)
{
    /// <summary>true or false.</summary>
    public static PathItem Of(bool value) => new(ItemKind.Boolean, Number: value ? 1 : 0);

    /// <summary>A number.</summary>
    public static PathItem Of(decimal value) => new(ItemKind.Number, Number: value);
}

/// <summary>A path could not be evaluated on a resource.</summary>
internal sealed class PathException(IssueCode code, string message) : Exception(message)
{
    /// <summary>What kind of issue.</summary>
    public IssueCode Code => code;
}

/// <summary>What evaluating needs beside the path: the resource, the Medications to which it may refer, and collections that are used
/// again.</summary>
internal sealed class PathContext(ResourceTree tree, MedicationTable? medications = null)
{
    /// <summary>Steps that one path may take on one resource: members looked at and items compared. What a resource of 16 MiB needs for one
    /// walk is below.</summary>
    public const int MostSteps = 50_000_000;

    private readonly Stack<List<PathItem>> _free = new();
    private int _steps;
    private int _root;

    /// <summary>The resource.</summary>
    public ResourceTree Tree => tree;

    /// <summary>Evaluates a path.</summary>
    /// <param name="path">The path.</param>
    /// <param name="root">The node of the resource.</param>
    /// <param name="output">What it gives; emptied first.</param>
    /// <exception cref="PathException">It cannot be evaluated.</exception>
    public void Evaluate(PathNode path, int root, List<PathItem> output)
    {
        output.Clear();
        (_steps, _root) = (0, root);
        List<PathItem> input = Rent();
        input.Add(new PathItem(ItemKind.Node, root));
        path.Evaluate(this, input, output);
        Return(input);
    }

    /// <summary>Whether a path holds: it gives true, or one item that is neither true nor false.</summary>
    /// <exception cref="PathException">It cannot be evaluated, or gives several items.</exception>
    public bool Holds(PathNode path, int root)
    {
        List<PathItem> output = Rent();
        Evaluate(path, root, output);
        bool? holds = Boolean(output);
        Return(output);
        return holds == true;
    }

    /// <summary>A collection as a condition: null when it is empty.</summary>
    /// <exception cref="PathException">It has several items.</exception>
    public bool? Boolean(List<PathItem> items)
    {
        if (items.Count == 0)
        {
            return null;
        }

        if (items.Count > 1)
        {
            throw new PathException(IssueCode.MultipleMatches, "a condition has several values");
        }

        PathItem item = items[0];
        return item.Kind == ItemKind.Boolean ? item.Number != 0
            : item.Kind != ItemKind.Node || tree.Kind(item.Node) is not NodeKind.False;
    }

    /// <summary>The text of a primitive value, as it is mapped; null when it is an object.</summary>
    public string? Value(PathItem item) => item.Kind switch
    {
        ItemKind.Node => tree.Kind(item.Node) switch
        {
            NodeKind.String => tree.Text(item.Node),
            NodeKind.Number => Summaries.Numbers.Text(tree.Number(item.Node)),
            NodeKind.True => "true",
            NodeKind.False => "false",
            _ => null,
        },
        ItemKind.Number => item.Number.ToString(CultureInfo.InvariantCulture),
        ItemKind.Boolean => item.Number != 0 ? "true" : "false",
        _ => item.Text,
    };

    /// <summary>The contained resource, or the Medication, to which a reference refers; null when it refers to a resource of another
    /// type.</summary>
    /// <exception cref="PathException">It cannot be followed, or what it refers to is nowhere.</exception>
    public int? Resolve(int reference)
    {
        if (FhirReference.TextOf(tree, reference) is var text && text.StartsWith('#'))
        {
            int contained = tree.Member(_root, "contained"u8);
            for (int each = contained + 1; contained >= 0 && each < tree.End(contained); each = tree.End(each))
            {
                Step();
                if (tree.TextMember(each, "id"u8) == text[1..])
                {
                    return each;
                }
            }

            throw new PathException(IssueCode.NotFound, "it refers to a contained resource that it does not have");
        }

        FhirReference to = FhirReference.Follow(text);
        if (to.Type is not (null or "Medication"))
        {
            return null;
        }

        (int key, byte[] json) = medications?.Find(to.Id)
            ?? throw new PathException(IssueCode.NotFound, "no file has the Medication to which it refers");
        return tree.Graft(key, json)
            ?? throw new PathException(IssueCode.TooLong, "the Medications to which it refers are larger than a resource may be");
    }

    /// <summary>A collection to use for a while.</summary>
    public List<PathItem> Rent() => _free.TryPop(out List<PathItem>? list) ? list : [];

    /// <summary>Gives it back.</summary>
    public void Return(List<PathItem> list)
    {
        list.Clear();
        _free.Push(list);
    }

    /// <summary>Counts steps.</summary>
    /// <exception cref="PathException">There are too many.</exception>
    public void Step(int steps = 1)
    {
        _steps += steps;
        if (_steps > MostSteps)
        {
            throw new PathException(IssueCode.TooLong, "the expression takes more steps on it than the limits allow");
        }
    }
}
