using System.Globalization;
using System.Numerics;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using EmrMarket.Grains.Embedded.Copying;
using Orleans;
using Orleans.Serialization;

namespace EmrMarket.Grains.Embedded.State;

/// <summary>State as UTF-8 JSON, written and read through <see cref="GrainStateFormat.Options"/>.</summary>
internal static class GrainStateFormat<T>
{
    private static readonly bool HasConstructor = typeof(T).IsValueType || typeof(T).GetConstructor(Type.EmptyTypes) is not null;

    internal static T New() => HasConstructor
        ? Activator.CreateInstance<T>()
        : throw GrainStateFormat.Refusal(
            typeof(T), "it has no public constructor without parameters, which makes it when nothing is stored.");

    internal static byte[] Write(T state)
    {
        Copier<T>.Require();
        return JsonSerializer.SerializeToUtf8Bytes(state, GrainStateFormat.Options);
    }

    internal static T Read(ReadOnlySpan<byte> payload)
    {
        Copier<T>.Require();
        return JsonSerializer.Deserialize<T>(payload, GrainStateFormat.Options)!;
    }
}

/// <summary>
/// The stored form of annotated types: an object whose names are the members' [Id] numbers. As with Orleans' own format, members and types
/// may be renamed and added; an id is never used again for something else, and an unknown one is skipped.
/// </summary>
internal static class GrainStateFormat
{
    internal static readonly JsonSerializerOptions Options = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { NameMembersByTheirIds } },
        Converters = { new BigIntegerConverter() },
    };

    private static void NameMembersByTheirIds(JsonTypeInfo info)
    {
        var type = info.Type;
        if (type.IsInterface || type == typeof(object) || type.IsAbstract)
        {
            throw Refusal(type, "what it holds is known from the value only, and is not stored: use the type itself.");
        }

        if (info.Kind != JsonTypeInfoKind.Object)
        {
            return;
        }

        if (!type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
        {
            throw Refusal(type, "it is neither a type known to the store nor marked [GenerateSerializer].");
        }

        if (!type.IsSealed)
        {
            throw Refusal(type, "a value of a derived type would lose its own members: make it sealed.");
        }

        if (!type.IsValueType && type.BaseType != typeof(object))
        {
            throw Refusal(type, $"it derives from {TypeName.Of(type.BaseType!)}, whose members' ids may be the same.");
        }

        foreach (var field in CopiedFields.Of(type))
        {
            if (CopiedFields.PropertyOf(field) is not { GetMethod.IsPublic: true, SetMethod.IsPublic: true })
            {
                throw Refusal(type,
                    $"its member {CopiedFields.PropertyOf(field)?.Name ?? field.Name} is no property with public get and init or set.");
            }
        }

        for (var i = info.Properties.Count - 1; i >= 0; i--)
        {
            if ((info.Properties[i].AttributeProvider as MemberInfo)?.GetCustomAttribute<IdAttribute>() is { } id)
            {
                info.Properties[i].Name = id.Id.ToString(CultureInfo.InvariantCulture);

                // A member added later is absent in what was stored before.
                info.Properties[i].IsRequired = false;
            }
            else
            {
                info.Properties.RemoveAt(i);
            }
        }
    }

    internal static CodecNotFoundException Refusal(Type type, string reason) =>
        new($"{TypeName.Of(type)} cannot be stored as state: {reason}");

    private sealed class BigIntegerConverter : JsonConverter<BigInteger>
    {
        public override BigInteger Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            BigInteger.Parse(reader.GetString()!, CultureInfo.InvariantCulture);

        public override void Write(Utf8JsonWriter writer, BigInteger value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
    }
}
