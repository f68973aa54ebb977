using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Silos.Roles;

/// <summary>The money that a role has with the ledger for the bonds of its batches.</summary>
internal static class Bonds
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>For bonds of thousands of epochs, rounds and deliveries; token units.</summary>
    public static readonly BigInteger Amount = 1_000_000_000_000;

    /// <summary>Below this a role pays in again; token units.</summary>
    public static readonly BigInteger Least = Amount / 2;

    /// <summary>Pays in what the account of a role holds for it, unless enough is there.</summary>
    /// <returns>Whether enough is there now: false while nobody gave the account money.</returns>
    public static async Task<bool> DepositAsync(RoleHost role, Address account, IEthereumClient client, CancellationToken cancellationToken)
    {
        await role.View.SyncAsync(cancellationToken);
        if (role.View.FreeBalance(account) >= Least)
        {
            return true;
        }

        DevelopmentToken token = new(client, Address.Parse(role.View.Deployment.Token.Address));
        if (await token.BalanceOfAsync(account, BlockReference.Latest, cancellationToken) < Amount)
        {
            return false;
        }

        AnonymousTransaction payments = new(client, Address.Parse(role.View.Deployment.Payments.Address));
        await role.SubmitAsync(0, $"bonds/{role.View.Head}", token.Approve(payments.Address, Amount), payments.Deposit(account, Amount));
        await SettleAsync(role, cancellationToken);
        return true;
    }

    /// <summary>Goes on until all that a role handed over is in blocks.</summary>
    public static async Task SettleAsync(RoleHost role, CancellationToken cancellationToken)
    {
        while ((await role.Senders[0].AdvanceAsync()).WaitsFor.Length > 0)
        {
            await Task.Delay(Pause, cancellationToken);
        }

        await role.View.SyncAsync(cancellationToken);
    }
}
