using System.Security.Cryptography;
using EmrMarket.Grains.Abstractions.Link;

namespace EmrMarket.Silos.Tests.Link;

/// <summary>What every way to the market must do: carry messages and answers as they are, and tell a refusal from a failure.</summary>
public abstract class LinkContract
{
    private protected const uint Site = 7;
    private protected static readonly CancellationToken None = CancellationToken.None;

    private protected RecordingMarket Market { get; } = new();

    /// <summary>The way to <see cref="Market"/>.</summary>
    private protected abstract Task<ISiteMarketLink> OpenAsync();

    [Fact]
    public async Task Messages_and_answers_arrive_as_they_were_sent()
    {
        ISiteMarketLink link = await OpenAsync();
        MarketDescription description = await link.DescribeAsync(None);
        Assert.Equal(Market.Description.ChainId, description.ChainId);
        Assert.Equal(Market.Description.AccessControl, description.AccessControl);
        Assert.Equal(Market.Description.Schemas, description.Schemas);

        byte[] epoch = RandomNumberGenerator.GetBytes(3_000_000), delivery = RandomNumberGenerator.GetBytes(5_000_000);
        await link.PublishEpochAsync(new EpochPublication { Site = Site, LeafFile = epoch }, None);
        Assert.Equal(epoch, Assert.Single(Market.Epochs).LeafFile);

        DeliveryReceipt receipt = await link.DeliverAsync(
            new DeliveryMessage { Site = Site, Sequence = long.MaxValue, DeliveryFile = delivery }, None);
        DeliveryMessage got = Assert.Single(Market.Deliveries);
        Assert.Equal((Site, long.MaxValue), (got.Site, got.Sequence));
        Assert.Equal(delivery, got.DeliveryFile);
        Assert.Equal(RecordingMarket.ReceiptOf(delivery), receipt.Signature);
    }

    [Fact]
    public async Task Orders_arrive_in_their_order_also_when_they_share_a_round()
    {
        ISiteMarketLink link = await OpenAsync();
        Assert.Empty(await link.GetOrdersAsync(Site, 0, None));
        byte[] one = RandomNumberGenerator.GetBytes(100_000), other = RandomNumberGenerator.GetBytes(10);
        Market.Orders.AddRange([Order(1, one), Order(2, other), Order(3, [.. one])]);
        DeliveryOrder[] orders = await link.GetOrdersAsync(Site, 1, None);
        Assert.Equal([2, 3], orders.Select(order => order.Sequence));
        Assert.Equal(other, orders[0].RoundFile);
        Assert.Equal(one, orders[1].RoundFile);
        Assert.Equal((ulong.MaxValue - 3, 2u, "{\"größe\":3}"), (orders[1].RequestId, orders[1].Attempt, orders[1].TermsJson));
    }

