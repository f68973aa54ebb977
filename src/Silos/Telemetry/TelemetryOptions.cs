using System.Globalization;
using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Telemetry.Logs;

namespace EmrMarket.Silos.Telemetry;

/// <summary>What an operator is told, and where. Nothing is opened but by name: no measures, no traces, logs as text.</summary>
internal sealed record TelemetryOptions
{
    /// <summary>Where <c>/metrics</c> is; null for nowhere.</summary>
    public Uri? Metrics { get; init; }

    /// <summary>What whoever reads it has to show; null where this machine alone reaches it.</summary>
    public string? MetricsToken { get; init; }

    /// <summary>The file whose time is that of the last backup.</summary>
    public string BackupFile { get; init; } = "";

    /// <summary>The file that spans are written to; null for none.</summary>
    public string? TraceFile { get; init; }

    /// <summary>Where spans are sent by OTLP; null for nowhere.</summary>
    public Uri? TraceUrl { get; init; }

    /// <summary>The share of traces that are kept, 0 to 1.</summary>
    public double TraceRatio { get; init; } = 1;

    /// <summary>The form of the lines on standard error.</summary>
    public LogForm LogForm { get; init; }

    /// <summary>The least level that is written.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Reads them.</summary>
    /// <param name="settings">All layers.</param>
    /// <param name="root">The folder of the process.</param>
    /// <param name="isLocal">Whether an address is reached by this machine alone.</param>
    /// <exception cref="CommandException">A value is not of its form, or others would read measures unasked.</exception>
    public static TelemetryOptions From(Settings settings, string root, Func<Uri, bool> isLocal)
    {
        Uri? metrics = Address(settings, SettingKeys.MetricsUrls, "http");
        string? token = settings[SettingKeys.MetricsTokenFile] is { } file
            ? Secrets.FromFile("the token", file, SettingKeys.MetricsTokenFile) : null;
        return metrics is not null && token is null && !isLocal(metrics)
            ? throw Wrong(settings, SettingKeys.MetricsUrls,
                $"is reached by others, who would read it unasked: name a file of mode 0600 with {SettingKeys.MetricsTokenFile}, or "
                    + "listen on 127.0.0.1")
            : new TelemetryOptions
            {
                Metrics = metrics,
                MetricsToken = token,
                BackupFile = settings[SettingKeys.MetricsBackupFile] ?? Path.Combine(root, "last-backup.json"),
                TraceFile = settings[SettingKeys.TracesFile],
                TraceUrl = Address(settings, SettingKeys.TracesUrl, "http", "https"),
                TraceRatio = double.TryParse(
                    settings[SettingKeys.TracesRatio], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double ratio)
                    && ratio is >= 0 and <= 1 ? ratio : throw Wrong(settings, SettingKeys.TracesRatio, "lies in 0 to 1"),
                LogForm = settings[SettingKeys.LogsFormat] switch
                {
                    "text" => LogForm.Text,
                    "json" => LogForm.Json,
                    var other => throw Wrong(settings, SettingKeys.LogsFormat, $"is text or json, got '{other}'"),
                },
                LogLevel = settings[SettingKeys.LogsLevel] switch
                {
                    "information" => LogLevel.Information,
                    "warning" => LogLevel.Warning,
                    "error" => LogLevel.Error,
                    var other => throw Wrong(settings, SettingKeys.LogsLevel, $"is information, warning or error, got '{other}'"),
                },
            };
    }

    private static Uri? Address(Settings settings, string key, params string[] schemes) => settings[key] is not { } text ? null
        : Uri.TryCreate(text, UriKind.Absolute, out Uri? parsed) && schemes.Contains(parsed.Scheme, StringComparer.Ordinal) ? parsed
        : throw Wrong(settings, key, $"is an {schemes[^1]} URL, got '{text}'");

    private static CommandException Wrong(Settings settings, string key, string expected) =>
        new(ExitCode.Usage, $"{key} {expected} (said by {settings.SourceOf(key)})");
}
