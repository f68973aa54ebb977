using System.Reflection;

namespace EmrMarket.OrleansApi;

/// <summary>
/// What Orleans' code generator and the stored rows demand of every type that a grain call or a grain's state can hold, read from the
/// assemblies alone:
/// a type that passes in one process but not in a cluster, or that a renaming would lose, is named here.
/// </summary>
internal static class WireTypeRules
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static readonly HashSet<Type> Primitives =
    [
        typeof(bool), typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong),
        typeof(Int128), typeof(UInt128), typeof(float), typeof(double), typeof(decimal), typeof(char), typeof(string),
        typeof(Guid), typeof(DateTime), typeof(DateTimeOffset), typeof(DateOnly), typeof(TimeOnly), typeof(TimeSpan),
        typeof(System.Numerics.BigInteger),
    ];

    private static readonly HashSet<Type> Collections = [typeof(List<>), typeof(Dictionary<,>), typeof(Nullable<>)];

    /// <summary>Everything that breaks a rule in the grain interfaces, grain classes and exceptions among the types, one line
    /// each.</summary>
    internal static IReadOnlyList<string> Check(IEnumerable<Type> types)
    {
        var walk = new Walk();
        foreach (var type in types.OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            if (type.IsInterface && typeof(IGrain).IsAssignableFrom(type))
            {
                walk.Interface(type);
            }
            else if (typeof(Grain).IsAssignableFrom(type) && !type.IsAbstract)
            {
                walk.States(type);
            }
            else if (typeof(Exception).IsAssignableFrom(type))
            {
                walk.Exception(type);
            }
        }

        return walk.Faults;
    }

    private sealed class Walk
    {
        private readonly HashSet<Type> _seen = [];
        private readonly Dictionary<string, Type> _aliases = new(StringComparer.Ordinal);

        internal List<string> Faults { get; } = [];

        internal void Interface(Type type)
        {
            foreach (var method in type.GetMethods())
            {
                var where = $"{type.FullName}.{method.Name}";
                Result(method.ReturnType, where);
                foreach (var parameter in method.GetParameters().Where(parameter => parameter.ParameterType != typeof(CancellationToken)))
                {
                    Value(parameter.ParameterType, $"{where}({parameter.Name})", mayChange: false);
                }
            }
        }

        internal void States(Type type)
        {
            foreach (var parameter in type.GetConstructors().SelectMany(constructor => constructor.GetParameters())
                .Where(parameter => parameter.IsDefined(typeof(PersistentStateAttribute))))
            {
                var state = parameter.ParameterType.GenericTypeArguments[0];
                Value(state, $"the state {parameter.Name} of {type.FullName}", mayChange: true);
                if (!state.IsSealed)
                {
                    Faults.Add($"{state.FullName}: a state is sealed, or a derived value would lose its members");
                }
            }
        }

        internal void Exception(Type type)
        {
            if (_seen.Add(type))
            {
                Annotations(type);
                Members(type, mayChange: true);
            }
        }

        private void Result(Type type, string where)
        {
            if (type.IsGenericType
                && (type.GetGenericTypeDefinition() == typeof(Task<>) || type.GetGenericTypeDefinition() == typeof(ValueTask<>)))
            {
                Value(type.GenericTypeArguments[0], $"the result of {where}", mayChange: false);
            }
            else if (type != typeof(Task) && type != typeof(ValueTask))
            {
                Faults.Add($"{where}: returns {type.Name} and not Task, Task<T>, ValueTask or ValueTask<T>");
            }
        }

        private void Value(Type type, string where, bool mayChange)
        {
            if (Primitives.Contains(type) || type.IsEnum || typeof(IAddressable).IsAssignableFrom(type) || type.IsGenericParameter)
            {
                return;
            }

            var parts = type.IsSZArray ? [type.GetElementType()!]
                : type.IsGenericType && Collections.Contains(type.GetGenericTypeDefinition()) ? type.GenericTypeArguments
                : null;
            if (parts is not null)
            {
                foreach (var part in parts)
                {
                    Value(part, where, mayChange);
                }
            }
            else if (!type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
            {
                if (_seen.Add(type))
                {
                    Faults.Add(
                        $"{type.FullName}: no [GenerateSerializer], and no type that the serializers know; it is reached from {where}");
                }
            }
            else if (_seen.Add(type))
            {
                Annotations(type);
                Members(type, mayChange);
            }
        }

        private void Annotations(Type type)
        {
            if (!type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
            {
                Faults.Add($"{type.FullName}: no [GenerateSerializer]");
            }

            var aliases = type.GetCustomAttributes<AliasAttribute>(inherit: false).Select(alias => alias.Alias).ToList();
            if (aliases.Count == 0)
            {
                Faults.Add($"{type.FullName}: no [Alias], so that renaming it would lose what is stored");
            }

            foreach (var alias in aliases.Where(alias => !_aliases.TryAdd(alias, type)))
            {
                Faults.Add($"{type.FullName}: [Alias(\"{alias}\")] is also that of {_aliases[alias].FullName}");
            }
        }

        private void Members(Type type, bool mayChange)
        {
            if (IsPositionalRecord(type))
            {
                Faults.Add($"{type.FullName}: a positional record, whose members get their ids from their order");
            }

            var ids = new HashSet<uint>();
            foreach (var field in type.GetFields(Declared))
            {
                var property = BackedProperty(field);
                var name = $"{type.FullName}.{property?.Name ?? field.Name}";
                if ((property?.GetCustomAttribute<IdAttribute>() ?? field.GetCustomAttribute<IdAttribute>()) is not { } id)
                {
                    Faults.Add($"{name}: no [Id]");
                }
                else if (!ids.Add(id.Id))
                {
                    Faults.Add($"{name}: [Id({id.Id})] is used twice");
                }

                if (property is null)
                {
                    Faults.Add($"{name}: a field and not a property");
                }
                else if (property.SetMethod is null || (!mayChange && !IsInit(property)))
                {
                    Faults.Add($"{name}: no init accessor");
                }

                Value(field.FieldType, name, mayChange);
            }

            if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) && parent != typeof(Exception)
                && _seen.Add(parent))
            {
                Annotations(parent);
                Members(parent, mayChange);
            }
        }

        private static bool IsInit(PropertyInfo property) =>
            Array.Exists(property.SetMethod!.ReturnParameter.GetRequiredCustomModifiers(),
                each => each == typeof(System.Runtime.CompilerServices.IsExternalInit));

        private static bool IsPositionalRecord(Type type) =>
            type.GetMethod("<Clone>$") is not null && type.GetMethod("Deconstruct", Declared) is { } deconstruct
                && deconstruct.GetParameters().Length > 0;

        private static PropertyInfo? BackedProperty(FieldInfo field) =>
            field.Name.StartsWith('<')
                ? field.DeclaringType!.GetProperty(field.Name[1..field.Name.IndexOf('>', StringComparison.Ordinal)], Declared) : null;
    }
}
