using System.CommandLine;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>Which schema a command is about: by name or id, or the only one that fits.</summary>
internal sealed class SchemaOption
{
    /// <summary>The option.</summary>
    public Option<string?> Option { get; } = new("--schema")
    {
        Description = "The schema, by name or id; needed where the market deals in several.", HelpName = "NAME|ID",
    };

    /// <summary>The schema's id.</summary>
    /// <exception cref="CommandException">The market does not deal in it, or in several and none was named.</exception>
    public Task<string> FindAsync(ParseResult parsed, MarketClient market, CancellationToken cancellationToken) =>
        FindAsync(parsed.GetValue(Option), market, cancellationToken);

    /// <summary>The id of a schema by its name or id.</summary>
    public static async Task<string> FindAsync(string? named, MarketClient market, CancellationToken cancellationToken)
    {
        SchemaName[] schemas = (await market.GetAsync<MarketInfo>("api/v1/market", cancellationToken)).Schemas;
        SchemaName[] found =
            [.. schemas.Where(schema => named is null || string.Equals(schema.Name, named, StringComparison.Ordinal)
                || string.Equals(schema.Id, named, StringComparison.OrdinalIgnoreCase))];
        return found.Length == 1 ? found[0].Id
            : throw new CommandException(ExitCode.Usage,
                (named is null ? "--schema is needed" : $"the market does not deal in schema '{named}'")
                    + $": it deals in {string.Join(", ", schemas.Select(schema => schema.Name))}");
    }
}
