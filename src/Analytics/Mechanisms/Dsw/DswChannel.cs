using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Windows;

namespace EmrMarket.Analytics.Mechanisms.Dsw;

/// <summary>DSW at one grade: outputs 0..d+2b-1; a report supports every cell whose window v..v+2b holds it.</summary>
public sealed class DswChannel : Channel
{
    private readonly WindowLaw _law;

    internal DswChannel(int cells, int bandwidth, WindowLaw law, EpsilonMicro epsilon)
    {
        (Cells, Bandwidth, _law, Epsilon) = (cells, bandwidth, law, epsilon);
        ExactP = law.Window * law.Inside;
        ExactQ = (law.Window * law.Outside) + (MeanOverlap(cells, law.Window) * (law.Inside - law.Outside));
    }

    /// <summary>Number of cells d of the grid.</summary>
    public int Cells { get; }

    /// <summary>The half-width b of the window.</summary>
    public int Bandwidth { get; }

    /// <summary>Number of outputs, d + 2b.</summary>
    public int Outputs => _law.Outputs;

    /// <summary>Outputs in a window, 2b + 1.</summary>
    public int Window => _law.Window;

    /// <summary>The realised probability of each single output inside the truth's window, exactly: (2b + 1) p + (d - 1) q = 1.</summary>
    public Rational ExactPOut => _law.Inside;

    /// <summary>The realised probability of each single output outside the truth's window, exactly.</summary>
    public Rational ExactQOut => _law.Outside;

    /// <summary><see cref="ExactPOut"/> to the nearest double.</summary>
    public double POut => (double)ExactPOut;

    /// <summary><see cref="ExactQOut"/> to the nearest double.</summary>
    public double QOut => (double)ExactQOut;

    /// <inheritdoc/>
    public override int DomainSize => Cells;

    /// <inheritdoc/>
    public override EpsilonMicro Epsilon { get; }

    /// <inheritdoc/>
    public override Rational ExactP { get; }

    /// <inheritdoc/>
    public override Rational ExactQ { get; }

    /// <summary>
    /// How often each output 0..d+2b-1 occurs: the sufficient statistic of moments, bins and curves; adds over batches. O(n).
    /// </summary>
    public long[] OutputHistogram(ReportColumn reports) => WindowCounts.Histogram(WindowCounts.CodesOf(reports, Outputs), Outputs);

    /// <inheritdoc/>
    public override Rational? ExactOdds => _law.Inside / _law.Outside;

    /// <inheritdoc/>
    public override long[] CountSupport(ReportColumn reports) => WindowCounts.SumWindows(OutputHistogram(reports), Window);

    /// <inheritdoc/>
    public override SupportBitmaps Support(ReportColumn reports, ReadOnlySpan<int> values) =>
        WindowCounts.Bitmaps(WindowCounts.CodesOf(reports, Outputs), values, Cells, Window);

    /// <summary>
    /// The mean number of outputs that the windows of two different cells share: max(0, window - distance), averaged over ordered pairs.
    /// </summary>
    private static Rational MeanOverlap(int cells, int window)
    {
        // 2 (cells - distance) ordered pairs lie at each distance.
        BigInteger shared = BigInteger.Zero;
        for (int distance = 1; distance < Math.Min(cells, window); distance++)
        {
            shared += 2L * (cells - distance) * (window - distance);
        }

        return new Rational(shared, (BigInteger)cells * (cells - 1));
    }
}
