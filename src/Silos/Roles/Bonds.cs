using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Ledger.View;

namespace EmrMarket.Silos.Roles;

/// <summary>The money that a role has with the ledger for the bonds of its batches.</summary>
internal static class Bonds
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    // Batches of each kind that are open at once, and then some: a role pays in again before it has to wait.
    private const int Batches = 20;

    /// <summary>The most that a role pays in at once: bonds of thousands of epochs, rounds and deliveries on an embedded chain; token
    /// units.</summary>
    public static readonly BigInteger Amount = 1_000_000_000_000;

    /// <summary>Below this a role pays in again; token units.</summary>
    public static BigInteger Enough(ILedgerView view)
    {
        DeploymentTerms terms = view.Deployment.Terms;
        return Batches * ((BigInteger)terms.EpochBondUnits + terms.RoundBondUnits + terms.DeliveryBondUnits);
    }

    /// <summary>Pays in what the account of a role holds for it, unless enough is there.</summary>
    /// <exception cref="RoleProblemException">Not enough is there or can be paid in: somebody has to give the account money.</exception>
    public static async Task DepositAsync(RoleHost role, Address account, IEthereumClient client, CancellationToken cancellationToken)
    {
        await role.View.SyncAsync(cancellationToken);
        BigInteger enough = Enough(role.View), free = role.View.FreeBalance(account);
        if (free >= enough)
        {
            return;
        }

        DevelopmentToken token = new(client, Address.Parse(role.View.Deployment.Token.Address));
        BigInteger held = BigInteger.Min(Amount, await token.BalanceOfAsync(account, BlockReference.Latest, cancellationToken));
        if (free + held < enough)
        {
            throw new RoleProblemException(
                $"account {account} has {free} token units with the ledger for its bonds and holds {held}, and needs {enough}: send it "
                    + $"payment tokens ({token.Address}), and ether for the gas of its transactions");
        }

        AnonymousTransaction payments = new(client, Address.Parse(role.View.Deployment.Payments.Address));
        await role.SubmitAsync(0, $"bonds/{role.View.Head}", token.Approve(payments.Address, held), payments.Deposit(account, held));
        await SettleAsync(role, cancellationToken);
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