    [Fact]
    public async Task File_that_the_far_end_has_arrives_and_one_that_it_lacks_is_told_from_an_empty_one()
    {
        ISiteMarketLink link = await OpenAsync();
        byte[] file = RandomNumberGenerator.GetBytes(200_000);
        string Name(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));
        Market.Files.Add(Name(file), file);
        Market.Files.Add(Name([]), []);
        byte[]? got = await link.FindFileAsync(Site, Name(file), None), empty = await link.FindFileAsync(Site, Name([]), None);
        Assert.Equal(file, got);
        Assert.Empty(empty!);
        Assert.Null(await link.FindFileAsync(Site, Name([1]), None));
    }

    [Fact]
    public async Task Refusal_comes_with_its_code_and_its_words()
    {
        ISiteMarketLink link = await OpenAsync();
        Market.Refusal = new LinkRefusedException("wrong-delivery", "Größe: the slot 3 names a member twice");
        LinkRefusedException refused = await Assert.ThrowsAsync<LinkRefusedException>(
            () => link.DeliverAsync(new DeliveryMessage { Site = Site, Sequence = 1, DeliveryFile = [1] }, None));
        Assert.Equal((Market.Refusal.Code, Market.Refusal.Message), (refused.Code, refused.Message));
    }

    [Fact]
    public async Task Failure_of_the_market_is_no_refusal()
    {
        ISiteMarketLink link = await OpenAsync();
        Market.Failure = new InvalidOperationException("the store is away");
        Exception failed = await Assert.ThrowsAnyAsync<Exception>(
            () => link.DeliverAsync(new DeliveryMessage { Site = Site, Sequence = 1, DeliveryFile = [1] }, None));
        Assert.IsNotType<LinkRefusedException>(failed);
        Market.Failure = null;
        await link.DeliverAsync(new DeliveryMessage { Site = Site, Sequence = 1, DeliveryFile = [1] }, None);
    }

    [Fact]
    public async Task Many_calls_at_a_time_do_not_mix()
    {
        ISiteMarketLink link = await OpenAsync();
        byte[][] files = [.. Enumerable.Range(0, 32).Select(i => RandomNumberGenerator.GetBytes(10_000 + i))];
        DeliveryReceipt[] receipts = await Task.WhenAll(
            files.Select((file, i) => link.DeliverAsync(new DeliveryMessage { Site = Site, Sequence = i, DeliveryFile = file }, None)));
        Assert.Equal(files.Select(file => Convert.ToHexString(RecordingMarket.ReceiptOf(file))),
            receipts.Select(receipt => Convert.ToHexString(receipt.Signature)));
    }

    private static DeliveryOrder Order(long sequence, byte[] round) =>
        new() { Sequence = sequence, RequestId = ulong.MaxValue - (ulong)sequence, TermsJson = $$"""{"größe":{{sequence}}}""", RoundFile = round, Attempt = (uint)sequence - 1 };
}

/// <summary>The far end in these tests: it keeps what arrives, and answers from it.</summary>
internal sealed class RecordingMarket : ISiteMarketLink
{
    private readonly Lock _lock = new();

    public MarketDescription Description { get; } = new()
    {
        ChainId = ulong.MaxValue, AccessControl = [.. Enumerable.Range(1, 20).Select(i => (byte)i)], Schemas = new()
        {
            ["ab"] = "{\"größe\":1}", ["cd"] = "",
        },
    };

    public List<EpochPublication> Epochs { get; } = [];

    public List<DeliveryMessage> Deliveries { get; } = [];

    public List<DeliveryOrder> Orders { get; } = [];

    public Dictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    public LinkRefusedException? Refusal { get; set; }

    public Exception? Failure { get; set; }

    public static byte[] ReceiptOf(byte[] file) => [.. SHA512.HashData(file), 1];

    public Task<MarketDescription> DescribeAsync(CancellationToken cancellationToken) => Task.FromResult(Description);

    public Task PublishEpochAsync(EpochPublication publication, CancellationToken cancellationToken) => Do(() => Epochs.Add(publication));

    public async Task<DeliveryOrder[]> GetOrdersAsync(uint site, long afterSequence, CancellationToken cancellationToken)
    {
        await Do(() => { });
        return [.. Orders.Where(order => order.Sequence > afterSequence)];
    }

    public async Task<DeliveryReceipt> DeliverAsync(DeliveryMessage message, CancellationToken cancellationToken)
    {
        await Do(() => Deliveries.Add(message));
        return new DeliveryReceipt { Signature = ReceiptOf(message.DeliveryFile) };
    }

    public async Task<byte[]?> FindFileAsync(uint site, string sha256, CancellationToken cancellationToken)
    {
        await Do(() => { });
        return Files.GetValueOrDefault(sha256);
    }

    private Task Do(Action action)
    {
        if ((Refusal ?? Failure) is { } problem)
        {
            return Task.FromException(problem);
        }

        lock (_lock)
        {
            action();
        }

        return Task.CompletedTask;
    }
}

public sealed class InProcessLinkTests : LinkContract
{
    private protected override Task<ISiteMarketLink> OpenAsync() => Task.FromResult<ISiteMarketLink>(Market);
}
