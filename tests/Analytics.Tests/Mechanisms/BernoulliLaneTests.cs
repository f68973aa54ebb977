using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Sets;

namespace EmrMarket.Analytics.Tests.Mechanisms;

public sealed class BernoulliLaneTests
{
    /// <summary>Every lane against the plain comparison, bit by bit; thresholds of every kind.</summary>
    [Fact]
    public void Lanes_are_those_of_the_plain_comparison()
    {
        var random = new Random(5);
        uint[] thresholds =
        [
            0, 1, 2, 1u << 31, uint.MaxValue, 5u << 28,
            .. Enumerable.Range(0, 400).Select(i => (uint)random.NextInt64(1L << 32) >> (i % 20) << (i % 7)),
            .. Enumerable.Repeat(3u << 30, 200), .. Enumerable.Repeat(5u << 28, 200),
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
                lanes.Draw(cipher, [.. Enumerable.Range((int)fact, BernoulliLanes.Batch)
                    .Select(f => (ulong)f)], version: 3, values, thresholds.Length, words);
            }

            var blocks = new Vector128<byte>[BernoulliLanes.BlocksPerGroup * BernoulliLanes.GroupsFor(thresholds.Length)];
            cipher.EncryptRun(fact, 3, 9, step: 0, 0, blocks);
            bool[] plain = PlainLanes.Compare(thresholds, number => MemoryMarshal.AsBytes(blocks.AsSpan(number, 1)).ToArray());
            for (int i = 0; i < thresholds.Length; i++)
            {
                bool one = (words[(place * stride) + (i / 64)] >> (i % 64) & 1) == 1;
                Assert.Equal(plain[i], one);
                ones += one ? 1 : 0;
            }
        }

        Assert.True(ones > 10_000);
    }

    /// <summary>
    /// Every tape of coins of three lanes with thresholds of four bits: lanes are independent, and each is one for exactly its share of the
    /// tapes, although which coins it takes depends on the others.
    /// </summary>
    [Theory]
    [InlineData(5, 11, 8)]
    [InlineData(1, 15, 3)]
    [InlineData(13, 13, 13)]
    public void Lanes_are_independent_with_exactly_the_probability_of_their_thresholds(int first, int second, int third)
    {
        int[] shares = [first, second, third];
        uint[] thresholds = [.. shares.Select(share => (uint)share << 28)];
        int[] outcomes = new int[8];

        // Two whole planes of three coins, and at most three coins for each of two planes from the stream.
        const int Tapes = 1 << 12;
        for (int tape = 0; tape < Tapes; tape++)
        {
            byte[] Block(int number) => [(byte)(number switch { 0 => tape & 7, 1 => tape >> 3 & 7, _ => tape >> 6 }), .. new byte[15]];
            bool[] below = PlainLanes.Compare(thresholds, Block);
            outcomes[(below[0] ? 1 : 0) | (below[1] ? 2 : 0) | (below[2] ? 4 : 0)]++;
        }

        for (int outcome = 0; outcome < outcomes.Length; outcome++)
        {
            int expected = 1;
            for (int lane = 0; lane < 3; lane++)
            {
                expected *= (outcome >> lane & 1) == 1 ? shares[lane] : 16 - shares[lane];
            }

            Assert.Equal(expected, outcomes[outcome]);
        }
    }

    [Fact]
    public void Deposit_puts_the_low_bits_at_the_places_of_the_mask()
    {
        var random = new Random(8);
        for (int i = 0; i < 1_000; i++)
        {
            ulong bits = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            ulong mask = (ulong)random.NextInt64(long.MinValue, long.MaxValue) & (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            Assert.Equal(BitRows.DepositPlain(bits, mask), BitRows.Deposit(bits, mask));
        }

        Assert.Equal(0b1000_0010UL, BitRows.DepositPlain(0b101, 0b1001_0010));
        Assert.Equal(ulong.MaxValue, BitRows.DepositPlain(ulong.MaxValue, ulong.MaxValue));
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
