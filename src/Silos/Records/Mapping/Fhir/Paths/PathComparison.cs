using System.Globalization;

namespace EmrMarket.Silos.Records.Mapping.Fhir.Paths;

/// <summary>How items compare (FHIRPath 2.0, sections 6.1 and 6.2, http://hl7.org/fhirpath/N1/#equality).</summary>
internal static class PathComparison
{
    /// <summary>Whether two items are equal; null when dates of different precision do not say.</summary>
    public static bool? AreEqual(PathContext context, in PathItem left, in PathItem right)
    {
        context.Step();
        if (left.Kind == ItemKind.Date || right.Kind == ItemKind.Date)
        {
            return TextOf(context, left) is { } a && TextOf(context, right) is { } b && PathDate.Parse(a) is { } first
                && PathDate.Parse(b) is { } second
                ? PathDate.Compare(first, second) is { } order ? order == 0 : null
                : false;
        }

        if (NumberOf(context, left) is { } x && NumberOf(context, right) is { } y)
        {
            return x == y;
        }

        if (left.Kind == ItemKind.Node && right.Kind == ItemKind.Node)
        {
            return SameNodes(context, left.Node, right.Node);
        }

        if (left.Kind == ItemKind.Node && right.Kind == ItemKind.Text)
        {
            return IsText(context, left.Node, right.Text!);
        }

        if (left.Kind == ItemKind.Text && right.Kind == ItemKind.Node)
        {
            return IsText(context, right.Node, left.Text!);
        }

        if (left.Kind == ItemKind.Text && right.Kind == ItemKind.Text)
        {
            return left.Text == right.Text;
        }

        return TruthOf(context, left) is { } p && TruthOf(context, right) is { } q && p == q;
    }

    /// <summary>The order of two items; null when dates of different precision do not say.</summary>
    /// <exception cref="PathException">They are of types that have no order among each other.</exception>
    public static int? Compare(PathContext context, in PathItem left, in PathItem right)
    {
        context.Step();
        if (NumberOf(context, left) is { } x && NumberOf(context, right) is { } y)
        {
            return x.CompareTo(y);
        }

        if (TextOf(context, left) is { } a && TextOf(context, right) is { } b)
        {
            if (left.Kind != ItemKind.Date && right.Kind != ItemKind.Date)
            {
                return string.CompareOrdinal(a, b);
            }

            if (PathDate.Parse(a) is { } first && PathDate.Parse(b) is { } second)
            {
                return PathDate.Compare(first, second);
            }

            throw new PathException(IssueCode.Value, "a date is compared with what is no date");
        }

        throw new PathException(IssueCode.Value, "values of different types are put in order");
    }

    private static decimal? NumberOf(PathContext context, in PathItem item) => item.Kind switch
    {
        ItemKind.Number => item.Number,
        ItemKind.Node when context.Tree.Kind(item.Node) == NodeKind.Number => context.Tree.Number(item.Node),
        _ => null,
    };

    private static string? TextOf(PathContext context, in PathItem item) => item.Kind switch
    {
        ItemKind.Text or ItemKind.Date => item.Text,
        ItemKind.Node when context.Tree.Kind(item.Node) == NodeKind.String => context.Tree.Text(item.Node),
        _ => null,
    };

    private static bool? TruthOf(PathContext context, in PathItem item) => item.Kind switch
    {
        ItemKind.Boolean => item.Number != 0,
        ItemKind.Node when context.Tree.Kind(item.Node) is NodeKind.True or NodeKind.False => context.Tree.Kind(item.Node) == NodeKind.True,
        _ => null,
    };

    private static bool IsText(PathContext context, int node, string text)
    {
        if (context.Tree.Kind(node) != NodeKind.String)
        {
            return false;
        }

        // The expressions' texts are mostly codes: compare without making a string of the resource's.
        ReadOnlySpan<byte> bytes = context.Tree.Bytes(node);
        if (bytes.Length == text.Length)
        {
            int i = 0;
            while (i < text.Length && bytes[i] < 0x80 && bytes[i] == text[i])
            {
                i++;
            }

            if (i == text.Length || bytes[i] < 0x80 && text[i] < 0x80)
            {
                return i == text.Length;
            }
        }

        return System.Text.Encoding.UTF8.GetByteCount(text) == bytes.Length && context.Tree.Text(node) == text;
    }

    /// <summary>Whether two nodes hold the same, members in any order.</summary>
    private static bool SameNodes(PathContext context, int left, int right)
    {
        ResourceTree tree = context.Tree;
        context.Step();
        if (tree.Kind(left) != tree.Kind(right))
        {
            return false;
        }

        switch (tree.Kind(left))
        {
            case NodeKind.String:
                return tree.Bytes(left).SequenceEqual(tree.Bytes(right));
            case NodeKind.Number:
                return tree.Number(left) == tree.Number(right);
            case NodeKind.Object:
                int members = 0;
                for (int child = ResourceTree.First(left); child < tree.End(left); child = tree.End(child), members++)
                {
                    if (tree.Member(right, tree.Name(child)) is not (>= 0 and var other) || !SameNodes(context, child, other))
                    {
                        return false;
                    }
                }

                for (int child = ResourceTree.First(right); child < tree.End(right); child = tree.End(child))
                {
                    members--;
                }

                return members == 0;
            case NodeKind.Array:
                int a = ResourceTree.First(left), b = ResourceTree.First(right);
                for (; a < tree.End(left) && b < tree.End(right); a = tree.End(a), b = tree.End(b))
                {
                    if (!SameNodes(context, a, b))
                    {
                        return false;
                    }
                }

                return a == tree.End(left) && b == tree.End(right);
            default:
                return true;
        }
    }
}

/// <summary>A date or time with the precision in which it is given.</summary>
/// <param name="Parts">Year, month, day: as many as are given; a time has all three.</param>
/// <param name="Ticks">Of a time: ticks of universal time.</param>
/// <param name="IsTime">Whether a time is given.</param>
internal readonly record struct PathDate(int[] Parts, long Ticks, bool IsTime)
{
    /// <summary>Reads a date or time; null when it is none.</summary>
    public static PathDate? Parse(string text)
    {
        if (!MappedDate.TryParse(text, out MappedDate date))
        {
            return null;
        }

        bool time = text.Length > 10;
        int[] parts = [.. text[..Math.Min(10, text.Length)].Split('-').Select(part => int.Parse(part, CultureInfo.InvariantCulture))];
        return new PathDate(parts, date.Ticks, time);
    }

    /// <summary>The order; null when they are equal as far as both go, and one goes further.</summary>
    public static int? Compare(in PathDate left, in PathDate right)
    {
        if (left.IsTime && right.IsTime)
        {
            return left.Ticks.CompareTo(right.Ticks);
        }

        for (int i = 0; i < Math.Min(left.Parts.Length, right.Parts.Length); i++)
        {
            if (left.Parts[i] != right.Parts[i])
            {
                return left.Parts[i].CompareTo(right.Parts[i]);
            }
        }

        return left.Parts.Length == right.Parts.Length && left.IsTime == right.IsTime ? 0 : null;
    }
}
