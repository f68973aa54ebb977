using System.Text.RegularExpressions;
using EmrMarket.Analytics.Records;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Tests.Api;

public sealed partial class ProblemTests
{
    [Fact]
    public void Types_and_uris_map_both_ways()
    {
        foreach (ProblemType type in Enum.GetValues<ProblemType>())
        {
            ProblemTypeInfo info = type.InfoOf();
            Assert.Equal(type, ProblemTypes.FindUri(info.Type));
            Assert.Equal(type, ProblemTypes.Find(info.Code));
            Assert.Matches("^/problems/[a-z]+(-[a-z]+)*$", info.Type);
            Assert.InRange(info.Status, 400, 599);
            Assert.NotEmpty(info.Title);
            Assert.NotEmpty(info.Fix);
        }

        Assert.Null(ProblemTypes.Find("Defect"));
        Assert.Null(ProblemTypes.FindUri("defect"));
    }

    [Fact]
    public void Every_code_that_a_grain_or_service_refuses_with_has_a_type()
    {
        string source = Path.Combine(Tools.RepositoryRoot, "src");
        string[] codes =
        [
            .. new[] { "Grains", "Silos" }.SelectMany(
                folder => Directory.EnumerateFiles(Path.Combine(source, folder), "*.cs", SearchOption.AllDirectories))
                .SelectMany(file => Refusal().Matches(File.ReadAllText(file)).Select(match => match.Groups["code"].Value))
                .Distinct(StringComparer.Ordinal),
        ];
        Assert.True(codes.Length > 30, "the sources are not where they were");

        // The generic code of the exceptions' own defaults is the generic type.
        Assert.DoesNotContain(codes, code => ProblemTypes.Find(code) is null);
    }

    [Fact]
    public void Refusals_keep_their_code_and_words()
    {
        foreach (Exception refusal in new Exception[]
        {
            new SiteRefusedException("policy-invalid", "profile 9 is not on the menu"),
            new RequestRefusedException("policy-invalid", "profile 9 is not on the menu"),
            new LinkRefusedException("policy-invalid", "profile 9 is not on the menu"),
            new ServiceRefusedException("policy-invalid", "profile 9 is not on the menu"),
        })
        {
            Problem problem = ProblemWriter.Describe(refusal);
            Assert.Equal(("/problems/policy-invalid", 400, "profile 9 is not on the menu"), (problem.Type, problem.Status, problem.Detail));
        }

        Assert.Equal("/problems/refused", ProblemWriter.Describe(new SiteRefusedException("never-heard-of", "no")).Type);
    }

    [Fact]
    public void Faults_tell_nothing_of_what_they_held()
    {
        const string Raw = "patient Jane Roe, glucose 412";
        foreach (Exception fault in new Exception[] { new InvalidOperationException(Raw),
            new InvalidOperationException("x", new FormatException(Raw)), new TimeoutException(Raw), new CommandFault(Raw) })
        {
            Assert.DoesNotContain("Jane", System.Text.Json.JsonSerializer.Serialize(ProblemWriter.Describe(fault)),
                StringComparison.Ordinal);
        }

        Problem input =
            ProblemWriter.Describe(
                new InputException(
                    [new InputProblem("unknown-label", "file-1", 7, "sex", "the value is none of 3 labels", "use a label") { Value = Raw }],
                    12));
        Assert.Equal((422, 12L), (input.Status, input.ErrorCount));
        Assert.Equal(("unknown-label", 7L, "sex"), (input.Errors![0].Code, input.Errors[0].Line, input.Errors[0].Column));
        Assert.DoesNotContain("Jane", System.Text.Json.JsonSerializer.Serialize(input), StringComparison.Ordinal);
    }

    [Fact]
    public void What_passes_is_told_apart_from_what_is_wrong()
    {
        Assert.Equal(503, ProblemWriter.Describe(new NodeUnreachableException(new Uri("http://127.0.0.1:1"), "refused")).Status);
        Assert.Equal(503, ProblemWriter.Describe(new TimeoutException()).Status);
        Assert.Equal(503, ProblemWriter.Describe(new CommandException(ExitCode.NotReady, "not yet")).Status);
        Assert.Equal(400, ProblemWriter.Describe(new CommandException(ExitCode.Usage, "wrong")).Status);
        Assert.Equal(500, ProblemWriter.Describe(new InvalidOperationException()).Status);
        Assert.NotNull(ProblemWriter.Describe(new RequestRefusedException("not-ready", "later")).RetryAfterSeconds);
        Assert.Null(ProblemWriter.Describe(new RequestRefusedException("terms", "never")).RetryAfterSeconds);
    }

    [Fact]
    public void Long_and_unprintable_details_are_cut()
    {
        Problem problem = ProblemWriter.Describe(new ServiceRefusedException("unknown-site", "\u0007\r\n" + new string('x', 5000)));
        Assert.InRange(problem.Detail.Length, 1, 1100);
        Assert.DoesNotContain(problem.Detail, char.IsControl);
    }

    private sealed class CommandFault(string message) : Exception(message);

    [GeneratedRegex(
        "(Site|Request|Link|Service)RefusedException\\(\\s*\"(?<code>[a-z-]+)\"|LinkProtocolException\\(\\s*[0-9]+, "
            + "\"(?<code>[a-z-]+)\"|ExchangeFileException\\(\\s*\"(?<code>[a-z-]+)\"", RegexOptions.ExplicitCapture)]
    private static partial Regex Refusal();
}
