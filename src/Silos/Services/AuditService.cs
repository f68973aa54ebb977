using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Commands.Trace;
using EmrMarket.Silos.Roles;
using StoredRequest = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Silos.Services;

/// <summary>What auditors do: follow a pseudonym from policy to payout, and compute a request again from chain and files.</summary>
internal sealed class AuditService(RunningRoles roles)
{
    /// <summary>Follows a pseudonym; each sentence is told after its proof led to what the contract confirms.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-pseudonym</c>.</exception>
    public async Task<TraceInfo> TraceAsync(string pseudonym, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> told = await SaleTrace.FollowAsync(roles.Here().Context, Hash(pseudonym, "pseudonym"), cancellationToken);
        return told.Count > 0 ? new TraceInfo { Pseudonym = pseudonym, Block = roles.View.Head, Steps = [.. told] }
            : throw new ServiceRefusedException("unknown-pseudonym", $"no epoch that this market knows holds pseudonym {pseudonym}");
    }

    /// <summary>Replays a request: match, drawing, every leaf and report, and the statistics. The market's tables are compared at the end
    /// and believed nowhere.</summary>
    /// <param name="requestId">Its number on the ledger.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ServiceRefusedException"><c>unknown-request</c>.</exception>
    public async Task<ReplayInfo> ReplayAsync(ulong requestId, CancellationToken cancellationToken)
    {
        MarketRole market = roles.Here();
        StoredRequest stored = await FindAsync(requestId, cancellationToken);
        string? results = await market.Context.Store.FindResultsAsync(stored.Key, cancellationToken);
        string? fault = await RequestReplay.FindFaultAsync(market.Context, requestId, stored.TermsJson, results);
        return new ReplayInfo { RequestId = requestId, Block = market.View.Head, Fault = fault, ComparedResults = results is not null };
    }

    private async Task<StoredRequest> FindAsync(ulong requestId, CancellationToken cancellationToken)
    {
        MarketRole market = roles.Here();
        await market.View.SyncAsync(cancellationToken);
        RequestRow row = market.View.Request(requestId)
            ?? throw new ServiceRefusedException("unknown-request", $"the ledger has no request {requestId}");
        return await market.Context.Store.FindRequestAsync(Show.Hash(row.Terms.TermsHash), cancellationToken)
            ?? throw new ServiceRefusedException("unknown-request", $"this market has no terms document of request {requestId}");
    }

    /// <summary>A file by its SHA-256; null when this market has none.</summary>
    public Task<byte[]?> FileAsync(string sha256, CancellationToken cancellationToken) =>
        roles.Here().Context.Store.FindFileAsync(sha256, cancellationToken);

    /// <summary>The terms document of a request on the ledger, whose keccak stands there.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-request</c>.</exception>
    public async Task<string> TermsAsync(ulong requestId, CancellationToken cancellationToken) =>
        (await FindAsync(requestId, cancellationToken)).TermsJson;

    /// <summary>The results that this market claims for a request; null when there are none.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-request</c>.</exception>
    public async Task<string?> ResultsAsync(ulong requestId, CancellationToken cancellationToken) =>
        await roles.Here().Context.Store.FindResultsAsync((await FindAsync(requestId, cancellationToken)).Key, cancellationToken);

    /// <summary>A hash from 64 hexadecimal digits.</summary>
    internal static Bytes32 Hash(string text, string what) =>
        text.Length == 64 && text.All(digit => char.IsAsciiDigit(digit) || digit is >= 'a' and <= 'f') ? Bytes32.ParseDigits(text)
        : throw new ServiceRefusedException("malformed-hash", $"a {what} has 64 lower-case hexadecimal digits");
}

/// <summary>A trace.</summary>
internal sealed record TraceInfo
{
    public required string Pseudonym { get; init; }

    /// <summary>The block that it was verified against.</summary>
    public required ulong Block { get; init; }

    /// <summary>Sentence by sentence, from policy to payout.</summary>
    public required string[] Steps { get; init; }
}

/// <summary>A replay.</summary>
internal sealed record ReplayInfo
{
    public required ulong RequestId { get; init; }

    public required ulong Block { get; init; }

    /// <summary>The first fault; null when everything is as it must be.</summary>
    public string? Fault { get; init; }

    /// <summary>Whether there were results to compare with.</summary>
    public required bool ComparedResults { get; init; }
}
