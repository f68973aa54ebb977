using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace EmrMarket.Contracts.Ethereum.JsonRpc;

/// <summary>How patiently a node is asked.</summary>
public sealed record JsonRpcOptions
{
    /// <summary>The longest wait for one answer.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a question is asked before its error is passed on; at least 1.</summary>
    public int Attempts { get; init; } = 4;

    /// <summary>The wait before the second attempt; it doubles with each further one.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait between two attempts that the node may ask for.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Questions per HTTP request.</summary>
    public int BatchSize { get; init; } = 100;

    /// <summary>The largest answer, in bytes.</summary>
    public long LargestAnswer { get; init; } = 256L << 20;

    /// <summary>The clock for the waits.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>One question: a method and the writer of its parameters.</summary>
internal readonly record struct JsonRpcCall(string Method, Action<Utf8JsonWriter> WriteParameters);

/// <summary>One answer: a result or the node's error.</summary>
internal readonly record struct JsonRpcAnswer(JsonElement Result, JsonRpcError? Error);

/// <summary>The error object of an answer, with the revert data where it carries some.</summary>
internal sealed record JsonRpcError(long Code, string Message, byte[]? Data);

/// <summary>JSON-RPC 2.0 over HTTP: batches, matched by id, with typed errors. Knows nothing of Ethereum's methods.</summary>
internal sealed class JsonRpcConnection : IDisposable
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private readonly HttpClient _http;
    private readonly Uri _node;
    private readonly JsonRpcOptions _options;

