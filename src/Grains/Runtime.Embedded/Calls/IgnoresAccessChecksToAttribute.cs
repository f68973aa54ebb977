namespace System.Runtime.CompilerServices;

/// <summary>Known to the runtime by its name alone: the assembly that carries it may use the internal types of the one that it
/// names.</summary>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
internal sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
{
    public string AssemblyName { get; } = assemblyName;
}
