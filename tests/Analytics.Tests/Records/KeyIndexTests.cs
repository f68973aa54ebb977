using EmrMarket.Analytics.Records;
using FsCheck;
using FsCheck.Fluent;

namespace EmrMarket.Analytics.Tests.Records;

public sealed class KeyIndexTests
{
    [Fact]
    public void Add_numbers_keys_as_a_dictionary_does() =>
        Check.QuickThrowOnFailure(Prop.ForAll<byte[]>(bytes =>
        {
            var index = new KeyIndex();
            var oracle = new Dictionary<ulong, int>();
            foreach (byte b in bytes)
            {
                // Keys that share their low bits, and 0, must not be confused.
                ulong key = (ulong)b << (b % 5 * 14);
                bool isNew = oracle.TryAdd(key, oracle.Count);
                if (index.Add(key) != (oracle[key], isNew, false))
                {
                    return false;
                }
            }

            return index.Count == oracle.Count;
        }));

    [Fact]
    public void Add_grows_and_tells_collisions_from_repetitions()
    {
        var index = new KeyIndex();
        for (ulong key = 0; key < 100_000; key++)
        {
            Assert.Equal(((int)key, true, false), index.Add(key, check: key));
        }

        Assert.Equal((77, false, false), index.Add(77, check: 77));
        Assert.Equal((77, false, true), index.Add(77, check: 78));
        Assert.Equal(100_000, index.Count);
    }
}
