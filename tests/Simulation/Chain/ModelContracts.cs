using System.Buffers.Binary;
using System.Collections;
using System.Numerics;
using System.Reflection;
using System.Runtime.CompilerServices;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;
using EmrMarket.Contracts.Model;

namespace EmrMarket.Simulation.Chain;

/// <summary>
/// The market's contracts as the reference model of their rules knows them (it is held against the real ones elsewhere), behind the ABI of
/// the real ones: what the grains send is decoded, and what the model emits is logged.
/// </summary>
internal sealed class ModelContracts : IContracts
{
    private const ulong GasOfCall = 150_000;
    private const ulong GasOfClaim = 33_000;

    // Demands have one name in the contracts and one per batch in the model.
    private static readonly Dictionary<Type, string> BatchOf = new()
    {
        [typeof(DynamicAccessControl)] = "Epoch", [typeof(MatchingDecision)] = "Round", [typeof(DataEvaluation)] = "Delivery",
    };

    private static readonly Dictionary<(Type Contract, uint Selector), (AbiFunction Function, MethodInfo Rule)> Rules = FindRules();
    private static readonly FieldInfo EventTypes = Field(typeof(AbiEvent), "_types");
    private static readonly FieldInfo EventIndexed = Field(typeof(AbiEvent), "_indexed");

    private readonly ContractsStruct _at;
    private readonly Address _token;

    public ModelContracts(LedgerModel model, ContractsStruct at, Address token) => (Model, _at, _token) = (model, at, token);

    /// <summary>The model; not to be changed from outside.</summary>
    public LedgerModel Model { get; }

    /// <summary>Whether the token pays nobody: claims are accepted and bring nothing about.</summary>
    public bool RefusesPayees { get; init; }

    public IContracts Copy() => new ModelContracts((LedgerModel)CopyOf(Model)!, _at, _token) { RefusesPayees = RefusesPayees };

    public bool Has(Address address) => address == _token || ContractAt(address) is not null;

    public Execution Run(Address sender, Address to, byte[] data, ulong block, ulong seconds)
    {
        CallContext context = new(sender, seconds, block);
        if (to == _token)
        {
            Model.Approve(context, new BigInteger(data.AsSpan(36, 32), isUnsigned: true, isBigEndian: true));
            return new Execution(GasOfCall, []);
        }

        (AbiFunction function, MethodInfo rule) = Rules[(ContractAt(to)!, BinaryPrimitives.ReadUInt32BigEndian(data))];
        object[] values = AbiDecoder.Decode(function.Inputs, data.AsSpan(4));
        ParameterInfo[] parameters = rule.GetParameters();
        int skipped = parameters[0].ParameterType == typeof(CallContext) ? 1 : 0;
        object?[] arguments = [.. skipped == 1 ? (object?[])[context] : [],
            .. values.Select((value, i) => Argument(parameters[i + skipped].ParameterType, value))];
        ulong gas = GasOfCall
            + (values.OfType<object[]>().Where(value => rule.Name == nameof(LedgerModel.ClaimMany))
                .Aggregate(0UL, (sum, v) => sum + (GasOfClaim * (ulong)v.Length)));
        if (RefusesPayees && rule.Name == nameof(LedgerModel.ClaimMany))
        {
            return new Execution(gas, []);
        }

        try
        {
            Model.Run(model => rule.Invoke(model, BindingFlags.DoNotWrapExceptions, null, arguments, null));
            return new Execution(gas, [.. Model.Events.Select(e => Log(to, e))]);
        }
        catch (RefusedException refused)
        {
            return new Execution(gas, [], Revert(refused.Reasons[0]));
        }
    }

    /// <summary>Runs something as the first block does.</summary>
    public static (Address Contract, Bytes32[] Topics, byte[] Data) Log(Address contract, IContractEvent e)
    {
        var definition = (AbiEvent)Field(e.GetType(), "Definition", BindingFlags.Static).GetValue(null)!;
        var types = (AbiType[])EventTypes.GetValue(definition)!;
        bool[] indexed = (bool[])EventIndexed.GetValue(definition)!;
        object[] values =
            [.. e.GetType().GetConstructors()[0].GetParameters()
                .Select(parameter => Encodable(e.GetType().GetProperty(parameter.Name!)!.GetValue(e)!))];
        int[] plain = [.. Enumerable.Range(0, types.Length).Where(i => !indexed[i])];
        return (
            contract,
            [definition.Topic,
                .. Enumerable.Range(0, types.Length).Where(i => indexed[i]).Select(i => AbiEncoder.Topic(types[i], values[i]))],
            AbiEncoder.Encode(new AbiTuple([.. plain.Select(i => types[i])]), [.. plain.Select(i => values[i])]));
    }

