using System.Numerics;

namespace EmrMarket.Analytics.Matching;

/// <summary>How a run of the simplex ended.</summary>
internal enum SimplexResult
{
    /// <summary>No arc improves the match.</summary>
    Optimal,

    /// <summary>The allowed number of pivots was made; the state is feasible and the run may go on.</summary>
    PivotLimit,

    /// <summary>A potential left the range of <c>T</c>; the state is void.</summary>
    Overflow,
}

/// <summary>
/// Primal network simplex on the transportation network of a <see cref="MatchProblem"/>, over dense rows of weights of type
/// <typeparamref name="T"/> (docs/MATCHING.md). Nodes: classes 0..C-1, requests C..C+R-1, the root C+R. Arcs: class to request (capacity n, weight w), class to
/// root (unsold supply, weight 0), request to root (filled demand, capacity N, weight 0). The spanning tree is kept strongly
/// feasible, which rules out cycling (Cunningham 1976, doi:10.1007/BF01580379).
/// </summary>
/// <typeparam name="T"><see cref="int"/> or <see cref="long"/>.</typeparam>
internal sealed class NetworkSimplex<T>
    where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
{
    /// <summary>Rows priced before the best of them pivots: one row triples the pivots, many rows read memory for nothing.</summary>
    private const int RowsPerBlock = 6;

    /// <summary>Blocks between two looks at the request-to-root arcs.</summary>
    private const int BlocksPerRequestScan = 64;

    /// <summary>A violation counts times the flow it may move, up to this many units.</summary>
    private const int FlowWeightCap = 100;

    private const int None = -1;

    private readonly int classCount;
    private readonly int requestCount;
    private readonly int root;
    private readonly int stride;
    private readonly bool vectorised;
    private readonly int[] members;
    private readonly long[] records;

    // Weights by row, padded; Masked where a pair may not trade, in the padding, and while the arc is nonbasic at its upper bound.
    private readonly T[] rows;
    private readonly T[] classDual;
    private readonly T[] requestDual;

    // Spanning tree: the arc of a node is the one to its parent.
    private readonly Node[] nodes;

    // Nonbasic arcs at their upper bound: a linked list per class, and a flag per request.
    private readonly int[] upperHead;
    private readonly bool[] requestAtUpper;
    private UpperArc[] upperArcs = new UpperArc[64];
    private int upperFree = None;
    private int upperUsed;

    private int cursor;

    /// <summary>
    /// Starts from the empty match with weights 2 w + 1. A cycle of the residual network meets the root at most once, so it changes the number of
    /// sales by at most one: what is optimal for these weights has the greatest welfare and, among such matches, the most sales.
    /// </summary>
    /// <param name="problem">Its admissible weights must lie below half of <see cref="Limit"/>.</param>
    /// <param name="vectorised">Use hardware vectors; the result is the same without.</param>
    public NetworkSimplex(MatchProblem problem, bool vectorised)
    {
        this.vectorised = vectorised;
        (classCount, requestCount) = (problem.Classes.Count, problem.Requests.Count);
        root = classCount + requestCount;
        stride = (requestCount + Vector<T>.Count - 1) / Vector<T>.Count * Vector<T>.Count;
        members = new int[classCount];
        records = new long[requestCount];
        rows = GC.AllocateUninitializedArray<T>(checked(classCount * stride));
        classDual = new T[classCount];
        requestDual = new T[stride];
        nodes = new Node[root + 1];
        upperHead = new int[classCount];
        requestAtUpper = new bool[requestCount];
        Array.Fill(nodes, new Node { Parent = None, FirstChild = None, NextSibling = None, PreviousSibling = None });
        Array.Fill(upperHead, None);
        LoadWeights(problem);
        for (var c = 0; c < classCount; c++)
        {
            members[c] = problem.Classes[c].Members;
            (nodes[c].Flow, nodes[c].Capacity) = (problem.Classes[c].Capacity, long.MaxValue);
            Attach(c, root);
            nodes[c].Depth = 1;
        }

        for (var j = 0; j < requestCount; j++)
        {
            records[j] = problem.Requests[j].Records;
            (nodes[classCount + j].Flow, nodes[classCount + j].Capacity) = (0, records[j]);
            Attach(classCount + j, root);
            nodes[classCount + j].Depth = 1;
        }
    }

    /// <summary>Weights and potentials stay strictly below this in absolute value.</summary>
    public static T Limit { get; } = T.One << ((System.Runtime.InteropServices.Marshal.SizeOf<T>() * 8) - 3);

    /// <summary>So low that no potentials within <see cref="Limit"/> make the arc attractive, and no difference of it overflows.</summary>
    private static T Masked { get; } = -(Limit + Limit);

    /// <summary>Pivots made so far.</summary>
    public long Pivots { get; private set; }

    /// <summary>u per class, with v a pair of optimal duals once <see cref="Run"/> returned <see cref="SimplexResult.Optimal"/>.</summary>
    public long ClassDual(int classIndex) => long.CreateTruncating(classDual[classIndex]);

    /// <summary>v per request.</summary>
    public long RequestDual(int requestIndex) => long.CreateTruncating(requestDual[requestIndex]);

    /// <summary>Pivots until no arc improves the match or <paramref name="pivotLimit"/> pivots were made in this run.</summary>
    public SimplexResult Run(long pivotLimit)
    {
        var last = pivotLimit > long.MaxValue - Pivots ? long.MaxValue : Pivots + pivotLimit;
        if (classCount == 0 || requestCount == 0)
        {
            return SimplexResult.Optimal;
        }

        // Every row must be seen clean since the last pivot before the match is optimal.
        var clean = 0;
        var blocks = 0;
        while (true)
        {
            if (++blocks == BlocksPerRequestScan || clean >= classCount)
            {
                blocks = 0;
                while (BestRequestArc(out var arc))
                {
                    clean = 0;
                    if (!Pivot(arc))
                    {
                        return SimplexResult.Overflow;
                    }
                }

                if (clean >= classCount)
                {
                    return SimplexResult.Optimal;
                }
            }

            if (BestArcOfBlock(out var entering))
            {
                clean = 0;
                if (!Pivot(entering))
                {
                    return SimplexResult.Overflow;
                }

                if (Pivots >= last)
                {
                    return SimplexResult.PivotLimit;
                }
            }
            else
            {
                clean += RowsPerBlock;
            }
        }
    }

    /// <summary>
    /// Goes back from 2 w + 1 to w. The match is optimal for both, so the next <see cref="Run"/> moves no sale; it ends with duals for w.
    /// </summary>
    /// <returns>False on overflow.</returns>
    public bool RestoreWeights()
    {
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = rows[i] == Masked ? Masked : (rows[i] - T.One) >> 1;
        }

        for (var c = 0; c < classCount; c++)
        {
            for (var at = upperHead[c]; at != None; at = upperArcs[at].Next)
            {
                upperArcs[at].Weight = (upperArcs[at].Weight - T.One) >> 1;
            }
        }

        return RecomputePotentials();
    }

    /// <summary>
    /// Replaces every weight of an admissible pair, given as 2 w + 1, and recomputes the potentials. The match stays feasible, so the next <see cref="Run"/>
    /// goes on from it. A negative weight makes a pair inadmissible without voiding the sales it still carries.
    /// </summary>
    /// <returns>False on overflow.</returns>
    public bool Reweigh(MatchProblem problem, Func<int, int, long, long> weightOf)
    {
        var row = new long[requestCount];
        for (var c = 0; c < classCount; c++)
        {
            problem.Weights.CopyRow(c, row);
            var target = rows.AsSpan(c * stride, requestCount);
            for (var j = 0; j < requestCount; j++)
            {
                if (row[j] >= 0)
                {
                    var weight = weightOf(c, j, (2 * row[j]) + 1);
                    if (weight >= long.CreateTruncating(Limit))
                    {
                        return false;
                    }

                    target[j] = T.CreateTruncating(weight);
                }
            }

            for (var at = upperHead[c]; at != None; at = upperArcs[at].Next)
            {
                var j = upperArcs[at].Request;
                upperArcs[at].Weight = target[j];
                target[j] = Masked;
            }
        }

        return RecomputePotentials();
    }

    /// <summary>v of every request.</summary>
    public ReadOnlySpan<T> RequestDuals => requestDual.AsSpan(0, requestCount);

    /// <summary>
    /// Fills the empty match class by class with whole classes, each to the requests that are worth most at the expected v. The potentials stay 0,
    /// so whatever was expected, <see cref="Run"/> ends at an optimum; good expectations only shorten its way.
    /// </summary>
    public void FillGreedily(ReadOnlySpan<T> expectedRequestDuals)
    {
        var expected = new T[stride];
        expectedRequestDuals.CopyTo(expected);
        for (var c = 0; c < classCount; c++)
        {
            var row = new ReadOnlySpan<T>(rows, c * stride, stride);
            while (nodes[c].Flow >= members[c])
            {
                var gain = RowPricing.MaxDifference(row, expected, vectorised);
                if (gain <= T.Zero)
                {
                    break;
                }

                var j = RowPricing.FirstIndexOf(row, expected, gain, vectorised);
                ref var request = ref nodes[classCount + j];
                if (request.Flow + members[c] >= request.Capacity)
                {
                    // A filled request would break strong feasibility; what is left of it, the pivots fill.
                    expected[j] = Limit;
                    continue;
                }

                request.Flow += members[c];
                nodes[c].Flow -= members[c];
                SetAtUpper(c, j);
            }
        }
    }

    /// <summary>Makes every pair of a request worthless, so that the next <see cref="Run"/> takes its sales away.</summary>
    public bool Withdraw(int request)
    {
        for (var c = 0; c < classCount; c++)
        {
            ref var weight = ref rows[(c * stride) + request];
            if (weight != Masked)
            {
                weight = -T.One;
                continue;
            }

            for (var at = upperHead[c]; at != None; at = upperArcs[at].Next)
            {
                if (upperArcs[at].Request == request)
                {
                    upperArcs[at].Weight = -T.One;
                }
            }
        }

        return RecomputePotentials();
    }

    /// <summary>The sales of the present match sorted by class, then request. O(nodes + sales log sales).</summary>
    public List<Sale> Sales()
    {
        var sales = new List<Sale>();
        for (var c = 0; c < classCount; c++)
        {
            for (var at = upperHead[c]; at != None; at = upperArcs[at].Next)
            {
                sales.Add(new Sale(c, upperArcs[at].Request, members[c]));
            }

            if (nodes[c].Parent != root && nodes[c].Flow > 0)
            {
                sales.Add(new Sale(c, nodes[c].Parent - classCount, (int)nodes[c].Flow));
            }
        }

        for (var j = 0; j < requestCount; j++)
        {
            var node = classCount + j;
            if (nodes[node].Parent != root && nodes[node].Flow > 0)
            {
                sales.Add(new Sale(nodes[node].Parent, j, (int)nodes[node].Flow));
            }
        }

        sales.Sort(static (a, b) => a.ClassIndex != b.ClassIndex ? a.ClassIndex.CompareTo(b.ClassIndex) : a.RequestIndex.CompareTo(b.RequestIndex));
        return sales;
    }

    private void LoadWeights(MatchProblem problem)
    {
        var row = new long[requestCount];
        for (var c = 0; c < classCount; c++)
        {
            var target = rows.AsSpan(c * stride, stride);
            problem.Weights.CopyRow(c, row);
            for (var j = 0; j < requestCount; j++)
            {
                // A negative surplus never trades, so it needs no arc.
                target[j] = row[j] >= 0 ? T.CreateTruncating((2 * row[j]) + 1) : Masked;
            }

            target[requestCount..].Fill(Masked);
        }
    }

    private bool BestArcOfBlock(out EnteringArc entering)
    {
        var bestScore = 0.0;
        var bestClass = None;
        T bestDifference = default;
        entering = default;
        var end = Math.Min(RowsPerBlock, classCount);
        for (var k = 0; k < end; k++)
        {
            var c = cursor;
            cursor = c + 1 == classCount ? 0 : c + 1;
            var dual = classDual[c];
            double scale = Math.Min(members[c], FlowWeightCap);
            var difference = RowPricing.MaxDifference(new ReadOnlySpan<T>(rows, c * stride, stride), requestDual, vectorised);

            // The arc to the root competes with the requests: selling to nobody is worth 0.
            var violation = T.Max(difference, T.Zero) - dual;
            if (violation > T.Zero)
            {
                var score = double.CreateTruncating(violation) * scale;
                if (score > bestScore)
                {
                    (bestScore, bestClass, bestDifference) = (score, c, difference);
                    entering = new EnteringArc(difference > T.Zero ? ArcKind.ClassToRequest : ArcKind.ClassToRoot, c, None, None, violation);
                }
            }

            for (var at = upperHead[c]; at != None; at = upperArcs[at].Next)
            {
                var excess = dual + requestDual[upperArcs[at].Request] - upperArcs[at].Weight;
                if (excess > T.Zero)
                {
                    var score = double.CreateTruncating(excess) * scale;
                    if (score > bestScore)
                    {
                        (bestScore, bestClass) = (score, c);
                        entering = new EnteringArc(ArcKind.RequestToClass, c, upperArcs[at].Request, at, excess);
                    }
                }
            }
        }

        if (bestClass == None)
        {
            return false;
        }

        if (entering.Kind == ArcKind.ClassToRequest)
        {
            var request = RowPricing.FirstIndexOf(new ReadOnlySpan<T>(rows, bestClass * stride, stride), requestDual, bestDifference, vectorised);
            entering = entering with { Request = request };
        }

        return true;
    }

    private bool BestRequestArc(out EnteringArc entering)
    {
        var bestScore = 0.0;
        entering = default;
        for (var j = 0; j < requestCount; j++)
        {
            var violation = requestAtUpper[j] ? -requestDual[j] : requestDual[j];
            if (violation > T.Zero)
            {
                var score = double.CreateTruncating(violation) * Math.Min(records[j], FlowWeightCap);
                if (score > bestScore)
                {
                    bestScore = score;
                    entering = new EnteringArc(requestAtUpper[j] ? ArcKind.RootToRequest : ArcKind.RequestToRoot, None, j, None, violation);
                }
            }
        }

        return bestScore > 0;
    }

    /// <summary>Pushes as much flow as fits around the cycle that the arc closes, and exchanges it for the arc that limits the flow.</summary>
    /// <returns>False on overflow.</returns>
    private bool Pivot(in EnteringArc arc)
    {
        Pivots++;
        var (from, to, room) = arc.Kind switch
        {
            ArcKind.ClassToRequest => (arc.Class, classCount + arc.Request, members[arc.Class]),
            ArcKind.RequestToClass => (classCount + arc.Request, arc.Class, members[arc.Class]),
            ArcKind.ClassToRoot => (arc.Class, root, long.MaxValue),
            ArcKind.RequestToRoot => (classCount + arc.Request, root, records[arc.Request]),
            _ => (root, classCount + arc.Request, records[arc.Request]),
        };

        // The last limiting arc along the cycle, seen from its apex, leaves: that keeps the tree strongly feasible.
        var (fromRoom, fromLeaving) = (long.MaxValue, None);
        var (toRoom, toLeaving) = (long.MaxValue, None);
        var (a, b) = (from, to);
        while (a != b)
        {
            if (nodes[a].Depth >= nodes[b].Depth)
            {
                var left = PointsUp(a) ? nodes[a].Flow : nodes[a].Capacity - nodes[a].Flow;
                if (left < fromRoom)
                {
                    (fromRoom, fromLeaving) = (left, a);
                }

                a = nodes[a].Parent;
            }
            else
            {
                var left = PointsUp(b) ? nodes[b].Capacity - nodes[b].Flow : nodes[b].Flow;
                if (left <= toRoom)
                {
                    (toRoom, toLeaving) = (left, b);
                }

                b = nodes[b].Parent;
            }
        }

        var pushed = Math.Min(room, Math.Min(fromRoom, toRoom));
        if (pushed > 0)
        {
            for (var node = from; node != a; node = nodes[node].Parent)
            {
                nodes[node].Flow += PointsUp(node) ? -pushed : pushed;
            }

            for (var node = to; node != a; node = nodes[node].Parent)
            {
                nodes[node].Flow += PointsUp(node) ? pushed : -pushed;
            }
        }

        if (toRoom == pushed && toLeaving != None)
        {
            return Exchange(arc, toLeaving, to, from, insideSends: false, room, pushed);
        }

        if (room == pushed)
        {
            Flip(arc);
            return true;
        }

        return Exchange(arc, fromLeaving, from, to, insideSends: true, room, pushed);
    }

    /// <summary>Class arcs point at the parent, request arcs only when that is the root.</summary>
    private bool PointsUp(int node) => node < classCount || nodes[node].Parent == root;

    /// <summary>The entering arc limits the flow itself: it goes to its other bound and the tree stays.</summary>
    private void Flip(in EnteringArc arc)
    {
        switch (arc.Kind)
        {
            case ArcKind.ClassToRequest:
                SetAtUpper(arc.Class, arc.Request);
                break;
            case ArcKind.RequestToClass:
                ClearAtUpper(arc);
                break;
            default:
                requestAtUpper[arc.Request] = arc.Kind == ArcKind.RequestToRoot;
                break;
        }
    }

    /// <summary>
    /// Cuts the tree at <paramref name="leaving"/>, hangs the part that comes off by its node <paramref name="inside"/> under
    /// <paramref name="outside"/>, and shifts its potentials so that the entering arc has no reduced cost.
    /// </summary>
    private bool Exchange(in EnteringArc arc, int leaving, int inside, int outside, bool insideSends, long room, long pushed)
    {
        Release(leaving);
        long arcFlow, arcCapacity;
        switch (arc.Kind)
        {
            case ArcKind.RequestToClass:
                ClearAtUpper(arc);
                (arcFlow, arcCapacity) = (room - pushed, room);
                break;
            case ArcKind.RootToRequest:
                requestAtUpper[arc.Request] = false;
                (arcFlow, arcCapacity) = (room - pushed, room);
                break;
            default:
                (arcFlow, arcCapacity) = (pushed, room);
                break;
        }

        // Turn the path from inside up to leaving over.
        var (node, newParent) = (inside, outside);
        while (true)
        {
            var oldParent = nodes[node].Parent;
            var (oldFlow, oldCapacity) = (nodes[node].Flow, nodes[node].Capacity);
            Detach(node);
            Attach(node, newParent);
            (nodes[node].Flow, nodes[node].Capacity) = (arcFlow, arcCapacity);
            if (node == leaving)
            {
                break;
            }

            (arcFlow, arcCapacity) = (oldFlow, oldCapacity);
            (newParent, node) = (node, oldParent);
        }

        return ShiftSubtree(inside, insideSends ? arc.Violation : -arc.Violation);
    }

    /// <summary>Makes the arc of a node nonbasic at the bound that it has reached.</summary>
    private void Release(int node)
    {
        var up = nodes[node].Parent;
        var full = nodes[node].Flow == nodes[node].Capacity;
        if (node < classCount)
        {
            if (up != root && full)
            {
                SetAtUpper(node, up - classCount);
            }
        }
        else if (up == root)
        {
            requestAtUpper[node - classCount] = full;
        }
        else if (full)
        {
            SetAtUpper(up, node - classCount);
        }
    }

    private void SetAtUpper(int classIndex, int request)
    {
        if (upperFree == None)
        {
            if (upperUsed == upperArcs.Length)
            {
                Array.Resize(ref upperArcs, upperUsed * 2);
            }

            upperArcs[upperUsed].Next = None;
            upperFree = upperUsed++;
        }

        var at = upperFree;
        upperFree = upperArcs[at].Next;
        ref var weight = ref rows[(classIndex * stride) + request];
        upperArcs[at] = new UpperArc { Request = request, Weight = weight, Next = upperHead[classIndex] };
        upperHead[classIndex] = at;
        weight = Masked;
    }

    private void ClearAtUpper(in EnteringArc arc)
    {
        ref var link = ref upperHead[arc.Class];
        while (link != arc.Upper)
        {
            link = ref upperArcs[link].Next;
        }

        link = upperArcs[arc.Upper].Next;
        rows[(arc.Class * stride) + arc.Request] = upperArcs[arc.Upper].Weight;
        upperArcs[arc.Upper].Next = upperFree;
        upperFree = arc.Upper;
    }

    private void Attach(int node, int newParent)
    {
        nodes[node].Parent = newParent;
        var first = nodes[newParent].FirstChild;
        nodes[node].NextSibling = first;
        nodes[node].PreviousSibling = None;
        if (first != None)
        {
            nodes[first].PreviousSibling = node;
        }

        nodes[newParent].FirstChild = node;
    }

    private void Detach(int node)
    {
        var (previous, next) = (nodes[node].PreviousSibling, nodes[node].NextSibling);
        if (previous != None)
        {
            nodes[previous].NextSibling = next;
        }
        else
        {
            nodes[nodes[node].Parent].FirstChild = next;
        }

        if (next != None)
        {
            nodes[next].PreviousSibling = previous;
        }
    }

    /// <summary>Adds to the potentials below and at a node, u for a class and -v for a request, and renews the depths.</summary>
    private bool ShiftSubtree(int top, T shift)
    {
        var fits = true;
        var node = top;
        while (true)
        {
            nodes[node].Depth = nodes[nodes[node].Parent].Depth + 1;
            ref var dual = ref node < classCount ? ref classDual[node] : ref requestDual[node - classCount];
            dual += node < classCount ? shift : -shift;
            fits &= T.Abs(dual) < Limit;
            if (nodes[node].FirstChild != None)
            {
                node = nodes[node].FirstChild;
                continue;
            }

            while (node != top && nodes[node].NextSibling == None)
            {
                node = nodes[node].Parent;
            }

            if (node == top)
            {
                return fits;
            }

            node = nodes[node].NextSibling;
        }
    }

    private bool RecomputePotentials()
    {
        // Preorder from the root: every tree arc between a class and a request has w = u + v, every arc of the root dual 0.
        var fits = true;
        var limit = long.CreateTruncating(Limit);
        var node = nodes[root].FirstChild;
        while (node != None)
        {
            var up = nodes[node].Parent;
            long dual = 0;
            if (up != root)
            {
                var (c, j) = node < classCount ? (node, up - classCount) : (up, node - classCount);
                var weight = long.CreateTruncating(rows[(c * stride) + j]);
                dual = weight - (node < classCount ? RequestDual(j) : ClassDual(c));
            }

            fits &= Math.Abs(dual) < limit;
            if (node < classCount)
            {
                classDual[node] = T.CreateTruncating(dual);
            }
            else
            {
                requestDual[node - classCount] = T.CreateTruncating(dual);
            }

            if (nodes[node].FirstChild != None)
            {
                node = nodes[node].FirstChild;
                continue;
            }

            while (node != root && nodes[node].NextSibling == None)
            {
                node = nodes[node].Parent;
            }

            node = node == root ? None : nodes[node].NextSibling;
        }

        return fits;
    }

    private enum ArcKind
    {
        ClassToRequest,
        RequestToClass,
        ClassToRoot,
        RequestToRoot,
        RootToRequest,
    }

    /// <summary>A nonbasic arc in the direction in which flow improves the match.</summary>
    private readonly record struct EnteringArc(ArcKind Kind, int Class, int Request, int Upper, T Violation);

    /// <summary>A node with the arc to its parent, together because the walks over the tree are bound by cache misses.</summary>
    private struct Node
    {
        public int Parent;
        public int FirstChild;
        public int NextSibling;
        public int PreviousSibling;
        public int Depth;
        public long Flow;
        public long Capacity;
    }

    private struct UpperArc
    {
        public int Request;
        public int Next;
        public T Weight;
    }
}
