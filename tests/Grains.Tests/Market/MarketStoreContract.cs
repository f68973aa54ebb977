using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Market.Storage;

namespace EmrMarket.Grains.Tests.Market;

/// <summary>What every store of the market must do; a store's tests derive from it.</summary>
public abstract class MarketStoreContract
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>An empty store.</summary>
    protected abstract Task<IMarketStore> CreateAsync();

    [Fact]
    public async Task File_stays_as_it_was_kept_first()
    {
        IMarketStore store = await CreateAsync();
        Assert.Null(await store.FindFileAsync("aa", None));
        await store.KeepFileAsync("aa", new byte[] { 1, 2, 3 }, None);
        await store.KeepFileAsync("aa", new byte[] { 9 }, None);
        Assert.Equal([1, 2, 3], await store.FindFileAsync("aa", None));
    }

    [Fact]
    public async Task Request_is_changed_only_by_who_read_its_latest_version()
    {
        IMarketStore store = await CreateAsync();
        RequestRow draft = Request("k1", "0xa", RequestState.Draft);
        await store.SaveRequestAsync(draft, None);
        await Assert.ThrowsAsync<MarketStoreConflictException>(() => store.SaveRequestAsync(draft, None));

        RequestRow read = (await store.FindRequestAsync("k1", None))!;
        RequestRow funded = read with
        {
            RequestId = ulong.MaxValue, Paid = UInt128.MaxValue, EffectivePpb = 5, Steps = [.. read.Steps, Step(RequestState.Funded)],
        };
        await store.SaveRequestAsync(funded, None);
        await Assert.ThrowsAsync<MarketStoreConflictException>(() => store.SaveRequestAsync(funded, None));

        RequestRow again = (await store.FindRequestAsync("k1", None))!;
        Assert.Equal((ulong.MaxValue, UInt128.MaxValue, RequestState.Funded, 2),
            (again.RequestId, again.Paid, again.State, again.Steps.Length));
        Assert.True(again.Version > read.Version);
        Assert.Equal(draft.TermsJson, again.TermsJson);
        Assert.Null(await store.FindRequestAsync("k2", None));
    }

    [Fact]
    public async Task Requests_come_newest_first_to_their_researcher_and_oldest_first_while_they_are_open()
    {
        IMarketStore store = await CreateAsync();
        foreach ((string key, string researcher, RequestState state) in new[]
            { ("k1", "0xa", RequestState.Draft), ("k2", "0xb", RequestState.Funded), ("k3", "0xa", RequestState.Settled),
                ("k4", "0xa", RequestState.Matched) })
        {
            await store.SaveRequestAsync(Request(key, researcher, state), None);
        }

        Assert.Equal(["k4", "k3", "k1"], (await store.FindRequestsOfAsync("0xa", None)).Select(row => row.Key));
        Assert.Equal(["k1", "k2", "k4"], (await store.FindOpenRequestsAsync(None)).Select(row => row.Key));
        RequestRow open = (await store.FindRequestAsync("k2", None))!;
        await store.SaveRequestAsync(open with { Steps = [.. open.Steps, Step(RequestState.Refunded)] }, None);
        Assert.Equal(["k1", "k4"], (await store.FindOpenRequestsAsync(None)).Select(row => row.Key));
    }

    [Fact]
    public async Task First_round_of_an_attempt_stays()
    {
        IMarketStore store = await CreateAsync();
        RoundRow first = Round(1, 0, "f1");
        Assert.Equal("f1", (await store.KeepRoundAsync(first, None)).FileHash);
        Assert.Equal("f1", (await store.KeepRoundAsync(first with { FileHash = "f2" }, None)).FileHash);
        await store.KeepRoundAsync(Round(1, 1, "f3"), None);
        await store.KeepRoundAsync(Round(0, 0, "f0"), None);
        RoundRow[] rounds = await store.FindRoundsAsync("s", None);
        Assert.Equal(["f0", "f1", "f3"], rounds.Select(row => row.FileHash));
        Assert.Equal([1.5, 2, 3], rounds[1].Milliseconds);
        Assert.Empty(await store.FindRoundsAsync("t", None));
    }

    [Fact]
    public async Task Orders_of_a_site_are_numbered_from_one_without_gaps_and_placed_once()
    {
        IMarketStore store = await CreateAsync();
        await store.PlaceOrdersAsync([Order(1, 10), Order(2, 10), Order(1, 11)], None);
        await store.PlaceOrdersAsync([Order(1, 10), Order(1, 12), Order(1, 11), Order(2, 12)], None);
        Assert.Equal([(1L, 10UL), (2L, 11UL), (3L, 12UL)],
            (await store.FindOrdersAsync(1, 0, 10, None)).Select(row => (row.Sequence, row.RequestId)));
        Assert.Equal([(2L, 12UL)], (await store.FindOrdersAsync(2, 1, 10, None)).Select(row => (row.Sequence, row.RequestId)));
        Assert.Single(await store.FindOrdersAsync(1, 1, 1, None));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => store.PlaceOrdersAsync([Order(3, (ulong)i)], None)));
        Assert.Equal(Enumerable.Range(1, 8).Select(i => (long)i),
            (await store.FindOrdersAsync(3, 0, 100, None)).Select(row => row.Sequence));
    }

    [Fact]
    public async Task Deliveries_and_results_stay_as_they_were_kept_first()
    {
        IMarketStore store = await CreateAsync();
        DeliveryRow row = new() { RequestId = 7, Site = 2, Attempt = 0, FileHash = "f", Receipt = "r1" };
        Assert.Equal("r1", (await store.KeepDeliveryAsync(row, None)).Receipt);
        Assert.Equal("r1", (await store.KeepDeliveryAsync(row with { Receipt = "r2" }, None)).Receipt);
        Assert.Equal("r3", (await store.KeepDeliveryAsync(row with { Site = 1, FileHash = "g", Receipt = "r3" }, None)).Receipt);

        Assert.Null(await store.FindResultsAsync("k", None));
        Assert.Equal("{}", await store.KeepResultsAsync("k", "{}", None));
        Assert.Equal("{}", await store.KeepResultsAsync("k", "[]", None));
        Assert.Equal("{}", await store.FindResultsAsync("k", None));
    }

    private static RequestRow Request(string key, string researcher, RequestState state) =>
        new() { Key = key, Researcher = researcher, SchemaId = "s", TermsJson = "{\"text\":\"\\u00e9 'quoted'\"}", Steps = [Step(state)] };

    private static RequestStep Step(RequestState state) => new() { State = state, Reason = "because", Seconds = 5 };

    private static RoundRow Round(uint ordinal, uint attempt, string file) =>
        new()
        {
            SchemaId = "s", Ordinal = ordinal, Attempt = attempt, FileHash = file, Reveal = "00", Sales = 3, Milliseconds = [1.5, 2, 3],
        };

    private static OrderRow Order(uint site, ulong request) => new()
    {
        Site = site, RequestId = request, RequestKey = "k", RoundFileHash = "f", Attempt = 0,
    };
}
