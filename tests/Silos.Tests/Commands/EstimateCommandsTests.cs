using System.Text.Json;
using EmrMarket.Silos.Tests.Evaluate;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>Estimates from report files and plans before any report, as people run them.</summary>
public sealed class EstimateCommandsTests : IDisposable
{
    private readonly EvaluateProcess _emr = new();

    public void Dispose() => _emr.Dispose();

    [Fact]
    public async Task Estimate_says_from_reports_alone_what_the_records_say()
    {
        await PerturbAsync(records: 6_000);
        string[] lines = await File.ReadAllLinesAsync(_emr.Place("s.csv"));
        int admission = Array.IndexOf(lines[0].Split(','), "admission");
        Dictionary<string, double> truth = lines.Skip(1).GroupBy(l => l.Split(',')[admission], StringComparer.Ordinal)
            .ToDictionary(g => g.Key.Length == 0 ? "unknown" : g.Key, g => g.Count() / 6_000.0, StringComparer.Ordinal);
        File.Delete(_emr.Place("s.csv"));
        File.Delete(_emr.Place("k"));

        (int code, string output, string error) = await _emr.RunAsync(
            "estimate", "--reports", "o", "--statistic", "frequency:admission", "--statistic", "mean:length_of_stay", "--confidence",
            "0.999999", "--json");
        Assert.True(code == 0, error);
        JsonElement[] statistics = [.. JsonDocument.Parse(output).RootElement.EnumerateArray()];
        Assert.Equal(["frequency:admission", "mean:length_of_stay"], statistics.Select(s => s.GetProperty("id").GetString()!));
        Assert.All(statistics, s => Assert.Equal(6_000, s.GetProperty("n").GetInt64()));

        // Five guarantees that fail together with probability at most 1e-6.
        JsonElement[] cells = [.. statistics[0].GetProperty("cells").EnumerateArray()];
        Assert.Equal(5, cells.Length);
        Assert.All(cells, c => Assert.InRange(
            c.GetProperty("estimate").GetDouble() - truth.GetValueOrDefault(c.GetProperty("value").GetString()!), -Guaranteed(c),
            Guaranteed(c)));
    }

    [Fact]
    public async Task Estimate_tells_a_refusal_from_a_wrong_command_and_prints_tables_and_csv()
    {
        await PerturbAsync(records: 400);
        string[] estimate = ["estimate", "--reports", "o", "--statistic"];
        (int code, string output, string error) = await _emr.RunAsync([.. estimate, "frequency:sex", "--statistic", "frequency:payer"]);
        Assert.Equal(1, code);
        Assert.Contains("female", output, StringComparison.Ordinal);
        Assert.Contains("refused frequency:payer", error, StringComparison.Ordinal);

        (code, output, _) = await _emr.RunAsync([.. estimate, "table:sex,admission", "--csv"]);
        Assert.Equal(0, code);
        string[] rows = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("id,kind,attributes,", rows[0], StringComparison.Ordinal);
        Assert.Contains(rows, r => r.Contains("female | elective", StringComparison.Ordinal));

        foreach (string[] wrong in new string[][]
        {
            [.. estimate, "frequency"], [.. estimate, "frequency:sex", "--confidence", "1"],
            [.. estimate, "frequency:sex", "--csv", "--json"], [.. estimate, "frequency:sex", "--metadata", "s.csv-metadata.json"],
            [.. estimate, "frequency:sex", "--csv", "--metadata", "s.json"],
            [.. estimate, "frequency:sex", "--csv", "--metadata", "-metadata.json"],
            ["estimate", "--reports", "nowhere", "--statistic", "frequency:sex"],
        })
        {
            (code, output, error) = await _emr.RunAsync(wrong);
            Assert.True(code == 2, string.Join(' ', wrong) + ": " + error);
        }
    }

