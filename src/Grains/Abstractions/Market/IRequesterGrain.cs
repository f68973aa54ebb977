namespace EmrMarket.Grains.Abstractions.Market;

/// <summary>A researcher's requests. Key: the researcher's address on the ledger, lower case.</summary>
[Alias("emr.IRequesterGrain")]
public interface IRequesterGrain : IGrainWithStringKey
{
    /// <summary>Says what a statistic would cost and how exact it would be, given what is on offer. Nothing is stored, paid or
    /// spent.</summary>
    [Alias("Plan")]
    [ResponseTimeout("00:01:00")]
    Task<PlanAnswer> PlanAsync(PlanQuery query);

    /// <summary>
    /// Hands in a request's terms and answers with the call of the ledger that funds it. The researcher sends that call from the own
    /// account; the market never has the key. The same terms again get the same answer.
    /// </summary>
    /// <exception cref="RequestRefusedException">The terms are malformed, or no epoch, schema or grade could serve them.</exception>
    [Alias("Open")]
    [ResponseTimeout("00:01:00")]
    Task<FundingCall> OpenAsync(string termsJson);

    /// <summary>Withdraws a request that is not funded, or answers with the call of the ledger that cancels one whose book is still
    /// open.</summary>
    /// <exception cref="RequestRefusedException">There is no such request of this researcher, or it is too late.</exception>
    [Alias("Cancel")]
    Task<CancelAnswer> CancelAsync(string requestKey);

    /// <summary>The researcher's requests, newest first.</summary>
    [Alias("List")]
    Task<RequestStatus[]> ListAsync();

    /// <summary>The results of a request, as JSON (docs/WIRE.md, "Results").</summary>
    /// <exception cref="RequestRefusedException">There is no such request of this researcher, or it has no results yet.</exception>
    [Alias("Results")]
    [ResponseTimeout("00:01:00")]
    Task<string> ResultsAsync(string requestKey);
}

/// <summary>What a researcher wants to know before anything is paid. Exactly one of half-width, records and budget is given.</summary>
[GenerateSerializer]
[Alias("emr.PlanQuery")]
public sealed record PlanQuery
{
    /// <summary>The schema's id.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>The statistic in its text form.</summary>
    [Id(1)]
    public required string Statistic { get; init; }

    /// <summary>The confidence, strictly between 0 and 1.</summary>
    [Id(2)]
    public double Confidence { get; init; } = 0.95;

    /// <summary>The half-width wanted.</summary>
    [Id(3)]
    public double? HalfWidth { get; init; }

    /// <summary>Whether the half-width is to be guaranteed and not only expected.</summary>
    [Id(4)]
    public bool Guaranteed { get; init; }

    /// <summary>The records that would be bought.</summary>
    [Id(5)]
    public long? Records { get; init; }

    /// <summary>What may be spent, token units.</summary>
    [Id(6)]
    public UInt128? Budget { get; init; }

    /// <summary>The purpose's code: only records that admit it count as available.</summary>
    [Id(7)]
    public byte Purpose { get; init; }

    /// <summary>Only records of this public cell are asked, at what they ask; empty for all.</summary>
    [Id(8)]
    public string PublicCell { get; init; } = "";
}

/// <summary>A plan: one option per grade.</summary>
[GenerateSerializer]
[Alias("emr.PlanAnswer")]
public sealed record PlanAnswer
{
    /// <summary>The options, by grade from 1.</summary>
    [Id(0)]
    public required PlannedGrade[] Options { get; init; }

    /// <summary>The recommended grade; 0 when no grade meets the query.</summary>
    [Id(1)]
    public required int Recommended { get; init; }

    /// <summary>What the reader must know.</summary>
    [Id(2)]
    public required string[] Notes { get; init; }

    /// <summary>What would be recommended for a wish looser by a quarter; null when that is no cheaper.</summary>
    [Id(3)]
    public PlannedGrade? NextCheaper { get; init; }

    /// <summary>What would be recommended for a wish tighter by a quarter; null when nothing better can be had.</summary>
    [Id(4)]
    public PlannedGrade? NextBetter { get; init; }
}

