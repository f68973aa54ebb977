using System.Runtime.ExceptionServices;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Roles;

/// <summary>What several answers mean together.</summary>
internal static class Advances
{
    /// <summary>Tells one after the other to go on. One that fails keeps none behind it from its work; the first failure is thrown when all
    /// were told; the loss of a store at once.</summary>
    public static async Task<Advance> AllAsync(IReadOnlyCollection<Func<Task<Advance>>> workers)
    {
        List<Advance> answers = new(workers.Count);
        ExceptionDispatchInfo? failed = null;
        foreach (Func<Task<Advance>> worker in workers)
        {
            try
            {
                answers.Add(await worker());
            }
            catch (Exception e) when (e is not (OutOfMemoryException or StoreLostException))
            {
                failed ??= ExceptionDispatchInfo.Capture(e);
            }
        }

        failed?.Throw();
        return Sum(answers);
    }

    /// <summary>Progress when anybody had some; the earliest time; the first thing waited for.</summary>
    public static Advance Sum(IReadOnlyCollection<Advance> answers) => new()
    {
        Progressed = answers.Any(answer => answer.Progressed),
        DueSeconds = answers.Min(answer => answer.DueSeconds),
        WaitsFor = answers.FirstOrDefault(answer => answer.WaitsFor.Length > 0)?.WaitsFor ?? "",
    };
}
