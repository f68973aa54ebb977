using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Reporting.Fhir;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>The next epoch of a schema.</summary>
internal sealed record EpochWish
{
    /// <summary>The schema's id.</summary>
    public required string SchemaId { get; init; }
}

/// <summary>A wallet for the patient of a record.</summary>
internal sealed record WalletWish
{
    /// <summary>The schema's id.</summary>
    public required string SchemaId { get; init; }

    /// <summary>The record's position, from 0, in the order of loading.</summary>
    public required int Record { get; init; }

    /// <summary>A passphrase for the way, which the patient changes.</summary>
    public required string Passphrase { get; init; }
}

/// <summary>A withdrawal at the desk.</summary>
internal sealed record WithdrawalWish
{
    /// <summary>The schema's id.</summary>
    public required string SchemaId { get; init; }

    /// <summary>The position of one of the person's records, from 0, in the order of loading.</summary>
    public required int Record { get; init; }
}

/// <summary>That what was commanded after a backup was entered again.</summary>
internal sealed record RestoreConfirmation
{
    /// <summary>Whether everybody on offer is paused first, until they speak for themselves.</summary>
    public required bool PauseEveryone { get; init; }
}

/// <summary>How many persons got a policy.</summary>
internal sealed record PoliciesSet(int Persons);

/// <summary>What a site's staff do.</summary>
internal static class SiteRoutes
{
    private const int LongestPassphrase = 1000;
    private static readonly string[] RecordTypes = ["text/csv", "application/gzip"];
    private static readonly string[] ResourceTypes =
        ["application/gzip", FhirJson.MediaType, "application/fhir+ndjson", "application/json", "application/x-ndjson"];
    private static readonly string[] ConsentTypes =
        [FhirJson.MediaType, "application/fhir+ndjson", "application/json", "application/gzip", "multipart/form-data"];

