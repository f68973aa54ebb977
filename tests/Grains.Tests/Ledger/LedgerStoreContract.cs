using System.Numerics;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Transactions;
using EmrMarket.Grains.Ledger.Storage;

namespace EmrMarket.Grains.Tests.Ledger;

/// <summary>What every ledger store must do, whatever keeps it.</summary>
public abstract class LedgerStoreContract
{
    private const string Sender = "31337/0x00000000000000000000000000000000000000aa";
    private static readonly CancellationToken None = CancellationToken.None;

    protected abstract Task<ILedgerStore> OpenAsync();

    [Fact]
    public async Task Journal_pages_in_the_order_of_the_chain_and_loses_what_is_undone()
    {
        ILedgerStore store = await OpenAsync();
        Assert.Empty(await store.LoadCheckpointsAsync(None));
        LogCheckpoint[] checkpoints = [new(4, Hash(4)), new(9, Hash(9))];
        await store.AppendAsync(null, [Event(3, 0), Event(3, 7), Event(9, 1)], checkpoints, None);
        await store.AppendAsync(null, [Event(9, 1)], checkpoints, None);
        Assert.Equal(checkpoints, await store.LoadCheckpointsAsync(None));
        AssertSame([Event(3, 0), Event(3, 7)], await store.LoadEventsAsync(default, 2, None));
        AssertSame([Event(3, 7), Event(9, 1)], await store.LoadEventsAsync(new LedgerPosition(3, 1), 100, None));
        await store.AppendAsync(5, [Event(6, 2)], [checkpoints[0], new(7, Hash(7))], None);
        AssertSame([Event(3, 0), Event(3, 7), Event(6, 2)], await store.LoadEventsAsync(default, 100, None));
        await store.AppendAsync(0, [Event(1, 1)], [], None);
        AssertSame([Event(1, 1)], await store.LoadEventsAsync(default, 100, None));
        Assert.Empty(await store.LoadCheckpointsAsync(None));
    }

    [Fact]
    public async Task Commands_keep_their_order_and_leave_the_queue_when_they_are_signed_or_refused()
    {
        ILedgerStore store = await OpenAsync();
        await store.AddCommandsAsync(Sender, [Command("c"), Command("a"), Command("b")], None);
        await store.AddCommandsAsync(Sender, [Command("a") with { Data = [9] }, Command("d") with { GasLimit = 5 }], None);
        await store.AddCommandsAsync("another", [Command("x")], None);
        Assert.Equal(["c", "a", "b", "d"], (await store.LoadUnsentAsync(Sender, None)).Select(command => command.Id));
        await store.OutboxOf(Sender).SaveAsync([Entry("a", 0)], None);
        await store.RefuseAsync(Sender, "c", "why", None);
        Assert.Equal(["b", "d"], (await store.LoadUnsentAsync(Sender, None)).Select(command => command.Id));
        IReadOnlyList<StoredCommand> found = await store.FindCommandsAsync(Sender, ["a", "c", "d", "x", "unknown"], None);
        Assert.Equal(["a", "c", "d"], found.Select(command => command.Id).Order(StringComparer.Ordinal));
        Assert.Equal([1, 2, 3], found.Single(command => command.Id == "a").Data);
        Assert.Equal("why", found.Single(command => command.Id == "c").Refusal);
        Assert.Equal(5UL, found.Single(command => command.Id == "d").GasLimit);
    }

    [Fact]
    public async Task Outbox_finds_what_is_open_and_what_has_a_nonce_from_some_on()
    {
        ILedgerStore store = await OpenAsync();
        ITransactionOutbox outbox = store.OutboxOf(Sender);
        OutboxEntry done = Entry("b", 1) with { Outcome = new TransactionOutcome("b", Hash(1), 12, Hash(12), false, 21_000, null) };
        await outbox.SaveAsync([Entry("a", 0), Entry("b", 1), Entry("c", 2)], None);
        await outbox.SaveAsync([done], None);
        await outbox.SaveAsync([Entry("a", 3) with { ReplacedHashes = [Hash(100)] }], None);
        Assert.Equal(["a", "c"], (await outbox.LoadOpenAsync(None)).Select(entry => entry.Id).Order(StringComparer.Ordinal));
        Assert.Equal(["b", "c", "a"],
            (await outbox.LoadFromNonceAsync(1, None)).OrderBy(entry => entry.Transaction.Nonce).Select(entry => entry.Id));
        Assert.Equal(done.Outcome, (await outbox.FindAsync(["b"], None)).Single().Outcome);
        OutboxEntry replaced = (await outbox.FindAsync(["a", "nobody"], None)).Single();
        Assert.Equal([Hash(100)], replaced.ReplacedHashes);
        Assert.Equal(Entry("a", 3).Raw.ToArray(), replaced.Raw.ToArray());
        Assert.Equal(Entry("a", 3).Transaction.GasPrice, replaced.Transaction.GasPrice);
        Assert.Equal(Entry("a", 3).Transaction.Data.ToArray(), replaced.Transaction.Data.ToArray());
        Assert.Empty(await store.OutboxOf("another").LoadOpenAsync(None));
    }

    private static Bytes32 Hash(byte value)
    {
        byte[] bytes = new byte[32];
        bytes[31] = value;
        return new Bytes32(bytes);
    }

    private static LedgerEvent Event(ulong block, ulong index) => new()
    {
        BlockNumber = block,
        LogIndex = index,
        BlockSeconds = 1_000 + block,
        TransactionHash = Hash((byte)block),
        Contract = Address.Parse("0x00000000000000000000000000000000000000bb"),
        Topics = [.. Hash(1).ToArray(), .. Hash((byte)index).ToArray()],
        Data = [(byte)index, 0, 255],
    };

    private static StoredCommand Command(string id) => new()
    {
        Id = id, To = Address.Parse("0x00000000000000000000000000000000000000cc"), Data = [1, 2, 3],
    };

    private static OutboxEntry Entry(string id, ulong nonce) => new(
        id,
        new Transaction(31337, nonce, new GasPrice.Dynamic(1, BigInteger.Pow(10, 30)), 21_000,
            Address.Parse("0x00000000000000000000000000000000000000cc"), 0, new byte[] { 4, 5 }),
        Hash((byte)(50 + nonce)),
        new byte[] { 7, (byte)nonce });

    private static void AssertSame(LedgerEvent[] expected, IReadOnlyList<LedgerEvent> actual)
    {
        Assert.Equal(expected.Length, actual.Count);
        foreach ((LedgerEvent left, LedgerEvent right) in expected.Zip(actual))
        {
            Assert.Equal(left.Topics, right.Topics);
            Assert.Equal(left.Data, right.Data);
            Assert.Equal(left with { Topics = right.Topics, Data = right.Data }, right);
        }
    }
}
