namespace EmrMarket.Analytics.Mechanisms.Coins;

/// <summary>Splits records among the cores. Coins are keyed by fact, so the split never shows in a report.</summary>
internal static class RecordBlocks
{
    // Large enough that a block outlasts the cost of handing it out, small enough that a last block does not keep one core alone for long.
    private const int BlockSize = 16 * 1024;

    /// <summary>Calls <paramref name="body"/>(start, count) for blocks that cover 0..n-1 once.</summary>
    public static void ForEach(int n, Action<int, int> body)
    {
        if (n <= BlockSize)
        {
            if (n > 0)
            {
                body(0, n);
            }

            return;
        }

        Parallel.For(0, (n + BlockSize - 1) / BlockSize, block =>
        {
            int start = block * BlockSize;
            body(start, Math.Min(BlockSize, n - start));
        });
    }
}
