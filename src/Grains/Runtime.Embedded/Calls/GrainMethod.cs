using System.Reflection;
using EmrMarket.Grains.Embedded.Copying;
using Orleans;
using Orleans.Concurrency;

namespace EmrMarket.Grains.Embedded.Calls;

/// <summary>Runs a method on a grain with the arguments of a call.</summary>
internal delegate Task? GrainMethodInvoker<TArguments>(object grain, ref TArguments arguments);

/// <summary>The place of the cancellation token among a call's arguments.</summary>
internal delegate ref CancellationToken TokenOf<TArguments>(ref TArguments arguments);

/// <summary>What a call needs to know of the interface method that it is for.</summary>
internal abstract class GrainMethod(Type grainInterface, MethodInfo method)
{
    internal Type Interface { get; } = grainInterface;

    internal string Name { get; } = method.Name;

    internal bool AlwaysInterleaves { get; } = method.IsDefined(typeof(AlwaysInterleaveAttribute));

    internal bool IsReadOnly { get; } = method.IsDefined(typeof(ReadOnlyAttribute));

    internal bool IsOneWay { get; } = method.IsDefined(typeof(OneWayAttribute));

    internal bool SharesResult { get; } = method.ReturnParameter.IsDefined(typeof(ImmutableAttribute));

    internal TimeSpan? ResponseTimeout { get; } = method.GetCustomAttribute<ResponseTimeoutAttribute>()?.Timeout;

    public override string ToString() => $"{Interface.Name}.{Name}";
}

/// <inheritdoc/>
internal sealed class GrainMethod<TArguments, TResult> : GrainMethod
{
    public GrainMethod(Type grainInterface, MethodInfo method, GrainMethodInvoker<TArguments> invoke, TokenOf<TArguments>? token)
        : base(grainInterface, method)
    {
        Invoke = invoke;
        Token = token;
        var parameters = method.GetParameters();
        CopyArguments = FieldsCopierCode.For<TArguments>(typeof(TArguments)
            .GetFields()
            .Where((_, position) => !parameters[position].IsDefined(typeof(ImmutableAttribute)))
            .OrderBy(field => field.MetadataToken));
    }

    internal GrainMethodInvoker<TArguments> Invoke { get; }

    internal TokenOf<TArguments>? Token { get; }

    /// <summary>Null when every argument is immutable.</summary>
    internal FieldsCopier<TArguments>? CopyArguments { get; }
}
