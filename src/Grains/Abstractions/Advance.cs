namespace EmrMarket.Grains.Abstractions;

/// <summary>
/// What a grain with a workflow answers when it is told to go on. Whoever drives it (a timer in <c>serve</c>, a loop in <c>evaluate</c>,
/// the simulation) calls again at once while something was done, and otherwise at <see cref="DueSeconds"/> or when something that the grain
/// waits for has happened elsewhere.
/// </summary>
[GenerateSerializer]
[Alias("emr.Advance")]
public sealed record Advance
{
    /// <summary>Whether anything was decided, sent or stored by this call.</summary>
    [Id(0)]
    public required bool Progressed { get; init; }

    /// <summary>The ledger's time (unix seconds) from which on there is something to do, null when the grain waits for others
    /// only.</summary>
    [Id(1)]
    public long? DueSeconds { get; init; }

    /// <summary>What it waits for, for people; empty when it has nothing to do.</summary>
    [Id(2)]
    public string WaitsFor { get; init; } = "";
}
