using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Batches;

/// <summary>One sale of a round: a class sells a number of records to a request.</summary>
/// <param name="Class">The class's position: (site - 1) * 2^classBits + class index.</param>
/// <param name="Request">The request's index in the book.</param>
/// <param name="Quantity">Records, at least 1.</param>
public readonly record struct Sale(uint Class, uint Request, uint Quantity);

/// <summary>A round's four trees (docs/WIRE.md, "Trees"): prices C, surpluses J, sales by class X and by request Y.</summary>
public sealed class RoundBatch
{
    private readonly Dictionary<(uint Class, uint Request), uint> _quantities;
    private readonly Dictionary<uint, PriceLeaf> _prices;
    private readonly IReadOnlyList<RequestLeaf> _requests;

    private RoundBatch(
        Bytes32 id, RoundHeader header, Dictionary<(uint Class, uint Request), uint> quantities,
        IReadOnlyCollection<(uint Class, uint Request)> pairs, Dictionary<uint, PriceLeaf> prices, IReadOnlyList<RequestLeaf> requests,
        SumTree[] trees)
    {
        (Id, Header, _quantities, Pairs, _prices, _requests) = (id, header, quantities, pairs, prices, requests);
        (PriceTree, RequestTree, ByClassTree, ByRequestTree) = (trees[0], trees[1], trees[2], trees[3]);
    }

    /// <summary>A premium of zero, which needs no support.</summary>
    public static PriceLeaf NoPremium { get; } = new(0, 0, 0, 0);

    /// <summary>The batch's id.</summary>
    public Bytes32 Id { get; }

    /// <summary>What is posted.</summary>
    public RoundHeader Header { get; }

    /// <summary>C.</summary>
    public SumTree PriceTree { get; }

    /// <summary>J.</summary>
    public SumTree RequestTree { get; }

    /// <summary>X.</summary>
    public SumTree ByClassTree { get; }

    /// <summary>Y.</summary>
    public SumTree ByRequestTree { get; }

    /// <summary>Classes and requests between which X or Y holds a sale.</summary>
    public IReadOnlyCollection<(uint Class, uint Request)> Pairs { get; }

    /// <summary>Bits of a class's position.</summary>
    public int PositionBits => Header.SiteBits + Header.ClassBits;

    /// <summary>Builds the trees and the header.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="matching">The contract MatchingDecision.</param>
    /// <param name="shape">Schema, ordinal, attempt, bits, seed commitment and data hash; roots and total are filled in.</param>
    /// <param name="prices">Premiums above zero by class position.</param>
    /// <param name="requests">Surplus and dropping by index in the book.</param>
    /// <param name="sales">The sales, each (class, request) at most once.</param>
    /// <exception cref="ArgumentException">A sale of nothing, twice the same pair, or a position outside the bits.</exception>
    public static RoundBatch Build(
        ulong chainId, Address matching, RoundHeader shape, IReadOnlyDictionary<uint, PriceLeaf> prices,
        IReadOnlyList<RequestLeaf> requests, IReadOnlyCollection<Sale> sales) =>
        Build(chainId, matching, shape, prices, requests, sales, sales);

    /// <summary>As the public overload, with two sales trees that may contradict each other: for tests of challenges.</summary>
    internal static RoundBatch Build(
        ulong chainId, Address matching, RoundHeader shape, IReadOnlyDictionary<uint, PriceLeaf> prices,
        IReadOnlyList<RequestLeaf> requests, IReadOnlyCollection<Sale> byClass, IReadOnlyCollection<Sale> byRequest)
    {
        ArgumentNullException.ThrowIfNull(shape);
        Bytes32 id = BatchId.Round(chainId, matching, shape.SchemaId, shape.Ordinal, shape.Attempt);
        int positionBits = shape.SiteBits + shape.ClassBits;
        SumTree priceTree = Sparse(positionBits, prices.Select(pair => ((ulong)pair.Key, Leaves.Price(id, pair.Key, pair.Value))));
        SumTree requestTree = Sparse(
            shape.RequestBits, requests.Select((leaf, index) => ((ulong)index, Leaves.Surplus(id, (uint)index, leaf))));
        SumTree byClassTree = Sparse(positionBits + shape.RequestBits, byClass.Select(sale =>
        {
            ulong position = ((ulong)sale.Class << shape.RequestBits) | Column(sale.Request, shape.RequestBits);
            return (position, Leaves.Sales(LeafKind.SalesByClass, id, position, sale.Quantity));
        }));
        SumTree byRequestTree = Sparse(positionBits + shape.RequestBits, byRequest.Select(sale =>
        {
            ulong position = ((ulong)sale.Request << positionBits) | Column(sale.Class, positionBits);
            return (position, Leaves.Sales(LeafKind.SalesByRequest, id, position, sale.Quantity));
        }));
        Dictionary<(uint, uint), uint> quantities = [];
        foreach (Sale sale in byClass)
        {
            if (sale.Quantity == 0 || !quantities.TryAdd((sale.Class, sale.Request), sale.Quantity))
            {
                throw new ArgumentException(
                    $"class {sale.Class} sells {sale.Quantity} to request {sale.Request}: a sale is of at least one record, and one per "
                        + "pair", nameof(byClass));
            }
        }

        HashSet<(uint Class, uint Request)> pairs = [.. quantities.Keys, .. byRequest.Select(sale => (sale.Class, sale.Request))];
        RoundHeader header = shape with
        {
            TotalSales = (ulong)byClassTree.Root.Sum.Value,
            PricesRoot = priceTree.Root.Hash,
            RequestsRoot = requestTree.Root.Hash,
            SalesByClassRoot = byClassTree.Root.Hash,
            SalesByRequestRoot = byRequestTree.Root.Hash,
        };
        return new RoundBatch(id, header, quantities, pairs, new Dictionary<uint, PriceLeaf>(prices), requests,
            [priceTree, requestTree, byClassTree, byRequestTree]);
    }

