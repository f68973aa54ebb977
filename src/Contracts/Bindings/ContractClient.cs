using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Bindings;

/// <summary>What the typed clients of all contracts share: an address, and errors by type.</summary>
public abstract class ContractClient
{
    /// <summary>Speaks to the contract at an address.</summary>
    protected ContractClient(IEthereumClient client, Address address) => (Client, Address) = (client, address);

    /// <summary>The node.</summary>
    public IEthereumClient Client { get; }

    /// <summary>Where the contract stands.</summary>
    public Address Address { get; }

    /// <summary>Runs a call as if it were sent, and changes nothing: a refusal comes as the typed exception, before anything is
    /// spent.</summary>
    /// <param name="call">What a method of this class returned.</param>
    /// <param name="from">Who would send it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ContractRevertException">The contract would refuse.</exception>
    public async Task TryAsync(ContractCall call, Address from, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(call);
        await CallAsync(call with { From = from }, BlockReference.Pending, cancellationToken);
    }

    /// <summary>Runs a call against the state after a block.</summary>
    protected async Task<byte[]> CallAsync(ContractCall call, BlockReference block, CancellationToken cancellationToken)
    {
        try
        {
            return await Client.CallAsync(call, block, cancellationToken);
        }
        catch (ContractRevertException e)
        {
            throw ToTyped(e.RevertData);
        }
    }

    /// <summary>The typed exception of what a contract refused with.</summary>
    protected abstract ContractRevertException ToTyped(ReadOnlyMemory<byte> revertData);
}

/// <summary>An event that a contract of the project declares.</summary>
public interface IContractEvent;
