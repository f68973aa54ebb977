using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Wallet;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;
using EmrMarket.Silos.Records.Mapping.Omop;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>What a site's staff do. Record files are read here, at the site; nothing that is answered holds a raw value but the problems of
/// a file, which are for the staff's own eyes.</summary>
internal sealed class SiteService(RunningRoles roles)
{
    private const ushort DefaultQuota = 4;
    private const long Day = 86_400;

    /// <summary>Where the site stands with a schema.</summary>
    public async Task<SiteInfo> StatusAsync(string site, string schemaId)
    {
        SiteRole here = roles.Site(site);
        await here.View.SyncAsync();
        SiteStatus status = await here.Grain.StatusAsync(schemaId);
        return new SiteInfo
        {
            Name = site,
            Account = Show.Address(here.Options.Account),
            Site = status.Site,
            SchemaId = schemaId,
            Records = status.Records,
            Persons = status.Persons,
            HighestLossMicro = status.HighestLossMicro,
            CapMicro = here.Options.Cap.Micro,
            Epochs = [.. status.Epochs.Select(epoch => new EpochInfo
            {
                Epoch = epoch.Epoch, Members = epoch.Members, Classes = epoch.Classes, Withheld = epoch.Withheld, FileHash = epoch.FileHash,
                Status = StatusOf(here, status.Site, epoch.FileHash),
            })],
            Deliveries = [.. status.Deliveries.Select(delivery => new DeliveryInfo
            {
                Sequence = delivery.Sequence, RequestId = delivery.RequestId, Sold = delivery.Sold, Delivered = delivery.Delivered,
                OverCap = delivery.OverCap, NotAllowed = delivery.NotAllowed,
                Refusal = delivery.Refusal,
            })],
        };
    }

    /// <summary>The account of a site, which posts its batches.</summary>
    public string Account(string site) => Show.Address(roles.Site(site).Options.Account);

    /// <summary>The number of a site on the ledger; 0 while it is not admitted.</summary>
    public uint Number(string site)
    {
        SiteRole here = roles.Site(site);
        return here.View.Sites().FirstOrDefault(row => row.Account == here.Options.Account)?.Site ?? 0;
    }

    /// <summary>The site's menu of rates.</summary>
    public RateInfo[] Rates(string site) => RateInfo.Of(roles.Site(site).Options.Rates);

    /// <summary>Reads record files and loads them: all of them or, when one line is wrong, none.</summary>
    /// <param name="site">The site.</param>
    /// <param name="schema">The schema: of this market, or the site refuses it.</param>
    /// <param name="files">The files, CSV or packed CSV; each is recognised by its columns.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InputException">A file is refused: every problem by line, the first hundred in full.</exception>
    /// <exception cref="SiteRefusedException">The site refuses the records.</exception>
    public async Task<LoadInfo> LoadAsync(string site, Schema schema, IReadOnlyList<string> files, CancellationToken cancellationToken)
    {
        SiteRole here = roles.Site(site);
        RecordLoader loader = new(schema);
        (long records, long clipped, IReadOnlyList<InputProblem> problems, long total) = loader.Check(files, cancellationToken);
        if (total > 0)
        {
            throw new InputException(problems, total);
        }

        RecordTable table = loader.Load(files, cancellationToken);

        // The same content again is the same batch, whoever loads it and whatever the files are called; other values under the same keys
        // are another one, which the site refuses.
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Convert.FromHexString(schema.Id));
        hash.AppendData(MemoryMarshal.AsBytes<ulong>(table.RecordKeys));
        hash.AppendData(MemoryMarshal.AsBytes<ulong>(table.PersonKeys));
        foreach (RecordColumn column in table.Columns)
        {
            hash.AppendData(MemoryMarshal.AsBytes<ushort>(column.Codes));
            hash.AppendData(MemoryMarshal.AsBytes<uint>(column.Fractions ?? []));
        }

