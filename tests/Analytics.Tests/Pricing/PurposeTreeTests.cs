using EmrMarket.Analytics.Pricing;

namespace EmrMarket.Analytics.Tests.Pricing;

public sealed class PurposeTreeTests
{
    [Fact]
    public void Admitting_a_purpose_admits_every_kind_of_it_and_nothing_else()
    {
        var research = PurposeTree.Default.Closure([1]);
        Assert.Equal([1, 2, 3, 4, 5, 9], Enumerable.Range(0, 256).Where(p => research.Contains((byte)p)));
        Assert.Equal(10, PurposeTree.Default.Closure([0]).Count);
        Assert.Equal(PurposeSet.Empty, PurposeTree.Default.Closure([]));
        Assert.True(PurposeTree.Default.Closure([9, 8]).IsSubsetOf(PurposeTree.Default.Closure([2, 7])));
        Assert.False(PurposeTree.Default.Closure([7]).IsSubsetOf(research));
    }

    [Fact]
    public void Codes_up_to_255_are_held()
    {
        var tree = new PurposeTree([new(0, 0, "any"), new(127, 0, "a"), new(128, 127, "b"), new(255, 128, "c")]);
        var closed = tree.Closure([127]);
        Assert.True(closed.Contains(127) && closed.Contains(128) && closed.Contains(255) && !closed.Contains(0));
        Assert.Equal(3, closed.Count);
    }

    [Fact]
    public void Trees_that_are_none_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new PurposeTree([new(1, 2, "a"), new(2, 1, "b")]));
        Assert.Throws<ArgumentException>(() => new PurposeTree([new(1, 7, "a")]));
        Assert.Throws<ArgumentException>(() => new PurposeTree([new(1, 1, "a"), new(1, 1, "b")]));
        Assert.Throws<ArgumentException>(() => PurposeTree.Default.Closure([200]));
    }
}
