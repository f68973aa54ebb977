using System.Text;

namespace EmrMarket.Silos.Records.Mapping.Fhir.Paths;

/// <summary>A part of a path: gives a collection from a collection.</summary>
internal abstract class PathNode
{
    /// <summary>Adds what it gives for the input to the output.</summary>
    /// <exception cref="PathException">It cannot be evaluated.</exception>
    public abstract void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output);

    /// <summary>The parts that it is made of.</summary>
    protected virtual IEnumerable<PathNode> Parts => [];

    /// <summary>Whether it, or a part of it at any depth, has a function.</summary>
    public bool Has(PathFunction function) =>
        this is FunctionNode node && node.Function == function || Parts.Any(part => part.Has(function));
}

/// <summary>A fixed value, or none.</summary>
internal sealed class LiteralNode(PathItem? value) : PathNode
{
    /// <summary>The value.</summary>
    public PathItem? Value => value;

    public override void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output)
    {
        if (value is { } item)
        {
            output.Add(item);
        }
    }
}

/// <summary><c>$this</c>.</summary>
internal sealed class ThisNode : PathNode
{
    public override void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output) => output.AddRange(input);
}

/// <summary>The resource when it is of a type: the type's name at the beginning of a path.</summary>
internal sealed class TypeRootNode(string type) : PathNode
{
    private readonly byte[] _type = Encoding.UTF8.GetBytes(type);

    /// <summary>The type.</summary>
    public string Type => type;

    public override void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output)
    {
        foreach (PathItem item in input)
        {
            if (item.Kind == ItemKind.Node && context.Tree.Member(item.Node, "resourceType"u8) is >= 0 and var member
                && context.Tree.Kind(member) == NodeKind.String && context.Tree.Bytes(member).SequenceEqual(_type))
            {
                output.Add(item);
            }
        }
    }
}

/// <summary>A member: of objects, through arrays, and of a choice of types by its plain name.</summary>
internal sealed class MemberNode(string name) : PathNode
{
    private readonly byte[] _name = Encoding.UTF8.GetBytes(name);
    private readonly bool _choice = FhirTypes.Choices.Contains(name);

    /// <summary>Its name.</summary>
    public string Name => name;

    public override void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output)
    {
        ResourceTree tree = context.Tree;
        foreach (PathItem item in input)
        {
            if (item.Kind != ItemKind.Node || tree.Kind(item.Node) != NodeKind.Object)
            {
                continue;
            }

            for (int child = ResourceTree.First(item.Node); child < tree.End(item.Node); child = tree.End(child))
            {
                context.Step();
                ReadOnlySpan<byte> member = tree.Name(child);
                if (!member.StartsWith(_name))
                {
                    continue;
                }

                if (member.Length == _name.Length)
                {
                    Add(context, child, null, output);
                }
                else if (_choice && char.IsAsciiLetterUpper((char)member[_name.Length]) && TypeOf(member[_name.Length..]) is { } type)
                {
                    Add(context, child, type, output);
                }
            }
        }
    }

    private static void Add(PathContext context, int node, string? type, List<PathItem> output)
    {
        ResourceTree tree = context.Tree;
        if (tree.Kind(node) == NodeKind.Array)
        {
            for (int element = ResourceTree.First(node); element < tree.End(node); element = tree.End(element))
            {
                context.Step();
                if (tree.Kind(element) is not (NodeKind.Null or NodeKind.Array))
                {
                    output.Add(new PathItem(ItemKind.Node, element, type));
                }
            }
        }
        else if (tree.Kind(node) != NodeKind.Null)
        {
            output.Add(new PathItem(ItemKind.Node, node, type));
        }
    }

    private static string? TypeOf(ReadOnlySpan<byte> suffix)
    {
        foreach ((byte[] name, string type) in Suffixes)
        {
            if (suffix.SequenceEqual(name))
            {
                return type;
            }
        }

        return null;
    }

    // valueQuantity is of Quantity, valueDateTime of dateTime.
    private static readonly (byte[] Suffix, string Type)[] Suffixes =
        [.. FhirTypes.DataTypes.Select(type => (Encoding.UTF8.GetBytes(char.ToUpperInvariant(type[0]) + type[1..]), type))];
}

/// <summary>One part on what another gives: <c>a.b</c>.</summary>
internal sealed class ThenNode(PathNode first, PathNode then) : PathNode
{
    /// <summary>The part before the point.</summary>
    public PathNode First => first;

    /// <summary>The part behind it.</summary>
    public PathNode Then => then;

    protected override IEnumerable<PathNode> Parts => [first, then];

    public override void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output)
    {
        List<PathItem> between = context.Rent();
        first.Evaluate(context, input, between);
        if (between.Count > 0 || then is FunctionNode)
        {
            then.Evaluate(context, between, output);
        }

        context.Return(between);
    }
}

/// <summary>The item at a place: <c>a[0]</c>.</summary>
internal sealed class IndexNode(PathNode of, int index) : PathNode
{
    /// <summary>What it is an item of.</summary>
    public PathNode Of => of;

    protected override IEnumerable<PathNode> Parts => [of];

    public override void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output)
    {
        List<PathItem> items = context.Rent();
        of.Evaluate(context, input, items);
        if (index < items.Count)
        {
            output.Add(items[index]);
        }

        context.Return(items);
    }
}
