using System.Globalization;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Schemas;

public sealed class Icd9Tests
{
    [Theory]
    [InlineData("38", "038", "038")]
    [InlineData("8", "008", "008")]
    [InlineData("428", "428", "428")]
    [InlineData("250.83", "250", "250.83")]
    [InlineData("250.1", "250", "250.1")]
    [InlineData("25010", "250", "250.1")]
    [InlineData("25000", "250", "250")]
    [InlineData("4019-", "401", "401.9")]
    [InlineData("486--", "486", "486")]
    [InlineData("00845", "008", "008.45")]
    [InlineData("V270-", "V27", "V27")]
    [InlineData("V3001", "V30", "V30.01")]
    [InlineData("V27", "V27", "V27")]
    [InlineData("E8120", "E812", "E812")]
    [InlineData("E030-", "E030", "E030")]
    [InlineData("365.44", "365", "365.44")]
    public void Normalise_restores_category_and_point(string text, string category, string code) =>
        Assert.Equal((category, code), Icd9.Normalise(text));

    [Theory]
    [InlineData("")]
    [InlineData("?")]
    [InlineData("0")]
    [InlineData("000")]
    [InlineData("V00")]
    [InlineData("V2")]
    [InlineData("E12")]
    [InlineData("250.123")]
    [InlineData("2501234")]
    [InlineData("4l9")]
    [InlineData("-12")]
    [InlineData("1234.5")]
    public void Normalise_refuses_what_is_no_code(string text) => Assert.Null(Icd9.Normalise(text));

    [Fact]
    public void Categories_are_those_of_the_code_book_and_each_has_a_chapter()
    {
        string[] categories = [.. Icd9.Categories()];
        Assert.Equal(999 + 91 + 1000, categories.Distinct().Count());
        Assert.Equal(["001", "999", "V01", "V91", "E000", "E999"], new[] { 0, 998, 999, 1089, 1090, 2089 }.Select(i => categories[i]));
        Dictionary<string, int> sizes = categories.CountBy(Icd9.ChapterOf).ToDictionary(p => p.Key, p => p.Value);
        Assert.Equal(Icd9.Chapters.Select(c => c.Label).Order(StringComparer.Ordinal), sizes.Keys.Order(StringComparer.Ordinal));
        Assert.All(sizes.Where(s => char.IsAsciiDigit(s.Key[0])), s =>
            Assert.Equal(
                int.Parse(s.Key[4..], CultureInfo.InvariantCulture) - int.Parse(s.Key[..3], CultureInfo.InvariantCulture) + 1, s.Value));
    }

    [Fact]
    public void Subdivisions_are_normal_forms_and_diabetes_has_four_fifth_digits()
    {
        Assert.All(Icd9.Subdivisions("250").Concat(Icd9.Subdivisions("401")), c => Assert.Equal(c, Icd9.Normalise(c)!.Value.Code));
        Assert.Equal(39, Icd9.Subdivisions("250").Distinct().Count());
        Assert.Equal(99, Icd9.Subdivisions("401").Distinct().Count());
    }
}
