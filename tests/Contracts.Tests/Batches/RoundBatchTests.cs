using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Tests.Batches;

public sealed class RoundBatchTests
{
    // Two sites with room for 4 classes each, 3 requests.
    private static readonly RoundHeader Shape = new(
        Keccak256.Hash("schema"), 3, 0, SiteBits: 1, ClassBits: 2, RequestBits: 2, 0, default, default, default, default, default, default);

    private static readonly Sale[] Sales = [new(0, 0, 5), new(0, 2, 7), new(2, 0, 1), new(5, 0, 4), new(5, 1, 9), new(4, 0, 2)];

    private static readonly RoundBatch Round = RoundBatch.Build(
        31337, Address.Zero, Shape, new Dictionary<uint, PriceLeaf> { [5] = new(3, 0, 2, 1) },
        [new(0, false), new(12, false), new(0, true)], Sales);

    [Fact]
    public void Every_quantity_opens_in_both_trees()
    {
        Assert.Equal((ulong)Sales.Sum(sale => sale.Quantity), Round.Header.TotalSales);
        TreeNode x = new(Round.Header.SalesByClassRoot, new SumWord(Round.Header.TotalSales));
        TreeNode y = new(Round.Header.SalesByRequestRoot, new SumWord(Round.Header.TotalSales));
        for (uint c = 0; c < 8; c++)
        {
            for (uint j = 0; j < 4; j++)
            {
                uint quantity = Sales.SingleOrDefault(sale => sale.Class == c && sale.Request == j).Quantity;
                SalesOpening byClass = Round.OpenByClass(c, j);
                SalesOpening byRequest = Round.OpenByRequest(c, j);
                Assert.Equal((quantity, quantity), (byClass.Quantity, byRequest.Quantity));
                Assert.True(
                    SumPath.Proves(x, c * 4 + j, Leaves.Sales(LeafKind.SalesByClass, Round.Id, c * 4 + j, quantity), byClass.Path.Nodes()));
                Assert.True(SumPath.Proves(
                    y, j * 8 + c, Leaves.Sales(LeafKind.SalesByRequest, Round.Id, j * 8 + c, quantity), byRequest.Path.Nodes()));
                Assert.Equal((ulong)Sales.Where(sale => sale.Class == c && sale.Request < j).Sum(sale => sale.Quantity),
                    Round.SoldBefore(c, j));
                Assert.Equal((uint)Sales.Where(sale => sale.Request == j && sale.Class / 4 == c / 4 && sale.Class < c)
                    .Sum(sale => sale.Quantity), Round.FirstSlot(c, j));
            }
        }
    }

    [Fact]
    public void Rows_sum_what_they_hold()
    {
        for (uint c = 0; c < 8; c++)
        {
            Assert.Equal((ulong)Sales.Where(sale => sale.Class == c).Sum(sale => sale.Quantity), Round.OpenClassRow(c).Sum);
        }

        for (uint j = 0; j < 4; j++)
        {
            Assert.Equal((ulong)Sales.Where(sale => sale.Request == j).Sum(sale => sale.Quantity), Round.OpenRequestRow(j).Sum);
            for (uint site = 1; site <= 2; site++)
            {
                Assert.Equal((ulong)Sales.Where(sale => sale.Request == j && sale.Class / 4 == site - 1).Sum(sale => sale.Quantity),
                    Round.OpenSiteRow(j, site).Sum);
            }
        }
    }

    [Fact]
    public void Prices_and_surpluses_open_at_their_positions()
    {
        TreeNode prices = new(Round.Header.PricesRoot, default);
        TreeNode requests = new(Round.Header.RequestsRoot, default);
        for (uint c = 0; c < 8; c++)
        {
            PriceOpening opening = Round.OpenPrice(c);
            Assert.Equal(c == 5 ? (UInt128)3 : 0, opening.Leaf.Premium);
            Assert.True(SumPath.Proves(prices, c, Leaves.Price(Round.Id, c, opening.Leaf), opening.Path.Nodes()));
        }

        for (uint j = 0; j < 3; j++)
        {
            RequestOpening opening = Round.OpenRequest(j + 1, j);
            Assert.True(SumPath.Proves(requests, j, Leaves.Surplus(Round.Id, j, opening.Leaf), opening.Path.Nodes()));
        }
    }

    [Fact]
    public void Sales_that_cannot_stand_in_a_round_are_refused()
    {
        static RoundBatch Build(params Sale[] sales) =>
            RoundBatch.Build(1, Address.Zero, Shape, new Dictionary<uint, PriceLeaf>(), [], sales);
        Assert.Throws<ArgumentException>(() => Build(new Sale(0, 0, 0)));
        Assert.Throws<ArgumentException>(() => Build(new Sale(0, 0, 1), new Sale(0, 0, 1)));
        Assert.Throws<ArgumentException>(() => Build(new Sale(8, 0, 1)));
        Assert.Throws<ArgumentException>(() => Build(new Sale(0, 4, 1)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(200)]
    public void Subtrees_of_a_delivery_hold_every_leaf_once(int count)
    {
        DeliveryLeaf[] leaves = [.. Enumerable.Range(0, count).Select(slot => slot % 7 == 3
            ? DeliveryBatch.Undelivered
            : new DeliveryLeaf(0, (uint)slot, new Address(Keccak256.Hash([(byte)slot]).ToArray().AsSpan(12)),
                Keccak256.Hash("report"), 10, 20))];
        DeliveryBatch delivery = DeliveryBatch.Build(1, Address.Zero, 1, 1, 0, leaves, default);
        TreeNode root = new(delivery.Header.Root, new SumWord(delivery.Header.Amount, delivery.Header.Count, delivery.Header.Effective));
        Assert.Equal((uint)leaves.Count(leaf => leaf.Amount > 0), delivery.Header.Count);
        List<DeliveryLeaf> held = [];
        for (uint subtree = 0; subtree < delivery.SubtreeCount; subtree++)
        {
            (DeliveryLeaf[] part, Sibling[] path) = delivery.OpenSubtree(subtree);
            int height = delivery.Tree.Depth - path.Length;
            TreeNode[] nodes = new TreeNode[1 << height];
            for (int i = 0; i < part.Length; i++)
            {
                nodes[i] = Leaves.Delivery(delivery.Id, (subtree << height) + (uint)i, part[i]);
            }

            Assert.True(SumPath.Proves(root, subtree, SumTree.Build(height, nodes).Root, path.Nodes()));
            held.AddRange(part);
        }

        Assert.Equal(leaves, held);
    }
}
