using System.Globalization;
using System.Text;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Silos.Reporting.Plots;

namespace EmrMarket.Silos.Reporting;

/// <summary>
/// report.html: one file without scripts and without a single request (its content policy forbids both), in the order in which a data
/// officer reads: what was found in words, then plots, then every number.
/// </summary>
internal sealed class HtmlReport
{
    private const int MostTableRows = 60;
    private readonly StringBuilder _html = new();
    private readonly ResultsDocument _results;

    private HtmlReport(ResultsDocument results) => _results = results;

    /// <summary>The page.</summary>
    public static string Write(ResultsDocument results) => new HtmlReport(results).Page();

    private string Page()
    {
        RunInformation run = _results.Run;
        _html.Head($"EmrMarket evaluation: {run.Data.Name}");
        _html.Append("<header><div>\n<h1>What randomised reports say, beside the truth</h1>\n")
            .Append(CultureInfo.InvariantCulture, $"<p class=\"origin\">{E(run.Data.Name)} · schema {E(run.Data.Schema)} · ")
            .Append(
                CultureInfo.InvariantCulture, $"{Numbers.Count(run.Data.Records)} records of {Numbers.Count(run.Data.Persons)} persons · ")
            .Append(
                CultureInfo.InvariantCulture, $"{run.Finished.ToString("d MMMM yyyy, HH:mm 'UTC'", CultureInfo.InvariantCulture)}</p>\n");
        Navigation();
        _html.Append("</div></header>\n<main>\n");
        Summary();
        Estimates();
        foreach (ExperimentResult experiment in _results.Experiments)
        {
            Experiment(experiment);
        }

        Market();
        Time();
        EveryNumber();
        _html.Append("</main>\n");
        Footer();
        _html.Append("</body>\n</html>\n");
        return _html.ToString();
    }

    private void Navigation()
    {
        _html.Append("<nav aria-label=\"Contents\"><a href=\"#summary\">Summary</a><a href=\"#estimates\">Estimates</a>");
        foreach (ExperimentResult experiment in _results.Experiments)
        {
            _html.Append(CultureInfo.InvariantCulture, $"<a href=\"#{experiment.Name}\">{E(experiment.Title)}</a>");
        }

        _html.Append(_results.Market is null ? "" : "<a href=\"#market\">Market</a>");
        _html.Append("<a href=\"#time\">Time</a><a href=\"#numbers\">Every number</a></nav>\n");
    }

    private void Summary()
    {
        EvaluationSummary summary = _results.Summary;
        _html.Append("<section id=\"summary\">\n<h2>Summary</h2>\n");
        foreach (string sentence in ReportWords.Lead(_results))
        {
            _html.Append(CultureInfo.InvariantCulture, $"<p class=\"lead\">{E(sentence)}</p>\n");
        }

        _html.Append("<dl class=\"facts\">\n");
        _html.Fact("Statistics answered", Numbers.Count(summary.Answered), summary.Refused == 0
            ? "none refused"
            : $"{summary.Refused} refused, see below");
        if (summary.Intervals > 0)
        {
            _html.Fact(
                "Intervals that contain the truth", Numbers.Percent((double)summary.Covered / summary.Intervals),
                $"{Numbers.Count(summary.Covered)} of {Numbers.Count(summary.Intervals)}; {Numbers.Count(summary.ExpectedCovered)} were "
                + $"to be expected");
        }

        foreach (ShareErrors errors in EvaluationSummary.ErrorsByKind(_results.Statistics))
        {
            string name = StatisticNames.Plural(errors.Kind);
            _html.Fact(
                $"Error of a share, {name}", Points(errors.Median),
                $"percentage points at half of {Numbers.Count(errors.Cells)} shares; at most {Points(errors.Largest)}, at "
                + $"{errors.LargestId} = {errors.LargestCell}");
        }

        _html.Append("</dl>\n<h3>Limits</h3>\n<ul class=\"plain\">\n");
        foreach (string limit in ReportWords.Limits(_results))
        {
            _html.Append(CultureInfo.InvariantCulture, $"<li>{E(limit)}</li>\n");
        }

        _html.Append("</ul>\n</section>\n");
    }

