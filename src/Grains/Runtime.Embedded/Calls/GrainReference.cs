using EmrMarket.Grains.Embedded.Activations;
using EmrMarket.Grains.Embedded.Copying;
using EmrMarket.Grains.Embedded.Hosting;
using Orleans.Runtime;

namespace EmrMarket.Grains.Embedded.Calls;

/// <summary>What IGrainFactory hands out: the generated proxies derive from it and pass each call on as one message.</summary>
internal abstract class GrainReference : IAddressable, IEquatable<GrainReference>
{
    protected GrainReference(EmbeddedGrainRuntime runtime, GrainId id)
    {
        Runtime = runtime;
        Id = id;
    }

    internal EmbeddedGrainRuntime Runtime { get; }

    internal GrainId Id { get; }

    public bool Equals(GrainReference? other) => other is not null && ReferenceEquals(other.Runtime, Runtime) && other.Id == Id;

    public override bool Equals(object? obj) => Equals(obj as GrainReference);

    public override int GetHashCode() => Id.GetHashCode();

    public override string ToString() => Id.ToString();

    protected Task SendTask<TArguments>(GrainMethod<TArguments, Nothing> method, TArguments arguments) => Send(method, arguments);

    protected Task<TResult> SendTaskOfResult<TArguments, TResult>(GrainMethod<TArguments, TResult> method, TArguments arguments) =>
        Send(method, arguments);

    protected ValueTask SendValueTask<TArguments>(GrainMethod<TArguments, Nothing> method, TArguments arguments) =>
        new(Send(method, arguments));

    protected ValueTask<TResult> SendValueTaskOfResult<TArguments, TResult>(
        GrainMethod<TArguments, TResult> method, TArguments arguments) =>
        new(Send(method, arguments));

    private Task<TResult> Send<TArguments, TResult>(GrainMethod<TArguments, TResult> method, TArguments arguments)
    {
        var context = RequestContext.Values;
        var copying = CopyContext.Rent();
        Call<TArguments, TResult> call;
        try
        {
            Copier<TResult>.Require();
            method.CopyArguments?.Invoke(ref arguments, copying);
            call = new Call<TArguments, TResult>(Runtime, Id, method, arguments, CopyOf(context, copying));
        }
#pragma warning disable CA1031 // An argument that cannot be copied fails the call like any other fault of it.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return Task.FromException<TResult>(exception);
        }
        finally
        {
            copying.Return();
        }

        return call.Send();
    }

    private static Dictionary<string, object>? CopyOf(Dictionary<string, object>? values, CopyContext copying)
    {
        if (values is null)
        {
            return null;
        }

        var copy = new Dictionary<string, object>(values.Count, StringComparer.Ordinal);
        foreach (var (key, value) in values)
        {
            copy.Add(key, DeepCopy.CopyUntyped(value, copying)!);
        }

        return copy;
    }
}
