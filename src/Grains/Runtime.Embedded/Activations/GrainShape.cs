using System.Collections.Concurrent;
using System.Reflection;
using EmrMarket.Grains.Embedded.State;
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Concurrency;
using Orleans.Core;
using Orleans.Runtime;
using Orleans.Serialization.Invocation;

namespace EmrMarket.Grains.Embedded.Activations;

/// <summary>What reflection finds in a grain class; found once per process, since runtimes come and go.</summary>
internal sealed class GrainShape
{
    private const string ClassSuffix = "Grain";

    private static readonly ConcurrentDictionary<Type, GrainShape> Shapes = new();
    private static readonly ConcurrentDictionary<Assembly, GrainShape[]> ShapesOfAssemblies = new();

    private readonly ObjectFactory _factory;

    private GrainShape(Type type)
    {
        Type = type;
        Name = type.GetCustomAttribute<GrainTypeAttribute>()?.Name ?? DefaultName(type);
        Interfaces =
            [.. type.GetInterfaces().Where(each => typeof(IGrain).IsAssignableFrom(each) && each.Assembly != typeof(IGrain).Assembly)];
        IsReentrant = type.IsDefined(typeof(ReentrantAttribute), inherit: true);
        MayInterleave = FindPredicate(type);
        MostWorkers = type.GetCustomAttribute<StatelessWorkerAttribute>(inherit: true)?.MaxLocalWorkers;
        ActivatesAsync = Overrides(nameof(Grain.OnActivateAsync));
        DeactivatesAsync = Overrides(nameof(Grain.OnDeactivateAsync));
        var limit = type.GetCustomAttribute<CollectionAgeLimitAttribute>(inherit: true);
        IsKeptAlive = type.IsDefined(typeof(KeepAliveAttribute), inherit: true) || limit is { AlwaysActive: true };
        CollectionAge = limit?.AgeLimit;

        var parameters = Constructor(type).GetParameters();
        States = [.. parameters.Where(parameter => parameter.IsDefined(typeof(PersistentStateAttribute))).Select(PersistentStates.Of)];
        NeedsServices = parameters.Length > States.Count;
        _factory = ActivatorUtilities.CreateFactory(type, [.. States.Select(state => state.ParameterType)]);
    }

    internal Type Type { get; }

    /// <summary>The name under which the class's state is stored.</summary>
    internal string Name { get; }

    internal IReadOnlyList<Type> Interfaces { get; }

    internal bool IsReentrant { get; }

    internal Func<IInvokable, bool>? MayInterleave { get; }

    /// <summary>Whether a message may begin although an older one may not, by a rule of the class.</summary>
    internal bool LooksAtAllWaiting => IsReentrant || MayInterleave is not null;

    /// <summary>How many activations one key may have; null for a grain that has one.</summary>
    internal int? MostWorkers { get; }

    internal bool ActivatesAsync { get; }

    internal bool DeactivatesAsync { get; }

    internal bool IsKeptAlive { get; }

    /// <summary>Null for the runtime's default.</summary>
    internal TimeSpan? CollectionAge { get; }

    internal IReadOnlyList<PersistentStates> States { get; }

    /// <summary>Whether the constructor takes services, which then live in a scope of the activation.</summary>
    internal bool NeedsServices { get; }

    internal static GrainShape Of(Type type) => Shapes.GetOrAdd(type, static type => new(type));

    /// <summary>The grain classes of an assembly.</summary>
    internal static IReadOnlyList<GrainShape> Of(Assembly assembly) => ShapesOfAssemblies.GetOrAdd(
        assembly,
        static assembly => [.. assembly.GetTypes()
            .Where(type => typeof(Grain).IsAssignableFrom(type) && type is { IsAbstract: false, IsGenericTypeDefinition: false })
            .OrderBy(type => type.FullName, StringComparer.Ordinal)
            .Select(Of)]);

    internal Grain Create(IServiceProvider services, IStorage[] states) => (Grain)_factory(services, states);

    // As Orleans names them by default, so that stored state is found by either runtime's rules.
    private static string DefaultName(Type type)
    {
        var name = type.Name.EndsWith(ClassSuffix, StringComparison.Ordinal) && type.Name.Length > ClassSuffix.Length
            ? type.Name[..^ClassSuffix.Length]
            : type.Name;
        return name.ToLowerInvariant();
    }

    private static ConstructorInfo Constructor(Type type)
    {
        var constructors = type.GetConstructors();
        return constructors.Length == 1
            ? constructors[0]
            : throw new NotSupportedException(
                $"{type.FullName} has {constructors.Length} public constructors: a grain class has exactly one.");
    }

    private static Func<IInvokable, bool>? FindPredicate(Type type)
    {
        if (type.GetCustomAttribute<MayInterleaveAttribute>(inherit: true) is not { } attribute)
        {
            return null;
        }

        var method = type.GetMethod(
            attribute.CallbackMethodName,
            BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.FlattenHierarchy, [typeof(IInvokable)]);
        return method is { } && method.ReturnType == typeof(bool)
            ? method.CreateDelegate<Func<IInvokable, bool>>()
            : throw new NotSupportedException(
                $"[MayInterleave(\"{attribute.CallbackMethodName}\")] of {type.FullName} names no static bool "
                    + $"{attribute.CallbackMethodName}(IInvokable).");
    }

    private bool Overrides(string method) => Type.GetMethod(method)!.DeclaringType != typeof(Grain);
}
