using EmrMarket.Grains.Ledger.Storage;

namespace EmrMarket.Grains.Tests.Ledger;

/// <summary>The contract of ledger stores, on memory.</summary>
public sealed class MemoryLedgerStoreTests : LedgerStoreContract
{
    protected override Task<ILedgerStore> OpenAsync() => Task.FromResult<ILedgerStore>(new MemoryLedgerStore());
}
