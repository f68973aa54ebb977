using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>The losses of an order of which several files may have left, against a plain table of the highest grade of each
/// fact.</summary>
public sealed class OrderLossesTests
{
    [Fact]
    public void Joined_losses_are_per_record_and_attribute_the_higher_of_the_two()
    {
        int different = 0;
        for (int seed = 0; seed < 500; seed++)
        {
            Random random = new(seed);
            SiteOrderRow first = Row(random), second = Row(random), joined = OrderLosses.Joined(first, second);
            different += first.Attributes.SequenceEqual(second.Attributes) ? 0 : 1;
            Dictionary<(ulong, int), byte> expected = Table(first);
            foreach ((ulong Record, int Attribute) fact in Table(second).Keys)
            {
                expected[fact] = Math.Max(expected.GetValueOrDefault(fact), Table(second)[fact]);
            }

            Assert.Equal(expected.OrderBy(one => one.Key), Table(joined).OrderBy(one => one.Key));
            Assert.Equal((first.State, first.FileHash, first.Version), (joined.State, joined.FileHash, joined.Version));
            Assert.Equal(joined.RecordKeys.Distinct(), joined.RecordKeys);
            Assert.Equal(joined.RecordKeys.Length * joined.Attributes.Length, joined.Grades.Length);
        }

        Assert.True(different > 100, $"{different} pairs with different attributes: too few to say anything");
    }

    /// <summary>What a book charges by a row is never less than by any of the two that it stands for.</summary>
    [Fact]
    public async Task Book_charges_by_a_joined_row_what_it_charges_by_both()
    {
        SiteOrderRow first = Row([1, 2], [0], [2, 1]), second = Row([2, 3], [0, 1], [2, 1, 1, 3]);
        long[] joined = await LossesAsync(OrderLosses.Joined(first, second));
        Assert.Equal(await LossesAsync(first with { Sequence = 8 }, second), joined);
        long[] alone = await LossesAsync(second);
        Assert.True(joined[0] > alone[0], "person 1 is in the earlier file alone");
    }

    private static async Task<long[]> LossesAsync(params SiteOrderRow[] rows)
    {
        MemorySiteStore store = await Clinic.StoreAsync(Clinic.Records([0, 1, 0], [0, 1, 2]));
        foreach (SiteOrderRow row in rows)
        {
            await store.SaveOrderAsync(row, CancellationToken.None);
        }

        SiteBook book = await SiteBook.ReadAsync(store, Clinic.Schema.Id, Clinic.Options(new byte[SiteOptions.KeyBytes]),
            CancellationToken.None);
        return [.. Enumerable.Range(0, 3).Select(person => book.Budgets.LossOf(person).Micro)];
    }

    /// <summary>Grades by fact; none is a fact of which nothing left.</summary>
    private static Dictionary<(ulong, int), byte> Table(SiteOrderRow row)
    {
        Dictionary<(ulong, int), byte> table = [];
        for (int i = 0; i < row.RecordKeys.Length; i++)
        {
            for (int a = 0; a < row.Attributes.Length; a++)
            {
                byte grade = row.Grades[(i * row.Attributes.Length) + a];
                if (grade > 0)
                {
                    (ulong, int) fact = (row.RecordKeys[i], row.Attributes[a]);
                    table[fact] = Math.Max(grade, table.GetValueOrDefault(fact));
                }
            }
        }

        return table;
    }

    private static SiteOrderRow Row(Random random)
    {
        ulong[] records = [.. Enumerable.Range(0, random.Next(5)).Select(_ => (ulong)random.Next(1, 7))];
        int[] attributes = [.. Enumerable.Range(0, 4).Where(_ => random.Next(2) == 0)];
        return Row(records, attributes, [.. Enumerable.Range(0, records.Length * attributes.Length).Select(_ => (byte)random.Next(1, 5))]);
    }

    private static SiteOrderRow Row(ulong[] records, int[] attributes, byte[] grades) => new()
    {
        Sequence = 1,
        SchemaId = Clinic.Schema.Id,
        Attempt = 0,
        State = SiteOrderState.Sending,
        FileHash = "",
        RecordKeys = records,
        Attributes = attributes,
        Grades = grades,
        Delivery = new SiteDelivery { Sequence = 1, RequestId = 1, Sold = 0, Delivered = 0, OverCap = 0, NotAllowed = 0 },
    };
}