    /// <param name="node">The node's URL, with user name and password where it wants them.</param>
    /// <param name="options">Patience and sizes.</param>
    /// <param name="handler">The transport; tests put a faulty one here.</param>
    public JsonRpcConnection(Uri node, JsonRpcOptions options, HttpMessageHandler? handler = null)
    {
        _node = node;
        _options = options;

        // A proxy of the environment does not reach this machine's own ports.
        // A node learns of no trace.
        handler ??= new SocketsHttpHandler
        {
            UseProxy = !node.IsLoopback, PooledConnectionLifetime = TimeSpan.FromMinutes(5), ActivityHeadersPropagator = null,
        };
        _http = new HttpClient(handler)
        {
            Timeout = System.Threading.Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = options.LargestAnswer,
        };
        if (node.UserInfo.Length > 0)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
                "Basic", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Uri.UnescapeDataString(node.UserInfo))));
        }
    }

    /// <summary>The node's address without what may be secret in it: user, password, query and path (hosted nodes keep their key
    /// there).</summary>
    public static string Display(Uri node) => node.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped);

    /// <summary>Asks all questions, in batches, and reads each answer; asks again, all of a batch, where an error may pass.</summary>
    public async Task<T[]> AskAsync<T>(
        IReadOnlyList<JsonRpcCall> calls, Func<int, JsonRpcAnswer, T> read, CancellationToken cancellationToken)
    {
        T[] results = new T[calls.Count];
        for (int start = 0; start < calls.Count; start += _options.BatchSize)
        {
            JsonRpcCall[] batch = [.. calls.Skip(start).Take(_options.BatchSize)];
            TimeSpan pause = _options.FirstPause;
            for (int attempt = 1; ; attempt++)
            {
                try
                {
                    int first = start;
                    await EthereumTelemetry.MeasureAsync(
                        batch[0].Method, () => AskOnceAsync(batch, first, read, results, cancellationToken));
                    break;
                }
                catch (EthereumException e) when (e.IsTransient && attempt < _options.Attempts)
                {
                    TimeSpan wait = e is RateLimitedException { RetryAfter: { } asked } && asked > pause ? asked : pause;
                    if (wait > _options.LongestPause)
                    {
                        throw;
                    }

                    await Task.Delay(wait, _options.Clock, cancellationToken);
                    pause *= 2;
                }
            }
        }

        return results;
    }

    /// <summary>Asks one question.</summary>
    public async Task<T> AskAsync<T>(JsonRpcCall call, Func<JsonRpcAnswer, T> read, CancellationToken cancellationToken) =>
        (await AskAsync([call], (_, answer) => read(answer), cancellationToken))[0];

    /// <summary>The result of an answer, or its error as an exception.</summary>
    public JsonElement Result(string method, JsonRpcAnswer answer) =>
        answer.Error is { } error ? throw ToException(method, error) : answer.Result;

    public EthereumException ToException(string method, JsonRpcError error)
    {
        // -32005 is "limit exceeded" of EIP-1474; hosted nodes also say so in words under other codes.
        if (error.Code is -32005 or 429 || error.Message.Contains("rate limit", StringComparison.OrdinalIgnoreCase)
            || error.Message.Contains("too many requests", StringComparison.OrdinalIgnoreCase))
        {
            return new RateLimitedException(_node, retryAfter: null);
        }

        // Code 3 is a revert with its data; a node that keeps the data to itself still says "revert".
        return error.Data is { } data && (error.Code == 3 || error.Message.Contains("revert", StringComparison.OrdinalIgnoreCase))
            ? ContractRevertException.FromData(data)
            : error.Message.Contains("revert", StringComparison.OrdinalIgnoreCase)
                ? ContractRevertException.FromData(ReadOnlyMemory<byte>.Empty)
                : new NodeErrorException(method, error.Code, Hex.Excerpt(error.Message));
    }

    public void Dispose() => _http.Dispose();

    private async Task AskOnceAsync<T>(
        JsonRpcCall[] batch, int start, Func<int, JsonRpcAnswer, T> read, T[] results, CancellationToken cancellationToken)
    {
        string method = batch[0].Method;
        byte[] body = await PostAsync(batch, cancellationToken);
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body);
        }
        catch (JsonException e)
        {
            throw new MalformedAnswerException(
                method, string.Create(CultureInfo.InvariantCulture, $"{body.Length} bytes that are no JSON, or end too early"), e);
        }

        using (document)
        {
            JsonElement root = document.RootElement;
            bool[] answered = new bool[batch.Length];
            if (root.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement answer in root.EnumerateArray())
                {
                    ReadOne(answer);
                }
            }
            else
            {
                // A node that refuses a whole batch answers with one error object and no id.
                if (batch.Length > 1 && root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out JsonElement refusal))
                {
                    throw ToException(method, ReadError(method, refusal));
                }

                ReadOne(root);
            }

            int missing = Array.IndexOf(answered, false);
            if (missing >= 0)
            {
                throw new MalformedAnswerException(batch[missing].Method, string.Create(CultureInfo.InvariantCulture,
                    $"{answered.Count(done => done)} of {batch.Length} answers arrived, number {missing + 1} is missing"));
            }

            void ReadOne(JsonElement answer)
            {
                if (answer.ValueKind != JsonValueKind.Object || !answer.TryGetProperty("id", out JsonElement id)
                    || id.ValueKind != JsonValueKind.Number || !id.TryGetInt32(out int index) || index < 0 || index >= batch.Length
                    || answered[index])
                {
                    // An error about the request as a whole carries a null id.
                    if (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("error", out JsonElement whole))
                    {
                        throw ToException(method, ReadError(method, whole));
                    }

                    throw new MalformedAnswerException(method, "an answer carries the id of no open question");
                }

                answered[index] = true;
                string asked = batch[index].Method;
                JsonRpcAnswer read1 = answer.TryGetProperty("error", out JsonElement error) && error.ValueKind != JsonValueKind.Null
                    ? new JsonRpcAnswer(default, ReadError(asked, error))
                    : answer.TryGetProperty("result", out JsonElement result)
                        ? new JsonRpcAnswer(result, null)
                        : throw new MalformedAnswerException(asked, "it holds neither a result nor an error");
                try
                {
                    results[start + index] = read(start + index, read1);
                }
                catch (Exception e) when (e is FormatException or InvalidOperationException or OverflowException or ArgumentException)
                {
                    // InvalidOperationException: JsonElement's word for a value of another kind.
                    throw new MalformedAnswerException(asked, e.Message, e);
                }
            }
        }
    }

    private static JsonRpcError ReadError(string method, JsonElement error)
    {
        if (error.ValueKind != JsonValueKind.Object || !error.TryGetProperty("code", out JsonElement code)
            || code.ValueKind != JsonValueKind.Number || !code.TryGetInt64(out long number))
        {
            throw new MalformedAnswerException(method, "its error has no code");
        }

        try
        {
            string message = error.TryGetProperty("message", out JsonElement text) && text.ValueKind == JsonValueKind.String
                ? text.GetString()! : "";
            return new JsonRpcError(number, message, error.TryGetProperty("data", out JsonElement data) ? ReadData(data) : null);
        }
        catch (InvalidOperationException e)
        {
            throw new MalformedAnswerException(method, "its error is not text", e);
        }
    }

    // geth, anvil and Besu give the hexadecimal text itself; some nodes wrap it in an object, or write a word before it.
    private static byte[]? ReadData(JsonElement data)
    {
        if (data.ValueKind == JsonValueKind.Object)
        {
            return data.TryGetProperty("data", out JsonElement inner) && inner.ValueKind == JsonValueKind.String ? ReadData(inner) : null;
        }

        string text = data.ValueKind == JsonValueKind.String ? data.GetString()! : "";
        int at = text.IndexOf("0x", StringComparison.Ordinal);
        try
        {
            return at < 0 ? null : Hex.Decode(text[at..]);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private async Task<byte[]> PostAsync(JsonRpcCall[] batch, CancellationToken cancellationToken)
    {
        using ByteArrayContent content = new(Write(batch)) { Headers = { ContentType = Json } };
        using HttpRequestMessage request = new(HttpMethod.Post, _node) { Content = content };
        using CancellationTokenSource timeout = new(_options.Timeout, _options.Clock);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, either.Token);
            if (response.StatusCode == HttpStatusCode.TooManyRequests)
            {
                throw new RateLimitedException(_node, RetryAfter(response.Headers.RetryAfter));
            }

            byte[] body = await response.Content.ReadAsByteArrayAsync(either.Token);

            // Nodes put errors of JSON-RPC under 200 or 4xx alike: what is JSON is read as such.
            bool isJson = body.Length > 0 && body[0] is (byte)'{' or (byte)'[';
            return response.IsSuccessStatusCode || isJson
                ? body
                : throw new NodeUnreachableException(
                    _node, string.Create(CultureInfo.InvariantCulture, $"HTTP status {(int)response.StatusCode}"));
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new NodeUnreachableException(
                _node, string.Create(CultureInfo.InvariantCulture, $"no answer within {_options.Timeout.TotalSeconds:0.###} s"));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new NodeUnreachableException(_node, e.Message, e);
        }
    }

    private TimeSpan? RetryAfter(RetryConditionHeaderValue? header) => header switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > _options.Clock.GetUtcNow() => date - _options.Clock.GetUtcNow(),
        _ => null,
    };

    private static byte[] Write(JsonRpcCall[] batch)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
        {
            if (batch.Length > 1)
            {
                writer.WriteStartArray();
            }

            for (int i = 0; i < batch.Length; i++)
            {
                writer.WriteStartObject();
                writer.WriteString("jsonrpc", "2.0");
                writer.WriteNumber("id", i);
                writer.WriteString("method", batch[i].Method);
                writer.WriteStartArray("params");
                batch[i].WriteParameters(writer);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }

            if (batch.Length > 1)
            {
                writer.WriteEndArray();
            }
        }

        return stream.ToArray();
    }
}
