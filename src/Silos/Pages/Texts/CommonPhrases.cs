using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What every page says with something filled in.</summary>
internal static class CommonPhrases
{
    public static string Title(string page) => Phrase.Of(CommonTexts.TitleOf, page, CommonTexts.Product);

    public static string SignedInAs(string role) => Phrase.Of(CommonTexts.SignedInAs, role);

    public static string AtBlock(ulong block) => Phrase.Of(CommonTexts.AtBlock, block);

    /// <summary>A level of confidence.</summary>
    public static string Confidence(double level) => Phrase.Of(CommonTexts.PerCent, level * 100);

    /// <summary>Loss in epsilon.</summary>
    public static string Epsilon(long micro) => Phrase.Of("{0:0.######}", micro / 1e6);

    /// <summary>Token units with thousands separators.</summary>
    public static string Amount(string units) =>
        UInt128.TryParse(units, NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 amount)
        ? string.Join(',', Groups(amount.ToString(CultureInfo.InvariantCulture))) : units;

    /// <summary>A time of the ledger.</summary>
    public static string Time(long seconds) => Phrase.Of(CommonTexts.TimeOf, DateTimeOffset.FromUnixTimeSeconds(seconds));

    /// <summary>A length of time, in the largest unit that divides it.</summary>
    public static string Lasting(long seconds) =>
        seconds % 86_400 == 0 ? Phrase.Of(CommonTexts.Days, seconds / 86_400)
        : seconds % 3_600 == 0 ? Phrase.Of(CommonTexts.Hours, seconds / 3_600)
        : seconds % 60 == 0 ? Phrase.Of(CommonTexts.Minutes, seconds / 60) : Phrase.Of(CommonTexts.Seconds, seconds);

    public static string Machine(long seconds) =>
        DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Why a call was refused before a page was reached; null where the status says no more than its problem.</summary>
    public static string? Refused(int status) => Named("Refused", status);

    /// <summary>What somebody can do who was refused: the remedies of problems are for programs.</summary>
    public static string WhatNow(int status) => Named("WhatNow", status) ?? CommonTexts.WhatNow_other;

    /// <summary>The tiers, for people.</summary>
    public static string Tier(string tier) => CommonTexts.ResourceManager.GetString("Tier_" + tier, CultureInfo.CurrentUICulture) ?? tier;

    public static string Grade(int grade, long micro) =>
        grade == 0 ? CommonTexts.Withheld : Phrase.Of(CommonTexts.GradeOf, grade, micro / 1e6);

    public static string Range(string from, string to) => Phrase.Of(CommonTexts.RangeOf, from, to);

    public static string Interval(string of) => Phrase.Of(CommonTexts.IntervalOf, of);

    private static string? Named(string name, int status) => CommonTexts.ResourceManager.GetString(
        string.Create(CultureInfo.InvariantCulture, $"{name}_{status}"), CultureInfo.CurrentUICulture);

    private static IEnumerable<string> Groups(string digits)
    {
        int first = digits.Length % 3;
        if (first > 0)
        {
            yield return digits[..first];
        }

        for (int at = first; at < digits.Length; at += 3)
        {
            yield return digits.Substring(at, 3);
        }
    }
}
