using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace EmrMarket.Simulation.Driving;

/// <summary>
/// A process's way to something outside it (a store, a node, the other side of a link), with fault points before and after every
/// asynchronous call. What a call hands out that is an interface of the project is wrapped alike.
/// </summary>
[SuppressMessage("Performance", "CA1852", Justification = "DispatchProxy derives from it at run time.")]
internal class Faulty : DispatchProxy
{
    private static readonly ConcurrentDictionary<Type, MethodInfo> Around = new();

    private object _target = null!;
    private string _name = "";
    private FaultPoints _points = null!;
    private int _generation;

    /// <summary>Wraps something for the process that lives now.</summary>
    /// <param name="target">What is reached.</param>
    /// <param name="name">How its points are named.</param>
    /// <param name="points">The process's points.</param>
    public static T Of<T>(T target, string name, FaultPoints points)
        where T : class => (T)Of(typeof(T), target, name, points, points.Generation);

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        object? Call() => targetMethod!.Invoke(_target, BindingFlags.DoNotWrapExceptions, null, args, null);
        string name = $"{_name}{targetMethod!.Name.Replace("Async", "", StringComparison.Ordinal)}";
        Type answer = targetMethod.ReturnType;
        return answer == typeof(Task) ? _points.AroundAsync(name, _generation, async () =>
        {
            await (Task)Call()!;
            return true;
        })
            : answer.IsGenericType && answer.GetGenericTypeDefinition() == typeof(Task<>)
                ? Around.GetOrAdd(answer.GetGenericArguments()[0],
                    type => typeof(Faulty)
                        .GetMethod(nameof(AroundAsync), BindingFlags.NonPublic | BindingFlags.Instance)!.MakeGenericMethod(type))
                    .Invoke(this, BindingFlags.DoNotWrapExceptions, null, [name, (Func<object?>)Call], null)
            : answer.IsInterface && answer.Namespace!.StartsWith("EmrMarket", StringComparison.Ordinal)
                ? Of(answer, Call()!, _name + targetMethod.Name.Replace("Of", "", StringComparison.Ordinal) + ".", _points, _generation)
            : Call();
    }

    private static object Of(Type type, object target, string name, FaultPoints points, int generation)
    {
        object proxy = Create(type, typeof(Faulty));
        var faulty = (Faulty)proxy;
        (faulty._target, faulty._name, faulty._points, faulty._generation) = (target, name, points, generation);
        return proxy;
    }

    private Task<T> AroundAsync<T>(string name, Func<object?> call) => _points.AroundAsync(name, _generation, () => (Task<T>)call()!);
}
