using System.Numerics;
using System.Runtime.CompilerServices;

namespace EmrMarket.Analytics.Matching.Solving;

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
/// <typeparamref name="T"/> (docs/MATCHING.md). Nodes: classes 0..C-1, requests C..C+R-1, the root C+R. Arcs: class to request (capacity n,
/// weight w), class to root (unsold supply, weight 0), request to root (filled demand, capacity N, weight 0). The spanning tree is kept
/// strongly feasible, which rules out cycling (Cunningham 1976, doi:10.1007/BF01580379).
/// </summary>
/// <typeparam name="T"><see cref="int"/> or <see cref="long"/>.</typeparam>
internal sealed class NetworkSimplex<T>
    where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
{
    /// <summary>Rows priced for candidates at once. Measured from 6 to 512: more rows make fewer pivots and read memory for nothing; ties
    /// stall above 128.</summary>
    private const int RowsPerBlock = 32;

    /// <summary>Blocks between two looks at the request-to-root arcs.</summary>
    private const int BlocksPerRequestScan = 64;

    /// <summary>A violation counts times the flow it may move, up to this many units.</summary>
    private const int FlowWeightCap = 100;

    private const int None = -1;

    private readonly int _classCount;
    private readonly int _requestCount;
    private readonly int _root;
    private readonly int _stride;
    private readonly bool _vectorised;
    private readonly int[] _members;
    private readonly long[] _records;

    // Weights by row, padded; Masked where a pair may not trade, in the padding, and while the arc is nonbasic at its upper bound.
    private readonly T[] _rows;
    private readonly T[] _requestDual;

    // Spanning tree: the arc of a node is the one to its parent. A class's potential follows from its arc and its parent's, and a class
    // without children stands in no list: what moves a part of the tree then walks over its requests, which are far fewer.
    private readonly Node[] _nodes;

    // Nonbasic arcs at their upper bound: a linked list per class, and a flag per request.
    private readonly int[] _upperHead;
    private readonly bool[] _requestAtUpper;
    private UpperArc[] _upperArcs = new UpperArc[64];
    private int _upperFree = None;
    private int _upperUsed;

    // Arcs that improved the match when their rows were priced.
    private readonly EnteringArc[] _candidates = new EnteringArc[RowsPerBlock];
    private int _candidateCount;
    private int _cursor;

    /// <summary>
    /// Starts from the empty match with weights 2 w + 1. A cycle of the residual network meets the root at most once, so it changes the
    /// number of sales by at most one: what is optimal for these weights has the greatest welfare and, among such matches, the most sales.
    /// </summary>
    /// <param name="problem">Its admissible weights must lie below half of <see cref="Limit"/>.</param>
    /// <param name="vectorised">Use hardware vectors; the result is the same without.</param>
    public NetworkSimplex(MatchProblem problem, bool vectorised)
    {
        _vectorised = vectorised;
        (_classCount, _requestCount) = (problem.Classes.Count, problem.Requests.Count);
        _root = _classCount + _requestCount;
        _stride = (_requestCount + Vector<T>.Count - 1) / Vector<T>.Count * Vector<T>.Count;
        _members = new int[_classCount];
        _records = new long[_requestCount];
        _rows = GC.AllocateUninitializedArray<T>(checked(_classCount * _stride));
        _requestDual = new T[_stride];
        _nodes = new Node[_root + 1];
        _upperHead = new int[_classCount];
        _requestAtUpper = new bool[_requestCount];
        Array.Fill(_nodes, new Node { Parent = None, FirstChild = None, NextSibling = None, PreviousSibling = None });
        Array.Fill(_upperHead, None);
        LoadWeights(problem);
        for (var c = 0; c < _classCount; c++)
        {
            _members[c] = problem.Classes[c].Members;
            (_nodes[c].Flow, _nodes[c].Capacity) = (problem.Classes[c].Capacity, long.MaxValue);
            Attach(c, _root);
        }

        for (var j = 0; j < _requestCount; j++)
        {
            _records[j] = problem.Requests[j].Records;
            (_nodes[_classCount + j].Flow, _nodes[_classCount + j].Capacity) = (0, _records[j]);
            Attach(_classCount + j, _root);
            _nodes[_classCount + j].Depth = 1;
        }
    }

    /// <summary>Weights and potentials stay strictly below this in absolute value.</summary>
    public static T Limit { get; } = T.One << ((Unsafe.SizeOf<T>() * 8) - 3);

    /// <summary>So low that no potentials within <see cref="Limit"/> make the arc attractive, and no difference of it overflows.</summary>
    private static T Masked { get; } = -(Limit + Limit);

    /// <summary>Pivots made so far.</summary>
    public long Pivots { get; private set; }

    /// <summary>u per class, with v a pair of optimal duals once <see cref="Run"/> returned <see cref="SimplexResult.Optimal"/>.</summary>
    public long ClassDual(int classIndex) => long.CreateTruncating(DualOf(classIndex));

    /// <summary>v per request.</summary>
    public long RequestDual(int requestIndex) => long.CreateTruncating(_requestDual[requestIndex]);

    /// <summary>Pivots until no arc improves the match or <paramref name="pivotLimit"/> pivots were made in this run.</summary>
    public SimplexResult Run(long pivotLimit, CancellationToken cancellationToken)
    {
        var last = pivotLimit > long.MaxValue - Pivots ? long.MaxValue : Pivots + pivotLimit;
        if (_classCount == 0 || _requestCount == 0)
        {
            return SimplexResult.Optimal;
        }

        // Every row must be seen clean since the last pivot before the match is optimal.
        var clean = 0;
        var blocks = 0;
        while (true)
        {
            if (++blocks == BlocksPerRequestScan || clean >= _classCount)
            {
                blocks = 0;
                cancellationToken.ThrowIfCancellationRequested();
                while (BestRequestArc(out var arc))
                {
                    clean = 0;
                    if (!Pivot(arc))
                    {
                        return SimplexResult.Overflow;
                    }
                }

                if (clean >= _classCount)
                {
                    return SimplexResult.Optimal;
                }
            }

            if (BestCandidate(out var entering))
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
        for (var i = 0; i < _rows.Length; i++)
        {
            _rows[i] = _rows[i] == Masked ? Masked : (_rows[i] - T.One) >> 1;
        }

        for (var c = 0; c < _classCount; c++)
        {
            for (var at = _upperHead[c]; at != None; at = _upperArcs[at].Next)
            {
                _upperArcs[at].Weight = (_upperArcs[at].Weight - T.One) >> 1;
            }
        }

        return RecomputePotentials();
    }

    /// <summary>
    /// Replaces every weight of an admissible pair, given as 2 w + 1, and recomputes the potentials. The match stays feasible, so the next
    /// <see cref="Run"/>
    /// goes on from it. A negative weight makes a pair inadmissible without voiding the sales it still carries.
    /// </summary>
    /// <returns>False on overflow.</returns>
    public bool Reweigh(MatchProblem problem, Func<int, int, long, long> weightOf)
    {
        var row = new long[_requestCount];
        for (var c = 0; c < _classCount; c++)
        {
            problem.Weights.CopyRow(c, row);
            var target = _rows.AsSpan(c * _stride, _requestCount);
            for (var j = 0; j < _requestCount; j++)
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

            for (var at = _upperHead[c]; at != None; at = _upperArcs[at].Next)
            {
                var j = _upperArcs[at].Request;
                _upperArcs[at].Weight = target[j];
                target[j] = Masked;
            }
        }

        return RecomputePotentials();
    }

    /// <summary>v of every request.</summary>
    public ReadOnlySpan<T> RequestDuals => _requestDual.AsSpan(0, _requestCount);

    /// <summary>
    /// Fills the empty match class by class with whole classes, each to the requests that are worth most at the expected v. The potentials
    /// stay 0, so whatever was expected, <see cref="Run"/> ends at an optimum; good expectations only shorten its way.
    /// </summary>
    public void FillGreedily(ReadOnlySpan<T> expectedRequestDuals)
    {
        var expected = new T[_stride];
        expectedRequestDuals.CopyTo(expected);
        for (var c = 0; c < _classCount; c++)
        {
            var row = new ReadOnlySpan<T>(_rows, c * _stride, _stride);
            while (_nodes[c].Flow >= _members[c])
            {
                var gain = RowPricing.MaxDifference(row, expected, _vectorised);
                if (gain <= T.Zero)
                {
                    break;
                }

                var j = RowPricing.FirstIndexOf(row, expected, gain, _vectorised);
                ref var request = ref _nodes[_classCount + j];
                if (request.Flow + _members[c] >= request.Capacity)
                {
                    // A filled request would break strong feasibility; what is left of it, the pivots fill.
                    expected[j] = Limit;
                    continue;
                }

                request.Flow += _members[c];
                _nodes[c].Flow -= _members[c];
                SetAtUpper(c, j);
            }
        }
    }

    /// <summary>Makes every pair of a request worthless, so that the next <see cref="Run"/> takes its sales away.</summary>
    public bool Withdraw(int request)
    {
        for (var c = 0; c < _classCount; c++)
        {
            ref var weight = ref _rows[(c * _stride) + request];
            if (weight != Masked)
            {
                weight = -T.One;
                continue;
            }

            for (var at = _upperHead[c]; at != None; at = _upperArcs[at].Next)
            {
                if (_upperArcs[at].Request == request)
                {
                    _upperArcs[at].Weight = -T.One;
                }
            }
        }

        return RecomputePotentials();
    }

    /// <summary>Records that a request gets in the present match.</summary>
    public long Filled(int request)
    {
        ref var node = ref _nodes[_classCount + request];
        return node.Parent == _root ? node.Flow : _requestAtUpper[request] ? _records[request] : 0;
    }

    /// <summary>The sales of the present match sorted by class, then request. O(nodes + sales log sales).</summary>
    public List<Sale> Sales()
    {
        var sales = new List<Sale>();
        for (var c = 0; c < _classCount; c++)
        {
            for (var at = _upperHead[c]; at != None; at = _upperArcs[at].Next)
            {
                sales.Add(new Sale(c, _upperArcs[at].Request, _members[c]));
            }

            if (_nodes[c].Parent != _root && _nodes[c].Flow > 0)
            {
                sales.Add(new Sale(c, _nodes[c].Parent - _classCount, (int)_nodes[c].Flow));
            }
        }

        for (var j = 0; j < _requestCount; j++)
        {
            var node = _classCount + j;
            if (_nodes[node].Parent != _root && _nodes[node].Flow > 0)
            {
                sales.Add(new Sale(_nodes[node].Parent, j, (int)_nodes[node].Flow));
            }
        }

        sales.Sort(static (a, b) => a.ClassIndex != b.ClassIndex
            ? a.ClassIndex.CompareTo(b.ClassIndex)
            : a.RequestIndex.CompareTo(b.RequestIndex));
        return sales;
    }

    private void LoadWeights(MatchProblem problem)
    {
        var row = new long[_requestCount];
        for (var c = 0; c < _classCount; c++)
        {
            var target = _rows.AsSpan(c * _stride, _stride);
            problem.Weights.CopyRow(c, row);
            for (var j = 0; j < _requestCount; j++)
            {
                // A negative surplus never trades, so it needs no arc.
                target[j] = row[j] >= 0 ? T.CreateTruncating((2 * row[j]) + 1) : Masked;
            }

            target[_requestCount..].Fill(Masked);
        }
    }

    /// <summary>
    /// The best of the candidates, by what they are worth now; when none is left, the next rows are priced for new ones (multiple partial
    /// pricing: Mulvey 1978, doi:10.1145/322063.322066).
    /// </summary>
    private bool BestCandidate(out EnteringArc entering)
    {
        if (TakeBest(out entering))
        {
            return true;
        }

        for (var k = Math.Min(RowsPerBlock, _classCount); k > 0; k--)
        {
            PriceRow(_cursor);
            _cursor = _cursor + 1 == _classCount ? 0 : _cursor + 1;
        }

        return TakeBest(out entering);
    }

    private bool TakeBest(out EnteringArc entering)
    {
        var bestScore = 0.0;
        var best = None;
        entering = default;
        for (var k = _candidateCount - 1; k >= 0; k--)
        {
            ref var candidate = ref _candidates[k];
            var violation = Violation(ref candidate);
            if (violation <= T.Zero)
            {
                candidate = _candidates[--_candidateCount];
                best = best == _candidateCount ? k : best;
                continue;
            }

            var score = double.CreateTruncating(violation) * Math.Min(_members[candidate.Class], FlowWeightCap);
            if (score > bestScore)
            {
                (bestScore, best) = (score, k);
                entering = candidate with { Violation = violation };
            }
        }

        if (best == None)
        {
            return false;
        }

        _candidates[best] = _candidates[--_candidateCount];
        return true;
    }

    /// <summary>What a candidate is worth after the pivots since it was found; nothing if it has moved to another bound.</summary>
    private T Violation(ref EnteringArc candidate)
    {
        var dual = DualOf(candidate.Class);
        switch (candidate.Kind)
        {
            case ArcKind.ClassToRequest:
                // Compared before it is subtracted: from a masked weight the difference might not fit.
                var gain = _rows[(candidate.Class * _stride) + candidate.Request] - _requestDual[candidate.Request];
                return gain > dual ? gain - dual : T.Zero;
            case ArcKind.ClassToRoot:
                return -dual;
            default:
                var at = _upperHead[candidate.Class];
                while (at != None && _upperArcs[at].Request != candidate.Request)
                {
                    at = _upperArcs[at].Next;
                }

                candidate = candidate with { Upper = at };
                return at == None ? T.Zero : dual + _requestDual[candidate.Request] - _upperArcs[at].Weight;
        }
    }

    /// <summary>Makes the best arc of a class, if one improves the match, a candidate.</summary>
    private void PriceRow(int c)
    {
        var dual = DualOf(c);
        var row = new ReadOnlySpan<T>(_rows, c * _stride, _stride);
        var difference = RowPricing.MaxDifference(row, _requestDual, _vectorised);

        // The arc to the root competes with the requests: selling to nobody is worth 0.
        var best = T.Max(difference, T.Zero) - dual;
        var (kind, request) = (difference > T.Zero ? ArcKind.ClassToRequest : ArcKind.ClassToRoot, None);
        for (var at = _upperHead[c]; at != None; at = _upperArcs[at].Next)
        {
            var excess = dual + _requestDual[_upperArcs[at].Request] - _upperArcs[at].Weight;
            if (excess > best)
            {
                (best, kind, request) = (excess, ArcKind.RequestToClass, _upperArcs[at].Request);
            }
        }

        if (best > T.Zero)
        {
            _candidates[_candidateCount++] = new EnteringArc(
                kind, c, kind == ArcKind.ClassToRequest ? RowPricing.FirstIndexOf(row, _requestDual, difference, _vectorised) : request,
                None, best);
        }
    }

    private bool BestRequestArc(out EnteringArc entering)
    {
        var bestScore = 0.0;
        entering = default;
        for (var j = 0; j < _requestCount; j++)
        {
            var violation = _requestAtUpper[j] ? -_requestDual[j] : _requestDual[j];
            if (violation > T.Zero)
            {
                var score = double.CreateTruncating(violation) * Math.Min(_records[j], FlowWeightCap);
                if (score > bestScore)
                {
                    bestScore = score;
                    entering = new EnteringArc(_requestAtUpper[j]
                        ? ArcKind.RootToRequest
                        : ArcKind.RequestToRoot, None, j, None, violation);
                }
            }
        }

        return bestScore > 0;
    }

    /// <summary>
    /// Pushes as much flow as fits around the cycle that the arc closes, and exchanges it for the arc that limits the flow.
    /// </summary>
    /// <returns>False on overflow.</returns>
    private bool Pivot(in EnteringArc arc)
    {
        Pivots++;
        var (from, to, room) = arc.Kind switch
        {
            ArcKind.ClassToRequest => (arc.Class, _classCount + arc.Request, _members[arc.Class]),
            ArcKind.RequestToClass => (_classCount + arc.Request, arc.Class, _members[arc.Class]),
            ArcKind.ClassToRoot => (arc.Class, _root, long.MaxValue),
            ArcKind.RequestToRoot => (_classCount + arc.Request, _root, _records[arc.Request]),
            _ => (_root, _classCount + arc.Request, _records[arc.Request]),
        };

        // The last limiting arc along the cycle, seen from its apex, leaves: that keeps the tree strongly feasible.
        var (fromRoom, fromLeaving) = (long.MaxValue, None);
        var (toRoom, toLeaving) = (long.MaxValue, None);
        var (a, b) = (from, to);
        while (a != b)
        {
            if (DepthOf(a) >= DepthOf(b))
            {
                var left = PointsUp(a) ? _nodes[a].Flow : _nodes[a].Capacity - _nodes[a].Flow;
                if (left < fromRoom)
                {
                    (fromRoom, fromLeaving) = (left, a);
                }

                a = _nodes[a].Parent;
            }
            else
            {
                var left = PointsUp(b) ? _nodes[b].Capacity - _nodes[b].Flow : _nodes[b].Flow;
                if (left <= toRoom)
                {
                    (toRoom, toLeaving) = (left, b);
                }

                b = _nodes[b].Parent;
            }
        }

        var pushed = Math.Min(room, Math.Min(fromRoom, toRoom));
        if (pushed > 0)
        {
            for (var node = from; node != a; node = _nodes[node].Parent)
            {
                _nodes[node].Flow += PointsUp(node) ? -pushed : pushed;
            }

            for (var node = to; node != a; node = _nodes[node].Parent)
            {
                _nodes[node].Flow += PointsUp(node) ? pushed : -pushed;
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
    private bool PointsUp(int node) => node < _classCount || _nodes[node].Parent == _root;

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
                _requestAtUpper[arc.Request] = arc.Kind == ArcKind.RequestToRoot;
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
        var arcWeight = T.Zero;
        switch (arc.Kind)
        {
            case ArcKind.RequestToClass:
                arcWeight = _upperArcs[arc.Upper].Weight;
                ClearAtUpper(arc);
                (arcFlow, arcCapacity) = (room - pushed, room);
                break;
            case ArcKind.ClassToRequest:
                arcWeight = _rows[(arc.Class * _stride) + arc.Request];
                (arcFlow, arcCapacity) = (pushed, room);
                break;
            case ArcKind.RootToRequest:
                _requestAtUpper[arc.Request] = false;
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
            var oldParent = _nodes[node].Parent;
            var (oldFlow, oldCapacity, oldWeight) = (_nodes[node].Flow, _nodes[node].Capacity, _nodes[node].Weight);
            Detach(node);
            Attach(node, newParent);
            (_nodes[node].Flow, _nodes[node].Capacity, _nodes[node].Weight) = (arcFlow, arcCapacity, arcWeight);
            if (node == leaving)
            {
                break;
            }

            (arcFlow, arcCapacity, arcWeight) = (oldFlow, oldCapacity, oldWeight);
            (newParent, node) = (node, oldParent);
        }

        return ShiftSubtree(inside, insideSends ? arc.Violation : -arc.Violation);
    }

    /// <summary>Makes the arc of a node nonbasic at the bound that it has reached.</summary>
    private void Release(int node)
    {
        var up = _nodes[node].Parent;
        var full = _nodes[node].Flow == _nodes[node].Capacity;
        if (node < _classCount)
        {
            if (up != _root && full)
            {
                SetAtUpper(node, up - _classCount);
            }
        }
        else if (up == _root)
        {
            _requestAtUpper[node - _classCount] = full;
        }
        else if (full)
        {
            SetAtUpper(up, node - _classCount);
        }
    }

    private void SetAtUpper(int classIndex, int request)
    {
        if (_upperFree == None)
        {
            if (_upperUsed == _upperArcs.Length)
            {
                Array.Resize(ref _upperArcs, _upperUsed * 2);
            }

            _upperArcs[_upperUsed].Next = None;
            _upperFree = _upperUsed++;
        }

        var at = _upperFree;
        _upperFree = _upperArcs[at].Next;
        ref var weight = ref _rows[(classIndex * _stride) + request];
        _upperArcs[at] = new UpperArc { Request = request, Weight = weight, Next = _upperHead[classIndex] };
        _upperHead[classIndex] = at;
        weight = Masked;
    }

    private void ClearAtUpper(in EnteringArc arc)
    {
        ref var link = ref _upperHead[arc.Class];
        while (link != arc.Upper)
        {
            link = ref _upperArcs[link].Next;
        }

        link = _upperArcs[arc.Upper].Next;
        _rows[(arc.Class * _stride) + arc.Request] = _upperArcs[arc.Upper].Weight;
        _upperArcs[arc.Upper].Next = _upperFree;
        _upperFree = arc.Upper;
    }

    /// <summary>u of a class: no arc of the tree has a reduced cost.</summary>
    private T DualOf(int classIndex)
    {
        ref var node = ref _nodes[classIndex];
        return node.Parent == _root ? T.Zero : node.Weight - _requestDual[node.Parent - _classCount];
    }

    private int DepthOf(int node) => node < _classCount ? _nodes[_nodes[node].Parent].Depth + 1 : _nodes[node].Depth;

    private bool IsListed(int node) => node >= _classCount || _nodes[node].FirstChild != None;

    private void Attach(int node, int newParent)
    {
        _nodes[node].Parent = newParent;
        if (IsListed(node))
        {
            var isNew = !IsListed(newParent);
            Link(node);
            if (isNew)
            {
                Link(newParent);
            }
        }
    }

    private void Detach(int node)
    {
        if (IsListed(node))
        {
            Unlink(node);
            if (!IsListed(_nodes[node].Parent))
            {
                Unlink(_nodes[node].Parent);
            }
        }
    }

    private void Link(int node)
    {
        var up = _nodes[node].Parent;
        var first = _nodes[up].FirstChild;
        _nodes[node].NextSibling = first;
        _nodes[node].PreviousSibling = None;
        if (first != None)
        {
            _nodes[first].PreviousSibling = node;
        }

        _nodes[up].FirstChild = node;
    }

    private void Unlink(int node)
    {
        var (previous, next) = (_nodes[node].PreviousSibling, _nodes[node].NextSibling);
        if (previous != None)
        {
            _nodes[previous].NextSibling = next;
        }
        else
        {
            _nodes[_nodes[node].Parent].FirstChild = next;
        }

        if (next != None)
        {
            _nodes[next].PreviousSibling = previous;
        }
    }

    /// <summary>Adds to the potentials below and at a node, u for a class and -v for a request, and renews the depths.</summary>
    private bool ShiftSubtree(int top, T shift)
    {
        var fits = true;
        var node = top;
        while (true)
        {
            if (node >= _classCount)
            {
                _nodes[node].Depth = DepthOf(_nodes[node].Parent) + 1;
                ref var dual = ref _requestDual[node - _classCount];
                dual -= shift;
                fits &= T.Abs(dual) < Limit;
            }

            if (_nodes[node].FirstChild != None)
            {
                node = _nodes[node].FirstChild;
                continue;
            }

            while (node != top && _nodes[node].NextSibling == None)
            {
                node = _nodes[node].Parent;
            }

            if (node == top)
            {
                return fits;
            }

            node = _nodes[node].NextSibling;
        }
    }

    private bool RecomputePotentials()
    {
        for (var node = 0; node < _root; node++)
        {
            if (_nodes[node].Parent is var up && up != _root)
            {
                var (c, j) = node < _classCount ? (node, up - _classCount) : (up, node - _classCount);
                _nodes[node].Weight = _rows[(c * _stride) + j];
            }
        }

        // Preorder from the root: every tree arc between a class and a request has w = u + v, every arc of the root dual 0.
        var fits = true;
        var limit = long.CreateTruncating(Limit);
        for (var node = _nodes[_root].FirstChild; node != None;)
        {
            if (node >= _classCount)
            {
                var up = _nodes[node].Parent;
                var dual = up == _root ? 0 : long.CreateTruncating(_nodes[node].Weight) - ClassDual(up);
                fits &= Math.Abs(dual) < limit;
                _requestDual[node - _classCount] = T.CreateTruncating(dual);
            }

            if (_nodes[node].FirstChild != None)
            {
                node = _nodes[node].FirstChild;
                continue;
            }

            while (node != _root && _nodes[node].NextSibling == None)
            {
                node = _nodes[node].Parent;
            }

            node = node == _root ? None : _nodes[node].NextSibling;
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

        /// <summary>Of a request or the root; a class lies one below its parent.</summary>
        public int Depth;

        public long Flow;
        public long Capacity;

        /// <summary>Of an arc between a class and a request.</summary>
        public T Weight;
    }

    private struct UpperArc
    {
        public int Request;
        public int Next;
        public T Weight;
    }
}
