using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Tests.Budgets;

/// <summary>The columns of a site's losses against a plain budget of one person, which keeps facts by name.</summary>
public sealed class BudgetBookTests
{
    // Two facts of the record, one of the person.
    private static readonly bool[] OfPerson = [false, true, false];
    private static readonly int[] PersonOf = [0, 0, 1, 0, 1];

    [Fact]
    public void Decisions_and_losses_are_those_of_each_person_s_own_budget()
    {
        int refusals = 0, commits = 0, releases = 0;
        for (int seed = 0; seed < 300; seed++)
        {
            Random random = new(seed);
            EpsilonMicro cap = new(random.Next(1, 20) * 1_000_000);
            BudgetBook book = new(GradeLadder.Default, PersonOf, 2, OfPerson) { Cap = cap };
            PlainBudget[] persons = [new(cap), new(cap)];
            List<(int Id, Reservation Reserved, int[] Attributes, byte[] Grades)> pending = [];
            for (int step = 0; step < 60; step++)
            {
                int record = random.Next(PersonOf.Length);
                int[] attributes = [.. Enumerable.Range(0, OfPerson.Length).Where(_ => random.Next(2) == 0)];
                byte[] grades = [.. attributes.Select(_ => (byte)random.Next(1, GradeLadder.Default.Count + 1))];
                if (pending.Count > 0 && random.Next(2) == 0)
                {
                    (int id, Reservation reserved, int[] its, byte[] at) = pending[random.Next(pending.Count)];
                    pending.RemoveAll(one => one.Id == id);
                    PlainBudget person = persons[PersonOf[reserved.Record]];
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
                    bool expected = persons[PersonOf[record]].Reserve(
                        step, [.. attributes.Select((a, i) => ((OfPerson[a] ? -1 : record, a), (int)grades[i]))]);
                    Reservation? actual = book.TryReserve(record, attributes, grades);
                    Assert.Equal(expected, actual is not null);
                    if (actual is { } reserved)
                    {
                        pending.Add((step, reserved, attributes, grades));
                    }

                    refusals += actual is null ? 1 : 0;
                }

                Assert.Equal(
                    persons.Select(person => person.Loss), [book.LossOf(0).Micro, book.LossOf(1).Micro]);
                Assert.True(book.Highest <= cap);
            }
        }

        Assert.True(refusals > 500 && commits > 500
            && releases > 500, $"{refusals} refusals, {commits} commits, {releases} releases: too few to say anything");
    }

    [Fact]
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

    [Fact]
    public void Resale_at_the_same_or_a_lower_grade_costs_nothing()
    {
        BudgetBook book = new(GradeLadder.Default, PersonOf, 2, OfPerson);
        foreach ((byte grade, long spent) in ((byte, long)[])
            [(3, 1_000_000), (3, 1_000_000), (1, 1_000_000), (5, 3_000_000), (4, 3_000_000)])
        {
            book.Commit(book.TryReserve(0, [0], [grade])!.Value, [0], [grade]);
            Assert.Equal(spent, book.LossOf(0).Micro);
        }

        Assert.Equal(5, book.HighestGrade(0, 0));
    }

    [Fact]
    public void TryReserve_is_all_or_nothing()
    {
        BudgetBook book = new(GradeLadder.Default, PersonOf, 2, OfPerson) { Cap = new(1_400_000) };
        Assert.Null(book.TryReserve(0, [0, 2], [3, 2]));
        Assert.Equal(0, book.LossOf(0).Micro);
        Assert.NotNull(book.TryReserve(0, [0], [3]));
    }

    /// <summary>One person's losses in so many words: what was released of each fact, and what each pending command would add.</summary>
    private sealed class PlainBudget(EpsilonMicro cap)
    {
        private readonly Dictionary<(int Record, int Attribute), int> _highest = [];
        private readonly Dictionary<int, ((int Record, int Attribute) Fact, int Grade, long Micro)[]> _pending = [];

        public long Loss => _highest.Values.Sum(grade => GradeLadder.Default[grade].Micro)
            + _pending.Values.SelectMany(command => command).Sum(release => release.Micro);

        public bool Reserve(int command, ((int Record, int Attribute) Fact, int Grade)[] releases)
        {
            var wanted = Array.ConvertAll(releases, release => (release.Fact, release.Grade, Math.Max(
                0, GradeLadder.Default[release.Grade].Micro - GradeLadder.Default[_highest.GetValueOrDefault(release.Fact)].Micro)));
            if (Loss + wanted.Sum(release => release.Item3) > cap.Micro)
            {
                return false;
            }

            _pending.Add(command, wanted);
            return true;
        }

        public void Commit(int command)
        {
            foreach (var (fact, grade, _) in _pending[command])
            {
                _highest[fact] = Math.Max(_highest.GetValueOrDefault(fact), grade);
            }

            Release(command);
        }

        public void Release(int command) => _pending.Remove(command);
    }
}
