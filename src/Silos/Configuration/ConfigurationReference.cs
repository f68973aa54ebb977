using System.Text;

namespace EmrMarket.Silos.Configuration;

/// <summary>docs/CONFIGURATION.md, from the table of keys.</summary>
internal static class ConfigurationReference
{
    private const string Head =
        """
        # Configuration

        This file is written by `./emr config --reference` from [the table of keys](../src/Silos/Configuration/SettingKeys.cs); a test holds them together.

        Four layers, each before the ones above it: defaults, a file, the environment, the command line.

        - **File**: JSON, with comments; `--config FILE`, or `EMR__CONFIG`, or `emr.json` in the working folder. `Chain:Url` is written `{ "Chain": { "Url": "..." } }`.
        - **Environment**: `EMR__`, then the key with `__` for every colon, in any case: `EMR__CHAIN__URL`.
        - A key that is not in these tables is refused, wherever it stands, so that a slip of the pen does not pass for a setting.
        - A **secret** comes from the environment or from a file of mode 0600, never from the configuration file or an argument, which others can read; one that stands there is refused, and its value is
          not repeated. Keys of accounts and sites are such files as well.
        - `./emr config` shows what holds and which layer said it; of a secret, only that it is there.

        """;

    /// <summary>Writes it.</summary>
    public static string Write()
    {
        StringBuilder text = new(Head);
        foreach ((string title, string about, IReadOnlyList<Setting> settings) in SettingKeys.Groups)
        {
            text.Append($"\n## {title}\n{about}\n\n| key | variable | option | default | meaning |\n| --- | --- | --- | --- | --- |\n");
            foreach (Setting setting in settings)
            {
                string otherwise = setting.Default.Length > 0 ? $"`{setting.Default}`" : setting.Otherwise;
                text.Append(
                    $"| `{setting.Key}` | `{setting.Variable}` | {(setting.Option is null ? "" : $"`{setting.Option}`")} | {otherwise} | "
                        + $"{(setting.IsSecret ? "**Secret.** " : "")}{setting.Meaning} |\n");
            }
        }

        return text.ToString().ReplaceLineEndings("\n");
    }
}
