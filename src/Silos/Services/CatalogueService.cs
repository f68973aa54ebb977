using System.Globalization;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>What is dealt in, where, and what is on offer.</summary>
internal sealed class CatalogueService(RunningRoles roles)
{
    /// <summary>Whether the market runs in this process, and its catalogue can be read here.</summary>
    public bool IsHere => roles.Market is not null;

    /// <summary>The market as anybody may know it.</summary>
    public MarketInfo Describe()
    {
        ContractDeployment deployment = roles.View.Deployment;
        return new MarketInfo
        {
            ChainId = deployment.ChainId,
            Contracts = new ContractsInfo
            {
                Token = Show.Address(deployment.Token.Address), AccessControl = Show.Address(deployment.AccessControl.Address),
                Matching = Show.Address(deployment.Matching.Address),
                Evaluation = Show.Address(deployment.Evaluation.Address), Payments = Show.Address(deployment.Payments.Address),
            },
            Terms = deployment.Terms,
            RequestsPaused = roles.View.RequestsPaused,
            Block = roles.View.Head,
            NowSeconds = roles.View.NowSeconds,
            Schemas = [.. Dealt().Select(schema => new SchemaName(schema.Schema.Id, schema.Schema.Name))],
            Sites = [.. roles.Sites.Keys.Order(StringComparer.Ordinal)],
            Purposes = [.. PurposeTree.Default.Purposes.Select(purpose => new PurposeInfo(purpose.Code, purpose.Parent, purpose.Title))],
            Embedded = roles.Consortium is not null,
        };
    }

    /// <summary>A schema in full.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-schema</c>.</exception>
    public SchemaInfo Schema(string schemaId)
    {
        Schema schema = Find(schemaId).Schema;
        return new SchemaInfo
        {
            Id = schema.Id,
            Name = schema.Name,
            GradesMicro = [.. Enumerable.Range(1, schema.Grades.Count).Select(grade => schema.Grades[grade].Micro)],
            Attributes =
            [
                .. schema.Attributes.Select(attribute => new AttributeInfo
                {
                    Name = attribute.Name,
                    Title = attribute.Title,
                    Tier = attribute.Tier.ToString().ToLowerInvariant(),
                    Values = attribute.Domain.Size,
                    Labels = attribute.Domain.Size <= MostLabels
                        ? [.. Enumerable.Range(0, attribute.Domain.Size).Select(attribute.Domain.Label)] : [],
                    Unit = attribute.Domain is GridDomain grid ? grid.Unit : "",
                    Numeric = attribute.Domain is GridDomain,
                    Filterable = attribute.Filterable,
                }),
            ],
            Profiles =
                [.. schema.Profiles.Select(
                    profile => new ProfileInfo
                    {
                        Name = profile.Name, Grades = [.. Enumerable.Range(0, schema.Attributes.Count).Select(a => profile[a])],
                    })],
            Json = schema.ToJson(),
        };
    }

    /// <summary>What is on offer of a schema.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-schema</c>, or <c>no-market</c> in a process of sites only.</exception>
    public async Task<CatalogueInfo> ReadAsync(string schemaId)
    {
        Schema schema = Find(schemaId).Schema;
        Catalogue catalogue = await roles.Here().Grains.GetGrain<ICatalogueGrain>(schemaId).ReadAsync();
        return new CatalogueInfo
        {
            SchemaId = schemaId,
            SchemaName = schema.Name,
            Block = roles.View.Head,
            Records = catalogue.Records,
            Classes = catalogue.Classes,
            Attributes =
            [
                .. schema.Attributes.Select((attribute, a) => new OfferedAttribute
                {
                    Name = attribute.Name, Tier = attribute.Tier.ToString().ToLowerInvariant(),
                    RecordsByGrade = catalogue.RecordsByGrade[a],
                }),
            ],
            RecordsByPurpose =
                [.. PurposeTree.Default.Purposes.Select(
                    purpose => new PurposeCount(purpose.Code, purpose.Title, catalogue.RecordsByPurpose.GetValueOrDefault(purpose.Code)))],
            RecordsByCell = new SortedDictionary<string, long>(catalogue.RecordsByCell, StringComparer.Ordinal),
            RecordsBySite = new SortedDictionary<uint, long>(catalogue.RecordsBySite),
            MedianRates = [.. catalogue.MedianRates.Select(Show.Amount)],
            RecordsByPrivateRate =
                [.. catalogue.RecordsByPrivateRate.OrderBy(pair => pair.Key)
                    .Select(pair => new RateCount(Show.Amount(pair.Key), pair.Value))],
            SmallestCount = Catalogue.SmallestCount,
        };
    }

    private const int MostLabels = 200;

    private MarketSchema Find(string schemaId) => roles.Schemas.TryGetValue(schemaId, out MarketSchema? schema) ? schema
        : throw new ServiceRefusedException("unknown-schema",
            $"this market does not deal in schema {schemaId}: it deals in {string.Join(", ", Dealt().Select(s => s.Schema.Name))}");

    private IEnumerable<MarketSchema> Dealt() => roles.Schemas.Values.OrderBy(schema => schema.Schema.Name, StringComparer.Ordinal);
}

/// <summary>How values are written.</summary>
internal static class Show
{
    public static string Amount(UInt128 units) => units.ToString(CultureInfo.InvariantCulture);

