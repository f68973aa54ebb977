using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Quality;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Reporting;
using EmrMarket.Silos.Reporting.Fhir;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Tests.Api;

[Collection(ApiTests.Name)]
public sealed class FhirTests(ApiFixture api)
{
    private const string Hostile = "<script>alert('x')</script> & \"quotes\" \u0001";

    [RequiresFact(Tool.Node)]
    public async Task Bundle_of_every_kind_of_answer_is_R4_as_the_specification_has_it()
    {
        string bundle = FhirResults.Write(EveryKind());
        Assert.Equal(bundle, FhirResults.Write(EveryKind()));

        // The oracle is awake: it finds a missing element, a code of no value set, an element of no resource and a value of another type.
        (string Good, string Bad)[] planted =
        [
            ("\"recorded\":", "\"recordedAt\":"), ("\"status\": \"final\"", "\"status\": \"finished\""),
            ("\"role\": \"source\"", "\"role\": \"origin\""), ("\"hasMember\":", "\"hasMembers\":"),
            ("\"valueInteger\": 1200", "\"valueInteger\": \"many\""), ("\"Not Performed\"", "\"Omitted\""),
        ];
        Assert.All(planted, each => Assert.Contains(each.Good, bundle, StringComparison.Ordinal));
        string[] faults = await FhirOracle.FaultsAsync(
            [bundle, .. planted.Select(each => bundle.Replace(each.Good, each.Bad, StringComparison.Ordinal))]);
        Assert.True(faults[0].Length == 0, faults[0]);
        Assert.All(faults[1..], fault => Assert.NotEqual("", fault));
    }

