using System.Globalization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>What people's different ceilings do to the error, and what the ways of dealing with them do about it.</summary>
internal sealed class GradeMixes : IExperiment
{
    /// <summary>How people who do not hold the sensitive value choose among the ceilings, from the strictest.</summary>
    private static readonly double[] Freely = [0.3, 0.4, 0.3];

    /// <summary>How those who hold it choose, when the choice depends on it.</summary>
    private static readonly double[] Shy = [0.7, 0.2, 0.1];

    private static readonly bool[] Selections = [false, true];

    public string Name => "grades";

    public string Title => "Different ceilings";

    public string Question =>
        "People allow different grades. Is a request better served at one grade through the ladder, with everybody at the strictest, "
        + "or with everybody at their own ceiling, and what if those with the sensitive value are stricter?";

    public ExperimentResult Run(ExperimentContext context, IProgress<double> progress, CancellationToken cancellation)
    {
        RecordTable records = RecordSubset.Sample(context.Records, context.Choose(50_000, 200_000), context.KeyOf(Name, -1));
        int repetitions = context.RepetitionsOr(12, 100);
        AttributeDefinition attribute = context.Schema.Attributes[context.Schema.IndexOf(context.Plan.Sensitive)];
        int[] ceilings = Ceilings(context.Schema, attribute);
        StatisticRequest request = StatisticRequest.Frequency(attribute.Name);
        int sensitive = Enumerable.Range(0, attribute.Domain.Size).First(c => attribute.Domain.Label(c) == context.Plan.SensitiveLabel);
        bool[] holds = PersonsWith(records, context.Schema.IndexOf(attribute.Name), sensitive);
        Arrangement[] arrangements = Arrangements();
        var site = new SiteReports(context.Schema, threads: 1);

        Outcome[][][] outcomes = Repetition.Run(context, repetitions, progress, r => Selections.Select(selection =>
        {
            byte[] key = context.KeyOf($"{Name} {selection}", r);
            int[] choice = Choose(records, holds, selection, ceilings.Length, key);
            RecordTable[] groups = [.. Enumerable.Range(0, ceilings.Length).Select(c =>
                RecordSubset.Take(records, [.. Enumerable.Range(0, records.Count).Where(i => choice[records.PersonIndex[i]] == c)]))];
            IReadOnlyList<double> Everybody(StatisticResult answer) => new Truth(context.Schema, records).Of(request, answer);
            return arrangements.Select(arrangement =>
            {
                (RecordTable Records, int Grade)[] deliveries =
                    [.. arrangement.Deliver(site, groups, ceilings, attribute).Where(d => d.Records.Count > 0)];
                ReportBatch[] batches = [.. deliveries.Select(d => site.Draw(d.Records, key, [attribute], _ => d.Grade))];
                StatisticResult answer = StatisticEstimator.Estimate(
                    request, batches, context.Options with { Combination = arrangement.Rule });
                IReadOnlyList<double> truth = Everybody(answer);
                StatisticCell cell = answer.Cells[sensitive];
                return new Outcome(
                    ErrorSample.Of(answer, truth), cell.Estimate - truth[sensitive],
                    answer.Cells.Select((c, i) => double.IsFinite(c.Low) ? (c.Low <= truth[i] && truth[i] <= c.High ? 1 : 0) : -1)
                        .ToArray());
            }).ToArray();
        }).ToArray(), cancellation);

        return Conclude(context, records.Count, repetitions, attribute, ceilings, arrangements, outcomes);
    }

