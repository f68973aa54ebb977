using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Evaluation;

/// <summary>Small tables of records for the tests of the evaluation.</summary>
internal static class Tables
{
    public static Schema Schema { get; } = Schema.Parse(
        """
        {
          "format": 1, "name": "ward", "version": "1", "title": "A ward", "publishable": true,
          "attributes": [
            { "name": "sex", "tier": "low", "labels": ["female", "male"] },
            { "name": "ill", "tier": "private", "labels": ["no", "yes", "unknown"] },
            { "name": "age", "tier": "low", "grid": { "min": 0, "max": 90, "step": 10, "unit": "years" } },
            { "name": "weight", "tier": "low", "grid": { "min": 40, "max": 60, "step": 5, "unit": "kg" } }
          ],
          "layouts": [ { "name": "ward" } ]
        }
        """,
        "ward.json");

    /// <summary>Records of the schema above; persons as given, or one per record.</summary>
    public static RecordTable Of(
        ushort[] sex, ushort[] ill, ushort[] age, ushort[]? weight = null, uint[]? fractions = null, int[]? persons = null)
    {
        int[] person = persons ?? [.. Enumerable.Range(0, sex.Length)];
        RecordColumn Column(int attribute, ushort[] codes, uint[]? parts = null) =>
            new() { Attribute = Schema.Attributes[attribute], Codes = codes, Fractions = parts };
        return new RecordTable
        {
            RecordKeys = [.. Enumerable.Range(1, sex.Length).Select(i => (ulong)i)],
            PersonKeys = [.. person.Select(p => (ulong)p + 1000)],
            PersonIndex = person,
            PersonCount = person.Max() + 1,
            Columns = [Column(0, sex), Column(1, ill), Column(2, age), Column(3, weight ?? new ushort[sex.Length], fractions)],
        };
    }

    /// <summary>Random records with an outcome that depends on sex and age.</summary>
    public static RecordTable Random(int count, int seed)
    {
        var random = new Random(seed);
        ushort[] sex = [.. Enumerable.Range(0, count).Select(_ => (ushort)random.Next(2))];
        ushort[] age = [.. Enumerable.Range(0, count).Select(_ => (ushort)random.Next(10))];
        ushort[] ill =
            [.. Enumerable.Range(0, count).Select(i => (ushort)(random.NextDouble() < 0.1 + 0.3 * sex[i] + 0.04 * age[i] ? 1 : 0))];
        ushort[] weight = [.. Enumerable.Range(0, count).Select(i => (ushort)Math.Min(4, sex[i] + random.Next(4)))];
        return Of(sex, ill, age, weight, persons: [.. Enumerable.Range(0, count).Select(i => i * 2 / 3)]);
    }
}
