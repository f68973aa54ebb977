using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Records.Synthetic;

/// <summary>
/// Standard normal numbers by index: AES-256 under a key of the seed and the stream's name, in counter mode, then Box and Muller (1958,
/// doi:10.1214/aoms/1177706645). A number depends on seed, name and index only, so that batches of any size give the same records.
/// </summary>
internal sealed class NormalStream
{
    private const int PairsPerCall = 1024;
    private readonly CoinCipher _cipher;
    private readonly Vector128<byte>[] _blocks = new Vector128<byte>[PairsPerCall];

    public NormalStream(ReadOnlySpan<byte> seed, string name)
    {
        Span<byte> key = stackalloc byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, seed, key, salt: [], info: Encoding.UTF8.GetBytes("emrmarket synthetic v1 " + name));
        _cipher = new CoinCipher(key);
    }

    /// <summary>Writes the numbers of indices first .. first + destination.Length - 1.</summary>
    public void Fill(long first, Span<double> destination)
    {
        int done = 0;
        while (done < destination.Length)
        {
            long pair = (first + done) >> 1;
            int skip = (int)((first + done) & 1);
            int pairs = Math.Min(PairsPerCall, (destination.Length - done + skip + 1) / 2);
            ReadOnlySpan<Vector128<ulong>> random = Random(pair, pairs);
            for (int i = 0; i < pairs; i++)
            {
                double radius = Math.Sqrt(-2 * Math.Log(Uniform(random[i][0])));
                (double sine, double cosine) = Math.SinCos(2 * Math.PI * Uniform(random[i][1]));
                if (skip == 0)
                {
                    destination[done++] = radius * cosine;
                }

                skip = 0;
                if (done < destination.Length)
                {
                    destination[done++] = radius * sine;
                }
            }
        }
    }

    /// <summary>
    /// Writes uniform numbers in (0, 1) of indices first .. first + destination.Length - 1. Not to be mixed with <see cref="Fill"/> on one
    /// stream.
    /// </summary>
    public void FillUniform(long first, Span<double> destination)
    {
        for (int done = 0; done < destination.Length;)
        {
            int count = Math.Min(PairsPerCall, destination.Length - done);
            ReadOnlySpan<Vector128<ulong>> random = Random(first + done, count);
            for (int i = 0; i < count; i++)
            {
                destination[done++] = Uniform(random[i][0]);
            }
        }
    }

    private ReadOnlySpan<Vector128<ulong>> Random(long block, int count)
    {
        Span<Vector128<byte>> blocks = _blocks.AsSpan(0, count);
        for (int i = 0; i < count; i++)
        {
            blocks[i] = Vector128.Create((ulong)(block + i), 0UL).AsByte();
        }

        _cipher.Encrypt(blocks);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<Vector128<byte>, Vector128<ulong>>(blocks);
    }

    /// <summary>53 bits, centred between the ends so that neither 0 nor 1 occurs.</summary>
    private static double Uniform(ulong random) => ((random >> 11) + 0.5) * (1.0 / 9007199254740992.0);
}
