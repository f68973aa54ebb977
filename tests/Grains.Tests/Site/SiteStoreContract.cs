using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>What every store of a site must do; a store's tests derive from it.</summary>
public abstract class SiteStoreContract
{
    private const string Schema = "5c";
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>An empty store.</summary>
    protected abstract Task<ISiteStore> CreateAsync();

    /// <summary>The same content as another process sees it that opens it now; a store that ends with its process answers with
    /// itself.</summary>
    protected virtual Task<ISiteStore> ReopenAsync(ISiteStore store) => Task.FromResult(store);

    [Fact]
    public async Task Batches_come_back_as_they_were_kept_first_in_the_order_in_which_they_came()
    {
        ISiteStore store = await CreateAsync();
        Assert.Empty(await store.ReadSchemasAsync(None));
        LoadRecords second = Batch("b", 3) with { Fractions = [[1, uint.MaxValue, 3], []] };
        await store.KeepRecordsAsync(second, Schema, None);
        await store.KeepRecordsAsync(Batch("a", 2), Schema, None);
        await store.KeepRecordsAsync(Batch("b", 1), Schema, None);
        await store.KeepRecordsAsync(Batch("c", 1), "00", None);

        store = await ReopenAsync(store);
        Assert.Equal(["00", Schema], await store.ReadSchemasAsync(None));
        LoadRecords[] kept = await store.ReadRecordsAsync(Schema, None);
        Assert.Equal(["b", "a"], kept.Select(batch => batch.Id));
        Assert.Equal(second.RecordKeys, kept[0].RecordKeys);
        Assert.Equal(second.PersonKeys, kept[0].PersonKeys);
        Assert.Equal(second.SchemaJson, kept[0].SchemaJson);
        Assert.Equal(second.Codes, kept[0].Codes);
        Assert.Equal(second.Fractions, kept[0].Fractions);
        Assert.Empty(await store.ReadRecordsAsync("none", None));
    }

    [Fact]
    public async Task Withdrawn_of_a_day_are_those_that_were_kept_first()
    {
        ISiteStore store = await CreateAsync();
        Assert.Equal([3, ulong.MaxValue], await store.KeepWithdrawnAsync(Schema, 20_000, [3, ulong.MaxValue], None));
        Assert.Empty(await store.KeepWithdrawnAsync(Schema, 20_001, [], None));
        store = await ReopenAsync(store);
        Assert.Equal([3, ulong.MaxValue], await store.KeepWithdrawnAsync(Schema, 20_000, [3, 4, ulong.MaxValue], None));
        Assert.Empty(await store.KeepWithdrawnAsync(Schema, 20_001, [3], None));
        Assert.Equal([4], await store.KeepWithdrawnAsync("other", 20_000, [4], None));
    }

    [Fact]
    public async Task Latest_policy_of_a_person_counts_and_persons_come_in_rising_order()
    {
        ISiteStore store = await CreateAsync();
        Assert.Empty((await store.ReadPoliciesAsync(Schema, None)).PersonKeys);
        await store.SavePoliciesAsync(Policies((9, 1), (ulong.MaxValue, 2), (3, 3)), None);
        await store.SavePoliciesAsync(Policies((3, 4), (5, 5)), None);
        await store.SavePoliciesAsync(Policies((3, 6), (3, 7)), None);
        await store.SavePoliciesAsync(Policies((9, 1)) with { SchemaId = "other" }, None);

        SetPolicies read = await (await ReopenAsync(store)).ReadPoliciesAsync(Schema, None);
        Assert.Equal(Schema, read.SchemaId);
        Assert.Equal([3, 5, 9, ulong.MaxValue], read.PersonKeys);
        Assert.Equal([7, 5, 1, 2], read.Profiles);
        Assert.Equal([17, 15, 11, 12], read.Rates);
        Assert.Equal([(ushort)65_007, (ushort)65_005, (ushort)65_001, (ushort)65_002], read.Quotas);
        Assert.Equal([107, 105, 101, 102], read.Purposes);
        Assert.Equal([long.MaxValue - 7, long.MaxValue - 5, long.MaxValue - 1, long.MaxValue - 2], read.ExpirySeconds);
        Assert.Equal([Participation.Paused, Participation.Withdrawn, Participation.Paused, Participation.Withdrawn], read.Participation);
    }

