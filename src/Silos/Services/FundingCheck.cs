using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>
/// Says before anything is signed why the ledger would not open a request. The contract itself is asked, by the call that would be sent,
/// which changes nothing; only that the allowance stands, which the researcher's first call gives, is not asked of it.
/// </summary>
internal sealed class FundingCheck(RunningRoles roles)
{
    /// <summary>Refuses what the ledger would refuse; a request that it holds already is not refused.</summary>
    /// <exception cref="RequestRefusedException"><c>requests-paused</c>, <c>ledger-terms</c> or <c>funds</c>.</exception>
    public async Task RequireAsync(string researcher, RequestTerms terms, CancellationToken cancellationToken)
    {
        Address account = LedgerService.AccountOf(researcher);
        MatchingDecision matching = new(roles.Client, Address.Parse(roles.View.Deployment.Matching.Address));
        try
        {
            await matching.TryAsync(matching.OpenRequest(terms), account, cancellationToken);
        }
        catch (RequestExistsException)
        {
            return;
        }
        catch (RequestsPausedException)
        {
            throw new RequestRefusedException(
                "requests-paused", "the consortium takes no new requests at the moment; those that are funded go on");
        }
        catch (ContractRevertException e) when (IsOfContract(e))
        {
            throw new RequestRefusedException("ledger-terms", e switch
            {
                DeadlineTooEarlyException early =>
                    $"the deadline {Time(early.Deadline)} is too early: the ledger takes {Time(early.Earliest)} "
                    + "or later, so that the request can be matched, delivered and challenged before it",
                DeadlineTooLateException late =>
                    $"the deadline {Time(late.Deadline)} is too late: the ledger takes {Time(late.Latest)} or earlier",
                BudgetTooSmallException small =>
                    $"the budget of {small.Budget} token units is too small: the ledger takes {small.Minimum} or more",
                CapacityTooSmallException few =>
                    $"at its bid the budget reaches for {few.Capacity} records, and {few.Minimum} are the least "
                    + "that the request takes: raise the budget, or lower the bid or the minimum",
                _ => e.Message,
            });
        }
        catch (ContractRevertException)
        {
            // The token asks for the allowance, after the contract was content with everything else.
        }

        DevelopmentToken token = new(roles.Client, Address.Parse(roles.View.Deployment.Token.Address));
        BigInteger owned = await token.BalanceOfAsync(account, BlockReference.Latest, cancellationToken);
        if (owned < (BigInteger)terms.Budget)
        {
            throw new RequestRefusedException("funds", $"{researcher} has {owned} token units, and the budget is {terms.Budget}");
        }

        BlockHeader? head = await roles.Client.GetBlockAsync(BlockReference.Latest, cancellationToken);
        if (head?.BaseFeePerGas > 0 && await roles.Client.GetBalanceAsync(account, BlockReference.Latest, cancellationToken) == 0)
        {
            throw new RequestRefusedException("funds", $"{researcher} has no ether, and the chain asks for a fee");
        }
    }

    // What our contracts declare has a type of its own; a foreign token's refusals have none, or ERC-20's (EIP-6093).
    private static bool IsOfContract(ContractRevertException refusal) => refusal.GetType() != typeof(ContractRevertException)
        && refusal is not (ERC20InsufficientAllowanceException or ERC20InsufficientBalanceException or SafeERC20FailedOperationException);

    private static string Time(BigInteger seconds) => seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
        ? DateTimeOffset.FromUnixTimeSeconds((long)seconds).ToString("u", CultureInfo.InvariantCulture)
        : seconds.ToString(CultureInfo.InvariantCulture);
}
