using System.CommandLine;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Configuration;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>What every command that speaks with a server takes.</summary>
internal sealed class ClientOptions
{
    private static readonly Setting Server = SettingKeys.Of(SettingKeys.Server);

    private readonly Option<string?> _server = new(Server.Option!)
    {
        Description =
            $"The address of a running 'serve'; without it {Server.Variable} of the environment, 'Server' of emr.json, or "
                + $"{Server.Default}.", HelpName = "URL",
    };

    private readonly Option<string> _keys = new("--keys")
    {
        Description = "The folder of keys and of tokens of sign-ins.", HelpName = "DIR",
        DefaultValueFactory = _ => Path.Combine(ChainFolders.Root, "keys"),
    };

    private readonly Option<bool> _json = new("--json") { Description = "Print JSON on standard output." };

    /// <summary>Puts them on a command.</summary>
    public Command AddTo(Command command)
    {
        command.Options.Add(_server);
        command.Options.Add(_keys);
        command.Options.Add(_json);
        return command;
    }

    /// <summary>Whether JSON is wanted.</summary>
    public bool Json(ParseResult parsed) => parsed.GetValue(_json);

    /// <summary>The folder of keys.</summary>
    public KeyFolder Keys(ParseResult parsed) => new(parsed.GetValue(_keys)!);

    /// <summary>A connection; nothing is asked yet.</summary>
    /// <exception cref="CommandException">The address is none.</exception>
    public MarketClient Connect(ParseResult parsed)
    {
        string address = parsed.GetValue(_server) ?? Settings.Load()[SettingKeys.Server]!;
        return Uri.TryCreate(address, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https"
            ? new MarketClient(url, Keys(parsed))
            : throw new CommandException(
                ExitCode.Usage, $"{Server.Option} is an http or https URL such as {Server.Default}, got '{address}'");
    }
}
