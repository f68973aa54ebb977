using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Abstractions.Market;

namespace EmrMarket.Grains.Tests.Market;

public sealed class MarketFilesTests
{
    private static readonly Bytes32 Hash = Keccak256.Hash("something");

    private static RoundFile Round { get; } = new()
    {
        SchemaId = Hash,
        Ordinal = 3,
        Attempt = 1,
        SiteBits = 1,
        ClassBits = 2,
        RequestBits = 1,
        SeedCommit = Keccak256.Hash("seed"),
        Epochs = [new EpochReference(1, 4, Hash), new EpochReference(2, 9, Hash)],
        RequestIds = [11, 12],
        Prices = [new PricedClass(5, new PriceLeaf((UInt128.One << 100) + 7, 1, 0, 2))],
        Requests = [new RequestLeaf(9, false), new RequestLeaf(0, true)],
        Sales = [new Sale(0, 0, 4), new Sale(5, 0, 2)],
    };

    [Fact]
    public void Round_file_reads_back_and_builds_the_same_header()
    {
        byte[] bytes = Round.Write();
        RoundFile read = RoundFile.Read(bytes);

        Assert.Equal(bytes, read.Write());
        Assert.Equal(Round.Prices, read.Prices);
        RoundBatch batch = read.Build(1, Address.Zero);
        Assert.Equal(6UL, batch.Header.TotalSales);
        Assert.Equal(RoundFile.HashOf(bytes), batch.Header.DataHash);
        Assert.Equal(6UL, batch.OpenRequestRow(0).Sum);
    }

    [Fact]
    public void Widened_round_file_sells_the_same_at_the_same_prices()
    {
        RoundFile wide = RoundFile.Read(Round.Widened(3, 4).Write());
        RoundBatch batch = wide.Build(1, Address.Zero);

        // Class 1 of site 2: position 5 of 2 bits a class, 17 of 4.
        Assert.Equal((17U, wide.Position(2, 1)), (Assert.Single(wide.Prices).Position, wide.Prices[0].Position));
        Assert.Equal(Round.Prices[0].Leaf, wide.Prices[0].Leaf);
        Assert.Equal([new Sale(0, 0, 4), new Sale(17, 0, 2)], wide.Sales);
        Assert.Equal((3, 4, 6UL), (batch.Header.SiteBits, batch.Header.ClassBits, batch.Header.TotalSales));
        Assert.Equal((4UL, 2UL), (batch.OpenSiteRow(0, 1).Sum, batch.OpenSiteRow(0, 2).Sum));
        Assert.Equal(Round.SeedCommit, wide.SeedCommit);
        Assert.Equal(Round.Write(), Round.Widened(0, 0).Write());
    }

    [Fact]
    public void Terms_with_a_null_anywhere_are_refused()
    {
        const string Whole = """
            {"bid":"1","budget":"1","confidence":0.95,"deadline":1,"estimator":"stratified","format":"emrmarket-terms/1","grades":{"ill":{"minimum":1,"top":1}},"minimumRecords":0,"nonce":"00","publicCell":"","purpose":1,"researcher":"0x","schemaId":"s","statistics":["mean:ill"],"targetRecords":1,"title":"t","why":"w"}
            """;
        Assert.Equal("t", TermsDocument.Read(Whole).Title);
        foreach ((string text, string with) in ((string, string)[])[("\"1\"", "null"), ("{\"minimum\":1,\"top\":1}", "null"),
            ("{\"ill\":{\"minimum\":1,\"top\":1}}", "null"), ("\"mean:ill\"", "null"), ("[\"mean:ill\"]", "null"), ("\"\"", "null"),
            ("\"t\"", "null")])
        {
            Assert.Contains(text, Whole, StringComparison.Ordinal);
            Assert.Equal("terms-json", Assert.Throws<ExchangeFileException>(
                () => TermsDocument.Read(Whole.Replace(text, with, StringComparison.Ordinal))).Code);
        }
    }

