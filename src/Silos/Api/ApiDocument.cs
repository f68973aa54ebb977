using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Traffic;
using Microsoft.OpenApi;

namespace EmrMarket.Silos.Api;

/// <summary>The API's description: OpenAPI 3.1 at /api/v1/openapi.json, committed as docs/openapi.json, and Swagger UI at
/// /api/docs.</summary>
internal static class ApiDocument
{
    private const string Name = "v1";
    private const string Description =
        "A market for statistics from electronic medical records under tiered local differential privacy. Amounts of token units are "
            + "decimal text, hashes and ids 64 lower-case hexadecimal digits, "
        + "addresses 0x and 40, times unix seconds of the ledger. Every failure is a problem of RFC 9457 whose type is explained under "
        + "/problems. docs/API.md tells the whole story.";

    /// <summary>Adds the generator.</summary>
    public static void AddApiDocument(this IServiceCollection services) => services.AddOpenApi(Name, options =>
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.ShouldInclude = description => description.RelativePath?.StartsWith("api/v1/", StringComparison.Ordinal) == true;
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "EmrMarket", Version = Name, Description = Description, License = new OpenApiLicense
                {
                    Name = "MIT", Identifier = "MIT",
                },
            };
            document.Servers = [new OpenApiServer { Url = "/" }];
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
            {
                ["bearer"] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.Http, Scheme = "bearer",
                    Description = "The token of a sign-in, or this machine's operator token.",
                },
                ["cookie"] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Cookie, Name = AccessSetup.CookieName,
                    Description = $"A session in a cookie; changes need {AccessSetup.CsrfHeader} as well.",
                },
            };
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            IList<object> metadata = context.Description.ActionDescriptor.EndpointMetadata;
            string policy = metadata.OfType<PolicyName>().Single().Policy;
            operation.Description = $"Who may: {policy}.";
            if (policy != Policies.Anyone)
            {
                operation.Security =
                [
                    new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("bearer", context.Document)] = [] },
                    new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("cookie", context.Document)] = [] },
                ];
            }

            operation.Responses ??= [];
            if (metadata.OfType<CacheFor>().Any())
            {
                operation.Responses["304"] = new OpenApiResponse { Description = "What If-None-Match names is still the answer." };
            }

            operation.Responses["default"] = new OpenApiResponse
            {
                Description = "A problem (RFC 9457).",
                Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
                {
                    ["application/problem+json"] = new() { Schema = ProblemSchema() },
                },
            };
            if (metadata.OfType<Remembers>().Any())
            {
                operation.Parameters ??= [];
                operation.Parameters.Add(new OpenApiParameter
                {
                    Name = RememberedAnswers.Header, In = ParameterLocation.Header,
                    Description = "A call that comes again under its key is answered as before.",
                    Schema = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = 100 },
                });
            }

            return Task.CompletedTask;
        });
    });

    /// <summary>Adds document and browser.</summary>
    public static void MapApiDocument(this IEndpointRouteBuilder routes)
    {
        routes.MapOpenApi("/api/{documentName}/openapi.json").RequireAuthorization(Policies.Anyone)
            .WithMetadata(new PolicyName(Policies.Anyone));
        routes.MapSwaggerUI("api/docs", ui =>
        {
            ui.SwaggerEndpoint($"{ApiPaths.Root}/openapi.json", "EmrMarket v1");
            ui.DocumentTitle = "EmrMarket API";
            ui.ConfigObject.AdditionalItems["validatorUrl"] = null!;
        }).RequireAuthorization(Policies.Anyone).WithMetadata(new PolicyName(Policies.Anyone));
    }

    private static OpenApiSchema ProblemSchema() => new()
    {
        Type = JsonSchemaType.Object,
        Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal)
        {
            ["type"] = new OpenApiSchema { Type = JsonSchemaType.String }, ["title"] = new OpenApiSchema { Type = JsonSchemaType.String },
            ["status"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Integer,
            }, ["detail"] = new OpenApiSchema { Type = JsonSchemaType.String },
                ["fix"] = new OpenApiSchema { Type = JsonSchemaType.String },
        },
        Required = new HashSet<string>(StringComparer.Ordinal) { "type", "title", "status", "detail", "fix" },
    };
}
