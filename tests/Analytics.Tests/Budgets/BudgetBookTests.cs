using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Tests.Budgets;

/// <summary>The columns of a site's losses against the budget of one person, which keeps facts and commands by name.</summary>
public sealed class BudgetBookTests
{
    // Two facts of the record, one of the person.
    private static readonly bool[] OfPerson = [false, true, false];
    private static readonly int[] PersonOf = [0, 0, 1, 0, 1];

    [Xunit.Fact]
    public void Decisions_and_losses_are_those_of_each_person_s_own_budget()
    {
        int refusals = 0, commits = 0, releases = 0;
        for (int seed = 0; seed < 300; seed++)
        {
            Random random = new(seed);
            EpsilonMicro cap = new(random.Next(1, 20) * 1_000_000);
            BudgetBook book = new(GradeLadder.Default, PersonOf, 2, OfPerson) { Cap = cap };
            PersonBudget[] persons = [Budget(cap), Budget(cap)];
            List<(Guid Id, Reservation Reserved, int[] Attributes, byte[] Grades)> pending = [];
            for (int step = 0; step < 60; step++)
            {
                int record = random.Next(PersonOf.Length);
                int[] attributes = [.. Enumerable.Range(0, OfPerson.Length).Where(_ => random.Next(2) == 0)];
                byte[] grades = [.. attributes.Select(_ => (byte)random.Next(1, GradeLadder.Default.Count + 1))];
                if (pending.Count > 0 && random.Next(2) == 0)
                {
                    (Guid id, Reservation reserved, int[] its, byte[] at) = pending[random.Next(pending.Count)];
                    pending.RemoveAll(one => one.Id == id);
                    PersonBudget person = persons[PersonOf[reserved.Record]];
                    if (random.Next(3) == 0)
                    {
                        book.Release(reserved);
                        person.Release(id);
                        releases++;
                    }
                    else
                    {
                        book.Commit(reserved, its, at);
                        person.Commit(id);
                        commits++;
                    }
                }
                else
                {
                    Guid id = new(seed, (short)step, 0, new byte[8]);
                    Release[] wanted =
                        [.. attributes.Select(
                            (a, i) => new Release(new Analytics.Budgets.Fact(OfPerson[a] ? null : (ulong)record, $"a{a}"), grades[i]))];
                    BudgetOutcome expected = persons[PersonOf[record]].Reserve(id, wanted);
                    Reservation? actual = book.TryReserve(record, attributes, grades);
                    Assert.Equal(expected == BudgetOutcome.Reserved, actual is not null);
                    if (actual is { } reserved)
                    {
                        pending.Add((id, reserved, attributes, grades));
                    }

                    refusals += actual is null ? 1 : 0;
                }

                Assert.Equal(
                    persons.Select(person => person.Spent.Micro + person.Reserved.Micro), [book.LossOf(0).Micro, book.LossOf(1).Micro]);
                Assert.True(book.Highest <= cap);
            }
        }

        Assert.True(refusals > 500 && commits > 500
            && releases > 500, $"{refusals} refusals, {commits} commits, {releases} releases: too few to say anything");
    }

    [Xunit.Fact]
    public void What_a_store_restores_is_as_it_was_before()
    {
        BudgetBook book = new(GradeLadder.Default, PersonOf, 2, OfPerson);
        Reservation first = book.TryReserve(0, [0, 1], [3, 2])!.Value;
        book.Commit(first, [0, 1], [3, 2]);
        book.TryReserve(3, [1, 2], [4, 1]);

        BudgetBook again = new(GradeLadder.Default, PersonOf, 2, OfPerson);
        again.Commit(again.Restore(0, [0, 1], [3, 2]), [0, 1], [3, 2]);
        again.Restore(3, [1, 2], [4, 1]);

        Assert.Equal((book.LossOf(0), book.LossOf(1)), (again.LossOf(0), again.LossOf(1)));
        Assert.Equal((3, 2, 2), (again.HighestGrade(0, 0), again.HighestGrade(0, 1), again.HighestGrade(3, 1)));
    }

    private static PersonBudget Budget(EpsilonMicro cap) => new(GradeLadder.Default) { PersonCap = cap, RecordCap = cap };
}
