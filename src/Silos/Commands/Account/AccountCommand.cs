using System.CommandLine;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Account;

/// <summary><c>emr account</c>: who may do what, and the keys of this machine.</summary>
internal static class AccountCommand
{
    private const string Description =
        """
        Accounts of staff and auditors, kept by the server; keys of researchers, kept here and nowhere else. Whoever runs 'serve' on this machine may add accounts, by the token in the folder of
        keys.

        Examples:
          emr account key                                        makes .emr/keys/researcher.key where there is none, and prints its address
          emr account fund                                       ether and tokens for it, on an embedded chain
          emr account add audit-desk --role auditor
          emr account add records-desk --role staff --site hospital --password-file password.txt
          emr account sign-in audit-desk                         for --as audit-desk
          emr account list

        Exit codes: 0 done, 1 failed or not allowed, 2 wrong command or input, 75 not ready.
        """;

    /// <summary>The command and its verbs.</summary>
    public static Command Create() => new("account", Description) { CreateAdd(), CreateList(), CreateSignIn(), CreateKey(), CreateFund() };

    private static Option<string?> PasswordOption() => new("--password-file")
    {
        Description =
            "A file, readable by its owner only, that holds the password on its first line; without it the password is asked for.",
            HelpName = "FILE",
    };

    private static Command CreateAdd()
    {
        var name = new Argument<string>("NAME") { Description = "The account's name." };
        var role = new Option<string>("--role") { Description = "staff (of one site) or auditor.", Required = true };
        role.AcceptOnlyFromAmong("staff", "auditor");
        var site = new Option<string?>("--site") { Description = "The site of a member of staff.", HelpName = "NAME" };
        var second = new Option<bool>("--second-factor")
        {
            Description = "Sign-ins ask for a code of an authenticator as well; its key is printed once.",
        };
        Option<string?> password = PasswordOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command("add", "Adds an account.") { name, role, site, second, password });
        command.Validators.Add(result =>
        {
            if ((result.GetValue(role) == "staff") != result.GetValue(site) is not null)
            {
                result.AddError("--site goes with --role staff, and is needed there.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            string secret = Secrets.ReadNew($"the password of {parsed.GetValue(name)}", parsed.GetValue(password), "--password-file");
            using MarketClient market = client.Connect(parsed);
            market.Act(null);
            Added added = await market.PostAsync<Added>(
                "api/v1/accounts",
                new
                {
                    name = parsed.GetValue(name), role = parsed.GetValue(role), site = parsed.GetValue(site), password = secret,
                    twoFactor = parsed.GetValue(second),
                }, cancellation);
            if (client.Json(parsed))
            {
                Output.Json(added);
            }
            else
            {
                Output.Say($"account '{added.Name}' stands");
                if (added.AuthenticatorKey is { Length: > 0 } secretKey)
                {
                    Output.Facts(("authenticator key", secretKey), ("for a QR code", added.AuthenticatorUri ?? ""));
                    Output.Remark("the key is shown this once.");
                }
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreateList()
    {
        ClientOptions client = new();
        Command command = client.AddTo(new Command("list", "Lists the accounts."));
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = client.Connect(parsed);
            market.Act(null);
            IReadOnlyList<AccountRow> accounts = await market.ListAsync<AccountRow>("api/v1/accounts", cancellation);
            if (client.Json(parsed))
            {
                Output.Json(accounts);
            }
            else
            {
                Output.Table(["name", "role", "site", "second factor"],
                    accounts.Select(
                        account => (string[])[account.Name, account.Role, account.Site ?? "", account.TwoFactor ? "yes" : "no"]));
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreateSignIn()
    {
        var name = new Argument<string>("NAME") { Description = "The account's name." };
        var code = new Option<string?>("--code")
        {
            Description = "The code of the second factor, where the account has one.", HelpName = "DIGITS",
        };
        Option<string?> password = PasswordOption();
        ClientOptions client = new();
        Command command =
            client.AddTo(new Command("sign-in",
                "Signs in to an account; the commands of a site's staff and of auditors then take --as NAME.") { name, code, password });
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = client.Connect(parsed);
            string who = parsed.GetValue(name)!;
            await market.SignInAsync(who, Secrets.Read($"the password of {who}", parsed.GetValue(password), "--password-file"),
                parsed.GetValue(code), cancellation);
            Output.Remark($"'{who}' is signed in at {market.Server}: the commands of staff and auditors take --as {who}.");
            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreateKey()
    {
        Option<string?> key = KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(
            new Command("key", "Prints the address of a key file, which is made with a new key where there is none.") { key });
        command.SetAction(parsed =>
        {
            (EthereumAccount account, string file) = client.Keys(parsed).AccountOrNew(parsed.GetValue(key));
            if (client.Json(parsed))
            {
                Output.Json(new { Address = account.Address.ToString().ToLowerInvariant(), File = file });
            }
            else
            {
                Output.Say(account.Address.ToString());
                Output.Remark($"its key is in {file}: who has the file has its money. Keep a copy.");
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static Command CreateFund()
    {
        Option<string?> key = KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(
            new Command("fund", "Gives the account of a key file ether and tokens, on an embedded chain.") { key });
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = client.Connect(parsed);
            EthereumAccount holder = market.Keys.Account(parsed.GetValue(key));
            string address = holder.Address.ToString().ToLowerInvariant();
            await market.SignInAsync(holder, publisher: null, cancellation);
            await market.PostAsync<string>("api/v1/ledger/embedded/endowments", new { address }, cancellation);
            AccountInfo account = await market.GetAsync<AccountInfo>("api/v1/ledger/accounts/" + address, cancellation);
            if (client.Json(parsed))
            {
                Output.Json(account);
            }
            else
            {
                Output.Facts(("address", account.Address), ("tokens", account.Tokens), ("wei", account.Wei));
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static Option<string?> KeyOption() => new("--key")
    {
        Description = "The key file; without it researcher.key in the folder of keys.", HelpName = "FILE",
    };

    private sealed record AccountRow(string Name, string Role, string? Site, bool TwoFactor);

    private sealed record Added(string Name, string? AuthenticatorKey, string? AuthenticatorUri);
}
