using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Tests.Ledger;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Tests.Storage;

/// <summary>The contract of ledger stores, on PostgreSQL.</summary>
public sealed class PostgresLedgerStoreTests : LedgerStoreContract
{
    protected override async Task<ILedgerStore> OpenAsync() =>
        new PostgresLedgerStore(await TestDatabases.CreateAsync(DatabaseRole.Market));
}
