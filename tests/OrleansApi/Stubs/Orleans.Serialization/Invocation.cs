namespace Orleans.Serialization.Invocation;

/// <summary>IGrainContext derives from it.</summary>
public interface ITargetHolder;

/// <summary>What a [MayInterleave] method is given.</summary>
public interface IInvokable
{
    int GetArgumentCount();

    object? GetArgument(int index);

    string GetMethodName();

    string GetInterfaceName();

    Type GetInterfaceType();
}
