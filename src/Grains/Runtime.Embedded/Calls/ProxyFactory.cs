using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Emit;
using EmrMarket.Grains.Embedded.Activations;
using EmrMarket.Grains.Embedded.Copying;
using EmrMarket.Grains.Embedded.Hosting;

namespace EmrMarket.Grains.Embedded.Calls;

/// <summary>Writes, once per grain interface, the class whose methods pack their arguments and send them.</summary>
internal static class ProxyFactory
{
    private const int MostParameters = 7;

    private static readonly Type[] Tuples =
    [
        typeof(ValueTuple), typeof(ValueTuple<>), typeof(ValueTuple<,>), typeof(ValueTuple<,,>), typeof(ValueTuple<,,,>),
        typeof(ValueTuple<,,,,>), typeof(ValueTuple<,,,,,>), typeof(ValueTuple<,,,,,,>),
    ];

    private static readonly Type[] ConstructorParameters = [typeof(EmbeddedGrainRuntime), typeof(GrainId)];

    private static readonly ConcurrentDictionary<Type, Lazy<Func<EmbeddedGrainRuntime, GrainId, GrainReference>>> Factories = new();

    /// <summary>What makes references of an interface.</summary>
    /// <exception cref="NotSupportedException">A member of the interface could not be called in a cluster either.</exception>
    internal static Func<EmbeddedGrainRuntime, GrainId, GrainReference> For(Type grainInterface) =>
        Factories.GetOrAdd(grainInterface, static type => new(() => Build(type))).Value;

    private static Func<EmbeddedGrainRuntime, GrainId, GrainReference> Build(Type grainInterface)
    {
        var name = $"{grainInterface.FullName} proxy";
        var assembly = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName(name), AssemblyBuilderAccess.Run);
        Type[] interfaces = [grainInterface, .. grainInterface.GetInterfaces()];
        var methods = interfaces.SelectMany(each => each.GetMethods().Where(method => method.IsAbstract).Select(Shape.Of)).ToList();
        ReachInternalTypesOf(assembly, methods.SelectMany(method => method.Types).Append(grainInterface).Append(typeof(GrainReference)));

        var type = assembly.DefineDynamicModule(name).DefineType(
            name, TypeAttributes.NotPublic | TypeAttributes.Sealed | TypeAttributes.Class, typeof(GrainReference), interfaces);
        var constructor = EmitConstructor(type);
        EmitFactory(type, constructor);
        for (var i = 0; i < methods.Count; i++)
        {
            EmitSend(type, methods[i], i);
            EmitInvoke(type, methods[i], i);
            EmitToken(type, methods[i], i);
        }

        var built = type.CreateType();
        for (var i = 0; i < methods.Count; i++)
        {
            SetMethod(built, grainInterface, methods[i], i);
        }

