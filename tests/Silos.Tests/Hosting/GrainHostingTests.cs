using System.Runtime.CompilerServices;
using EmrMarket.Silos.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans;

namespace EmrMarket.Silos.Tests.Hosting;

public sealed class GrainHostingTests
{
    private static readonly string Samples = Path.Combine(Root(), "deploy", "cluster");

    [Fact]
    public void Sample_configurations_of_a_cluster_are_understood_to_the_last_key()
    {
        var silos = Directory.GetFiles(Samples, "emr.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(Read)
            .ToList();

        Assert.Equal(2, silos.Count);
        Assert.All(silos, silo => Assert.Equal(TimeSpan.FromSeconds(5), silo.ResponseTimeout));
        Assert.Single(silos.Select(silo => silo.Cluster!.ClusterId).Distinct(StringComparer.Ordinal));
        Assert.Equal(4, silos.SelectMany(silo => new[] { silo.Cluster!.SiloPort, silo.Cluster.GatewayPort }).Distinct().Count());
        Assert.All(silos, silo => Assert.DoesNotContain("password", silo.Cluster!.ConnectionString, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Embedded_build_refuses_a_cluster_instead_of_running_alone()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddJsonFile(Path.Combine(Samples, "silo-1", "emr.json"));

        var fault = Assert.Throws<InvalidOperationException>(() => builder.AddGrains(typeof(GrainHostingTests).Assembly));

        Assert.Contains("-p:GrainRuntime=Orleans", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Embedded_build_hands_out_grains_of_the_named_assemblies()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.AddGrains(typeof(GrainHostingTests).Assembly);
        using var host = builder.Build();

        Assert.Equal("a", host.Services.GetRequiredService<IGrainFactory>().GetGrain<IHostedGrain>("a").GetPrimaryKeyString());
    }

    private static GrainSettings Read(string path)
    {
        var section = new ConfigurationBuilder().AddJsonFile(path).Build().GetSection(GrainSettings.Section);
        return section.Get<GrainSettings>(options => options.ErrorOnUnknownConfiguration = true)!;
    }

    private static string Root([CallerFilePath] string path = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", ".."));
}

internal interface IHostedGrain : IGrainWithStringKey
{
    Task NothingAsync();
}

internal sealed class HostedGrain : Grain, IHostedGrain
{
    public Task NothingAsync() => Task.CompletedTask;
}
