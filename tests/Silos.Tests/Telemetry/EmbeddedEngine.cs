using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using EmrMarket.Silos.Tests.Commands;

namespace EmrMarket.Silos.Tests.Telemetry;

/// <summary>The embedded database of a served market, as somebody meets it who kills it.</summary>
internal static class EmbeddedEngine
{
    /// <summary>Its process; another one after each restart.</summary>
    public static int ProcessOf(ServedMarket market, string engine)
    {
        while (true)
        {
            try
            {
                using JsonDocument state = JsonDocument.Parse(File.ReadAllText(market.Place($"database/{engine}.json")));
                return state.RootElement.GetProperty("ProcessId").GetInt32();
            }
            catch (Exception e) when (e is IOException or JsonException)
            {
                // It is being written.
                Thread.Yield();
            }
        }
    }

    /// <summary>Kills it, and returns when the server has started another; at once where it cannot.</summary>
    public static void Kill(ServedMarket market, string engine, bool comesBack = true)
    {
        int first = ProcessOf(market, engine);
        using Process kill = Process.Start("kill", ["-KILL", first.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
        while (comesBack && ProcessOf(market, engine) == first)
        {
            Thread.Yield();
        }
    }
}
