using System.Globalization;
using EmrMarket.Grains.Embedded.Activations;
using EmrMarket.Grains.Embedded.Calls;
using Orleans.Runtime;

namespace Orleans;

/// <summary>The base of every grain class.</summary>
public abstract class Grain : IGrainBase, IAddressable
{
    private readonly Activation? _activation;

    /// <summary>Binds the grain to the activation that is being built; a grain made with <c>new</c> has none, and says so when it needs
    /// one.</summary>
    protected Grain() => _activation = Activation.UnderConstruction;

    internal Activation Activation => _activation ?? throw new InvalidOperationException(
        $"{GetType().Name} was created with new and not by the grain runtime: get a reference from IGrainFactory.GetGrain instead.");

    /// <summary>References to other grains.</summary>
    protected IGrainFactory GrainFactory => Activation.Runtime;

#pragma warning disable CA1725 // Orleans names the parameters of the class and of its interface differently; both are kept.
    /// <summary>Called once per activation, after its persistent state was read and before its first call.</summary>
    /// <param name="cancellationToken">Cancelled when activation takes longer than the runtime's activation timeout.</param>
    public virtual Task OnActivateAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Called after the last call of an activation that ends in order; never after a crash.</summary>
    /// <param name="reason">Why the activation ends.</param>
    /// <param name="cancellationToken">Cancelled when deactivation takes longer than the runtime's deactivation timeout.</param>
    public virtual Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => Task.CompletedTask;
#pragma warning restore CA1725

    /// <summary>Ends this activation as soon as the calls that run in it are done; later calls go to a new activation.</summary>
    protected void DeactivateOnIdle() => Activation.RequestDeactivation(
        new(DeactivationReasonCode.ApplicationRequested, $"{nameof(DeactivateOnIdle)} was called."));

    /// <summary>Exempts this activation from idle collection for a time.</summary>
    /// <param name="timeSpan">How long from now; zero or less cancels an earlier delay, <see cref="Timeout.InfiniteTimeSpan"/> never
    /// collects.</param>
    protected void DelayDeactivation(TimeSpan timeSpan) => Activation.DelayDeactivation(timeSpan);
}

/// <summary>What a grain or a reference to one tells of itself.</summary>
public static class GrainExtensions
{
    /// <summary>The key of a grain named by a string.</summary>
    /// <exception cref="ArgumentException">The object is neither a grain nor a reference to one.</exception>
    public static string GetPrimaryKeyString(this IAddressable grain) => KeyOf(grain);

    /// <summary>The key of a grain named by an integer.</summary>
    /// <exception cref="InvalidOperationException">The grain is not named by an integer.</exception>
    public static long GetPrimaryKeyLong(this IAddressable grain)
    {
        var key = KeyOf(grain);
        return long.TryParse(key, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new InvalidOperationException($"The grain's key '{key}' is not an integer: its interface is not IGrainWithIntegerKey.");
    }

    /// <summary>The key of a grain named by a <see cref="Guid"/>.</summary>
    /// <exception cref="InvalidOperationException">The grain is not named by a <see cref="Guid"/>.</exception>
    public static Guid GetPrimaryKey(this IAddressable grain)
    {
        var key = KeyOf(grain);
        return Guid.TryParseExact(key, "N", out var guid)
            ? guid
            : throw new InvalidOperationException($"The grain's key '{key}' is not a GUID: its interface is not IGrainWithGuidKey.");
    }

    /// <summary>A reference to a grain, for example of a grain to itself, which may be passed in a call.</summary>
    /// <exception cref="ArgumentException">The grain does not implement the interface, or is no grain.</exception>
    public static TGrainInterface AsReference<TGrainInterface>(this IAddressable grain) => grain switch
    {
        Grain instance => (TGrainInterface)(object)instance.Activation.Runtime.Reference(typeof(TGrainInterface), instance.Activation.Id),
        GrainReference reference => (TGrainInterface)(object)reference.Runtime.Reference(typeof(TGrainInterface), reference.Id),
        _ => throw NotAGrain(grain),
    };

    internal static string IntegerKey(long key) => key.ToString("X", CultureInfo.InvariantCulture);

    internal static string GuidKey(Guid key) => key.ToString("N");

    private static string KeyOf(IAddressable grain) => grain switch
    {
        Grain instance => instance.Activation.Id.Key,
        GrainReference reference => reference.Id.Key,
        _ => throw NotAGrain(grain),
    };

    private static ArgumentException NotAGrain(IAddressable? grain) =>
        new($"{grain?.GetType().FullName ?? "null"} is neither a grain nor a reference from IGrainFactory.", nameof(grain));
}
