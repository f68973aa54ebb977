namespace EmrMarket.Grains.Embedded.Activations;

/// <summary>Which grain: its class and its key.</summary>
internal readonly record struct GrainId(GrainClass Class, string Key)
{
    public override string ToString() => $"{Class.Name}/{Key}";
}
