using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Silos.Telemetry.Metrics;
using EmrMarket.Silos.Telemetry.Traces;

namespace EmrMarket.Silos.Link;

/// <summary>
/// A site's end of the link over HTTPS, which calls outward only. It believes what the market's account signed as the answer to exactly its
/// message, and nothing else: an answer of anybody else, an error page included, is a failure after which it is not known whether the
/// message was taken, never a refusal.
/// </summary>
internal sealed class HttpSiteMarketLink : ISiteMarketLink, IDisposable
{
    // Hundreds of megabytes over a slow line; the caller's own timeouts are shorter where they need to be.
    private static readonly TimeSpan LongestCall = TimeSpan.FromMinutes(10);

    // Who is not there is tried again by the caller; a connection that hangs would keep it from saying so.
    private static readonly TimeSpan LongestConnect = TimeSpan.FromSeconds(10);

    private readonly HttpClient _http;
    private readonly EthereumAccount _site;
    private readonly Address _market;
    private readonly LinkDomain _domain;
    private readonly TimeProvider _clock;

    /// <summary>A link.</summary>
    /// <param name="address">The market's address, https.</param>
    /// <param name="site">The site's account, which signs.</param>
    /// <param name="market">The market's account, which signs answers.</param>
    /// <param name="domain">The ledger.</param>
    /// <param name="certificatePin">SHA-256 of the market's public key (<see cref="LinkCertificate.PinOf"/>) as 64 hexadecimal digits; null
    /// when a public authority vouches for it.</param>
    /// <param name="clock">The time.</param>
    public HttpSiteMarketLink(
        Uri address, EthereumAccount site, Address market, LinkDomain domain, string? certificatePin, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (!string.Equals(address.Scheme, Uri.UriSchemeHttps, StringComparison.Ordinal))
        {
            throw new ArgumentException($"the market's address is {address}, expected https", nameof(address));
        }

        (_site, _market, _domain, _clock) = (site, market, domain, clock);
        SocketsHttpHandler handler = new()
        {
            AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = LongestConnect, ActivityHeadersPropagator = null,
        };
        if (certificatePin is not null)
        {
            // The key, not who vouches for it: a pinned key needs no authority.
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                certificate is not null && IsPinned(certificate, certificatePin);
        }

        _http = new HttpClient(handler) { BaseAddress = address, Timeout = LongestCall };
    }

    /// <inheritdoc/>
    public async Task<MarketDescription> DescribeAsync(CancellationToken cancellationToken) =>
        LinkPayloads.ReadDescription(await SendAsync(LinkKind.Describe, [], cancellationToken));

    /// <inheritdoc/>
    public async Task PublishEpochAsync(EpochPublication publication, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(publication);
        await SendAsync(LinkKind.PublishEpoch, LinkPayloads.Write(publication), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<DeliveryOrder[]> GetOrdersAsync(uint site, long afterSequence, CancellationToken cancellationToken) =>
        LinkPayloads.ReadOrders(await SendAsync(LinkKind.GetOrders, LinkPayloads.WriteOrdersAfter(site, afterSequence), cancellationToken));

    /// <inheritdoc/>
    public async Task<DeliveryReceipt> DeliverAsync(DeliveryMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        return LinkPayloads.ReadReceipt(await SendAsync(LinkKind.Deliver, LinkPayloads.Write(message), cancellationToken));
    }

    /// <inheritdoc/>
    public async Task<byte[]?> FindFileAsync(uint site, string sha256, CancellationToken cancellationToken) =>
        LinkPayloads.ReadFile(await SendAsync(LinkKind.FindFile, LinkPayloads.WriteFileWanted(site, sha256), cancellationToken));

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static bool IsPinned(X509Certificate certificate, string pin)
    {
        using X509Certificate2 got = new(certificate);
        return string.Equals(LinkCertificate.PinOf(got), pin, StringComparison.OrdinalIgnoreCase);
    }

    private async Task<byte[]> SendAsync(LinkKind kind, byte[] payload, CancellationToken cancellationToken)
    {
        using Activity? span = Spans.Step("link " + kind, ActivityKind.Client);
        string outcome = "unreachable";
        try
        {
            byte[] answer = await AskAsync(kind, payload, span, cancellationToken);
            outcome = "answered";
            return answer;
        }
        catch (LinkRefusedException)
        {
            outcome = "refused";
            throw;
        }
        catch (LinkProtocolException)
        {
            outcome = "protocol";
            throw;
        }
        finally
        {
            span?.SetTag("emr.outcome", outcome);
            SilosMeter.LinkCalled(kind.ToString(), outcome);
        }
    }

    private async Task<byte[]> AskAsync(LinkKind kind, byte[] payload, Activity? span, CancellationToken cancellationToken)
    {
        LinkRequest request = new()
        {
            Kind = kind,
            Sender = _site.Address,
            Receiver = _market,
            Seconds = _clock.GetUtcNow().ToUnixTimeSeconds(),
            Nonce = new Bytes32(RandomNumberGenerator.GetBytes(Bytes32.Length)),
            PayloadLength = (uint)payload.Length,
            PayloadHash = new Bytes32(SHA256.HashData(payload)),
        };
        Bytes32 digest = request.Digest(_domain);
        using HttpRequestMessage message = new(HttpMethod.Post, LinkServer.Path)
        {
            Content = new ByteArrayContent([.. (request with { Signature = _site.Sign(digest).ToBytes() }).Write(), .. payload]),
        };
        message.Content.Headers.ContentType = new("application/octet-stream");
        if (span?.Id is { } id)
        {
            message.Headers.Add(Spans.Header, id);
        }

        using HttpResponseMessage response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException(
                $"the market at {_http.BaseAddress} did not take the message: {(int)response.StatusCode} "
                    + $"{await ProblemAsync(response, cancellationToken)}", null, response.StatusCode);
        }

        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        LinkAnswer answer = LinkAnswer.Read(await LinkFrame.ReadHeadAsync(stream, LinkAnswer.Length, cancellationToken));
        if (answer.Request != digest || !LinkFrame.IsSignedBy(answer.Digest(_domain), answer.Signature, _market))
        {
            throw new LinkProtocolException(502, "link-signature",
                $"the answer is not signed by the market {_market} for this message: whoever answers at {_http.BaseAddress} is not it");
        }

        if (answer.PayloadLength > LinkServer.LargestPayload)
        {
            throw new LinkProtocolException(
                502, "link-too-large", $"the answer has {answer.PayloadLength} bytes, at most {LinkServer.LargestPayload}");
        }

        byte[] content = await LinkFrame.ReadPayloadAsync(stream, answer.PayloadLength, answer.PayloadHash, cancellationToken);
        return answer.Refused ? throw LinkPayloads.ReadRefusal(content) : content;
    }

    // Not signed, so for people only; and not more of it than a person reads.
    private static async Task<string> ProblemAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        const int Longest = 1_000;
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        return System.Text.Encoding.UTF8.GetString(await LinkFrame.ReadHeadAsync(stream, Longest, cancellationToken));
    }
}
