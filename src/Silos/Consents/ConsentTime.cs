using System.Globalization;
using System.Text.RegularExpressions;

namespace EmrMarket.Silos.Consents;

/// <summary>Times of FHIR (R4, "dateTime"): a year, a month, a day, or a second with its offset. Days, months and years are those of UTC,
/// as everywhere in this market.</summary>
internal static partial class ConsentTime
{
    /// <summary>The whole seconds that a time stands for, unix; null when it is none.</summary>
    /// <returns>The first of them that counts when a period begins with it, and the one after the last that counts when it ends with
    /// it.</returns>
    public static (long From, long Until)? Read(string text)
    {
        if (Form().Match(text) is not { Success: true } match)
        {
            return null;
        }

        string[] forms = ["yyyy", "yyyy-MM", "yyyy-MM-dd"];
        if (!match.Groups["time"].Success)
        {
            if (!DateTime.TryParseExact(text, forms[(text.Length - 4) / 3], CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTime first))
            {
                return null;
            }

            long from = new DateTimeOffset(first).ToUnixTimeSeconds();

            // Behind the year 9999 there is no date to compute with.
            long days = text.Length switch
            {
                4 => DateTime.IsLeapYear(first.Year) ? 366 : 365,
                7 => DateTime.DaysInMonth(first.Year, first.Month),
                _ => 1,
            };
            return (from, from + (days * 86_400));
        }

        string seconds = text[..19];
        string offset = match.Groups["offset"].Value is "Z" ? "+00:00" : match.Groups["offset"].Value;
        if (!DateTime.TryParseExact(seconds, "yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime local)
            || !TimeSpan.TryParseExact(offset[1..], "hh\\:mm", CultureInfo.InvariantCulture, out TimeSpan ahead)
            || ahead > TimeSpan.FromHours(14))
        {
            return null;
        }

        long second = (local.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerSecond;
        second -= (offset[0] == '-' ? -1 : 1) * (long)ahead.TotalSeconds;

        // What happens at a whole second t is in a period that begins at s + f when t > s, and in one that ends there when t <= s.
        bool between = match.Groups["fraction"].ValueSpan.ContainsAnyExcept('.', '0');
        return (between ? second + 1 : second, second + 1);
    }

    [GeneratedRegex(
        @"\A[0-9]{4}(-[0-9]{2}(-[0-9]{2}(?<time>T[0-9]{2}:[0-9]{2}:[0-9]{2}(?<fraction>\.[0-9]{1,20})?(?<offset>Z|[+-][0-9]{2}:[0-9]{2}))?)?)?\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 100)]
    private static partial Regex Form();
}
