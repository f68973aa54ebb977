using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Tests.Mechanisms;

public sealed class CoinCipherTests
{
    private static readonly byte[] NistKey = Convert.FromHexString("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");

    /// <summary>NIST SP 800-38A, F.5.5 (CTR-AES256): the output blocks of the counters f0f1...feff and the next three.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Encrypt_of_the_published_counters_gives_the_published_blocks(bool portable)
    {
        string[] counters =
        [
            "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "f0f1f2f3f4f5f6f7f8f9fafbfcfdff00",
            "f0f1f2f3f4f5f6f7f8f9fafbfcfdff01", "f0f1f2f3f4f5f6f7f8f9fafbfcfdff02",
        ];
        string[] blocks =
        [
            "0bdf7df1591716335e9a8b15c860c502", "5a6e699d536119065433863c8f657b94",
            "1bc12c9c01610d5d0d8bd6a3378eca62", "2956e1c8693536b1bee99c73a31576b6",
        ];
        Vector128<byte>[] coins = [.. counters.Select(hex => Vector128.Create(Convert.FromHexString(hex)))];

        var cipher = new CoinCipher(NistKey);
        if (portable)
        {
            cipher.EncryptPortable(coins);
        }
        else
        {
            cipher.Encrypt(coins);
        }

        Assert.Equal(blocks, coins.Select(Hex));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(256)]
    [InlineData(259)]
    public void Encrypt_of_any_number_of_counters_equals_the_platforms_cipher(int count)
    {
        var random = new Random(count);
        byte[] key = new byte[32];
        random.NextBytes(key);
        var fast = new Vector128<byte>[count];
        for (int i = 0; i < count; i++)
        {
            fast[i] = Vector128.Create(random.NextInt64(), random.NextInt64()).AsByte();
        }

        Vector128<byte>[] oracle = [.. fast];
        var cipher = new CoinCipher(key);
        cipher.Encrypt(fast);
        cipher.EncryptPortable(oracle);

        Assert.Equal(oracle, fast);
    }

    [Fact]
    public void Counter_holds_every_field_in_bits_of_its_own()
    {
        Vector128<byte> counter = Coin.Counter(0x1122334455667788, 0x99AA, 0xBBCC, 0xDD, 0xEEFF01);

        // Little endian: fact, version, value, step, block.
        Assert.Equal("8877665544332211aa99ccbbdd01ffee", Hex(counter));
    }

    private static string Hex(Vector128<byte> block)
    {
        byte[] bytes = new byte[16];
        block.CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
