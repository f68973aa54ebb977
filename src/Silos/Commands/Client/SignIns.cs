using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Api.Access.SignIn;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>Signs in by a key (EIP-4361) or a password, and keeps the token for the next command. The key stays here: the server gets a
/// signature of a message that names it.</summary>
internal static class SignIns
{
    /// <summary>Signs in as the holder of a key, or takes up a sign-in that still holds.</summary>
    /// <param name="client">The connection, which gets the token.</param>
    /// <param name="account">The key.</param>
    /// <param name="publisher">SITE/SCHEMAID/PSEUDONYM when the key is a patient's; null for a researcher.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CommandException">The server asks for a signature of something else, or refuses the sign-in.</exception>
    public static async Task SignInAsync(
        this MarketClient client, EthereumAccount account, string? publisher, CancellationToken cancellationToken)
    {
        string address = account.Address.ToString().ToLowerInvariant();

        // By the key as well: another wallet's key must not find the session that this pseudonym's own key opened.
        string who = publisher is null ? address : $"{publisher}-{address}";
        if (client.Keys.FindToken(client.Server, who) is { } kept && await client.HoldsAsync(kept, cancellationToken))
        {
            return;
        }

        Challenge challenge = await client.PostAsync<Challenge>("api/v1/sign-in/challenges", new { address, publisher }, cancellationToken);
        Check(challenge.Message, client.Server, account.Address);
        SignedIn answer = await client.PostAsync<SignedIn>(
            "api/v1/sign-in", new
            {
                message = challenge.Message, signature = Hex.Encode(account.Sign(SignInMessage.Digest(challenge.Message)).ToBytes()),
            }, cancellationToken);
        client.Keep(who, answer);
    }

    /// <summary>Signs in to an account with a name.</summary>
    public static async Task SignInAsync(
        this MarketClient client, string name, string password, string? code, CancellationToken cancellationToken) =>
        client.Keep(name, await client.PostAsync<SignedIn>("api/v1/sign-in/password", new { name, password, code }, cancellationToken));

    /// <summary>Takes the sign-in of a named account, or the token of whoever runs the server on this machine.</summary>
    /// <param name="client">The connection, which gets the token.</param>
    /// <param name="name">The account; the operator of this machine when null.</param>
    /// <exception cref="CommandException">Nobody signed in under the name, or no server of this machine left a token.</exception>
    public static void Act(this MarketClient client, string? name) => client.Token = name is null
        ? client.Keys.FindOperatorToken() ?? throw new CommandException(
            ExitCode.Failure,
            "this needs a sign-in: './emr account sign-in NAME' and then --as NAME; or, for whoever runs 'serve' on this machine, its "
                + "token in the folder of --keys")
        : client.Keys.FindToken(client.Server, name)
        ?? throw new CommandException(
            ExitCode.Failure, $"'{name}' is not signed in at {client.Server}, or no longer: './emr account sign-in {name}'");

    // A message for another place would open a session there, so what is signed must name this server and this key.
    private static void Check(string message, Uri server, Address account)
    {
        string[] lines = message.Split('\n');
        if (lines.Length < 2 || !lines[0].StartsWith(server.Authority + " wants you to sign in", StringComparison.OrdinalIgnoreCase)
            || !string.Equals(lines[1].Trim(), account.ToString(), StringComparison.OrdinalIgnoreCase))
        {
            throw new CommandException(ExitCode.Failure,
                $"{server} asks for a signature of a message that does not name {server.Authority} and {account}: nothing was signed");
        }
    }

    private static async Task<bool> HoldsAsync(this MarketClient client, string token, CancellationToken cancellationToken)
    {
        client.Token = token;
        try
        {
            await client.GetAsync<Session>("api/v1/session", cancellationToken);
            return true;
        }
        catch (CommandException refused) when (refused.Code == ExitCode.Failure)
        {
            client.Token = null;
            return false;
        }
    }

    private static void Keep(this MarketClient client, string who, SignedIn answer)
    {
        client.Keys.KeepToken(client.Server, who, answer.Token, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + answer.ExpiresSeconds);
        client.Token = answer.Token;
    }

    private sealed record Challenge(string Message);

    private sealed record SignedIn(string Token, long ExpiresSeconds, string Role);

    private sealed record Session(string? Role);
}