    [Fact]
    public async Task Policies_stay_right_over_very_many_small_changes()
    {
        ISiteStore store = await CreateAsync();
        await store.SavePoliciesAsync(Policies([.. Enumerable.Range(1, 50).Select(person => ((ulong)person, (byte)0))]), None);
        for (int change = 0; change < 1_100; change++)
        {
            await store.SavePoliciesAsync(Policies(((ulong)(change % 50) + 1, (byte)(change % 89))), None);
        }

        SetPolicies read = await (await ReopenAsync(store)).ReadPoliciesAsync(Schema, None);
        Assert.Equal(Enumerable.Range(1, 50).Select(person => (ulong)person), read.PersonKeys);
        Assert.Equal(Enumerable.Range(1050, 50).Select(change => (byte)(change % 89)), read.Profiles);
    }

    [Fact]
    public async Task Accounts_come_back_in_the_order_in_which_they_were_kept_first()
    {
        ISiteStore store = await CreateAsync();
        Assert.Empty(await store.ReadAccountsAsync(None));
        SiteAccountRow[] rows = [Account(ulong.MaxValue, 1), Account(7, 2), Account(7, 1), Account(ulong.MaxValue, 3)];
        foreach (SiteAccountRow row in (SiteAccountRow[])[rows[0], rows[1], rows[0], rows[2], rows[1], rows[3], rows[0]])
        {
            await store.KeepAccountAsync(row, None);
        }

        SiteAccountRow[] read = await (await ReopenAsync(store)).ReadAccountsAsync(None);
        Assert.Equal(rows.Select(row => row.PersonKey), read.Select(row => row.PersonKey));
        Assert.Equal(rows.Select(row => Convert.ToHexString(row.PublicKey)), read.Select(row => Convert.ToHexString(row.PublicKey)));
        Assert.Equal(rows.Select(row => Convert.ToHexString(row.ChainCode)), read.Select(row => Convert.ToHexString(row.ChainCode)));
    }

    [Fact]
    public async Task Revocation_of_a_pseudonym_is_the_latest_that_was_signed()
    {
        ISiteStore store = await CreateAsync();
        Assert.Empty(await store.ReadRevocationsAsync(Schema, None));
        foreach ((string schema, string pseudonym, byte value) in ((string, string, byte)[])
            [(Schema, "bb", 1), (Schema, "aa", 2), (Schema, "bb", 3), ("other", "aa", 4)])
        {
            await store.SaveRevocationAsync(new SiteRevocationRow { SchemaId = schema, Pseudonym = pseudonym, Signature = [value] }, None);
        }

        SiteRevocationRow[] read = await (await ReopenAsync(store)).ReadRevocationsAsync(Schema, None);
        Assert.Equal([("aa", 2), ("bb", 3)], read.Select(row => (row.Pseudonym, (int)row.Signature[0])));
    }

    [Fact]
    public async Task File_stays_as_it_was_kept_first()
    {
        ISiteStore store = await CreateAsync();
        Assert.Null(await store.FindFileAsync("aa", None));
        byte[] large = [.. Enumerable.Range(0, 40 << 20).Select(i => (byte)(i >> 12))];
        await store.KeepFileAsync("aa", large, None);
        await store.KeepFileAsync("aa", new byte[] { 9 }, None);
        await store.KeepFileAsync("bb", ReadOnlyMemory<byte>.Empty, None);
        store = await ReopenAsync(store);
        Assert.Equal(large, (await store.FindFileAsync("aa", None))!);
        Assert.Empty((await store.FindFileAsync("bb", None))!);
    }