    [Fact]
    public void Round_file_that_was_cut_or_altered_anywhere_is_refused()
    {
        byte[] bytes = Round.Write();
        for (int i = 0; i < bytes.Length; i++)
        {
            byte[] altered = [.. bytes];
            altered[i] ^= 1;
            Assert.Throws<ExchangeFileException>(() => RoundFile.Read(altered));
            Assert.Throws<ExchangeFileException>(() => RoundFile.Read(bytes.AsMemory(0, i)));
        }
    }

    [Fact]
    public void Round_file_that_sells_twice_or_to_nobody_is_refused()
    {
        Assert.Throws<ExchangeFileException>(() => RoundFile.Read((Round with { Sales = [new Sale(0, 0, 4), new Sale(0, 0, 4)] }).Write()));
        Assert.Throws<ExchangeFileException>(() => RoundFile.Read((Round with { Sales = [new Sale(0, 2, 4)] }).Write()));
        Assert.Throws<ExchangeFileException>(() => RoundFile.Read((Round with { Sales = [new Sale(0, 0, 0)] }).Write()));
        Assert.Throws<ExchangeFileException>(() => RoundFile.Read((Round with { Epochs = [Round.Epochs[1], Round.Epochs[0]] }).Write()));
    }

    [Fact]
    public void Terms_are_read_in_their_canonical_form_only()
    {
        TermsDocument terms = new()
        {
            SchemaId = new string('a', 64),
            Researcher = "0x" + new string('1', 40),
            Statistics = ["mean:age"],
            Grades = new SortedDictionary<string, GradeRange>(StringComparer.Ordinal) { ["age"] = new(2, 2) },
            Bid = "100",
            Budget = "1000",
            TargetRecords = 5,
            Purpose = 2,
            Deadline = 1_900_000_000,
            Title = "Age",
            Why = "To know.",
            Nonce = "00",
        };
        string json = terms.Write();

        Assert.Equal(terms.Hash(), TermsDocument.Read(json).Hash());
        Assert.Throws<ExchangeFileException>(() => TermsDocument.Read(json.Replace("\"bid\"", " \"bid\"", StringComparison.Ordinal)));
        Assert.Throws<ExchangeFileException>(() => TermsDocument.Read(json.Replace("\"bid\"", "\"bod\"", StringComparison.Ordinal)));
        Assert.Throws<ExchangeFileException>(() => TermsDocument.Read(json.Replace("terms/1", "terms/2", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Memory_store_keeps_what_came_first_and_refuses_a_stale_request()
    {
        MemoryMarketStore store = new();
        RequestRow row = new()
        {
            Key = "k", Researcher = "r", SchemaId = "s", TermsJson = "{}",
            Steps = [new RequestStep { State = RequestState.Draft, Seconds = 1, Reason = "new" }],
        };
        await store.SaveRequestAsync(row, CancellationToken.None);
        await Assert.ThrowsAsync<MarketStoreConflictException>(() => store.SaveRequestAsync(row, CancellationToken.None));
        Assert.Equal(1, (await store.FindRequestAsync("k", CancellationToken.None))!.Version);

        Assert.Equal("first", await store.KeepResultsAsync("k", "first", CancellationToken.None));
        Assert.Equal("first", await store.KeepResultsAsync("k", "second", CancellationToken.None));

        OrderRow order = new() { Site = 1, RequestId = 7, RequestKey = "k", RoundFileHash = "f", Attempt = 0 };
        await store.PlaceOrdersAsync([order, order with { RequestId = 8 }], CancellationToken.None);
        await store.PlaceOrdersAsync([order, order with { Attempt = 1 }], CancellationToken.None);
        Assert.Equal([1, 2, 3], (await store.FindOrdersAsync(1, 0, 10, CancellationToken.None)).Select(o => o.Sequence));
        Assert.Equal([7UL, 8UL, 7UL], (await store.FindOrdersAsync(1, 0, 10, CancellationToken.None)).Select(o => o.RequestId));
    }
}
