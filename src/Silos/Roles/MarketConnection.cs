using System.Text.Json;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Silos.Link;

namespace EmrMarket.Silos.Roles;

/// <summary>
/// What the sites of a process without the market know of it: whether it answers, that it means the same ledger, and which schemas it deals
/// in. The last answer is kept in a file, so that patients and staff find their schemas while the market is away.
/// </summary>
internal sealed class MarketConnection
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    private readonly Uri _address;
    private readonly ISiteMarketLink _link;
    private readonly ContractDeployment _deployment;
    private readonly string _file;
    private readonly TimeProvider _clock;
    private DateTimeOffset _asked = DateTimeOffset.MinValue;
    private volatile IReadOnlyDictionary<string, MarketSchema> _schemas = new Dictionary<string, MarketSchema>(StringComparer.Ordinal);

    /// <summary>A connection; the market is not asked yet.</summary>
    /// <param name="address">Where the market is, for messages.</param>
    /// <param name="link">The way to it.</param>
    /// <param name="deployment">The ledger that this process means.</param>
    /// <param name="file">Where the last answer is kept.</param>
    /// <param name="clock">The time.</param>
    public MarketConnection(Uri address, ISiteMarketLink link, ContractDeployment deployment, string file, TimeProvider clock)
    {
        (_address, _link, _deployment, _file, _clock) = (address, link, deployment, file, clock);
        try
        {
            if (File.Exists(file) && JsonSerializer.Deserialize<MarketDescription>(File.ReadAllBytes(file)) is { } kept
                && IsSameLedger(kept))
            {
                _schemas = Read(kept);
            }
        }
        catch (Exception e) when (e is JsonException or InputException)
        {
            // The market is asked anyway; the file only bridges the time until it answers.
        }
    }

    /// <summary>The schemas that the market deals in, by id; empty until it answered for the first time.</summary>
    public IReadOnlyDictionary<string, MarketSchema> Schemas => _schemas;

    /// <summary>Asks the market, unless it answered a moment ago.</summary>
    /// <exception cref="RoleProblemException">It does not answer, is not the one that the ledger names, or means another
    /// ledger.</exception>
    public async Task<Advance> AdvanceAsync()
    {
        if (_clock.GetUtcNow() - _asked >= Fresh)
        {
            MarketDescription description = await AskAsync();
            if (!IsSameLedger(description))
            {
                throw new RoleProblemException(
                    $"the market at {_address} works on chain {description.ChainId} with {Named(description.AccessControl)}, this site "
                        + $"on chain {_deployment.ChainId} with {_deployment.AccessControl.Address}: "
                    + "get the deployment file from the consortium again, or name another market");
            }

            _schemas = Read(description);
            Directory.CreateDirectory(Path.GetDirectoryName(_file)!);
            await File.WriteAllBytesAsync(_file + ".part", JsonSerializer.SerializeToUtf8Bytes(description));
            File.Move(_file + ".part", _file, overwrite: true);
            _asked = _clock.GetUtcNow();
        }

        return new Advance { Progressed = false, WaitsFor = "" };
    }

    private async Task<MarketDescription> AskAsync()
    {
        try
        {
            return await _link.DescribeAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is HttpRequestException or LinkProtocolException or IOException or OperationCanceledException)
        {
            _asked = DateTimeOffset.MinValue;
            throw new RoleProblemException(
                $"the market at {_address} does not answer as it should: {e.Message}. What was agreed stays; the site goes on when it "
                    + "answers");
        }
    }

    private bool IsSameLedger(MarketDescription description) =>
        description.ChainId == _deployment.ChainId
            && description.AccessControl.AsSpan().SequenceEqual(Address.Parse(_deployment.AccessControl.Address).ToArray());

    private static string Named(byte[] address) => address.Length == Address.Length ? new Address(address).ToString() : "no contract";

    /// <summary>The schemas whose text has the id under which it is named.</summary>
    private static Dictionary<string, MarketSchema> Read(MarketDescription description) => description.Schemas.Values
        .Select(json => Schema.Parse(json, "the market's schema")).Where(schema => description.Schemas.ContainsKey(schema.Id))
        .ToDictionary(schema => schema.Id, schema => new MarketSchema(schema, ReportQuality.Table(schema)), StringComparer.Ordinal);
}
