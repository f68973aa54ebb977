using System.Reflection;
using EmrMarket.Grains.Embedded.State;

namespace EmrMarket.Grains.Embedded.Hosting;

/// <summary>How a runtime behaves. The times are those of Orleans unless set.</summary>
public sealed class EmbeddedGrainOptions
{
    /// <summary>The name of the store of states that name none.</summary>
    public const string DefaultStore = "Default";

    /// <summary>Whose grain classes the runtime can activate.</summary>
    public ISet<Assembly> GrainAssemblies { get; } = new HashSet<Assembly>();

    /// <summary>The stores by the names that [PersistentState] uses; each is made once per runtime, at its first use, and disposed by
    /// whoever made it.</summary>
    public IDictionary<string, Func<IServiceProvider, IGrainStateStore>> StateStores { get; } =
        new Dictionary<string, Func<IServiceProvider, IGrainStateStore>>(StringComparer.Ordinal);

    /// <summary>How long a caller waits for an answer, unless the method has [ResponseTimeout]; <see cref="Timeout.InfiniteTimeSpan"/> for
    /// ever.</summary>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an activation may be idle, unless its class says otherwise.</summary>
    public TimeSpan CollectionAge { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How often idle activations are looked for.</summary>
    public TimeSpan CollectionQuantum { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long reading state and OnActivateAsync may take together.</summary>
    public TimeSpan ActivationTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long OnDeactivateAsync may take.</summary>
    public TimeSpan DeactivationTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a call is passed on because the activation that should have run it ended first.</summary>
    public int MostForwards { get; set; } = 2;

    /// <summary>Who runs the turns: the thread pool, unless a simulation decides.</summary>
    public ITurnScheduler Turns { get; set; } = ThreadPoolTurns.Instance;
}