/// <summary>What one grade offers.</summary>
[GenerateSerializer]
[Alias("emr.PlannedGrade")]
public sealed record PlannedGrade
{
    /// <summary>The grade.</summary>
    [Id(0)]
    public required int Grade { get; init; }

    /// <summary>The loss per record, micro-epsilon.</summary>
    [Id(1)]
    public required long EpsilonMicro { get; init; }

    /// <summary>Records bought.</summary>
    [Id(2)]
    public required long Records { get; init; }

    /// <summary>Effective records bought.</summary>
    [Id(3)]
    public required double EffectiveRecords { get; init; }

    /// <summary>Effective records per record, parts per billion.</summary>
    [Id(4)]
    public required long ScorePpb { get; init; }

    /// <summary>The half-width to expect; infinite when nothing is bought.</summary>
    [Id(5)]
    public required double ExpectedHalfWidth { get; init; }

    /// <summary>The guaranteed half-width; null when nothing is guaranteed.</summary>
    [Id(6)]
    public double? GuaranteedHalfWidth { get; init; }

    /// <summary>What is asked for a record at the median rates, token units.</summary>
    [Id(7)]
    public required UInt128 AskPerRecord { get; init; }

    /// <summary>The asks of all records, token units.</summary>
    [Id(8)]
    public required UInt128 Cost { get; init; }

    /// <summary>Why it cannot be had; empty when it can.</summary>
    [Id(9)]
    public string Limit { get; init; } = "";

    /// <summary>What is asked for an effective record at the median rates, token units; infinite when a record is worth none.</summary>
    [Id(10)]
    public required double AskPerEffectiveRecord { get; init; }

    /// <summary>Of a table: the half-width to expect of the rates of its first attribute in groups of equal size; null for other
    /// statistics, and when such a group could not be told from empty.</summary>
    [Id(11)]
    public double? RateHalfWidth { get; init; }
}

/// <summary>The call that funds a request.</summary>
[GenerateSerializer]
[Alias("emr.FundingCall")]
public sealed record FundingCall
{
    /// <summary>The request's key.</summary>
    [Id(0)]
    public required string Key { get; init; }

    /// <summary>The contract, 20 bytes.</summary>
    [Id(1)]
    public required byte[] To { get; init; }

    /// <summary>The call, ABI-encoded. The contract takes the budget from the researcher's allowance for <see cref="Spender"/>.</summary>
    [Id(2)]
    public required byte[] Data { get; init; }

    /// <summary>The contract that takes the money, 20 bytes.</summary>
    [Id(3)]
    public required byte[] Spender { get; init; }

    /// <summary>The budget, token units.</summary>
    [Id(4)]
    public required UInt128 Budget { get; init; }
}

/// <summary>What became of a wish to cancel.</summary>
[GenerateSerializer]
[Alias("emr.CancelAnswer")]
public sealed record CancelAnswer
{
    /// <summary>The contract that the researcher has to call, 20 bytes; empty when the request had not been funded and is cancelled
    /// already.</summary>
    [Id(0)]
    public byte[] To { get; init; } = [];

    /// <summary>The call, ABI-encoded.</summary>
    [Id(1)]
    public byte[] Data { get; init; } = [];
}

/// <summary>The market understood a request and refuses it: repeating it will not help.</summary>
[GenerateSerializer]
[Alias("emr.RequestRefusedException")]
public sealed class RequestRefusedException : Exception
{
    /// <summary>A refusal.</summary>
    /// <param name="code">A stable code for programs, for example <c>unknown-schema</c>.</param>
    /// <param name="message">What is wrong, expected against got, and how to mend it.</param>
    public RequestRefusedException(string code, string message)
        : base(message) => Code = code;

    /// <summary>For the runtime.</summary>
    public RequestRefusedException()
        : this("refused", "the market refused the request")
    {
    }

    /// <summary>For the runtime.</summary>
    public RequestRefusedException(string message)
        : this("refused", message)
    {
    }

    /// <summary>For the runtime.</summary>
    public RequestRefusedException(string message, Exception innerException)
        : base(message, innerException) => Code = "refused";

    /// <summary>The code.</summary>
    [Id(0)]
    public string Code { get; init; }
}
