using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;

namespace EmrMarket.Grains.Market.Hosting;

/// <summary>Adds up what the parts of one call did: progress of any, the earliest due time, the first thing that is waited for.</summary>
internal sealed class Step
{
    private bool _progressed;
    private long? _due;
    private string _waitsFor = "";

    /// <summary>What a command's outcome means to whoever sent it: what the ledger did shows in its read model, so a repeated answer is no
    /// progress. A refused one is due again in the next hour.</summary>
    public static Advance Of(LedgerOutcome outcome, string what, long now) => outcome.State == LedgerState.Refused
        ? new Advance
        {
            Progressed = false, DueSeconds = MarketContext.NextTry(now), WaitsFor = $"{what}, which the ledger refuses: {outcome.Refusal}",
        }
        : new Advance { Progressed = false, WaitsFor = what };

    public void Add(Advance part)
    {
        _progressed |= part.Progressed;
        _due = _due is null || part.DueSeconds < _due ? part.DueSeconds ?? _due : _due;
        _waitsFor = _waitsFor.Length > 0 ? _waitsFor : part.WaitsFor;
    }

    public Advance ToAdvance() => new() { Progressed = _progressed, DueSeconds = _due, WaitsFor = _waitsFor };
}
