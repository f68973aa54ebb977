using Orleans.Runtime;

namespace Orleans.Runtime
{
    /// <summary>The base of what the runtime itself throws.</summary>
    [GenerateSerializer]
    public class OrleansException : Exception
    {
        /// <summary>Without details.</summary>
        public OrleansException()
        {
        }

        /// <summary>With a message.</summary>
        public OrleansException(string message)
            : base(message)
        {
        }

        /// <summary>With a message and the exception behind it.</summary>
        public OrleansException(string message, Exception innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>A call was not delivered; it did not run.</summary>
    [GenerateSerializer]
    public class OrleansMessageRejectionException : OrleansException
    {
        internal OrleansMessageRejectionException(string message)
            : base(message)
        {
        }
    }

    /// <summary>The runtime ended before the answer came: whether the call ran is not known.</summary>
    [GenerateSerializer]
    public sealed class SiloUnavailableException : OrleansMessageRejectionException
    {
        /// <summary>Without details.</summary>
        public SiloUnavailableException()
            : base("The grain runtime is not available.")
        {
        }

        /// <summary>With a message.</summary>
        public SiloUnavailableException(string msg)
            : base(msg)
        {
        }
    }
}

namespace Orleans.Serialization
{
    /// <summary>A type may not cross a call or be stored, because Orleans' serializer could not take it.</summary>
    [GenerateSerializer]
    public sealed class CodecNotFoundException : OrleansException
    {
        /// <summary>With a message that names the type.</summary>
        public CodecNotFoundException(string message)
            : base(message)
        {
        }
    }
}

namespace Orleans.Serialization.Invocation
{
    /// <summary>A call as a <see cref="Concurrency.MayInterleaveAttribute"/> method sees it.</summary>
    public interface IInvokable
    {
        /// <summary>The number of arguments.</summary>
        int GetArgumentCount();

        /// <summary>An argument; it belongs to the call and must not be changed.</summary>
        object? GetArgument(int index);

        /// <summary>The name of the method.</summary>
        string GetMethodName();

        /// <summary>The full name of the interface.</summary>
        string GetInterfaceName();

        /// <summary>The interface.</summary>
        Type GetInterfaceType();
    }
}