    [Fact]
    public async Task Estimate_refuses_a_report_file_of_which_one_bit_was_turned()
    {
        await PerturbAsync(records: 400);
        string file = Directory.GetFiles(_emr.Place("o")).Single(f => f.EndsWith(".emr-reports", StringComparison.Ordinal));
        byte[] bytes = await File.ReadAllBytesAsync(file);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(file, bytes);
        (int code, string output, string error) = await _emr.RunAsync("estimate", "--reports", "o", "--statistic", "frequency:sex");
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Contains("synthetic.emr-reports", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Plan_gives_the_least_records_for_an_error_and_that_error_for_those_records()
    {
        string[] plan = ["request", "plan", "--offline", "--schema", "diabetic_data", "--statistic", "frequency:race", "--json"];
        JsonElement[] wanted = await OptionsAsync([.. plan, "--half-width", "0.01"]);
        Assert.Equal(6, wanted.Length);
        Assert.Equal(wanted.Select(Records).OrderDescending(), wanted.Select(Records));
        JsonElement middle = wanted[2];
        Assert.True(Guaranteed(middle) > Expected(middle));

        JsonElement same = (await OptionsAsync([.. plan, "--records", Text(Records(middle))]))[2];
        JsonElement fewer = (await OptionsAsync([.. plan, "--records", Text(Records(middle) - 1)]))[2];
        Assert.Equal(Expected(middle), Expected(same), 1e-15);
        Assert.True(Expected(same) <= 0.01 && Expected(fewer) > 0.01);

        // Randomised response at epsilon 1 over six labels: half-width 1.96 sqrt(p (1 - p) / n) / (p - q) where the variance is largest.
        double p = Math.E / (Math.E + 5), q = 1 / (Math.E + 5);
        double largest = Math.Max(p * (1 - p), q * (1 - q));
        Assert.Equal(1.959963985 * Math.Sqrt(largest / Records(middle)) / (p - q), Expected(middle), 2e-5);
    }

    [Fact]
    public async Task Plan_says_with_its_exit_code_that_no_grade_will_do()
    {
        string[] plan = ["request", "plan", "--offline", "--schema", "diabetic_data", "--statistic", "frequency:race"];
        (int code, string output, _) = await _emr.RunAsync([.. plan, "--half-width", "0.001", "--available", "900,800,700,600,500,400"]);
        Assert.Equal(1, code);
        Assert.Contains("Recommended: none", output, StringComparison.Ordinal);
        foreach (string[] wrong in new string[][]
        {
            [.. plan], [.. plan, "--records", "5", "--half-width", "0.1"], [.. plan, "--half-width", "-1"],
            [.. plan, "--records", "9", "--available", "1,2,3,4,5,6"],
            ["request", "plan", "--offline", "--schema", "diabetic_data", "--statistic", "frequency:height", "--records", "9"],
        })
        {
            (code, _, string error) = await _emr.RunAsync(wrong);
            Assert.True(code == 2, string.Join(' ', wrong) + ": " + error);
        }
    }

    [Fact]
    public async Task Perturb_remembers_what_is_out_beside_the_site_key()
    {
        await _emr.RunAsync("data", "generate", "--records", "3000", "--out", "s.csv");
        await _emr.RunAsync("site-key", "new", "k");
        string[] perturb = ["perturb", "--data", "s.csv", "--schema", "synthetic", "--site-key", "k", "--out", "o", "--cap", "5", "--json"];
        async Task<JsonElement> Summary(string attribute)
        {
            (int code, string output, string error) = await _emr.RunAsync([.. perturb, "--attribute", attribute]);
            Assert.True(code == 0, error);
            return JsonDocument.Parse(output).RootElement.GetProperty("summary");
        }

        int first = (await Summary("admission")).GetProperty("released").GetInt32();
        int second = (await Summary("payer")).GetProperty("released").GetInt32();
        Assert.True(second < first, $"{second} of {first} records were handed out after most of the cap was used.");
        Assert.Equal(second, (await Summary("payer")).GetProperty("released").GetInt32());
        (int refused, _, string message) = await _emr.RunAsync([.. perturb, "--attribute", "payer", "--ledger", "s.csv"]);
        Assert.Equal(2, refused);
        Assert.Contains("ledger of releases", message, StringComparison.Ordinal);
    }

    private Task PerturbAsync(int records) => PerturbAsync(_emr, records);

    /// <summary>Puts reports of made-up records into the folder o.</summary>
    internal static async Task PerturbAsync(EvaluateProcess emr, int records)
    {
        await emr.RunAsync("data", "generate", "--records", Text(records), "--out", "s.csv");
        await emr.RunAsync("site-key", "new", "k");
        (int code, _, string error) = await emr.RunAsync(
            "perturb", "--data", "s.csv", "--schema", "synthetic", "--site-key", "k", "--policies", "generous", "--cap",
            "off", "--out", "o", "--attribute", "sex", "--attribute", "admission", "--attribute", "length_of_stay");
        Assert.True(code == 0, error);
    }

    private async Task<JsonElement[]> OptionsAsync(string[] arguments)
    {
        (int code, string output, string error) = await _emr.RunAsync(arguments);
        Assert.True(code == 0, error);
        return [.. JsonDocument.Parse(output).RootElement.GetProperty("options").EnumerateArray()];
    }

    private static string Text(long number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static long Records(JsonElement option) => option.GetProperty("records").GetInt64();

    private static double Expected(JsonElement option) => option.GetProperty("expectedHalfWidth").GetDouble();

    private static double Guaranteed(JsonElement item) => item.GetProperty("guaranteedHalfWidth").GetDouble();
}
