using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Serialization;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;

namespace EmrMarket.Silos.Api.Traffic;

/// <summary>Work that takes longer than a call should, as its owner sees it.</summary>
internal sealed record OperationInfo
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What it does.</summary>
    public required string Kind { get; init; }

    /// <summary>running, succeeded or failed.</summary>
    public required string State { get; init; }

    /// <summary>How far it is, for people; X-Progress says the same in percent.</summary>
    public required string Progress { get; init; }

    /// <summary>How far it is.</summary>
    [JsonIgnore]
    public int Percent { get; init; }

    /// <summary>What it came to.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public object? Result { get; init; }

    /// <summary>Why it failed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Problem? Problem { get; init; }
}

/// <summary>Does long work beside the calls that asked for it: each is answered with 202 and an address at which to follow it. Kept in
/// memory, for a day after the end.</summary>
internal sealed class Operations(TimeProvider clock, IHostApplicationLifetime lifetime)
{
    private const int MostRunning = 4;
    private const int MostKept = 1000;
    private const int RetryAfterSeconds = 1;
    private static readonly TimeSpan Life = TimeSpan.FromDays(1);

    private readonly ConcurrentDictionary<string, Operation> _all = new(StringComparer.Ordinal);

    /// <summary>Begins work.</summary>
    /// <param name="context">The call that asks for it.</param>
    /// <param name="kind">What it does.</param>
    /// <param name="work">The work; it reports its progress in percent.</param>
    /// <exception cref="ApiException">The session has too much work under way.</exception>
    public IResult Begin(HttpContext context, string kind, Func<IProgress<int>, CancellationToken, Task<object>> work)
    {
        string owner = Session.Require(context).Subject;
        foreach ((string old, Operation known) in _all)
        {
            if (known.Ended is { } ended && (clock.GetUtcNow() - ended > Life || _all.Count > MostKept))
            {
                _all.TryRemove(old, out _);
            }
        }

        if (_all.Values.Count(one => one.Ended is null && string.Equals(one.Owner, owner, StringComparison.Ordinal)) >= MostRunning)
        {
            throw new ApiException(ProblemType.TooManyRequests, $"{MostRunning} operations of this session are under way");
        }

        Operation operation = new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), kind, owner);
        _all[operation.Id] = operation;
        _ = Task.Run(() => operation.RunAsync(work, clock, lifetime.ApplicationStopping), CancellationToken.None);
        return new OperationAnswer(operation.Info);
    }

    /// <summary>Where work stands; anybody else's is unknown.</summary>
    /// <exception cref="ApiException"><see cref="ProblemType.UnknownOperation"/>.</exception>
    public IResult Read(HttpContext context, string id) =>
        _all.TryGetValue(id, out Operation? operation)
            && string.Equals(operation.Owner, Session.Require(context).Subject, StringComparison.Ordinal)
            ? new OperationAnswer(operation.Info)
            : throw new ApiException(ProblemType.UnknownOperation);

        private sealed class Operation(string id, string kind, string owner) : IProgress<int>
    {
        private volatile OperationInfo _info = new() { Id = id, Kind = kind, State = "running", Progress = "begun" };

        public string Id => id;

        public string Owner => owner;

        public OperationInfo Info => _info;

        public DateTimeOffset? Ended { get; private set; }

        public void Report(int value) => _info = _info with
        {
            Percent = Math.Clamp(value, _info.Percent, 99), Progress = string.Create(CultureInfo.InvariantCulture, $"{value} %"),
        };

        public async Task RunAsync(
            Func<IProgress<int>, CancellationToken, Task<object>> work, TimeProvider clock, CancellationToken stopping)
        {
            try
            {
                object result = await work(this, stopping);
                _info = _info with { State = "succeeded", Progress = "done", Percent = 100, Result = result };
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                _info = _info with { State = "failed", Progress = "ended", Problem = ProblemWriter.Describe(e) };
            }

            Ended = clock.GetUtcNow();
        }
    }

    private sealed class OperationAnswer(OperationInfo info) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            bool running = info.State == "running";
            IHeaderDictionary headers = httpContext.Response.Headers;
            headers["X-Progress"] = info.Percent.ToString(CultureInfo.InvariantCulture);
            headers.CacheControl = "no-store";
            if (running)
            {
                headers.RetryAfter = RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
                headers.Location = $"{ApiPaths.Root}/operations/{info.Id}";
            }

            return Results.Json(info, statusCode: running ? StatusCodes.Status202Accepted : StatusCodes.Status200OK)
                .ExecuteAsync(httpContext);
        }
    }
}