    /// <summary>x of a class and a request, 0 when nothing is sold.</summary>
    public uint Quantity(uint classPosition, uint request) => _quantities.GetValueOrDefault((classPosition, request));

    /// <summary>The opening of a class's premium.</summary>
    public PriceOpening OpenPrice(uint classPosition) =>
        new(classPosition, _prices.GetValueOrDefault(classPosition, NoPremium), PriceTree.Siblings(classPosition));

    /// <summary>The opening of a request's surplus.</summary>
    /// <param name="requestId">The request's id on the ledger.</param>
    /// <param name="index">Its index in the book.</param>
    public RequestOpening OpenRequest(ulong requestId, uint index) => new(requestId, _requests[(int)index], RequestTree.Siblings(index));

    /// <summary>The opening of a quantity in X.</summary>
    public SalesOpening OpenByClass(uint classPosition, uint request) =>
        new(Quantity(classPosition, request), ByClassTree.Siblings(((ulong)classPosition << Header.RequestBits) | request));

    /// <summary>The opening of a quantity in Y.</summary>
    public SalesOpening OpenByRequest(uint classPosition, uint request)
    {
        ulong position = ((ulong)request << PositionBits) | classPosition;
        return new((uint)ByRequestTree.Node(0, position).Sum.Value, ByRequestTree.Siblings(position));
    }

    /// <summary>Everything that a class sold: the node above its row of X.</summary>
    public RowOpening OpenClassRow(uint classPosition) => Row(ByClassTree, Header.RequestBits, classPosition);

    /// <summary>Everything that a request got: the node above its row of Y.</summary>
    public RowOpening OpenRequestRow(uint request) => Row(ByRequestTree, PositionBits, request);

    /// <summary>Everything that one site sold to a request: the node above its classes in the request's row of Y.</summary>
    public RowOpening OpenSiteRow(uint request, uint site) =>
        Row(ByRequestTree, Header.ClassBits, ((ulong)request << Header.SiteBits) | (site - 1));

    /// <summary>What a class sold to the requests before this one.</summary>
    public ulong SoldBefore(uint classPosition, uint request)
    {
        ulong position = ((ulong)classPosition << Header.RequestBits) | request;
        return (ulong)SumPath.Prefix(position, ByClassTree.Open(position), Header.RequestBits).Value;
    }

    /// <summary>The slot of a class's first record in its site's delivery to a request.</summary>
    public uint FirstSlot(uint classPosition, uint request)
    {
        ulong position = ((ulong)request << PositionBits) | classPosition;
        return (uint)SumPath.Prefix(position, ByRequestTree.Open(position), Header.ClassBits).Value;
    }

    private static RowOpening Row(SumTree tree, int height, ulong index)
    {
        TreeNode node = tree.Node(height, index);
        return new RowOpening(node.Hash, (ulong)node.Sum.Value, tree.Siblings(index, height));
    }

    private static ulong Column(uint column, int bits) => column >> bits == 0
        ? column
        : throw new ArgumentException($"position {column} does not fit the round's {bits} bits", nameof(column));

    private static SumTree Sparse(int depth, IEnumerable<(ulong Position, TreeNode Node)> leaves)
    {
        (ulong Position, TreeNode Node)[] sorted = [.. leaves.Where(leaf => leaf.Node != default).OrderBy(leaf => leaf.Position)];
        return SumTree.Build(depth, Array.ConvertAll(sorted, leaf => leaf.Position), Array.ConvertAll(sorted, leaf => leaf.Node));
    }
}
