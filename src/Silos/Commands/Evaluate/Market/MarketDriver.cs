using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;

namespace EmrMarket.Silos.Commands.Evaluate.Market;

/// <summary>
/// Tells everybody to go on until something is reached. When nobody can, the chain makes a block, or its clock moves to the first time that
/// somebody waits for: days pass in a moment, and every rule about time is kept.
/// </summary>
internal sealed class MarketDriver(EmbeddedChain chain, CancellationToken cancellation)
{
    // A block confirms, a few more seed a round; nothing waits for more without naming a time.
    private const int MostIdleBlocks = 300;

    private readonly List<(string Name, Func<Task<Advance>> Advance)> _workers = [];
    private readonly List<(string Name, ILedgerGrain Sender)> _senders = [];

    /// <summary>Somebody with work.</summary>
    public void Add(string name, Func<Task<Advance>> advance) => _workers.Add((name, advance));

    /// <summary>Somebody whose work is done.</summary>
    public void Remove(string name) => _workers.RemoveAll(worker => worker.Name == name);

    /// <summary>Somebody who sends.</summary>
    public void Add(string name, IEnumerable<ILedgerGrain> senders) => _senders.AddRange(senders.Select(sender => (name, sender)));

    /// <summary>Goes on until a condition holds.</summary>
    /// <param name="what">What is waited for, for the error.</param>
    /// <param name="reached">The condition.</param>
    /// <exception cref="CommandException">Nobody can go on, and no time is waited for.</exception>
    public async Task UntilAsync(string what, Func<Task<bool>> reached)
    {
        int idle = 0;
        while (!await reached())
        {
            cancellation.ThrowIfCancellationRequested();
            List<(string Name, Advance Advance)> answers = [];
            foreach ((string name, Func<Task<Advance>> advance) in _workers)
            {
                answers.Add((name, await advance()));
            }

            List<(string Name, Advance Advance)> senders = [];
            foreach ((string name, ILedgerGrain sender) in _senders)
            {
                senders.Add((name, await sender.AdvanceAsync()));
            }

            if (senders.Exists(s => s.Advance.WaitsFor.Length > 0))
            {
                idle = 0;
                await chain.MineAsync(cancellation);
            }
            else if (answers.Concat(senders).Any(s => s.Advance.Progressed))
            {
                idle = 0;
            }
            else
            {
                long now = (long)(await chain.Client.GetBlockAsync(BlockReference.Latest, cancellation))!.Timestamp;
                long[] due = [.. answers.Select(a => a.Advance.DueSeconds).OfType<long>().Where(time => time > now)];

                // A few blocks first: somebody may wait for one, which has no time.
                if (idle >= 5 && due.Length > 0)
                {
                    await chain.AdvanceTimeAsync(TimeSpan.FromSeconds(due.Min() - now), cancellation);
                    idle = 0;
                }
                else if (++idle > MostIdleBlocks)
                {
                    throw new CommandException(
                        ExitCode.Failure,
                        $"the market stands still before {what}: "
                            + string.Join("; ",
                                answers.Concat(senders).Where(a => a.Advance.WaitsFor.Length > 0)
                                    .Select(a => $"{a.Name} waits for {a.Advance.WaitsFor}")));
                }
                else
                {
                    await chain.MineAsync(cancellation);
                }
            }
        }
    }

    /// <summary>Until all that was sent is in blocks.</summary>
    public async Task SettleAsync(string what)
    {
        bool settled = false;
        await UntilAsync(what, async () =>
        {
            if (settled)
            {
                return true;
            }

            settled = true;
            foreach ((_, ILedgerGrain sender) in _senders)
            {
                settled &= (await sender.AdvanceAsync()).WaitsFor.Length == 0;
            }

            return false;
        });
    }
}
