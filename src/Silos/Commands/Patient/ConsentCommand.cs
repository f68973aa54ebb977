using System.CommandLine;
using System.Globalization;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Wallet;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Consents;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Patient;

/// <summary><c>emr patient consent</c>: policies as Consents of HL7 FHIR R4, and back.</summary>
internal static class ConsentCommand
{
    private const string Description =
        """
        Writes the wallet's policy as a Consent of HL7 FHIR R4, or tells which policy a Consent means; 'emr patient policy --consent FILE' sets it. The Consent is read on this machine, against the schema whose hash the wallet
        holds: no server decides what is signed. docs/CONSENT.md lists what becomes what, and what is refused.

        Examples:
          emr patient consent --wallet anna.wallet --out consent.json
          emr patient consent consent.json --schema diabetic_data
          emr patient consent consent.json --wallet anna.wallet --json

        Exit codes: 0 done, 1 not allowed, 2 wrong command or input, 75 not ready.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var file = new Argument<string?>("file") { Description = "A Consent to be read.", HelpName = "FILE",
            Arity = ArgumentArity.ZeroOrOne };
        var into = new Option<string?>("--out") { Description = "Where the wallet's policy goes; without it to standard output.",
            HelpName = "FILE" };
        SchemaOption schema = new();
        PatientOptions patient = new();
        ClientOptions client = new();
        Command command = client.AddTo(patient.AddTo(new Command("consent", Description) { file, into, schema.Option }));
        command.Validators.Add(result =>
        {
            if (result.GetValue(file) is not null && result.GetValue(into) is not null)
            {
                result.AddError("Give a Consent to be read, or --out for one to be written.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            using MarketClient market = client.Connect(parsed);
            string site = await patient.SiteAsync(parsed, market, cancellation);
            if (parsed.GetValue(file) is { } consent)
            {
                string schemaId = patient.HasWallet(parsed)
                    ? Hashes.Text(patient.Choose(parsed, patient.Open(parsed)).SchemaId) : await schema.FindAsync(parsed, market,
                        cancellation);
                MenuInfo menu = await PolicyCommand.MenuAsync(market, site, schemaId, cancellation);
                (ConsentReading reading, Schema of) = await ReadAsync(market, schemaId, menu, consent, cancellation);
                Show(ConsentInfo.Of(reading, of), menu, client.Json(parsed));
                return ExitCode.Success;
            }

            WalletFile wallet = patient.Open(parsed);
            PatientSession session = await PatientSession.OpenAsync(market, site, wallet, patient.Choose(parsed, wallet), cancellation);
            string written = await session.ConsentAsync(cancellation);
            if (parsed.GetValue(into) is { } path)
            {
                Save(path, written);
            }
            else
            {
                await Console.Out.WriteAsync(written);
            }

            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Signs what a Consent means.</summary>
    internal static async Task<OfferInfo> SetAsync(
        MarketClient market, PatientSession session, WalletFile wallet, WalletEntry entry, MenuInfo menu, string file, byte? rate,
        ushort? quota, bool yes, CancellationToken cancellationToken)
    {
        (ConsentReading reading, _) = await ReadAsync(market, Hashes.Text(entry.SchemaId), menu, file, cancellationToken);
        foreach (ConsentNote note in reading.Notes)
        {
            Output.Remark($"{note.Expression}: {note.Text}");
        }

        if (reading.Participation == Participation.Withdrawn)
        {
            PolicyCommand.Confirm(yes, "The Consent is rejected. Withdraw for ever?");
            return await session.WithdrawAsync(wallet, cancellationToken);
        }

        if (reading.Participation == Participation.Paused)
        {
            Output.Remark("the Consent is not active: taking part is paused, and the policy stays as it was");
            return await session.CommandAsync(
                new PublisherCommand { Nonce = 0, Kind = PublisherCommandKind.Pause, Signature = [] }, cancellationToken);
        }

        ConsentPolicy policy = reading.Policy!;
        OfferInfo now = await session.OfferAsync(cancellationToken);
        bool first = now.Quota == 0;
        return await session.CommandAsync(
            new PublisherCommand
            {
                Nonce = 0,
                Kind = PublisherCommandKind.SetPolicy,
                Profile = policy.Profile,
                Rate = Either(policy.Rate, rate, "--rate") ?? (first
                    ? throw new CommandException(ExitCode.Usage,
                        "--rate is needed, since neither the Consent nor a policy names one: './emr patient policy' shows the menu")
                    : now.Rate),
                Quota = Either(policy.Quota, quota, "--quota") ?? (first ? PolicyCommand.UsualQuota : now.Quota),
                Purpose = policy.Purpose,
                ExpirySeconds = policy.ExpirySeconds,
                Signature = [],
            },
            cancellationToken);
    }

    private static T? Either<T>(T? said, T? given, string option)
        where T : struct => said is null ? given
        : given is null || given.Equals(said) ? said
        : throw new CommandException(ExitCode.Usage, $"{option}: the Consent says another one; leave the option out");

    private static async Task<(ConsentReading Reading, Schema Schema)> ReadAsync(
        MarketClient market, string schemaId, MenuInfo menu, string file, CancellationToken cancellationToken)
    {
        SchemaInfo told = await market.GetAsync<SchemaInfo>($"api/v1/schemas/{schemaId}", cancellationToken);
        Schema schema = Schema.Parse(told.Json, told.Name);
        if (schema.Id != schemaId)
        {
            throw new CommandException(ExitCode.Failure,
                $"the server's schema {schemaId} has another content than its id says: trust it in nothing");
        }

        long now = (await market.GetAsync<MarketInfo>("api/v1/market", cancellationToken)).NowSeconds;
        return (ConsentReader.Read(Load(file), new ConsentMenu(schema, menu.Rates), now, file), schema);
    }

    private static byte[] Load(string file)
    {
        try
        {
            using FileStream stream = File.OpenRead(file);

            // One byte more than there may be, so that too long a file is told to be one.
            byte[] text = new byte[Math.Min(stream.Length, ConsentReader.MostBytes + 1)];
            stream.ReadExactly(text);
            return text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException(new InputProblem("unreadable-file", file, 0, "", e.Message, "Name a Consent of FHIR R4 as JSON."));
        }
    }

    private static void Save(string path, string text)
    {
        try
        {
            File.WriteAllText(path, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"--out: {e.Message}", e);
        }
    }

    private static void Show(ConsentInfo consent, MenuInfo menu, bool json)
    {
        if (json)
        {
            Output.Json(consent);
            return;
        }

        Output.Facts(
        [
            ("takes part", consent.Participation),
            .. consent.Policy is not { } policy ? Array.Empty<(string, string)>() :
            [
                ("profile", policy.ProfileName),
                ("rate", policy.Rate is { } rate ? string.Join(" / ", menu.Rates[rate].PerEpsilon)
                    + " token units per epsilon (Public / Low / Moderate / Private)" : "as it is: the Consent names none"),
                ("sales a round", policy.Quota?.ToString(CultureInfo.InvariantCulture) ?? "as they are: the Consent names none"),
                ("purpose", policy.PurposeTitle + ", and all below it"),
                ("until", policy.ExpirySeconds == ConsentWriter.NoEnd ? "for ever (the year 9999)"
                    : DateTimeOffset.FromUnixTimeSeconds(policy.ExpirySeconds).ToString("u", CultureInfo.InvariantCulture)),
            ],
        ]);
        foreach (ConsentNote note in consent.Notes)
        {
            Output.Say($"{note.Expression}: {note.Text}");
        }
    }
}
