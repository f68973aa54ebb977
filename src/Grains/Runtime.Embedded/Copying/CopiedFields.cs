using System.Reflection;
using Orleans;
using Orleans.Serialization;

namespace EmrMarket.Grains.Embedded.Copying;

/// <summary>
/// The fields that make up a value. Orleans sends what carries an [Id] and drops the rest in silence; here a member without one is refused,
/// so that nothing works in one process and loses data in a cluster.
/// </summary>
internal static class CopiedFields
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>All instance fields of a type and its bases, base first.</summary>
    /// <exception cref="CodecNotFoundException">The type, a base or a member lacks the annotation that serialization needs.</exception>
    internal static List<FieldInfo> Of(Type type)
    {
        if (CopyStrategies.IsTupleOrPair(type))
        {
            return [.. type.GetFields(Declared)];
        }

        var fields = new List<FieldInfo>();
        for (var level = type; level is not null && level != typeof(object) && level != typeof(ValueType); level = level.BaseType)
        {
            fields.InsertRange(0, OfLevel(type, level));
        }

        return fields;
    }

    /// <summary>The id of a field: its own or that of the property that it backs; null without one.</summary>
    internal static uint? IdOf(FieldInfo field) =>
        (field.GetCustomAttribute<IdAttribute>() ?? PropertyOf(field)?.GetCustomAttribute<IdAttribute>())?.Id;

    /// <summary>Whether the member's value is promised not to change.</summary>
    internal static bool IsImmutable(FieldInfo field) =>
        field.IsDefined(typeof(ImmutableAttribute)) || PropertyOf(field)?.IsDefined(typeof(ImmutableAttribute)) == true;

    /// <summary>The fields that one annotated type declares itself.</summary>
    internal static List<FieldInfo> Declaration(Type level) => OfLevel(level, level);

    private static List<FieldInfo> OfLevel(Type type, Type level)
    {
        if (!level.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
        {
            var which = level == type ? TypeName.Of(type) : $"{TypeName.Of(type)}, by its base {TypeName.Of(level)},";
            throw new CodecNotFoundException(
                $"{which} may not cross a grain call or be stored: it is neither a type known to the serializer nor marked "
                    + "[GenerateSerializer].");
        }

        var ids = new Dictionary<uint, string>();
        var fields = new List<FieldInfo>();
        foreach (var field in level.GetFields(Declared))
        {
            var name = PropertyOf(field)?.Name ?? field.Name;
            if (IdOf(field) is not { } id)
            {
                throw new CodecNotFoundException(
                    $"{TypeName.Of(level)}.{name} has no [Id]: a serializer would drop it. Give it an [Id] that its type has never used.");
            }

            if (!ids.TryAdd(id, name))
            {
                throw new CodecNotFoundException(
                    $"{TypeName.Of(level)}.{name} and .{ids[id]} both have [Id({id})]: ids are unique in a type.");
            }

            fields.Add(field);
        }

        return fields;
    }

    internal static PropertyInfo? PropertyOf(FieldInfo field) =>
        field.Name.StartsWith('<') && field.Name.IndexOf(">k__BackingField", StringComparison.Ordinal) is > 1 and var end
            ? field.DeclaringType!.GetProperty(field.Name[1..end], Declared)
            : null;
}
