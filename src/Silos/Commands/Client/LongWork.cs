using System.Text.Json;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>Work that goes on at the server after it was asked for.</summary>
internal sealed record LongWork
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);

    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>running, succeeded or failed.</summary>
    public required string State { get; init; }

    /// <summary>How far it is, for people.</summary>
    public string? Progress { get; init; }

    /// <summary>What it came to.</summary>
    public JsonElement? Result { get; init; }

    /// <summary>Why it failed.</summary>
    public Refusal? Problem { get; init; }

    /// <summary>Follows it to its end, and tells how far it is on standard error.</summary>
    /// <param name="market">Where it goes on.</param>
    /// <param name="again">What giving the command again does, for the error of a server that was started again meanwhile.</param>
    /// <param name="cancellationToken">Ends the wait; the work goes on.</param>
    /// <exception cref="CommandException">It failed, or the server forgot it.</exception>
    public async Task<T> FinishAsync<T>(MarketClient market, string again, CancellationToken cancellationToken)
    {
        LongWork work = this;
        string told = "";
        while (work.State is "running")
        {
            if (work.Progress is { Length: > 0 } progress && progress != told)
            {
                told = progress;
                Output.Remark(progress);
            }

            await Task.Delay(Pause, cancellationToken);
            try
            {
                work = await market.GetAsync<LongWork>("api/v1/operations/" + work.Id, cancellationToken);
            }
            catch (CommandException e) when (e.Problem == "unknown-operation")
            {
                throw new CommandException(
                    ExitCode.NotReady, $"{market.Server} was started again meanwhile: give the same command again, {again}", e);
            }
        }

        return work is { State: "succeeded", Result: { } result } ? result.Deserialize<T>(MarketClient.Json)!
            : throw (work.Problem ?? new Refusal { Detail = $"the work ended as {work.State}" })
                .ToException(market.Server, "api/v1/operations/" + work.Id);
    }
}
