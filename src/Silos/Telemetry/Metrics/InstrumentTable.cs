using static EmrMarket.Silos.Telemetry.Metrics.InstrumentKind;

namespace EmrMarket.Silos.Telemetry.Metrics;

/// <summary>
/// Every measure that <c>/metrics</c> shows; the table of docs/OPERATIONS.md is written from it. Measures of a site move with what its
/// people do, so of a site only that is here which the ledger tells everybody, or which nobody's single act moves (docs/OPERATIONS.md,
/// "What is not measured").
/// </summary>
internal static class InstrumentTable
{
    /// <summary>The label of Npgsql's measures that names whose database it is.</summary>
    public const string Pool = "db.client.connection.pool.name";

    private static readonly string[] None = [];

    /// <summary>The groups, each with its measures, in the order of the reference.</summary>
    public static IReadOnlyList<(string Title, IReadOnlyList<Instrument> Instruments)> Groups { get; } =
    [
        ("The process",
        [
            new("emr.build.info", Gauge, "", ["version", "roles"], "Always 1: which program, and which roles it has."),
            new("emr.role.ready", Gauge, "", ["role"], "1 when the role's last pass went through, 0 when it did not; the log says why."),
            new("emr.role.pass.duration", Histogram, "s", ["role"], "Time of a pass of the role: everything that it had to do then."),
            new("emr.role.pass.failures", Counter, "{pass}", ["role", "fault"],
                "Passes that failed and are tried again, by the fault's type."),
            new("emr.role.store.contested", Counter, "{time}", ["role"],
                "Times that another process held the role's database while this one wanted it back."),
            new("emr.engine.restarts", Counter, "{restart}", ["engine"], "Times that an embedded engine died and was started again."),
            new("emr.disk.free", Gauge, "By", None, "Free room on the disk that holds the process's folder."),
            new("emr.disk.size", Gauge, "By", None, "Size of that disk."),
            new("emr.backup.last.success.timestamp", Gauge, "s", None,
                "When the last backup was finished: the time of the file `Metrics:BackupFile`. Missing where there is none."),
            new("emr.readings.failures", Counter, "{reading}", ["what"], "Readings for gauges that failed; those gauges are missing then."),
            new("dotnet.process.cpu.time", Counter, "s", ["cpu.mode"], "Processor time, by the runtime's own meter."),
            new("dotnet.process.memory.working_set", Gauge, "By", None, "Memory that the process has."),
            new("dotnet.gc.collections", Counter, "{collection}", ["gc.heap.generation"], "Collections of garbage."),
            new("dotnet.gc.pause.time", Counter, "s", None, "Time that these stopped everything."),
            new("dotnet.gc.last_collection.heap.size", Gauge, "By", ["gc.heap.generation"], "Managed memory after the last one."),
            new("dotnet.thread_pool.queue.length", Gauge, "{work_item}", None, "Work that waits for a thread."),
        ]),
        ("The ledger, by role",
        [
            new("emr.node.call.duration", Histogram, "s", ["method", "outcome"],
                "One question to the node. Outcomes: `answered`, `reverted`, `refused`, `unavailable`, `faulted`; where there are sites "
                    + "`unavailable` alone.")
            { OnlyAtSites = ("outcome", "unavailable") },
            new("emr.ledger.head", Gauge, "{block}", ["role"], "The newest block that the role has seen."),
            new("emr.ledger.followed", Gauge, "{block}", ["role"], "The block up to which its tables hold everything."),
            new("emr.ledger.head.age", Gauge, "s", ["role"],
                "This machine's clock less the newest block's time. Far below 0, one of the two clocks is wrong."),
            new("emr.ledger.reorganisations", Counter, "{reorganisation}", None, "Times that the chain took back blocks that were read."),
            new("emr.ledger.transactions", Counter, "{transaction}", ["role", "fate"],
                "Transactions of the role's account. Fates: `signed`, `confirmed`, `reverted`, `replaced`."),
            new("emr.ledger.gas", Counter, "{gas}", ["role"], "Gas that the final ones used."),
            new("emr.ledger.outbox", Gauge, "{transaction}", ["role", "state"],
                "Transactions that are not final. States: `unsigned`, `waiting`, `offered`, `included`."),
            new("emr.ledger.outbox.stall", Gauge, "s", ["role"],
                "Time since anything moved in an outbox that is not empty; 0 for an empty one."),
            new("emr.ledger.signer.balance", Gauge, "{wei}", ["role"], "What the role's account has for gas."),
            new("emr.ledger.gas.price", Gauge, "{wei}", ["role"], "What a unit of gas costs now; 0 on chains where gas is free."),
            new("emr.ledger.bond.free", Gauge, "{tokens}", ["role"], "Token units of the account that no bond or deposit holds."),
            new("emr.ledger.batches", Gauge, "{batch}", ["role", "kind", "status"],
                "Batches that the role's account has posted. Kinds: `epoch`, `round`, `delivery`; statuses: `posted`, `final`, `void`."),
            new("emr.ledger.batch.overdue", Gauge, "s", ["role", "kind"],
                "How long the oldest of these is past its window and still not final; 0 when none is."),
            new("emr.ledger.demands.open", Gauge, "{demand}", ["role"], "Leaves of these that somebody demanded and nobody opened yet."),
            new("emr.ledger.demand.time_left", Gauge, "s", ["role"],
                "Until the first of these must be opened, by the ledger's clock; missing when there is none."),
        ]),
        ("The market",
        [
            new("emr.market.requests.open", Gauge, "{request}", ["state"], "Requests that have not ended, by state (docs/DATA_MODEL.md)."),
            new("emr.market.request.longest", Gauge, "s", ["state"],
                "How long the oldest of each has been in its state, by the ledger's clock."),
            new("emr.market.ledger.requests", Gauge, "{request}", ["outcome"],
                "Requests on the ledger. Outcomes: `open`, `cancelled`, `settled` (something was paid for), `refunded` (nothing was)."),
            new("emr.market.sales", Gauge, "{record}", None, "Records that final rounds have sold."),
            new("emr.market.escrow", Gauge, "{tokens}", ["part"],
                "Token units that researchers paid in. Parts: `funded`, `reserved`, `claimed`, `refunded`, `expired`."),
            new("emr.market.claims", Gauge, "{claim}", None, "Slots of deliveries that were paid out."),
            new("emr.market.revocations", Gauge, "{pseudonym}", None,
                "Revocations on the ledger, where a day's are told at its first step."),
            new("emr.market.deliveries", Counter, "{delivery}", ["outcome"],
                "Deliveries that sites handed in: `accepted`, or the code of the refusal (docs/API.md has all)."),
            new("emr.market.site.heard.timestamp", Gauge, "s", ["site"],
                "When a site, by its number on the ledger, last asked for orders."),
            new("emr.link.messages", Counter, "{message}", ["kind", "outcome"],
                "Messages at the market's end of the link over HTTPS: `taken`, `refused`, or the code of what the protocol refuses."),
            new("emr.link.certificate.expiry.timestamp", Gauge, "s", None, "When the certificate of `Link:Urls` expires."),
            new("db.client.operation.duration", Histogram, "s", [Pool], "Statements of the market's stores, by Npgsql's own meter.")
            { Only = (Pool, "market") },
            new("db.client.operation.failed", Counter, "{command}", [Pool], "Those that failed.") { Only = (Pool, "market") },
        ]),
        ("A site",
        [
            new("emr.site.epoch.members", Gauge, "{record}", ["role", "schema"],
                "Members of the site's newest final epoch, which the ledger tells."),
            new("emr.site.epoch.age", Gauge, "s", ["role", "schema"], "Time since that epoch became final, by the ledger's clock."),
            new("emr.site.delivered", Gauge, "{record}", ["role"], "Records in the site's final deliveries, which the ledger tells."),
            new("emr.link.calls", Counter, "{message}", ["kind", "outcome"],
                "Messages of this process's sites over HTTPS: `answered`, `refused` by the market, `protocol`, `unreachable`."),
        ]),
        ("Grains",
        [
            new("emr.grains.faults", Counter, "{fault}", ["grain", "kind"],
                "Faults that are no answer of a call. Kinds: `activation`, `deactivation`, `timer`, `one-way call`, `predicate`, "
                    + "`timeout`."),
        ]),
        ("Pages and API",
        [
            new("http.server.request.duration", Histogram, "s", ["http.request.method", "http.route", "http.response.status_code"],
                "Requests by route, by ASP.NET's own meter; none that a patient's act makes."),
            new("emr.http.problems", Counter, "{answer}", ["type"],
                "Problems that were answered, by type (docs/API.md); of what patients do, only failures of the server and limits."),
        ]),
    ];

    /// <summary>All measures by name.</summary>
    public static IReadOnlyDictionary<string, Instrument> All { get; } =
        Groups.SelectMany(group => group.Instruments).ToDictionary(one => one.Name, StringComparer.Ordinal);
}
