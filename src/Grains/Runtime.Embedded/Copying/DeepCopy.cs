using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Orleans.Serialization;

namespace EmrMarket.Grains.Embedded.Copying;

/// <summary>
/// Copies values so that a caller and a callee, or a grain and its store, never share what one of them may change. Immutable values are
/// shared; a type that Orleans' serializer could not take is refused by name.
/// </summary>
internal static class DeepCopy
{
    private static readonly ConcurrentDictionary<Type, IUntypedCopier> ByRuntimeType = new();

    /// <summary>Copies a value on its own, keeping shared references and cycles inside it.</summary>
    /// <exception cref="CodecNotFoundException">The value holds a type that may not cross a call.</exception>
    internal static T Copy<T>(T value)
    {
        if (Copier<T>.Shares)
        {
            return value;
        }

        var context = CopyContext.Rent();
        try
        {
            return Copier<T>.Copy(value, context);
        }
        finally
        {
            context.Return();
        }
    }

    /// <summary>Copies a value whose declared type says nothing of it, such as a value of the request context.</summary>
    internal static object? CopyUntyped(object? value, CopyContext context) =>
        value is null ? null : ForRuntimeType(value.GetType()).CopyUntyped(value, context);

    internal static IUntypedCopier ForRuntimeType(Type type) => ByRuntimeType.GetOrAdd(type, static type =>
        (IUntypedCopier)Activator.CreateInstance(typeof(UntypedCopier<>).MakeGenericType(type))!);

    internal interface IUntypedCopier
    {
        object? CopyUntyped(object value, CopyContext context);
    }

    private sealed class UntypedCopier<T> : IUntypedCopier
    {
        public object? CopyUntyped(object value, CopyContext context) => Copier<T>.Copy((T)value, context);
    }
}

/// <summary>The way values declared as <typeparamref name="T"/> are copied; found once per type.</summary>
internal static class Copier<T>
{
    private static readonly CopyStrategy<T>? Strategy;
    private static readonly string? Refusal;

    static Copier() => Strategy = Find(out Refusal);

    /// <summary>Whether values of the type are handed over as they are.</summary>
    internal static bool Shares => Strategy is SharingStrategy<T>;

    internal static T Copy(T value, CopyContext context) => value is null ? Required(value) : Known().Copy(value, context);

    /// <summary>Refuses the type before anything is done with a value of it.</summary>
    /// <exception cref="CodecNotFoundException">The type may not cross a call or be stored.</exception>
    internal static void Require() => Known();

    private static CopyStrategy<T> Known() => Strategy ?? throw new CodecNotFoundException(Refusal!);

    private static T Required(T value)
    {
        Require();
        return value;
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types",
        Justification = "The refusal is thrown at every use instead of once, wrapped, by the type initializer.")]
    private static CopyStrategy<T>? Find(out string? refusal)
    {
        try
        {
            refusal = null;
            return CopyStrategies.For<T>();
        }
        catch (CodecNotFoundException exception)
        {
            refusal = exception.Message;
            return null;
        }
        catch (TargetInvocationException exception)
        {
            refusal = exception.InnerException?.Message ?? exception.Message;
            return null;
        }
    }
}

internal abstract class CopyStrategy<T>
{
    /// <summary>Copies a value that is not null.</summary>
    internal abstract T Copy(T value, CopyContext context);
}

internal sealed class SharingStrategy<T> : CopyStrategy<T>
{
    internal override T Copy(T value, CopyContext context) => value;
}