    private void Estimates()
    {
        _html.Append("<section id=\"estimates\">\n<h2>Estimates against the truth</h2>\n")
            .Append("<p class=\"reading\">The truth was computed from the raw records in this process; the estimates saw the randomised "
                + "reports only.</p>\n");
        if (StatisticFigures.Overview(_results.Statistics) is { } overview)
        {
            _html.Append("<div class=\"figures single\">\n");
            _html.Draw(overview);
            _html.Append("</div>\n");
        }

        _html.Append("<div class=\"figures\">\n");
        foreach (EvaluatedStatistic statistic in ReportWords.Plotted(_results.Statistics))
        {
            _html.Draw(StatisticFigures.OfStatistic(statistic));
        }

        _html.Append("</div>\n</section>\n");
    }

    private void Experiment(ExperimentResult experiment)
    {
        _html.Append(
            CultureInfo.InvariantCulture,
            $"<section id=\"{experiment.Name}\">\n<h2>{E(experiment.Title)}</h2>\n<p class=\"reading\">{E(experiment.Question)} ")
            .Append(CultureInfo.InvariantCulture, $"({Numbers.Count(experiment.Records)} records, {Numbers.Count(experiment.Repetitions)} ")
            .Append(experiment.Repetitions == 1 ? "repetition" : "repetitions").Append(")</p>\n<ul class=\"plain\">\n");
        foreach (string finding in experiment.Findings)
        {
            _html.Append(CultureInfo.InvariantCulture, $"<li>{E(finding)}</li>\n");
        }

        _html.Append("</ul>\n<div class=\"figures").Append(experiment.Figures.Count == 1 ? " single" : "").Append("\">\n");
        foreach (Figure figure in experiment.Figures)
        {
            _html.Draw(figure);
        }

        _html.Append("</div>\n</section>\n");
    }

    private void Market()
    {
        if (_results.Market is not { } market)
        {
            return;
        }

        _html.Append("<section id=\"market\">\n<h2>The market</h2>\n<p class=\"reading\">The same records, offered by ")
            .Append(market.Sites.Count)
            .Append(CultureInfo.InvariantCulture, $" sites under their patients' policies and sold to {market.Requests.Count} requests on "
                + $"a ledger. Money in token units.</p>\n<ul class=\"plain\">\n");
        foreach (string finding in MarketFigures.Findings(market))
        {
            _html.Append(CultureInfo.InvariantCulture, $"<li>{E(finding)}</li>\n");
        }

        _html.Append("</ul>\n<div class=\"figures\">\n");
        foreach (Figure figure in MarketFigures.All(market))
        {
            _html.Draw(figure);
        }

        _html.Append("</div>\n");
        string[] ofRequests = ["request", "wanted", "sold", "delivered", "effective", "budget", "paid", "back", "end"];
        _html.Rows("Requests", ofRequests, market.Requests.Select(r => (string[])
        [
            $"{r.Id}: {r.Title}", Numbers.Count(r.Target), Numbers.Count(r.Sold), Numbers.Count(r.Delivered), Numbers.Count(r.Effective),
            Numbers.Count(r.Budget), Numbers.Count(r.Paid),
            Numbers.Count(r.Refunded), $"{r.State}: {r.Reason}",
        ]), "words");
        string[] ofMatchings = ["rule", "time", "welfare", "records", "matched", "blocking pairs", "Gini of earnings"];
        _html.Rows("Ways to match", ofMatchings, market.Matchings.Select(m => (string[])
        [
            m.Rule, Numbers.Seconds(m.Milliseconds / 1000), Numbers.Count(m.Welfare), Numbers.Count(m.Records),
            Numbers.Percent(m.ShareMatched), Numbers.Count(m.BlockingPairs), Numbers.Short(m.Gini),
        ]));
        string[] ofSites = ["site", "records", "persons", "on offer", "classes", "withheld", "highest loss of a person"];
        _html.Rows("Sites", ofSites, market.Sites.Select(s => (string[])
        [
            Numbers.Count(s.Site), Numbers.Count(s.Records), Numbers.Count(s.Persons), Numbers.Count(s.Members), Numbers.Count(s.Classes),
            Numbers.Count(s.Withheld), $"{Numbers.Short(s.HighestLoss)} epsilon",
        ]));
        _html.Rows("Stages", ["stage", "time", "transactions", "gas", "memory"], market.Stages.Select(s => (string[])
            [s.Name, Numbers.Seconds(s.Seconds), Numbers.Count(s.Transactions), Numbers.Count(s.Gas), Numbers.Mebibytes(s.MemoryBytes)]));
        _html.Append("<h3>One pseudonym, followed from policy to payout</h3>\n<ol>\n");
        foreach (string sentence in market.Trace)
        {
            _html.Append(CultureInfo.InvariantCulture, $"<li>{E(sentence)}</li>\n");
        }

        _html.Append("</ol>\n</section>\n");
    }

