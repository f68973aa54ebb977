using System.Reflection;
using System.Reflection.Emit;

namespace EmrMarket.Grains.Embedded.Copying;

/// <summary>Replaces, in a shallow copy, each field that could change by a copy of its own.</summary>
internal delegate void FieldsCopier<T>(ref T shallowCopy, CopyContext context);

/// <summary>Writes the code that copies the fields of a type: about as fast as code written by hand.</summary>
internal static class FieldsCopierCode
{
    private static readonly MethodInfo CopyOne = typeof(FieldsCopierCode)
        .GetMethod(nameof(CopyField), BindingFlags.Static | BindingFlags.NonPublic)!;

    /// <summary>Null when a shallow copy is a deep one.</summary>
    internal static FieldsCopier<T>? For<T>(IEnumerable<FieldInfo> fields)
    {
        var changing = fields.Where(field => !CopyStrategies.IsShared(field.FieldType) && !CopiedFields.IsImmutable(field)).ToList();
        if (changing.Count == 0)
        {
            return null;
        }

        var method = new DynamicMethod(
            $"Copy {typeof(T).Name}", null, [typeof(T).MakeByRefType(), typeof(CopyContext)], typeof(FieldsCopierCode).Module,
            skipVisibility: true);
        var il = method.GetILGenerator();
        foreach (var field in changing)
        {
            EmitTarget();
            EmitTarget();
            il.Emit(OpCodes.Ldfld, field);
            il.Emit(OpCodes.Ldarg_1);
            il.Emit(OpCodes.Call, CopyOne.MakeGenericMethod(field.FieldType));
            il.Emit(OpCodes.Stfld, field);
        }

        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<FieldsCopier<T>>();

        void EmitTarget()
        {
            il.Emit(OpCodes.Ldarg_0);
            if (!typeof(T).IsValueType)
            {
                il.Emit(OpCodes.Ldind_Ref);
            }
        }
    }

    private static TField CopyField<TField>(TField value, CopyContext context) => Copier<TField>.Copy(value, context);
}

internal sealed class FieldsOfStructStrategy<T>(List<FieldInfo> fields) : CopyStrategy<T>
{
    private readonly FieldsCopier<T>? _copyFields = FieldsCopierCode.For<T>(fields);

    internal override T Copy(T value, CopyContext context)
    {
        _copyFields?.Invoke(ref value, context);
        return value;
    }
}

internal sealed class FieldsOfClassStrategy<T>(List<FieldInfo> fields) : CopyStrategy<T>
    where T : class
{
    private static readonly Func<object, object> ShallowCopy =
        typeof(object)
            .GetMethod(nameof(MemberwiseClone), BindingFlags.Instance | BindingFlags.NonPublic)!.CreateDelegate<Func<object, object>>();

    private readonly FieldsCopier<T>? _copyFields = typeof(T).IsAbstract ? null : FieldsCopierCode.For<T>(fields);

    internal override T Copy(T value, CopyContext context)
    {
        if (value.GetType() != typeof(T))
        {
            return (T)DeepCopy.CopyUntyped(value, context)!;
        }

        if (context.TryGet(value, out var known))
        {
            return known;
        }

        var copy = (T)ShallowCopy(value);
        context.Record(value, copy);
        _copyFields?.Invoke(ref copy, context);
        return copy;
    }
}

/// <summary>For declarations that say nothing of the value: the value's own type decides.</summary>
internal sealed class RuntimeTypeStrategy<T> : CopyStrategy<T>
{
    internal override T Copy(T value, CopyContext context) =>
        value!.GetType() == typeof(object) ? value : (T)DeepCopy.CopyUntyped(value, context)!;
}
