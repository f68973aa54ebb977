using System.CommandLine;
using EmrMarket.Silos.Commands.Chain;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>What every command that speaks with a server takes.</summary>
internal sealed class ClientOptions
{
    private const string ServerVariable = "EMR__SERVER";
    private const string DefaultServer = "http://127.0.0.1:5080";

    private readonly Option<string> _server = new("--server")
    {
        Description = $"The address of a running 'serve'; without it {ServerVariable} of the environment.",
        HelpName = "URL",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(ServerVariable) is { Length: > 0 } url ? url : DefaultServer,
    };

    private readonly Option<string> _keys = new("--keys")
    {
        Description = "The folder of keys and of tokens of sign-ins.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine(ChainFolders.Root, "keys"),
    };

    private readonly Option<bool> _json = new("--json") { Description = "Print JSON on standard output." };

    /// <summary>Options of one command.</summary>
    public ClientOptions() => _server.Validators.Add(result =>
    {
        if (!Uri.TryCreate(result.GetValueOrDefault<string>(), UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https"))
        {
            result.AddError($"--server is an http or https URL such as {DefaultServer}.");
        }
    });

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
    public MarketClient Connect(ParseResult parsed) => new(new Uri(parsed.GetValue(_server)!), Keys(parsed));
}