    private void Time()
    {
        _html.Append("<section id=\"time\">\n<h2>Time and memory</h2>\n")
            .Append(
                CultureInfo.InvariantCulture,
                $"<p>{Numbers.Seconds(_results.Stages.Sum(s => s.Seconds))} in all on {_results.Run.Threads} ")
            .Append(_results.Run.Threads == 1 ? "thread" : "threads")
            .Append(
                CultureInfo.InvariantCulture,
                $" of {E(_results.Run.Machine.Processor)}; at most {Numbers.Mebibytes(_results.Run.PeakMemoryBytes)} of memory.</p>\n")
            .Append("<div class=\"figures single\">\n");
        _html.Draw(StatisticFigures.Stages(_results.Stages));
        _html.Append("</div>\n</section>\n");
    }

    private void EveryNumber()
    {
        _html.Append("<section id=\"numbers\">\n<h2>Every number</h2>\n")
            .Append(
                "<p class=\"reading\">One line per statistic; open it for its cells. All of it is in results.csv and results.json.</p>\n");
        foreach (IGrouping<StatisticKind, EvaluatedStatistic> kind in _results.Statistics.GroupBy(s => s.Kind))
        {
            string name = StatisticNames.Plural(kind.Key);
            _html.Append(CultureInfo.InvariantCulture, $"<h3 class=\"kind\">{char.ToUpperInvariant(name[0])}{name[1..]}</h3>\n")
                .Append(
                    "<div class=\"columns\" aria-hidden=\"true\"><span>statistic</span><span>epsilon</span><span>effective records</span>")
                .Append("<span>typical error</span><span>covered</span></div>\n");
            foreach (EvaluatedStatistic statistic in kind)
            {
                Statistic(statistic);
            }
        }

        _html.Append("</section>\n");
    }

    private void Statistic(EvaluatedStatistic statistic)
    {
        string error = statistic.Rmse is { } rmse ? Numbers.InUnit(rmse, statistic.Unit) : statistic.Refusal is null ? "-" : "refused";
        string covered = statistic.Intervals == 0 ? "-" : $"{statistic.Covered} of {statistic.Intervals}";
        _html.Append(
            CultureInfo.InvariantCulture, $"<details class=\"statistic\"><summary><span>{E(StatisticNames.Title(statistic))}</span>")
            .Append(
                CultureInfo.InvariantCulture,
                $"<span>{Numbers.Short(statistic.Epsilon)}</span><span>{Numbers.Count(statistic.EffectiveRecords)}</span>")
            .Append(
                CultureInfo.InvariantCulture,
                $"<span>{E(error)}</span><span>{covered}</span></summary>\n");
        string grades = string.Join(", ", statistic.Attributes.Zip(statistic.Grades, (attribute, grade) => grade is null
            ? $"{attribute}: public"
            : $"{attribute}: {grade.Mechanism} at grade {grade.Grade} (epsilon {Numbers.Short(grade.Epsilon)})"));
        _html.Append(
            CultureInfo.InvariantCulture, $"<p class=\"note\">{E(statistic.Estimator)}; post-processing: {E(statistic.PostProcessing)}; ")
            .Append(CultureInfo.InvariantCulture, $"intervals: {E(statistic.Interval)} at {Numbers.Percent(statistic.Confidence)}; n = "
                + $"{Numbers.Count(statistic.N)}. {E(grades)}.</p>\n");
        foreach (string note in statistic.Notes.Concat(statistic.Refusal is null ? [] : [$"Refused: {statistic.Refusal}"]))
        {
            _html.Append(CultureInfo.InvariantCulture, $"<p class=\"note\">{E(note)}</p>\n");
        }

        if (statistic.Cells.Count > 0)
        {
            Cells(statistic);
        }

        _html.Append("</details>\n");
    }