    private ExperimentResult Conclude(
        ExperimentContext context, int records, int repetitions, AttributeDefinition attribute, int[] ceilings, Arrangement[] arrangements,
        Outcome[][][] outcomes)
    {
        string[] cases = ["choice independent of the value", "holders of the sensitive value stricter"];
        var errors = new FigurePoint[2][];
        var biases = new FigurePoint[2][];
        var coverage = new double?[2][];
        for (int s = 0; s < 2; s++)
        {
            errors[s] = new FigurePoint[arrangements.Length];
            biases[s] = new FigurePoint[arrangements.Length];
            coverage[s] = new double?[arrangements.Length];
            for (int a = 0; a < arrangements.Length; a++)
            {
                Outcome[] own = [.. outcomes.Select(r => r[s][a])];
                var all = new RepeatedErrors();
                var bias = new RepeatedErrors();
                foreach (Outcome outcome in own)
                {
                    all.Add(outcome.Errors);
                    bias.Add(new ErrorSample(outcome.SensitiveError * outcome.SensitiveError, outcome.SensitiveError, 0, 1));
                }

                errors[s][a] = new FigurePoint(all.Rmse, a, all.Range?.Low, all.Range?.High);
                biases[s][a] = new FigurePoint(bias.Bias, a, bias.BiasRange?.Low, bias.BiasRange?.High);
                int[] intervals = [.. own.SelectMany(o => o.Covered).Where(c => c >= 0)];
                coverage[s][a] = intervals.Length == 0 ? null : intervals.Average();
            }
        }

        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal);
        for (int a = 0; a < arrangements.Length; a++)
        {
            for (int s = 0; s < 2; s++)
            {
                string key = $"{arrangements[a].Id}.{(s == 0 ? "free" : "selected")}";
                numbers[$"{key}.rmse"] = errors[s][a].X;
                numbers[$"{key}.bias"] = biases[s][a].X;
                if (coverage[s][a] is { } share)
                {
                    numbers[$"{key}.coverage"] = share;
                }
            }
        }

