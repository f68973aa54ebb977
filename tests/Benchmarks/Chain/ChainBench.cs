using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using EmrMarket.Benchmarks.Chain.Generated;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.DevChain;
using DeliveryLeaf = EmrMarket.Contracts.Bindings.DeliveryLeaf;
using DevelopmentToken = EmrMarket.Contracts.Bindings.DevelopmentToken;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Benchmarks.Chain;

/// <summary>
/// What the ledger costs: gas beside a bare token transfer, and the client beside the node's own speed. Every transaction's receipt and
/// every event is checked.
/// </summary>
public static class ChainBench
{
    private const int Transactions = 6_000;

    // A process that has just begun compiles while it sends: three seconds of processor time that the next transactions no longer pay.
    private const int Warming = 3_000;
    private const int InFlight = 512;
    private const int Leaves = 200_000;
    private const int Events = 200_000;
    private const int EventsPerTransaction = 1_000;
    private const ulong Gas = 120_000;

    /// <summary>Measures and prints the tables.</summary>
    public static async Task RunAsync(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        string root = Environment.GetEnvironmentVariable("EMR_ROOT")
            ?? throw new InvalidOperationException("run it by ./emr bench chain: EMR_ROOT names the clone");
        string folder = Directory.CreateTempSubdirectory("emrmarket-bench-").FullName;
        try
        {
            await using EmbeddedChain chain = await EmbeddedChain.StartAsync(
                new EmbeddedChainOptions
                {
                    Folder = folder,
                    Tools = new EmbeddedTools(Path.Combine(root, ".emr", "tools"), Console.Error),
                    BlockTime = TimeSpan.FromMilliseconds(100),
                    KeepsState = false,
                },
                CancellationToken.None);
            EthereumAccount account = EthereumAccount.Generate();
            await chain.FundAsync([account.Address], CancellationToken.None);
            using FileOutbox outbox = new(Path.Combine(folder, "outbox.jsonl"));
            using TransactionSender sender = new(
                chain.Client, account, EmbeddedChain.DevelopmentChainId, outbox,
                new TransactionSenderOptions { Confirmations = 1, Pause = TimeSpan.FromMilliseconds(5), LargestNumberInFlight = InFlight });
            Address token = await CreateAsync(sender, "token", DevelopmentToken.Create());
            DevelopmentToken payment = new(chain.Client, token);
            await sender.SendAsync([new TransactionIntent("mint", payment.Mint(account.Address, 1_000_000_000))], CancellationToken.None);

            ulong transfer = await GasOfTransferAsync(sender, payment);
            await GasAsync(output, transfer, Path.Combine(root, "src", "Contracts", "solidity"), Path.Combine(folder, "snapshots"));
            await TreeAsync(output);
            await ThroughputAsync(output, chain, sender, account, payment);
            await LogsAsync(output, chain, sender);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The gas tests of the contracts, run now: a bare token transfer among them, and the same transfer by the client.</summary>
    private static async Task GasAsync(TextWriter output, ulong transfer, string solidity, string folder)
    {
        await RunForgeAsync(solidity, folder);
        using JsonDocument figures = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "gas.json")));
        Dictionary<string, ulong> gas = figures.RootElement.EnumerateObject().ToDictionary(
            figure => figure.Name, figure => ulong.Parse(figure.Value.GetString()!, CultureInfo.InvariantCulture), StringComparer.Ordinal);
        ulong baseline = gas["token transfer to a new holder"];
        await output.WriteLineAsync("chain: gas, measured now                    gas    ratio to a token transfer");
        await output.WriteLineAsync(Row("token transfer sent by the client", transfer, baseline));
        foreach ((string name, ulong used) in gas)
        {
            await output.WriteLineAsync(Row(name, used, baseline));
        }

