using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>The folder of a person's key files and of the tokens of their sign-ins, which only its owner can enter.</summary>
internal sealed class KeyFolder(string path)
{
    /// <summary>The key of whoever asks for statistics on this machine, where no other is named.</summary>
    public const string ResearcherKey = "researcher.key";

    private const string OperatorToken = "operator.token";

    /// <summary>A file of the folder.</summary>
    public string Place(string name) => Path.Combine(path, name);

    /// <summary>The account of a key file.</summary>
    /// <param name="file">The file; the researcher's of this folder when null.</param>
    /// <exception cref="CommandException">It is missing, open to others, or no key file.</exception>
    public EthereumAccount Account(string? file)
    {
        string place = file ?? Place(ResearcherKey);
        try
        {
            return File.Exists(place) ? EthereumAccount.Load(place)
                : throw new CommandException(ExitCode.Usage,
                    $"there is no key file {place}: './emr account key --key {place}' makes one, or name another with --key");
        }
        catch (KeyFileException e)
        {
            throw new CommandException(ExitCode.Usage, e.Message, e);
        }
    }

    /// <summary>The account of a key file, which is made where there is none.</summary>
    public (EthereumAccount Account, string File) AccountOrNew(string? file)
    {
        string place = file ?? Place(ResearcherKey);
        Make();
        try
        {
            return (EthereumAccount.LoadOrCreate(place), place);
        }
        catch (Exception e) when (e is KeyFileException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, e.Message, e);
        }
    }

    /// <summary>The token of whoever runs the server on this machine; null when there is none.</summary>
    public string? FindOperatorToken() => Secrets.FindText(Place(OperatorToken))?.Trim();

    /// <summary>A sign-in that still holds; null when there is none.</summary>
    /// <param name="server">The server.</param>
    /// <param name="who">Who signed in: an address, a pseudonym or the name of an account.</param>
    public string? FindToken(Uri server, string who)
    {
        if (Secrets.FindText(TokenFile(server, who)) is not { } text)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<CachedToken>(text) is { } token
                && token.ExpiresSeconds > DateTimeOffset.UtcNow.ToUnixTimeSeconds() ? token.Token : null;
        }
        catch (JsonException)
        {
            // A damaged cache is worth nothing: sign in again.
            return null;
        }
    }

    /// <summary>Keeps a sign-in, readable by its owner alone.</summary>
    public void KeepToken(Uri server, string who, string token, long expiresSeconds)
    {
        Make();
        Secrets.Write(TokenFile(server, who), JsonSerializer.SerializeToUtf8Bytes(new CachedToken(token, expiresSeconds)), replace: true);
    }

    private string TokenFile(Uri server, string who)
    {
        // A hash, since a name that holds a pseudonym would be longer than file systems take.
        byte[] hash = SHA256.HashData(
            Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{server.Host}:{server.Port} {who}")));
        return Place($"token-{Convert.ToHexStringLower(hash.AsSpan(0, 16))}.json");
    }

    private void Make()
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private sealed record CachedToken(string Token, long ExpiresSeconds);
}
