using System.Globalization;
using System.Text.Json;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Chain;

/// <summary>What runs, and what is deployed on it.</summary>
internal static class ChainStatus
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static async Task<int> PrintAsync(string folder, string? deploymentFile, bool asJson, CancellationToken cancellationToken)
    {
        if (EmbeddedChain.FindRunning(folder) is not { } running)
        {
            throw new CommandException(ExitCode.NotReady, $"no embedded chain runs in {folder}: start it with './emr chain start'");
        }

        using JsonRpcEthereumClient client = new(new Uri(running.Endpoint));
        string file = deploymentFile ?? ChainFolders.DeploymentOf(folder);
        ulong chainId;
        BlockHeader head;
        ContractDeployment? deployment = File.Exists(file) ? ContractDeployment.Load(file) : null;
        string? problem = null;
        try
        {
            chainId = await client.GetChainIdAsync(cancellationToken);
            head = await client.GetBlockAsync(BlockReference.Latest, cancellationToken)
                ?? throw new MalformedAnswerException("eth_getBlockByNumber", "there is no block");
            if (deployment is not null)
            {
                await deployment.VerifyAsync(client, cancellationToken);
            }
        }
        catch (DeploymentException e)
        {
            (chainId, head, problem) = (await client.GetChainIdAsync(cancellationToken),
                (await client.GetBlockAsync(BlockReference.Latest, cancellationToken))!, e.Message);
        }
        catch (EthereumException e)
        {
            throw new CommandException(e.IsTransient ? ExitCode.NotReady : ExitCode.Failure, e.Message, e);
        }

        if (asJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(
                new { running.Endpoint, chainId, Block = head.Number, head.Timestamp, Owner = running.SupervisorId,
                    Since = running.StartedAt, Deployment = deployment, Problem = problem }, Format));
        }
        else
        {
            Print(running, chainId, head, deployment);
        }

        return problem is null ? ExitCode.Success : throw new CommandException(ExitCode.Failure, problem);
    }

    private static void Print(SupervisedState running, ulong chainId, BlockHeader head, ContractDeployment? deployment)
    {
        Table table = new Table().HideHeaders().Border(TableBorder.None).AddColumns("", "");
        table.AddRow("endpoint", running.Endpoint);
        table.AddRow("chain id", chainId.ToString(CultureInfo.InvariantCulture));
        table.AddRow("newest block",
            string.Create(CultureInfo.InvariantCulture, $"{head.Number}, {DateTimeOffset.FromUnixTimeSeconds((long)head.Timestamp):u}"));
        table.AddRow("owner", string.Create(CultureInfo.InvariantCulture, $"process {running.SupervisorId} since {running.StartedAt:u}"));
        if (deployment is null)
        {
            table.AddRow("contracts", "none: ./emr chain deploy");
        }
        else
        {
            ChainDeploy.AddContracts(table, deployment);
        }

        AnsiConsole.Write(table);
    }
}
