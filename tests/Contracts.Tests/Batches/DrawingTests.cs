using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Tests.Batches;

public sealed class DrawingTests
{
    private static readonly Bytes32 Seed = Keccak256.Hash([1, 2, 3]);

    [Fact]
    public void Permute_of_every_size_is_a_permutation()
    {
        for (uint size = 1; size <= 300; size++)
        {
            Bytes32 key = Drawing.ClassKey(Seed, 1, size);
            Assert.Equal(
                Enumerable.Range(0, (int)size).Select(x => (uint)x),
                Enumerable.Range(0, (int)size).Select(x => Drawing.Permute(key, size, (uint)x)).Order());
        }
    }

    [Fact]
    public void Permute_outside_the_class_is_refused()
    {
        Bytes32 key = Drawing.ClassKey(Seed, 1, 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => Drawing.Permute(key, 5, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => Drawing.Permute(key, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Drawing.Permute(key, (1u << 30) + 1, 0));
    }

    [Fact]
    public void Draw_gives_every_request_distinct_members_and_no_member_more_than_its_quota()
    {
        Random random = new(1);
        for (uint market = 0; market < 300; market++)
        {
            (uint size, int quota) = ((uint)random.Next(1, 40), random.Next(1, 4));
            Bytes32 key = Drawing.ClassKey(Seed, 2, market);
            List<(uint Member, uint Lap)> all = [];
            uint left = size * (uint)quota;
            while (left > 0)
            {
                // No request takes more of a class than it has.
                uint sold = (uint)random.Next(1, (int)Math.Min(left, size) + 1);
                ulong before = (ulong)all.Count;
                (uint Member, uint Lap)[] drawn = [.. Enumerable.Range(0, (int)sold).Select(k => Drawing.Draw(key, size, before, (uint)k))];
                Assert.Equal(sold, (uint)drawn.Select(d => d.Member).Distinct().Count());
                all.AddRange(drawn);
                left -= sold;
            }

            // Laps number a member's sales from 0 without a gap, so each has a payout address of its own.
            Assert.Equal((int)size, all.Select(d => d.Member).Distinct().Count());
            Assert.All(all.GroupBy(d => d.Member), member =>
            {
                Assert.InRange(member.Key, 0u, size - 1);
                Assert.Equal(Enumerable.Range(0, quota).Select(lap => (uint)lap), member.Select(d => d.Lap));
            });
        }
    }
}
