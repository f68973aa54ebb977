using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace EmrMarket.Simulation.Market;

/// <summary>Which process has a role's stores, as the row in its database says: the writes of any other are refused, and nobody takes them
/// while somebody holds them.</summary>
internal sealed class Holder
{
    private readonly HashSet<object> _holds = [];
    private int _taken;

    /// <summary>Whether the row is looked at; a planted defect is that it is not.</summary>
    public bool IsFenced { get; init; } = true;

    /// <summary>What becomes of a hold; planted defects are all but the first.</summary>
    public HoldKind Holds { get; init; }

    /// <summary>Whether nobody can take the stores now.</summary>
    public bool IsHeld => _holds.Count > 0;

    /// <summary>Gives the stores to a process that begins; what an earlier one held ended with its connection when it died.</summary>
    public int Take()
    {
        _holds.Clear();
        return ++_taken;
    }

    /// <summary>A store as the process reaches it that took it as the nth.</summary>
    public T Of<T>(T store, int taken)
        where T : class => (T)Of(typeof(T), store, taken);

    private object Of(Type type, object store, int taken)
    {
        object proxy = FencedStore.Create(type);
        var fenced = (FencedStore)proxy;
        fenced.Store = store;
        fenced.Before = (method, answer) =>
        {
            bool isHold = method.Name.StartsWith("Hold", StringComparison.Ordinal);
            if (IsFenced && taken != _taken && (isHold ? Holds != HoldKind.Nothing : IsWrite(method)))
            {
                throw new IOException($"the store was taken {_taken} times, this process was number {taken}");
            }

            return isHold && IsFenced && Holds == HoldKind.UntilReleased ? Held()
                : method.ReturnType.IsInterface ? Of(method.ReturnType, answer()!, taken) : answer();
        };
        return proxy;
    }

    /// <summary>Reads are everybody's; what is not known to be one is a write.</summary>
    private static bool IsWrite(MethodInfo method) =>
        !Array.Exists((string[])["Read", "Find", "Load", "OutboxOf"], read => method.Name.StartsWith(read, StringComparison.Ordinal));

    private Task<IAsyncDisposable> Held()
    {
        Hold hold = new(_holds);
        _holds.Add(hold);
        return Task.FromResult<IAsyncDisposable>(hold);
    }

    private sealed class Hold(HashSet<object> holds) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            holds.Remove(this);
            return ValueTask.CompletedTask;
        }
    }
}

/// <summary>What holding the stores does.</summary>
internal enum HoldKind
{
    /// <summary>Whoever has them keeps them until the hold is released, and whoever lost them gets none.</summary>
    UntilReleased,

    /// <summary>Whoever lost them gets none, and whoever has them may lose them at once.</summary>
    ForAMoment,

    /// <summary>It does nothing.</summary>
    Nothing,
}

/// <summary>A store behind the fence.</summary>
[SuppressMessage("Performance", "CA1852", Justification = "DispatchProxy derives from it at run time.")]
internal class FencedStore : DispatchProxy
{
    public object Store { get; set; } = null!;

    public Func<MethodInfo, Func<object?>, object?> Before { get; set; } = null!;

    public static object Create(Type type) => Create(type, typeof(FencedStore));

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        Before(targetMethod!, () => targetMethod!.Invoke(Store, BindingFlags.DoNotWrapExceptions, null, args, null));
}
