using EmrMarket.Grains.Embedded.Activations;

namespace EmrMarket.Grains.Embedded.Calls;

/// <summary>Something that an activation runs as one request: a call or a tick of a timer.</summary>
internal abstract class Message
{
    /// <summary>The next message that waits for the same activation; owned by its waiting list.</summary>
    internal Message? NextWaiting { get; set; }

    /// <summary>How many activations ended with this message waiting.</summary>
    internal int Forwards { get; set; }

    internal abstract bool AlwaysInterleaves { get; }

    internal abstract bool IsReadOnly { get; }

    /// <summary>Whether it counts as use of the activation.</summary>
    internal abstract bool IsUse { get; }

    /// <summary>Whether nobody waits for the outcome any more, so that it need not begin.</summary>
    internal abstract bool IsAbandoned { get; }

    /// <summary>The values of the request context under which it runs.</summary>
    internal virtual Dictionary<string, object>? RequestContext => null;

    /// <summary>Runs it in a turn of the activation, which hears of the end through <see cref="Activation.Completed"/>.</summary>
    internal abstract void Start(Activation activation);

    /// <summary>Tells whoever waits that it did not run.</summary>
    internal abstract void Reject(Exception exception);
}
