namespace EmrMarket.Grains.Abstractions.Ledger;

/// <summary>
/// The only sender of one account on one chain. Key: <c>chainId/0xaddress</c>. A command is durable when <see cref="SubmitAsync"/> returns;
/// it reaches the chain exactly once, across crashes, lost answers and reorganisations, and ends in exactly one outcome.
/// </summary>
[Alias("emr.ILedgerGrain")]
public interface ILedgerGrain : IGrainWithStringKey
{
    /// <summary>Takes commands, in order, and answers with what is known of each. A command that was given before is not sent again,
    /// whatever it holds.</summary>
    [Alias("Submit")]
    [ResponseTimeout("00:01:00")]
    Task<LedgerOutcome[]> SubmitAsync(LedgerCommand[] commands);

    /// <summary>What is known of commands; unknown ids are left out.</summary>
    [Alias("Outcomes")]
    Task<LedgerOutcome[]> OutcomesAsync(string[] ids);

    /// <summary>Sends what waits, offers again what was not taken, and records receipts that have enough confirmations.</summary>
    [Alias("Advance")]
    [ResponseTimeout("00:01:00")]
    Task<Advance> AdvanceAsync();
}

/// <summary>A call of a contract that the account is to send.</summary>
[GenerateSerializer]
[Alias("emr.LedgerCommand")]
public sealed record LedgerCommand
{
    /// <summary>The command's own id, made once by whoever decides it and derived from what it is about, for example
    /// <c>close-book/SCHEMA/3</c>.</summary>
    [Id(0)]
    public required string Id { get; init; }

    /// <summary>The contract, 20 bytes.</summary>
    [Id(1)]
    public required byte[] To { get; init; }

    /// <summary>The call, ABI-encoded.</summary>
    [Id(2)]
    public required byte[] Data { get; init; }

    /// <summary>The most gas; estimated when null, which also refuses what the contract would refuse.</summary>
    [Id(3)]
    public ulong? GasLimit { get; init; }
}

/// <summary>What became of a command.</summary>
[GenerateSerializer]
[Alias("emr.LedgerState")]
public enum LedgerState
{
    /// <summary>Durable, and not yet final.</summary>
    Pending = 0,

    /// <summary>In a block with enough confirmations, and the contract accepted it.</summary>
    Succeeded = 1,

    /// <summary>The contract refuses it, in a block or when the gas was estimated; nothing changed.</summary>
    Refused = 2,
}

/// <summary>A command's outcome as far as it is known.</summary>
[GenerateSerializer]
[Alias("emr.LedgerOutcome")]
public sealed record LedgerOutcome
{
    /// <summary>The command.</summary>
    [Id(0)]
    public required string Id { get; init; }

    /// <summary>Where it stands.</summary>
    [Id(1)]
    public required LedgerState State { get; init; }

    /// <summary>The transaction's hash, 32 bytes; empty while unknown or when it was never sent.</summary>
    [Id(2)]
    public byte[] TransactionHash { get; init; } = [];

    /// <summary>The block; 0 while unknown.</summary>
    [Id(3)]
    public ulong BlockNumber { get; init; }

    /// <summary>The block's time, unix seconds; 0 while unknown.</summary>
    [Id(4)]
    public ulong BlockSeconds { get; init; }

    /// <summary>Gas; 0 while unknown.</summary>
    [Id(5)]
    public ulong GasUsed { get; init; }

    /// <summary>Why the contract refuses, by the name of its error and with its arguments; empty otherwise.</summary>
    [Id(6)]
    public string Refusal { get; init; } = "";
}
