using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>
/// The REST API of a running <c>serve</c> as commands use it: JSON in and out, and every problem as a <see cref="CommandException"/> with
/// the server's own words and the exit code that fits:
/// 2 for what is wrong with the command or its input, 75 for what will work later, 1 otherwise.
/// </summary>
internal sealed class MarketClient : IDisposable
{
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromMinutes(5);

    private readonly HttpClient _http;

    /// <summary>A connection; nothing is asked yet.</summary>
    /// <param name="server">The server's address.</param>
    /// <param name="keys">Where tokens of sign-ins are kept.</param>
    public MarketClient(Uri server, KeyFolder keys)
    {
        (Server, Keys) = (server, keys);
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
        {
            BaseAddress = server, Timeout = LongestAnswer,
        };
        _http.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
    }

    /// <summary>How bodies are written and read.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web);

    /// <summary>The server's address.</summary>
    public Uri Server { get; }

    /// <summary>Where tokens of sign-ins are kept.</summary>
    public KeyFolder Keys { get; }

    /// <summary>The token of the one who asks; null for anybody.</summary>
    public string? Token { get; set; }

    /// <summary>Reads something.</summary>
    public Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) =>
        SendAsync<T>(HttpMethod.Get, path, null, null, cancellationToken);

    /// <summary>Reads something; null when the server says that there is none.</summary>
    public async Task<T?> FindAsync<T>(string path, CancellationToken cancellationToken)
        where T : class
    {
        using HttpResponseMessage answer = await AnswerAsync(HttpMethod.Get, path, null, null, cancellationToken);
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await ReadAsync<T>(answer, path, cancellationToken);
    }

    /// <summary>All pages of a list.</summary>
    public async Task<IReadOnlyList<T>> ListAsync<T>(string path, CancellationToken cancellationToken)
    {
        List<T> all = [];
        string? cursor = null;
        do
        {
            string page = cursor is null
                ? path : $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}cursor={Uri.EscapeDataString(cursor)}";
            Page<T> answer = await GetAsync<Page<T>>(page, cancellationToken);
            all.AddRange(answer.Items);
            cursor = answer.Next;
        }
        while (cursor is not null);
        return all;
    }

    /// <summary>The bytes of a file; null when the server has none.</summary>
    public async Task<byte[]?> FindBytesAsync(string path, CancellationToken cancellationToken)
    {
        using HttpResponseMessage answer = await AnswerAsync(HttpMethod.Get, path, null, null, cancellationToken);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        await RefuseAsync(answer, path, cancellationToken);
        return await answer.Content.ReadAsByteArrayAsync(cancellationToken);
    }

    /// <summary>Hands something in and reads the answer.</summary>
    /// <param name="path">The path.</param>
    /// <param name="body">What is handed in; null for nothing.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="idempotencyKey">A name of this act, so that sending it again does nothing again.</param>
    public Task<T> PostAsync<T>(string path, object? body, CancellationToken cancellationToken, string? idempotencyKey = null) =>
        SendAsync<T>(HttpMethod.Post, path, body is null ? null : Body(body), idempotencyKey, cancellationToken);

    /// <summary>Hands a body of a form of its own in.</summary>
    public Task<T> PostContentAsync<T>(string path, HttpContent body, CancellationToken cancellationToken, string? idempotencyKey = null) =>
        SendAsync<T>(HttpMethod.Post, path, body, idempotencyKey, cancellationToken);

    /// <summary>Sets something.</summary>
    public Task<T> PutAsync<T>(string path, object body, CancellationToken cancellationToken) =>
        SendAsync<T>(HttpMethod.Put, path, Body(body), null, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static StringContent Body(object body) =>
        new(JsonSerializer.Serialize(body, body.GetType(), Json), Encoding.UTF8, "application/json");

    private async Task<T> SendAsync<T>(
        HttpMethod method, string path, HttpContent? body, string? idempotencyKey, CancellationToken cancellationToken)
    {
        using HttpResponseMessage answer = await AnswerAsync(method, path, body, idempotencyKey, cancellationToken);
        return await ReadAsync<T>(answer, path, cancellationToken);
    }

    private async Task<HttpResponseMessage> AnswerAsync(
        HttpMethod method, string path, HttpContent? body, string? idempotencyKey, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = new(method, new Uri(path, UriKind.Relative)) { Content = body };
        if (Token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        }

        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new CommandException(
                ExitCode.NotReady, $"no server answers at {Server}: start one with './emr serve', or name another with --server", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.NotReady,
                $"{Server} did not answer within {LongestAnswer.TotalMinutes:0} minutes; the same command can be given again", e);
        }
    }

    private async Task<T> ReadAsync<T>(HttpResponseMessage answer, string path, CancellationToken cancellationToken)
    {
        await RefuseAsync(answer, path, cancellationToken);
        string text = await TextAsync(answer, cancellationToken);
        if (typeof(T) == typeof(string))
        {
            return (T)(object)text;
        }

        try
        {
            return JsonSerializer.Deserialize<T>(text.Length == 0 ? "{}" : text, Json) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new CommandException(ExitCode.Failure,
                $"{Server} answers /{path.TrimStart('/')} in another form than this program reads: are both of one version? ({e.Message})",
                e);
        }
    }

    private async Task RefuseAsync(HttpResponseMessage answer, string path, CancellationToken cancellationToken)
    {
        if (!answer.IsSuccessStatusCode)
        {
            throw Refusal.Parse(await TextAsync(answer, cancellationToken)).ToException(answer, Server, path);
        }
    }

    private async Task<string> TextAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        try
        {
            return await answer.Content.ReadAsStringAsync(cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new CommandException(
                ExitCode.NotReady, $"{Server} broke off its answer: it may have been stopped; the same command can be given again", e);
        }
    }
}

/// <summary>A page of a list.</summary>
/// <param name="Items">Its entries.</param>
/// <param name="Next">The cursor of the next page; null on the last one.</param>
internal sealed record Page<T>(T[] Items, string? Next);
