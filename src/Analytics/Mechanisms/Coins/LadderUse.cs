using System.Globalization;
using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Mechanisms.Coins;

/// <summary>Names the use of coins by one ladder, and serves as the key by which ladders are cached: equal names, equal ladders.</summary>
internal static class LadderUse
{
    /// <summary>A name of mechanism, sizes and losses.</summary>
    public static string Of(string mechanism, int size, int shape, GradeLadder grades) =>
        string.Create(CultureInfo.InvariantCulture, $"{mechanism} {size} {shape} {Losses(grades)}");

    /// <summary>The micro-epsilon of all grades.</summary>
    public static string Losses(GradeLadder grades) =>
        string.Join(',', Enumerable.Range(1, grades.Count).Select(grade => grades[grade].Micro.ToString(CultureInfo.InvariantCulture)));
}
