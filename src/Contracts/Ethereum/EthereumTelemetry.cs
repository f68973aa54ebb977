using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EmrMarket.Contracts.Ethereum;

/// <summary>What is measured of talking to nodes and sending to the chain. Counted per question and per transaction, and named by what is
/// fixed in the program (methods, outcomes, the role's name): no account, call or identifier is part of it.</summary>
public static class EthereumTelemetry
{
    /// <summary>The name of the meter and of the source of activities.</summary>
    public const string Name = "EmrMarket.Ethereum";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);

    private static readonly Histogram<double> Calls =
        Meter.CreateHistogram<double>("emr.node.call.duration", "s", "Time that one question to the node took, with its answer.");

    private static readonly Counter<long> Transactions =
        Meter.CreateCounter<long>("emr.ledger.transactions", "{transaction}", "Transactions of the role's account by what became of them.");

    private static readonly Counter<long> Gas =
        Meter.CreateCounter<long>("emr.ledger.gas", "{gas}", "Gas that the role's final transactions used.");

    /// <summary>What became of a transaction.</summary>
    internal enum Fate
    {
        /// <summary>It was signed and kept.</summary>
        Signed,

        /// <summary>It is final and did what it should.</summary>
        Confirmed,

        /// <summary>It is final and the contract refused it.</summary>
        Reverted,

        /// <summary>It was signed again, with another price or nonce.</summary>
        Replaced,
    }

    /// <summary>Asks a question under its measure.</summary>
    internal static async Task MeasureAsync(string method, Func<Task> ask)
    {
        using Activity? span = Begin(method);
        long began = Stopwatch.GetTimestamp();
        string outcome = "faulted";
        try
        {
            await ask();
            outcome = "answered";
        }
        catch (ContractRevertException)
        {
            outcome = "reverted";
            throw;
        }
        catch (EthereumException e)
        {
            outcome = e.IsTransient ? "unavailable" : "refused";
            throw;
        }
        finally
        {
            span?.SetTag("emr.outcome", outcome);
            Calls.Record(Stopwatch.GetElapsedTime(began).TotalSeconds, new("method", method), new("outcome", outcome));
        }
    }

    /// <summary>Counts transactions of a role; nothing for an account that is no role's.</summary>
    internal static void Count(string role, Fate fate, long transactions, ulong gas = 0)
    {
        if (role.Length == 0 || transactions == 0)
        {
            return;
        }

        Transactions.Add(transactions, new("role", role), new("fate", fate switch
        {
            Fate.Signed => "signed", Fate.Confirmed => "confirmed", Fate.Reverted => "reverted", _ => "replaced",
        }));
        if (gas > 0)
        {
            Gas.Add((long)gas, new KeyValuePair<string, object?>("role", role));
        }
    }

    // Only below a span of this program that is recorded: a question never begins a trace.
    private static Activity? Begin(string method) =>
        Source.HasListeners() && Activity.Current is { Recorded: true } ? Source.StartActivity(method, ActivityKind.Client) : null;
}
