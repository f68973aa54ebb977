using System.CommandLine;
using System.Globalization;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Request;

/// <summary>A researcher signed in by a key.</summary>
internal sealed class ResearcherSession : IDisposable
{
    private const int ShortestBeginning = 6;

    private ResearcherSession(MarketClient market, EthereumAccount account) => (Market, Account) = (market, account);

    /// <summary>The connection, with the researcher's token.</summary>
    public MarketClient Market { get; }

    /// <summary>The researcher's key.</summary>
    public EthereumAccount Account { get; }

    /// <summary>The researcher's address, lower case.</summary>
    public string Address => Account.Address.ToString().ToLowerInvariant();

    /// <summary>The option that names the key file.</summary>
    public static Option<string?> KeyOption() => new("--key")
    {
        Description = "The researcher's key file; without it researcher.key in the folder of keys ('emr account key' makes one).",
        HelpName = "FILE",
    };

    /// <summary>The argument that names a request.</summary>
    public static Argument<string> RequestArgument() => new("REQUEST")
    {
        Description = "The request: its number on the ledger, its key, or how the key begins (6 digits or more).",
    };

    /// <summary>Signs in.</summary>
    public static async Task<ResearcherSession> OpenAsync(
        ParseResult parsed, ClientOptions client, string? keyFile, CancellationToken cancellationToken)
    {
        MarketClient market = client.Connect(parsed);
        try
        {
            ResearcherSession session = new(market, market.Keys.Account(keyFile));
            await market.SignInAsync(session.Account, publisher: null, cancellationToken);
            return session;
        }
        catch
        {
            market.Dispose();
            throw;
        }
    }

    /// <summary>The researcher's requests, newest first.</summary>
    public Task<IReadOnlyList<RequestInfo>> ListAsync(CancellationToken cancellationToken) =>
        Market.ListAsync<RequestInfo>("api/v1/requests", cancellationToken);

    /// <summary>A request by its key.</summary>
    public Task<RequestInfo> StatusAsync(string key, CancellationToken cancellationToken) =>
        Market.GetAsync<RequestInfo>("api/v1/requests/" + key, cancellationToken);

    /// <summary>A request by what a person calls it.</summary>
    /// <exception cref="CommandException">None or several are called so.</exception>
    public async Task<RequestInfo> FindAsync(string named, CancellationToken cancellationToken)
    {
        string text = (named.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? named[2..] : named).ToLowerInvariant();
        if (text.Length == 64)
        {
            return await StatusAsync(text, cancellationToken);
        }

        bool isNumber = ulong.TryParse(named, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number);
        RequestInfo[] found = [.. (await ListAsync(cancellationToken)).Where(request =>
            (isNumber && request.RequestId == number && number > 0)
                || (text.Length >= ShortestBeginning && request.Key.StartsWith(text, StringComparison.Ordinal)))];
        return found.Length == 1 ? found[0]
            : throw new CommandException(ExitCode.Usage,
                $"{(found.Length == 0 ? "no request" : $"{found.Length} requests")} of {Address} {(found.Length == 1 ? "is" : "are")} "
                    + $"called '{named}': './emr request list' lists them");
    }

    /// <inheritdoc/>
    public void Dispose() => Market.Dispose();
}
