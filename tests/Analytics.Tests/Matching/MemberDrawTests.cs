using System.Buffers.Binary;
using System.Text.Json;
using EmrMarket.Analytics.Matching;
using EmrMarket.Analytics.Matching.Drawing;
using EmrMarket.Tests.Shared;
using Org.BouncyCastle.Crypto.Digests;

namespace EmrMarket.Analytics.Tests.Matching;

public sealed class MemberDrawTests
{
    [Fact]
    public void Permutations_equal_the_ledgers_vectors()
    {
        using var vectors = JsonDocument.Parse(File.ReadAllText(Path.Combine(Tools.RepositoryRoot, "docs", "vectors", "feistel.json")));
        var checkedPositions = 0;
        foreach (var vector in vectors.RootElement.GetProperty("permutations").EnumerateArray())
        {
            var key = Convert.FromHexString(vector.GetProperty("key").GetString()![2..]);
            var permutation = new FeistelPermutation(vector.GetProperty("size").GetInt32(), KeccakRound(key));
            var position = 0;
            foreach (var image in vector.GetProperty("image").EnumerateArray())
            {
                Assert.Equal(image.GetInt32(), permutation[position++]);
                checkedPositions++;
            }
        }

        Assert.True(checkedPositions > 100, $"only {checkedPositions} positions in the vectors");
    }

    [Fact]
    public void Every_size_is_permuted_whatever_the_round_function()
    {
        for (var size = 1; size <= 300; size++)
        {
            var permutation = new FeistelPermutation(size, (round, right) => (right * 2654435761u) ^ (uint)(round * size));
            Assert.Equal(Enumerable.Range(0, size), Enumerable.Range(0, size).Select(i => permutation[i]).Order());
        }
    }

    [Fact]
    public void Position_out_of_range_is_refused()
    {
        var permutation = new FeistelPermutation(5, (_, right) => right);
        Assert.Throws<ArgumentOutOfRangeException>(() => permutation[5]);
        Assert.Throws<ArgumentOutOfRangeException>(() => permutation[-1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new FeistelPermutation(0, (_, right) => right));
    }

    [Fact]
    public void Draw_gives_every_request_distinct_members_and_no_member_more_than_its_quota()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            var problem = Markets.Random(seed, maxClasses: 4, maxRequests: 6, maxMembers: 40, maxQuota: 3, maxRecords: 60, maxWeight: 5);
            foreach (var sales in ExactMatcher.Solve(problem).SalesByClass.GroupBy(s => s.ClassIndex))
            {
                var supply = problem.Classes[sales.Key];
                var permutation = new FeistelPermutation(supply.Members, (round, right) => (right * 2246822519u) ^ (uint)(seed + round));
                var drawn = MemberDraw.Of([.. sales], permutation).ToList();
                foreach (var sale in sales)
                {
                    var members = drawn.Where(d => d.RequestIndex == sale.RequestIndex).Select(d => d.Member).ToList();
                    Assert.Equal(sale.Records, members.Distinct().Count());
                    Assert.Equal(sale.Records, members.Count);
                }

                Assert.All(drawn, d => Assert.InRange(d.Member, 0, supply.Members - 1));
                foreach (var member in drawn.GroupBy(d => d.Member))
                {
                    // Laps number a member's sales from 0 without a gap, so each has an own payout address.
                    Assert.Equal(Enumerable.Range(0, member.Count()), member.Select(d => d.Lap));
                    Assert.True(member.Count() <= supply.Quota);
                }
            }
        }
    }

    [Fact]
    public void Sales_that_do_not_belong_together_are_refused()
    {
        var permutation = new FeistelPermutation(5, (_, right) => right);
        Assert.Throws<ArgumentException>(() => MemberDraw.Of([new Sale(0, 0, 6)], permutation));
        Assert.Throws<ArgumentException>(() => MemberDraw.Of([new Sale(0, 1, 1), new Sale(0, 0, 1)], permutation));
        Assert.Throws<ArgumentException>(() => MemberDraw.Of([new Sale(0, 0, 1), new Sale(1, 1, 1)], permutation));
    }

    private static FeistelRound KeccakRound(byte[] key) => (round, right) =>
    {
        var (digest, input, hash) = (new KeccakDigest(256), new byte[37], new byte[32]);
        key.CopyTo(input, 0);
        input[32] = round;
        BinaryPrimitives.WriteUInt32BigEndian(input.AsSpan(33), right);
        digest.BlockUpdate(input, 0, input.Length);
        digest.DoFinal(hash, 0);
        return BinaryPrimitives.ReadUInt32BigEndian(hash.AsSpan(28));
    };
}
