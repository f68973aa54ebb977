using System.Reflection;
using EmrMarket.Grains.Tests.Cluster;

namespace EmrMarket.OrleansApi;

/// <summary>Every type that a grain call or a grain's state can hold keeps the rules; and each rule is shown to find its fault.</summary>
public sealed class WireTypeTests
{
    /// <summary>The projects of src/Grains, found by their output, so that a new one is checked without being named here.</summary>
    private static IReadOnlyList<Assembly> GrainAssemblies =>
        [.. Directory.GetFiles(AppContext.BaseDirectory, "EmrMarket.Grains.*.dll")
            .Where(path => !path.EndsWith("Runtime.Embedded.dll", StringComparison.Ordinal))
            .Select(Assembly.LoadFrom)];

    [Fact]
    public void Every_type_that_grains_send_or_store_keeps_the_rules()
    {
        Assert.NotEmpty(GrainAssemblies);

        var faults = WireTypeRules.Check(GrainAssemblies.SelectMany(assembly => assembly.GetTypes()));

        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    [Fact]
    public void Example_of_every_feature_keeps_the_rules() =>
        Assert.Empty(
            WireTypeRules.Check([typeof(IEveryFeatureGrain), typeof(EveryFeatureGrain), typeof(INumberGrain), typeof(IIdentityGrain)]));

    [Theory]
    [InlineData(typeof(IUnmarked), "Unmarked: no [GenerateSerializer]")]
    [InlineData(typeof(INested), "Unmarked: no [GenerateSerializer]")]
    [InlineData(typeof(IWithoutAlias), "WithoutAlias: no [Alias]")]
    [InlineData(typeof(ISameAlias), "is also that of")]
    [InlineData(typeof(IWithoutId), "Forgotten: no [Id]")]
    [InlineData(typeof(ISameId), "[Id(1)] is used twice")]
    [InlineData(typeof(ISettable), "Value: no init accessor")]
    [InlineData(typeof(IField), "Value: a field and not a property")]
    [InlineData(typeof(IPositional), "Positional: a positional record")]
    [InlineData(typeof(IUnknownCollection), "HashSet")]
    [InlineData(typeof(ITuple), "ValueTuple")]
    [InlineData(typeof(IReturnsNothing), "returns Void")]
    [InlineData(typeof(IReturnsValue), "returns Int32")]
    [InlineData(typeof(OpenStateGrain), "a state is sealed")]
    [InlineData(typeof(UnmarkedException), "UnmarkedException: no [GenerateSerializer]")]
    public void Rule_finds_its_planted_fault(Type planted, string fault) =>
        Assert.Contains(WireTypeRules.Check([planted]), found => found.Contains(fault, StringComparison.Ordinal));

    private interface IUnmarked : IGrainWithStringKey
    {
        Task SendAsync(Unmarked message);
    }

    private interface INested : IGrainWithStringKey
    {
        Task<Dictionary<string, List<Outer[]>>> GiveAsync();
    }

    private interface IWithoutAlias : IGrainWithStringKey
    {
        Task SendAsync(WithoutAlias message);
    }

    private interface ISameAlias : IGrainWithStringKey
    {
        Task SendAsync(SameAlias one, SameAliasToo other);
    }

    private interface IWithoutId : IGrainWithStringKey
    {
        Task SendAsync(WithoutId message);
    }

    private interface ISameId : IGrainWithStringKey
    {
        Task SendAsync(SameId message);
    }

    private interface ISettable : IGrainWithStringKey
    {
        Task SendAsync(Settable message);
    }

    private interface IField : IGrainWithStringKey
    {
        Task SendAsync(Field message);
    }

    private interface IPositional : IGrainWithStringKey
    {
        Task SendAsync(Positional message);
    }

    private interface IUnknownCollection : IGrainWithStringKey
    {
        Task SendAsync(HashSet<int> message);
    }

    private interface ITuple : IGrainWithStringKey
    {
        Task SendAsync((int, int) message);
    }

    private interface IReturnsNothing : IGrainWithStringKey
    {
        void Send();
    }

    private interface IReturnsValue : IGrainWithStringKey
    {
        int Send();
    }

    private sealed class Unmarked
    {
        public int Value { get; init; }
    }

    [GenerateSerializer, Alias("outer")]
    private sealed class Outer
    {
        [Id(0)]
        public Unmarked? Inner { get; init; }
    }

    [GenerateSerializer]
    private sealed class WithoutAlias;

    [GenerateSerializer, Alias("same")]
    private sealed class SameAlias;

    [GenerateSerializer, Alias("same")]
    private sealed class SameAliasToo;

    [GenerateSerializer, Alias("without id")]
    private sealed class WithoutId
    {
        public int Forgotten { get; init; }
    }

    [GenerateSerializer, Alias("same id")]
    private sealed class SameId
    {
        [Id(1)]
        public int One { get; init; }

        [Id(1)]
        public int Other { get; init; }
    }

    [GenerateSerializer, Alias("settable")]
    private sealed class Settable
    {
        [Id(0)]
        public int Value { get; set; }
    }

    [GenerateSerializer, Alias("field")]
    private sealed class Field
    {
        [Id(0)]
#pragma warning disable CS0649 // The fault is that it is a field; nobody sets it.
        public int Value;
#pragma warning restore CS0649
    }

    [GenerateSerializer, Alias("positional")]
    private sealed record Positional([property: Id(0)] int Value);

    [GenerateSerializer, Alias("open state")]
    private class OpenState
    {
        [Id(0)]
        public int Value { get; set; }
    }

    [GenerateSerializer, Alias("derived state")]
    private sealed class DerivedState : OpenState;

    private sealed class OpenStateGrain([PersistentState("state")] IPersistentState<OpenState> state) : Grain
    {
        public OpenState State => state.State is DerivedState derived ? derived : state.State;
    }

    private sealed class UnmarkedException : Exception;
}
