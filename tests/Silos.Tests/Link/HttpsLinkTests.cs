using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Silos.Link;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Telemetry.Traces;
using EmrMarket.Silos.Tests.Records;
using EmrMarket.Silos.Tests.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace EmrMarket.Silos.Tests.Link;

/// <summary>The contract over a real socket and TLS, and what others than an honest site can send.</summary>
public sealed class HttpsLinkTests : LinkContract, IAsyncLifetime, IDisposable
{
    private static readonly LinkDomain Domain = new(31_337, Address.Parse("0x00000000000000000000000000000000000000aa"));
    private readonly TestFolder _folder = new();
    private readonly EthereumAccount _site = EthereumAccount.Generate(), _stranger = EthereumAccount.Generate(),
    _market = EthereumAccount.Generate();
    private readonly SteppedClock _clock = new();
    private readonly List<IDisposable> _opened = [];
    private ILinkNonces _nonces = new MemoryLinkNonces();
    private X509Certificate2 _certificate = null!;
    private WebApplication _web = null!;
    private Uri _address = null!;

    /// <summary>Replaces what the market answers with.</summary>
    private Func<byte[], byte[]>? _tamper;

    public async Task InitializeAsync()
    {
        _certificate = LinkCertificate.LoadOrCreate(_folder.Place("link.pem"), TimeProvider.System);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(_certificate)));
        _web = builder.Build();
        _web.Use(async (context, next) =>
        {
            if (_tamper is not { } tamper)
            {
                await next(context);
                return;
            }

            Stream real = context.Response.Body;
            using MemoryStream held = new();
            context.Response.Body = held;
            await next(context);
            context.Response.Body = real;
            await real.WriteAsync(tamper(held.ToArray()), context.RequestAborted);
        });
        LinkServer server = new(Market, _market, Domain, account => account == _site.Address ? Site : 0, new Late(this), _clock);
        _web.MapSiteLink(server);
        await _web.StartAsync(CancellationToken.None);
        _address = new Uri(_web.Urls.Single());
    }

    public async Task DisposeAsync()
    {
        await _web.DisposeAsync();
    }

    public void Dispose()
    {
        _opened.ForEach(one => one.Dispose());
        _certificate.Dispose();
        _folder.Dispose();
    }

    private protected override Task<ISiteMarketLink> OpenAsync() =>
        Task.FromResult<ISiteMarketLink>(Open(_site, _market.Address, LinkCertificate.PinOf(_certificate)));

    [Fact]
    public async Task Trace_of_a_site_goes_on_at_the_market_and_that_of_nobody_begins_none()
    {
        List<Activity> spans = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == Spans.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (spans)
                {
                    spans.Add(span);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        ISiteMarketLink link = await OpenAsync();
        ActivityTraceId trace;
        using (Activity pass = Spans.Begin("pass of " + Guid.NewGuid())!)
        {
            trace = pass.TraceId;
            await link.GetOrdersAsync(Site, 0, None);
            await Assert.ThrowsAsync<HttpRequestException>(
                () => Open(_stranger, _market.Address, LinkCertificate.PinOf(_certificate)).GetOrdersAsync(Site, 0, None));
        }

        lock (spans)
        {
            Activity[] own = [.. spans.Where(span => span.TraceId == trace)];
            Activity served = Assert.Single(own, span => span.Kind == ActivityKind.Server);
            Assert.Equal("link GetOrders", served.DisplayName);
            Assert.Contains(own, span => span.Kind == ActivityKind.Client && span.SpanId == served.ParentSpanId);

            // The stranger's call is a step of the stranger's own trace, and no message of the market's.
            Assert.Equal(2, own.Count(span => span.Kind == ActivityKind.Client));
        }
    }

    [Fact]
    public async Task Message_of_nobody_the_ledger_knows_is_refused()
    {
        HttpRequestException refused = await Assert.ThrowsAsync<HttpRequestException>(
            () => Open(_stranger, _market.Address, LinkCertificate.PinOf(_certificate)).GetOrdersAsync(Site, 0, None));
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Contains("link-unknown-site", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Site_speaks_for_itself_only()
    {
        ISiteMarketLink link = await OpenAsync();
        Func<Task>[] others =
        [
            () => link.GetOrdersAsync(Site + 1, 0, None),
            () => link.PublishEpochAsync(new EpochPublication { Site = Site + 1, LeafFile = [1] }, None),
            () => link.DeliverAsync(new DeliveryMessage { Site = 0, Sequence = 1, DeliveryFile = [1] }, None),
        ];
        foreach (Func<Task> call in others)
        {
            Assert.Equal("wrong-site", (await Assert.ThrowsAsync<LinkRefusedException>(call)).Code);
        }

        Assert.Empty(Market.Epochs);
        Assert.Empty(Market.Deliveries);
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Message_is_taken_once_also_by_a_market_that_was_started_again()
    {
        Npgsql.NpgsqlDataSource database = await TestDatabases.CreateAsync(DatabaseRole.Market);
        _nonces = new PostgresLinkNonces(database);
        byte[] message = Signed(LinkKind.Deliver, Delivery);
        Assert.Equal("", await PostAsync(message));
        Assert.Equal("link-replayed", await PostAsync(message));
        _nonces = new PostgresLinkNonces(database);
        Assert.Equal("link-replayed", await PostAsync(message));
        _clock.Now += TimeSpan.FromSeconds(LinkServer.LongestSkewSeconds);
        Assert.Equal("link-replayed", await PostAsync(message));
        _clock.Now += TimeSpan.FromSeconds(1);
        Assert.Equal("link-time", await PostAsync(message));
        Assert.Equal("", await PostAsync(Signed(LinkKind.Deliver, Delivery)));
        Assert.Equal("link-time", await PostAsync(message));
        Assert.Equal(2, Market.Deliveries.Count);
    }

    [Fact]
    public async Task Message_from_too_far_in_the_past_or_the_future_is_refused()
    {
        foreach ((long skew, string code) in new[] { (-121L, "link-time"), (121L, "link-time"), (-120L, ""), (120L, "") })
        {
            Assert.Equal(code, await PostAsync(Signed(LinkKind.Deliver, Delivery, head => head with { Seconds = head.Seconds + skew })));
        }
    }

    [Fact]
    public async Task Every_byte_of_the_head_and_of_the_payload_is_signed()
    {
        int length = Signed(LinkKind.Deliver, Delivery).Length;
        for (int place = 0; place < length; place++)
        {
            // A message of its own each time: where only the payload is altered, its head is taken before that is seen.
            byte[] altered = Signed(LinkKind.Deliver, Delivery);
            altered[place] ^= 1;
            string code = await PostAsync(altered);
            Assert.True(code is "link-malformed" or "link-version" or "link-signature" or "link-wrong-market" or "link-too-large"
                or "link-time", $"byte {place}: '{code}'");
        }

        Assert.Empty(Market.Deliveries);
    }

    [Fact]
    public async Task Message_that_is_cut_short_anywhere_or_goes_on_is_refused()
    {
        byte[] message = Signed(LinkKind.Deliver, Delivery);
        for (int length = 0; length < message.Length; length++)
        {
            // A new nonce each time: the head of the last ones is taken before the payload is read.
            Assert.Equal("link-malformed", await PostAsync(Signed(LinkKind.Deliver, Delivery)[..length]));
        }

        Assert.Equal("link-malformed", await PostAsync([.. message, 0]));
        Assert.Empty(Market.Deliveries);
    }

    [Fact]
    public async Task Oversize_future_foreign_and_malformed_messages_are_refused_by_name()
    {
        Assert.Equal("link-too-large",
            await PostAsync(Signed(LinkKind.Deliver, Delivery, head => head with { PayloadLength = LinkServer.LargestPayload + 1 })));
        Assert.Equal("link-too-large", await PostAsync(Signed(LinkKind.GetOrders, new byte[65])));
        byte[] future = Signed(LinkKind.Describe, []);
        future[8] = 2;
        Assert.Equal("link-version", await PostAsync(future));
        Assert.Equal("link-version", await PostAsync(future[..12]));
        Assert.Equal("link-wrong-market",
            await PostAsync(Signed(LinkKind.Describe, [], head => head with { Receiver = _stranger.Address })));
        Assert.Equal("link-signature", await PostAsync(Signed(LinkKind.Describe, [], domain: Domain with { ChainId = 1 })));
        Assert.Equal("link-signature", await PostAsync(Signed(LinkKind.Describe, [], signer: _stranger)));
        Assert.Equal("link-malformed", await PostAsync(Signed((LinkKind)9, [])));
        Assert.Equal("link-malformed", await PostAsync(Signed(LinkKind.Describe, [1])));
        Assert.Equal("link-malformed", await PostAsync(Signed(LinkKind.Deliver, [.. Delivery, 1])));
        Assert.Equal("link-malformed", await PostAsync(Signed(LinkKind.Deliver, [7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 127])));
        Assert.Empty(Market.Deliveries);
    }

    [Fact]
    public async Task Answer_that_the_market_did_not_sign_for_this_message_is_never_believed()
    {
        ISiteMarketLink link = await OpenAsync();
        DeliveryMessage message = new() { Site = Site, Sequence = 1, DeliveryFile = [1] };
        byte[]? earlier = null;
        _tamper = answer => earlier = answer;
        Market.Refusal = new LinkRefusedException("wrong-delivery", "no");
        await Assert.ThrowsAsync<LinkRefusedException>(() => link.DeliverAsync(message, None));
        Market.Refusal = null;

        // A refusal ends an order: an earlier one, or one of somebody else, must not.
        _tamper = _ => earlier!;
        Assert.Equal("link-signature", (await Assert.ThrowsAsync<LinkProtocolException>(() => link.DeliverAsync(message, None))).Code);
        for (int place = 0; place < LinkAnswer.Length; place++)
        {
            _tamper = answer =>
            {
                answer[place] ^= 1;
                return answer;
            };
            await Assert.ThrowsAsync<LinkProtocolException>(() => link.DeliverAsync(message, None));
        }

        foreach (int cut in new[] { 0, 5, LinkAnswer.Length - 1, LinkAnswer.Length, LinkAnswer.Length + 3 })
        {
            _tamper = answer => answer[..cut];
            await Assert.ThrowsAsync<LinkProtocolException>(() => link.DeliverAsync(message, None));
        }

        _tamper = null;
        HttpRequestException wrong = await Assert.ThrowsAsync<HttpRequestException>(
            () => Open(_site, _stranger.Address, LinkCertificate.PinOf(_certificate)).DescribeAsync(None));
        Assert.Contains("link-wrong-market", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Market_with_another_TLS_key_hears_nothing()
    {
        using X509Certificate2 other = LinkCertificate.LoadOrCreate(_folder.Place("other.pem"), TimeProvider.System);
        await Assert.ThrowsAsync<HttpRequestException>(
            () => Open(_site, _market.Address, LinkCertificate.PinOf(other)).DescribeAsync(None));
        await Assert.ThrowsAsync<HttpRequestException>(() => Open(_site, _market.Address, null).DescribeAsync(None));
        Assert.Throws<ArgumentException>(
            () => new HttpSiteMarketLink(new Uri("http://127.0.0.1"), _site, _market.Address, Domain, null, _clock));
        using X509Certificate2 again = LinkCertificate.LoadOrCreate(_folder.Place("link.pem"), TimeProvider.System);
        Assert.Equal(LinkCertificate.PinOf(_certificate), LinkCertificate.PinOf(again));
    }

    private static byte[] Delivery => LinkPayloads.Write(new DeliveryMessage { Site = Site, Sequence = 1, DeliveryFile = [1, 2, 3] });

    private HttpSiteMarketLink Open(EthereumAccount site, Address market, string? pin)
    {
        HttpSiteMarketLink link = new(_address, site, market, Domain, pin, _clock);
        _opened.Add(link);
        return link;
    }

    private byte[] Signed(LinkKind kind, byte[] payload, Func<LinkRequest, LinkRequest>? change = null, LinkDomain? domain = null,
        EthereumAccount? signer = null)
    {
        LinkRequest head = new()
        {
            Kind = kind, Sender = _site.Address, Receiver = _market.Address, Seconds = _clock.GetUtcNow().ToUnixTimeSeconds(),
            Nonce = new Bytes32(RandomNumberGenerator.GetBytes(32)),
            PayloadLength = (uint)payload.Length, PayloadHash = new Bytes32(SHA256.HashData(payload)),
        };
        head = change?.Invoke(head) ?? head;
        return [.. (head with { Signature = (signer ?? _site).Sign(head.Digest(domain ?? Domain)).ToBytes() }).Write(), .. payload];
    }

    /// <summary>The code of the problem; empty when the message was taken.</summary>
    private async Task<string> PostAsync(byte[] message)
    {
#pragma warning disable MA0039 // It accepts one certificate, the test server's own, which no authority has signed.
        using HttpClientHandler handler = new()
        {
            ServerCertificateCustomValidationCallback = (_, certificate, _, _) => certificate!.Thumbprint == _certificate.Thumbprint,
        };
#pragma warning restore MA0039
        using HttpClient http = new(handler) { BaseAddress = _address };
        using ByteArrayContent content = new(message);
        using HttpResponseMessage response = await http.PostAsync(
            new Uri(LinkServer.Path, UriKind.Relative), content, CancellationToken.None);
        if (response.IsSuccessStatusCode)
        {
            return "";
        }

        using JsonDocument problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(CancellationToken.None));
        return problem.RootElement.GetProperty("type").GetString()!.Split('/')[^1];
    }

    // Tests change the store of nonces while the server runs.
    private sealed class Late(HttpsLinkTests tests) : ILinkNonces
    {
        public Task<bool> TakeAsync(
            Address sender, Bytes32 nonce, long nowSeconds, long expiresSeconds, CancellationToken cancellationToken) =>
            tests._nonces.TakeAsync(sender, nonce, nowSeconds, expiresSeconds, cancellationToken);
    }

    private sealed class SteppedClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
