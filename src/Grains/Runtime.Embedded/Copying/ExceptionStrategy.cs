using System.Collections;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.Serialization;
using Orleans;
using Orleans.Serialization;

namespace EmrMarket.Grains.Embedded.Copying;

/// <summary>
/// Copies exceptions that cross a call: those of .NET, and those marked [GenerateSerializer], as Orleans does. The copy tells where the
/// original was thrown; it shares no object that either side may change.
/// </summary>
internal sealed class ExceptionStrategy<T> : CopyStrategy<T>
    where T : Exception
{
    private readonly FieldsCopier<T>? _copyFields;
    private readonly List<FieldInfo> _fields = [];

    public ExceptionStrategy()
    {
        if (typeof(T).IsAbstract || typeof(T) == typeof(AggregateException))
        {
            return;
        }

        for (var level = typeof(T); level != typeof(Exception); level = level.BaseType!)
        {
            if (level.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
            {
                _fields.AddRange(CopiedFields.Declaration(level));
            }
            else if (ExceptionCopies.IsOfThePlatform(level))
            {
                // What a platform's exception holds beside plain values (tasks, streams) stays where it was thrown.
                _fields.AddRange(
                    level.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                    .Where(field => CopyStrategies.IsShared(field.FieldType)
                        && !field.IsDefined(typeof(NonSerializedAttribute), inherit: false)));
            }
            else
            {
                throw new CodecNotFoundException(
                    $"{TypeName.Of(level)} may not cross a grain call: mark it [GenerateSerializer] and its members [Id], or throw a "
                        + "known exception.");
            }
        }

        _copyFields = FieldsCopierCode.For<T>(_fields);
    }

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

        T copy;
        if (value is AggregateException aggregate)
        {
            copy = (T)(Exception)new AggregateException(
                aggregate.Message, aggregate.InnerExceptions.Select(inner => Copier<Exception>.Copy(inner, context)));
            ExceptionCopies.CopyData(value, copy, context);
        }
        else
        {
            copy = (T)RuntimeHelpers.GetUninitializedObject(typeof(T));
            context.Record(value, copy);
            ExceptionCopies.InitializeBase(copy, value, Copier<Exception?>.Copy(value.InnerException, context));
            ExceptionCopies.CopyData(value, copy, context);
            foreach (var field in _fields)
            {
                field.SetValue(copy, field.GetValue(value));
            }

            _copyFields?.Invoke(ref copy, context);
        }

        if (value.StackTrace is { } trace)
        {
            ExceptionDispatchInfo.SetRemoteStackTrace(copy, trace);
        }

        return copy;
    }
}

internal static class ExceptionCopies
{
    private static readonly Action<Exception, SerializationInfo> Deserialize = BaseConstructor();

    internal static bool IsOfThePlatform(Type type) =>
        type.Namespace is "System" || type.Namespace?.StartsWith("System.", StringComparison.Ordinal) == true
        || type.Namespace?.StartsWith("Microsoft.", StringComparison.Ordinal) == true;

    /// <summary>Gives an exception that no constructor ran on what every exception has.</summary>
    internal static void InitializeBase(Exception copy, Exception original, Exception? inner)
    {
        // Formatter-based serialization: the one constructor that sets message, inner exception and HResult of a foreign type.
#pragma warning disable SYSLIB0050
        var info = new SerializationInfo(typeof(Exception), new FormatterConverter());
#pragma warning restore SYSLIB0050
        info.AddValue("ClassName", original.GetType().FullName, typeof(string));
        info.AddValue("Message", original.Message, typeof(string));
        info.AddValue("Data", null, typeof(IDictionary));
        info.AddValue("InnerException", inner, typeof(Exception));
        info.AddValue("HelpURL", original.HelpLink, typeof(string));
        info.AddValue("StackTraceString", null, typeof(string));
        info.AddValue("RemoteStackTraceString", null, typeof(string));
        info.AddValue("RemoteStackIndex", 0, typeof(int));
        info.AddValue("ExceptionMethod", null, typeof(string));
        info.AddValue("HResult", original.HResult);
        info.AddValue("Source", original.Source, typeof(string));
        info.AddValue("WatsonBuckets", null, typeof(byte[]));
        Deserialize(copy, info);
    }

    internal static void CopyData(Exception original, Exception copy, CopyContext context)
    {
        foreach (DictionaryEntry entry in original.Data)
        {
            copy.Data[DeepCopy.CopyUntyped(entry.Key, context)!] = DeepCopy.CopyUntyped(entry.Value, context);
        }
    }

    private static Action<Exception, SerializationInfo> BaseConstructor()
    {
        var constructor = typeof(Exception).GetConstructor(
            BindingFlags.Instance | BindingFlags.NonPublic, [typeof(SerializationInfo), typeof(StreamingContext)])!;
        var method = new DynamicMethod(
            "Initialize Exception", null, [typeof(Exception), typeof(SerializationInfo)], typeof(ExceptionCopies).Module,
            skipVisibility: true);
        var il = method.GetILGenerator();
        var context = il.DeclareLocal(typeof(StreamingContext));
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldloc, context);
        il.Emit(OpCodes.Call, constructor);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Action<Exception, SerializationInfo>>();
    }
}
