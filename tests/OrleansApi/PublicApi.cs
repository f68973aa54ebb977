using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace EmrMarket.OrleansApi;

/// <summary>A public type as its metadata tells it: what it derives from, and one line for each member that another assembly can
/// use.</summary>
internal sealed record PublicType(string Name, string? Base, IReadOnlySet<string> Interfaces, IReadOnlySet<string> Members);

/// <summary>Lists the public types of an assembly without loading it, since Orleans' assemblies cannot be loaded without one
/// another.</summary>
internal static class PublicApi
{
    private const MethodAttributes Access = MethodAttributes.MemberAccessMask;

    internal static IReadOnlyDictionary<string, PublicType> Of(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        var reader = file.GetMetadataReader();
        return reader.TypeDefinitions.Select(reader.GetTypeDefinition)
            .Where(type => IsPublic(reader, type))
            .Select(type => Read(reader, type))
            .ToDictionary(type => type.Name, StringComparer.Ordinal);
    }

    private static bool IsPublic(MetadataReader reader, TypeDefinition type) => (type.Attributes & TypeAttributes.VisibilityMask) switch
    {
        TypeAttributes.Public => true,
        TypeAttributes.NestedPublic => IsPublic(reader, reader.GetTypeDefinition(type.GetDeclaringType())),
        _ => false,
    };

    private static PublicType Read(MetadataReader reader, TypeDefinition type)
    {
        var names = new Names(reader);
        var members = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var method in type.GetMethods().Select(reader.GetMethodDefinition).Where(method => IsUsable(method.Attributes)))
        {
            members.Add(Describe(reader, method, names));
        }

        foreach (var field in type.GetFields().Select(reader.GetFieldDefinition)
            .Where(field => (field.Attributes & FieldAttributes.FieldAccessMask) is FieldAttributes.Public or FieldAttributes.Family
                or FieldAttributes.FamORAssem))
        {
            var isStatic = field.Attributes.HasFlag(FieldAttributes.Static) ? "static " : "";
            members.Add($"{isStatic}field {reader.GetString(field.Name)}: {field.DecodeSignature(names, null)}{Value(reader, field)}");
        }

        var interfaces = type.GetInterfaceImplementations().Select(each => names.Of(reader.GetInterfaceImplementation(each).Interface));
        return new(names.Of(type), type.BaseType.IsNil ? null : names.Of(type.BaseType),
            interfaces.ToHashSet(StringComparer.Ordinal), members);
    }

    private static bool IsUsable(MethodAttributes attributes) =>
        (attributes & Access) is MethodAttributes.Public or MethodAttributes.Family or MethodAttributes.FamORAssem;

    private static string Describe(MetadataReader reader, MethodDefinition method, Names names)
    {
        var signature = method.DecodeSignature(names, null);
        var parameters = method.GetParameters().Select(reader.GetParameter).Where(parameter => parameter.SequenceNumber > 0)
            .ToDictionary(parameter => parameter.SequenceNumber);
        var described = signature.ParameterTypes.Select((type, index) =>
        {
            var parameter = parameters.TryGetValue(index + 1, out var found) ? found : (Parameter?)null;
            var optional = parameter is { } given && given.Attributes.HasFlag(ParameterAttributes.Optional) ? " = default" : "";
            return $"{type} {(parameter is { } named ? reader.GetString(named.Name) : "")}{optional}";
        });
        var constraints = method.GetGenericParameters().Select(reader.GetGenericParameter)
            .SelectMany(parameter => parameter.GetConstraints()
                .Select(each => $" where !!{parameter.Index}: {names.Of(reader.GetGenericParameterConstraint(each).Type)}"));
        var access = (method.Attributes & Access) == MethodAttributes.Public ? "public" : "protected";
        var kind = method.Attributes.HasFlag(MethodAttributes.Static) ? " static"
            : method.Attributes.HasFlag(MethodAttributes.Abstract) ? " abstract"
            : (method.Attributes & (MethodAttributes.Virtual | MethodAttributes.Final)) == MethodAttributes.Virtual ? " virtual"
            : "";
        var arity = signature.GenericParameterCount == 0 ? "" : $"<{signature.GenericParameterCount}>";
        return $"{access}{kind} {reader.GetString(method.Name)}{arity}({string.Join(", ", described)}): "
            + $"{signature.ReturnType}{string.Concat(constraints)}";
    }

    private static string Value(MetadataReader reader, FieldDefinition field) =>
        field.GetDefaultValue().IsNil
            ? "" : $" = {Convert.ToHexString(reader.GetBlobBytes(reader.GetConstant(field.GetDefaultValue()).Value))}";

    /// <summary>Spells types the same way wherever they come from; the assembly is left out.</summary>
    private sealed class Names(MetadataReader reader) : ISignatureTypeProvider<string, object?>
    {
        internal string Of(TypeDefinition type) => type.GetDeclaringType().IsNil
            ? Join(reader.GetString(type.Namespace), reader.GetString(type.Name))
            : $"{Of(reader.GetTypeDefinition(type.GetDeclaringType()))}+{reader.GetString(type.Name)}";

        internal string Of(EntityHandle handle) => handle.Kind switch
        {
            HandleKind.TypeDefinition => GetTypeFromDefinition(reader, (TypeDefinitionHandle)handle, 0),
            HandleKind.TypeReference => GetTypeFromReference(reader, (TypeReferenceHandle)handle, 0),
            HandleKind.TypeSpecification => GetTypeFromSpecification(reader, null, (TypeSpecificationHandle)handle, 0),
            _ => throw new NotSupportedException($"A type is named by a {handle.Kind}."),
        };

        public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) =>
            Of(reader.GetTypeDefinition(handle));

        public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind)
        {
            var type = reader.GetTypeReference(handle);
            var name = reader.GetString(type.Name);
            return type.ResolutionScope.Kind == HandleKind.TypeReference
                ? $"{GetTypeFromReference(reader, (TypeReferenceHandle)type.ResolutionScope, 0)}+{name}"
                : Join(reader.GetString(type.Namespace), name);
        }

        public string GetTypeFromSpecification(
            MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
            reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);

        public string GetPrimitiveType(PrimitiveTypeCode typeCode) => $"System.{typeCode}";

        public string GetSZArrayType(string elementType) => $"{elementType}[]";

        public string GetArrayType(string elementType, ArrayShape shape) => $"{elementType}[{new string(',', shape.Rank - 1)}]";

        public string GetByReferenceType(string elementType) => $"{elementType}&";

        public string GetPointerType(string elementType) => $"{elementType}*";

        public string GetPinnedType(string elementType) => elementType;

        public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) =>
            $"{genericType}<{string.Join(", ", typeArguments)}>";

        public string GetGenericMethodParameter(object? genericContext, int index) => $"!!{index}";

        public string GetGenericTypeParameter(object? genericContext, int index) => $"!{index}";

        public string GetFunctionPointerType(MethodSignature<string> signature) => "function pointer";

        public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) => $"{unmodifiedType} {modifier}";

        private static string Join(string space, string name) => space.Length == 0 ? name : $"{space}.{name}";
    }
}
