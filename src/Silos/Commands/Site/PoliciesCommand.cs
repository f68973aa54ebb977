using System.CommandLine;
using System.Globalization;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Site;

/// <summary><c>emr site policies</c>: policies for those who left the choice to the site.</summary>
internal static class PoliciesCommand
{
    private const int Whole = 1_000_000;

    private const string Description =
        """
        Gives everybody who has no policy yet one of the menu: the same one, or by chance in shares of millionths, one per entry of the menu. Who has a policy keeps it.

        Examples:
          emr site policies --profile balanced --rate 1
          emr site policies --profiles 50000,150000,200000,400000,200000 --rates 300000,500000,200000 --purpose 2 --quota 4

        Exit codes: 0 done, 1 not allowed, 2 wrong command or input, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var profile = new Option<string?>("--profile")
        {
            Description = "One profile for all, by name or by its number.", HelpName = "NAME|N",
        };
        var rate = new Option<int?>("--rate") { Description = "One rate for all, by its number.", HelpName = "N" };
        var profiles = new Option<string?>("--profiles") { Description = "A share per profile, millionths.", HelpName = "N,N,..." };
        var rates = new Option<string?>("--rates") { Description = "A share per rate, millionths.", HelpName = "N,N,..." };
        var purpose = new Option<byte>("--purpose")
        {
            Description = "The purpose that is admitted, with all below it.", HelpName = "N", DefaultValueFactory = _ => 1,
        };
        var quota = new Option<ushort>("--quota")
        {
            Description = "Sales per record and round.", HelpName = "N", DefaultValueFactory = _ => 4,
        };
        SiteOptions site = new();
        ClientOptions client = new();
        Command command = client.AddTo(site.AddTo(new Command("policies", Description) { profile, rate, profiles, rates, purpose, quota }));
        command.Validators.Add(result =>
        {
            if (result.GetValue(profile) is null == (result.GetValue(profiles) is null)
                || result.GetValue(rate) is null == (result.GetValue(rates) is null))
            {
                result.AddError("Give --profile or --profiles, and --rate or --rates.");
            }

            if (result.GetValue(quota) == 0)
            {
                result.AddError("--quota is at least 1.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = site.Connect(parsed, client);
            (string name, string schema) = await site.PlaceAsync(parsed, market, cancellation);
            MenuInfo menu = await market.GetAsync<MenuInfo>($"api/v1/sites/{name}/menus/{schema}", cancellation);
            DefaultPolicies wish = new()
            {
                SchemaId = schema,
                ProfileShares = parsed.GetValue(profiles) is { } shares ? Shares(shares, "--profiles", menu.Profiles.Length)
                    : All(Array.FindIndex(menu.Profiles, p => p.Name == parsed.GetValue(profile)
                        || p.Index.ToString(CultureInfo.InvariantCulture) == parsed.GetValue(profile)), menu.Profiles.Length,
                        $"--profile: the menu has no '{parsed.GetValue(profile)}', it has "
                            + $"{string.Join(", ", menu.Profiles.Select(p => p.Name))}"),
                RateShares = parsed.GetValue(rates) is { } parts ? Shares(parts, "--rates", menu.Rates.Length)
                    : All(parsed.GetValue(rate)!.Value, menu.Rates.Length, $"--rate: the menu has rates 0 to {menu.Rates.Length - 1}"),
                Purpose = parsed.GetValue(purpose),
                Quota = parsed.GetValue(quota),
            };
            Answer answer = await market.PutAsync<Answer>($"api/v1/sites/{name}/policies/default", wish, cancellation);
            if (client.Json(parsed))
            {
                Output.Json(answer);
            }
            else
            {
                Output.Say(string.Create(CultureInfo.InvariantCulture,
                    $"{answer.Persons:N0} persons have a policy now who had none; it is published with the next epoch"));
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static int[] All(int index, int count, string otherwise) => index >= 0 && index < count
        ? [.. Enumerable.Range(0, count).Select(i => i == index ? Whole : 0)]
        : throw new CommandException(ExitCode.Usage, otherwise);

    private static int[] Shares(string text, string option, int count)
    {
        int[] shares =
            [.. text.Split(',').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int share) ? share
            : throw new CommandException(ExitCode.Usage, $"{option}: '{part}' is no share in millionths"))];
        return shares.Length == count && shares.Sum(share => (long)share) == Whole ? shares
            : throw new CommandException(ExitCode.Usage,
                $"{option} takes {count} shares that sum to {Whole}, got {shares.Length} that sum to {shares.Sum(share => (long)share)}");
    }

    private sealed record Answer(int Persons);
}
