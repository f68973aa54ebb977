using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Pages.Texts;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary><c>emr audit finding</c> and <c>findings</c>.</summary>
internal static class FindingCommands
{
    // By the ledger's number of a kind, whose first is 1.
    private static readonly string[] Kinds = ["channel", "estimates", "other"];

    /// <summary>Records a finding.</summary>
    public static Command CreateFinding()
    {
        var site = new Option<uint>("--site") { Description = "The site by its number on the ledger.", HelpName = "N", Required = true };
        var kind = new Option<string>("--kind")
        {
            Description = "channel: reports that the channel cannot produce; estimates: apart from those of the other sites; other.",
            HelpName = "KIND", Required = true,
        };
        kind.AcceptOnlyFromAmong(Kinds);
        var document = new Option<string>("--document")
        {
            Description = "The document that states it. Only its SHA-256 leaves this machine; keep the document.", HelpName = "FILE",
            Required = true,
        };
        Option<string?> key = AuditorSession.KeyOption();
        ClientOptions client = new();
        Command command = client.AddTo(new Command(
            "finding",
            """
            Records on the ledger that an auditor found something about a site: the SHA-256 of a document, its author, kind and time. A registered auditor's key signs ('emr chain auditor').

            Examples:
              emr audit finding --site 1 --kind channel --document memo.pdf

            Exit codes: 0 recorded, 1 failed or refused, 2 wrong command or input, 75 not ready.
            """) { site, kind, document, key });
        command.SetAction(async (parsed, cancellation) =>
        {
            byte[] hash = await HashAsync(parsed.GetValue(document)!, cancellation);
            using AuditorSession session = await AuditorSession.OpenAsync(parsed, client, key, cancellation);
            uint number = parsed.GetValue(site);
            FindingWish wish = new()
            {
                Account = session.Address, Kind = (byte)(Array.IndexOf(Kinds, parsed.GetValue(kind)) + 1),
                ContentHash = Convert.ToHexStringLower(hash),
            };
            string path = string.Create(CultureInfo.InvariantCulture, $"api/v1/ledger/sites/{number}/findings");
            CallOffer offer = await session.Market.PostAsync<CallOffer>(path, wish, cancellation);
            ContractCall own = session.Evaluation.RecordFinding(number, wish.Kind, new Bytes32(hash));
            AuditorSession.Compare(offer.Calls, [own]);
            int before = (await ListAsync(session, number, cancellation)).Count;
            await session.Market.SendAsync(session.Account, [(offer.Calls[0].What, own)], cancellation);
            FindingInfo recorded = await AuditorSession.SeenAsync(
                "the finding",
                async late => (await ListAsync(session, number, late)).Skip(before).LastOrDefault(
                    one => one.ContentHash == wish.ContentHash && one.Author == session.Address),
                cancellation);
            if (client.Json(parsed))
            {
                Output.Json(recorded);
            }
            else
            {
                Output.Facts(
                    ("site", recorded.Site.ToString(CultureInfo.InvariantCulture)), ("finding", LedgerPhrases.Finding(recorded.Kind)),
                    ("sha-256", recorded.ContentHash), ("author", recorded.Author));
            }

            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Lists findings.</summary>
    public static Command CreateList()
    {
        var only = new Option<uint?>("--site") { Description = "Only those about this site.", HelpName = "N" };
        ClientOptions client = new();
        Command command = client.AddTo(new Command("findings", "Lists what auditors found about sites. Statistics, never proof.") { only });
        command.SetAction(async (parsed, cancellation) =>
        {
            using AuditorSession session = await AuditorSession.OpenAsync(parsed, client, key: null, cancellation);
            List<FindingInfo> findings = [];
            foreach (SiteRowInfo site in (await session.Market.ListAsync<SiteRowInfo>("api/v1/ledger/sites?limit=1000", cancellation))
                .Where(site => parsed.GetValue(only) is not { } number || site.Site == number))
            {
                findings.AddRange(await ListAsync(session, site.Site, cancellation));
            }

            if (client.Json(parsed))
            {
                Output.Json(findings);
            }
            else
            {
                Output.Table([" site", "finding", "sha-256", "author", "recorded"], findings.Select(finding => (string[])
                [
                    finding.Site.ToString(CultureInfo.InvariantCulture), LedgerPhrases.Finding(finding.Kind), finding.ContentHash,
                    finding.Author,
                    DateTimeOffset.FromUnixTimeSeconds((long)finding.RecordedSeconds).ToString("u", CultureInfo.InvariantCulture),
                ]));
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static async Task<IReadOnlyList<FindingInfo>> ListAsync(
        AuditorSession session, uint site, CancellationToken cancellationToken) =>
        await session.Market.ListAsync<FindingInfo>(
            string.Create(CultureInfo.InvariantCulture, $"api/v1/ledger/sites/{site}/findings?limit=1000"), cancellationToken);

    private static async Task<byte[]> HashAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            await using FileStream content = File.OpenRead(file);
            return content.Length > 0 ? await SHA256.HashDataAsync(content, cancellationToken)
                : throw new CommandException(ExitCode.Usage, $"--document: {file} is empty, so it states nothing");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"--document: {file} cannot be read: {e.Message}", e);
        }
    }
}
