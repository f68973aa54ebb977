using System.Globalization;
using System.Text;
using System.Text.Json;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>The whole story by commands alone, against a real server: load, policies, epoch, plan, open, match, deliver, results, claims,
/// history, trace, verify.</summary>
public sealed class MarketStoryTests
{
    private const int Records = 240;
    private const string Schema = "synthetic";
    private const long PlantedRecord = 0x5EC2_E7AB_0000;
    private const long PlantedPerson = 0x7B1D_C94E_0000;
    private const string PlantedFraction = ".0719283746";

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    [Trait("Duration", "Long")]
    public async Task Story_from_records_to_payout_is_told_by_commands_alone()
    {
        await using ServedMarket market = new();
        string file = market.Place("records.csv");
        Assert.Equal(0, (await CommandProcess.RunAsync(market.Folder, "data", "generate", "--records", $"{Records}", "--out", file)).Code);
        await PlantAsync(file);
        await market.StartAsync();

        await LoadAsync(market, file);
        string wallet = await EnrolAsync(market);
        JsonElement epoch = await market.JsonAsync("site", "post-epoch", "--schema", Schema, "--wait");
        Assert.Equal("final", epoch.GetProperty("status").GetString());
        long members = epoch.GetProperty("members").GetInt64();
        Assert.InRange(members, 1, Records);
        JsonElement catalogue = (await market.JsonAsync("catalogue", "--schema", Schema))[0];
        Assert.Equal(members, catalogue.GetProperty("records").GetInt64());

        ulong request = await BuyAsync(market, members);
        (string pseudonym, decimal earned) = await PatientAsync(market, wallet, request);
        await AuditAsync(market, request, pseudonym, earned);

        wallet = await OwnSeedAsync(market, wallet, pseudonym);

        // Withdrawn for ever: the next epoch goes on without.
        JsonElement withdrawn =
            (await market.JsonAsync("patient", "withdraw", "--wallet", wallet, "--passphrase-file", market.Place("pass"), "--pseudonym",
                pseudonym, "--yes"))[0];
        Assert.Equal("withdrawn", withdrawn.GetProperty("offer").GetProperty("participation").GetString());
        await market.RefusedAsync(2, "withdrawn", "patient", "policy", "--wallet", wallet, "--passphrase-file", market.Place("pass"),
            "--pseudonym", pseudonym, "--resume");
        await FindNothingRawAsync(market, file);
    }

