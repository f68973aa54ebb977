namespace EmrMarket.Analytics.Mechanisms.Coins;

/// <summary>
/// The coins of a batch of facts in sequence, one word of every fact at a time, for mechanisms that take a fixed number of words per fact.
/// </summary>
internal ref struct CoinWords
{
    private readonly Span<uint> _planes;
    private int _word;

    /// <summary>The words of a batch.</summary>
    /// <param name="cipher">The ladder's generator.</param>
    /// <param name="version">The value version.</param>
    /// <param name="facts">The batch's fact ids, at most <see cref="CoinPlanes.Batch"/>.</param>
    /// <param name="values">Their rounded values.</param>
    /// <param name="planes">A buffer of <see cref="CoinPlanes.Length"/> words.</param>
    public CoinWords(CoinCipher cipher, ushort version, ReadOnlySpan<ulong> facts, ReadOnlySpan<ushort> values, Span<uint> planes)
    {
        Cipher = cipher;
        Version = version;
        Facts = facts;
        Values = values;
        _planes = planes;
    }

    /// <summary>The ladder's generator.</summary>
    public CoinCipher Cipher { get; }

    /// <summary>The value version.</summary>
    public ushort Version { get; }

    /// <summary>The batch's fact ids.</summary>
    public ReadOnlySpan<ulong> Facts { get; }

    /// <summary>Their rounded values.</summary>
    public ReadOnlySpan<ushort> Values { get; }

    /// <summary>The next word of every fact; valid until four words later.</summary>
    public ReadOnlySpan<uint> Next()
    {
        int place = _word % Coin.WordsPerBlock;
        if (place == 0)
        {
            CoinPlanes.Fill(Cipher, Facts, Version, Values, step: 0, block: _word / Coin.WordsPerBlock, _planes);
        }

        _word++;
        return _planes.Slice(place * CoinPlanes.Batch, Facts.Length);
    }
}
