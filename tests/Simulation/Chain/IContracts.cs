using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Simulation.Chain;

/// <summary>The state of a simulated chain's contracts after a block.</summary>
internal interface IContracts
{
    /// <summary>A state of its own that is equal now.</summary>
    IContracts Copy();

    /// <summary>Whether there is a contract at an address.</summary>
    bool Has(Address address);

    /// <summary>Runs a call: all of it, or nothing.</summary>
    Execution Run(Address sender, Address to, byte[] data, ulong block, ulong seconds);
}

/// <summary>What a call did.</summary>
/// <param name="Gas">What it takes.</param>
/// <param name="Logs">What it logged; empty after a refusal.</param>
/// <param name="Revert">What it was refused with; null when it was accepted.</param>
internal sealed record Execution(ulong Gas, IReadOnlyList<(Address Contract, Bytes32[] Topics, byte[] Data)> Logs, byte[]? Revert = null);
