using System.Globalization;
using System.Text;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Silos.Api.Access.SignIn;

/// <summary>A message that a wallet signs to sign in: EIP-4361, https://eips.ethereum.org/EIPS/eip-4361, in the one form that this server
/// writes.</summary>
internal sealed record SignInMessage
{
    /// <summary>What people read above the fields.</summary>
    public const string Statement = "Sign in to EmrMarket. This signature moves no money and sets no policy.";

    /// <summary>Host and port that asks.</summary>
    public required string Domain { get; init; }

    /// <summary>Who signs in.</summary>
    public required Address Address { get; init; }

    /// <summary>Where to.</summary>
    public required string Uri { get; init; }

    /// <summary>The chain.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>Letters and digits, at least 8.</summary>
    public required string Nonce { get; init; }

    /// <summary>When it was made, unix seconds.</summary>
    public required long IssuedSeconds { get; init; }

    /// <summary>Until when it opens a session, unix seconds.</summary>
    public required long ExpirySeconds { get; init; }

    /// <summary>What the session is about; null for a researcher.</summary>
    public PublisherName? Publisher { get; init; }

    /// <summary>The text to sign.</summary>
    public string Write()
    {
        string text = string.Create(
            CultureInfo.InvariantCulture,
            $"{Domain} wants you to sign in with your Ethereum account:\n{Address}\n\n{Statement}\n\nURI: {Uri}\nVersion: 1\nChain ID: "
                + $"{ChainId}\nNonce: {Nonce}\nIssued At: {Time(IssuedSeconds)}\nExpiration Time: {Time(ExpirySeconds)}");
        return Publisher is null ? text : $"{text}\nResources:\n- {Publisher.Urn}";
    }

    /// <summary>Reads a text that <see cref="Write"/> made; null for any other.</summary>
    public static SignInMessage? Read(string text)
    {
        const string First = " wants you to sign in with your Ethereum account:";
        string[] lines = text.Split('\n');
        if (lines.Length is not (11 or 13) || !lines[0].EndsWith(First, StringComparison.Ordinal)
            || !ulong.TryParse(After(lines[7], "Chain ID: "), NumberStyles.None, CultureInfo.InvariantCulture, out ulong chain)
            || Seconds(After(lines[9], "Issued At: ")) is not { } issued
            || Seconds(After(lines[10], "Expiration Time: ")) is not { } expiry)
        {
            return null;
        }

        try
        {
            SignInMessage message = new()
            {
                Domain = lines[0][..^First.Length], Address = Address.Parse(lines[1]), Uri = After(lines[5], "URI: "), ChainId = chain,
                Nonce = After(lines[8], "Nonce: "),
                IssuedSeconds = issued, ExpirySeconds = expiry,
                Publisher = lines.Length == 13 ? PublisherName.ParseUrn(After(lines[12], "- ")) : null,
            };

            // Whatever the reader overlooked shows here: there is one text of a message.
            return string.Equals(message.Write(), text, StringComparison.Ordinal) ? message : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>What a wallet signs of a text: EIP-191, version 0x45, https://eips.ethereum.org/EIPS/eip-191.</summary>
    public static Bytes32 Digest(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        byte[] head = Encoding.ASCII.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $"\u0019Ethereum Signed Message:\n{bytes.Length}"));
        return Keccak256.Hash([.. head, .. bytes]);
    }

    private const string Format = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    private static string Time(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds).ToString(Format, CultureInfo.InvariantCulture);

    private static long? Seconds(string text) =>
        DateTimeOffset.TryParseExact(text, Format, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
            ? time.ToUnixTimeSeconds() : null;

    private static string After(string line, string label) => line.StartsWith(label, StringComparison.Ordinal) ? line[label.Length..] : "";
}
