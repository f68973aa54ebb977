namespace EmrMarket.Silos.Records.Mapping.Summaries;

/// <summary>The earliest or the latest value. What has no date gives way to what has one; of equal dates the least, or the greatest,
/// ordinal text is taken.</summary>
internal sealed class DatedSummary(bool latest) : ColumnSummary
{
    private readonly Pages<(long Time, string? Text)> _values = new();
    private readonly TextPool _texts = new();

    public override void Add(int unit, MappedDate? date, in MappedValue value) =>
        Take(unit, date?.Ticks ?? (latest ? -1 : long.MaxValue), _texts.Get(value.Text));

    public override void Merge(int into, int from)
    {
        if (_values.Peek(from) is (var time, { } text))
        {
            Take(into, time, text);
        }
    }

    public override string Text(int unit, int day) => _values.Peek(unit).Text ?? "";

    private void Take(int unit, long time, string text)
    {
        ref (long Time, string? Text) known = ref _values[unit];
        int order = known.Text is null ? 0 : time.CompareTo(known.Time) is not 0 and var byTime ? byTime
            : string.CompareOrdinal(text, known.Text);
        if (known.Text is null || (latest ? order > 0 : order < 0))
        {
            known = (time, text);
        }
    }

    /// <summary>Keeps one copy of the texts that come often: most columns have few.</summary>
    private sealed class TextPool
    {
        private const int Most = 4096;
        private readonly HashSet<string> _texts = new(StringComparer.Ordinal);

        public string Get(string text)
        {
            if (_texts.TryGetValue(text, out string? known))
            {
                return known;
            }

            if (_texts.Count < Most)
            {
                _texts.Add(text);
            }

            return text;
        }
    }
}
