namespace EmrMarket.Contracts.Ethereum;

/// <summary>The root of every error of the chain client. The message says what failed, expected against got, and what to do.</summary>
public abstract class EthereumException : Exception
{
    /// <summary>Makes an error with its sentence.</summary>
    protected EthereumException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>True when the same request may succeed later without anybody changing anything. Repeating is always safe: a
    /// transaction is repeated with the same bytes.</summary>
    public virtual bool IsTransient => false;
}
