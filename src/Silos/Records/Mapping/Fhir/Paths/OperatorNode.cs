namespace EmrMarket.Silos.Records.Mapping.Fhir.Paths;

/// <summary>The operators of the subset, in FHIRPath's order of binding, loosest first.</summary>
internal enum PathOperator
{
    /// <summary><c>or</c>.</summary>
    Or = 0,

    /// <summary><c>xor</c>.</summary>
    Xor,

    /// <summary><c>and</c>.</summary>
    And,

    /// <summary><c>in</c>: the one item on the left is among those on the right.</summary>
    In,

    /// <summary><c>contains</c>: the one item on the right is among those on the left.</summary>
    Contains,

    /// <summary><c>=</c>.</summary>
    Equal,

    /// <summary><c>!=</c>.</summary>
    NotEqual,

    /// <summary><c>&lt;</c>.</summary>
    Less,

    /// <summary><c>&lt;=</c>.</summary>
    LessOrEqual,

    /// <summary><c>&gt;</c>.</summary>
    Greater,

    /// <summary><c>&gt;=</c>.</summary>
    GreaterOrEqual,

    /// <summary><c>|</c>: the items of both sides, each once.</summary>
    Union,
}

/// <summary>Two parts and an operator between them.</summary>
internal sealed class OperatorNode(PathOperator op, PathNode left, PathNode right) : PathNode
{
    /// <summary>The left part.</summary>
    public PathNode Left => left;

    /// <summary>The right part.</summary>
    public PathNode Right => right;

    protected override IEnumerable<PathNode> Parts => [left, right];

    public override void Evaluate(PathContext context, List<PathItem> input, List<PathItem> output)
    {
        List<PathItem> a = context.Rent(), b = context.Rent();
        left.Evaluate(context, input, a);
        right.Evaluate(context, input, b);
        if (op == PathOperator.Union)
        {
            Union(context, a, output);
            Union(context, b, output);
        }
        else if (Holds(context, a, b) is { } holds)
        {
            output.Add(PathItem.Of(holds));
        }

        context.Return(a);
        context.Return(b);
    }

    private static void Union(PathContext context, List<PathItem> items, List<PathItem> output)
    {
        foreach (PathItem item in items)
        {
            if (!IsAmong(context, item, output))
            {
                output.Add(item);
            }
        }
    }

    private static bool IsAmong(PathContext context, in PathItem item, List<PathItem> items)
    {
        foreach (PathItem other in items)
        {
            if (PathComparison.AreEqual(context, item, other) == true)
            {
                return true;
            }
        }

        return false;
    }

    private static bool? Equal(PathContext context, List<PathItem> a, List<PathItem> b)
    {
        if (a.Count == 0 || b.Count == 0)
        {
            return null;
        }

        if (a.Count != b.Count)
        {
            return false;
        }

        for (int i = 0; i < a.Count; i++)
        {
            if (PathComparison.AreEqual(context, a[i], b[i]) is not true and var equal)
            {
                return equal;
            }
        }

        return true;
    }

    private static bool? Among(PathContext context, List<PathItem> one, List<PathItem> items) => one.Count switch
    {
        0 => null,
        1 => IsAmong(context, one[0], items),
        _ => throw new PathException(IssueCode.MultipleMatches, "'in' and 'contains' look for one value"),
    };

    private static int? Order(PathContext context, List<PathItem> a, List<PathItem> b)
    {
        if (a.Count == 0 || b.Count == 0)
        {
            return null;
        }

        return a.Count == 1 && b.Count == 1 ? PathComparison.Compare(context, a[0], b[0])
            : throw new PathException(IssueCode.MultipleMatches, "a comparison has several values on a side");
    }

    // Three values, as section 6.5 of FHIRPath has it: null is "not known".
    private bool? Holds(PathContext context, List<PathItem> a, List<PathItem> b) => op switch
    {
        PathOperator.Or => context.Boolean(a) | context.Boolean(b),
        PathOperator.And => context.Boolean(a) & context.Boolean(b),
        PathOperator.Xor => context.Boolean(a) ^ context.Boolean(b),
        PathOperator.In => Among(context, a, b),
        PathOperator.Contains => Among(context, b, a),
        PathOperator.Equal => Equal(context, a, b),
        PathOperator.NotEqual => !Equal(context, a, b),
        PathOperator.Less => Order(context, a, b) is { } order ? order < 0 : null,
        PathOperator.LessOrEqual => Order(context, a, b) is { } order ? order <= 0 : null,
        PathOperator.Greater => Order(context, a, b) is { } order ? order > 0 : null,
        PathOperator.GreaterOrEqual => Order(context, a, b) is { } order ? order >= 0 : null,
        _ => throw new InvalidOperationException($"unknown operator {op}"),
    };
}
