using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Tests.Ethereum.Sending;

public sealed class FileOutboxTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-outbox-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "outbox.jsonl");

    [Fact]
    public async Task Saved_entries_are_there_after_the_file_is_opened_again()
    {
        OutboxEntry[] entries = [Entry("a", 0, new GasPrice.Dynamic(1, 2)), Entry("b", 1, new GasPrice.Fixed(7))];
        OutboxEntry replaced = Entry("a", 2, new GasPrice.Dynamic(3, 4)) with { ReplacedHashes = [entries[0].Hash] };
        OutboxEntry done = entries[1] with
        {
            Outcome = new TransactionOutcome("b", entries[1].Hash, 9, Keccak256.Hash("block"), true, 21_000, Address.Zero),
        };
        using (FileOutbox outbox = new(Path))
        {
            await outbox.SaveAsync(entries, CancellationToken.None);
            await outbox.SaveAsync([replaced], CancellationToken.None);
            await outbox.SaveAsync([done], CancellationToken.None);
            Assert.Throws<IOException>(() => new FileOutbox(Path));
        }

        using FileOutbox again = new(Path);
        OutboxEntry open = Assert.Single(await again.LoadOpenAsync(CancellationToken.None));
        Assert.Equal(("a", 2UL, replaced.Hash, Hex.Encode(replaced.Raw.Span)),
            (open.Id, open.Transaction.Nonce, open.Hash, Hex.Encode(open.Raw.Span)));
        Assert.Equal(replaced.ReplacedHashes, open.ReplacedHashes);
        Assert.Equal(replaced.Transaction.GasPrice, open.Transaction.GasPrice);
        Assert.Equal(["b", "a"], (await again.LoadFromNonceAsync(1, CancellationToken.None)).Select(entry => entry.Id));
        Assert.Equal(done.Outcome, Assert.Single(await again.FindAsync(["b", "missing"], CancellationToken.None)).Outcome);
    }

    [Fact]
    public async Task Line_that_a_crash_cut_short_is_dropped_as_a_whole()
    {
        using (FileOutbox outbox = new(Path))
        {
            await outbox.SaveAsync([Entry("a", 0, new GasPrice.Fixed(1))], CancellationToken.None);
        }

        byte[] whole = await File.ReadAllBytesAsync(Path);
        for (int cut = 1; cut < whole.Length; cut += 37)
        {
            await File.WriteAllBytesAsync(Path, [.. whole, .. whole[..^cut]]);
            using (FileOutbox torn = new(Path))
            {
                Assert.Single(await torn.LoadOpenAsync(CancellationToken.None));
                await torn.SaveAsync([Entry("b", 1, new GasPrice.Fixed(1))], CancellationToken.None);
            }

            using FileOutbox mended = new(Path);
            Assert.Equal(2, (await mended.LoadOpenAsync(CancellationToken.None)).Count);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static OutboxEntry Entry(string id, ulong nonce, GasPrice price)
    {
        Transaction transaction = new(1, nonce, price, 21_000, Address.Zero, 5, new byte[] { 1, 2, 3 });
        SignedTransaction signed = transaction.Sign(EthereumAccount.Generate());
        return new OutboxEntry(id, transaction, signed.Hash, signed.Raw);
    }
}
