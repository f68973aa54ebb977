using Microsoft.Extensions.Logging.Abstractions;

namespace EmrMarket.Silos.Roles;

/// <summary>What a role is told besides its accounts and stores.</summary>
internal sealed record RoleSettings
{
    /// <summary>A chain of this machine, which nothing but a crash takes a block back from.</summary>
    public static RoleSettings Embedded { get; } = new();

    /// <summary>Blocks above an event or a transaction before it counts.</summary>
    public ulong Confirmations { get; init; } = 1;

    /// <summary>The most transactions of an account that a node is offered at once; see
    /// <see cref="Contracts.Ethereum.Sending.TransactionSenderOptions"/>.</summary>
    public int LargestNumberInFlight { get; init; } = 1024;

    /// <summary>What the role is called where it is counted; empty for what is counted nowhere.</summary>
    public string Name { get; init; } = "";

    /// <summary>The loggers of the process.</summary>
    public ILoggerFactory Logs { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Where the grains' own section is; null for its defaults.</summary>
    public IConfiguration? Configuration { get; init; }
}
