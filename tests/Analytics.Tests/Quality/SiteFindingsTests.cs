using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Analytics.Tests.Estimation;

namespace EmrMarket.Analytics.Tests.Quality;

public sealed class SiteFindingsTests
{
    private static readonly AttributeDefinition Race = Samples.Categorical("race", 4, "grr");
    private static readonly AttributeDefinition Stay = Samples.Grid("stay", 12);

    [Theory]
    [InlineData("grr")]
    [InlineData("oue")]
    [InlineData("ss")]
    [InlineData("olh")]
    public void Honest_sites_with_like_people_give_no_finding(string mechanism)
    {
        AttributeDefinition race = Samples.Categorical("race", 6, mechanism);
        var sites = Enumerable.Range(0, 4)
            .ToDictionary(s => $"site{s}", s => Frequencies(race, Truth(5_000, s, 6), s), StringComparer.Ordinal);
        Assert.Empty(SiteFindings.Frequencies("race", sites));
    }

    [Fact]
    public void Site_with_other_people_differs_and_is_not_accused_of_more()
    {
        var sites = Enumerable.Range(0, 4).ToDictionary(
            s => $"site{s}", s => Frequencies(Race, s == 2 ? [.. Truth(20_000, s, 4).Select(v => v / 2)] : Truth(20_000, s, 4), s),
            StringComparer.Ordinal);
        IReadOnlyList<SiteFinding> findings = SiteFindings.Frequencies("race", sites);
        Assert.Equal("site2", findings[0].Site);
        Assert.All(findings, f => Assert.Equal(FindingKind.DiffersFromOthers, f.Kind));
    }

    [Fact]
    public void Reports_of_the_wrong_channel_are_impossible()
    {
        // Raw values sold as reports of grade 1: nobody's race is 3, so its support falls below what any truth could give.
        var sites = new Dictionary<string, SupportTally>(StringComparer.Ordinal)
        {
            ["honest"] = Frequencies(Race, Truth(20_000, 1, 3), 1),
            ["raw"] = FrequencyEstimator.Tally("race", [new ReportBatch([Samples.Coded(Race, 1, Truth(20_000, 2, 3))])]).Values.Single(),
        };
        IReadOnlyList<SiteFinding> findings = SiteFindings.Frequencies("race", sites);
        Assert.Contains(findings, f => f is { Site: "raw", Kind: FindingKind.ImpossibleRate });
        Assert.DoesNotContain(findings, f => f.Site == "honest" && f.Kind != FindingKind.DiffersFromOthers);
    }

    [Fact]
    public void Unary_reports_with_too_few_bits_are_impossible_in_size()
    {
        AttributeDefinition race = Samples.Categorical("race", 6, "oue");
        AttributeReports low = Samples.Drawn(race, 5, Truth(20_000, 1, 6), 1);
        var tally = new SupportTally(Samples.ChannelOf(race, 1), constantPerPerson: false);
        tally.Add(low.Reports, PersonClusters.Singletons(20_000));
        IReadOnlyList<SiteFinding> findings = SiteFindings.Frequencies(
            "race", new Dictionary<string, SupportTally>(StringComparer.Ordinal) { ["site"] = tally });
        Assert.Contains(findings, f => f.Kind == FindingKind.ImpossibleSize);
    }

    [Fact]
    public void Square_waves_are_held_to_their_residue_classes()
    {
        var honest = Enumerable.Range(0, 3)
            .ToDictionary(s => $"site{s}", s => Outputs(Samples.Drawn(Stay, 3, Truth(20_000, s, 12), s)), StringComparer.Ordinal);
        Assert.Empty(SiteFindings.Outputs("stay", honest));
        honest["raw"] = Outputs(Samples.Coded(Stay, 3, Truth(20_000, 9, 12)));
        Assert.Contains(SiteFindings.Outputs("stay", honest), f => f is { Site: "raw", Kind: FindingKind.ImpossibleSize });
    }

    private static int[] Truth(int n, int seed, int size)
    {
        var random = new Random(seed + 100);
        return [.. Enumerable.Range(0, n).Select(_ => random.Next(size))];
    }

    private static SupportTally Frequencies(AttributeDefinition attribute, int[] truth, int seed) =>
        FrequencyEstimator.Tally(attribute.Name, [new ReportBatch([Samples.Drawn(attribute, 1, truth, seed)])]).Values.Single();

    private static OutputTally Outputs(AttributeReports reports) =>
        OrderedEstimator.Tally(reports.Attribute.Name, [new ReportBatch([reports])]).Values.Single();
}
