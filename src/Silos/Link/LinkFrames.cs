using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Silos.Link;

/// <summary>What a site asks of the market.</summary>
internal enum LinkKind : byte
{
    /// <summary>Which ledger and schemas.</summary>
    Describe = 1,

    /// <summary>An epoch's file.</summary>
    PublishEpoch = 2,

    /// <summary>The orders after a sequence number.</summary>
    GetOrders = 3,

    /// <summary>A delivery's file.</summary>
    Deliver = 4,

    /// <summary>A file of the site's own that it lost.</summary>
    FindFile = 5,
}

/// <summary>The ledger that both ends mean: a message for another one is no message here.</summary>
/// <param name="ChainId">The chain.</param>
/// <param name="AccessControl">Its DynamicAccessControl.</param>
internal sealed record LinkDomain(ulong ChainId, Address AccessControl)
{
    /// <summary>The EIP-712 domain.</summary>
    public TypedDataDomain TypedData => SignedMessages.Domain(ChainId, AccessControl);
}

/// <summary>A message was not what the protocol asks for; it had no effect. To its sender it says nothing about the work itself: it may be
/// sent again, mended.</summary>
internal sealed class LinkProtocolException(int status, string code, string message) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>A stable code (docs/WIRE.md, "Link between site and market").</summary>
    public string Code { get; } = code;
}

/// <summary>
/// The head of a message of a site: all of it signed, the payload by its hash, so that whoever is not known is refused before a byte of
/// payload is read (docs/WIRE.md, "Link between site and market").
/// </summary>
internal sealed record LinkRequest
{
    /// <summary>The only version there is.</summary>
    public const uint Version = 1;

    /// <summary>Bytes of a head.</summary>
    public const int Length = 8 + 4 + 1 + (2 * Address.Length) + 8 + Bytes32.Length + 4 + Bytes32.Length + SignatureBytes;

    private const int SignatureBytes = 65;

    private static readonly TypedDataType Type =
        TypedDataType.Parse(
            "LinkMessage(uint8 kind,address sender,address receiver,uint64 time,bytes32 nonce,uint32 length,bytes32 payload)");

    public required LinkKind Kind { get; init; }

    /// <summary>The site's account.</summary>
    public required Address Sender { get; init; }

    /// <summary>The market's account.</summary>
    public required Address Receiver { get; init; }

    /// <summary>When it was signed, unix seconds.</summary>
    public required long Seconds { get; init; }

    public required Bytes32 Nonce { get; init; }

    /// <summary>Bytes of the payload that follows.</summary>
    public required uint PayloadLength { get; init; }

    /// <summary>SHA-256 of the payload.</summary>
    public required Bytes32 PayloadHash { get; init; }

    public byte[] Signature { get; init; } = [];

    private static ReadOnlySpan<byte> Magic => "EMRLINKQ"u8;

    /// <summary>What is signed, and what an answer names.</summary>
    public Bytes32 Digest(LinkDomain domain) => Type.HashToSign(
        domain.TypedData, [(BigInteger)(byte)Kind, Sender, Receiver, (BigInteger)Seconds, Nonce, (BigInteger)PayloadLength, PayloadHash]);

    /// <summary>Its bytes.</summary>
    public byte[] Write()
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write((byte)Kind);
        writer.Write(Sender.ToArray());
        writer.Write(Receiver.ToArray());
        writer.Write(Seconds);
        writer.Write(Nonce.ToArray());
        writer.Write(PayloadLength);
        writer.Write(PayloadHash.ToArray());
        writer.Write(Signature);
        writer.Flush();
        return stream.ToArray();
    }

    /// <summary>Reads a head.</summary>
    /// <exception cref="LinkProtocolException"><c>link-malformed</c> or <c>link-version</c>.</exception>
    public static LinkRequest Read(ReadOnlySpan<byte> bytes)
    {
        LinkFrame.Check(bytes, Magic, Version, Length, "message");
        ReadOnlySpan<byte> rest = bytes[(Magic.Length + 4)..];
        LinkKind kind = (LinkKind)rest[0];
        return new LinkRequest
        {
            Kind = Enum.IsDefined(kind)
                ? kind : throw new LinkProtocolException(400, "link-malformed", $"there is no kind {rest[0]} of message"),
            Sender = new Address(rest.Slice(1, 20)),
            Receiver = new Address(rest.Slice(21, 20)),
            Seconds = BinaryPrimitives.ReadInt64LittleEndian(rest[41..]) is >= 0 and var seconds
                ? seconds : throw new LinkProtocolException(400, "link-malformed", "its time lies before 1970"),
            Nonce = new Bytes32(rest.Slice(49, 32)),
            PayloadLength = BinaryPrimitives.ReadUInt32LittleEndian(rest[81..]),
            PayloadHash = new Bytes32(rest.Slice(85, 32)),
            Signature = rest.Slice(117, SignatureBytes).ToArray(),
        };
    }
}

/// <summary>The head of the market's answer: signed, and bound to the message that it answers.</summary>
internal sealed record LinkAnswer
{
    /// <summary>Bytes of a head.</summary>
    public const int Length = 8 + 4 + 1 + Bytes32.Length + 4 + Bytes32.Length + SignatureBytes;

