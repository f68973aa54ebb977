using System.Net;
using System.Numerics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Orleans;
using Orleans.Runtime;
using Orleans.Serialization;

namespace EmrMarket.Grains.Embedded.Copying;

/// <summary>Decides how a type is copied.</summary>
internal static class CopyStrategies
{
    private static readonly HashSet<Type> Immutable =
    [
        typeof(bool), typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong),
        typeof(Int128), typeof(UInt128), typeof(Half), typeof(float), typeof(double), typeof(decimal), typeof(char), typeof(Rune),
        typeof(string), typeof(Guid), typeof(DateTime), typeof(DateTimeOffset), typeof(DateOnly), typeof(TimeOnly), typeof(TimeSpan),
        typeof(BigInteger), typeof(Uri), typeof(Version), typeof(IPAddress), typeof(IPEndPoint), typeof(CancellationToken), typeof(Nothing),
    ];

    private static readonly Dictionary<Type, Type> Collections = new()
    {
        [typeof(List<>)] = typeof(ListStrategy<>),
        [typeof(Dictionary<,>)] = typeof(DictionaryStrategy<,>),
        [typeof(HashSet<>)] = typeof(HashSetStrategy<>),
        [typeof(Nullable<>)] = typeof(NullableStrategy<>),
    };

    internal static CopyStrategy<T> For<T>()
    {
        var type = typeof(T);
        RequireSerializable(type, []);
        if (IsShared(type))
        {
            return new SharingStrategy<T>();
        }

        if (type.IsSZArray)
        {
            return Create<T>(typeof(ArrayStrategy<>), type.GetElementType()!);
        }

        if (type.IsGenericType && Collections.TryGetValue(type.GetGenericTypeDefinition(), out var strategy))
        {
            return Create<T>(strategy, type.GenericTypeArguments);
        }

        if (typeof(Exception).IsAssignableFrom(type))
        {
            return Create<T>(typeof(ExceptionStrategy<>), type);
        }

        if (IsKnownByItsValue(type))
        {
            return new RuntimeTypeStrategy<T>();
        }

        var fields = CopiedFields.Of(type);
        if (type.IsValueType)
        {
            return fields.TrueForAll(field => IsShared(field.FieldType)) ? new SharingStrategy<T>() : new FieldsOfStructStrategy<T>(fields);
        }

        return Create<T>(typeof(FieldsOfClassStrategy<>), [type], fields);
    }

    /// <summary>Whether values of the type never change, or are promised not to.</summary>
    internal static bool IsShared(Type type)
    {
        if (type.IsEnum || Immutable.Contains(type) || type.IsDefined(typeof(ImmutableAttribute), inherit: false))
        {
            return true;
        }

        if (typeof(IAddressable).IsAssignableFrom(type))
        {
            // A reference is shared; a grain's instance behind the same interface is refused when it shows itself.
            return typeof(Calls.GrainReference).IsAssignableFrom(type);
        }

        return (IsTupleOrPair(type) || Nullable.GetUnderlyingType(type) is not null)
            && Array.TrueForAll(type.GenericTypeArguments, IsShared);
    }

    /// <summary>
    /// Looks at everything that the type declares, so that a member of a forbidden type is refused even while it is null. What an
    /// interface, object or an abstract class holds is looked at when it is there.
    /// </summary>
    private static void RequireSerializable(Type type, HashSet<Type> seen)
    {
        if (!seen.Add(type) || type.IsEnum || Immutable.Contains(type) || IsKnownByItsValue(type))
        {
            return;
        }

        if (typeof(Grain).IsAssignableFrom(type))
        {
            throw new CodecNotFoundException(
                $"{TypeName.Of(type)} is a grain, which cannot leave its activation: pass a reference, this.AsReference<I...>(), instead.");
        }

        if (typeof(IAddressable).IsAssignableFrom(type) || typeof(Exception).IsAssignableFrom(type))
        {
            return;
        }

        var parts = type.IsSZArray ? [type.GetElementType()!]
            : IsKnownGeneric(type) ? type.GenericTypeArguments
            : CopiedFields.Of(type).Select(field => field.FieldType);
        foreach (var part in parts)
        {
            RequireSerializable(part, seen);
        }
    }

    private static bool IsKnownByItsValue(Type type) =>
        type.IsInterface || type == typeof(object) || type == typeof(ValueType) || type == typeof(Enum)
        || (type.IsAbstract && !type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false));

    private static bool IsKnownGeneric(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() is var definition
            && (Collections.ContainsKey(definition) || IsTupleOrPair(type));

    internal static bool IsTupleOrPair(Type type) =>
        type.IsGenericType && (type.GetGenericTypeDefinition() == typeof(KeyValuePair<,>) || typeof(ITuple).IsAssignableFrom(type));

    private static CopyStrategy<T> Create<T>(Type definition, params Type[] arguments) => Create<T>(definition, arguments, []);

    private static CopyStrategy<T> Create<T>(Type definition, Type[] arguments, params object[] parameters) =>
        (CopyStrategy<T>)Activator.CreateInstance(
            definition.MakeGenericType(arguments), BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public, null,
            parameters, null)!;
}

/// <summary>The result type of calls that give none.</summary>
internal readonly struct Nothing;

/// <summary>Names of types for people, with type arguments.</summary>
internal static class TypeName
{
    internal static string Of(Type type)
    {
        if (type.IsArray)
        {
            return Of(type.GetElementType()!) + "[]";
        }

        if (!type.IsGenericType)
        {
            return type.FullName ?? type.Name;
        }

        var name = type.GetGenericTypeDefinition().FullName!;
        return $"{name[..name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GenericTypeArguments.Select(Of))}>";
    }
}
