using System.Threading.Channels;
using Orleans;

namespace EmrMarket.Benchmarks.Grains;

/// <summary>The least that a grain can do: what is measured is the call.</summary>
public interface ICounterGrain : IGrainWithIntegerKey
{
    /// <summary>Adds and tells the sum.</summary>
    Task<long> AddAsync(long amount);
}

/// <inheritdoc/>
public sealed class CounterGrain : Grain, ICounterGrain
{
    private long _sum;

    /// <inheritdoc/>
    public Task<long> AddAsync(long amount) => Task.FromResult(_sum += amount);
}

/// <summary>The simple way to the same end, as one would write it by hand: a loop that owns the sum and reads requests from a
/// channel.</summary>
internal sealed class ChannelCounter : IAsyncDisposable
{
    private readonly Channel<(long Amount, TaskCompletionSource<long> Answer)> _requests =
        Channel.CreateUnbounded<(long, TaskCompletionSource<long>)>(new() { SingleReader = true });

    private readonly Task _loop;

    internal ChannelCounter() => _loop = Task.Run(RunAsync);

    public async ValueTask DisposeAsync()
    {
        _requests.Writer.Complete();
        await _loop;
    }

    internal Task<long> AddAsync(long amount)
    {
        var answer = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        _requests.Writer.TryWrite((amount, answer));
        return answer.Task;
    }

    private async Task RunAsync()
    {
        var sum = 0L;
        await foreach (var (amount, answer) in _requests.Reader.ReadAllAsync())
        {
            answer.SetResult(sum += amount);
        }
    }
}
