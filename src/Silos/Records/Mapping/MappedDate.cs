using System.Globalization;

namespace EmrMarket.Silos.Records.Mapping;

/// <summary>When something was: a point in time to order by, and the day on the calendar where it was written down.</summary>
/// <param name="Ticks">Ticks of universal time (100 ns from year 1); the beginning of a day, month or year that is all that is
/// known.</param>
/// <param name="Day">The day number of <see cref="DateOnly"/>: of what was written, not of universal time.</param>
internal readonly record struct MappedDate(long Ticks, int Day)
{
    private static readonly string[] Times =
    [
        "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
        "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ss.FFFFFFF", "yyyy-MM-dd HH:mm",
    ];

    /// <summary>
    /// Reads a date or time of FHIR (YYYY, YYYY-MM, YYYY-MM-DD, YYYY-MM-DDThh:mm[:ss[.f]] with or without zone) or of a database (a space
    /// in place of T). A time without zone counts as universal. Day: 1 July of a year, the 15th of a month.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out MappedDate date)
    {
        date = default;
        CultureInfo invariant = CultureInfo.InvariantCulture;
        if (text.Length == 4 && DateOnly.TryParseExact(text, "yyyy", invariant, DateTimeStyles.None, out DateOnly year))
        {
            date = new MappedDate(year.ToDateTime(default).Ticks, new DateOnly(year.Year, 7, 1).DayNumber);
            return true;
        }

        if (text.Length == 7 && DateOnly.TryParseExact(text, "yyyy-MM", invariant, DateTimeStyles.None, out DateOnly month))
        {
            date = new MappedDate(month.ToDateTime(default).Ticks, new DateOnly(month.Year, month.Month, 15).DayNumber);
            return true;
        }

        if (text.Length < 10 || !DateOnly.TryParseExact(text[..10], "yyyy-MM-dd", invariant, DateTimeStyles.None, out DateOnly day))
        {
            return false;
        }

        if (text.Length == 10)
        {
            date = new MappedDate(day.ToDateTime(default).Ticks, day.DayNumber);
            return true;
        }

        // Fractions of a second may have more digits than a tick has; those behind do not order anything here.
        Span<char> shortened = stackalloc char[40];
        scoped ReadOnlySpan<char> time = text;
        int point = text.IndexOf('.');
        if (point >= 0)
        {
            int end = point + 1;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
            {
                end++;
            }

            int kept = Math.Min(end, point + 8);
            if (end == point + 1 || kept + text.Length - end > shortened.Length)
            {
                return false;
            }

            text[..kept].CopyTo(shortened);
            text[end..].CopyTo(shortened[kept..]);
            time = shortened[..(kept + text.Length - end)];
        }

        if (!DateTimeOffset.TryParseExact(time, Times, invariant, DateTimeStyles.AssumeUniversal, out DateTimeOffset moment))
        {
            return false;
        }

        date = new MappedDate(moment.UtcTicks, day.DayNumber);
        return true;
    }

    /// <summary>Completed years between two days; negative when the second is earlier.</summary>
    public static int Years(int fromDay, int toDay)
    {
        DateOnly from = DateOnly.FromDayNumber(fromDay), to = DateOnly.FromDayNumber(toDay);
        int years = to.Year - from.Year;
        return to < from.AddYears(years) ? years - 1 : years;
    }
}