        string id = Convert.ToHexStringLower(hash.GetHashAndReset());
        await here.Grain.LoadAsync(new LoadRecords
        {
            Id = id,
            SchemaJson = schema.ToJson(),
            RecordKeys = [.. table.RecordKeys],
            PersonKeys = [.. table.PersonKeys],
            Codes = [.. table.Columns.Select(column => column.Codes.ToArray())],
            Fractions = [.. table.Columns.Select(column => column.Fractions?.ToArray() ?? [])],
        });
        return new LoadInfo { Id = id, SchemaId = schema.Id, Records = records, Persons = table.PersonCount, Clipped = clipped };
    }

    /// <summary>Maps resources of FHIR, or tables of OMOP, to records and loads them. What has anything wrong, and a record with a value
    /// that the schema refuses, is told in <see cref="LoadInfo.Report"/> and left out.</summary>
    /// <param name="site">The site.</param>
    /// <param name="schema">The schema.</param>
    /// <param name="mapping">The mapping.</param>
    /// <param name="files">The files, alone in a folder that only this process enters: the records are written there for a moment.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InputException">A file as a whole is refused, or no record is left.</exception>
    /// <exception cref="SiteRefusedException">The site refuses the records.</exception>
    public async Task<LoadInfo> LoadMappedAsync(
        string site, Schema schema, RecordMapping mapping, IReadOnlyList<string> files, CancellationToken cancellationToken)
    {
        string folder = Path.GetDirectoryName(files[0])!;
        RowAccumulator rows = mapping.Document.Kind == MappingKind.Omop
            ? OmopReader.Read(mapping, folder, MappingLimits.OfCall, cancellationToken)
            : FhirReader.Read(mapping, files, MappingLimits.OfCall, cancellationToken);
        using MappedRecords mapped = MappedRecords.Create(rows, schema, folder, cancellationToken);
        return await LoadAsync(site, schema, [mapped.Path], cancellationToken) with { Report = rows.Report };
    }

    /// <summary>Gives everybody who has none a policy by default, in shares: for patients who leave the choice to the site.</summary>
    /// <exception cref="SiteRefusedException">A profile, rate or purpose is not on the menu.</exception>
    public async Task<int> SetDefaultPoliciesAsync(string site, DefaultPolicies policies)
    {
        SiteRole here = roles.Site(site);
        await here.View.SyncAsync();
        return await here.Grain.SetDefaultPoliciesAsync(new SetDefaultPolicies
        {
            SchemaId = policies.SchemaId,
            ProfileShares = policies.ProfileShares,
            RateShares = policies.RateShares,
            Purpose = policies.Purpose,
            Quota = policies.Quota == 0 ? DefaultQuota : policies.Quota,
            ExpirySeconds = policies.ExpirySeconds > 0 ? policies.ExpirySeconds : here.View.NowSeconds + (300 * Day),
        });
    }

    /// <summary>Decides the next epoch from today's policies; the site posts it by itself.</summary>
    /// <exception cref="SiteRefusedException">There are no records, or nobody's offer can be published.</exception>
    public async Task<EpochInfo> DecideEpochAsync(string site, string schemaId)
    {
        SiteEpoch epoch = await roles.Site(site).Grain.DecideEpochAsync(schemaId);
        return new EpochInfo
        {
            Epoch = epoch.Epoch, Members = epoch.Members, Classes = epoch.Classes, Withheld = epoch.Withheld, FileHash = epoch.FileHash,
            Status = "decided",
        };
    }

    /// <summary>The wallet of the person of a record, sealed for handing over: the site knows its seed, since it made it
    /// (docs/LIMITATIONS.md).</summary>
    /// <param name="site">The site.</param>
    /// <param name="schemaId">The schema.</param>
    /// <param name="record">The record's position, from 0, in the order of loading.</param>
    /// <param name="passphrase">A passphrase for the way, which the patient changes.</param>
    public async Task<byte[]> IssueWalletAsync(string site, string schemaId, int record, string passphrase)
    {
        SiteRole here = roles.Site(site);
        SiteEnrolment enrolment = await here.Grain.EnrolmentAsync(schemaId, record);
        Contracts.Ethereum.Bytes32 schema = Contracts.Ethereum.Bytes32.ParseDigits(schemaId);
        return new WalletFile(enrolment.Seed,
            [.. enrolment.Pseudonyms.Select(p => new WalletEntry(enrolment.Site, schema, Contracts.Ethereum.Bytes32.ParseDigits(p)))])
                .Write(passphrase);
    }

    /// <summary>Withdraws the person of a record for ever, as they asked at the desk.</summary>
    /// <param name="site">The site.</param>
    /// <param name="schemaId">The schema.</param>
    /// <param name="record">The record's position, from 0, in the order of loading.</param>
    public Task WithdrawAsync(string site, string schemaId, int record) => roles.Site(site).Grain.WithdrawAtDeskAsync(schemaId, record);

    /// <summary>Where a site stands after its store was put back from a backup; null when it never was.</summary>
    public async Task<RestoreInfo> RestoreAsync(string site) => await roles.Site(site).Grain.RestoreAsync() is { } restore
        ? new RestoreInfo
        {
            Restored = true, SnapshotSeconds = restore.SnapshotSeconds, Confirmed = restore.IsConfirmed, Open = restore.Open,
        }
        : new RestoreInfo { Restored = false, SnapshotSeconds = 0, Confirmed = true, Open = [] };

    /// <summary>Lets a restored site go on.</summary>
    /// <param name="site">The site.</param>
    /// <param name="pauseEveryone">Whether everybody on offer is paused first.</param>
    /// <exception cref="SiteRefusedException">What the ledger shows is not made good yet.</exception>
    public async Task<RestoreInfo> ConfirmRestoreAsync(string site, bool pauseEveryone)
    {
        await roles.Site(site).Grain.ConfirmRestoreAsync(pauseEveryone);
        return await RestoreAsync(site);
    }

    private static string StatusOf(SiteRole here, uint site, string fileHash) =>
        here.View.Epochs().FirstOrDefault(row => row.Header.Site == site && Show.Hash(row.Header.DataHash) == fileHash) is { } row
            ? row.Status.ToString().ToLowerInvariant() : "decided";
}