    private static byte[] Revert(Refusal reason)
    {
        Type error = typeof(ContractErrors).Assembly.GetType($"{typeof(ContractErrors).Namespace}.{reason.Error}Exception")
            ?? typeof(UnknownBatchException);
        var definition = (AbiError)Field(error, "Definition", BindingFlags.Static).GetValue(null)!;
        try
        {
            return [.. definition.Selector, .. AbiEncoder.Encode(definition.Inputs, [.. (reason.Arguments ?? []).Select(Encodable)])];
        }
        catch (ArgumentException)
        {
            // The rules do not fix the arguments of every error.
            return [.. definition.Selector, .. new byte[definition.Inputs.HeadWords * 32]];
        }
    }

    private Type? ContractAt(Address address) => address == _at.AccessControl ? typeof(DynamicAccessControl)
        : address == _at.Matching ? typeof(MatchingDecision)
        : address == _at.Evaluation ? typeof(DataEvaluation)
        : address == _at.Payments ? typeof(AnonymousTransaction) : null;

    private static Dictionary<(Type, uint), (AbiFunction, MethodInfo)> FindRules()
    {
        Dictionary<(Type, uint), (AbiFunction, MethodInfo)> rules = [];
        foreach (Type contract in (Type[])[.. BatchOf.Keys, typeof(AnonymousTransaction)])
        {
            foreach (FieldInfo field in contract.GetNestedType("Abi", BindingFlags.NonPublic)!.GetFields(
                BindingFlags.NonPublic | BindingFlags.Static))
            {
                string name = field.Name switch
                {
                    "DemandLeaf" => $"Demand{BatchOf[contract]}Leaf",
                    "VoidUnanswered" => field.Name + BatchOf[contract],
                    _ => field.Name,
                };
                if (field.GetValue(null) is AbiFunction function && typeof(LedgerModel).GetMethod(name) is { } rule
                    && rule.ReturnType == typeof(void))
                {
                    rules.Add((contract, BinaryPrimitives.ReadUInt32BigEndian(function.Selector)), (function, rule));
                }
            }
        }

        return rules;
    }

    private static object? Argument(Type type, object value) => (value, type) switch
    {
        (object[] items, { IsArray: true }) => ArrayOf(type.GetElementType()!, items),
        (object[] fields, _) => type.GetMethod("FromAbi", BindingFlags.Static | BindingFlags.NonPublic)!.Invoke(null, [fields]),
        _ => value,
    };

    private static Array ArrayOf(Type element, object[] items)
    {
        Array array = Array.CreateInstance(element, items.Length);
        for (int i = 0; i < items.Length; i++)
        {
            array.SetValue(Argument(element, items[i]), i);
        }

        return array;
    }

    private static object Encodable(object value) => value switch
    {
        byte[] => value,
        Array array => array.Cast<object>().Select(Encodable).ToArray(),
        _ => value.GetType().GetMethod("ToAbi", BindingFlags.Instance | BindingFlags.NonPublic)?.Invoke(value, null) ?? value,
    };

    /// <summary>A copy of what a model holds: its own classes and collections; what they hold besides never changes.</summary>
    private static object? CopyOf(object? value)
    {
        switch (value)
        {
            case IDictionary dictionary:
                var entries = (IDictionary)Activator.CreateInstance(value.GetType())!;
                foreach (DictionaryEntry entry in dictionary)
                {
                    entries.Add(entry.Key, CopyOf(entry.Value));
                }

                return entries;
            case IList list and not Array:
                var items = (IList)Activator.CreateInstance(value.GetType())!;
                foreach (object? item in list)
                {
                    items.Add(CopyOf(item));
                }

                return items;
            case not null when value.GetType() is { IsGenericType: true } set && set.GetGenericTypeDefinition() == typeof(HashSet<>):
                return Activator.CreateInstance(set, value);
            case not null when value.GetType() is { IsClass: true } type && type.Namespace == typeof(LedgerModel).Namespace
                && value is not Delegate:
                object copy = RuntimeHelpers.GetUninitializedObject(type);
                foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public))
                {
                    field.SetValue(copy, CopyOf(field.GetValue(value)));
                }

                return copy;
            default:
                return value;
        }
    }

    private static FieldInfo Field(Type type, string name, BindingFlags where = BindingFlags.Instance) =>
        type.GetField(name, where | BindingFlags.NonPublic | BindingFlags.Public)!;
}
