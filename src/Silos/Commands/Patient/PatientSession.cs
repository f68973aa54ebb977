using System.CommandLine;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Grains.Site.Wallet;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Patient;

/// <summary>What every command of a patient takes: wallet, site, and which pseudonym.</summary>
internal sealed class PatientOptions
{
    private readonly Option<string?> _wallet = new("--wallet") { Description = "The wallet file.", HelpName = "FILE" };
    private readonly Option<string?> _site = new("--site")
    {
        Description = "The site by its name; without it the only one that the server runs.", HelpName = "NAME",
    };
    private readonly Option<string?> _pseudonym = new("--pseudonym")
    {
        Description = "The pseudonym, or how it begins; without it the wallet's only one.", HelpName = "HEX",
    };
    private readonly Option<string?> _passphrase = WalletStore.Passphrase();

    /// <summary>Puts them on a command.</summary>
    public Command AddTo(Command command)
    {
        foreach (Option option in (Option[])[_wallet, _site, _pseudonym, _passphrase])
        {
            command.Options.Add(option);
        }

        return command;
    }

    /// <summary>Whether a wallet was named.</summary>
    public bool HasWallet(ParseResult parsed) => parsed.GetValue(_wallet) is not null;

    /// <summary>The wallet.</summary>
    public WalletFile Open(ParseResult parsed) =>
        parsed.GetValue(_wallet) is { } file ? WalletStore.Open(file, parsed.GetValue(_passphrase))
        : throw new CommandException(
            ExitCode.Usage, "--wallet is needed: the file that holds the patient's keys ('emr patient wallet' makes one)");

    /// <summary>The entry that is meant.</summary>
    public WalletEntry Choose(ParseResult parsed, WalletFile wallet, bool any = false) =>
        wallet.Choose(parsed.GetValue(_pseudonym), any);

    /// <summary>The entries that are meant: all of the wallet when no pseudonym is named.</summary>
    public IReadOnlyList<WalletEntry> Entries(ParseResult parsed, WalletFile wallet) =>
        parsed.GetValue(_pseudonym) is null ? wallet.Entries : [Choose(parsed, wallet)];

    /// <summary>The site's name.</summary>
    public async Task<string> SiteAsync(ParseResult parsed, MarketClient market, CancellationToken cancellationToken)
    {
        if (parsed.GetValue(_site) is { } named)
        {
            return named;
        }

        string[] sites = (await market.GetAsync<MarketInfo>("api/v1/market", cancellationToken)).Sites;
        return sites.Length == 1
            ? sites[0]
            : throw new CommandException(
                ExitCode.Usage, $"--site is needed: the server runs {(sites.Length == 0 ? "no site" : string.Join(", ", sites))}");
    }
}

/// <summary>A patient signed in as one pseudonym at its site.</summary>
/// <param name="market">The connection, with the pseudonym's token.</param>
/// <param name="site">The site's name.</param>
/// <param name="entry">The pseudonym.</param>
/// <param name="controller">The key that commands it.</param>
internal sealed class PatientSession(MarketClient market, string site, WalletEntry entry, EthereumAccount controller)
{
    private string Path => $"api/v1/sites/{site}/publishers/{Hashes.Text(entry.SchemaId)}/{Hashes.Text(entry.Pseudonym)}";

    /// <summary>Signs in.</summary>
    public static async Task<PatientSession> OpenAsync(
        MarketClient market, string site, WalletFile wallet, WalletEntry entry, CancellationToken cancellationToken)
    {
        EthereumAccount controller = wallet.Controller(entry.Pseudonym);
        await market.SignInAsync(controller, $"{site}/{Hashes.Text(entry.SchemaId)}/{Hashes.Text(entry.Pseudonym)}", cancellationToken);
        return new PatientSession(market, site, entry, controller);
    }

    /// <summary>What is allowed and asked now.</summary>
    public Task<OfferInfo> OfferAsync(CancellationToken cancellationToken) => market.GetAsync<OfferInfo>(Path, cancellationToken);

    /// <summary>The same as a Consent of HL7 FHIR R4.</summary>
    public Task<string> ConsentAsync(CancellationToken cancellationToken) =>
        market.GetAsync<string>(Path + "/consent", cancellationToken);