        return built.GetMethod("Create")!.CreateDelegate<Func<EmbeddedGrainRuntime, GrainId, GrainReference>>();
    }

    private static ConstructorBuilder EmitConstructor(TypeBuilder type)
    {
        var constructor = type.DefineConstructor(MethodAttributes.Public, CallingConventions.Standard, ConstructorParameters);
        var il = constructor.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldarg_2);
        il.Emit(OpCodes.Call,
            typeof(GrainReference).GetConstructor(BindingFlags.Instance | BindingFlags.NonPublic, ConstructorParameters)!);
        il.Emit(OpCodes.Ret);
        return constructor;
    }

    private static void EmitFactory(TypeBuilder type, ConstructorBuilder constructor)
    {
        var factory = type.DefineMethod(
            "Create", MethodAttributes.Public | MethodAttributes.Static, typeof(GrainReference), ConstructorParameters);
        var il = factory.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Newobj, constructor);
        il.Emit(OpCodes.Ret);
    }

    /// <summary>The proxy's side: <c>return Send...(method, new ValueTuple(arguments))</c>.</summary>
    private static void EmitSend(TypeBuilder type, Shape shape, int index)
    {
        var field = type.DefineField($"method{index}", typeof(GrainMethod<,>).MakeGenericType(shape.Arguments, shape.Result),
            FieldAttributes.Static | FieldAttributes.Public);
        var method = type.DefineMethod(
            $"{shape.Method.DeclaringType!.FullName}.{shape.Method.Name}",
            MethodAttributes.Private | MethodAttributes.Virtual | MethodAttributes.Final | MethodAttributes.NewSlot
                | MethodAttributes.HideBySig,
            shape.Method.ReturnType, shape.Parameters);
        var il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldsfld, field);
        if (shape.Parameters.Length == 0)
        {
            var none = il.DeclareLocal(typeof(ValueTuple));
            il.Emit(OpCodes.Ldloca, none);
            il.Emit(OpCodes.Initobj, typeof(ValueTuple));
            il.Emit(OpCodes.Ldloc, none);
        }
        else
        {
            for (var i = 1; i <= shape.Parameters.Length; i++)
            {
                il.Emit(OpCodes.Ldarg, (short)i);
            }

            il.Emit(OpCodes.Newobj, shape.Arguments.GetConstructor(shape.Parameters)!);
        }

        il.Emit(OpCodes.Call, shape.Send);
        il.Emit(OpCodes.Ret);
        type.DefineMethodOverride(method, shape.Method);
    }

    /// <summary>The grain's side: <c>return ((I)grain).Method(arguments.Item1, ...)</c> as a task.</summary>
    private static void EmitInvoke(TypeBuilder type, Shape shape, int index)
    {
        var method = type.DefineMethod(
            $"Invoke{index}", MethodAttributes.Public | MethodAttributes.Static, typeof(Task),
            [typeof(object), shape.Arguments.MakeByRefType()]);
        var il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Castclass, shape.Method.DeclaringType!);
        for (var i = 1; i <= shape.Parameters.Length; i++)
        {
            il.Emit(OpCodes.Ldarg_1);
            il.Emit(OpCodes.Ldfld, shape.Arguments.GetField($"Item{i}")!);
        }

        il.Emit(OpCodes.Callvirt, shape.Method);
        if (shape.Method.ReturnType.IsValueType)
        {
            var result = il.DeclareLocal(shape.Method.ReturnType);
            il.Emit(OpCodes.Stloc, result);
            il.Emit(OpCodes.Ldloca, result);
            il.Emit(OpCodes.Call, shape.Method.ReturnType.GetMethod(nameof(ValueTask.AsTask))!);
        }

        il.Emit(OpCodes.Ret);
    }

    private static void EmitToken(TypeBuilder type, Shape shape, int index)
    {
        if (shape.TokenPosition < 0)
        {
            return;
        }

        var method = type.DefineMethod(
            $"Token{index}", MethodAttributes.Public | MethodAttributes.Static, typeof(CancellationToken).MakeByRefType(),
            [shape.Arguments.MakeByRefType()]);
        var il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldflda, shape.Arguments.GetField($"Item{shape.TokenPosition + 1}")!);
        il.Emit(OpCodes.Ret);
    }

    private static void SetMethod(Type proxy, Type grainInterface, Shape shape, int index)
    {
        var invoke = proxy.GetMethod($"Invoke{index}")!.CreateDelegate(typeof(GrainMethodInvoker<>).MakeGenericType(shape.Arguments));
        var token = proxy.GetMethod($"Token{index}")?.CreateDelegate(typeof(TokenOf<>).MakeGenericType(shape.Arguments));
        proxy.GetField($"method{index}")!.SetValue(null, Activator.CreateInstance(
            typeof(GrainMethod<,>).MakeGenericType(shape.Arguments, shape.Result), grainInterface, shape.Method, invoke, token));
    }

    /// <summary>Lets the generated code use internal interfaces and messages, as their own assembly's generated code could.</summary>
    private static void ReachInternalTypesOf(AssemblyBuilder assembly, IEnumerable<Type> types)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var type in types)
        {
            Visit(type);
        }

        var attribute = typeof(System.Runtime.CompilerServices.IgnoresAccessChecksToAttribute).GetConstructor([typeof(string)])!;
        foreach (var name in names)
        {
            assembly.SetCustomAttribute(new CustomAttributeBuilder(attribute, [name]));
        }

        void Visit(Type type)
        {
            names.Add(type.Assembly.GetName().Name!);
            foreach (var part in type.HasElementType ? [type.GetElementType()!] : type.GenericTypeArguments)
            {
                Visit(part);
            }
        }
    }

    /// <summary>A method with the types that its message has.</summary>
    private sealed record Shape(MethodInfo Method, Type[] Parameters, Type Arguments, Type Result, MethodInfo Send, int TokenPosition)
    {
        internal IEnumerable<Type> Types => [.. Parameters, Method.ReturnType, Method.DeclaringType!];

        internal static Shape Of(MethodInfo method)
        {
            var parameters = method.GetParameters().Select(parameter => parameter.ParameterType).ToArray();
            var where = $"{method.DeclaringType!.FullName}.{method.Name}";
            if (method.IsGenericMethodDefinition
                || Array.Exists(parameters, parameter => parameter.IsByRef || parameter.IsByRefLike || parameter.IsPointer))
            {
                throw new NotSupportedException($"{where} cannot be a grain method: it is generic, or passes by reference.");
            }

            if (parameters.Length > MostParameters)
            {
                throw new NotSupportedException(
                    $"{where} has {parameters.Length} parameters, more than the {MostParameters} that are supported: put them into a "
                        + "message type.");
            }

            var arguments = parameters.Length == 0 ? Tuples[0] : Tuples[parameters.Length].MakeGenericType(parameters);
            var (result, send) = method.ReturnType switch
            {
                var type when type == typeof(Task) => (typeof(Nothing), Sender("SendTask", arguments)),
                var type when type == typeof(ValueTask) => (typeof(Nothing), Sender("SendValueTask", arguments)),
                { IsGenericType: true } type when type.GetGenericTypeDefinition() == typeof(Task<>) =>
                    (type.GenericTypeArguments[0], Sender("SendTaskOfResult", arguments, type.GenericTypeArguments[0])),
                { IsGenericType: true } type when type.GetGenericTypeDefinition() == typeof(ValueTask<>) =>
                    (type.GenericTypeArguments[0], Sender("SendValueTaskOfResult", arguments, type.GenericTypeArguments[0])),
                _ => throw new NotSupportedException(
                    $"{where} returns {TypeName.Of(method.ReturnType)}: a grain method returns Task, Task<T>, ValueTask or ValueTask<T>."),
            };
            return new(method, parameters, arguments, result, send, Array.IndexOf(parameters, typeof(CancellationToken)));
        }

        private static MethodInfo Sender(string name, params Type[] types) =>
            typeof(GrainReference).GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic)!.MakeGenericMethod(types);
    }
}
