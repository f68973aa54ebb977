using Orleans.Runtime;

namespace Orleans.Runtime
{
    /// <summary>Marks what a call can be addressed to.</summary>
    public interface IAddressable;
}

namespace Orleans
{
    /// <summary>Marks a grain interface; derive from one of the keyed interfaces instead.</summary>
    public interface IGrain : IAddressable;

    /// <summary>Marks a grain interface whose grains are named by a string.</summary>
    public interface IGrainWithStringKey : IGrain;

    /// <summary>Marks a grain interface whose grains are named by a 64-bit integer.</summary>
    public interface IGrainWithIntegerKey : IGrain;

    /// <summary>Marks a grain interface whose grains are named by a <see cref="Guid"/>.</summary>
    public interface IGrainWithGuidKey : IGrain;

    /// <summary>What the runtime calls on a grain when its activation begins and ends.</summary>
    public interface IGrainBase
    {
        /// <summary>Called once per activation, after its persistent state was read and before its first call.</summary>
        /// <param name="token">Cancelled when activation takes longer than the runtime's activation timeout.</param>
        Task OnActivateAsync(CancellationToken token) => Task.CompletedTask;

        /// <summary>Called after the last call of an activation that ends in order; never after a crash.</summary>
        /// <param name="reason">Why the activation ends.</param>
        /// <param name="token">Cancelled when deactivation takes longer than the runtime's deactivation timeout.</param>
        Task OnDeactivateAsync(DeactivationReason reason, CancellationToken token) => Task.CompletedTask;
    }

    /// <summary>Hands out references to grains. A reference costs no call: the grain is activated by its first one.</summary>
    public interface IGrainFactory
    {
        /// <summary>A reference to the grain named by a string.</summary>
        /// <param name="primaryKey">The key; not blank.</param>
        /// <param name="grainClassNamePrefix">Chooses among several classes that implement the interface, by the start of their full
        /// name.</param>
        /// <exception cref="ArgumentException">The key is blank, or the interface has no class, or several.</exception>
        TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
            where TGrainInterface : IGrainWithStringKey;

        /// <summary>A reference to the grain named by an integer.</summary>
        /// <inheritdoc cref="GetGrain{TGrainInterface}(string, string?)"/>
        TGrainInterface GetGrain<TGrainInterface>(long primaryKey, string? grainClassNamePrefix = null)
            where TGrainInterface : IGrainWithIntegerKey;

        /// <summary>A reference to the grain named by a <see cref="Guid"/>.</summary>
        /// <inheritdoc cref="GetGrain{TGrainInterface}(string, string?)"/>
        TGrainInterface GetGrain<TGrainInterface>(Guid primaryKey, string? grainClassNamePrefix = null)
            where TGrainInterface : IGrainWithGuidKey;
    }
}
