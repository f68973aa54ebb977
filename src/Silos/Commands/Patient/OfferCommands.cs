using System.CommandLine;
using System.Globalization;
using EmrMarket.Grains.Site.Wallet;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Patient;

/// <summary><c>emr patient offers</c> and <c>history</c>: what is offered now, and every use so far.</summary>
internal static class OfferCommands
{
    /// <summary>What is offered now.</summary>
    public static Command CreateOffers()
    {
        PatientOptions patient = new();
        ClientOptions client = new();
        Command command = client.AddTo(patient.AddTo(new Command(
            "offers",
            """
            Prints what the wallet's pseudonyms allow and ask now, and what of the person's budget is spent.

            Example:
              emr patient offers --wallet anna.wallet --json
            """)));
        command.SetAction(async (parsed, cancellation) =>
        {
            WalletFile wallet = patient.Open(parsed);
            using MarketClient market = client.Connect(parsed);
            string site = await patient.SiteAsync(parsed, market, cancellation);
            List<(WalletEntry, OfferInfo, MenuInfo)> offers = [];
            foreach (WalletEntry entry in patient.Entries(parsed, wallet))
            {
                PatientSession session = await PatientSession.OpenAsync(market, site, wallet, entry, cancellation);
                offers.Add((entry, await session.OfferAsync(cancellation),
                    await PolicyCommand.MenuAsync(market, site, Hashes.Text(entry.SchemaId), cancellation)));
            }

            Show(offers, client.Json(parsed));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Every use so far.</summary>
    public static Command CreateHistory()
    {
        PatientOptions patient = new();
        ClientOptions client = new();
        Command command = client.AddTo(patient.AddTo(new Command(
            "history",
            """
            Prints every use of the wallet's records: who asked for what in which grade, what it earned, and the places on the ledger where each can be checked ('emr trace' checks them).
            "key here" says whether this wallet spends what was paid: sales before a new seed belong to the wallet before it; of any other sale, ask the site why.

            Example:
              emr patient history --wallet anna.wallet
            """)));
        command.SetAction(async (parsed, cancellation) =>
        {
            WalletFile wallet = patient.Open(parsed);
            using MarketClient market = client.Connect(parsed);
            string site = await patient.SiteAsync(parsed, market, cancellation);
            List<(WalletEntry Entry, IReadOnlyList<UseInfo> Uses)> all = [];
            foreach (WalletEntry entry in patient.Entries(parsed, wallet))
            {
                PatientSession session = await PatientSession.OpenAsync(market, site, wallet, entry, cancellation);
                all.Add((entry, await session.HistoryAsync(cancellation)));
            }

            if (client.Json(parsed))
            {
                Output.Json(all.Select(of => new
                {
                    Pseudonym = Hashes.Text(of.Entry.Pseudonym), of.Uses, KeyHere = of.Uses.Select(use => KeyHere(wallet, of.Entry, use)),
                }));
                return ExitCode.Success;
            }

            foreach ((WalletEntry entry, IReadOnlyList<UseInfo> uses) in all)
            {
                Output.Say($"pseudonym {Hashes.Text(entry.Pseudonym)}{(uses.Count == 0 ? ": never used" : "")}");
                if (uses.Count > 0)
                {
                    Output.Table(
                        [" request", "purpose", "state", "released at grade", " token units", "paid to", "key here", "delivery", " slot"],
                        uses.Select(use => (string[])
                        [
                            use.RequestId.ToString(CultureInfo.InvariantCulture), use.PurposeTitle, use.State,
                            string.Join(", ",
                                use.Attributes.Select(used => string.Create(CultureInfo.InvariantCulture, $"{used.Name} {used.Grade}"))),
                                    use.Amount, use.Payee, KeyHere(wallet, entry, use) ? "yes" : "no",
                            use.DeliveryId[..12],
                            use.Slot.ToString(CultureInfo.InvariantCulture),
                        ]));
                    foreach ((ulong request, AskedInfo asked) in uses.Where(use => use.Asked is not null)
                        .Select(use => (use.RequestId, use.Asked!)).Distinct())
                    {
                        Output.Say(string.Create(
                            CultureInfo.InvariantCulture,
                            $"request {request}: \"{asked.Title}\": {asked.Why} Asked by {asked.Researcher}."));
                    }
                }
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static bool KeyHere(WalletFile wallet, WalletEntry entry, UseInfo use) =>
        wallet.Derives(entry.Pseudonym, use.Epoch, Contracts.Ethereum.Address.Parse(use.Payee));

    /// <summary>Prints offers.</summary>
    internal static void Show(IReadOnlyList<(WalletEntry Entry, OfferInfo Offer, MenuInfo Menu)> offers, bool json)
    {
        if (json)
        {
            Output.Json(offers.Select(
                of => new { Pseudonym = Hashes.Text(of.Entry.Pseudonym), SchemaId = Hashes.Text(of.Entry.SchemaId), of.Offer }));
            return;
        }

        foreach ((WalletEntry entry, OfferInfo offer, MenuInfo menu) in offers)
        {
            Output.Facts(
                ("pseudonym", Hashes.Text(entry.Pseudonym)),
                ("takes part", offer.Quota == 0 ? "no: there is no policy yet" : offer.Participation),
                ("profile", offer.Quota == 0 ? "-" : menu.Profiles[offer.Profile].Name),
                ("rate", offer.Quota == 0 ? "-" : string.Join(" / ", menu.Rates[offer.Rate].PerEpsilon)
                    + " token units per epsilon (Public / Low / Moderate / Private)"),
                ("sales a round", offer.Quota.ToString(CultureInfo.InvariantCulture)),
                ("purpose", menu.Purposes.First(purpose => purpose.Code == offer.Purpose).Title + ", and all below it"),
                ("until", DateTimeOffset.FromUnixTimeSeconds(offer.ExpirySeconds).ToString("u", CultureInfo.InvariantCulture)),
                ("spent",
                    string.Create(CultureInfo.InvariantCulture,
                        $"epsilon {offer.LossMicro / 1e6:0.######} of at most {offer.CapMicro / 1e6:0.##}")));
        }
    }
}
