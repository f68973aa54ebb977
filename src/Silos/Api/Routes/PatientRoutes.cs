using System.Text.Json;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Consents;
using EmrMarket.Silos.Reporting.Fhir;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>What patients do, each with the own pseudonym.</summary>
internal static class PatientRoutes
{
    /// <summary>Adds them.</summary>
    public static void MapPatients(this IEndpointRouteBuilder api)
    {
        IEndpointRouteBuilder patients = api.MapGroup("/sites/{site}").WithTags("Patients");
        patients.MapGet("/menus/{schemaId}",
            (string site, string schemaId, PatientService service) => service.MenuAsync(site, ApiValues.Hash(schemaId, "schemaId")))
            .Named("ReadMenu", "The choices of a site's patients, with what each means.", Policies.Anyone).Cached(CacheFor.Everybody);
        patients.MapGet("/publishers/{schemaId}/{pseudonym}",
            (string site, string schemaId, string pseudonym, PatientService service) => service.OfferAsync(site, schemaId, pseudonym))
            .Named("ReadOffer", "What the patient allows and asks now, and what was spent.", Policies.Patient).Cached(CacheFor.Session);
        patients.MapPost(
                "/publishers/{schemaId}/{pseudonym}/commands",
                (string site, string schemaId, string pseudonym, CommandInfo command, PatientService service) =>
                    service.CommandAsync(site, schemaId, pseudonym, command))
            .Named("Command", "Carries out a signed command (docs/WIRE.md, \"Patients' messages\").", Policies.Patient)
            .Costs(RateClass.Write).Remembered();
        patients.MapPost(
                "/publishers/{schemaId}/{pseudonym}/accounts",
                (string site, string schemaId, string pseudonym, TakeOverInfo takeOver, PatientService service) =>
                    service.TakeOverAsync(site, schemaId, pseudonym, takeOver))
            .Named("TakeOver",
                "Puts a signed payout account, whose seed only the patient has, in the place of the seed so far "
                    + "(docs/WIRE.md, \"Patients' messages\").",
                Policies.Patient)
            .Costs(RateClass.Write).Remembered();
        patients.MapGet("/publishers/{schemaId}/{pseudonym}/consent",
                async (string site, string schemaId, string pseudonym, PatientService service) =>
                    new TaggedText(await service.ConsentAsync(site, schemaId, pseudonym), FhirJson.MediaType + "; charset=utf-8"))
            .Named("ReadConsent", "What the patient allows and asks now, as a Consent of HL7 FHIR R4 (docs/CONSENT.md).", Policies.Patient)
            .Produces<JsonElement>(StatusCodes.Status200OK, FhirJson.MediaType);
        patients.MapPost("/publishers/{schemaId}/{pseudonym}/consent",
                async (string site, string schemaId, string pseudonym, HttpContext context, PatientService service) =>
                    service.ReadConsent(site, schemaId, await BodyAsync(context)))
            .Named("ConvertConsent",
                "The policy that a Consent of HL7 FHIR R4 means. Nothing is set: that takes a signed command.", Policies.Patient)
            .Costs(RateClass.Write).Accepts<JsonElement>(FhirJson.MediaType, "application/json");
        patients.MapGet("/publishers/{schemaId}/{pseudonym}/history",
            async (string site, string schemaId, string pseudonym, string? cursor, string? limit, HttpContext context,
                PatientService service) => Paging.After(
                    await service.HistoryAsync(site, schemaId, pseudonym, context.RequestAborted), use => $"{use.DeliveryId}-{use.Slot}",
                    cursor, limit))
            .Named("ReadHistory", "Every use of the record, oldest first, with its places on the ledger.", Policies.Patient)
            .Cached(CacheFor.Session);
    }

    // As bytes: of a Consent every repeated member counts.
    private static async Task<ReadOnlyMemory<byte>> BodyAsync(HttpContext context)
    {
        string type = context.Request.ContentType?.Split(';')[0].Trim() ?? "";
        if (!type.Equals(FhirJson.MediaType, StringComparison.OrdinalIgnoreCase)
            && !type.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            throw new ApiException(ProblemType.UnsupportedMediaType);
        }

        using MemoryStream body = new();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        return body.ToArray();
    }
}
