using System.Net;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Tests.Ethereum.JsonRpc;

/// <summary>Everything that a node or the way to it can do wrong is a typed error that says what to do.</summary>
public class NodeErrorTests
{
    private static readonly Uri Node = new("http://user:secret@node.example/path-with-key");
    private static readonly JsonRpcOptions Once = new() { Attempts = 1 };

    [Fact]
    public async Task Unreachable_node_is_named_without_its_secrets()
    {
        using JsonRpcEthereumClient client = new(Node, Once, new StubNode(_ => throw new HttpRequestException("connection refused")));
        NodeUnreachableException error = await Assert.ThrowsAsync<NodeUnreachableException>(
            () => client.GetChainIdAsync(CancellationToken.None));
        Assert.True(error.IsTransient);
        Assert.Contains("node.example", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("path-with-key", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Node_that_does_not_answer_in_time_is_an_error_and_cancellation_is_not()
    {
        using JsonRpcEthereumClient slow = new(Node, Once with { Timeout = TimeSpan.FromMilliseconds(20) }, new SilentNode());
        Assert.Contains("within",
            (await Assert.ThrowsAsync<NodeUnreachableException>(() => slow.GetChainIdAsync(CancellationToken.None))).Message,
            StringComparison.Ordinal);
        using JsonRpcEthereumClient patient = new(Node, Once, new SilentNode());
        using CancellationTokenSource cancelled = new(20);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => patient.GetChainIdAsync(cancelled.Token));
    }

    [Fact]
    public async Task Rate_limits_are_told_apart_and_waited_out()
    {
        HttpResponseMessage Limited()
        {
            HttpResponseMessage response = new(HttpStatusCode.TooManyRequests);
            response.Headers.Add("Retry-After", "7");
            return response;
        }

        using JsonRpcEthereumClient client = new(Node, Once, new StubNode(_ => Limited()));
        Assert.Equal(TimeSpan.FromSeconds(7),
            (await Assert.ThrowsAsync<RateLimitedException>(() => client.GetChainIdAsync(CancellationToken.None))).RetryAfter);
        using JsonRpcEthereumClient inBody = new(Node, Once, new StubNode(_ => StubNode.Json("""{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"limit exceeded"}}""")));
        await Assert.ThrowsAsync<RateLimitedException>(() => inBody.GetChainIdAsync(CancellationToken.None));

        int asked = 0;
        JsonRpcOptions patient = new() { Attempts = 3, FirstPause = TimeSpan.FromMilliseconds(1) };
        using JsonRpcEthereumClient waits = new(Node, patient, new StubNode(_ => ++asked < 3
            ? StubNode.Json("""{"jsonrpc":"2.0","id":0,"error":{"code":429,"message":"too many requests"}}""")
            : StubNode.Json("""{"jsonrpc":"2.0","id":0,"result":"0x7a69"}""")));
        Assert.Equal(31_337UL, await waits.GetChainIdAsync(CancellationToken.None));
        Assert.Equal(3, asked);

        // A wait longer than the caller's bound is the caller's to decide.
        int once = 0;
        using JsonRpcEthereumClient bounded = new(Node, patient with { LongestPause = TimeSpan.FromSeconds(5) }, new StubNode(_ =>
        {
            once++;
            return Limited();
        }));
        await Assert.ThrowsAsync<RateLimitedException>(() => bounded.GetChainIdAsync(CancellationToken.None));
        Assert.Equal(1, once);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":"0x7a""")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":"0x1"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":"0","result":"0x1"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":null}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":1}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":"1"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":"0x"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":"0xg"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":"0x10000000000000000"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":"\ud800"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"error":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"error":"no"}""")]
    [InlineData("""[{"jsonrpc":"2.0","id":0,"result":"0x1"},{"jsonrpc":"2.0","id":0,"result":"0x2"}]""")]
    [InlineData("<html>502 Bad Gateway</html>")]
    public async Task Damaged_answer_is_refused(string body)
    {
        using JsonRpcEthereumClient client = new(Node, Once, new StubNode(_ => StubNode.Json(body)));
        MalformedAnswerException error = await Assert.ThrowsAsync<MalformedAnswerException>(
            () => client.GetChainIdAsync(CancellationToken.None));
        Assert.True(error.IsTransient);
        Assert.Contains("eth_chainId", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answer_beyond_the_bound_is_refused()
    {
        using JsonRpcEthereumClient client = new(
            Node, Once with { LargestAnswer = 1_000 }, new StubNode(_ => StubNode.Json(new byte[2_000])));
        await Assert.ThrowsAsync<NodeUnreachableException>(() => client.GetChainIdAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Batch_answers_are_matched_by_id_in_any_order_and_none_may_be_missing()
    {
        Bytes32[] hashes = [Keccak256.Hash("a"), Keccak256.Hash("b")];
        using JsonRpcEthereumClient swapped = new(Node, Once, new StubNode(_ =>
            StubNode.Json("""[{"jsonrpc":"2.0","id":1,"result":null},{"jsonrpc":"2.0","id":0,"result":null}]""")));
        Assert.Equal([null, null], await swapped.GetReceiptsAsync(hashes, CancellationToken.None));
        using JsonRpcEthereumClient missing = new(Node, Once, new StubNode(_ => StubNode.Json("""[{"jsonrpc":"2.0","id":1,"result":null}]""")));
        Assert.Contains("1 of 2",
            (await Assert.ThrowsAsync<MalformedAnswerException>(() => missing.GetReceiptsAsync(hashes, CancellationToken.None))).Message,
            StringComparison.Ordinal);
        using JsonRpcEthereumClient refused = new(Node, Once, new StubNode(_ =>
            StubNode.Json("""{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batches are not supported"}}""")));
        Assert.Contains("batches are not supported",
            (await Assert.ThrowsAsync<NodeErrorException>(() => refused.GetReceiptsAsync(hashes, CancellationToken.None))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Http_error_without_json_is_unreachable_and_with_json_is_read()
    {
        using JsonRpcEthereumClient gateway = new(Node, Once,
            new StubNode(_ => new HttpResponseMessage(HttpStatusCode.BadGateway) { Content = new StringContent("bad gateway") }));
        Assert.Contains("502",
            (await Assert.ThrowsAsync<NodeUnreachableException>(() => gateway.GetChainIdAsync(CancellationToken.None))).Message,
            StringComparison.Ordinal);
        using JsonRpcEthereumClient refused = new(Node, Once, new StubNode(_ =>
            StubNode.Json("""{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"method not found"}}""", HttpStatusCode.BadRequest)));
        Assert.Equal(-32601, (await Assert.ThrowsAsync<NodeErrorException>(() => refused.GetChainIdAsync(CancellationToken.None))).Code);
    }

    [Theory]
    [InlineData("""{"code":3,"message":"execution reverted","data":"0x08c379a000000000000000000000000000000000000000000000000000000000000000200000000000000000000000000000000000000000000000000000000000000002686900000000000000000000000000000000000000000000000000000000000"}""", "refused")]
    [InlineData("""{"code":3,"message":"execution reverted: hi","data":"0x08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000026869000000000000000000000000000000000000000000000000000000000000"}""", "\"hi\"")]
    [InlineData("""{"code":-32000,"message":"execution reverted","data":{"data":"0x4e487b710000000000000000000000000000000000000000000000000000000000000011"}}""", "out of range")]
    [InlineData("""{"code":-32015,"message":"VM execution error: reverted","data":"Reverted 0xdeadbeef"}""", "0xdeadbeef")]
    [InlineData("""{"code":-32000,"message":"execution reverted"}""", "without a reason")]
    public async Task Revert_carries_its_reason_in_every_node_s_way_of_saying_it(string error, string expected)
    {
        using JsonRpcEthereumClient client = new(Node, Once, new StubNode(_ => StubNode.Json($$"""{"jsonrpc":"2.0","id":0,"error":{{error}} }""")));
        ContractRevertException revert = await Assert.ThrowsAsync<ContractRevertException>(
            () => client.CallAsync(new ContractCall(Address.Zero, default), BlockReference.Latest, CancellationToken.None));
        Assert.Contains(expected, revert.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("already known", SendStatus.AlreadyKnown)]
    [InlineData("Known transaction", SendStatus.AlreadyKnown)]
    [InlineData("transaction already imported", SendStatus.AlreadyKnown)]
    [InlineData("nonce too low: next nonce 5, tx nonce 4", SendStatus.NonceTooLow)]
    [InlineData("Nonce too low", SendStatus.NonceTooLow)]
    [InlineData("OldNonce, Current nonce: 5", SendStatus.NonceTooLow)]
    [InlineData("txpool is full", SendStatus.Deferred)]
    [InlineData("rate limit reached", SendStatus.Deferred)]
    [InlineData("insufficient funds for gas * price + value", SendStatus.Refused)]
    [InlineData("transaction underpriced", SendStatus.Refused)]
    public async Task Refusals_of_transactions_are_sorted_by_what_to_do(string words, SendStatus expected)
    {
        using JsonRpcEthereumClient client = new(Node, Once, new StubNode(_ => StubNode.Json($$$"""{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"{{{words}}}"}}""")));
        SendOutcome outcome =
            (await client.SendRawAsync([new SignedTransaction(0, Keccak256.Hash("x"), new byte[] { 1 })], CancellationToken.None))[0];
        Assert.Equal(expected, outcome.Status);
        Assert.NotNull(outcome.Error);
    }

    [Fact]
    public async Task Node_that_took_another_transaction_is_refused()
    {
        using JsonRpcEthereumClient client = new(Node, Once, new StubNode(_ => StubNode.Json($$"""{"jsonrpc":"2.0","id":0,"result":"{{Keccak256.Hash("other")}}"}""")));
        await Assert.ThrowsAsync<MalformedAnswerException>(
            () => client.SendRawAsync([new SignedTransaction(0, Keccak256.Hash("x"), new byte[] { 1 })], CancellationToken.None));
    }

    [Fact]
    public void Url_of_another_scheme_is_refused() =>
        Assert.Throws<ArgumentException>(() => new JsonRpcEthereumClient(new Uri("ws://node.example")));

    private sealed class SilentNode : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException();
        }
    }
}
