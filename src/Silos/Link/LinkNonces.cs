using EmrMarket.Contracts.Ethereum;
using Npgsql;

namespace EmrMarket.Silos.Link;

/// <summary>Remembers which messages were taken, until their time alone refuses them.</summary>
internal interface ILinkNonces
{
    /// <summary>Takes a nonce of a sender; false when it was taken before.</summary>
    /// <param name="sender">The sender.</param>
    /// <param name="nonce">The nonce.</param>
    /// <param name="nowSeconds">Now, unix seconds: what expired before is forgotten.</param>
    /// <param name="expiresSeconds">From when on the message is refused for its time.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task<bool> TakeAsync(Address sender, Bytes32 nonce, long nowSeconds, long expiresSeconds, CancellationToken cancellationToken);
}

/// <summary>In memory: for a market that ends with its process.</summary>
internal sealed class MemoryLinkNonces : ILinkNonces
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(Address Sender, Bytes32 Nonce), long> _taken = [];

    /// <inheritdoc/>
    public Task<bool> TakeAsync(Address sender, Bytes32 nonce, long nowSeconds, long expiresSeconds, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach ((Address, Bytes32) expired in _taken.Where(one => one.Value < nowSeconds).Select(one => one.Key).ToArray())
            {
                _taken.Remove(expired);
            }

            return Task.FromResult(_taken.TryAdd((sender, nonce), expiresSeconds));
        }
    }
}

/// <summary>In the market's database, so that a restart forgets none.</summary>
/// <param name="database">The market's database, migrated.</param>
internal sealed class PostgresLinkNonces(NpgsqlDataSource database) : ILinkNonces
{
    /// <inheritdoc/>
    public async Task<bool> TakeAsync(
        Address sender, Bytes32 nonce, long nowSeconds, long expiresSeconds, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = database.CreateCommand(
            """
            WITH expired AS (DELETE FROM market_link_nonce WHERE expires_seconds < $3)
            INSERT INTO market_link_nonce (sender, nonce, expires_seconds) VALUES ($1, $2, $4) ON CONFLICT DO NOTHING
            """);
        foreach (object value in (object[])[sender.ToArray(), nonce.ToArray(), nowSeconds, expiresSeconds])
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return await command.ExecuteNonQueryAsync(cancellationToken) == 1;
    }
}
