using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Exchange;

namespace EmrMarket.Silos.Commands.Evaluate.Market;

/// <summary>A request of an evaluation's book.</summary>
internal sealed record BookEntry
{
    /// <summary>What it is about.</summary>
    public required string Title { get; init; }

    /// <summary>Why it is asked.</summary>
    public string Why { get; init; } = "An evaluation of the market.";

    /// <summary>The statistics in their text form.</summary>
    public required IReadOnlyList<string> Statistics { get; init; }

    /// <summary>The grade of every randomised attribute; that of the default policy for its tier when 0.</summary>
    public int Grade { get; init; }

    /// <summary>Records wanted.</summary>
    public required uint TargetRecords { get; init; }

    /// <summary>Below this many records none are taken.</summary>
    public uint MinimumRecords { get; init; }

    /// <summary>The purpose's code.</summary>
    public byte Purpose { get; init; } = 2;

    /// <summary>The public cell, empty for any.</summary>
    public string PublicCell { get; init; } = "";

    /// <summary>The bid as a multiple of what the middle rate asks for an effective record.</summary>
    public decimal BidFactor { get; init; } = 2;
}

/// <summary>The requests of an evaluation: those of a file, or a default book of twenty of different kinds.</summary>
internal sealed record RequestBook(IReadOnlyList<BookEntry> Requests)
{
    private const int DefaultCount = 20;

    // Claims are the dearest step on the chain, about 33,000 gas a record: this share of the records keeps them within seconds.
    private const int RecordsPerTarget = 140;
    private const uint ModelShare = 6;
    private const uint LeastForModels = 4_000;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    /// <summary>Reads a file: a JSON object with a list <c>requests</c>.</summary>
    /// <exception cref="CommandException">The file cannot be read, or is no book.</exception>
    public static RequestBook Load(string path)
    {
        try
        {
            RequestBook book = JsonSerializer.Deserialize<RequestBook>(File.ReadAllText(path), Json)
                ?? throw new JsonException("it is null");
            return book.Requests is { Count: > 0 and <= 1000 }
                ? book : throw new CommandException(ExitCode.Usage, $"--requests {path}: a book has 1 to 1,000 requests");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new CommandException(
                ExitCode.Usage, $"--requests {path} cannot be read: {e.Message}. docs/EVALUATION.md has an example.", e);
        }
    }

    /// <summary>
    /// Twenty requests around an evaluation's plan: its kinds in turn, other purposes, a cell, a least number of records, and two that
    /// cannot be served.
    /// </summary>
    public static RequestBook Default(Schema schema, EvaluationPlan plan, int records)
    {
        uint target = (uint)Math.Max(40, records / RecordsPerTarget);
        // What is public is for sale, but costs nobody anything; models need more reports than the others, and a file of their own book.
        StatisticRequest[][] byKind = [.. plan.Statistics
            .Where(s => s.Kind != StatisticKind.Logistic && (s.Kind != StatisticKind.Linear || target * ModelShare >= LeastForModels))
            .Where(s => s.Attributes.Any(name => schema.Attributes[schema.IndexOf(name)].Tier != Tier.Public))
            .GroupBy(statistic => statistic.Kind).Select(group => group.ToArray())];
        List<StatisticRequest> chosen = [];
        for (int round = 0; chosen.Count < DefaultCount && round < plan.Statistics.Count; round++)
        {
            chosen.AddRange(byKind.Where(kind => round < kind.Length).Select(kind => kind[round]).Take(DefaultCount - chosen.Count));
        }

        AttributeDefinition? filter = schema.Attributes.FirstOrDefault(attribute => attribute.Filterable);
        return new RequestBook([.. Enumerable.Range(0, DefaultCount).Select(i => new BookEntry
        {
            Title = chosen[i % chosen.Count].Id,
            Statistics = [chosen[i % chosen.Count].Id],
            TargetRecords = target * (uint)(chosen[i % chosen.Count].Kind == StatisticKind.Linear ? ModelShare : i % 3 == 0 ? 2u : 1u),
            MinimumRecords = i == 5 ? target / 2 : i == DefaultCount - 1 ? target : 0,
            Purpose = (byte)(i % 4 == 1 ? 3 : 2),
            PublicCell = i == 3 && filter is not null ? $"{filter.Name}={filter.Domain.Label(0)}" : "",
            BidFactor = i >= DefaultCount - 2 ? 0.1m : 1.5m + (0.25m * (i % 5)),
        })]);
    }

    /// <summary>A request's terms.</summary>
    /// <param name="entry">The request.</param>
    /// <param name="schema">The schema.</param>
    /// <param name="table">Its quality table.</param>
    /// <param name="rates">The middle rates.</param>
    /// <param name="relayFee">The fee per record.</param>
    /// <param name="researcher">Who asks.</param>
    /// <param name="deadline">Unix seconds.</param>
    /// <exception cref="CommandException">The request asks for what the schema does not have.</exception>
    public static TermsDocument Terms(
        BookEntry entry, Schema schema, QualityTable table, TierRates rates, ulong relayFee, string researcher, long deadline)
    {
        try
        {
            SortedDictionary<string, GradeRange> grades = TermsDocument.GradesFor(
                schema, entry.Statistics.Select(StatisticRequest.Parse),
                attribute => entry.Grade > 0 ? entry.Grade : schema.DefaultGrade(attribute));
            (UInt128 ask, long score) = (0, 0);
            foreach ((string name, GradeRange range) in grades)
            {
                int a = schema.IndexOf(name);
                ask += PriceRules.Ask(rates[table.TierOf(a)], table.EpsilonOf(a, range.Top)).Units;
                score += table.QualityOf(a, range.Top);
            }

            UInt128 bid = (UInt128)decimal.Ceiling(Math.Max(1, entry.BidFactor * (decimal)ask * QualityTable.Unit / Math.Max(1, score)));
            UInt128 most = PriceRules.Value(new TokenAmount(bid), score).Units + relayFee;
            return new TermsDocument
            {
                SchemaId = schema.Id,
                Researcher = researcher,
                Statistics = entry.Statistics,
                Grades = grades,
                Bid = bid.ToString(CultureInfo.InvariantCulture),
                Budget = UInt128.Max(most * entry.TargetRecords, 10_000).ToString(CultureInfo.InvariantCulture),
                TargetRecords = entry.TargetRecords,
                MinimumRecords = entry.MinimumRecords,
                Purpose = entry.Purpose,
                PublicCell = entry.PublicCell,
                Deadline = deadline,
                Title = entry.Title,
                Why = entry.Why,
                Nonce = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)),
            };
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw new CommandException(ExitCode.Usage, $"the request '{entry.Title}': {e.Message}", e);
        }
    }
}
