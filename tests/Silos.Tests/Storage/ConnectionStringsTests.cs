using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

public sealed class ConnectionStringsTests
{
    [Theory]
    [InlineData("Host=db;Username=a", GssEncryptionMode.Disable)]
    [InlineData("Host=db;Username=a;GSS Encryption Mode=Require", GssEncryptionMode.Require)]
    public void Encryption_by_Kerberos_is_tried_only_where_it_is_asked_for(string said, GssEncryptionMode expected)
    {
        NpgsqlConnectionStringBuilder read = ConnectionStrings.Read(said);
        Assert.Equal((expected, "db", "a"), (read.GssEncryptionMode, read.Host, read.Username));
    }
}
