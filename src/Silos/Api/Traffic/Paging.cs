using System.Globalization;
using EmrMarket.Silos.Api.Problems;

namespace EmrMarket.Silos.Api.Traffic;

/// <summary>A page of a list.</summary>
/// <typeparam name="T">What is listed.</typeparam>
internal sealed record Page<T>
{
    /// <summary>The items, in the list's order.</summary>
    public required T[] Items { get; init; }

    /// <summary>The cursor of the next page; null on the last one.</summary>
    public string? Next { get; init; }
}

/// <summary>Cuts lists into pages. A cursor is the id of the last item of a page, so that what is added meanwhile moves nothing.</summary>
internal static class Paging
{
    /// <summary>Items of a page when the caller does not say.</summary>
    public const int DefaultLimit = 100;

    /// <summary>The most items of a page.</summary>
    public const int MostLimit = 1000;

    private const int LongestQuote = 100;

    /// <summary>The page after a cursor.</summary>
    /// <exception cref="ApiException">The limit is out of range, or nothing has this cursor.</exception>
    public static Page<T> After<T>(IReadOnlyList<T> all, Func<T, string> id, string? cursor, string? limit)
    {
        int count = DefaultLimit;
        if (limit is not null
            && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > MostLimit))
        {
            throw new ApiException(ProblemType.InvalidValue, $"limit is a whole number from 1 to {MostLimit}, got '{Quoted(limit)}'");
        }

        int start = 0;
        if (cursor is not null)
        {
            while (start < all.Count && !string.Equals(id(all[start]), cursor, StringComparison.Ordinal))
            {
                start++;
            }

            start = start < all.Count ? start + 1
                : throw new ApiException(
                    ProblemType.InvalidValue, $"cursor '{Quoted(cursor)}' is not the next value of an earlier page of this list");
        }

        T[] items = [.. all.Skip(start).Take(count)];
        return new Page<T> { Items = items, Next = start + items.Length < all.Count ? id(items[^1]) : null };
    }

    private static string Quoted(string text) => text.Length <= LongestQuote ? text : text[..LongestQuote] + "...";
}
