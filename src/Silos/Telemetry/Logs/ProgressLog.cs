using System.Text;

namespace EmrMarket.Silos.Telemetry.Logs;

/// <summary>Progress of what is prepared before a server serves, as events of its log.</summary>
internal sealed class ProgressLog(ILogger log) : TextWriter
{
    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <inheritdoc/>
    public override void WriteLine(string? value) => log.Prepares(value ?? "");

    /// <inheritdoc/>
    public override Task WriteLineAsync(string? value)
    {
        WriteLine(value);
        return Task.CompletedTask;
    }
}
