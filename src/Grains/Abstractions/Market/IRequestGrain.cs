using Orleans.Concurrency;

namespace EmrMarket.Grains.Abstractions.Market;

/// <summary>The workflow of one request, from its terms to its end. Key: the hash of its terms document, 64 hexadecimal digits.</summary>
[Alias("emr.IRequestGrain")]
public interface IRequestGrain : IGrainWithStringKey
{
    /// <summary>Takes the terms that the key is the hash of. Repeated hand-ins change nothing.</summary>
    /// <exception cref="RequestRefusedException">The terms are malformed, of another researcher, or cannot be served.</exception>
    [Alias("Draft")]
    Task<RequestStatus> DraftAsync(string researcher, string termsJson);

    /// <summary>Where it stands, by the stored row and at once, whatever the request is doing; null when there is no such
    /// request.</summary>
    [Alias("Status")]
    [AlwaysInterleave]
    Task<RequestStatus?> StatusAsync();

    /// <summary>Ends a request that was not funded; says false when it is funded.</summary>
    [Alias("Withdraw")]
    Task<bool> WithdrawAsync();

    /// <summary>Goes on as far as the ledger allows: funded, matched, delivered, evaluated, claims and refund relayed.</summary>
    [Alias("Advance")]
    [ResponseTimeout("00:02:00")]
    Task<Advance> AdvanceAsync();
}

/// <summary>Turns a request's final deliveries into statistics. Key: that of the request.</summary>
[Alias("emr.IAggregatorGrain")]
public interface IAggregatorGrain : IGrainWithStringKey
{
    /// <summary>Computes the statistics of the final deliveries, or answers with those that are kept. The answer is JSON (docs/WIRE.md,
    /// "Results").</summary>
    [Alias("Evaluate")]
    [ResponseTimeout("00:02:00")]
    Task<string> EvaluateAsync();
}
