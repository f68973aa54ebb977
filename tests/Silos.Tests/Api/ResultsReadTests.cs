using System.Text;
using System.Text.Json;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Api.Routes;
using EmrMarket.Silos.Commands.Estimate;
using Microsoft.AspNetCore.Http;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>Results come from a server that may be anybody's: what is taken can be printed, and what is not is refused with its
/// place.</summary>
public sealed class ResultsReadTests
{
    private static readonly string Whole = JsonSerializer.Serialize(FhirTests.EveryKind().Results, RequestResults.Json);

    [Fact]
    public void Thirty_thousand_damaged_documents_are_printed_or_refused_with_their_place()
    {
        Random random = new(20261121);
        int printed = 0, refused = 0;
        for (int i = 0; i < 30_000; i++)
        {
            try
            {
                Print(RequestResults.Read(Encoding.UTF8.GetString(Mutation.Body(random, Whole))));
                printed++;
            }
            catch (ExchangeFileException e)
            {
                Assert.Contains(e.Code == "future-version" ? "another format" : "at $", e.Message, StringComparison.Ordinal);
                Assert.DoesNotContain("script", e.Message, StringComparison.Ordinal);
                refused++;
            }
        }

        Assert.InRange(printed, 3_000, 27_000);
        Assert.Equal(30_000, printed + refused);
    }

    [Theory]
    [InlineData("\"statistics\":[", "\"statistics\":[null,", "$.statistics[0]")]
    [InlineData("\"refusal\":null", "\"refusal\":\"no\"", "$.statistics[0]")]
    [InlineData("\"cells\":[", "\"cells\":[null,", "$.statistics[0].result.cells")]
    [InlineData("\"reportsByGrade\":[", "\"reportsByGrade\":[null,", "$.statistics[0].result.reportsByGrade")]
    [InlineData("\"sections\":[", "\"sections\":[null,", "$.statistics[0].result.sections")]
    [InlineData("\"tests\":[", "\"tests\":[null,", "$.statistics[0].result.tests")]
    [InlineData("\"warnings\":[", "\"warnings\":[null,", "$.statistics[0].result.warnings")]
    [InlineData("\"attributes\":[", "\"attributes\":[null,", "$.statistics[0].result.attributes")]
    [InlineData("\"findings\":[", "\"findings\":[null,", "$.findings")]
    [InlineData("\"micro\":1500000", "\"micro\":-1", "$.statistics[0].result.epsilon")]
    [InlineData("\"kind\":\"frequency\"", "\"kind\":99", "$.statistics[0].result.kind")]
    [InlineData("\"estimator\":\"an estimator\"", "\"estimator\":null", "$.statistics[0].result.estimator")]
    [InlineData("\"n\":1200", "\"n\":1e400", "$.statistics[0].result.n")]
    [InlineData("\"requestId\":7", "\"requestId\":7,\"requestId\":8", "$.requestId")]
    public void Fault_is_named_by_its_place(string good, string bad, string place)
    {
        int at = Whole.IndexOf(good, StringComparison.Ordinal);
        Assert.True(at >= 0, good);
        string damaged = Whole[..at] + bad + Whole[(at + good.Length)..];
        Assert.Contains("at " + place, Assert.Throws<ExchangeFileException>(() => RequestResults.Read(damaged)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "json")]
    [InlineData("*/*", "json")]
    [InlineData("text/csv", "csv")]
    [InlineData("text/csv;q=0, */*", "json")]
    [InlineData("text/csv;q=0.2, text/html;q=0.8", "html")]
    public void Form_follows_what_a_call_accepts(string accept, string form)
    {
        DefaultHttpContext context = new();
        context.Request.Headers.Accept = accept;
        Assert.Equal(form, ResultsForm.Of(null, context.Request).Name);
    }

    private static void Print(RequestResults results)
    {
        foreach (ResultFormat format in Enum.GetValues<ResultFormat>())
        {
            using StringWriter text = new();
            ResultWriter.Write(text, format, [.. results.Statistics.Select(answer => answer.Result!).Where(result => result is not null)]);
        }
    }
}
