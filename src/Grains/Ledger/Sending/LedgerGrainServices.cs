using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Grains.Ledger.Sending;

/// <summary>The accounts whose keys this process holds.</summary>
public interface ILedgerAccounts
{
    /// <summary>The account of an address, null when its key is not here.</summary>
    EthereumAccount? Find(Address address);
}

/// <summary>Accounts that are known when the process starts.</summary>
public sealed class LedgerAccounts(IEnumerable<EthereumAccount> accounts) : ILedgerAccounts
{
    private readonly Dictionary<Address, EthereumAccount> _byAddress = accounts.ToDictionary(account => account.Address);

    /// <inheritdoc/>
    public EthereumAccount? Find(Address address) => _byAddress.GetValueOrDefault(address);
}

/// <summary>How the ledger's grains send.</summary>
public sealed record LedgerGrainOptions
{
    /// <summary>The chain that transactions are meant for.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>Depths and bounds.</summary>
    public TransactionSenderOptions Sending { get; init; } = new();

    /// <summary>The key of an account's grain.</summary>
    public string KeyOf(Address account) => LedgerGrain.KeyOf(ChainId, account);
}
