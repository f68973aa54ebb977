using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Sets;

namespace EmrMarket.Analytics.Tests.Mechanisms;

public sealed class BernoulliLaneTests
{
    /// <summary>Each lane against the definition, a whole 32-bit number from its column of the planes compared with its threshold; thresholds of every kind.</summary>
    [Fact]
    public void Lanes_are_one_exactly_when_their_number_is_below_their_threshold()
    {
        var random = new Random(5);
        uint[] thresholds =
        [
            0, 1, 2, 1u << 31, uint.MaxValue, 5u << 28, .. Enumerable.Range(0, 400).Select(i => (uint)random.NextInt64(1L << 32) >> (i % 20) << (i % 7)),
        ];
        var lanes = new BernoulliLanes(thresholds);
        var cipher = new CoinCipher([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);
        int stride = BernoulliLanes.WordsFor(thresholds.Length);
        ulong[] words = new ulong[BernoulliLanes.Batch * stride];
        ushort[] values = [.. Enumerable.Repeat((ushort)9, BernoulliLanes.Batch)];
        int ones = 0;
        for (ulong fact = 0; fact < 304; fact++)
        {
            int place = (int)fact % BernoulliLanes.Batch;
            if (place == 0)
            {
                lanes.Draw(cipher, [.. Enumerable.Range((int)fact, BernoulliLanes.Batch).Select(f => (ulong)f)], version: 3, values, thresholds.Length, words);
            }

            var planes = new Vector128<byte>[BernoulliLanes.PlanesPerGroup * BernoulliLanes.GroupsFor(thresholds.Length)];
            cipher.EncryptRun(fact, 3, 9, step: 0, 0, planes);
            for (int i = 0; i < thresholds.Length; i++)
            {
                uint number = 0;
                for (int plane = 0; plane < 32; plane++)
                {
                    Vector128<ulong> block = planes[(i / 128 * 32) + plane].AsUInt64();
                    number = (number << 1) | (uint)(block[i % 128 / 64] >> (i % 64) & 1);
                }

                bool one = (words[(place * stride) + (i / 64)] >> (i % 64) & 1) == 1;
                Assert.Equal(number < thresholds[i], one);
                ones += one ? 1 : 0;
            }
        }

        Assert.True(ones > 10_000);
    }

    [Theory]
    [InlineData(0, 64)]
    [InlineData(1, 63)]
    [InlineData(63, 2)]
    [InlineData(64, 70)]
    [InlineData(100, 28)]
    public void CopyTo_takes_the_lanes_from_any_position(int position, int k)
    {
        var random = new Random(position);
        ulong[] words = [.. Enumerable.Range(0, 5).Select(_ => (ulong)random.NextInt64() << 1)];
        ulong[] row = new ulong[BitRows.WordsFor(k)];
        BernoulliLanes.CopyTo(words, position, k, row);
        for (int i = 0; i < 64 * row.Length; i++)
        {
            ulong expected = i < k ? words[(position + i) / 64] >> ((position + i) % 64) & 1 : 0;
            Assert.Equal(expected, row[i / 64] >> (i % 64) & 1);
        }
    }
}
