using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Windows;
using FsCheck;
using FsCheck.Fluent;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>
/// Whatever grades of one record are released, together they lose what the highest of them loses: exact, over random windows, ladders and
/// choices of grades.
/// </summary>
public sealed class SubsetLossTests
{
    private static readonly EpsilonMicro[] Losses = [.. Published.Epsilons.OrderBy(e => e.Micro)];

    private static Arbitrary<(int Outputs, int Window, EpsilonMicro[] Ladder, bool[] Released)> Cases => (
        from outputs in Gen.Choose(2, 4)
        from window in Gen.Choose(1, outputs - 1)
        from count in Gen.Choose(2, 4)
        from order in Gen.Shuffle(Losses)
        from released in Gen.ArrayOf(Gen.Elements(true, false), count)
        where released.Any(r => r)
        select (outputs, window, order.Take(count).OrderBy(e => e.Micro).ToArray(), released)).ToArbitrary();

    [Fact]
    public void Released_grades_lose_exactly_what_the_highest_of_them_loses() => Prop.ForAll(Cases, c =>
    {
        var laws = new WindowLaw[c.Ladder.Length];
        WindowLaw law = WindowLaw.Clear(c.Outputs, c.Window);
        for (int grade = laws.Length - 1; grade >= 0; grade--)
        {
            laws[grade] = law = law.Randomise(c.Ladder[grade]);
        }

        int highest = Array.LastIndexOf(c.Released, true);
        Dictionary<string, Rational>[] views =
            [.. Enumerable.Range(0, c.Outputs - c.Window + 1).Select(value => LawOf(value, c.Window, laws, c.Released))];
        Rational most = Rational.Zero;
        foreach (string view in views[0].Keys)
        {
            Rational[] probabilities = [.. views.Select(v => v[view])];
            Rational ratio = probabilities.Max() / probabilities.Min();
            most = ratio > most ? ratio : most;
        }

        // Two windows that differ show the whole ratio of the highest grade; a single truth has nothing to tell.
        Assert.Equal(views.Length == 1 ? Rational.One : laws[highest].Inside / laws[highest].Outside, most);
        Assert.True(most <= Published.Exponential(c.Ladder[highest]));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));

    /// <summary>
    /// The joint law of the released grades' reports, given the truth: the chain of "replace by a uniform output, or keep", forgetting what
    /// is not released.
    /// </summary>
    private static Dictionary<string, Rational> LawOf(int value, int window, WindowLaw[] laws, bool[] released)
    {
        int outputs = laws[0].Outputs;
        var states = Enumerable.Range(value, window).ToDictionary(y => (View: "", Report: y), _ => new Rational(1, window));
        for (int grade = laws.Length - 1; grade >= 0; grade--)
        {
            var replaced = new Rational(laws[grade].ReplaceBelow, BigInteger.One << 32);
            var next = new Dictionary<(string View, int Report), Rational>();
            foreach (((string view, int report), Rational probability) in states)
            {
                for (int y = 0; y < outputs; y++)
                {
                    Rational step = (replaced / outputs) + (y == report ? Rational.One - replaced : Rational.Zero);
                    (string, int) state = (released[grade] ? $"{view} {y}" : view, y);
                    next[state] = next.GetValueOrDefault(state) + (probability * step);
                }
            }

            states = next;
        }

        return states.GroupBy(s => s.Key.View, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Aggregate(Rational.Zero, (sum, s) => sum + s.Value), StringComparer.Ordinal);
    }
}
