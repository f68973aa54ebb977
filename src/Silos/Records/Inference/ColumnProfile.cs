using System.Globalization;
using System.Text.RegularExpressions;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records.Inference;

/// <summary>
/// What one column of an unknown file looks like: counts of patterns and of distinct texts, no more than a bounded number of texts
/// themselves.
/// </summary>
internal sealed partial class ColumnProfile(string name)
{
    /// <summary>The most distinct texts that are remembered; a column with more is no set of labels.</summary>
    public const int MaxTexts = 5_000;

    /// <summary>Texts by which files commonly say that a value is missing.</summary>
    private static readonly HashSet<string> MissingMarkers = new(StringComparer.Ordinal)
    {
        "", "?", ".", "NA", "N/A", "#N/A", "na", "n/a", "NULL", "null", "NaN", "nan", Schema.MissingLabel,
    };

    private readonly HashSet<string> _texts = new(StringComparer.Ordinal);
    private readonly KeyIndex _hashes = new();
    private readonly SortedSet<string> _missingSeen = new(StringComparer.Ordinal);
    private bool _manyTexts;

    public string Name => name;

    /// <summary>Lower-case words of the column's name.</summary>
    public IReadOnlyList<string> Words { get; } = [.. WordPattern().Matches(name).Select(m => m.Value.ToLowerInvariant())];

    public long Missing { get; private set; }

    /// <summary>Fields that are not missing.</summary>
    public long Present { get; private set; }

    public long Numbers { get; private set; }

    public long WholeNumbers { get; private set; }

    /// <summary>Whole numbers that could be exact ids: no sign, no leading zero, no point.</summary>
    public long CanonicalIntegers { get; private set; }

    public decimal Min { get; private set; } = decimal.MaxValue;

    public decimal Max { get; private set; } = decimal.MinValue;

    public int Decimals { get; private set; }

    public long Emails { get; private set; }

    public long Phones { get; private set; }

    public long NationalIds { get; private set; }

    public long Dates { get; private set; }

    public long Diagnoses { get; private set; }

    public long PersonNames { get; private set; }

    public long Words5 { get; private set; }

    public IReadOnlyCollection<string> MissingSeen => _missingSeen;

    /// <summary>The distinct texts that are not missing, sorted; null when there are too many.</summary>
    public IReadOnlyList<string>? Texts => _manyTexts ? null : [.. _texts.Order(StringComparer.Ordinal)];

    /// <summary>Number of distinct texts, by their 64-bit hashes.</summary>
    public int Distinct => _hashes.Count;

    public void Add(string text)
    {
        if (MissingMarkers.Contains(text))
        {
            Missing++;
            _missingSeen.Add(text);
            return;
        }

        Present++;
        _hashes.Add(Hash(text));
        if (!_manyTexts && _texts.Add(text) && _texts.Count > MaxTexts)
        {
            _manyTexts = true;
            _texts.Clear();
        }

        AddPatterns(text);
    }

    private void AddPatterns(string text)
    {
        if (decimal.TryParse(
            text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number))
        {
            Numbers++;
            WholeNumbers += number == decimal.Truncate(number) ? 1 : 0;
            CanonicalIntegers += text.All(char.IsAsciiDigit) && (text.Length == 1 || text[0] != '0') && text.Length <= 17 ? 1 : 0;
            (Min, Max) = (Math.Min(Min, number), Math.Max(Max, number));
            Decimals = number == decimal.Truncate(number) ? Decimals : Math.Max(Decimals, number.Scale);
        }

        NationalIds += NationalIdPattern().IsMatch(text) ? 1 : 0;
        Phones += PhonePattern().IsMatch(text) ? 1 : 0;
        Dates += DatePattern().IsMatch(text) ? 1 : 0;
        Diagnoses += Icd9.Normalise(text) is not null ? 1 : 0;
        if (!char.IsAsciiDigit(text[0]))
        {
            Emails += EmailPattern().IsMatch(text) ? 1 : 0;
            PersonNames += PersonNamePattern().IsMatch(text) ? 1 : 0;
        }

        Words5 += text.AsSpan().Count(' ') >= 4 ? 1 : 0;
    }

    /// <summary>FNV-1a over UTF-16 (Fowler, Noll and Vo), 64 bits: a collision miscounts one text, no more.</summary>
    private static ulong Hash(string text)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char c in text)
        {
            hash = (hash ^ c) * 0x100000001B3;
        }

        return hash;
    }

    [GeneratedRegex("[A-Z]?[a-z]+|[A-Z]+|[0-9]+", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex WordPattern();

    [GeneratedRegex(@"^[^@\s,]+@[^@\s,]+\.[^@\s,]+$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex EmailPattern();

    [GeneratedRegex(@"^\d{3}-\d{2}-\d{4}$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex NationalIdPattern();

    [GeneratedRegex(@"^(\+?\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]?\d{4}$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex PhonePattern();

    [GeneratedRegex(
        @"^(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4})([T ]\d{1,2}:\d{2}.*)?$",
        RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex DatePattern();

    [GeneratedRegex(@"^\p{Lu}\p{Ll}+(,? \p{Lu}\p{Ll}*\.?){1,2}$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex PersonNamePattern();
}
