using EmrMarket.Analytics.Budgets;
using FsCheck;
using FsCheck.Fluent;

namespace EmrMarket.Analytics.Tests.Budgets;

public sealed class PersonBudgetTests
{
    private static readonly Fact Age = new(1, "age"), Diagnosis = new(1, "dx"), Sex = new(null, "sex"), OtherAge = new(2, "age");

    private static PersonBudget Budget(double cap = 20) =>
        new(GradeLadder.Default) { PersonCap = new EpsilonMicro((long)(cap * 1e6)), RecordCap = new EpsilonMicro((long)(cap * 1e6)) };

    [Xunit.Fact]
    public void Resale_at_the_same_or_a_lower_grade_costs_nothing()
    {
        PersonBudget budget = Budget();
        foreach ((int grade, long spent) in new[] { (3, 1_000_000L), (3, 1_000_000), (1, 1_000_000), (5, 3_000_000), (4, 3_000_000) })
        {
            var id = Guid.NewGuid();
            Assert.Equal(BudgetOutcome.Reserved, budget.Reserve(id, [new Release(Age, grade)]));
            budget.Commit(id);
            Assert.Equal(spent, budget.Spent.Micro);
        }

        Assert.Equal(5, budget.HighestGrade(Age));
    }

    [Xunit.Fact]
    public void A_corrected_value_is_a_new_fact()
    {
        PersonBudget budget = Budget();
        Release(budget, new Release(Age, 3));
        Release(budget, new Release(Age with { ValueVersion = 1 }, 3));
        Assert.Equal(2_000_000, budget.Spent.Micro);
    }

    [Xunit.Fact]
    public void Reserve_is_all_or_nothing()
    {
        PersonBudget budget = Budget(cap: 1.4);
        Assert.Equal(BudgetOutcome.OverCap, budget.Reserve(Guid.NewGuid(), [new Release(Age, 3), new Release(Diagnosis, 2)]));
        Assert.Equal((0, 0), (budget.Spent.Micro, budget.Reserved.Micro));
        Assert.Equal(BudgetOutcome.Reserved, budget.Reserve(Guid.NewGuid(), [new Release(Age, 3)]));
    }

    [Xunit.Fact]
    public void Record_cap_counts_the_facts_of_the_person_for_every_record()
    {
        PersonBudget budget = Budget();
        budget.RecordCap = new EpsilonMicro(2_500_000);
        Release(budget, new Release(Age, 4));
        Release(budget, new Release(OtherAge, 3));
        Assert.Equal(BudgetOutcome.OverCap, budget.Reserve(Guid.NewGuid(), [new Release(Sex, 3)]));
        Assert.Equal(BudgetOutcome.Reserved, budget.Reserve(Guid.NewGuid(), [new Release(Sex, 2)]));
        Assert.Equal((2_500_000, 1_500_000), (budget.LossOfRecord(1).Micro, budget.LossOfRecord(2).Micro));
    }

    [Xunit.Fact]
    public void A_refused_command_stays_refused_and_a_settled_one_stays_settled()
    {
        PersonBudget budget = Budget(cap: 1);
        Guid refused = Guid.NewGuid(), committed = Guid.NewGuid(), released = Guid.NewGuid();
        Assert.Equal(BudgetOutcome.OverCap, budget.Reserve(refused, [new Release(Age, 6)]));
        budget.PersonCap = budget.RecordCap = PersonBudget.DefaultCap;
        Assert.Equal(BudgetOutcome.OverCap, budget.Reserve(refused, [new Release(Age, 1)]));
        budget.Reserve(committed, [new Release(Age, 1)]);
        budget.Commit(committed);
        budget.Commit(committed);
        Assert.Throws<InvalidOperationException>(() => budget.Release(committed));
        budget.Reserve(released, [new Release(Age, 6)]);
        budget.Release(released);
        budget.Release(released);
        Assert.Throws<InvalidOperationException>(() => budget.Commit(released));
        Assert.Throws<InvalidOperationException>(() => budget.Commit(Guid.NewGuid()));
        Assert.Equal((250_000, 0), (budget.Spent.Micro, budget.Reserved.Micro));
    }

