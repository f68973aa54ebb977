using System.Globalization;
using System.Threading.RateLimiting;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;
using Microsoft.AspNetCore.RateLimiting;

namespace EmrMarket.Silos.Api.Traffic;

/// <summary>How dear a call is.</summary>
internal enum RateClass
{
    /// <summary>It reads what is at hand.</summary>
    Read,

    /// <summary>It changes something, or computes for a while.</summary>
    Write,

    /// <summary>It tries to sign in.</summary>
    SignIn,

    /// <summary>It computes for seconds.</summary>
    Heavy,
}

/// <summary>How many calls a key may make: a session, or an address without one.</summary>
internal sealed record RateLimits
{
    /// <summary>Reads.</summary>
    public Bucket Read { get; init; } = new(400, 100);

    /// <summary>Changes and plans.</summary>
    public Bucket Write { get; init; } = new(60, 10);

    /// <summary>Sign-ins.</summary>
    public Bucket SignIn { get; init; } = new(20, 1);

    /// <summary>Loads, traces, replays and wallets.</summary>
    public Bucket Heavy { get; init; } = new(20, 1);

    /// <summary>No limits that anybody meets: for measurements.</summary>
    public static RateLimits None { get; } = new()
    {
        Read = Bucket.Endless, Write = Bucket.Endless, SignIn = Bucket.Endless, Heavy = Bucket.Endless,
    };

    /// <summary>The limit of a class.</summary>
    public Bucket Of(RateClass rate) =>
        rate switch { RateClass.Read => Read, RateClass.Write => Write, RateClass.SignIn => SignIn, _ => Heavy };

    /// <summary>Tells the middleware.</summary>
    public void Configure(RateLimiterOptions options)
    {
        options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, (RateClass, string)>(context =>
        {
            RateClass rate = context.GetEndpoint()?.Metadata.GetMetadata<RateClassName>()?.Rate ?? RateClass.Read;

            // Whoever tries to sign in is limited by where from, whatever session comes along.
            string who = rate != RateClass.SignIn && Session.Of(context.User) is { } session
                ? session.Subject : context.Connection.RemoteIpAddress?.ToString() ?? "";
            return RateLimitPartition.GetTokenBucketLimiter((rate, who), key => Of(key.Item1).ToOptions());
        });
        options.OnRejected = (rejected, _) =>
        {
            HttpContext context = rejected.HttpContext;
            int seconds = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan wait)
                ? Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)) : 1;
            if (ApiPaths.IsApi(context.Request.Path))
            {
                return new ValueTask(ProblemWriter.WriteAsync(
                    context, Problem.Of(ProblemType.TooManyRequests, "this key has used up its calls for the moment") with
                    {
                        RetryAfterSeconds = seconds,
                    }));
            }

            // Without words: pages say it to people in one of theirs.
            context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            return ValueTask.CompletedTask;
        };
    }
}

/// <summary>A bucket of calls.</summary>
/// <param name="Burst">How many it holds.</param>
/// <param name="PerSecond">How many come back each second.</param>
internal sealed record Bucket(int Burst, int PerSecond)
{
    /// <summary>One that is never empty.</summary>
    public static Bucket Endless { get; } = new(int.MaxValue, int.MaxValue);

    /// <summary>For the middleware.</summary>
    public TokenBucketRateLimiterOptions ToOptions() => new()
    {
        TokenLimit = Burst, TokensPerPeriod = PerSecond, ReplenishmentPeriod = TimeSpan.FromSeconds(1), QueueLimit = 0,
    };

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Burst}, then {PerSecond} a second");
}
