using System.Buffers.Binary;
using System.Security.Cryptography;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Grains.Site;

/// <summary>
/// The keys of a patient's pseudonyms: one that commands, and a fresh one for every payout, so that no two addresses on the ledger can be
/// told to be one person's (docs/WIRE.md, "Patients' keys"). HKDF-SHA-256 (RFC 5869) makes of the seed an account, a private key and a
/// chain code, and all other keys are its children by addition. Whoever has the seed has them all: the patient, or the site for patients
/// who leave it there; whoever has the <see cref="PayoutAccount"/> alone finds their addresses and nothing else.
/// </summary>
public static class PatientKeys
{
    /// <summary>Length of a seed and of a private key, bytes.</summary>
    public const int Length = 32;

    /// <summary>The seed of a patient who leaves it with the site.</summary>
    /// <param name="siteKey">The site's key.</param>
    /// <param name="person">The person's key at the site.</param>
    public static byte[] SeedAtSite(ReadOnlySpan<byte> siteKey, ulong person)
    {
        Span<byte> info = stackalloc byte[SeedInfo.Length + sizeof(ulong)];
        SeedInfo.CopyTo(info);
        BinaryPrimitives.WriteUInt64LittleEndian(info[SeedInfo.Length..], person);
        byte[] seed = new byte[Length];
        Expand(siteKey, info, seed);
        return seed;
    }

    /// <summary>The pseudonym of a record on the ledger: the same in every epoch, and another for every schema.</summary>
    /// <param name="siteKey">The site's key.</param>
    /// <param name="schemaId">The schema.</param>
    /// <param name="record">The record's key.</param>
    public static Bytes32 Pseudonym(ReadOnlySpan<byte> siteKey, Bytes32 schemaId, ulong record)
    {
        Span<byte> info = stackalloc byte[PseudonymInfo.Length + Bytes32.Length + sizeof(ulong)];
        PseudonymInfo.CopyTo(info);
        schemaId.CopyTo(info[PseudonymInfo.Length..]);
        BinaryPrimitives.WriteUInt64LittleEndian(info[(PseudonymInfo.Length + Bytes32.Length)..], record);
        Span<byte> pseudonym = stackalloc byte[Bytes32.Length];
        Expand(siteKey, info, pseudonym);
        return new Bytes32(pseudonym);
    }

    /// <summary>The private key of the account of a seed, whose children all other keys are.</summary>
    /// <param name="seed">The patient's seed.</param>
    public static byte[] Account(ReadOnlySpan<byte> seed)
    {
        Span<byte> info = stackalloc byte[AccountInfo.Length + 1];
        AccountInfo.CopyTo(info);
        return Scalar(seed, info);
    }

    /// <summary>The chain code of the account of a seed: the key of all tweaks.</summary>
    /// <param name="seed">The patient's seed.</param>
    public static byte[] ChainCode(ReadOnlySpan<byte> seed)
    {
        byte[] code = new byte[Length];
        Expand(seed, ChainCodeInfo, code);
        return code;
    }

    /// <summary>The private key that commands a pseudonym.</summary>
    public static byte[] Controller(ReadOnlySpan<byte> seed, Bytes32 pseudonym) =>
        ChildKeys.Private(Account(seed), ControllerTweak(ChainCode(seed), pseudonym));

    /// <summary>The private key of a payout address.</summary>
    /// <param name="seed">The patient's seed.</param>
    /// <param name="pseudonym">The pseudonym that is paid.</param>
    /// <param name="epoch">The epoch.</param>
    /// <param name="index">The index in the epoch's payout tree.</param>
    public static byte[] Payout(ReadOnlySpan<byte> seed, Bytes32 pseudonym, uint epoch, uint index) =>
        ChildKeys.Private(Account(seed), PayoutTweak(ChainCode(seed), pseudonym, epoch, index));

    /// <summary>The tweak of the key that commands a pseudonym.</summary>
    /// <param name="chainCode">The account's chain code.</param>
    /// <param name="pseudonym">The pseudonym.</param>
    public static byte[] ControllerTweak(ReadOnlySpan<byte> chainCode, Bytes32 pseudonym) =>
        Tweak(chainCode, ControllerInfo, pseudonym, 0, 0);

    /// <summary>The tweak of the key of a payout address.</summary>
    /// <param name="chainCode">The account's chain code.</param>
    /// <param name="pseudonym">The pseudonym that is paid.</param>
    /// <param name="epoch">The epoch.</param>
    /// <param name="index">The index in the epoch's payout tree.</param>
    public static byte[] PayoutTweak(ReadOnlySpan<byte> chainCode, Bytes32 pseudonym, uint epoch, uint index) =>
        Tweak(chainCode, PayoutInfo, pseudonym, epoch, index);

    private static ReadOnlySpan<byte> SeedInfo => "emrmarket patient seed v1 "u8;

    private static ReadOnlySpan<byte> PseudonymInfo => "emrmarket ledger pseudonym v1 "u8;

    private static ReadOnlySpan<byte> AccountInfo => "emrmarket patient account v1 "u8;

    private static ReadOnlySpan<byte> ChainCodeInfo => "emrmarket chain code v1 "u8;

    private static ReadOnlySpan<byte> ControllerInfo => "emrmarket controller tweak v1 "u8;

    private static ReadOnlySpan<byte> PayoutInfo => "emrmarket payout tweak v1 "u8;

    private static byte[] Tweak(ReadOnlySpan<byte> chainCode, ReadOnlySpan<byte> purpose, Bytes32 pseudonym, uint epoch, uint index)
    {
        Span<byte> info = stackalloc byte[purpose.Length + Bytes32.Length + (2 * sizeof(uint)) + 1];
        purpose.CopyTo(info);
        pseudonym.CopyTo(info[purpose.Length..]);
        Span<byte> place = info[(purpose.Length + Bytes32.Length)..];
        BinaryPrimitives.WriteUInt32LittleEndian(place, epoch);
        BinaryPrimitives.WriteUInt32LittleEndian(place[4..], index);
        return Scalar(chainCode, info);
    }

    /// <summary>32 bytes that are a key of secp256k1; the last byte of the purpose counts the attempts.</summary>
    private static byte[] Scalar(ReadOnlySpan<byte> key, Span<byte> info)
    {
        byte[] scalar = new byte[Length];
        do
        {
            // Not every 32 bytes are a key of secp256k1; those that are not (1 in 2^128) are passed over.
            Expand(key, info, scalar);
            info[^1]++;
        }
        while (!IsScalar(scalar));

        return scalar;
    }

    /// <summary>HKDF-Expand of 32 bytes, which is one HMAC of the purpose and a 1 (RFC 5869, 2.3): at once, without the objects that the
    /// general form makes for each key.</summary>
    private static void Expand(ReadOnlySpan<byte> key, ReadOnlySpan<byte> info, Span<byte> output)
    {
        Span<byte> message = stackalloc byte[info.Length + 1];
        info.CopyTo(message);
        message[info.Length] = 1;
        HMACSHA256.HashData(key, message, output);
    }

    // The order of secp256k1 (SEC 2, 2.4.1) begins with 15 bytes of ones and ...FE: whatever begins with less lies below it.
    private static bool IsScalar(ReadOnlySpan<byte> key) =>
        key.IndexOfAnyExcept((byte)0) >= 0 && key[..16].IndexOfAnyExcept((byte)0xff) >= 0 && Below(key);

    private static bool Below(ReadOnlySpan<byte> key) => key[..16].SequenceCompareTo(OrderHead) < 0;

    private static ReadOnlySpan<byte> OrderHead =>
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe];
}
