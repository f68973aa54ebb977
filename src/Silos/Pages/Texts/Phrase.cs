using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>Texts with something filled in.</summary>
internal static class Phrase
{
    /// <summary>The text; numbers and times as everywhere on the pages, in no language's own form.</summary>
    public static string Of(string format, params object?[] values) => string.Format(CultureInfo.InvariantCulture, format, values);
}
