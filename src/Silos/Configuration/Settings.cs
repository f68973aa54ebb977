using System.Text.Json;
using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Commands.Client;

namespace EmrMarket.Silos.Configuration;

/// <summary>
/// What the program was told, in layers: defaults, then a file, then the environment, then the command line. A key that no layer should
/// have is refused, and a secret anywhere but in the environment; messages never quote a value of a secret.
/// </summary>
internal sealed class Settings
{
    /// <summary>The variable that names the file.</summary>
    public const string FileVariable = Setting.Prefix + "CONFIG";

    private const string DefaultFile = "emr.json";
    private static readonly string[] Layers = ["the default", "the file", "the environment", "the command line"];

    private readonly IConfigurationRoot _root;
    private readonly string _file;

    private Settings(IConfigurationRoot root, string file) => (_root, _file) = (root, file);

    /// <summary>All layers, for what binds a section by itself.</summary>
    public IConfiguration Configuration => _root;

    /// <summary>Reads all layers.</summary>
    /// <param name="file">The file; without it the one that the environment names, or <c>emr.json</c> in the working folder where there is
    /// one.</param>
    /// <param name="commandLine">What the command line says, by key.</param>
    /// <exception cref="CommandException">A file that was named is missing or malformed, a key is unknown, or a secret stands where it must
    /// not.</exception>
    public static Settings Load(string? file = null, IEnumerable<KeyValuePair<string, string?>>? commandLine = null)
    {
        string? named = file ?? (Environment.GetEnvironmentVariable(FileVariable) is { Length: > 0 } variable ? variable : null);
        if (named is not null && !File.Exists(named))
        {
            throw new CommandException(
                ExitCode.Usage, $"there is no configuration file {named}: name another with --config or {FileVariable}");
        }

        string path = Path.GetFullPath(named ?? DefaultFile);
        try
        {
            IConfigurationRoot root = new ConfigurationBuilder()
                .AddInMemoryCollection(SettingKeys.All.Where(setting => setting.Default.Length > 0)
                    .Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Default)))
                .AddJsonFile(path, optional: named is null)
                .AddEnvironmentVariables(Setting.Prefix)
                .AddInMemoryCollection(commandLine ?? [])
                .Build();
            Check(Layer(builder => builder.AddJsonFile(path, optional: true)), setting => !setting.IsSecret, path, key => key);
            Check(Layer(builder => builder.AddEnvironmentVariables(Setting.Prefix))
                .Where(key => !string.Equals(key, "CONFIG", StringComparison.OrdinalIgnoreCase)),
                _ => true, "the environment", key => Setting.Prefix + key.Replace(":", "__", StringComparison.Ordinal));
            return root[SettingKeys.ClusterConnectionString]?.Contains("password", StringComparison.OrdinalIgnoreCase) == true
                ? throw new CommandException(ExitCode.Usage,
                    $"{SettingKeys.ClusterConnectionString} holds a password: put it into a file of mode 0600 in the form of ~/.pgpass, "
                        + "name that with Passfile=..., and change it")
                : new Settings(root, path);
        }
        catch (Exception e) when (
            e is InvalidDataException or FormatException or JsonException or IOException or UnauthorizedAccessException)
        {
            // The parser's own message may quote the line, and with it what should not stand there.
            throw new CommandException(ExitCode.Usage,
                $"{path} cannot be read as configuration: {Where(e)}. It is one JSON object; docs/CONFIGURATION.md has every key", e);
        }
    }

    /// <summary>The value of a key; null where nobody says anything. A secret's comes from the file that holds it where one is
    /// named.</summary>
    public string? this[string key] => _root[key] is { Length: > 0 } value ? value : null;

    /// <summary>Who said it, for people.</summary>
    public string SourceOf(string key)
    {
        int layer = _root.Providers.ToList().FindLastIndex(provider => provider.TryGet(key, out _));
        return layer < 0 ? "nobody" : layer == 1 ? _file : Layers[layer];
    }

    /// <summary>A secret: from the environment, or from the first line of a file of mode 0600.</summary>
    /// <exception cref="CommandException">Both are there, or the file is missing or open to others.</exception>
    public string? Secret(string key, string fileKey)
    {
        Setting secret = SettingKeys.Of(key), file = SettingKeys.Of(fileKey);
        if (this[fileKey] is not { } path)
        {
            return this[key];
        }

        if (this[key] is not null)
        {
            throw new CommandException(ExitCode.Usage,
                $"{secret.Variable} and {file.Key} ({SourceOf(fileKey)}) are both there: keep one of them, so that it is clear which "
                    + "holds");
        }

        return Secrets.FromFile(secret.Key, path, file.Key);
    }

    private static IEnumerable<string> Layer(Action<IConfigurationBuilder> add)
    {
        ConfigurationBuilder builder = new();
        add(builder);
        return builder.Build().AsEnumerable().Where(pair => pair.Value is not null).Select(pair => pair.Key);
    }

    private static void Check(IEnumerable<string> keys, Func<Setting, bool> mayStand, string where, Func<string, string> name)
    {
        foreach (string key in keys)
        {
            Setting setting = SettingKeys.All.FirstOrDefault(one => string.Equals(one.Key, key, StringComparison.OrdinalIgnoreCase))
                ?? throw new CommandException(ExitCode.Usage,
                    $"{where}: there is no key {name(key)}. docs/CONFIGURATION.md has every key ('./emr config --reference' prints it)");
            if (!mayStand(setting))
            {
                throw new CommandException(
                    ExitCode.Usage,
                    $"{where}: {setting.Key} is a secret and must not stand in a configuration file, which gets copied and shown around. "
                        + $"Take it out there, change it, and set {setting.Variable} in the environment"
                    + (SettingKeys.All.Any(one => one.Key == setting.Key + "File")
                        ? $", or name a file of mode 0600 that holds it with {setting.Key}File" : ""));
            }
        }
    }

    private static string Where(Exception e)
    {
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
        {
            if (cause is JsonException { LineNumber: { } line })
            {
                return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"line {line + 1} is not JSON");
            }
        }

        return e is IOException or UnauthorizedAccessException && e is not InvalidDataException
            ? e.GetType().Name : "it is not JSON, or says one key twice";
    }
}