    private const int SignatureBytes = 65;

    private static readonly TypedDataType Type = TypedDataType.Parse(
        "LinkAnswer(bytes32 request,bool refused,uint32 length,bytes32 payload)");

    /// <summary>Whether the payload says why the message is refused.</summary>
    public required bool Refused { get; init; }

    /// <summary>The digest of the message.</summary>
    public required Bytes32 Request { get; init; }

    /// <summary>Bytes of the payload that follows.</summary>
    public required uint PayloadLength { get; init; }

    /// <summary>SHA-256 of the payload.</summary>
    public required Bytes32 PayloadHash { get; init; }

    public byte[] Signature { get; init; } = [];

    private static ReadOnlySpan<byte> Magic => "EMRLINKA"u8;

    /// <summary>What is signed.</summary>
    public Bytes32 Digest(LinkDomain domain) =>
        Type.HashToSign(domain.TypedData, [Request, Refused, (BigInteger)PayloadLength, PayloadHash]);

    /// <summary>Its bytes.</summary>
    public byte[] Write()
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        writer.Write(Magic);
        writer.Write(LinkRequest.Version);
        writer.Write(Refused);
        writer.Write(Request.ToArray());
        writer.Write(PayloadLength);
        writer.Write(PayloadHash.ToArray());
        writer.Write(Signature);
        writer.Flush();
        return stream.ToArray();
    }

    /// <summary>Reads a head.</summary>
    /// <exception cref="LinkProtocolException"><c>link-malformed</c> or <c>link-version</c>.</exception>
    public static LinkAnswer Read(ReadOnlySpan<byte> bytes)
    {
        LinkFrame.Check(bytes, Magic, LinkRequest.Version, Length, "answer");
        ReadOnlySpan<byte> rest = bytes[(Magic.Length + 4)..];
        return new LinkAnswer
        {
            Refused = rest[0] switch { 0 => false, 1 => true,
                _ => throw new LinkProtocolException(400, "link-malformed", "the answer is neither given nor refused") },
            Request = new Bytes32(rest.Slice(1, 32)),
            PayloadLength = BinaryPrimitives.ReadUInt32LittleEndian(rest[33..]),
            PayloadHash = new Bytes32(rest.Slice(37, 32)),
            Signature = rest.Slice(69, SignatureBytes).ToArray(),
        };
    }
}

/// <summary>What both heads share.</summary>
internal static class LinkFrame
{
    /// <summary>Checks magic, version and length, in this order: a later version may be longer.</summary>
    public static void Check(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> magic, uint version, int length, string what)
    {
        if (bytes.Length < magic.Length + 4 || !bytes.StartsWith(magic))
        {
            throw new LinkProtocolException(400, "link-malformed", $"the {what} does not begin as one of this protocol does");
        }

        uint got = BinaryPrimitives.ReadUInt32LittleEndian(bytes[magic.Length..]);
        if (got != version)
        {
            throw new LinkProtocolException(
                400, "link-version", $"the {what} has version {got}, expected {version}: bring both ends to the same version");
        }

        if (bytes.Length != length)
        {
            throw new LinkProtocolException(
                400, "link-malformed", $"the head of the {what} has {bytes.Length} bytes, expected {length}: it was cut short");
        }
    }

    /// <summary>Whether an account signed a digest.</summary>
    public static bool IsSignedBy(Bytes32 digest, byte[] signature, Address account)
    {
        try
        {
            return EthereumAccount.Recover(digest, Signature.FromBytes(signature)) == account;
        }
        catch (InvalidSignatureException)
        {
            return false;
        }
    }

    /// <summary>Reads exactly a payload, and holds it against its hash.</summary>
    /// <exception cref="LinkProtocolException"><c>link-malformed</c>: it is cut short, goes on, or is another one.</exception>
    public static async Task<byte[]> ReadPayloadAsync(Stream stream, uint length, Bytes32 hash, CancellationToken cancellationToken)
    {
        byte[] payload = new byte[length];
        int got = await stream.ReadAtLeastAsync(payload, payload.Length, throwOnEndOfStream: false, cancellationToken);
        if (got < payload.Length || await stream.ReadAsync(new byte[1], cancellationToken) != 0)
        {
            throw new LinkProtocolException(400, "link-malformed", got < payload.Length
                ? $"the payload ends after {got} bytes of {length}: it was cut short" : "the payload is longer than its head says");
        }

        return new Bytes32(SHA256.HashData(payload)) == hash
            ? payload : throw new LinkProtocolException(400, "link-malformed", "the payload is not the one that was signed");
    }

    /// <summary>Reads a head; shorter when the stream ends.</summary>
    public static async Task<byte[]> ReadHeadAsync(Stream stream, int length, CancellationToken cancellationToken)
    {
        byte[] head = new byte[length];
        int got = await stream.ReadAtLeastAsync(head, length, throwOnEndOfStream: false, cancellationToken);
        return head[..got];
    }
}
