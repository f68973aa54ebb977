namespace EmrMarket.Simulation.Anonymity;

/// <summary>What belongs to each of two patients with equal records, by name; what only one of them has, the other lacks. Values of one
/// name have one order: numbers with leading zeros.</summary>
/// <param name="First">Of the one who was loaded, and withdrew, first.</param>
/// <param name="Second">Of the other one.</param>
internal sealed record TwinViews(Dictionary<string, string> First, Dictionary<string, string> Second)
{
    /// <summary>Which of the two has the smaller value: -1 the first, 1 the second, 0 for equal ones or where one is missing.</summary>
    public int Order(string field) => First.TryGetValue(field, out string? first) && Second.TryGetValue(field, out string? second)
        ? Math.Sign(string.CompareOrdinal(first, second)) : 0;
}
