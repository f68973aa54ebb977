namespace EmrMarket.OrleansApi;

/// <summary>What the embedded runtime offers under Orleans' names must be there in Orleans, spelled the same: then grains compile against
/// either.</summary>
public sealed class RuntimeApiTests
{
    private const string Serialization = "in Orleans.Serialization.Abstractions, which the registry of the build machines lacks";
    private const string Core = "in Orleans.Core, Orleans.Runtime or Orleans.Serialization, which the registry of the build machines lacks";

    /// <summary>Types that Orleans.Core.Abstractions does not have, and why; their stand-ins, which grain sources compile against, are
    /// compared instead.</summary>
    private static readonly Dictionary<string, string> NotInAbstractions = new(StringComparer.Ordinal)
    {
        ["Orleans.AliasAttribute"] = Serialization,
        ["Orleans.GenerateSerializerAttribute"] = Serialization,
        ["Orleans.IdAttribute"] = Serialization,
        ["Orleans.ImmutableAttribute"] = Serialization,
        ["Orleans.ResponseTimeoutAttribute"] = Serialization,
        ["Orleans.CollectionAgeLimitAttribute"] = Core,
        ["Orleans.KeepAliveAttribute"] = Core,
        ["Orleans.Runtime.IPersistentState`1"] = Core,
        ["Orleans.Runtime.PersistentStateAttribute"] = Core,
        ["Orleans.Serialization.CodecNotFoundException"] = Core,
        ["Orleans.Serialization.Invocation.IInvokable"] = Core,
        ["Orleans.Storage.InconsistentStateException"] = Core,
    };

    /// <summary>Where the two differ although the type is in both, and why no grain can tell.</summary>
    private static readonly Dictionary<string, string> Differences = new(StringComparer.Ordinal)
    {
        ["Orleans.Concurrency.StatelessWorkerAttribute: base System.Attribute"] =
            "Orleans derives it from PlacementAttribute; placement is not used",
    };

    private static readonly string Reference = Path.GetFullPath(
        Path.Combine(AppContext.BaseDirectory, "..", "..", "EmrMarket.OrleansApi.GrainSources",
            new DirectoryInfo(AppContext.BaseDirectory).Name));

    private static readonly string Embedded = typeof(Grain).Assembly.Location;

    private static IReadOnlyDictionary<string, PublicType> Abstractions =>
        PublicApi.Of(Path.Combine(Reference, "Orleans.Core.Abstractions.dll"));

    private static Dictionary<string, PublicType> StandIns =>
        new[] { "Orleans.Serialization.Abstractions.dll", "Orleans.Serialization.dll", "EmrMarket.OrleansApi.GrainSources.dll" }
        .SelectMany(name => PublicApi.Of(Path.Combine(Reference, name)))
        .Where(each => each.Key.StartsWith("Orleans", StringComparison.Ordinal))
        .ToDictionary(StringComparer.Ordinal);

    private static IEnumerable<PublicType> Mirrored =>
        PublicApi.Of(Embedded).Values.Where(type => type.Name.StartsWith("Orleans", StringComparison.Ordinal));

    [Fact]
    public void Every_mirrored_type_and_member_is_in_orleans_with_the_same_signature()
    {
        var abstractions = Abstractions;

        var faults = Mirrored.Where(type => !NotInAbstractions.ContainsKey(type.Name)).SelectMany(type => Compare(type, abstractions))
            .ToList();

        Assert.Equal(Differences.Keys.Order(StringComparer.Ordinal), faults.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_abstractions_lacks_is_as_the_stand_ins_have_it()
    {
        var standIns = StandIns;

        Assert.Empty(Mirrored.Where(type => NotInAbstractions.ContainsKey(type.Name)).SelectMany(type => Compare(type, standIns)));
    }

    [Fact]
    public void Allow_list_names_only_what_abstractions_really_lacks_and_the_runtime_really_has()
    {
        var abstractions = Abstractions;
        var mirrored = Mirrored.Select(type => type.Name).ToHashSet(StringComparer.Ordinal);

        Assert.All(NotInAbstractions.Keys,
            name => Assert.False(abstractions.ContainsKey(name), $"{name} is in Orleans.Core.Abstractions."));
        Assert.All(NotInAbstractions.Keys, name => Assert.Contains(name, mirrored));
        Assert.All(StandIns.Keys, name => Assert.False(abstractions.ContainsKey(name), $"The stand-in {name} hides the real one."));
    }

    [Fact]
    public void Runtime_mirrors_what_grains_use()
    {
        var mirrored = Mirrored.Select(type => type.Name).ToHashSet(StringComparer.Ordinal);

        Assert.Subset(mirrored, new HashSet<string>(StringComparer.Ordinal)
        {
            "Orleans.Grain", "Orleans.IGrainBase", "Orleans.IGrainFactory", "Orleans.IGrainWithStringKey", "Orleans.IGrainWithIntegerKey",
            "Orleans.IGrainWithGuidKey", "Orleans.GrainExtensions", "Orleans.GrainBaseExtensions", "Orleans.Runtime.IGrainTimer",
            "Orleans.Runtime.GrainTimerCreationOptions", "Orleans.Runtime.RequestContext", "Orleans.Core.IStorage`1",
            "Orleans.Concurrency.ReentrantAttribute", "Orleans.Concurrency.StatelessWorkerAttribute",
            "Orleans.Concurrency.AlwaysInterleaveAttribute", "Orleans.Concurrency.ReadOnlyAttribute", "Orleans.Concurrency.OneWayAttribute",
            "Orleans.Concurrency.MayInterleaveAttribute", "Orleans.GrainTypeAttribute", "Orleans.DeactivationReason",
        });
    }

    [Fact]
    public void Comparison_finds_planted_differences()
    {
        var real = Abstractions["Orleans.Runtime.IGrainTimer"];
        var renamed = real with
        {
            Members = real.Members.Select(member => member.Replace("dueTime", "due", StringComparison.Ordinal))
                .ToHashSet(StringComparer.Ordinal),
        };
        var invented = real with { Name = "Orleans.Runtime.IInvented" };
        var widened = real with { Interfaces = new HashSet<string>(StringComparer.Ordinal) { "System.IAsyncDisposable" } };

        Assert.Empty(Compare(real, Abstractions));
        Assert.Single(Compare(renamed, Abstractions));
        Assert.Equal(["Orleans.Runtime.IInvented: not in Orleans"], Compare(invented, Abstractions));
        Assert.Equal(["Orleans.Runtime.IGrainTimer: interface System.IAsyncDisposable"], Compare(widened, Abstractions));
    }

    private static IEnumerable<string> Compare(PublicType own, IReadOnlyDictionary<string, PublicType> orleans)
    {
        if (!orleans.TryGetValue(own.Name, out var real))
        {
            return [$"{own.Name}: not in Orleans"];
        }

        var members = own.Members.Except(real.Members, StringComparer.Ordinal).Select(member => $"{own.Name}: {member}");
        var interfaces = own.Interfaces.Except(real.Interfaces, StringComparer.Ordinal).Select(each => $"{own.Name}: interface {each}");
        return string.Equals(own.Base, real.Base, StringComparison.Ordinal)
            ? members.Concat(interfaces) : [$"{own.Name}: base {own.Base}", .. members, .. interfaces];
    }
}
