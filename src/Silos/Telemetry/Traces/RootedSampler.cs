using OpenTelemetry.Trace;

namespace EmrMarket.Silos.Telemetry.Traces;

/// <summary>Keeps a share of traces by their id, so that both ends of the link keep the same ones and nobody's wish counts. A statement
/// or a question outside a trace of this program begins none.</summary>
internal sealed class RootedSampler(double ratio) : Sampler
{
    private readonly TraceIdRatioBasedSampler _sampler = new(ratio);

    /// <inheritdoc/>
    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters) =>
        samplingParameters.ParentContext.TraceId == default && samplingParameters.Kind == System.Diagnostics.ActivityKind.Client
            ? new SamplingResult(SamplingDecision.Drop) : _sampler.ShouldSample(samplingParameters);
}
