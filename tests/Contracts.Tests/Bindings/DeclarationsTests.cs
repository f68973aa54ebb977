using System.Collections;
using System.Reflection;
using System.Text.RegularExpressions;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;
using EmrMarket.Contracts.Tests.Ethereum.Cast;

namespace EmrMarket.Contracts.Tests.Bindings;

/// <summary>What the Solidity sources declare, read here without the compiler and its artefacts, against the types that the build makes of
/// it.</summary>
public sealed class DeclarationsTests
{
    private const RegexOptions Options = RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant;

    // Comments go first: a semicolon or brace in one would end a declaration.
    private static readonly string Sources = string.Join('\n', Directory
        .EnumerateFiles(Path.Combine(Tools.RepositoryRoot, "src", "Contracts", "solidity", "contracts"), "*.sol",
            SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal).Select(File.ReadAllText)
        .Select(text => Regex.Replace(text, @"//[^\n]*|/\*.*?\*/", "", Options | RegexOptions.Singleline)));

    private static readonly Dictionary<string, int> Enums = Regex.Matches(Sources, @"\benum (?<name>\w+)\s*\{(?<members>[^}]*)\}", Options)
        .ToDictionary(
            match => match.Groups["name"].Value,
            match => match.Groups["members"].Value.Split(
                ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Length,
            StringComparer.Ordinal);

    private static readonly Dictionary<string, string[]> Structs = Regex.Matches(
        Sources, @"\bstruct (?<name>\w+)\s*\{(?<fields>[^}]*)\}", Options)
        .DistinctBy(match => match.Groups["name"].Value)
        .ToDictionary(
            match => match.Groups["name"].Value,
            match => match.Groups["fields"].Value.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(field => field.Split(' ')[0]).ToArray(),
            StringComparer.Ordinal);

    [Fact]
    public void Every_custom_error_becomes_its_exception_with_its_arguments()
    {
        RandomValues random = new(20260811);
        (string Name, Parameter[] Parameters)[] errors = Declared("error");
        Assert.InRange(errors.Length, 80, 200);
        foreach ((string name, Parameter[] parameters) in errors)
        {
            AbiError error = new($"{name}({string.Join(',', parameters.Select(parameter => parameter.AbiType))})");
            for (int i = 0; i < 20; i++)
            {
                object[] values = Values(parameters, random);
                ContractRevertException typed = ContractErrors.FromData(
                    (byte[])[.. error.Selector, .. AbiEncoder.Encode(error.Inputs, values)]);
                Assert.StartsWith(name, typed.GetType().Name, StringComparison.Ordinal);
                Assert.EndsWith("Exception", typed.GetType().Name, StringComparison.Ordinal);
                object[] arguments =
                    [.. typed.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                    .OrderBy(property => property.MetadataToken).Select(property => Plain(property.GetValue(typed)!))];
                Assert.True(AbiValues.AreEqual(values, arguments), $"{error.Signature} decodes to {typed.Message}");
                Assert.Contains(name, typed.Message, StringComparison.Ordinal);
            }

            // Cut short, it is still an exception that names the selector, and no arguments are made up.
            if (parameters.Length > 0)
            {
                Assert.Equal(typeof(ContractRevertException), ContractErrors.FromData((byte[])[.. error.Selector, 1]).GetType());
            }
        }
    }

    [Fact]
    public void Every_event_becomes_its_record_with_its_arguments()
    {
        RandomValues random = new(20260812);
        (string Name, Parameter[] Parameters)[] events = Declared("event");
        Assert.InRange(events.Length, 35, 100);
        foreach ((string name, Parameter[] parameters) in events)
        {
            Bytes32 topic = Keccak256.Hash($"{name}({string.Join(',', parameters.Select(parameter => parameter.AbiType))})");
            for (int i = 0; i < 20; i++)
            {
                object[] values = Values(parameters, random);
                (Parameter Parameter, object Value)[] pairs = [.. parameters.Zip(values)];
                Bytes32[] topics = [topic,
                    .. pairs.Where(pair => pair.Parameter.IsIndexed).Select(pair => Word(pair.Parameter, pair.Value))];
                (Parameter Parameter, object Value)[] rest = [.. pairs.Where(pair => !pair.Parameter.IsIndexed)];
                byte[] data = AbiEncoder.Encode(
                    new AbiTuple([.. rest.Select(pair => AbiType.Parse(pair.Parameter.AbiType))]), [.. rest.Select(pair => pair.Value)]);
                IContractEvent? record = ContractEvents.Decode(new LogEntry(Address.Zero, topics, data, 1, default, default, 0, 0));
                Assert.Equal(name + "Event", record?.GetType().Name);
                ConstructorInfo constructor = record!.GetType().GetConstructors().MaxBy(candidate => candidate.GetParameters().Length)!;
                object[] arguments =
                    [.. constructor.GetParameters()
                        .Select(parameter => Plain(record.GetType().GetProperty(parameter.Name!)!.GetValue(record)!))];
                Assert.True(AbiValues.AreEqual(values, arguments), $"{name} decodes to {record}");
            }
        }
    }

    private static Bytes32 Word(Parameter parameter, object value)
    {
        byte[] word = AbiEncoder.Encode(new AbiTuple(AbiType.Parse(parameter.AbiType)), [value]);
        Assert.Equal(Bytes32.Length, word.Length);
        return new Bytes32(word);
    }

    private static (string Name, Parameter[] Parameters)[] Declared(string keyword) =>
    [
        .. Regex.Matches(Sources, $@"^\s*{keyword} (?<name>\w+)\((?<parameters>[^)]*)\)\s*;", Options | RegexOptions.Multiline)
            .Select(match => (
                match.Groups["name"].Value,
                match.Groups["parameters"].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                    .Select(text => text.Split(' '))
                    .Select(words => new Parameter(words[0], AbiTypeOf(words[0]), words.Contains("indexed"))).ToArray()))
            .DistinctBy(item => item.Value + string.Join(',', item.Item2.Select(parameter => parameter.AbiType))),
    ];

    private static string AbiTypeOf(string declared)
    {
        int bracket = declared.IndexOf('[', StringComparison.Ordinal);
        (string element, string suffix) = bracket < 0 ? (declared, "") : (declared[..bracket], declared[bracket..]);
        element = element[(element.LastIndexOf('.') + 1)..];
        return (Enums.ContainsKey(element) ? "uint8"
            : Structs.TryGetValue(element, out string[]? fields) ? $"({string.Join(',', fields.Select(AbiTypeOf))})"
            : element) + suffix;
    }

    private static object[] Values(Parameter[] parameters, RandomValues random) =>
    [
        .. parameters.Select(
            parameter => Enums.TryGetValue(parameter.Declared[(parameter.Declared.LastIndexOf('.') + 1)..], out int members)
            ? (byte)random.Random.Next(members)
            : random.Value(AbiType.Parse(parameter.AbiType))),
    ];

    /// <summary>A value of a generated type in the codec's form.</summary>
    private static object Plain(object value) => value switch
    {
        Enum member => Convert.ToByte(member, System.Globalization.CultureInfo.InvariantCulture),
        byte[] or string => value,
        IEnumerable items => items.Cast<object>().Select(Plain).ToArray(),
        _ => value.GetType().GetMethod("ToAbi", BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.Instance)?.Invoke(value, null)
            ?? value,
    };

    private sealed record Parameter(string Declared, string AbiType, bool IsIndexed);
}
