namespace EmrMarket.Contracts.Ethereum.JsonRpc;

/// <summary>The node did not answer: no connection, an HTTP error, or no answer in time.</summary>
public sealed class NodeUnreachableException(Uri node, string problem, Exception? inner = null)
    : EthereumException(
        $"the node at {JsonRpcConnection.Display(node)} did not answer: {problem}. Check that it runs and that the address is right "
            + "(./emr chain status); nothing is lost, the same request is repeated", inner)
{
    /// <inheritdoc/>
    public override bool IsTransient => true;
}

/// <summary>The node limits how often it may be asked.</summary>
public sealed class RateLimitedException(Uri node, TimeSpan? retryAfter)
    : EthereumException($"the node at {JsonRpcConnection.Display(node)} limits the rate of requests"
        + (retryAfter is { } wait ? FormattableString.Invariant($" and asks to wait {wait.TotalSeconds:0} s") : "")
        + ": ask less often, use a node of your own, or raise its limit; the same request is repeated later")
{
    /// <summary>How long the node asks to wait.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <inheritdoc/>
    public override bool IsTransient => true;
}

/// <summary>The node's answer is not what JSON-RPC and the question demand: truncated, of another shape, or about something else.</summary>
public sealed class MalformedAnswerException(string method, string problem, Exception? inner = null)
    : EthereumException(
        $"the node's answer to {method} cannot be used: {problem}. Nothing was taken from it; the question is repeated, and if this "
            + "stays, another node or a proxy without changes to the body is needed", inner)
{
    /// <inheritdoc/>
    public override bool IsTransient => true;
}

/// <summary>The node answered with an error of its own.</summary>
public sealed class NodeErrorException(string method, long code, string nodeMessage)
    : EthereumException(FormattableString.Invariant($"the node refused {method} with error {code}: {nodeMessage}"))
{
    /// <summary>The JSON-RPC error code.</summary>
    public long Code { get; } = code;
}

/// <summary>The node follows another chain than the one that is meant, or changed it under way.</summary>
public sealed class WrongChainException(ulong expected, ulong actual)
    : EthereumException(
        $"the node follows chain {actual}, expected chain {expected}: nothing was sent to it. Point to a node of chain {expected}, or to "
            + $"the deployment of chain {actual}")
{
    /// <summary>The chain that is meant.</summary>
    public ulong Expected { get; } = expected;

    /// <summary>The chain that the node follows.</summary>
    public ulong Actual { get; } = actual;
}