/// <summary>A site with a schema.</summary>
internal sealed record SiteInfo
{
    public required string Name { get; init; }

    public required string Account { get; init; }

    /// <summary>Its number on the ledger; 0 while it is not admitted.</summary>
    public required uint Site { get; init; }

    public required string SchemaId { get; init; }

    public required int Records { get; init; }

    public required int Persons { get; init; }

    public required long HighestLossMicro { get; init; }

    public required long CapMicro { get; init; }

    public required EpochInfo[] Epochs { get; init; }

    public required DeliveryInfo[] Deliveries { get; init; }
}

/// <summary>A site after its store was put back from a backup.</summary>
internal sealed record RestoreInfo
{
    public required bool Restored { get; init; }

    /// <summary>The time of the backup, unix seconds; 0 when it is not known.</summary>
    public required long SnapshotSeconds { get; init; }

    /// <summary>Whether the site goes on.</summary>
    public required bool Confirmed { get; init; }

    /// <summary>What the ledger shows and is not made good yet.</summary>
    public required string[] Open { get; init; }
}

internal sealed record EpochInfo
{
    public required uint Epoch { get; init; }

    public required int Members { get; init; }

    public required int Classes { get; init; }

    public required int Withheld { get; init; }

    public required string FileHash { get; init; }

    /// <summary>decided, posted, final or void.</summary>
    public required string Status { get; init; }
}

internal sealed record DeliveryInfo
{
    public required long Sequence { get; init; }

    public required ulong RequestId { get; init; }

    public required int Sold { get; init; }

    public required int Delivered { get; init; }

    public required int OverCap { get; init; }

    public required int NotAllowed { get; init; }

    /// <summary>Why the market refused it; empty otherwise.</summary>
    public required string Refusal { get; init; }
}

internal sealed record LoadInfo
{
    public required string Id { get; init; }

    public required string SchemaId { get; init; }

    public required long Records { get; init; }

    public required int Persons { get; init; }

    /// <summary>Values that were moved to the bounds of their grid.</summary>
    public required long Clipped { get; init; }

    /// <summary>What became of the resources, where records were mapped from such.</summary>
    [JsonIgnore]
    public MappingReport? Report { get; init; }

    /// <summary>The same as an OperationOutcome of FHIR R4.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Outcome => Report is null ? null : JsonSerializer.Deserialize<JsonElement>(OutcomeFile.Text(Report));
}

/// <summary>Policies for those who have none.</summary>
internal sealed record DefaultPolicies
{
    public required string SchemaId { get; init; }

    /// <summary>Per profile of the menu its share, millionths; they sum to 1,000,000.</summary>
    public required int[] ProfileShares { get; init; }

    /// <summary>Per rate of the menu its share, millionths; they sum to 1,000,000.</summary>
    public required int[] RateShares { get; init; }

    /// <summary>The purpose's code.</summary>
    public required byte Purpose { get; init; }

    /// <summary>Sales per record and round; 4 when 0.</summary>
    public ushort Quota { get; init; }

    /// <summary>Unix seconds; in 300 days when 0.</summary>
    public long ExpirySeconds { get; init; }
}
