using System.Collections.Concurrent;
using System.Security.Cryptography;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;

namespace EmrMarket.Silos.Api.Traffic;

/// <summary>
/// Answers a call that comes again under its Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) as it was answered the first time.
/// Kept in memory for a day: what such calls do is idempotent by its content as well, so after a restart a repeated one changes nothing
/// either.
/// </summary>
internal sealed class RememberedAnswers(RequestDelegate next, TimeProvider clock)
{
    /// <summary>The header.</summary>
    public const string Header = "Idempotency-Key";

    private const int LongestKey = 100;
    private const int LargestBody = 64 << 10;
    private const int MostKept = 10_000;
    private static readonly TimeSpan Life = TimeSpan.FromDays(1);
    private static readonly string[] KeptHeaders = ["Location", "Content-Type", "Retry-After", "X-Progress"];

    private readonly ConcurrentDictionary<(string Who, string Path, string Key), Remembered> _kept = new();

    /// <summary>Answers a call.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<Remembers>() is null || context.Request.Headers[Header] is not [{ } key, ..])
        {
            await next(context);
            return;
        }

        if (context.Request.Headers[Header].Count != 1 || key.Length is < 1 or > LongestKey || !key.All(c => c is > ' ' and < '\u007f'))
        {
            throw new ApiException(ProblemType.InvalidValue, $"{Header} has 1 to {LongestKey} visible ASCII characters");
        }

        byte[] body = await ReadAsync(context);
        byte[] hash = SHA256.HashData(body);
        context.Request.Body = new MemoryStream(body, writable: false);
        string who = Session.Of(context.User)?.Subject ?? context.Connection.RemoteIpAddress?.ToString() ?? "";
        var name = (who, context.Request.Method + context.Request.Path + context.Request.QueryString, key);
        Forget();
        Remembered mine = new(hash, clock.GetUtcNow());
        Remembered kept = _kept.GetOrAdd(name, mine);
        if (!ReferenceEquals(kept, mine))
        {
            if (!CryptographicOperations.FixedTimeEquals(kept.Hash, hash))
            {
                throw new ApiException(ProblemType.IdempotencyKeyReused, "a call with this key had another body");
            }

            await (kept.Answer ?? throw new ApiException(ProblemType.IdempotencyKeyInUse)).WriteAsync(context);
            return;
        }

        bool done = false;
        Stream real = context.Response.Body;
        using MemoryStream written = new();
        context.Response.Body = written;
        try
        {
            await next(context);
            if (context.Response.StatusCode is >= 200 and < 300)
            {
                mine.Answer = new KeptAnswer(
                    context.Response.StatusCode,
                    [.. KeptHeaders.Where(context.Response.Headers.ContainsKey)
                        .Select(header => (header, context.Response.Headers[header].ToString()))], written.ToArray());
                done = true;
            }
        }
        finally
        {
            context.Response.Body = real;
            if (!done)
            {
                // What failed may be tried again under the same key.
                _kept.TryRemove(name, out _);
            }
        }

        written.Position = 0;
        await written.CopyToAsync(real, context.RequestAborted);
    }

    private static async Task<byte[]> ReadAsync(HttpContext context)
    {
        using MemoryStream body = new();
        byte[] buffer = new byte[8192];
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            body.Write(buffer, 0, read);
            if (body.Length > LargestBody)
            {
                throw new ApiException(ProblemType.TooLarge);
            }
        }

        return body.ToArray();
    }

    private void Forget()
    {
        if (_kept.Count < MostKept)
        {
            return;
        }

        DateTimeOffset now = clock.GetUtcNow();
        var byAge = _kept.ToArray().OrderBy(pair => pair.Value.Begun).ToArray();
        foreach (var pair in byAge.Where((pair, i) => i < MostKept / 10 || now - pair.Value.Begun > Life))
        {
            _kept.TryRemove(pair.Key, out _);
        }
    }

    private sealed class Remembered(byte[] hash, DateTimeOffset begun)
    {
        public byte[] Hash => hash;

        public DateTimeOffset Begun => begun;

        public KeptAnswer? Answer { get; set; }
    }

    private sealed record KeptAnswer(int Status, (string Name, string Value)[] Headers, byte[] Body)
    {
        public async Task WriteAsync(HttpContext context)
        {
            context.Response.StatusCode = Status;
            foreach ((string name, string value) in Headers)
            {
                context.Response.Headers[name] = value;
            }

            context.Response.Headers["Idempotent-Replayed"] = "true";
            await context.Response.Body.WriteAsync(Body, context.RequestAborted);
        }
    }
}
