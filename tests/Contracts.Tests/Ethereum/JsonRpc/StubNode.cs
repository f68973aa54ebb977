using System.Net;
using System.Text;

namespace EmrMarket.Contracts.Tests.Ethereum.JsonRpc;

/// <summary>A transport in the node's place: answers each request body with what the function says, or damages what a real node answered.</summary>
internal sealed class StubNode(Func<string, HttpResponseMessage> answer) : HttpMessageHandler
{
    public int Requests { get; private set; }

    public static HttpResponseMessage Json(byte[] body, HttpStatusCode status = HttpStatusCode.OK) =>
        new(status) { Content = new ByteArrayContent(body) { Headers = { { "Content-Type", "application/json" } } } };

    public static HttpResponseMessage Json(string body, HttpStatusCode status = HttpStatusCode.OK) => Json(Encoding.UTF8.GetBytes(body), status);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Requests++;
        return answer(await request.Content!.ReadAsStringAsync(cancellationToken));
    }
}

/// <summary>Passes requests on to a real node and lets a function change each answer's body.</summary>
internal sealed class DamagingTransport(Func<string, byte[], byte[]> damage) : DelegatingHandler(new SocketsHttpHandler { UseProxy = false })
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        string question = await request.Content!.ReadAsStringAsync(cancellationToken);
        using HttpResponseMessage honest = await base.SendAsync(request, cancellationToken);
        return StubNode.Json(damage(question, await honest.Content.ReadAsByteArrayAsync(cancellationToken)));
    }
}
