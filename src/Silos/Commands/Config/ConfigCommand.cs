using System.CommandLine;
using EmrMarket.Silos.Configuration;
using EmrMarket.Silos.Telemetry;

namespace EmrMarket.Silos.Commands.Config;

/// <summary><c>emr config</c>: what the configuration comes to, and every key that there is.</summary>
internal static class ConfigCommand
{
    // Of the keys that are usual; a longer one moves its line.
    private const int Widest = -24;

    private const string Description =
        """
        Shows what the configuration comes to: every key that somebody set, its value, and which layer said it. Of a secret only that it is there.

        Examples:
          emr config
          EMR__CHAIN__URL=https://node.example emr config --config market.json
          emr config --reference > docs/CONFIGURATION.md
          emr config --telemetry

        Exit codes: 0 it is in order, 2 it is not: an unknown key, a secret where none may stand, a malformed file.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var file = new Option<string?>("--config")
        {
            Description = "The configuration file; emr.json of the working folder without it, if there is one.", HelpName = "FILE",
        };
        var reference = new Option<bool>("--reference") { Description = "Print every key with its meaning instead, as Markdown." };
        var telemetry = new Option<bool>("--telemetry") { Description = "Print every measure and log event instead, as Markdown." };
        var command = new Command("config", Description) { file, reference, telemetry };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(reference))
            {
                Console.Out.Write(ConfigurationReference.Write());
                return ExitCode.Success;
            }

            if (parsed.GetValue(telemetry))
            {
                Console.Out.Write(TelemetryReference.Write());
                return ExitCode.Success;
            }

            Settings settings = Settings.Load(parsed.GetValue(file));
            foreach (Setting setting in SettingKeys.All.Where(setting => settings[setting.Key] is not null))
            {
                Console.WriteLine(
                    $"{setting.Key,Widest} {(setting.IsSecret ? "(secret)" : settings[setting.Key])}   ({settings.SourceOf(setting.Key)})");
            }

            return ExitCode.Success;
        });
        return command;
    }
}