    [Xunit.Fact]
    public void Reserve_refuses_a_fact_twice_and_grades_off_the_ladder()
    {
        PersonBudget budget = Budget();
        Assert.Throws<ArgumentException>(() => budget.Reserve(Guid.NewGuid(), [new Release(Age, 1), new Release(Age, 2)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => budget.Reserve(Guid.NewGuid(), [new Release(Age, 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => budget.Reserve(Guid.NewGuid(), [new Release(Age, 7)]));
    }

    /// <summary>
    /// A command of the model test: what (0 reserve, 1 commit, 2 release, 3 lower or raise the cap), which id, which fact, which grade.
    /// </summary>
    private sealed record Step(int What, int Id, int Fact, int Grade);

    [Xunit.Fact]
    public void Any_sequence_of_commands_agrees_with_a_model_and_never_exceeds_the_caps()
    {
        Gen<Step> step = from what in Gen.Choose(0, 3) from id in Gen.Choose(
            0, 7) from fact in Gen.Choose(0, 3) from grade in Gen.Choose(1, 6) select new Step(what, id, fact, grade);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(step.ListOf().ToArbitrary(), steps => Agrees([.. steps])));
    }

    private static bool Agrees(Step[] steps)
    {
        Fact[] facts = [Age, Diagnosis, Sex, OtherAge];
        Guid[] ids = [.. Enumerable.Range(0, 8).Select(i => new Guid(i, 0, 0, new byte[8]))];
        PersonBudget budget = Budget(cap: 5);
        int[] highest = new int[facts.Length];
        var pending = new Dictionary<int, (int Fact, int Grade, long Amount)>();
        var closed = new Dictionary<int, string>();
        long cap = 5_000_000;
        long Epsilon(int grade) => GradeLadder.Default[grade].Micro;
        long Loss(Func<int, bool> counts) => Enumerable.Range(0, 4).Where(counts)
            .Sum(f => Epsilon(highest[f])) + pending.Values.Where(p => counts(p.Fact)).Sum(p => p.Amount);
        foreach (Step step in steps)
        {
            switch (step.What)
            {
                case 0 when !pending.ContainsKey(step.Id) && !closed.ContainsKey(step.Id):
                    long amount = Math.Max(0, Epsilon(step.Grade) - Epsilon(highest[step.Fact]));
                    bool IsOf(int fact, int record) => fact == 2 || (record == 1 ? fact < 2 : fact == 3);
                    bool fits = Loss(_ => true) + amount <= cap
                        && new[] { 1, 2 }.All(r => !IsOf(step.Fact, r) || amount == 0 || Loss(f => IsOf(f, r)) + amount <= cap);
                    if (fits)
                    {
                        pending.Add(step.Id, (step.Fact, step.Grade, amount));
                    }
                    else
                    {
                        closed.Add(step.Id, "over");
                    }

                    if (budget.Reserve(ids[step.Id], [new Release(facts[step.Fact], step.Grade)]) != (fits
                        ? BudgetOutcome.Reserved
                        : BudgetOutcome.OverCap))
                    {
                        return false;
                    }

                    break;
                case 0:
                    budget.Reserve(ids[step.Id], [new Release(facts[step.Fact], step.Grade)]);
                    break;
                case 1 when pending.Remove(step.Id, out (int Fact, int Grade, long Amount) done):
                    highest[done.Fact] = Math.Max(highest[done.Fact], done.Grade);
                    closed.Add(step.Id, "committed");
                    budget.Commit(ids[step.Id]);
                    break;
                case 2 when pending.Remove(step.Id):
                    closed.Add(step.Id, "released");
                    budget.Release(ids[step.Id]);
                    break;
                case 3:
                    cap = 1_000_000L * step.Grade;
                    budget.PersonCap = budget.RecordCap = new EpsilonMicro(cap);
                    break;
            }

            long before = budget.Spent.Micro + budget.Reserved.Micro;
            bool same = budget.Spent.Micro == Enumerable.Range(0, 4).Sum(f => Epsilon(highest[f]))
                && budget.Reserved.Micro == pending.Values.Sum(p => p.Amount);
            if (!same || before != budget.Spent.Micro + budget.Reserved.Micro)
            {
                return false;
            }
        }

        return true;
    }

    private static void Release(PersonBudget budget, Release release)
    {
        var id = Guid.NewGuid();
        Assert.Equal(BudgetOutcome.Reserved, budget.Reserve(id, [release]));
        budget.Commit(id);
    }
}
