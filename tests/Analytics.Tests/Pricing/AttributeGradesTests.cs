using EmrMarket.Analytics.Pricing;

namespace EmrMarket.Analytics.Tests.Pricing;

public sealed class AttributeGradesTests
{
    [Fact]
    public void Packed_grades_read_back()
    {
        var random = new Random(1);
        for (var run = 0; run < 200; run++)
        {
            var grades = Enumerable.Range(0, random.Next(1, 65)).Select(_ => random.Next(16)).ToArray();
            var packed = AttributeGrades.Of(grades);
            Assert.Equal(grades, Enumerable.Range(0, grades.Length).Select(a => packed[a]));
            Assert.Equal(grades.Sum(), packed.Total);
            Assert.Equal(Array.FindLastIndex(grades, g => g != 0) + 1, packed.Length);
        }
    }

    [Fact]
    public void One_grade_may_be_replaced()
        => Assert.Equal(AttributeGrades.Of([1, 9, 3]), AttributeGrades.Of([1, 2, 3]).With(1, 9));

    [Fact]
    public void At_most_compares_every_attribute()
    {
        var low = AttributeGrades.Of([.. Enumerable.Repeat(3, 64)]);
        for (var a = 0; a < 64; a++)
        {
            Assert.True(low.With(a, 2).IsAtMost(low));
            Assert.False(low.IsAtMost(low.With(a, 2)));
        }
    }

    [Fact]
    public void Grades_and_attributes_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => AttributeGrades.Of([16]));
        Assert.Throws<ArgumentOutOfRangeException>(() => AttributeGrades.None.With(64, 1));
        Assert.Throws<ArgumentException>(() => AttributeGrades.Of(new int[65]));
    }
}
