using System.Numerics;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Transactions;
using EmrMarket.Simulation.Driving;

namespace EmrMarket.Simulation.Chain;

/// <summary>A process's way to the chain, with fault points before and after every question.</summary>
internal sealed class FaultyChain(IEthereumClient chain, FaultPoints points) : IEthereumClient
{
    private readonly int _generation = points.Generation;

    public Task<ulong> GetChainIdAsync(CancellationToken cancellationToken) => AskAsync("GetChainId", () => chain.GetChainIdAsync(cancellationToken));

    public Task<BlockHeader?> GetBlockAsync(BlockReference block, CancellationToken cancellationToken) => AskAsync("GetBlock", () => chain.GetBlockAsync(block, cancellationToken));

    public Task<byte[]> CallAsync(ContractCall call, BlockReference block, CancellationToken cancellationToken) => AskAsync("Call", () => chain.CallAsync(call, block, cancellationToken));

    public Task<ulong> EstimateGasAsync(ContractCall call, CancellationToken cancellationToken) => AskAsync("EstimateGas", () => chain.EstimateGasAsync(call, cancellationToken));

    public Task<ulong> GetNonceAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        AskAsync("GetNonce", () => chain.GetNonceAsync(account, block, cancellationToken));

    public Task<BigInteger> GetBalanceAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        AskAsync("GetBalance", () => chain.GetBalanceAsync(account, block, cancellationToken));

    public Task<byte[]> GetCodeAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        AskAsync("GetCode", () => chain.GetCodeAsync(account, block, cancellationToken));

    public Task<GasPrice> GetGasPriceAsync(CancellationToken cancellationToken) => AskAsync("GetGasPrice", () => chain.GetGasPriceAsync(cancellationToken));

    public Task<IReadOnlyList<SendOutcome>> SendRawAsync(IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellationToken) =>
        AskAsync("SendRaw", () => chain.SendRawAsync(transactions, cancellationToken));

    public Task<IReadOnlyList<TransactionReceipt?>> GetReceiptsAsync(IReadOnlyList<Bytes32> transactionHashes, CancellationToken cancellationToken) =>
        AskAsync("GetReceipts", () => chain.GetReceiptsAsync(transactionHashes, cancellationToken));

    public Task<IReadOnlyList<TransactionReceipt>?> GetBlockReceiptsAsync(ulong blockNumber, CancellationToken cancellationToken) =>
        AskAsync("GetBlockReceipts", () => chain.GetBlockReceiptsAsync(blockNumber, cancellationToken));

    public Task<IReadOnlyList<LogEntry>> GetLogsAsync(LogFilter filter, CancellationToken cancellationToken) => AskAsync("GetLogs", () => chain.GetLogsAsync(filter, cancellationToken));

    private Task<T> AskAsync<T>(string method, Func<Task<T>> ask) => points.AroundAsync("chain/" + method, _generation, ask);
}
