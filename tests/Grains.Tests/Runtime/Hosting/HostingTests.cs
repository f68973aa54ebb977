using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Embedded.State;
using EmrMarket.Grains.Tests.Runtime.Driving;
using EmrMarket.Grains.Tests.Runtime.State;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EmrMarket.Grains.Tests.Runtime.Hosting;

public sealed class HostingTests
{
    [Fact]
    public async Task Host_ends_every_activation_in_order_when_it_stops()
    {
        var script = new Script
        {
            OnDeactivate = (grain, reason) => { grain.Script.Note($"{reason.ReasonCode}"); return Task.CompletedTask; },
        };
        script.Do("step", _ => "done");
        using var host = Build(script, new MemoryGrainStateStore());
        await host.StartAsync();
        await host.Services.GetRequiredService<IGrainFactory>().GetGrain<IPlainGrain>("a").RunAsync("step");

        await host.StopAsync();

        Assert.Equal(["ShuttingDown"], script.Journal);
        await Assert.ThrowsAsync<SiloUnavailableException>(
            () => host.Services.GetRequiredService<IGrainFactory>().GetGrain<IPlainGrain>("a").RunAsync("step"));
    }

    [Fact]
    public async Task Clock_of_the_host_drives_the_runtime()
    {
        var script = new Script();
        var clock = new FakeClock();
        script.Gated("slow");
        using var host = Build(script, new MemoryGrainStateStore(), clock);
        var call = host.Services.GetRequiredService<IGrainFactory>().GetGrain<IPlainGrain>("a").RunAsync("slow");

        clock.Advance(TimeSpan.FromSeconds(30), () => { });

        await Assert.ThrowsAsync<TimeoutException>(() => call);

        // The call itself never ends, and time stands still: an end in order would wait for it.
        host.Services.GetRequiredService<EmbeddedGrainRuntime>().Kill();
    }

    [Fact]
    public async Task Many_runtimes_live_side_by_side_and_share_nothing_but_the_store()
    {
        var store = new MemoryGrainStateStore();
        for (var i = 0; i < 50; i++)
        {
            using var host = Build(new Script(), store);
            var grain = host.Services.GetRequiredService<IGrainFactory>().GetGrain<IAccountGrain>("a");
            await grain.AddAsync(1);
            Assert.StartsWith($"{i + 1} ", await grain.ShowAsync(), StringComparison.Ordinal);
            host.Services.GetRequiredService<EmbeddedGrainRuntime>().Kill();
        }
    }

    [Fact]
    public async Task Stop_that_is_cut_short_leaves_nothing_running()
    {
        var never = new TaskCompletionSource();
        var script = new Script { OnDeactivate = (_, _) => never.Task };
        script.Do("step", _ => "done");
        using var host = Build(script, new MemoryGrainStateStore());
        var runtime = host.Services.GetRequiredService<EmbeddedGrainRuntime>();
        await runtime.GetGrain<IPlainGrain>("a").RunAsync("step");

        await runtime.StopAsync(new CancellationToken(canceled: true));

        await Assert.ThrowsAsync<SiloUnavailableException>(() => runtime.GetGrain<IPlainGrain>("b").RunAsync("step"));
    }

    private static IHost Build(Script script, IGrainStateStore store, TimeProvider? clock = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        if (clock is not null)
        {
            builder.Services.AddSingleton(clock);
        }

        builder.Services.AddSingleton(script).AddScoped<ScopedService>().AddEmbeddedGrains(options =>
        {
            options.GrainAssemblies.Add(typeof(HostingTests).Assembly);
            options.StateStores[EmbeddedGrainOptions.DefaultStore] = options.StateStores["second"] = _ => store;
        });
        return builder.Build();
    }
}