    /// <summary>Gives the records ids, and a measurement a fraction, that stand nowhere else by chance.</summary>
    private static async Task PlantAsync(string file)
    {
        string[] lines = await File.ReadAllLinesAsync(file);
        int measured = Array.IndexOf(lines[0].Split(','), "bmi");
        await File.WriteAllLinesAsync(file, lines.Select((line, row) =>
        {
            string[] values = line.Split(',');
            if (row > 0)
            {
                values[0] = (PlantedRecord + long.Parse(values[0], CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture);
                values[1] = (PlantedPerson + long.Parse(values[1], CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture);
                values[measured] = values[measured].Length == 0 ? "" : values[measured].Split('.')[0] + PlantedFraction;
            }

            return string.Join(',', values);
        }));
    }

    /// <summary>
    /// Looks for what was planted in all that the server keeps: the databases of market and site with their logs of changes, the chain,
    /// exchanged files, spools and its own words. The site's own database is sealed, so that it is nowhere, neither as text nor as a number
    /// in either order of bytes.
    /// </summary>
    private static async Task FindNothingRawAsync(ServedMarket market, string file)
    {
        string said = await market.StopAsync();
        byte[][] planted =
        [
            .. new[] { PlantedRecord, PlantedPerson }.SelectMany(id =>
            {
                // The two last bytes count the records.
                byte[] number = BitConverter.GetBytes(id)[2..], turned = [.. number.Reverse()];
                return new[] { number, turned, Encoding.ASCII.GetBytes(id.ToString(CultureInfo.InvariantCulture)[..9]) };
            }),
            Encoding.ASCII.GetBytes(PlantedFraction),
        ];
        Assert.All(planted.Where(sought => sought.All(b => b is >= (byte)'.' and <= (byte)'9')),
            sought => Assert.True(File.ReadAllBytes(file).AsSpan().IndexOf(sought) >= 0));
        Assert.All(planted,
            sought => Assert.True(Encoding.UTF8.GetBytes(said).AsSpan().IndexOf(sought) < 0, "a raw value is in what the server said"));
        int looked = 0;
        foreach (string path in Directory.EnumerateFiles(market.Folder, "*", SearchOption.AllDirectories)
            .Where(path => Path.GetExtension(path) != ".csv"))
        {
            byte[] content = await File.ReadAllBytesAsync(path);
            looked++;
            Assert.All(planted,
                sought => Assert.True(content.AsSpan().IndexOf(sought) < 0, $"{path} holds {Convert.ToHexStringLower(sought)}"));
        }

        Assert.InRange(looked, 100, int.MaxValue);
    }

    private static async Task LoadAsync(ServedMarket market, string file)
    {
        // A wrong line is named, and nothing is loaded.
        string[] lines = await File.ReadAllLinesAsync(file);
        string wrong = market.Place("wrong.csv");
        await File.WriteAllLinesAsync(wrong, [.. lines[..5], lines[5].Replace(',', ';'), .. lines[6..]]);
        await market.RefusedAsync(2, ":6:", "site", "load", wrong, "--schema", Schema);
        await market.RefusedAsync(2, "load some first", "site", "status", "--schema", Schema);

        JsonElement loaded = await market.JsonAsync("site", "load", file, "--schema", Schema);
        Assert.Equal(Records, loaded.GetProperty("records").GetInt64());

        // The same file again changes nothing.
        await market.JsonAsync("site", "load", file, "--schema", Schema);
        Assert.Equal(Records, (await market.JsonAsync("site", "status", "--schema", Schema)).GetProperty("records").GetInt32());
        await market.RefusedAsync(2, "unknown", "site", "load", file, "--schema", "unknown");
    }

    private static async Task<string> EnrolAsync(ServedMarket market)
    {
        string wallet = market.Place("anna.wallet");
        string passphrase = CommandProcess.Secret(market.Folder, "pass", "one good passphrase");
        JsonElement made = await market.JsonAsync("patient", "wallet", "create", wallet, "--site", "hospital", "--schema", Schema,
            "--record", "0", "--passphrase-file", passphrase);
        string pseudonym = made.GetProperty("entries")[0].GetProperty("pseudonym").GetString()!;
        JsonElement menu = await market.JsonAsync("patient", "policy", "--schema", Schema);
        string profile = menu.GetProperty("profiles")[menu.GetProperty("profiles").GetArrayLength() - 1].GetProperty("name").GetString()!;
        await market.RefusedAsync(2, "--rate", "patient", "policy", "--wallet", wallet, "--passphrase-file", passphrase, "--pseudonym",
            pseudonym, "--profile", profile);

        // The patient chooses; the others leave it to the site, which gives them the same, so that the classes are large enough.
        JsonElement chosen = (await market.JsonAsync(
            "patient", "policy", "--wallet", wallet, "--passphrase-file", passphrase, "--pseudonym", pseudonym, "--profile", profile,
            "--rate", "1", "--purpose", "2", "--quota", "2"))[0];
        Assert.Equal("active", chosen.GetProperty("offer").GetProperty("participation").GetString());
        Assert.Equal(2, chosen.GetProperty("offer").GetProperty("nextNonce").GetInt32());
        JsonElement others = await market.JsonAsync(
            "site", "policies", "--schema", Schema, "--profile", profile, "--rate", "1", "--purpose", "2", "--quota", "2");
        Assert.InRange(others.GetProperty("persons").GetInt32(), 1, Records - 1);
        JsonElement paused =
            (await market.JsonAsync(
                "patient", "policy", "--wallet", wallet, "--passphrase-file", passphrase, "--pseudonym", pseudonym, "--pause"))[0];
        Assert.Equal("paused", paused.GetProperty("offer").GetProperty("participation").GetString());
        await market.JsonAsync("patient", "policy", "--wallet", wallet, "--passphrase-file", passphrase, "--pseudonym",
            pseudonym, "--resume");
        await ConsentAsync(market, chosen.GetProperty("offer"), ["--wallet", wallet, "--passphrase-file", passphrase]);

        // Another wallet's key commands nothing: the phrase of somebody else restores other keys.
        string stranger = market.Place("stranger.wallet");
        string words = CommandProcess.Secret(market.Folder, "words", Grains.Site.Wallet.RecoveryPhrase.Write(new byte[32]));
        JsonElement entry = made.GetProperty("entries")[0];
        Assert.Equal(0, (await CommandProcess.RunAsync(
            market.Folder, "patient", "wallet", "restore", stranger, "--phrase-file", words, "--passphrase-file", passphrase, "--entry",
            $"{entry.GetProperty("site").GetUInt32()}/{entry.GetProperty("schemaId").GetString()}/{pseudonym}")).Code);
        await market.RefusedAsync(1, "controller", "patient", "offers", "--wallet", stranger, "--passphrase-file", passphrase);
        return wallet;
    }

    /// <summary>The policy goes out as a Consent and comes back as the same policy, whatever was set in between.</summary>
    private static async Task ConsentAsync(ServedMarket market, JsonElement chosen, string[] patient)
    {
        string file = market.Place("consent.json");
        Assert.Equal(0, (await market.RunAsync(["patient", "consent", .. patient, "--out", file])).Code);
        JsonElement means = await market.JsonAsync("patient", "consent", file, "--schema", Schema);
        Assert.Equal("active", means.GetProperty("participation").GetString());
        Assert.Equal(0, means.GetProperty("notes").GetArrayLength());
        await market.JsonAsync(["patient", "policy", .. patient, "--rate", "0", "--quota", "1", "--purpose", "3", "--until", "2030-01-01"]);
        await market.RefusedAsync(2, "another one", ["patient", "policy", .. patient, "--consent", file, "--rate", "0"]);
        JsonElement back = (await market.JsonAsync(["patient", "policy", .. patient, "--consent", file]))[0].GetProperty("offer");
        foreach (string name in (string[])["profile", "rate", "quota", "purpose", "expirySeconds", "participation"])
        {
            Assert.Equal(chosen.GetProperty(name).ToString(), back.GetProperty(name).ToString());
        }

        string consent = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, consent.Replace("\"active\"", "\"inactive\"", StringComparison.Ordinal));
        Assert.Equal("paused", (await market.JsonAsync(["patient", "policy", .. patient, "--consent", file]))[0].GetProperty("offer")
            .GetProperty("participation").GetString());
        await File.WriteAllTextAsync(file, consent.Replace("\"active\"", "\"rejected\"", StringComparison.Ordinal));
        await market.RefusedAsync(2, "--yes", ["patient", "policy", .. patient, "--consent", file]);
        await File.WriteAllTextAsync(file, consent.Replace("\"purpose\"", "\"actor\"", StringComparison.Ordinal));
        await market.RefusedAsync(2, "Consent.provision.actor", ["patient", "policy", .. patient, "--consent", file]);
        await market.JsonAsync(["patient", "policy", .. patient, "--resume"]);
    }

    private static async Task<ulong> BuyAsync(ServedMarket market, long members)
    {
        Assert.Equal(0, (await market.RunAsync("account", "key")).Code);
        JsonElement plan = await market.JsonAsync(
            "request", "plan", "--schema", Schema, "--statistic", "mean:length_of_stay", "--records", "100");
        Assert.InRange(plan.GetProperty("recommended").GetInt32(), 1, 15);
        string[] wish = ["request", "open", "--schema", Schema, "--statistic", "mean:length_of_stay", "--records", $"{members}", "--title",
            "Length of stay", "--why", "Planning of beds", "--days", "0.01", "--yes"];
        await market.RefusedAsync(1, "token units", wish);
        await market.JsonAsync("account", "fund");

        // What had been handed in without money is there, and is taken back without a call of the ledger.
        JsonElement draft = (await market.JsonAsync("request", "list"))[0];
        Assert.Equal(0ul, draft.GetProperty("requestId").GetUInt64());
        await market.JsonAsync("request", "cancel", draft.GetProperty("key").GetString()!);
        JsonElement opened = await market.JsonAsync([.. wish, "--save", market.Place("terms.json")]);
        ulong request = opened.GetProperty("requestId").GetUInt64();
        Assert.Equal(1ul, request);
        await market.RefusedAsync(75, "", "request", "results", $"{request}");
        await market.RefusedAsync(75, "cannot be replayed yet", "request", "verify", $"{request}", "--folder", market.Chain);
        JsonElement ended = await market.JsonAsync("request", "status", $"{request}", "--until", "ended", "--timeout", "300");
        Assert.Equal("settled", ended.GetProperty("state").GetString());
        Assert.Equal(members, ended.GetProperty("delivered").GetInt64());
        JsonElement delivery = Assert.Single(
            (await market.JsonAsync("site", "deliver", "--schema", Schema, "--request", $"{request}")).EnumerateArray());
        Assert.Equal(members, delivery.GetProperty("delivered").GetInt64());

        JsonElement results = await market.JsonAsync("request", "results", $"{request}");
        Assert.Equal("mean:length_of_stay",
            Assert.Single(results.GetProperty("statistics").EnumerateArray()).GetProperty("id").GetString());
        (int code, string csv, string error) = await market.RunAsync("request", "results", $"{request}", "--format", "csv");
        Assert.True(code == 0, error);
        Assert.StartsWith("requestId,statistic,section,figure", csv, StringComparison.Ordinal);
        Assert.Contains($"{request},mean:length_of_stay,,mean,", csv, StringComparison.Ordinal);
        foreach ((string form, string begins) in new[] { ("fhir", "{\n \"resourceType\": \"Bundle\""), ("html", "<!doctype html>") })
        {
            (code, string written, error) = await market.RunAsync("request", "results", $"{request}", "--format", form);
            Assert.True(code == 0, error);
            Assert.StartsWith(begins, written, StringComparison.Ordinal);
        }

        await market.RefusedAsync(2, "exclude each other", "request", "results", $"{request}", "--format", "csv", "--json");
        await market.RefusedAsync(2, "closed", "request", "cancel", $"{request}");

        // What was paid in is paid out or given back, to the unit.
        decimal budget = Number(ended.GetProperty("terms").GetProperty("budget"));
        Assert.Equal(budget, Number(ended.GetProperty("paid")) + Number(ended.GetProperty("refunded")));
        return request;
    }

    private static async Task<(string Pseudonym, decimal Earned)> PatientAsync(ServedMarket market, string wallet, ulong request)
    {
        JsonElement history = await market.JsonAsync("patient", "history", "--wallet", wallet, "--passphrase-file", market.Place("pass"));
        JsonElement used = history.EnumerateArray().First(of => of.GetProperty("uses").GetArrayLength() > 0);
        JsonElement use = Assert.Single(used.GetProperty("uses").EnumerateArray());
        Assert.Equal(request, use.GetProperty("requestId").GetUInt64());
        Assert.Equal("paid", use.GetProperty("state").GetString());
        Assert.True(used.GetProperty("keyHere")[0].GetBoolean());
        JsonElement offer = (await market.JsonAsync("patient", "offers", "--wallet", wallet, "--passphrase-file", market.Place("pass")))[0];
        Assert.True(offer.GetProperty("offer").GetProperty("lossMicro").GetInt64() > 0);
        return (used.GetProperty("pseudonym").GetString()!, Number(use.GetProperty("amount")));
    }

    /// <summary>The patient makes a seed of the own; from then on the wallet that the site handed out commands nothing.</summary>
    private static async Task<string> OwnSeedAsync(ServedMarket market, string wallet, string pseudonym)
    {
        string own = market.Place("anna.own"), passphrase = market.Place("pass");
        string[] Of(string file) => ["--wallet", file, "--passphrase-file", passphrase, "--pseudonym", pseudonym];
        JsonElement made = await market.JsonAsync(
            ["patient", "wallet", "own", own, .. Of(wallet), "--new-passphrase-file", passphrase]);
        Assert.Contains(made.GetProperty("entries").EnumerateArray(), one => one.GetProperty("pseudonym").GetString() == pseudonym);
        await market.RefusedAsync(1, "controller", ["patient", "offers", .. Of(wallet)]);
        JsonElement offer = (await market.JsonAsync(["patient", "offers", .. Of(own)]))[0].GetProperty("offer");
        Assert.True(offer.GetProperty("ownSeed").GetBoolean());

        // What was earned before stays in sight, and who commands now can hand the records on.
        JsonElement history = (await market.JsonAsync(["patient", "history", .. Of(own)]))[0];
        Assert.False(Assert.Single(history.GetProperty("keyHere").EnumerateArray()).GetBoolean());
        await market.RefusedAsync(
            2, "handed in before", ["patient", "wallet", "own", own, .. Of(own), "--new-passphrase-file", passphrase]);
        await market.JsonAsync("site", "post-epoch", "--schema", Schema, "--wait");
        return own;
    }

    private static async Task AuditAsync(ServedMarket market, ulong request, string pseudonym, decimal earned)
    {
        // An auditor with an account of the own, who keeps a mirror.
        string password = CommandProcess.Secret(market.Folder, "password", "a long enough Passw0rd!");
        await market.JsonAsync("account", "add", "audit-desk", "--role", "auditor", "--password-file", password);
        Assert.Contains((await market.JsonAsync("account", "list")).EnumerateArray(),
            account => account.GetProperty("name").GetString() == "audit-desk");
        await market.RefusedAsync(1, "is not signed in", "request", "verify", $"{request}", "--folder", market.Chain, "--as", "audit-desk");
        (int signed, _, string said) = await market.RunAsync("account", "sign-in", "audit-desk", "--password-file", password);
        Assert.True(signed == 0, said);
        string mirror = market.Place("mirror");
        JsonElement verified = await market.JsonAsync(
            "request", "verify", $"{request}", "--folder", market.Chain, "--as", "audit-desk", "--files", mirror);
        Assert.True(verified.GetProperty("verified").GetBoolean());
        Assert.True(verified.GetProperty("comparedResults").GetBoolean());
        Assert.Equal(Directory.GetFiles(mirror).Select(Path.GetFileName).Order(StringComparer.Ordinal),
            verified.GetProperty("files").EnumerateArray().Select(name => name.GetString()));

        JsonElement trace = await market.JsonAsync("trace", pseudonym, "--folder", market.Chain, "--as", "audit-desk", "--files", mirror);
        string[] steps = [.. trace.GetProperty("steps").EnumerateArray().Select(step => step.GetString()!)];
        Assert.Contains(steps, step => step.StartsWith("policy: ", StringComparison.Ordinal));
        Assert.Contains(steps, step => step.StartsWith("match: ", StringComparison.Ordinal));
        Assert.Contains(steps,
            step => step.StartsWith("payout: " + earned.ToString(CultureInfo.InvariantCulture) + " token units", StringComparison.Ordinal));
        await market.RefusedAsync(
            1, "no epoch on this ledger", "trace", new string('0', 64), "--folder", market.Chain, "--as", "audit-desk", "--files", mirror);

        // From the mirror alone, with the terms and results as files; and a mirror or results that were altered are found out.
        await File.WriteAllTextAsync(
            market.Place("results.json"), (await market.RunAsync("request", "results", $"{request}", "--json")).Output);
        string[] offline = ["request", "verify", $"{request}", "--folder", market.Chain, "--offline", "--files", mirror, "--terms",
            market.Place("terms.json"), "--results", market.Place("results.json")];
        JsonElement alone = await market.JsonAsync(offline);
        Assert.True(alone.GetProperty("verified").GetBoolean());
        await File.WriteAllTextAsync(market.Place("results.json"),
            (await File.ReadAllTextAsync(market.Place("results.json")))
                .Replace("\"requestId\":1,", "\"requestId\":2,", StringComparison.Ordinal));
        (int differs, string output, _) = await market.RunAsync(offline);
        Assert.Equal(1, differs);
        Assert.Contains("are not those that its deliveries give", output, StringComparison.Ordinal);
        string damaged = Directory.GetFiles(mirror)[0];
        byte[] bytes = await File.ReadAllBytesAsync(damaged);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(damaged, bytes);
        await market.RefusedAsync(1, "it was altered", offline);
        File.Delete(damaged);
        (int missing, string lacks, _) = await market.RunAsync(offline);
        Assert.Equal(1, missing);
        Assert.Contains("missing", lacks, StringComparison.Ordinal);
    }

    private static decimal Number(JsonElement text) => decimal.Parse(text.GetString()!, CultureInfo.InvariantCulture);
}
