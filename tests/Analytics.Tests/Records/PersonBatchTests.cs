using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Tests.Evaluation;
using FsCheck;
using FsCheck.Fluent;

namespace EmrMarket.Analytics.Tests.Records;

public sealed class PersonBatchTests
{
    [Fact]
    public void Person_batches_hold_every_record_once_and_every_person_whole() => Prop.ForAll(
        Gen.Choose(0, 6).NonEmptyListOf().Two().Where(pair => pair.Item1.Count > 0).ToArbitrary(), Gen.Choose(1, 12).ToArbitrary(),
        (lists, size) =>
        {
            // Persons come back later in the file: dense indices in the order of their first record, as the loader gives them.
            int[] raw = [.. lists.Item1, .. lists.Item2];
            int[] distinct = [.. raw.Distinct()];
            int[] persons = [.. raw.Select(p => Array.IndexOf(distinct, p))];
            ushort[] codes = [.. raw.Select((_, i) => (ushort)(i % 2))];
            RecordTable table = Tables.Of(codes, codes, codes, fractions: [.. raw.Select((_, i) => (uint)i)], persons: persons);
            RecordTable[] batches = [.. table.InPersonBatches(size)];

            ulong[] seen = [.. batches.SelectMany(b => b.RecordKeys)];
            Assert.Equal(table.RecordKeys.Order(), seen.Order());
            Assert.Equal(distinct.Length, batches.Sum(b => b.PersonCount));
            Assert.Equal(distinct.Length, batches.SelectMany(b => b.PersonKeys.Distinct()).Count());
            foreach (RecordTable batch in batches)
            {
                Assert.True(batch.Count <= size || batch.PersonCount == 1);
                Assert.Equal(batch.PersonKeys.Distinct().Count(), batch.PersonIndex.Distinct().Count());
                for (int i = 0; i < batch.Count; i++)
                {
                    int place = Array.IndexOf(table.RecordKeys, batch.RecordKeys[i]);
                    Assert.Equal(table.PersonKeys[place], batch.PersonKeys[i]);
                    Assert.Equal(table.Columns[0].Codes[place], batch.Columns[0].Codes[i]);
                    Assert.Equal(table.Columns[3].Fractions![place], batch.Columns[3].Fractions![i]);
                }
            }
        }).QuickCheckThrowOnFailure();
}
