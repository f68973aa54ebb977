using System.Collections.Concurrent;
using System.Text.Json;
using EmrMarket.Silos.Api.Access;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;

namespace EmrMarket.Silos.Api.Traffic;

/// <summary>Whom a kept answer is for.</summary>
internal enum CacheFor
{
    /// <summary>It is the same for all.</summary>
    Everybody,

    /// <summary>It is the session's alone.</summary>
    Session,
}

/// <summary>
/// Keeps the JSON of answers for a second, which is as often as roles go on by themselves, and gives each an ETag. Whoever comes while an
/// old answer is made anew gets the old one; whoever changed something sees what was changed.
/// </summary>
internal sealed class AnswerCache(TimeProvider clock, IOptions<JsonOptions> json)
{
    private const int MostAnswers = 4096;
    private const long MostBytes = 64 << 20;
    private const int MostSessions = 10_000;
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Oldest = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<(string Path, string Query, string Subject, int Generation), Answer> _answers = new();
    private readonly ConcurrentDictionary<string, int> _generations = new(StringComparer.Ordinal);
    private long _bytes;

    /// <summary>Answers a call from what is kept, or keeps what the endpoint answers.</summary>
    public async ValueTask<object?> AnswerAsync(EndpointFilterInvocationContext call, EndpointFilterDelegate next, CacheFor whom)
    {
        HttpContext context = call.HttpContext;
        string subject = whom == CacheFor.Everybody ? "" : Session.Require(context).Subject;
        var key = (context.Request.Path.Value ?? "", context.Request.QueryString.Value ?? "", subject,
            subject.Length == 0 ? 0 : _generations.GetValueOrDefault(subject));
        long now = clock.GetTimestamp();
        if (_answers.TryGetValue(key, out Answer? kept) && clock.GetElapsedTime(kept.Made, now) is var age
            && (age < Fresh || (age < Oldest && !kept.TryRenew())))
        {
            return kept.For(whom);
        }

        object? value;
        try
        {
            value = await next(call);
        }
        catch
        {
            kept?.GiveUp();
            throw;
        }

        if (value is IResult result)
        {
            return result;
        }

        byte[] body = JsonSerializer.SerializeToUtf8Bytes(value, value?.GetType() ?? typeof(object), json.Value.SerializerOptions);
        Answer made = new(body, EntityTag.Of(body), now);
        Keep(key, made);
        return made.For(whom);
    }

    /// <summary>Forgets what was kept for whoever has this session: something may have changed.</summary>
    public void Forget(Session session)
    {
        if (_generations.Count > MostSessions)
        {
            // A generation that is begun again must not find answers of its first life.
            _answers.Clear();
            Interlocked.Exchange(ref _bytes, 0);
            _generations.Clear();
        }

        _generations.AddOrUpdate(session.Subject, 1, (_, old) => unchecked(old + 1));
    }

    private void Keep((string, string, string, int) key, Answer made)
    {
        if (_answers.Count >= MostAnswers || Interlocked.Read(ref _bytes) > MostBytes)
        {
            _answers.Clear();
            Interlocked.Exchange(ref _bytes, 0);
        }

        long before = _answers.TryGetValue(key, out Answer? old) ? old.Body.Length : 0;
        _answers[key] = made;
        Interlocked.Add(ref _bytes, made.Body.Length - before);
    }

    private sealed class Answer(byte[] body, string tag, long made)
    {
        private readonly TaggedAnswer _everybody = new(body, tag, "public, no-cache", shared: true);
        private readonly TaggedAnswer _session = new(body, tag, "private, no-cache", shared: false);
        private int _renewing;

        public byte[] Body => body;

        public long Made => made;

        public bool TryRenew() => Interlocked.Exchange(ref _renewing, 1) == 0;

        public void GiveUp() => Interlocked.Exchange(ref _renewing, 0);

        public TaggedAnswer For(CacheFor whom) => whom == CacheFor.Everybody ? _everybody : _session;
    }
}

/// <summary>JSON with its ETag: nothing but the tag for whoever has it already.</summary>
internal sealed class TaggedAnswer(byte[] body, string tag, string cacheControl, bool shared) : IResult
{
    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        HttpResponse response = httpContext.Response;
        response.Headers.ETag = tag;
        response.Headers.CacheControl = cacheControl;
        if (!shared)
        {
            response.Headers.Vary = "Authorization, Cookie";
        }

        if (EntityTag.IsKnown(httpContext.Request, tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(httpContext.Request.Method)
            ? Task.CompletedTask : response.Body.WriteAsync(body, httpContext.RequestAborted).AsTask();
    }
}
