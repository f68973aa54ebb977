using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Math;

namespace EmrMarket.Benchmarks.Chain;

/// <summary>What an address of a patient costs a site, on one core, beside the library's multiplication by the generator and its
/// hash.</summary>
public static class AddressBench
{
    private const int Addresses = 100_000;
    private const int AtOnce = 512;
    private const int Samples = 5_000;

    /// <summary>Measures and prints the table.</summary>
    public static void Run(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        byte[][] keys = [.. Enumerable.Range(0, Addresses).Select(_ => RandomNumberGenerator.GetBytes(32))];
        PublicKey[] parents = [.. Enumerable.Repeat(PublicKey.Of(keys[0]), AtOnce)];
        X9ECParameters curve = CustomNamedCurves.GetByName("secp256k1");
        List<Address> expected = [], known = [];

        // Twice, and the second counts: the first compiles.
        for (int pass = 0; pass < 2; pass++)
        {
            expected = [];
            known = [];
            double simple = Microseconds(Samples, () =>
            {
                foreach (byte[] key in keys.Take(Samples))
                {
                    byte[] point = curve.G.Multiply(new BigInteger(1, key)).Normalize().GetEncoded(false);
                    expected.Add(new Address(Keccak256.Hash(point.AsSpan(1)).ToArray().AsSpan(12)));
                }
            });
            double own = Microseconds(Addresses, () =>
            {
                foreach (byte[][] chunk in keys.Chunk(AtOnce))
                {
                    known.AddRange(EthereumAccount.AddressesOf(chunk));
                }
            });
            double children = Microseconds(Addresses, () =>
            {
                foreach (byte[][] chunk in keys.Chunk(AtOnce))
                {
                    _ = PublicKey.ChildAddresses(parents[..chunk.Length], chunk);
                }
            });
            if (pass == 1)
            {
                output.WriteLine("address: microseconds each on one core       ratio to the library's");
                output.WriteLine(Row("the library's multiplication and hash", simple, simple));
                output.WriteLine(Row("of private keys, 512 at once", own, simple));
                output.WriteLine(Row("children of a public key, 512 at once", children, simple));
            }
        }

        if (!expected.SequenceEqual(known.Take(Samples)))
        {
            throw new InvalidOperationException("the addresses differ from the library's");
        }
    }

    private static double Microseconds(int count, Action work)
    {
        long started = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds / count;
    }

    private static string Row(string name, double microseconds, double simple) =>
        string.Create(CultureInfo.InvariantCulture, $"  {name,-40} {microseconds,8:F2}   {microseconds / simple,8:F3}");
}
