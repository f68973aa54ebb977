using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Mechanisms.Windows;

/// <summary>
/// The law of a report that is one of D outputs: probability p for each of the W outputs of a window that the truth selects, q for each
/// other one. GRR is the window of one output among k, DSW that of 2b+1 among d+2b.
/// </summary>
/// <param name="Outputs">Number of outputs D.</param>
/// <param name="Window">Outputs in a window, W.</param>
/// <param name="Inside">p, exactly: W p + (D - W) q = 1.</param>
/// <param name="Outside">q, exactly.</param>
/// <param name="ReplaceBelow">
/// D c, at most 2^32: a 32-bit word u with low 32 bits of u D below it replaces the report by the output in the high bits, which leaves
/// every output exactly c words.
/// </param>
internal sealed record WindowLaw(int Outputs, int Window, Rational Inside, Rational Outside, ulong ReplaceBelow)
{
    /// <summary>The report without randomisation: uniform in the truth's window.</summary>
    public static WindowLaw Clear(int outputs, int window) => new(outputs, window, new Rational(1, window), Rational.Zero, 0);

    /// <summary>
    /// The law after groups of neighbouring outputs become one output each. Only for windows of one output: the truth's group keeps its
    /// other outputs' share.
    /// </summary>
    /// <param name="group">Outputs per group; divides <see cref="Outputs"/>.</param>
    public WindowLaw Merge(int group) => this with
    {
        Outputs = Outputs / group,
        Inside = Inside + ((group - 1) * Outside),
        Outside = group * Outside,
    };

    /// <summary>
    /// The law after "with probability D c / 2^32 replace the report by a uniform output", c the smallest integer with p' &lt;= e^epsilon
    /// q'. The derivation is in docs/MECHANISMS.md, "Window mechanisms".
    /// </summary>
    /// <param name="epsilon">The nominal loss.</param>
    /// <param name="bits">Bits of a word that decide, at most 32: fewer in tests that try all words.</param>
    /// <exception cref="ArgumentException">The loss is too small for 32-bit thresholds at this number of outputs.</exception>
    public WindowLaw Randomise(EpsilonMicro epsilon, int bits = Coin.Bits)
    {
        Rational odds = ExponentialBounds.Lower(epsilon);
        Rational excess = Inside - (odds * Outside);
        BigInteger words = BigInteger.One << bits;
        BigInteger share = excess <= Rational.Zero
            ? BigInteger.Zero
            : (words * excess / (odds - Rational.One + (Outputs * excess))).Ceiling();
        if (share * Outputs > words)
        {
            throw new ArgumentException(
                $"Epsilon {epsilon} is too small for {Outputs} outputs: use a larger epsilon, or a domain with fewer values.",
                nameof(epsilon));
        }

        var added = new Rational(share, words);
        Rational kept = Rational.One - (Outputs * added);
        return new WindowLaw(
            Outputs, Window, (kept * Inside) + added, (kept * Outside) + added, (ulong)(share * Outputs << (Coin.Bits - bits)));
    }
}
