using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace EmrMarket.Analytics.Records.Synthetic;

/// <summary>
/// Standard normal numbers by index: AES-256 under a key of the seed and the stream's name, in counter mode, then Box and Muller (1958,
/// doi:10.1214/aoms/1177706645). A number depends on seed, name and index only, so that batches of any size give the same records.
/// </summary>
internal sealed class NormalStream : IDisposable
{
    private const int PairsPerCall = 1024;
    private readonly Aes _aes;
    private readonly byte[] _counters = new byte[PairsPerCall * 16];
    private readonly byte[] _random = new byte[PairsPerCall * 16];

    public NormalStream(ReadOnlySpan<byte> seed, string name)
    {
        byte[] key = new byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, seed, key, salt: [], info: Encoding.UTF8.GetBytes("emrmarket synthetic v1 " + name));
        _aes = Aes.Create();
        _aes.Key = key;
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
            ReadOnlySpan<byte> random = Random(pair, pairs);
            for (int i = 0; i < pairs; i++)
            {
                double radius = Math.Sqrt(-2 * Math.Log(Uniform(random, i * 16)));
                (double sine, double cosine) = Math.SinCos(2 * Math.PI * Uniform(random, (i * 16) + 8));
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
            ReadOnlySpan<byte> random = Random(first + done, count);
            for (int i = 0; i < count; i++)
            {
                destination[done++] = Uniform(random, i * 16);
            }
        }
    }

    public void Dispose() => _aes.Dispose();

    private ReadOnlySpan<byte> Random(long block, int count)
    {
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_counters.AsSpan(i * 16), block + i);
        }

        _aes.EncryptEcb(_counters.AsSpan(0, count * 16), _random, PaddingMode.None);
        return _random;
    }

    /// <summary>53 bits, centred between the ends so that neither 0 nor 1 occurs.</summary>
    private static double Uniform(ReadOnlySpan<byte> random, int offset) =>
        ((BinaryPrimitives.ReadUInt64LittleEndian(random[offset..]) >> 11) + 0.5) * (1.0 / 9007199254740992.0);
}
