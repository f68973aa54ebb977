using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>How this program connects where a connection string leaves it open.</summary>
internal static class ConnectionStrings
{
    /// <summary>
    /// A connection string with what it leaves open: no encryption by Kerberos. The driver would otherwise try it first, which takes a
    /// round trip, and where the library for it is missing the runtime says so on standard error, past every log.
    /// </summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public static NpgsqlConnectionStringBuilder Read(string connectionString)
    {
        NpgsqlConnectionStringBuilder builder = new(connectionString);
        if (builder.GssEncryptionMode == GssEncryptionMode.Prefer)
        {
            builder.GssEncryptionMode = GssEncryptionMode.Disable;
        }

        return builder;
    }
}
