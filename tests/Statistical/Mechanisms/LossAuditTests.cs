using EmrMarket.Analytics.Auditing;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Grr;
using EmrMarket.Analytics.Mechanisms.Olh;
using EmrMarket.Analytics.Mechanisms.Oue;
using EmrMarket.Analytics.Mechanisms.Windows;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Statistical.Mechanisms;

public sealed class LossAuditTests
{
    private static readonly ColumnKey Key = ColumnKey.Derive(
        Convert.FromHexString("ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"), "audit");

    /// <summary>
    /// 5 mechanisms x 6 grades, two directions, two counts each at 10^-6: the bound fails a right mechanism with probability below 1.2
    /// 10^-4 over random keys if its loss were exactly nominal; with this fixed key it does not.
    /// </summary>
    [Theory]
    [InlineData("grr", 10)]
    [InlineData("ss", 30)]
    [InlineData("oue", 30)]
    [InlineData("olh", 300)]
    [InlineData("dsw", 64)]
    public void Audit_of_a_right_mechanism_stays_below_the_claim_and_encloses_the_realised_loss(string id, int size)
    {
        IMechanism mechanism = MechanismCatalogue.Get(id);
        IReadOnlyList<LossAuditFinding> findings = LossAudit.Run(mechanism, Domain(id, size), GradeLadder.Default, 300_000, Key);

        Assert.Equal(6, findings.Count);
        Assert.All(findings, finding =>
        {
            double realised = Math.Log(
                (double)mechanism.CreateLadder(Domain(id, size), GradeLadder.Default)[finding.Grade].ExactOdds!.Value);
            Assert.False(finding.Violated, $"{finding}");
            Assert.InRange(realised, finding.LowerBound, finding.UpperBound);
            Assert.True(finding.SmallestVisibleExcess > 0);
        });
    }

    /// <summary>
    /// A sampler that keeps the truth more often than it may, by an excess of twice the smallest that the audit could have seen.
    /// </summary>
    [Fact]
    public void Audit_flags_a_response_that_keeps_the_truth_too_often()
    {
        var claimed = new GradeLadder([new(1_000_000)]);
        WindowLaw law = WindowLaw.Clear(10, 1).Randomise(new EpsilonMicro(1_100_000));
        LossAuditFinding finding = LossAudit.Run(
            "grr", new GrrLadder(new WindowLadder("grr", [law], claimed), claimed), Domain("grr", 10), claimed, 300_000, Key)[0];
        Assert.True(finding.Violated, $"{finding}");
        Assert.InRange(finding.SmallestVisibleExcess, 0.03, 0.05);
    }

    [Fact]
    public void Audit_flags_a_unary_encoding_that_flips_too_seldom()
    {
        var claimed = new GradeLadder([new(1_000_000)]);
        var oue = new OueLadder(10, [OueLaw.Clear.Randomise(new EpsilonMicro(1_060_000))], claimed);
        Assert.True(LossAudit.Run("oue", oue, Domain("oue", 10), claimed, 300_000, Key)[0].Violated);
    }

    [Fact]
    public void Audit_flags_local_hashing_whose_cells_are_too_honest()
    {
        var claimed = new GradeLadder([new(1_000_000)]);
        var olh = new OlhLadder(300, [WindowLaw.Clear(4, 1).Randomise(new EpsilonMicro(1_060_000))], claimed);
        Assert.True(LossAudit.Run("olh", olh, Domain("olh", 300), claimed, 300_000, Key)[0].Violated);
    }

    private static AttributeDomain Domain(string mechanism, int size) =>
        mechanism == "dsw" ? new GridDomain(0, 1, size, "1") : new CategoricalDomain([.. Enumerable.Repeat("v", size)], Ordered: false);
}
