using EmrMarket.Contracts.DevChain;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Tests.Commands;
using Microsoft.Extensions.Logging.Abstractions;

namespace EmrMarket.Silos.Tests.Telemetry;

/// <summary>An embedded engine that dies under a server is started again; one that cannot be ends the server with its reason.</summary>
public sealed class EngineWatchTests
{
    [Fact]
    public async Task Loss_of_an_engine_ends_the_work_and_is_the_outcome()
    {
        TaskCompletionSource engine = new();
        bool wasAsked = false;
        Task<int> watched = EngineWatch.RunAsync(
            [("the engine", engine.Task, () => 0)], NullLogger.Instance, async stopping =>
            {
                TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
                await using CancellationTokenRegistration registration = stopping.Register(asked.SetResult);
                engine.SetException(new ProcessFailedException("engine", "it ended at once", "log"));
                await asked.Task;
                wasAsked = true;
                throw new InvalidOperationException("the work cannot go on without it");
            }, CancellationToken.None);
        await Assert.ThrowsAsync<ProcessFailedException>(() => watched);
        Assert.True(wasAsked);
    }

    [Fact]
    public async Task Work_that_ends_first_is_the_outcome()
    {
        TaskCompletionSource engine = new();
        Assert.Equal(3, await EngineWatch.RunAsync(
            [("the engine", engine.Task, () => 0)], NullLogger.Instance, _ => Task.FromResult(3), CancellationToken.None));
        await Assert.ThrowsAsync<InvalidOperationException>(() => EngineWatch.RunAsync(
            [], NullLogger.Instance, _ => throw new InvalidOperationException("at once"), CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    public async Task Served_database_that_dies_comes_back_and_one_that_cannot_ends_the_server_with_1()
    {
        await using ServedMarket market = new();
        await market.StartAsync();

        // Killed: it is started again, and the market goes on.
        EmbeddedEngine.Kill(market, "postgres");
        await market.SaysAsync("ready at block");

        // Without its data it cannot be.
        Directory.Move(market.Place("database/data"), market.Place("database/away"));
        EmbeddedEngine.Kill(market, "postgres", comesBack: false);
        (int code, string said) = await market.EndAsync();
        Assert.Equal(1, code);
        Assert.Contains("the embedded database died and was started again", said, StringComparison.Ordinal);
        Assert.Contains("the embedded database died and cannot be started again: this process ends", said, StringComparison.Ordinal);
        Assert.Contains("emr: postgres failed", said, StringComparison.Ordinal);
    }
}
