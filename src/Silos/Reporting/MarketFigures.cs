using System.Globalization;
using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting;

/// <summary>What the market's numbers say, in sentences and plots.</summary>
internal static class MarketFigures
{
    /// <summary>The findings, the most important first.</summary>
    public static IEnumerable<string> Findings(MarketSection market)
    {
        long sold = market.Requests.Sum(request => request.Sold);
        long delivered = market.Requests.Sum(request => request.Delivered);
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{market.Requests.Count(request => request.State == "settled")} of {market.Requests.Count} requests were served: {sold:#,0} "
            + $"records sold, {delivered:#,0} delivered; every request ended.");
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{market.Money.Funded:#,0} token units were funded: {market.Money.Patients:#,0} went to patients' one-time addresses, "
            + $"{market.Money.Fees:#,0} to relayers, {market.Money.Refunded:#,0} back. Not a unit was made or lost.");
        (int covered, int intervals) = (market.Statistics.Sum(s => s.Covered), market.Statistics.Sum(s => s.Intervals));
        if (intervals > 0)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{covered:#,0} of {intervals:#,0} intervals from the delivered reports contain the truth of all records "
                + $"({Numbers.Percent((double)covered / intervals)}).");
        }

        yield return $"A full replay of {market.Replayed} served requests from chain and files alone, match, drawing, leaves, reports, "
            + $"payments and statistics, found no fault.";
        MarketMatching exact = market.Matchings[0];
        IEnumerable<string> others = market.Matchings.Skip(1).Select(m => string.Create(
            CultureInfo.InvariantCulture,
            $"{Numbers.Percent(exact.Welfare == 0 ? 1 : m.Welfare / exact.Welfare)} of its welfare with {m.BlockingPairs:#,0} "
            + $"blocking pairs ({m.Rule})"));
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"The match has welfare {exact.Welfare:#,0} and {exact.BlockingPairs} blocking pairs; others reach "
            + $"{string.Join(", ", others)}.");
    }

    /// <summary>The plots.</summary>
    public static IEnumerable<Figure> All(MarketSection market) =>
    [
        Bars("market-requests", "Records by request", "Wanted, sold and delivered. What was sold and not delivered was "
            + "refunded.", "records", [.. market.Requests.Select(r => $"{r.Id}: {r.Title}")],
            ("wanted", FigureMark.Tick, [.. market.Requests.Select(r => (double)r.Target)]),
            ("delivered", FigureMark.Bar, [.. market.Requests.Select(r => (double)r.Delivered)])),
        Bars("market-money", "Money by request", "The budget, and what was paid of it with fees; the rest "
            + "went back.", "token units", [.. market.Requests.Select(r => $"{r.Id}: {r.Title}")],
            ("budget", FigureMark.Tick, [.. market.Requests.Select(r => (double)r.Budget)]),
            ("paid", FigureMark.Bar, [.. market.Requests.Select(r => (double)r.Paid)])),
        Bars("market-matchings", "Welfare by rule", "The sum of what records are worth to researchers less what "
            + "patients ask.", "token units", [.. market.Matchings.Select(m => m.Rule)],
            ("welfare", FigureMark.Bar, [.. market.Matchings.Select(m => m.Welfare)])),
        Bars("market-profiles", "Payments by profile", "Token units per record on offer: what a choice of privacy earned in "
            + "this round.", "token units per record", [.. market.Profiles.Select(p => p.Profile)],
            ("paid", FigureMark.Bar, [.. market.Profiles.Select(p => p.Records == 0 ? 0 : (double)p.Paid / p.Records)])),
        Bars("market-gas", "Gas by stage", "What the ledger's work cost.", "gas", [.. market.Stages.Select(s => s.Name)],
            ("gas", FigureMark.Bar, [.. market.Stages.Select(s => (double)s.Gas)])),
    ];

    private static Figure Bars(string id, string title, string reading, string unit, string[] rows, params (
        string Name, FigureMark Mark, double[] Values)[] series) => new()
    {
        Id = id,
        Title = title,
        Reading = reading,
        X = new FigureAxis(unit),
        Y = new FigureAxis(""),
        Rows = rows,
        Series = [.. series.Select(s => new FigureSeries(s.Name, s.Mark, [.. s.Values.Select((value, i) => new FigurePoint(value, i))]))],
    };
}