        static string Row(string name, ulong gas, ulong transfer) =>
            string.Create(CultureInfo.InvariantCulture, $"  {name,-42} {gas,9:N0}   {(double)gas / transfer,8:F2}");
    }

    private static async Task RunForgeAsync(string solidity, string folder)
    {
        ProcessStartInfo start = new(Path.Combine(solidity, "node_modules", ".bin", "forge"), ["test", "--match-path", "test/Gas.t.sol"])
        {
            WorkingDirectory = solidity, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        start.Environment["FOUNDRY_SNAPSHOTS"] = folder;
        using Process forge = Process.Start(start) ?? throw new InvalidOperationException("forge could not be started");
        Task<string> said = forge.StandardOutput.ReadToEndAsync();
        Task<string> complained = forge.StandardError.ReadToEndAsync();
        await forge.WaitForExitAsync();
        Require(forge.ExitCode == 0, $"the gas tests fail: {await said}{await complained}");
    }

    /// <summary>A delivery of 200,000 leaves: the tree, and the opening of every slot; beside the bare hashes of the same leaves and
    /// nodes.</summary>
    private static async Task TreeAsync(TextWriter output)
    {
        DeliveryLeaf[] leaves = new DeliveryLeaf[Leaves];
        Parallel.For(0, Leaves,
            i => leaves[i] = new DeliveryLeaf((uint)i % 50, (uint)i, Holder(i), Bytes32.Zero, (uint)i + 1, 1_000_000_000));
        byte[] node = new byte[129];
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < 2 * Leaves; i++)
        {
            Keccak256.Hash(node);
        }

        double bare = Stopwatch.GetElapsedTime(started).TotalSeconds;
        started = Stopwatch.GetTimestamp();
        DeliveryBatch batch = DeliveryBatch.Build(EmbeddedChain.DevelopmentChainId, Address.Zero, 1, 1, 0, leaves, default);
        double built = Stopwatch.GetElapsedTime(started).TotalSeconds;
        long siblings = 0;
        for (uint slot = 0; slot < Leaves; slot++)
        {
            siblings += batch.Tree.Open(slot).Length;
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Require(siblings == (long)Leaves * batch.Tree.Depth && batch.Header.Count == Leaves, "an opening is missing");
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"chain: tree of {Leaves:N0} leaves {built:F2} s, with every opening {seconds:F2} s; {seconds / bare:F2} of {2 * Leaves:N0} "
                + $"bare hashes on one core ({bare:F2} s)"));
    }

    private static async Task<ulong> GasOfTransferAsync(TransactionSender sender, DevelopmentToken token) =>
        (await sender.SendAsync([new TransactionIntent("one transfer", token.Transfer(EthereumAccount.Generate().Address, 5), Gas)],
            CancellationToken.None))[0].GasUsed;

    /// <summary>Transfers to as many new holders: signed, kept, offered, and each receipt read twice; beside the same transfers only pushed
    /// at the node.</summary>
    private static async Task ThroughputAsync(
        TextWriter output, EmbeddedChain chain, TransactionSender sender, EthereumAccount account, DevelopmentToken token)
    {
        TransactionIntent[] Transfers(int first, int count) =>
            [.. Enumerable.Range(first, count).Select(i => new TransactionIntent($"transfer {i}", token.Transfer(Holder(i), 1), Gas))];

        await sender.SendAsync(Transfers(2 * Transactions, Warming), CancellationToken.None);
        TransactionIntent[] intents = Transfers(0, Transactions);
        long started = Stopwatch.GetTimestamp();
        IReadOnlyList<TransactionOutcome> outcomes = await sender.SendAsync(intents, CancellationToken.None);
        double client = Transactions / Stopwatch.GetElapsedTime(started).TotalSeconds;
        Require(outcomes.All(outcome => outcome.Succeeded), "a transfer failed");

        GasPrice price = await chain.Client.GetGasPriceAsync(CancellationToken.None);
        ulong nonce = await chain.Client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None);
        SignedTransaction[] signed = new SignedTransaction[Transactions];
        Parallel.For(0, Transactions, i => signed[i] = new Transaction(
            EmbeddedChain.DevelopmentChainId, nonce + (ulong)i, price, Gas, token.Address, 0,
            token.Transfer(Holder(Transactions + i), 1).Data).Sign(account));
        started = Stopwatch.GetTimestamp();
        foreach (SignedTransaction[] batch in signed.Chunk(InFlight))
        {
            await chain.Client.SendRawAsync(batch, CancellationToken.None);
            while (await chain.Client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None) <= batch[0].Nonce)
            {
                await Task.Delay(2);
            }
        }

        while (await chain.Client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None) <= signed[^1].Nonce)
        {
            await Task.Delay(2);
        }

        double node = Transactions / Stopwatch.GetElapsedTime(started).TotalSeconds;
        await output.WriteLineAsync(
            $"chain: client, one account, at most {InFlight} in flight, blocks of 0.1 s        tx/s    ratio to the node alone");
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"  {Transactions:N0} transfers signed, kept, sent, receipts read twice (warm)  {client,12:N0}   {client / node,8:F2}"));
        await output.WriteLineAsync(
            string.Create(CultureInfo.InvariantCulture,
                $"  {Transactions:N0} signed transfers pushed at the node, no receipts         {node,12:N0}   {1.0,8:F2}"));
    }

    private static async Task LogsAsync(TextWriter output, EmbeddedChain chain, TransactionSender sender)
    {
        Address address = await CreateAsync(sender, "probe", Probe.Create(sender.Account, 0));
        Probe probe = new(chain.Client, address);
        await sender.SendAsync(
            [.. Enumerable.Range(0, Events / EventsPerTransaction).Select(i => new TransactionIntent(
                $"events {i}", probe.RecordMany((ulong)(i * EventsPerTransaction), EventsPerTransaction), 5_000_000))],
            CancellationToken.None);
        ulong head = (await chain.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!.Number;

        // Ten blocks at a time keep an answer at some tens of megabytes.
        LogFollower follower = new(chain.Client, new LogFollowerOptions { Addresses = [address], LargestRange = 10 });
        long started = Stopwatch.GetTimestamp();
        IReadOnlyList<LogCheckpoint> checkpoints = [];
        ulong next = 0;
        while (checkpoints.Count == 0 || checkpoints[^1].Number < head)
        {
            LogStep step = (await follower.NextAsync(checkpoints, CancellationToken.None))!;
            foreach (LogEntry log in step.Logs)
            {
                Require(((RecordedEvent)ContractEvents.Decode(log)!).Id == next++, "an event is missing or out of order");
            }

            checkpoints = step.Checkpoints;
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Require(next == Events, "events are missing");
        await output.WriteLineAsync(
            string.Create(CultureInfo.InvariantCulture, $"chain: {Events:N0} events read, decoded and checked in {seconds:F2} s"));
    }

    private static async Task<Address> CreateAsync(TransactionSender sender, string id, ContractCall call) =>
        (await sender.SendAsync([new TransactionIntent(id, call)], CancellationToken.None))[0].ContractAddress
            ?? throw new InvalidOperationException($"{id} was not created");

    private static Address Holder(int i) => new(Keccak256.Hash(BitConverter.GetBytes(i)).ToArray().AsSpan(12));

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException(otherwise);
        }
    }
}
