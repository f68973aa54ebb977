using EmrMarket.Grains.Embedded.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts the embedded grain runtime into a host.</summary>
public static class EmbeddedGrainsServiceCollectionExtensions
{
    /// <summary>
    /// Adds the runtime and its <see cref="IGrainFactory"/>; the host's stop ends every activation in order. The clock is the host's
    /// <see cref="TimeProvider"/>, or the system's. One runtime per host: roles that must not meet have a host each.
    /// </summary>
    public static IServiceCollection AddEmbeddedGrains(this IServiceCollection services, Action<EmbeddedGrainOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var options = new EmbeddedGrainOptions();
        configure(options);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => new EmbeddedGrainRuntime(
            options, provider, provider.GetRequiredService<TimeProvider>(), provider.GetService<ILoggerFactory>()));
        services.AddSingleton<IGrainFactory>(provider => provider.GetRequiredService<EmbeddedGrainRuntime>());
        services.AddHostedService<GrainRuntimeService>();
        return services;
    }

    private sealed class GrainRuntimeService(EmbeddedGrainRuntime runtime) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => runtime.StopAsync(cancellationToken);
    }
}
