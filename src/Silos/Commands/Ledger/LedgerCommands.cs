using System.CommandLine;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace EmrMarket.Silos.Commands.Ledger;

/// <summary><c>emr ledger</c>: what a role keeps of the ledger.</summary>
internal static class LedgerCommands
{
    private const string Description =
        """
        What the market keeps of the ledger.

        Examples:
          emr ledger rebuild        reads every event from the chain again, and says whether the stored tables were equal

        Exit codes: 0 the tables were equal, 1 they differed (and are right now) or it failed, 2 wrong command, 75 not ready.
        """;

    /// <summary>The command and its verbs.</summary>
    public static Command Create()
    {
        var folder = new Option<string?>("--folder")
        {
            Description = "Where the embedded chain keeps its state; what the configuration says without it.", HelpName = "DIR",
        };
        var rebuild = new Command(
            "rebuild", "Builds the tables again from the chain alone and compares them to the byte; not while 'serve' runs.") { folder };
        rebuild.SetAction((parsed, cancellation) => Engines.UseAsync(
            ServeOptions.From(Settings.Load(commandLine: parsed.GetValue(folder) is { } named
                ? [KeyValuePair.Create(SettingKeys.Roles, (string?)"market"), KeyValuePair.Create(SettingKeys.Folder, (string?)named)]
                : [KeyValuePair.Create(SettingKeys.Roles, (string?)"market")])),
            NullLoggerFactory.Instance,
            async (engines, stopping) =>
            {
                await using MarketStorage storage = await engines.OpenMarketAsync(stopping);
                LedgerRebuild rebuilt = await LedgerRebuild.RunAsync(
                    engines.Client, engines.Deployment, storage.Ledger, engines.Settings.Confirmations, stopping);
                Console.WriteLine(
                    $"events    {rebuilt.Events}\nto block  {rebuilt.Block}\nbefore    {rebuilt.Before}\nafter     {rebuilt.After}\n"
                        + $"{(rebuilt.IsEqual ? "equal" : "different: the tables are now the chain's")}");
                return rebuilt.IsEqual ? ExitCode.Success : ExitCode.Failure;
            },
            cancellation));
        return new Command("ledger", Description) { rebuild };
    }
}