    private void Cells(EvaluatedStatistic statistic)
    {
        string Bare(double? value) => value is { } v ? Numbers.Bare(v, statistic.Unit) : "-";
        _html.Append("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">value</th><th scope=\"col\">truth</th><th "
            + "scope=\"col\">estimate</th>")
            .Append("<th scope=\"col\">error</th><th scope=\"col\">standard error</th><th scope=\"col\">interval</th><th "
                + "scope=\"col\">contains truth</th>")
            .Append("<th scope=\"col\">expected half-width</th><th scope=\"col\">guaranteed</th></tr></thead><tbody>\n");
        foreach (EvaluatedCell cell in statistic.Cells.Take(MostTableRows))
        {
            string interval = cell is { Low: { } low, High: { } high } ? Numbers.Interval(low, high, statistic.Unit) : "-";
            string covered = cell.Covered switch { true => "<td>yes</td>", false => "<td class=\"missed\">no</td>", null => "<td>-</td>" };
            _html.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td>{E(cell.Value)}</td><td>{Bare(cell.Truth)}</td><td>{Bare(cell.Estimate)}</td><td>{Bare(cell.Error)}</td>")
                .Append(
                    CultureInfo.InvariantCulture,
                    $"<td>{Bare(cell.StandardError)}</td><td>{interval}</td>{covered}<td>{Bare(cell.ExpectedHalfWidth)}</td>")
                .Append(CultureInfo.InvariantCulture, $"<td>{Bare(cell.GuaranteedHalfWidth)}</td></tr>\n");
        }

        _html.Append("</tbody></table></div>\n");
        if (statistic.Cells.Count > MostTableRows)
        {
            _html.Append(
                CultureInfo.InvariantCulture,
                $"<p class=\"note\">{statistic.Cells.Count - MostTableRows} more cells are in results.csv.</p>\n");
        }
    }

    private void Footer()
    {
        RunInformation run = _results.Run;
        _html.Append("<footer><div>\n")
            .Append(CultureInfo.InvariantCulture, $"<p>EmrMarket {E(run.Version)} on {E(run.Runtime)}, {E(run.Machine.OperatingSystem)}; "
                + $"{E(run.Machine.Processor)}, {run.Machine.Cores} cores. ")
            .Append(run.Seed == RunSeed.Cryptographic
                ? "The randomness was cryptographic, under a key that was drawn for this run and not kept."
                : $"The randomness was derived from the seed {E(run.Seed)}: repeatable, and therefore protecting nobody.")
            .Append(CultureInfo.InvariantCulture, $"</p>\n<p>Schema id <code>{E(run.Data.SchemaId)}</code>");
        foreach (FileInformation file in run.Data.Files)
        {
            _html.Append(
                CultureInfo.InvariantCulture, $"; {E(file.Name)}, {Numbers.Count(file.Bytes)} bytes, sha256 <code>{E(file.Sha256)}</code>");
        }

        _html.Append(".</p>\n</div></footer>\n");
    }

    private static string Points(double share) => Numbers.Percent(share).Replace(" %", "", StringComparison.Ordinal);

    private static string E(string text) => SvgBuilder.Escape(text);
}

/// <summary>How a run's randomness is named.</summary>
internal static class RunSeed
{
    /// <summary>A fresh random key.</summary>
    public const string Cryptographic = "cryptographic";
}
