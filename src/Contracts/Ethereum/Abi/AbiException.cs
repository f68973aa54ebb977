namespace EmrMarket.Contracts.Ethereum.Abi;

/// <summary>ABI data that is not what its type says: truncated, out of range, padded with other than zeros, or pointing outside
/// itself.</summary>
public sealed class AbiException : EthereumException
{
    internal AbiException(AbiType type, int offset, string problem)
        : base($"the ABI data does not hold a {type} at byte {offset}: {problem}. The contract at this address is not the one expected, "
            + "or the answer is damaged: check the deployment file against the chain")
    {
    }

    internal AbiException(string message)
        : base(message)
    {
    }
}