    /// <summary>Adds them.</summary>
    public static void MapSites(this IEndpointRouteBuilder api)
    {
        IEndpointRouteBuilder sites = api.MapGroup("/sites/{site}").WithTags("Sites");
        sites.MapGet("", (string site, string? schema, SiteService service) => service.StatusAsync(site, ApiValues.Hash(schema, "schema")))
            .Named("ReadSite", "Where the site stands with a schema.", Policies.SiteStaff).Cached(CacheFor.Session);
        sites.MapGet("/epochs", async (string site, string? schema, string? cursor, string? limit, SiteService service) =>
            Paging.After((await service.StatusAsync(site, ApiValues.Hash(schema, "schema"))).Epochs, epoch => $"{epoch.Epoch}",
                cursor, limit))
            .Named("ListSiteEpochs", "The site's epochs of a schema, oldest first.", Policies.SiteStaff).Cached(CacheFor.Session);
        sites.MapGet("/deliveries", async (string site, string? schema, string? cursor, string? limit, SiteService service) =>
            Paging.After((await service.StatusAsync(site, ApiValues.Hash(schema, "schema"))).Deliveries, delivery => $"{delivery.Sequence}",
                cursor, limit))
            .Named("ListSiteDeliveries", "The site's deliveries of a schema, in the order of their orders.", Policies.SiteStaff)
            .Cached(CacheFor.Session);
        sites.MapPost("/epochs", async (string site, EpochWish wish, SiteService service) =>
            TypedResults.Created($"{ApiPaths.Root}/sites/{site}/epochs",
                await service.DecideEpochAsync(site, ApiValues.Hash(wish.SchemaId, "schemaId"))))
            .Named("DecideEpoch", "Decides the next epoch from today's policies; the site posts it by itself.", Policies.SiteStaff)
            .Costs(RateClass.Write).Remembered();
        sites.MapPut("/policies/default", async (string site, DefaultPolicies policies, SiteService service) =>
            {
                ApiValues.Hash(policies.SchemaId, "schemaId");
                return new PoliciesSet(await service.SetDefaultPoliciesAsync(site, policies));
            })
            .Named("SetDefaultPolicies", "Gives everybody who has no policy one by default, in shares.", Policies.SiteStaff)
            .Costs(RateClass.Write);
        sites.MapPost("/loads",
            async (string site, string? schema, string? mapping, HttpContext context, SiteService service, RunningRoles roles,
                RecordSpool spool,
                Operations operations) =>
            {
                Schema dealt = SchemaOf(roles, ApiValues.Hash(schema, "schema"));
                _ = roles.Site(site);
                RecordMapping? by = mapping is null ? null : MappingOf(dealt, mapping);
                SpooledFiles files = await (by?.Document.Kind switch
                {
                    null => spool.TakeAsync(context, RecordTypes),
                    MappingKind.Omop => spool.TakeTablesAsync(context),
                    _ => spool.TakeAsync(context, ResourceTypes),
                });
                return Begin(operations, context, "load", files, async (progress, stopping) =>
                {
                    progress.Report(50);
                    return by is null ? await service.LoadAsync(site, dealt, files.Paths, stopping)
                        : await service.LoadMappedAsync(site, dealt, by, files.Paths, stopping);
                });
            })
            .Named("LoadRecords",
                "Loads record files: all of them or, when one line is wrong, none. With mapping, files of HL7 FHIR R4, or the tables of "
                    + "OMOP as multipart/form-data, each called as its table: what is wrong is left out and told by the outcome. Follow "
                    + "the operation for its end.",
                Policies.SiteStaff)
            .Costs(RateClass.Heavy).WithMetadata(new RequestLimit(RecordSpool.MostBytes))
            .Accepts<string>("text/csv", ["multipart/form-data", .. ResourceTypes])
            .Produces<OperationInfo>(StatusCodes.Status202Accepted);
        sites.MapPost("/policies/consents",
            async (string site, string? schema, string? layout, string? rate, string? quota, HttpContext context, ConsentDesk desk,
                RunningRoles roles, RecordSpool spool, Operations operations) =>
            {
                Schema dealt = SchemaOf(roles, ApiValues.Hash(schema, "schema"));
                int rates = roles.Site(site).Options.Rates.Count;
                ConsentsWish wish = new()
                {
                    Layout = layout, Rate = rate is null ? null : (byte)ApiValues.Number(rate, "rate", (ulong)rates - 1),
                };
                if (quota is not null)
                {
                    wish = wish with { Quota = (ushort)ApiValues.Number(quota, "quota", ushort.MaxValue) };
                }

                SpooledFiles files = wish.Quota > 0 ? await spool.TakeAsync(context, ConsentTypes)
                    : throw new ApiException(ProblemType.InvalidValue, "quota is 1 or more");
                return Begin(operations, context, "consents", files,
                    async (progress, stopping) => await desk.SetAsync(site, dealt, files.Paths, wish, progress, stopping));
            })
            .Named("SetConsents",
                "Carries out what patients said in Consents of HL7 FHIR R4, all that can be (docs/CONSENT.md). Follow the operation.",
                Policies.SiteStaff)
            .Costs(RateClass.Heavy).WithMetadata(new RequestLimit(RecordSpool.MostBytes))
            .Accepts<string>(FhirJson.MediaType, ConsentTypes[1..]).Produces<OperationInfo>(StatusCodes.Status202Accepted);
        sites.MapPost("/withdrawals", async (string site, WithdrawalWish wish, SiteService service) =>
            {
                await service.WithdrawAsync(site, ApiValues.Hash(wish.SchemaId, "schemaId"), wish.Record);
                return TypedResults.NoContent();
            })
            .Named("WithdrawAtDesk", "Withdraws the person of a record for ever, who asked for it at the desk.", Policies.SiteStaff)
            .Costs(RateClass.Write);
        sites.MapGet("/restore", (string site, SiteService service) => service.RestoreAsync(site))
            .Named("ReadRestore", "Where the site stands after its store was put back from a backup.", Policies.SiteStaff);
        sites.MapPost("/restore/confirmation", (string site, RestoreConfirmation wish, SiteService service) =>
            service.ConfirmRestoreAsync(site, wish.PauseEveryone))
            .Named("ConfirmRestore",
                "Lets a restored site go on: what its patients and its desk commanded after the backup was entered again.",
                Policies.SiteStaff)
            .Costs(RateClass.Write);
        sites.MapPost("/wallets", async (string site, WalletWish wish, SiteService service) =>
            {
                if (wish.Record < 0 || wish.Passphrase.Length > LongestPassphrase)
                {
                    throw new ApiException(ProblemType.InvalidValue,
                        $"record is 0 or more, and a passphrase has at most {LongestPassphrase} characters");
                }

                return TypedResults.File(await service.IssueWalletAsync(
                    site, ApiValues.Hash(wish.SchemaId, "schemaId"), wish.Record, wish.Passphrase), "application/json", "emr-wallet.json");
            })
            .Named("IssueWallet", "The wallet of a record's patient, sealed for handing over.", Policies.SiteStaff).Costs(RateClass.Heavy);
    }

    /// <summary>Begins work on files, which are removed at its end.</summary>
    private static IResult Begin(Operations operations, HttpContext context, string kind, SpooledFiles files,
        Func<IProgress<int>, CancellationToken, Task<object>> work)
    {
        try
        {
            return operations.Begin(context, kind, async (progress, stopping) =>
            {
                using (files)
                {
                    return await work(progress, stopping);
                }
            });
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    private static RecordMapping MappingOf(Schema schema, string name)
    {
        IReadOnlyList<RecordMapping> fitting = RecordMapping.Fitting(schema);
        string names = string.Join(", ", fitting.Select(mapping => mapping.Document.Name));
        return fitting.FirstOrDefault(mapping => mapping.Document.Name == name) ?? throw new ApiException(ProblemType.InvalidValue,
            names.Length > 0 ? $"mapping is one of those whose records the schema reads: {names}"
                : "no mapping's records are the schema's");
    }

    private static Schema SchemaOf(RunningRoles roles, string schemaId) => roles.Schemas.TryGetValue(schemaId, out var dealt)
        ? dealt.Schema : throw new ApiException(ProblemType.UnknownSchema);

    /// <summary>The most bytes of a body.</summary>
    private sealed record RequestLimit(long Bytes) : Microsoft.AspNetCore.Http.Metadata.IRequestSizeLimitMetadata
    {
        public long? MaxRequestBodySize => Bytes;
    }
}
