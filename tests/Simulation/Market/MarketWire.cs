using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Exchange;
using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Simulation.Market;

/// <summary>
/// The wire between a site and the market: messages are lost with a process that dies, come twice, and come again long after. A site that
/// does not behave is honest up to here, and what it sends is changed on the way.
/// </summary>
/// <param name="site">The site, from 0.</param>
/// <param name="conduct">How it behaves.</param>
/// <param name="market">The market's process.</param>
/// <param name="leaves">Called with what leaves the site.</param>
/// <param name="isLate">Whether every deadline is over.</param>
/// <param name="anothers">The delivery that the other site sent last; null before.</param>
/// <param name="random">Chance.</param>
/// <param name="context">Where the market's part goes on: not in the turn of the grain that asks, with whose process it would stop, and
/// keep for ever what it holds.</param>
internal sealed class MarketWire(int site, SiteConduct conduct, Func<SimulatedProcess> market, Action<DeliveryMessage> leaves,
    Func<bool> isLate, Func<byte[]?> anothers, Random random, SynchronizationContext context) : ISiteMarketLink
{
    private readonly List<Func<ISiteMarketLink, Task>> _earlier = [];

    /// <summary>All that passed, for whoever looks for what must not.</summary>
    public List<object> Passed { get; } = [];

    /// <summary>The last delivery.</summary>
    public byte[]? LastDelivery { get; private set; }

    public Task<MarketDescription> DescribeAsync(CancellationToken cancellationToken) =>
        AskAsync(link => link.DescribeAsync(cancellationToken));

    public Task PublishEpochAsync(EpochPublication publication, CancellationToken cancellationToken)
    {
        Passed.Add(publication.LeafFile);
        return AskAsync(async link =>
        {
            await link.PublishEpochAsync(publication, cancellationToken);
            return true;
        });
    }

    public Task<DeliveryOrder[]> GetOrdersAsync(uint siteNumber, long afterSequence, CancellationToken cancellationToken) =>
        AskAsync(link => link.GetOrdersAsync(siteNumber, afterSequence, cancellationToken));

    public async Task<DeliveryReceipt> DeliverAsync(DeliveryMessage message, CancellationToken cancellationToken)
    {
        if (conduct == SiteConduct.DeliversNothing || (conduct == SiteConduct.DeliversLate && !isLate())
            || (conduct == SiteConduct.DeliversAnothers && anothers() is null))
        {
            throw new LinkRefusedException(LinkRefusedException.NotReady, "it does not arrive");
        }

        leaves(message);
        LastDelivery = message.DeliveryFile;
        DeliveryMessage sent = message with { DeliveryFile = Changed(message.DeliveryFile) };
        Passed.Add(sent.DeliveryFile);
        return await AskAsync(link => link.DeliverAsync(sent, cancellationToken));
    }

    public Task<byte[]?> FindFileAsync(uint siteNumber, string sha256, CancellationToken cancellationToken) =>
        AskAsync(link => link.FindFileAsync(siteNumber, sha256, cancellationToken));

    /// <summary>An earlier message arrives again.</summary>
    public async Task RepeatAsync()
    {
        if (_earlier.Count > 0 && !market().Points.IsDead)
        {
            try
            {
                await _earlier[random.Next(_earlier.Count)](market().Get<ISiteMarketLink>());
            }
            catch (Exception e) when (e is not MarketInvariantException)
            {
                // Nobody waits for its answer.
            }
        }
    }

    private async Task<T> AskAsync<T>(Func<ISiteMarketLink, Task<T>> ask)
    {
        SimulatedProcess process = market();
        if (process.Points.IsDead)
        {
            throw new IOException("nobody answers");
        }

        _earlier.Add(ask);
        ISiteMarketLink link = process.Get<ISiteMarketLink>();
        TaskCompletionSource<T> answered = new();
        context.Post(_ => _ = AnswerAsync(ask, link, answered), null);
        Task<T> answer = answered.Task;
        return await Task.WhenAny(answer, process.Death.Task) == answer ? await answer : throw new IOException("the connection broke");
    }

    private static async Task AnswerAsync<T>(Func<ISiteMarketLink, Task<T>> ask, ISiteMarketLink link, TaskCompletionSource<T> answered)
    {
        try
        {
            answered.SetResult(await ask(link));
        }
        catch (Exception e)
        {
            answered.SetException(e);
        }
    }

    private byte[] Changed(byte[] bytes)
    {
        DeliveryFile file = DeliveryFile.Read(bytes, MarketWorld.Schema);
        switch (conduct)
        {
            case SiteConduct.DeliversAnothers:
                return anothers() is { } other
                    ? (DeliveryFile.Read(other, MarketWorld.Schema) with { Site = (uint)site + 1, RequestId = file.RequestId,
                        Attempt = file.Attempt }).Write(MarketWorld.Schema) : bytes;
            case SiteConduct.DeliversTooLittle:
                // The last slot is not there, and its reports are: the file contradicts itself and the round.
                return (file with { Leaves = file.Leaves[..^1], Persons = file.Persons[..^1] }).Write(MarketWorld.Schema);
            case SiteConduct.Alters:
                DeliveryColumn[] columns = [.. file.Columns];
                int at = Array.FindIndex(columns, column => column.Reports is CodeReports);
                if (at >= 0)
                {
                    ushort[] codes = [.. ((CodeReports)columns[at].Reports).Codes];
                    codes[0] = (ushort)(codes[0] == 0 ? 1 : 0);
                    columns[at] = columns[at] with { Reports = new CodeReports(codes) };
                }

                return (file with { Columns = columns }).Write(MarketWorld.Schema);
            default:
                return bytes;
        }
    }
}
