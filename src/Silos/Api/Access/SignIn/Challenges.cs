using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Api.Problems;

namespace EmrMarket.Silos.Api.Access.SignIn;

/// <summary>
/// Makes sign-in messages and checks them. A nonce is random and carries a code of the whole message under a key of this process, so that
/// nothing is kept of challenges that nobody answers; what is kept are the nonces that opened a session, until they expire.
/// </summary>
/// <param name="clock">Wall time: sessions have nothing to do with the ledger's clock.</param>
/// <param name="chainId">The chain that messages name.</param>
internal sealed class Challenges(TimeProvider clock, ulong chainId)
{
    /// <summary>How long a message opens a session.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromMinutes(5);

    private const int RandomBytes = 16;
    private const int CodeBytes = 16;

    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly ConcurrentDictionary<string, long> _used = new(StringComparer.Ordinal);

    /// <summary>A message for an address to sign.</summary>
    /// <param name="address">Who wants to sign in.</param>
    /// <param name="publisher">The pseudonym, for patients.</param>
    /// <param name="domain">Host and port of this server as the caller wrote them.</param>
    /// <param name="uri">This server's address.</param>
    public SignInMessage Issue(Address address, PublisherName? publisher, string domain, string uri)
    {
        long now = clock.GetUtcNow().ToUnixTimeSeconds();
        SignInMessage message = new()
        {
            Domain = domain, Address = address, Uri = uri, ChainId = chainId, Nonce = "", IssuedSeconds = now,
            ExpirySeconds = now + (long)Life.TotalSeconds, Publisher = publisher,
        };
        byte[] random = RandomNumberGenerator.GetBytes(RandomBytes);
        return message with { Nonce = Convert.ToHexStringLower([.. random, .. Code(random, message)]) };
    }

    /// <summary>Checks a signed message, and takes its nonce: it opens one session.</summary>
    /// <param name="text">The message.</param>
    /// <param name="signature">65 bytes as hexadecimal digits.</param>
    /// <param name="domain">Host and port of this server as the caller wrote them.</param>
    /// <exception cref="ApiException"><see cref="ProblemType.ChallengeRefused"/>; it says no more than a forger may know.</exception>
    public SignInMessage Redeem(string text, string signature, string domain)
    {
        SignInMessage message = SignInMessage.Read(text) ?? throw Refused("the message is not one that this server wrote");
        long now = clock.GetUtcNow().ToUnixTimeSeconds();
        byte[] nonce = message.Nonce.Length == 2 * (RandomBytes + CodeBytes) && message.Nonce.All(char.IsAsciiHexDigitLower)
            ? Convert.FromHexString(message.Nonce) : [];
        if (nonce.Length == 0
            || !CryptographicOperations.FixedTimeEquals(
                nonce.AsSpan(RandomBytes), Code(nonce.AsSpan(0, RandomBytes), message with { Nonce = "" })))
        {
            throw Refused("the message is not one that this server wrote, or it was changed");
        }

        if (!string.Equals(message.Domain, domain, StringComparison.Ordinal) || message.ChainId != chainId)
        {
            throw Refused("the message is for another address of this server");
        }

        if (now > message.ExpirySeconds)
        {
            throw Refused($"the message expired {now - message.ExpirySeconds} seconds ago");
        }

        if (Signer(text, signature) != message.Address)
        {
            throw Refused("the signature is not that of the message's address");
        }

        // Only after the signature: a stranger must not be able to use up somebody's nonce.
        foreach ((string old, long expiry) in _used)
        {
            if (expiry < now)
            {
                _used.TryRemove(old, out _);
            }
        }

        return _used.TryAdd(message.Nonce, message.ExpirySeconds) ? message : throw Refused("the message was handed in before");
    }

    private static Address? Signer(string text, string signature)
    {
        try
        {
            return EthereumAccount.Recover(SignInMessage.Digest(text), Signature.FromBytes(Hex.Decode(signature)));
        }
        catch (Exception e) when (e is FormatException or InvalidSignatureException)
        {
            return null;
        }
    }

    private byte[] Code(ReadOnlySpan<byte> random, SignInMessage bare) =>
        HMACSHA256.HashData(_key, (byte[])[.. random, .. Encoding.UTF8.GetBytes(bare.Write())])[..CodeBytes];

    private static ApiException Refused(string detail) => new(ProblemType.ChallengeRefused, detail);
}
