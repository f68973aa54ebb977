using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Mechanisms.Olh;

/// <summary>
/// Optimised local hashing: a fresh random hash function sends the domain to g cells, and the truth's cell goes through GRR over the g
/// cells. A report has constant size whatever k, so it is the choice for code systems. Guarantee: proof.md. Squared error of a frequency
/// per report at most 1.09 times that of the best g, itself 4 e^epsilon / (e^epsilon - 1)^2, on the default ladder. Source: Wang, Blocki,
/// Li and Jha, USENIX Security 2017; the hash: Dietzfelbinger 1996, doi:10.1007/3-540-60922-9_46.
/// </summary>
public sealed class OlhMechanism() : LadderMechanism("olh", "Optimised local hashing")
{
    /// <inheritdoc/>
    private protected override IReportLadder Create(int size, int shape, GradeLadder grades) => OlhLadder.Create(size, grades);
}
