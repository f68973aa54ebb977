using System.Net;
using System.Text;

namespace EmrMarket.Contracts.Tests.Ethereum.JsonRpc;

/// <summary>A transport in the node's place: answers each request body with what the function says, or damages what a real node
/// answered.</summary>
internal sealed class StubNode(Func<string, HttpResponseMessage> answer) : HttpMessageHandler
{
    public int Requests { get; private set; }

    public static HttpResponseMessage Json(byte[] body, HttpStatusCode status = HttpStatusCode.OK) =>
        new(status) { Content = new ByteArrayContent(body) { Headers = { { "Content-Type", "application/json" } } } };

    public static HttpResponseMessage Json(string body, HttpStatusCode status = HttpStatusCode.OK) =>
        Json(Encoding.UTF8.GetBytes(body), status);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Requests++;
        return answer(await request.Content!.ReadAsStringAsync(cancellationToken));
    }
}

/// <summary>Passes requests on to a real node and lets a function change each answer's body.</summary>
internal sealed class DamagingTransport(Func<string, byte[], byte[]> damage)
    : DelegatingHandler(new SocketsHttpHandler { UseProxy = false })
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        string question = await request.Content!.ReadAsStringAsync(cancellationToken);
        using HttpResponseMessage honest = await base.SendAsync(request, cancellationToken);
        return StubNode.Json(damage(question, await honest.Content.ReadAsByteArrayAsync(cancellationToken)));
    }
}

/// <summary>A way to a real node on which requests and answers get lost, the node is busy, or nothing comes back in time.</summary>
internal sealed class FailingTransport(Random random) : DelegatingHandler(new SocketsHttpHandler { UseProxy = false })
{
    /// <summary>How often it failed in each of its ways.</summary>
    public int[] Failures { get; } = new int[7];

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        int way = random.Next(30);
        if (way < Failures.Length)
        {
            Failures[way]++;
        }

        switch (way)
        {
            case 0:
                throw new HttpRequestException("the request got lost");
            case 1:
                return new HttpResponseMessage(HttpStatusCode.TooManyRequests);
            case 2:
                return new HttpResponseMessage(HttpStatusCode.ServiceUnavailable) { Content = new StringContent("try later") };
            case 3:
                return StubNode.Json("""{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"limit exceeded"}}""");
        }

        HttpResponseMessage answer = await base.SendAsync(request, cancellationToken);
        switch (way)
        {
            case 4:
                answer.Dispose();
                throw new HttpRequestException("the answer got lost");
            case 5:
                answer.Dispose();
                await Task.Delay(Timeout.Infinite, cancellationToken);
                break;
            case 6:
                byte[] whole = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
                answer.Dispose();
                return StubNode.Json(whole[..(whole.Length / 2)]);
        }

        return answer;
    }
}
