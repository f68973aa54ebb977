using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Ledger;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Silos.Hosting;
using EmrMarket.Silos.Telemetry.Logs;
using EmrMarket.Silos.Telemetry.Metrics;
using EmrMarket.Silos.Telemetry.Traces;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace EmrMarket.Silos.Telemetry;

/// <summary>What tells an operator how a process does: its measures, traces and log lines, from its start to its end.</summary>
internal sealed class ProcessTelemetry : IAsyncDisposable
{
    private readonly TelemetryOptions _options;
    private readonly Lock _collecting = new();
    private readonly MetricText? _text;
    private readonly MetricReader? _reader;
    private readonly MeterProvider? _meters;
    private readonly TracerProvider? _traces;
    private WebApplication? _host;
    private RoleReadings? _readings;

    private ProcessTelemetry(TelemetryOptions options, bool hasSites)
    {
        _options = options;
        Logs = LogSetup.Create(options.LogForm, options.LogLevel);
        if (options.Metrics is not null)
        {
            _text = new MetricText(hasSites);
            _reader = new BaseExportingMetricReader(_text);
            _meters = Meters(_reader);
        }

        if (options.TraceFile is not null || options.TraceUrl is not null)
        {
            _traces = Traces(options);
        }
    }

    /// <summary>The loggers of the process.</summary>
    public ILoggerFactory Logs { get; }

    /// <summary>Where <c>/metrics</c> listens; empty for nowhere.</summary>
    public IEnumerable<string> Urls => _host?.Urls ?? [];

    /// <summary>Begins to log, to trace and to count.</summary>
    /// <param name="options">What is told, and where.</param>
    /// <param name="hasSites">Whether the process has sites.</param>
    public static ProcessTelemetry Start(TelemetryOptions options, bool hasSites) => new(options, hasSites);

    /// <summary>What reads the measures that are in the table, and nothing else.</summary>
    public static MeterProvider Meters(MetricReader reader) => Sdk.CreateMeterProviderBuilder()
        .ConfigureResource(resource => resource.Clear())
        .AddMeter(SilosMeter.Name, EthereumTelemetry.Name, LedgerTelemetry.Name, MarketTelemetry.Name, "EmrMarket.Grains")
        .AddMeter("System.Runtime", "Microsoft.AspNetCore.Hosting", "Npgsql")
        .AddView(instrument => !InstrumentTable.All.TryGetValue(instrument.Name, out Instrument? row) ? MetricStreamConfiguration.Drop
            : row.Kind == InstrumentKind.Histogram
            ? new ExplicitBucketHistogramConfiguration { TagKeys = row.Labels, Boundaries = row.Bounds, RecordMinMax = false }
            : new MetricStreamConfiguration { TagKeys = row.Labels })
        .AddReader(reader)
        .Build();

    /// <summary>Begins to show the measures, with the gauges of what stands in tables.</summary>
    /// <exception cref="Commands.CommandException">It cannot listen.</exception>
    public async Task ShowAsync(ReadProcess process, CancellationToken cancellationToken)
    {
        if (_options.Metrics is { } url)
        {
            _readings = await RoleReadings.StartAsync(process);
            _host = await MetricsHost.StartAsync(url, _options.MetricsToken, Collect, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }

        if (_readings is not null)
        {
            await _readings.DisposeAsync();
        }

        _meters?.Dispose();
        _traces?.Dispose();
        _reader?.Dispose();
        _text?.Dispose();
        Logs.Dispose();
    }

    private static TracerProvider Traces(TelemetryOptions options)
    {
        TracerProviderBuilder builder = Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(resource => resource.Clear().AddService("emrmarket", autoGenerateServiceInstanceId: false))
            .AddSource(Spans.Name, EthereumTelemetry.Name, "EmrMarket.Grains", "Npgsql")

            // By the id of the trace, so that both ends of the link keep the same ones, and a stranger's wish counts for nothing.
            .SetSampler(new RootedSampler(options.TraceRatio))
            .AddProcessor(new SpanKeeper());
        if (options.TraceFile is { } file)
        {
            builder.AddProcessor(new BatchActivityExportProcessor(new TraceFile(file)));
        }

        if (options.TraceUrl is { } url)
        {
            builder.AddOtlpExporter(otlp => (otlp.Endpoint, otlp.Protocol) = (url, OtlpExportProtocol.HttpProtobuf));
        }

        return builder.Build();
    }

    private string Collect()
    {
        lock (_collecting)
        {
            _reader!.Collect();
            return _text!.Text;
        }
    }
}