        string[] rows = [.. arrangements.Select(a => a.Name)];
        string menu = string.Join(", ", ceilings.Select(c => context.Schema.Grades[c].ToString()));
        int best = Array.IndexOf(errors[0], errors[0].MinBy(e => e.X));
        int bestSelected = Array.IndexOf(errors[1], errors[1].MinBy(e => e.X));
        string Percent(double share) => (share * 100).ToString("0.00", CultureInfo.InvariantCulture);
        return new ExperimentResult
        {
            Name = Name,
            Title = Title,
            Question = Question,
            Records = records,
            Repetitions = repetitions,
            Numbers = numbers,
            Findings =
            [
                $"Ceilings of {attribute.Name}: epsilon {menu}, chosen by 30 %, 40 % and 30 % of persons; with selection, holders of "
                + $"'{context.Plan.SensitiveLabel}' choose 70 %, 20 % and 10 %.",
                $"When the choice does not depend on the value, the smallest error is that of '{rows[best]}' "
                + $"({Percent(errors[0][best].X)} points).",
                $"When it does, the smallest is that of '{rows[bestSelected]}' ({Percent(errors[1][bestSelected].X)} points); "
                + $"'unweighted' is off by {Percent(biases[1][Index(arrangements, "unweighted")].X)} points "
                    + $"at '{context.Plan.SensitiveLabel}' and 'one grade' by {Percent(biases[1][Index(arrangements, "one-grade")].X)}, "
                    + $"because it describes the people who allow that grade.",
                "All errors are against everybody in the file, so that one grade pays for the people it leaves out; its own statement, "
                + "about those who allow the grade, stays unbiased.",
            ],
            Figures =
            [
                Rows("error", $"Error of the frequency of {attribute.Name}", "Further left is better. Dots: root of the mean squared "
                    + "error; strokes: what the repetitions leave open.",
                    new FigureAxis("typical error, share of records", FigureScale.Logarithmic, FigureFormat.Percent), rows, cases, errors,
                    []),
                Rows("bias", $"Bias at {attribute.Name} = "
                    + $"{context.Plan.SensitiveLabel}", "On the line there is no bias: the error averages out over repetitions.",
                    new FigureAxis("mean error, share of records", FigureScale.Linear, FigureFormat.Percent), rows, cases, biases,
                    [new FigureReference("no bias", FigureReferenceKind.Vertical)]),
            ],
        };
    }

    private Figure Rows(
        string id, string title, string reading, FigureAxis axis, string[] rows, string[] cases, FigurePoint[][] points,
        IReadOnlyList<FigureReference> references) => new()
    {
        Id = $"{Name}-{id}",
        Title = title,
        Reading = reading,
        X = axis,
        Y = new FigureAxis(""),
        Rows = rows,
        Series = [.. cases.Select((name, s) => new FigureSeries(name, FigureMark.Point, points[s]))],
        References = references,
    };

    private static int Index(Arrangement[] arrangements, string id) => Array.FindIndex(arrangements, a => a.Id == id);

    /// <summary>Three ceilings from the menu of profiles, or around the default grade where the menu has fewer.</summary>
    private static int[] Ceilings(Schema schema, AttributeDefinition attribute)
    {
        int index = schema.IndexOf(attribute.Name);
        int[] menu = [.. schema.Profiles.Select(p => p[index]).Where(g => g > 0).Distinct().Order()];
        int middle = schema.DefaultGrade(attribute);
        int[] around = [.. new[] { middle - 1, middle, middle + 1, middle + 2, middle - 2 }.Where(g => g >= 1 && g <= schema.Grades.Count)
            .Take(3).Order()];
        return menu.Length >= 3 ? [menu[0], menu[menu.Length / 2], menu[^1]] : around;
    }

    private static bool[] PersonsWith(RecordTable records, int column, int code)
    {
        bool[] holds = new bool[records.PersonCount];
        for (int i = 0; i < records.Count; i++)
        {
            holds[records.PersonIndex[i]] |= records.Columns[column].Codes[i] == code;
        }

        return holds;
    }

    private static int[] Choose(RecordTable records, bool[] holds, bool selection, int ceilings, byte[] key)
    {
        using var random = new KeyedRandom(key);
        int[] choice = new int[records.PersonCount];
        for (int person = 0; person < choice.Length; person++)
        {
            double[] shares = selection && holds[person] ? Shy : Freely;
            double draw = random.Unit();
            int c = 0;
            while (c < ceilings - 1 && draw >= shares[c])
            {
                draw -= shares[c++];
            }

            choice[person] = c;
        }

        return choice;
    }

    private static Arrangement[] Arrangements()
    {
        static IEnumerable<(RecordTable, int)> Own(
            SiteReports site, RecordTable[] groups, int[] ceilings, AttributeDefinition attribute) => groups.Zip(ceilings);
        return
        [
            new("one-grade", "one grade, those who allow it", CombinationRule.Stratified, (site, groups, ceilings, attribute) =>
            {
                int grade = ceilings.MaxBy(g => Effective(site, groups, ceilings, attribute, g));
                return groups.Zip(ceilings).Where(p => p.Second >= grade).Select(p => (p.First, grade));
            }),
            new("strictest", "everybody at the strictest", CombinationRule.Stratified, (_, groups, ceilings, _) =>
                groups.Select(g => (g, ceilings[0]))),
            new("unweighted", "own ceilings, unweighted", CombinationRule.Unweighted, Own),
            new("stratified", "own ceilings, stratified", CombinationRule.Stratified, Own),
            new("precision", "own ceilings, precision-weighted", CombinationRule.Precision, Own),
            new("shrunk", "own ceilings, shrunk", CombinationRule.Shrunk, Own),
        ];
    }

    /// <summary>Effective records at a grade: those who allow it times what their reports are worth.</summary>
    private static double Effective(
        SiteReports site, RecordTable[] groups, int[] ceilings, AttributeDefinition attribute, int grade)
    {
        Mechanisms.Channel channel = site.ChannelOf(attribute, grade);
        return groups.Zip(ceilings).Where(p => p.Second >= grade)
            .Sum(p => (double)p.First.Count) * ReportQuality.OfFrequency(channel.P, channel.Q, channel.DomainSize);
    }

    private sealed record Arrangement(
        string Id, string Name, CombinationRule Rule,
        Func<SiteReports, RecordTable[], int[], AttributeDefinition, IEnumerable<(RecordTable Records, int Grade)>> Deliver);

    private sealed record Outcome(ErrorSample Errors, double SensitiveError, int[] Covered);
}
