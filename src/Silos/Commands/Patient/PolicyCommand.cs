using System.CommandLine;
using System.Globalization;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Wallet;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Patient;

/// <summary><c>emr patient policy</c> and <c>withdraw</c>: what is allowed and asked.</summary>
internal static class PolicyCommand
{
    private const string Description =
        """
        Without a wallet: the menu of a site, with what each profile means. With a wallet: sets what is asked for and leaves the rest as it is, or pauses and resumes. With --consent, sets what a Consent of HL7 FHIR R4 means, and never more (docs/CONSENT.md); one that is inactive pauses, one that is rejected withdraws. A policy is the person's: it
        holds for all their records, and takes effect with the site's next epoch; pausing takes effect at once.

        Examples:
          emr patient policy --schema diabetic_data
          emr patient policy --wallet anna.wallet --profile balanced --rate 1 --purpose 2 --quota 2 --until 2027-12-31
          emr patient policy --wallet anna.wallet --rate 2
          emr patient policy --wallet anna.wallet --consent consent.json
          emr patient policy --wallet anna.wallet --pause
          emr patient policy --wallet anna.wallet --resume --json

        Exit codes: 0 done, 1 not allowed, 2 wrong command or input, 75 not ready.
        """;

    internal const ushort UsualQuota = 4;
    private const int UsualDays = 300;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var profile = new Option<string?>("--profile")
        {
            Description = "The profile, by name or by its number on the menu.", HelpName = "NAME|N",
        };
        var rate = new Option<byte?>("--rate") { Description = "The asking price, by its number on the menu.", HelpName = "N" };
        var quota = new Option<ushort?>("--quota")
        {
            Description = "How often a record may be sold in a round, at least 1.", HelpName = "N",
        };
        var purpose = new Option<byte?>("--purpose")
        {
            Description = "The purpose that is admitted, with all below it, by its number on the menu.", HelpName = "N",
        };
        var until = new Option<string?>("--until") { Description = "The last day, in UTC.", HelpName = "YYYY-MM-DD" };
        var pause = new Option<bool>("--pause") { Description = "Take no part until further notice." };
        var resume = new Option<bool>("--resume") { Description = "Take part again under the policy as it was." };
        var consent = new Option<string?>("--consent")
        {
            Description = "A Consent of HL7 FHIR R4; --rate and --quota say what it does not.", HelpName = "FILE",
        };
        var yes = new Option<bool>("--yes") { Description = "Do not ask where the Consent withdraws: it cannot be taken back." };
        SchemaOption schema = new();
        PatientOptions patient = new();
        ClientOptions client = new();
        Command command = client.AddTo(
            patient.AddTo(
                new Command("policy", Description) { profile, rate, quota, purpose, until, consent, yes, pause, resume, schema.Option }));
        command.Validators.Add(result =>
        {
            bool Given(params Option[] options) => options.Any(option => result.GetResult(option) is { Implicit: false });
            bool sets = Given(profile, purpose, until);
            if ((sets ? 1 : 0) + (Given(consent) ? 1 : 0) + (result.GetValue(pause) ? 1 : 0) + (result.GetValue(resume) ? 1 : 0) > 1
                || (Given(rate, quota) && (result.GetValue(pause) || result.GetValue(resume))))
            {
                result.AddError("Give settings, --consent, --pause or --resume, and one of them only.");
            }

            if (result.GetValue(until) is { } day
                && !DateOnly.TryParseExact(day, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
            {
                result.AddError("--until is a day such as 2027-12-31.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = client.Connect(parsed);
            if (!patient.HasWallet(parsed))
            {
                string shown = await schema.FindAsync(parsed, market, cancellation);
                return Show(await MenuAsync(market, await patient.SiteAsync(parsed, market, cancellation), shown, cancellation),
                    client.Json(parsed));
            }

            WalletFile wallet = patient.Open(parsed);
            WalletEntry entry = patient.Choose(parsed, wallet);
            string site = await patient.SiteAsync(parsed, market, cancellation);
            PatientSession session = await PatientSession.OpenAsync(market, site, wallet, entry, cancellation);
            MenuInfo menu = await MenuAsync(market, site, Hashes.Text(entry.SchemaId), cancellation);
            if (parsed.GetValue(consent) is { } file)
            {
                OfferInfo became = await ConsentCommand.SetAsync(
                    market, session, wallet, entry, menu, file, parsed.GetValue(rate), parsed.GetValue(quota), parsed.GetValue(yes),
                    cancellation);
                OfferCommands.Show([(entry, became, menu)], client.Json(parsed));
                return ExitCode.Success;
            }

            PublisherCommand wish;
            if (parsed.GetValue(pause) || parsed.GetValue(resume))
            {
                wish = new PublisherCommand
                {
                    Nonce = 0, Kind = parsed.GetValue(pause) ? PublisherCommandKind.Pause : PublisherCommandKind.Resume, Signature = [],
                };
            }
            else
            {
                OfferInfo now = await session.OfferAsync(cancellation);
                bool first = now.Quota == 0;
                wish = new PublisherCommand
                {
                    Nonce = 0,
                    Kind = PublisherCommandKind.SetPolicy,
                    Profile = parsed.GetValue(profile) is { } named ? ProfileOf(menu, named)
                        : first ? throw new CommandException(ExitCode.Usage,
                            "--profile is needed, since there is no policy yet: './emr patient policy' shows what each means")
                                : now.Profile,
                    Rate = parsed.GetValue(rate)
                        ?? (first
                            ? throw new CommandException(ExitCode.Usage,
                                "--rate is needed, since there is no policy yet: './emr patient policy' shows the menu") : now.Rate),
                    Quota = parsed.GetValue(quota) ?? (first ? UsualQuota : now.Quota),
                    Purpose = parsed.GetValue(purpose)
                        ?? (first
                            ? throw new CommandException(ExitCode.Usage,
                                "--purpose is needed, since there is no policy yet: './emr patient policy' shows the menu") : now.Purpose),
                    ExpirySeconds = parsed.GetValue(until) is { } day ? EndOf(day) : first
                        ? DateTimeOffset.UtcNow.AddDays(UsualDays).ToUnixTimeSeconds() : now.ExpirySeconds,
                    Signature = [],
                };
            }

            OfferCommands.Show([(entry, await session.CommandAsync(wish, cancellation), menu)], client.Json(parsed));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>The command that ends everything for a pseudonym.</summary>
    public static Command CreateWithdraw()
    {
        var yes = new Option<bool>("--yes") { Description = "Do not ask: it cannot be taken back." };
        PatientOptions patient = new();
        ClientOptions client = new();
        Command command =
            client.AddTo(
                patient.AddTo(
                    new Command("withdraw",
                        "Takes the patient's records out of the market for ever: nothing is published or delivered any more. What was "
                            + "delivered stays delivered, and paid.") { yes }));
        command.SetAction(async (parsed, cancellation) =>
        {
            WalletFile wallet = patient.Open(parsed);
            WalletEntry entry = patient.Choose(parsed, wallet);
            Confirm(parsed.GetValue(yes), "Withdraw for ever?");
            using MarketClient market = client.Connect(parsed);
            string site = await patient.SiteAsync(parsed, market, cancellation);
            PatientSession session = await PatientSession.OpenAsync(market, site, wallet, entry, cancellation);
            MenuInfo menu = await MenuAsync(market, site, Hashes.Text(entry.SchemaId), cancellation);
            OfferInfo offer = await session.WithdrawAsync(wallet, cancellation);
            OfferCommands.Show([(entry, offer, menu)], client.Json(parsed));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Asks at the terminal, unless the answer was given already.</summary>
    internal static void Confirm(bool given, string question)
    {
        if (given)
        {
            return;
        }

        if (Console.IsInputRedirected)
        {
            throw new CommandException(ExitCode.Usage, "it cannot be taken back and there is no terminal to ask at: give --yes");
        }

        if (!AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) })
            .Confirm(question, defaultValue: false))
        {
            throw new CommandException(ExitCode.Failure, "nothing was done");
        }
    }

    internal static Task<MenuInfo> MenuAsync(MarketClient market, string site, string schemaId, CancellationToken cancellationToken) =>
        market.GetAsync<MenuInfo>($"api/v1/sites/{site}/menus/{schemaId}", cancellationToken);

    private static byte ProfileOf(MenuInfo menu, string named) =>
        menu.Profiles.FirstOrDefault(profile => string.Equals(profile.Name, named, StringComparison.Ordinal)
            || profile.Index.ToString(CultureInfo.InvariantCulture) == named) is { } found
            ? (byte)found.Index
            : throw new CommandException(ExitCode.Usage,
                $"--profile: the menu has no '{named}', it has {string.Join(", ", menu.Profiles.Select(profile => profile.Name))}");

    private static long EndOf(string day) =>
        new DateTimeOffset(DateOnly.ParseExact(day, "yyyy-MM-dd", CultureInfo.InvariantCulture).AddDays(1).ToDateTime(TimeOnly.MinValue),
            TimeSpan.Zero).ToUnixTimeSeconds();

    private static int Show(MenuInfo menu, bool json)
    {
        if (json)
        {
            Output.Json(menu);
            return ExitCode.Success;
        }

        foreach (ProfileMeaning profile in menu.Profiles)
        {
            Output.Say(string.Create(CultureInfo.InvariantCulture,
                $"{profile.Index}  {profile.Name}: all answers together change the odds by e^{profile.LossMicro / 1e6:0.##} at most")
                + (profile.Reidentified is { } share
                    ? string.Create(CultureInfo.InvariantCulture,
                        $"; who knows the record picks it out of 1,000 in {share:P1} of cases (measured)") : ""));
            Output.Table(
                ["attribute", "tier", " grade", " epsilon", " an observer of this answer is right"],
                profile.Attributes.Select(attribute => (string[])
                [
                    attribute.Name, attribute.Tier,
                    attribute.Grade == 0 ? "withheld" : attribute.Grade.ToString(CultureInfo.InvariantCulture),
                    (attribute.EpsilonMicro / 1e6).ToString("0.###", CultureInfo.InvariantCulture),
                    attribute.Grade == 0
                        ? "50 %" : string.Create(CultureInfo.InvariantCulture, $"{100 * attribute.GuessRight:0.#} % instead of 50 %"),
                ]));
        }

        Output.Table([" rate", " Public", " Low", " Moderate", " Private"],
            menu.Rates.Select(rate => (string[])[rate.Index.ToString(CultureInfo.InvariantCulture), .. rate.PerEpsilon]));
        Output.Table([" purpose", "with all below it", "is a kind of"], menu.Purposes.Select(purpose => (string[])
            [purpose.Code.ToString(CultureInfo.InvariantCulture), purpose.Title,
                purpose.Parent == purpose.Code ? "" : purpose.Parent.ToString(CultureInfo.InvariantCulture)]));
        Output.Say(string.Create(CultureInfo.InvariantCulture,
            $"Rates are token units per epsilon. All releases of a person together may cost epsilon {menu.CapMicro / 1e6:0.##} at most."));
        return ExitCode.Success;
    }
}