    [Fact]
    public void Bundle_names_every_reference_once_and_carries_every_figure()
    {
        RequestDossier dossier = EveryKind();
        JsonNode bundle = JsonNode.Parse(FhirResults.Write(dossier))!;
        JsonNode[] entries = [.. bundle["entry"]!.AsArray().Select(entry => entry!)];
        string[] names = [.. entries.Select(entry => entry["fullUrl"]!.GetValue<string>())];
        Assert.Equal(names.Length, names.Distinct(StringComparer.Ordinal).Count());
        Assert.All(names, name => Assert.Matches("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", name));
        string[] references = [.. Find(bundle, "reference").Select(reference => reference.GetValue<string>())];
        Assert.NotEmpty(references);
        Assert.All(references, reference => Assert.Contains(reference, names));

        // No string is empty or has a character that FHIR forbids.
        string[] strings = [.. Strings(bundle)];
        Assert.Contains(strings, text => text.Contains("<script>", StringComparison.Ordinal));
        Assert.All(strings, text =>
            Assert.True(text.Trim().Length > 0 && !text.Any(c => c < ' ' && c is not ('\t' or '\n' or '\r')), text));

        // Every figure, and every number of it, is found again.
        JsonNode[] figures = [.. Of(entries, "figure")];
        StatisticCell[] cells = [.. dossier.Results.Statistics.Select(answer => answer.Result).OfType<StatisticResult>()
            .SelectMany(result => result.Cells.Concat(result.Sections.SelectMany(section => section.Cells)))];
        Assert.Equal(cells.Length, figures.Length);
        foreach (StatisticCell cell in cells)
        {
            string about = cell.Value.Replace('\u0001', '\uFFFD');
            JsonNode figure = Assert.Single(figures, each => Component(each, "about")!["valueString"]!.GetValue<string>() == about);
            Assert.Equal(double.IsFinite(cell.Estimate), figure["valueQuantity"] is not null);
            Assert.Equal(double.IsFinite(cell.Estimate), figure["dataAbsentReason"] is null);
            if (double.IsFinite(cell.Estimate))
            {
                Assert.Equal(cell.Estimate, figure["valueQuantity"]!["value"]!.GetValue<double>());
            }

            JsonNode? interval = Component(figure, "CI")?["valueRange"];
            Assert.Equal(double.IsFinite(cell.Low) ? cell.Low : null, interval?["low"]?["value"]!.GetValue<double>());
            Assert.Equal(double.IsFinite(cell.High) ? cell.High : null, interval?["high"]?["value"]!.GetValue<double>());
            Assert.Equal(cell.GuaranteedHalfWidth,
                Component(figure, "guaranteed-half-width")?["valueQuantity"]!["value"]!.GetValue<double>());
            Assert.Equal(double.IsFinite(cell.StandardError) ? cell.StandardError : null,
                Component(figure, "SE")?["valueQuantity"]!["value"]!.GetValue<double>());
        }

        JsonNode statistic = Assert.Single(Of(entries, "mean"));
        Assert.Equal(1.5, Component(statistic, "epsilon")!["valueQuantity"]!["value"]!.GetValue<double>());
        Assert.Equal(432.5, Component(statistic, "effective-records")!["valueQuantity"]!["value"]!.GetValue<double>());
        Assert.Equal(1200, Component(statistic, "records")!["valueInteger"]!.GetValue<long>());
        JsonNode refused = Assert.Single(Of(entries, "quantile"));
        Assert.Equal("cancelled", refused["status"]!.GetValue<string>());
        Assert.Contains("too few", refused["note"]![0]!["text"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public void Measure_report_has_every_estimate_as_a_score_with_its_sign_interval_and_epsilon()
    {
        RequestDossier dossier = EveryKind();
        JsonNode[] resources =
            [.. JsonNode.Parse(FhirResults.Write(dossier))!["entry"]!.AsArray().Select(entry => entry!["resource"]!)];
        JsonNode report = Assert.Single(resources, each => each["resourceType"]!.GetValue<string>() == "MeasureReport");
        JsonNode measure = Assert.Single(resources, each => each["resourceType"]!.GetValue<string>() == "Measure");
        Assert.Equal(measure["url"]!.GetValue<string>(), report["measure"]!.GetValue<string>());
        JsonNode[] groups = [.. report["group"]!.AsArray().Select(each => each!)];
        Assert.Equal(dossier.Results.Statistics.Count, groups.Length);
        foreach ((StatisticAnswer answer, JsonNode group) in dossier.Results.Statistics.Zip(groups))
        {
            Assert.Equal(answer.Id, group["code"]!["text"]!.GetValue<string>());
            JsonNode[] scores = [.. Find(group["stratifier"], "measureScore")];
            if (answer.Result is not { } result)
            {
                Assert.Equal("not-performed",
                    Extension(group["measureScore"]!, FhirCodes.AbsentExtension)!["valueCode"]!.GetValue<string>());
                continue;
            }

            Assert.Equal(result.N, group["population"]![0]!["count"]!.GetValue<long>());
            Assert.Equal(result.Epsilon.Micro / 1e6, Extension(group, FhirCodes.EpsilonExtension)!["valueDecimal"]!.GetValue<double>());
            StatisticCell[] cells = [.. result.Cells, .. result.Sections.SelectMany(section => section.Cells)];
            Assert.Equal(cells.Length, scores.Length);
            Assert.Contains(cells, cell => cell.Estimate < 0);
            foreach ((StatisticCell cell, JsonNode score) in cells.Zip(scores))
            {
                Assert.Equal(double.IsFinite(cell.Estimate) ? cell.Estimate : null, score["value"]?.GetValue<double>());
                Assert.Equal(double.IsFinite(cell.Estimate), Extension(score, FhirCodes.AbsentExtension) is null);
                JsonNode? interval = Extension(score, FhirCodes.IntervalExtension);
                Assert.Equal(double.IsFinite(cell.Low) ? cell.Low : null,
                    interval is null ? null : Extension(interval, "range")!["valueRange"]!["low"]?["value"]!.GetValue<double>());
            }
        }
    }

    [RequiresFact(Tool.Node)]
    public async Task Extensions_of_a_bundle_are_those_that_the_committed_definitions_define()
    {
        string[] definitions = Directory.GetFiles(Path.Combine(Tools.RepositoryRoot, "docs", "fhir"), "*.json");
        string[] texts = await Task.WhenAll(definitions.Select(file => File.ReadAllTextAsync(file)));
        Assert.All(await FhirOracle.FaultsAsync(texts), fault => Assert.Equal("", fault));
        Dictionary<string, JsonNode> byUrl = texts.Select(text => JsonNode.Parse(text)!)
            .ToDictionary(definition => definition["url"]!.GetValue<string>(), StringComparer.Ordinal);
        JsonNode bundle = JsonNode.Parse(FhirResults.Write(EveryKind()))!;
        JsonNode[] used = [.. Find(bundle, "extension").SelectMany(list => list.AsArray()).Select(each => each!)
            .Where(each => each["url"]!.GetValue<string>().StartsWith("urn:emrmarket:fhir:", StringComparison.Ordinal))];
        Assert.Equal(byUrl.Keys.Order(StringComparer.Ordinal),
            used.Select(each => each["url"]!.GetValue<string>()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
        foreach (JsonNode each in used)
        {
            JsonNode definition = byUrl[each["url"]!.GetValue<string>()];
            JsonNode[] elements = [.. definition["differential"]!["element"]!.AsArray().Select(element => element!)];
            if (each["extension"] is not JsonArray parts)
            {
                Assert.Equal(ValueOf(elements, "Extension.value[x]"), each.AsObject().Single(member => member.Key != "url").Key);
                continue;
            }

            foreach (JsonNode? part in parts)
            {
                Assert.Equal(ValueOf(elements, $"Extension.extension:{part!["url"]!.GetValue<string>()}.value[x]"),
                    part.AsObject().Single(member => member.Key != "url").Key);
            }
        }

        static string ValueOf(JsonNode[] elements, string id)
        {
            string type = Assert.Single(elements, element => element["id"]!.GetValue<string>() == id)["type"]![0]![
                "code"]!.GetValue<string>();
            return "value" + char.ToUpperInvariant(type[0]) + type[1..];
        }
    }

    private static JsonNode? Extension(JsonNode owner, string url) =>
        owner["extension"]?.AsArray().SingleOrDefault(each => each!["url"]!.GetValue<string>() == url);

    [RequiresFact(Tool.Anvil, Tool.Node)]
    public async Task Served_bundle_is_valid_and_leads_to_transactions_that_the_chain_holds()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync("researcher");
        JsonObject json = await ApiFixture.ReadAsync(await http.GetAsync($"/api/v1/requests/{market.RequestKey}/results"));
        using HttpRequestMessage preferred = new(HttpMethod.Get, $"/api/v1/requests/{market.RequestKey}/results");
        preferred.Headers.Accept.ParseAdd("application/fhir+json");
        using HttpResponseMessage answer = await http.SendAsync(preferred);
        Assert.Equal("application/fhir+json", answer.Content.Headers.ContentType!.MediaType);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.Equal(text, await http.GetStringAsync($"/api/v1/requests/{market.RequestKey}/results?format=fhir"));
        Assert.Equal([""], await FhirOracle.FaultsAsync(text));
        JsonNode bundle = JsonNode.Parse(text)!;
        Assert.Equal(market.RequestKey, bundle["identifier"]!["value"]!.GetValue<string>());
        JsonNode[] entries = [.. bundle["entry"]!.AsArray().Select(entry => entry!)];
        JsonNode mean = json["statistics"]![0]!["result"]!["cells"]![0]!;
        Assert.Contains(Of(entries, "figure"), figure => Component(figure, "about")!["valueString"]!.GetValue<string>() == "mean"
            && figure["valueQuantity"]!["value"]!.GetValue<double>().Equals(mean["estimate"]!.GetValue<double>()));

        JsonNode provenance = Assert.Single(
            entries, entry => entry["resource"]!["resourceType"]!.GetValue<string>() == "Provenance")["resource"]!;
        string[] transactions = [.. Find(provenance, "identifier")
            .Where(each => each["system"]!.GetValue<string>() == FhirCodes.Transaction)
            .Select(each => each["value"]!.GetValue<string>().Split("/0x")[1])];
        Assert.Equal(1 + json["deliveryFiles"]!.AsObject().Count, transactions.Length);
        foreach (string hash in transactions)
        {
            JsonObject receipt = await ApiFixture.ReadAsync(await http.GetAsync("/api/v1/ledger/transactions/" + hash));
            Assert.True(receipt["succeeded"]!.GetValue<bool>());
        }

        Assert.Equal(json["deliveryFiles"]!.AsObject().Select(pair => pair.Value!.GetValue<string>()),
            Find(provenance, "identifier").Where(each => each["system"]!.GetValue<string>() == FhirCodes.DeliveryFile)
                .Select(each => each["value"]!.GetValue<string>()));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Report_is_one_file_to_save_that_asks_nobody_and_says_every_figure()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync("researcher");
        using HttpResponseMessage answer = await http.GetAsync($"/api/v1/requests/{market.RequestKey}/results?format=html");
        Assert.Equal((HttpStatusCode.OK, "text/html"), (answer.StatusCode, answer.Content.Headers.ContentType!.MediaType));
        Assert.Equal("attachment", answer.Content.Headers.ContentDisposition!.DispositionType);
        string page = await answer.Content.ReadAsStringAsync();
        Assert.Contains("Length of stay", page, StringComparison.Ordinal);
        Assert.Contains(market.RequestKey, page, StringComparison.Ordinal);
        Assert.Contains("<svg", page, StringComparison.Ordinal);
        AssertAsksNobody(page);
        AssertAsksNobody(RequestReport.Write(EveryKind()));
    }

    private static void AssertAsksNobody(string page)
    {
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotMatch("""(src|href)\s*=\s*["']?(?!#)""", page);
        Assert.DoesNotMatch("""url\(|@import""", page);
    }

    private static IEnumerable<JsonNode> Of(IEnumerable<JsonNode> entries, string code) => entries.Select(entry => entry["resource"]!)
        .Where(resource => resource["resourceType"]!.GetValue<string>() == "Observation"
            && resource["code"]!["coding"]![0]!["code"]!.GetValue<string>() == code);

    private static JsonNode? Component(JsonNode observation, string code) => observation["component"]?.AsArray()
        .SingleOrDefault(component => component!["code"]!["coding"]![0]!["code"]!.GetValue<string>() == code);

    private static IEnumerable<JsonNode> Find(JsonNode? node, string name) => node switch
    {
        JsonObject members => members.SelectMany(member =>
            (member.Key == name ? [member.Value!] : Array.Empty<JsonNode>()).Concat(Find(member.Value, name))),
        JsonArray items => items.SelectMany(item => Find(item, name)),
        _ => [],
    };

    private static IEnumerable<string> Strings(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => Strings(member.Value)),
        JsonArray items => items.SelectMany(Strings),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => [value.GetValue<string>()],
        _ => [],
    };

    // Every kind, what is not finite, what was refused, and words that a writer may stumble over.
    internal static RequestDossier EveryKind()
    {
        TermsDocument terms = new()
        {
            SchemaId = SmallMarket.Schema.Id, Researcher = "0x" + new string('1', 40),
            Statistics =
            [
                "frequency:diabetes", "mean:length_of_stay", "bins:age:4", "quantile:age:0.5", "table:sex,diabetes", "topCodes:diagnosis",
                "linear:length_of_stay~age", "logistic:diabetes=Yes~age",
            ],
            Grades = [], Bid = "1000", Budget = "100000000", TargetRecords = 1_500, Purpose = 2, PublicCell = "region=" + Hostile,
            Deadline = 2_000_000_000, Title = Hostile, Why = Hostile, Nonce = new string('2', 32),
        };
        int number = 0;
        return new RequestDossier
        {
            Request = new RequestInfo
            {
                Key = new string('a', 64), RequestId = 7, Researcher = terms.Researcher, Title = Hostile, State = "settled",
                Reason = "done", HasEnded = true,
                Steps = [new StepInfo("evaluated", 1_900_000_000, ""), new StepInfo("settled", 1_900_000_100, "")],
                Sold = 1_300, Delivered = 1_200, EffectiveRecords = 432.5, Paid = "5000", Refunded = "95000",
                Terms = JsonSerializer.SerializeToElement(new { }),
            },
            Terms = terms,
            Schema = SmallMarket.Schema,
            ChainId = 31_337,
            Contract = "0x" + new string('3', 40),
            Opened = new LedgerPlace(new string('b', 64), 12),
            Deliveries = [new DeliveredBatch(new string('c', 64), 1, 1_200, new string('d', 64), new string('e', 64),
                new LedgerPlace(new string('f', 64), 34))],
            Results = new RequestResults
            {
                RequestId = 7,
                RecordsBySite = new() { [1] = 1_200 },
                DeliveryFiles = new() { [1] = new string('e', 64) },
                Statistics = [.. terms.Requests.Select(asked => asked.Kind == StatisticKind.Quantile
                    ? new StatisticAnswer(asked.Id, null, "too few records: " + Hostile)
                    : new StatisticAnswer(asked.Id, Result(asked), null))],
                Findings = [new SiteFinding("1", "diabetes", Enum.GetValues<FindingKind>()[0], 0, 12.5, 0.0004)],
            },
        };

        StatisticResult Result(StatisticRequest asked) => new()
        {
            Id = asked.Id, Kind = asked.Kind, Attributes = asked.Attributes, Estimator = "an estimator", N = 1_200,
            EffectiveRecords = 432.5, Cells = [Cell(0.25), Cell(-1e-9), Cell(double.NaN)], Confidence = 0.95,
            Target = InferenceTarget.Population,
            ReportsByGrade = [.. asked.Attributes.Select(name => new GradeCount(name, 3, 1_000_000, 1_200))],
            Epsilon = new EpsilonMicro(1_500_000), PostProcessing = "projected onto the simplex", Warnings = [Hostile],
            Sections = [new StatisticSection("given " + Hostile, Hostile, [Cell(0.5)])],
            Tests = [new TestOutcome("Cochran's Q", 3.2, 4, 0.52)],
        };

        StatisticCell Cell(double estimate) => new()
        {
            Value = $"{Hostile} {number++}", Estimate = estimate, StandardError = double.IsNaN(estimate) ? double.NaN : 0.01,
            Low = estimate - 0.02, High = number % 3 == 0 ? double.PositiveInfinity : estimate + 0.02, IntervalKind = IntervalKind.Normal,
            ExpectedHalfWidth = 0.03, GuaranteedHalfWidth = number % 2 == 0 ? null : 0.06, PostProcessed = 0.2,
        };
    }
}
