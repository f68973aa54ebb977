using System.Diagnostics;
using System.Text.Json;
using OpenTelemetry;

namespace EmrMarket.Silos.Telemetry.Traces;

/// <summary>Writes spans to a file, a JSON object a line: for machines without a collector. A file that has grown large is set aside once,
/// so that traces never fill a disk.</summary>
internal sealed class TraceFile : BaseExporter<Activity>
{
    /// <summary>Where a file is set aside, bytes.</summary>
    public const long Largest = 64 << 20;

    private readonly string _path;
    private FileStream _file;

    /// <summary>Opens it, for its owner alone.</summary>
    public TraceFile(string path) => (_path, _file) = (path, Open(path));

    /// <inheritdoc/>
    public override ExportResult Export(in Batch<Activity> batch)
    {
        try
        {
            foreach (Activity span in batch)
            {
                _file.Write(Line(span));
            }

            _file.Flush();
            if (_file.Length >= Largest)
            {
                _file.Dispose();
                File.Move(_path, _path + ".old", overwrite: true);
                _file = Open(_path);
            }

            return ExportResult.Success;
        }
        catch (IOException)
        {
            return ExportResult.Failure;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
        }

        base.Dispose(disposing);
    }

    private static FileStream Open(string path)
    {
        FileStreamOptions options = new() { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.Read };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(path, options);
    }

    private static byte[] Line(Activity span)
    {
        using MemoryStream line = new();
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteString("trace", span.TraceId.ToHexString());
            json.WriteString("span", span.SpanId.ToHexString());
            if (span.ParentSpanId != default)
            {
                json.WriteString("parent", span.ParentSpanId.ToHexString());
            }

            json.WriteString("name", span.DisplayName);
            json.WriteString("source", span.Source.Name);
            json.WriteString("kind", span.Kind.ToString().ToLowerInvariant());
            json.WriteString("start", span.StartTimeUtc);
            json.WriteNumber("milliseconds", Math.Round(span.Duration.TotalMilliseconds, 3));
            json.WriteBoolean("failed", span.Status == ActivityStatusCode.Error);
            foreach ((string key, object? value) in span.TagObjects)
            {
                json.WriteString(key, Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture));
            }

            json.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        return line.ToArray();
    }
}