    [Fact]
    public async Task Epoch_is_decided_once_also_by_two_at_a_time()
    {
        ISiteStore store = await CreateAsync();
        await store.KeepEpochAsync(Epoch(Schema, 11, 1), None);
        SiteEpochRow[] answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => store.KeepEpochAsync(Epoch(Schema, 2, i), None)));
        Assert.Single(answers.Distinct());
        Assert.Equal(1, (await store.KeepEpochAsync(Epoch(Schema, 11, 99), None)).Epoch.Members);
        await store.KeepEpochAsync(Epoch("other", 3, 1), None);

        SiteEpochRow[] read = await (await ReopenAsync(store)).ReadEpochsAsync(Schema, None);
        Assert.Equal([2u, 11u], read.Select(row => row.Epoch.Epoch));
        Assert.Equal(answers[0], read[0]);
    }

    [Fact]
    public async Task Order_is_changed_only_by_who_read_its_latest_version()
    {
        ISiteStore store = await CreateAsync();
        SiteOrderRow order = Order(7);
        await store.SaveOrderAsync(Order(11), None);
        await store.SaveOrderAsync(order, None);
        await Assert.ThrowsAsync<SiteStoreConflictException>(() => store.SaveOrderAsync(order, None));
        await Assert.ThrowsAsync<SiteStoreConflictException>(() => store.SaveOrderAsync(order with { Version = 2 }, None));
        await Assert.ThrowsAsync<SiteStoreConflictException>(() => store.SaveOrderAsync(Order(8) with { Version = 1 }, None));

        SiteOrderRow read = (await store.ReadOrdersAsync(None))[0];
        Same(order with { Version = 1 }, read);
        SiteOrderRow released = read with
        {
            State = SiteOrderState.Released, Receipt = [1, 2, 3], Delivery = read.Delivery with { Refusal = "none" },
        };
        await store.SaveOrderAsync(released, None);
        await Assert.ThrowsAsync<SiteStoreConflictException>(
            () => store.SaveOrderAsync(read with { State = SiteOrderState.Refused }, None));
        Same(released with { Version = 2 }, (await store.ReadOrdersAsync(None))[0]);

        SiteOrderRow[] all = await (await ReopenAsync(store)).ReadOrdersAsync(None);
        Assert.Equal([7, 11], all.Select(row => row.Sequence));
        Same(released with { Version = 2 }, all[0]);
        Same(Order(11) with { Version = 1 }, all[1]);
    }

    [Fact]
    public async Task One_of_two_who_change_an_order_together_wins_and_the_other_changes_nothing()
    {
        ISiteStore store = await CreateAsync();
        await store.SaveOrderAsync(Order(1), None);
        SiteOrderRow read = (await store.ReadOrdersAsync(None))[0];
        bool[] won = await Task.WhenAll(Enumerable.Range(0, 4).Select(async i =>
        {
            try
            {
                await store.SaveOrderAsync(read with { Receipt = [(byte)i] }, None);
                return true;
            }
            catch (SiteStoreConflictException)
            {
                return false;
            }
        }));
        Assert.Single(won, true);
        Assert.Equal([(byte)Array.IndexOf(won, true)], (await (await ReopenAsync(store)).ReadOrdersAsync(None))[0].Receipt);
    }

    protected static SiteAccountRow Account(ulong person, byte value) => new()
    {
        PersonKey = person, PublicKey = [2, .. Enumerable.Repeat(value, 32)], ChainCode = [.. Enumerable.Repeat((byte)(value + 100), 32)],
    };

    protected static LoadRecords Batch(string id, int records) => new()
    {
        Id = id,
        SchemaJson = """{"name":"größe"}""",
        RecordKeys = [.. Enumerable.Range(1, records).Select(i => ulong.MaxValue - (ulong)i)],
        PersonKeys = [.. Enumerable.Range(1, records).Select(i => (ulong)i)],
        Codes = [[.. Enumerable.Range(0, records).Select(i => (ushort)(65_535 - i))], new ushort[records]],
        Fractions = [[], []],
    };

    protected static SetPolicies Policies(params (ulong Person, byte Value)[] rows) => new()
    {
        SchemaId = Schema,
        PersonKeys = [.. rows.Select(row => row.Person)],
        Profiles = [.. rows.Select(row => row.Value)],
        Rates = [.. rows.Select(row => (byte)(row.Value + 10))],
        Quotas = [.. rows.Select(row => (ushort)(row.Value + 65_000))],
        Purposes = [.. rows.Select(row => (byte)(row.Value + 100))],
        ExpirySeconds = [.. rows.Select(row => long.MaxValue - row.Value)],
        Participation = [.. rows.Select(row => (Participation)(row.Value % 3))],
    };

    protected static SiteOrderRow Order(long sequence) => new()
    {
        Sequence = sequence,
        SchemaId = Schema,
        Attempt = uint.MaxValue,
        State = SiteOrderState.Reserved,
        FileHash = "f1",
        RecordKeys = [ulong.MaxValue, 1, 2],
        Attributes = [0, 5],
        Grades = [1, 2, 3, 4, 5, 6],
        Delivery = new SiteDelivery
        {
            Sequence = sequence, RequestId = ulong.MaxValue, Sold = 5, Delivered = 3, OverCap = 1, NotAllowed = 1,
        },
    };

    private static SiteEpochRow Epoch(string schema, uint epoch, int members) =>
        new(schema, new SiteEpoch { Epoch = epoch, Members = members, Classes = 1, Withheld = 2, FileHash = "e" });

    private static void Same(SiteOrderRow expected, SiteOrderRow actual)
    {
        Assert.Equal(expected.RecordKeys, actual.RecordKeys);
        Assert.Equal(expected.Attributes, actual.Attributes);
        Assert.Equal(expected.Grades, actual.Grades);
        Assert.Equal(expected.Receipt, actual.Receipt);
        Assert.Equal(
            expected with
            {
                RecordKeys = actual.RecordKeys, Attributes = actual.Attributes, Grades = actual.Grades, Receipt = actual.Receipt,
            }, actual);
    }
}
