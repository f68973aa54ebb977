using System.Diagnostics;
using System.Security.Cryptography;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Telemetry.Metrics;
using EmrMarket.Silos.Telemetry.Traces;
using Microsoft.AspNetCore.Http.Features;

namespace EmrMarket.Silos.Link;

/// <summary>
/// The market's end of the link over HTTPS. A message is taken when a registered site signed it for this market and ledger, lately, once;
/// everything else is refused before its payload is read and changes nothing. What the market answers, refusals of the work included, it
/// signs.
/// </summary>
/// <param name="market">The market.</param>
/// <param name="account">Its account.</param>
/// <param name="domain">The ledger.</param>
/// <param name="siteOf">The number of the site with an account; 0 when there is none.</param>
/// <param name="nonces">The messages that were taken.</param>
/// <param name="clock">The time.</param>
internal sealed class LinkServer(
    ISiteMarketLink market, EthereumAccount account, LinkDomain domain, Func<Address, uint> siteOf, ILinkNonces nonces, TimeProvider clock)
{
    /// <summary>Where it answers.</summary>
    public const string Path = "/link/v1";

    /// <summary>How far a message's time may lie from the market's, seconds.</summary>
    public const long LongestSkewSeconds = 120;

    /// <summary>The largest payload, bytes.</summary>
    public const uint LargestPayload = 512u << 20;

    private const int SmallPayload = 64;

    /// <summary>Takes one message.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = LinkRequest.Length + (long)LargestPayload;
        }

        string kind = "unknown";
        try
        {
            LinkRequest request = LinkRequest.Read(
                await LinkFrame.ReadHeadAsync(context.Request.Body, LinkRequest.Length, context.RequestAborted));
            uint site = await AdmitAsync(request, context.RequestAborted);
            kind = request.Kind.ToString();

            // The site is known by now, and a trace of its own work is all that its header can name: it stands beside the signed frame.
            using Activity? span = Spans.Continue("link " + kind, context.Request.Headers[Spans.Header].ToString());
            byte[] payload = await LinkFrame.ReadPayloadAsync(
                context.Request.Body, request.PayloadLength, request.PayloadHash, context.RequestAborted);
            (bool refused, byte[] answer) = await AnswerAsync(request.Kind, site, payload, context.RequestAborted);
            LinkAnswer head = new()
            {
                Refused = refused, Request = request.Digest(domain), PayloadLength = (uint)answer.Length,
                PayloadHash = new Bytes32(SHA256.HashData(answer)),
            };
            context.Response.ContentType = "application/octet-stream";
            await context.Response.Body.WriteAsync(
                (head with { Signature = account.Sign(head.Digest(domain)).ToBytes() }).Write(), context.RequestAborted);
            await context.Response.Body.WriteAsync(answer, context.RequestAborted);
            SilosMeter.LinkAnswered(kind, refused ? "refused" : "taken");
        }
        catch (LinkProtocolException e)
        {
            SilosMeter.LinkAnswered(kind, e.Code);
            ProblemTypeInfo info = ProblemTypes.Find(e.Code)!.Value.InfoOf();
            await Results.Problem(e.Message, statusCode: e.Status, title: info.Title, type: info.Type).ExecuteAsync(context);
        }
    }

    /// <summary>Who sent it, if it may be taken.</summary>
    private async Task<uint> AdmitAsync(LinkRequest request, CancellationToken cancellationToken)
    {
        uint largest = request.Kind is LinkKind.PublishEpoch or LinkKind.Deliver ? LargestPayload : SmallPayload;
        if (request.PayloadLength > largest)
        {
            throw new LinkProtocolException(
                413, "link-too-large", $"the payload has {request.PayloadLength} bytes, at most {largest} for its kind");
        }

        if (request.Receiver != account.Address)
        {
            throw new LinkProtocolException(
                400, "link-wrong-market", $"the message is for the market {request.Receiver}, and this is {account.Address}");
        }

        if (!LinkFrame.IsSignedBy(request.Digest(domain), request.Signature, request.Sender))
        {
            throw new LinkProtocolException(401, "link-signature",
                $"the signature is not of {request.Sender} for this message and ledger (chain {domain.ChainId}, {domain.AccessControl})");
        }

        long now = clock.GetUtcNow().ToUnixTimeSeconds();
        if (Math.Abs(now - request.Seconds) > LongestSkewSeconds)
        {
            throw new LinkProtocolException(401, "link-time",
                $"the message was signed {now - request.Seconds} seconds ago by this clock, at most {LongestSkewSeconds}: set the "
                    + "clocks, and sign it again");
        }

        uint site = siteOf(request.Sender);
        if (site == 0)
        {
            throw new LinkProtocolException(
                403, "link-unknown-site", $"the ledger knows no site with the account {request.Sender}: ask the consortium to admit it");
        }

        return await nonces.TakeAsync(request.Sender, request.Nonce, now, request.Seconds + LongestSkewSeconds, cancellationToken) ? site
            : throw new LinkProtocolException(409, "link-replayed", "the message was taken before: sign it again with a nonce of its own");
    }

    private async Task<(bool Refused, byte[] Answer)> AnswerAsync(
        LinkKind kind, uint site, byte[] payload, CancellationToken cancellationToken)
    {
        try
        {
            switch (kind)
            {
                case LinkKind.PublishEpoch:
                    EpochPublication publication = LinkPayloads.ReadEpoch(payload);
                    await market.PublishEpochAsync(Own(publication, publication.Site, site), cancellationToken);
                    return (false, []);
                case LinkKind.GetOrders:
                    (uint asked, long sequence) = LinkPayloads.ReadOrdersAfter(payload);
                    return (false, LinkPayloads.Write(await market.GetOrdersAsync(Own(asked, asked, site), sequence, cancellationToken)));
                case LinkKind.Deliver:
                    DeliveryMessage message = LinkPayloads.ReadDelivery(payload);
                    return (false, LinkPayloads.Write(await market.DeliverAsync(Own(message, message.Site, site), cancellationToken)));
                case LinkKind.FindFile:
                    (uint owner, string hash) = LinkPayloads.ReadFileWanted(payload);
                    return (false, LinkPayloads.WriteFile(await market.FindFileAsync(Own(owner, owner, site), hash, cancellationToken)));
                default:
                    return payload.Length == 0 ? (false, LinkPayloads.Write(await market.DescribeAsync(cancellationToken)))
                        : throw new LinkProtocolException(400, "link-malformed", "this kind of message has no payload");
            }
        }
        catch (LinkRefusedException refusal)
        {
            return (true, LinkPayloads.Write(refusal));
        }
    }

    private static T Own<T>(T message, uint named, uint site) =>
        named == site ? message : throw new LinkRefusedException("wrong-site", $"site {site} signed a message of site {named}");
}

/// <summary>Puts the market's end of the link into a web host.</summary>
internal static class LinkRoutes
{
    /// <summary>Maps it.</summary>
    public static void MapSiteLink(this IEndpointRouteBuilder routes, LinkServer server) =>
        routes.MapPost(LinkServer.Path, (RequestDelegate)server.HandleAsync).ExcludeFromDescription();
}