    public static string Address(string address) => address.ToLowerInvariant();

    public static string Address(Contracts.Ethereum.Address address) => address.ToString().ToLowerInvariant();

    public static string Hash(Contracts.Ethereum.Bytes32 hash) => MarketContext.Name(hash);

    public static string Hex(ReadOnlySpan<byte> bytes) => "0x" + Convert.ToHexStringLower(bytes);

    /// <summary>The market of this process.</summary>
    /// <exception cref="ServiceRefusedException"><c>no-market</c>.</exception>
    public static MarketRole Here(this RunningRoles roles) =>
        roles.Market ?? throw new ServiceRefusedException("no-market", "this process runs sites only: ask the market's own address");

    /// <summary>A site of this process.</summary>
    /// <exception cref="ServiceRefusedException"><c>unknown-site</c>.</exception>
    public static SiteRole Site(this RunningRoles roles, string name) => roles.Sites.TryGetValue(name, out SiteRole? site) ? site
        : throw new ServiceRefusedException("unknown-site",
            $"this process runs no site '{name}': it runs {(roles.Sites.Count == 0 ? "none" : string.Join(", ", roles.Sites.Keys))}");
}

/// <summary>The market.</summary>
internal sealed record MarketInfo
{
    public required ulong ChainId { get; init; }

    public required ContractsInfo Contracts { get; init; }

    /// <summary>The rules of the contracts: windows in seconds, bonds and fees in token units.</summary>
    public required DeploymentTerms Terms { get; init; }

    /// <summary>Whether the consortium takes no new requests at the moment; those that are funded go on.</summary>
    public required bool RequestsPaused { get; init; }

    /// <summary>The newest block.</summary>
    public required ulong Block { get; init; }

    /// <summary>Its time.</summary>
    public required long NowSeconds { get; init; }

    public required SchemaName[] Schemas { get; init; }

    /// <summary>The sites that this process runs.</summary>
    public required string[] Sites { get; init; }

    public required PurposeInfo[] Purposes { get; init; }

    /// <summary>Whether it is an embedded chain, on which whoever has the machine can forge.</summary>
    public required bool Embedded { get; init; }
}

internal sealed record ContractsInfo
{
    public required string Token { get; init; }

    public required string AccessControl { get; init; }

    public required string Matching { get; init; }

    public required string Evaluation { get; init; }

    public required string Payments { get; init; }
}

internal sealed record SchemaName(string Id, string Name);

/// <summary>A purpose; who admits one admits all below it.</summary>
internal sealed record PurposeInfo(byte Code, byte Parent, string Title);

/// <summary>A schema.</summary>
internal sealed record SchemaInfo
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>The ladder: the loss of each grade from 1, micro-epsilon.</summary>
    public required long[] GradesMicro { get; init; }

    public required AttributeInfo[] Attributes { get; init; }

    /// <summary>The menu of profiles, in order.</summary>
    public required ProfileInfo[] Profiles { get; init; }

    /// <summary>The canonical JSON; the id is its SHA-256.</summary>
    public required string Json { get; init; }
}

internal sealed record AttributeInfo
{
    public required string Name { get; init; }

    /// <summary>public, low, moderate or private.</summary>
    public required string Tier { get; init; }

    /// <summary>Size of the domain.</summary>
    public required int Values { get; init; }

    /// <summary>The values' labels; empty for large domains.</summary>
    public required string[] Labels { get; init; }

    /// <summary>What it is, for people.</summary>
    public required string Title { get; init; }

    /// <summary>The unit of a numeric attribute; empty otherwise.</summary>
    public required string Unit { get; init; }

    /// <summary>Whether its values lie on a grid of numbers.</summary>
    public required bool Numeric { get; init; }

    /// <summary>Whether requests may be limited to one of its values.</summary>
    public required bool Filterable { get; init; }
}

internal sealed record ProfileInfo
{
    public required string Name { get; init; }

    /// <summary>Per attribute the ceiling, 0 for nothing.</summary>
    public required int[] Grades { get; init; }
}

/// <summary>What is on offer; counts below <see cref="SmallestCount"/> stand as 0.</summary>
internal sealed record CatalogueInfo
{
    public required string SchemaId { get; init; }

    public required string SchemaName { get; init; }

    public required ulong Block { get; init; }

    public required long Records { get; init; }

    public required int Classes { get; init; }

    public required OfferedAttribute[] Attributes { get; init; }

    public required PurposeCount[] RecordsByPurpose { get; init; }

    public required SortedDictionary<string, long> RecordsByCell { get; init; }

    public required SortedDictionary<uint, long> RecordsBySite { get; init; }

    /// <summary>The median rate per epsilon of the tiers public, low, moderate, private.</summary>
    public required string[] MedianRates { get; init; }

    public required RateCount[] RecordsByPrivateRate { get; init; }

    public required int SmallestCount { get; init; }
}

internal sealed record OfferedAttribute
{
    public required string Name { get; init; }

    public required string Tier { get; init; }

    /// <summary>Per grade from 1: records whose ceiling is that grade or a higher one.</summary>
    public required long[] RecordsByGrade { get; init; }
}

internal sealed record PurposeCount(byte Code, string Title, long Records);

internal sealed record RateCount(string Rate, long Records);
