namespace EmrMarket.Silos.Records.Mapping.Fhir.Paths;

/// <summary>The functions of the subset.</summary>
internal enum PathFunction
{
    /// <summary><c>where(condition)</c>: the items for which it holds.</summary>
    Where = 0,

    /// <summary><c>exists()</c>, <c>exists(condition)</c>: whether there is an item (for which it holds).</summary>
    Exists,

    /// <summary><c>all(condition)</c>: whether it holds for every item.</summary>
    All,

    /// <summary><c>empty()</c>: whether there is none.</summary>
    Empty,

    /// <summary><c>not()</c>: the opposite.</summary>
    Not,

    /// <summary><c>first()</c>.</summary>
    First,

    /// <summary><c>last()</c>.</summary>
    Last,

    /// <summary><c>count()</c>: how many.</summary>
    Count,

    /// <summary><c>ofType(Type)</c>: the items of a type.</summary>
    OfType,

    /// <summary><c>is(Type)</c>: whether the one item is of a type.</summary>
    Is,

    /// <summary><c>as(Type)</c>: the one item when it is of a type.</summary>
    As,

    /// <summary><c>extension('url')</c>: the extensions with this url.</summary>
    Extension,

    /// <summary><c>startsWith('text')</c>: whether the one text begins so.</summary>
    StartsWith,

    /// <summary><c>resolve()</c>: the Medications, and the contained resources, to which references refer.</summary>
    Resolve,
}

/// <summary>A function on what is before it.</summary>
/// <param name="function">Which.</param>
/// <param name="argument">The condition or text; null without.</param>
/// <param name="type">The type; null without.</param>
internal sealed class FunctionNode(PathFunction function, PathNode? argument, string? type) : PathNode
{
    private static readonly MemberNode ExtensionMember = new("extension");
    private static readonly MemberNode UrlMember = new("url");

    /// <summary>Which.</summary>
    public PathFunction Function => function;

    /// <summary>Its condition or text.</summary>
    public PathNode? Argument => argument;

    /// <summary>Its type.</summary>
    public string? Type => type;

    protected override IEnumerable<PathNode> Parts => argument is null ? [] : [argument];

    public override void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output)
    {
        switch (function)
        {
            case PathFunction.Where:
                foreach (PathItem item in input)
                {
                    if (Holds(context, item) == true)
                    {
                        output.Add(item);
                    }
                }

                break;
            case PathFunction.Exists:
                output.Add(PathItem.Of(argument is null ? input.Count > 0 : Any(context, input, wanted: true)));
                break;
            case PathFunction.All:
                output.Add(PathItem.Of(!Any(context, input, wanted: false)));
                break;
            case PathFunction.Empty:
                output.Add(PathItem.Of(input.Count == 0));
                break;
            case PathFunction.Not:
                if (context.Boolean(input) is { } holds)
                {
                    output.Add(PathItem.Of(!holds));
                }

                break;
            case PathFunction.First or PathFunction.Last:
                if (input.Count > 0)
                {
                    output.Add(input[function == PathFunction.First ? 0 : ^1]);
                }

                break;
            case PathFunction.Count:
                output.Add(PathItem.Of((decimal)input.Count));
                break;
            case PathFunction.OfType:
                output.AddRange(input.Where(item => IsOfType(context, item)));
                break;
            case PathFunction.Is or PathFunction.As:
                if (One(input) is { } one)
                {
                    bool isOf = IsOfType(context, one);
                    if (function == PathFunction.Is)
                    {
                        output.Add(PathItem.Of(isOf));
                    }
                    else if (isOf)
                    {
                        output.Add(one);
                    }
                }

                break;
            case PathFunction.Extension:
                Extensions(context, input, output);
                break;
            case PathFunction.StartsWith:
                if (One(input) is { } text && ((LiteralNode)argument!).Value is { } prefix)
                {
                    output.Add(PathItem.Of(context.Value(text)?.StartsWith(prefix.Text!, StringComparison.Ordinal)
                        ?? throw new PathException(IssueCode.Value, "startsWith() is asked of what is no text")));
                }

                break;
            case PathFunction.Resolve:
                foreach (PathItem item in input)
                {
                    if (item is { Kind: ItemKind.Node, Type: null or "Reference" } && context.Resolve(item.Node) is { } resource)
                    {
                        output.Add(new PathItem(ItemKind.Node, resource));
                    }
                }

                break;
            default:
                throw new InvalidOperationException($"unknown function {function}");
        }
    }

    private static PathItem? One(List<PathItem> input) => input.Count switch
    {
        0 => null,
        1 => input[0],
        _ => throw new PathException(IssueCode.MultipleMatches, "a function of one value has several"),
    };

    private bool IsOfType(PathContext context, in PathItem item) => item.Type is { } known ? known == type
        : item.Kind == ItemKind.Node && context.Tree.TextMember(item.Node, "resourceType"u8) == type;

    private bool Any(PathContext context, List<PathItem> input, bool wanted)
    {
        foreach (PathItem item in input)
        {
            if (Holds(context, item) == true == wanted)
            {
                return true;
            }
        }

        return false;
    }

    private bool? Holds(PathContext context, in PathItem item)
    {
        context.Step();
        List<PathItem> one = context.Rent(), result = context.Rent();
        one.Add(item);
        argument!.Evaluate(context, one, result);
        bool? holds = context.Boolean(result);
        context.Return(result);
        context.Return(one);
        return holds;
    }

    private void Extensions(PathContext context, List<PathItem> input, List<PathItem> output)
    {
        List<PathItem> all = context.Rent(), one = context.Rent(), url = context.Rent();
        ExtensionMember.Evaluate(context, input, all);
        PathItem wanted = ((LiteralNode)argument!).Value!.Value;
        foreach (PathItem item in all)
        {
            one.Add(item);
            UrlMember.Evaluate(context, one, url);
            if (url.Count == 1 && PathComparison.AreEqual(context, url[0], wanted) == true)
            {
                output.Add(item);
            }

            one.Clear();
            url.Clear();
        }

        context.Return(all);
        context.Return(one);
        context.Return(url);
    }
}
