using System.CommandLine;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Site;

/// <summary>What every command of a site's staff takes: which site, which schema, as whom, and how long to wait.</summary>
internal sealed class SiteOptions
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Option<string?> _site = new("--site")
    {
        Description = "The site by its name; without it the only one that the server runs.", HelpName = "NAME",
    };
    private readonly Option<string?> _as = new("--as")
    {
        Description = "The account that signed in; without it whoever runs 'serve' on this machine.", HelpName = "NAME",
    };
    private readonly Option<int> _timeout = new("--timeout")
    {
        Description = "The longest wait, in seconds.", HelpName = "N", DefaultValueFactory = _ => 600,
    };
    private readonly SchemaOption _schema = new();

    /// <summary>Puts them on a command.</summary>
    public Command AddTo(Command command)
    {
        foreach (Option option in (Option[])[_site, _schema.Option, _as, _timeout])
        {
            command.Options.Add(option);
        }

        return command;
    }

    /// <summary>A connection with the right of the site's staff.</summary>
    public MarketClient Connect(ParseResult parsed, ClientOptions client)
    {
        MarketClient market = client.Connect(parsed);
        market.Act(parsed.GetValue(_as));
        return market;
    }

    /// <summary>The site's name and the schema's id.</summary>
    public async Task<(string Site, string SchemaId)> PlaceAsync(
        ParseResult parsed, MarketClient market, CancellationToken cancellationToken)
    {
        string site = await NameAsync(parsed, market, cancellationToken);
        return (site, await _schema.FindAsync(parsed, market, cancellationToken));
    }

    /// <summary>The site's name.</summary>
    public async Task<string> NameAsync(ParseResult parsed, MarketClient market, CancellationToken cancellationToken)
    {
        string[] sites = (await market.GetAsync<MarketInfo>("api/v1/market", cancellationToken)).Sites;
        return parsed.GetValue(_site) ?? (sites.Length == 1 ? sites[0]
            : throw new CommandException(
                ExitCode.Usage, $"--site is needed: the server runs {(sites.Length == 0 ? "no site" : string.Join(", ", sites))}"));
    }

    /// <summary>Where a site stands.</summary>
    public static Task<SiteInfo> StatusAsync(MarketClient market, string site, string schemaId, CancellationToken cancellationToken) =>
        market.GetAsync<SiteInfo>($"api/v1/sites/{site}?schema={schemaId}", cancellationToken);

    /// <summary>Asks until something holds.</summary>
    /// <exception cref="CommandException">75: it does not within --timeout.</exception>
    public async Task<SiteInfo> WaitAsync(
        ParseResult parsed, MarketClient market, string site, string schemaId, Func<SiteInfo, bool> reached, string otherwise,
        CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(TimeSpan.FromSeconds(parsed.GetValue(_timeout)));
        try
        {
            while (true)
            {
                try
                {
                    if (await StatusAsync(market, site, schemaId, late.Token) is var status && reached(status))
                    {
                        return status;
                    }
                }
                catch (CommandException e) when (e.Code == ExitCode.NotReady)
                {
                    // A server that is started again answers in a moment; the wait has an end of its own.
                    Output.Remark(e.Message);
                }

                await Task.Delay(Pause, late.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.NotReady, $"{otherwise}: give the command again, or a longer --timeout", e);
        }
    }
}