    /// <summary>Every use, oldest first.</summary>
    public async Task<IReadOnlyList<UseInfo>> HistoryAsync(CancellationToken cancellationToken) =>
        await market.ListAsync<UseInfo>(Path + "/history", cancellationToken);

    /// <summary>Signs a command and hands it in.</summary>
    /// <param name="command">The command; nonce and signature are filled in.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<OfferInfo> CommandAsync(PublisherCommand command, CancellationToken cancellationToken)
    {
        MarketInfo ledger = await market.GetAsync<MarketInfo>("api/v1/market", cancellationToken);
        PublisherDomain domain = new(ledger.ChainId, Address.Parse(ledger.Contracts.AccessControl), entry.SchemaId, entry.Pseudonym);
        PublisherCommand signed = (command with { Nonce = (await OfferAsync(cancellationToken)).NextNonce }).Sign(domain, controller);
        string kind = signed.Kind.ToString();
        return await market.PostAsync<OfferInfo>(
            Path + "/commands",
            new CommandInfo
            {
                Nonce = signed.Nonce,
                Kind = char.ToLowerInvariant(kind[0]) + kind[1..],
                Profile = signed.Profile,
                Rate = signed.Rate,
                Quota = signed.Quota,
                Purpose = signed.Purpose,
                ExpirySeconds = signed.ExpirySeconds,
                Signature = Hex.Encode(signed.Signature),
                Revocations = signed.Revocations.Length == 0 ? null
                    : [.. signed.Revocations.Select(one => new SignedRevocation(one.Pseudonym, Hex.Encode(one.Signature)))],
            },
            cancellationToken);
    }

    /// <summary>Signs the revocations of the wallet's pseudonyms at this site and in this schema, and withdraws: where only the patient has
    /// the seed, nobody else can sign them.</summary>
    public async Task<OfferInfo> WithdrawAsync(WalletFile wallet, CancellationToken cancellationToken)
    {
        PublisherRevocation[] revocations = [];
        if ((await OfferAsync(cancellationToken)).OwnSeed)
        {
            MarketInfo ledger = await market.GetAsync<MarketInfo>("api/v1/market", cancellationToken);
            Address contract = Address.Parse(ledger.Contracts.AccessControl);
            revocations =
            [
                .. wallet.Entries.Where(one => one.Site == entry.Site && one.SchemaId == entry.SchemaId)
                    .Select(one => new PublisherRevocation
                {
                    Pseudonym = Hashes.Text(one.Pseudonym),
                    Signature = wallet.Controller(one.Pseudonym)
                        .Sign(SignedMessages.Revocation(ledger.ChainId, contract, one.Site, one.Pseudonym)).ToBytes(),
                }),
            ];
        }

        return await CommandAsync(
            new PublisherCommand { Nonce = 0, Kind = PublisherCommandKind.Withdraw, Signature = [], Revocations = revocations },
            cancellationToken);
    }

    /// <summary>Hands in the payout account of another seed: from then on that seed's keys command the person's records.</summary>
    public async Task<OfferInfo> TakeOverAsync(ReadOnlyMemory<byte> seed, CancellationToken cancellationToken)
    {
        MarketInfo ledger = await market.GetAsync<MarketInfo>("api/v1/market", cancellationToken);
        PublisherDomain domain = new(ledger.ChainId, Address.Parse(ledger.Contracts.AccessControl), entry.SchemaId, entry.Pseudonym);
        PublisherTakeOver signed = PublisherMessages.TakeOver(
            domain, (await OfferAsync(cancellationToken)).NextNonce, seed.Span, controller);
        return await market.PostAsync<OfferInfo>(
            Path + "/accounts",
            new TakeOverInfo
            {
                Nonce = signed.Nonce,
                PublicKey = Hex.Encode(signed.PublicKey),
                ChainCode = Hex.Encode(signed.ChainCode),
                Signature = Hex.Encode(signed.Signature),
                AccountSignature = Hex.Encode(signed.AccountSignature),
            },
            cancellationToken);
    }
}
