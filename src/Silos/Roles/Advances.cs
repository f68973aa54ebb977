using EmrMarket.Grains.Abstractions;

namespace EmrMarket.Silos.Roles;

/// <summary>What several answers mean together.</summary>
internal static class Advances
{
    /// <summary>Progress when anybody had some; the earliest time; the first thing waited for.</summary>
    public static Advance Sum(IReadOnlyCollection<Advance> answers) => new()
    {
        Progressed = answers.Any(answer => answer.Progressed),
        DueSeconds = answers.Min(answer => answer.DueSeconds),
        WaitsFor = answers.FirstOrDefault(answer => answer.WaitsFor.Length > 0)?.WaitsFor ?? "",
    };
}
