using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Deployment;

/// <summary>The rules of a deployment, which its contracts keep for their life. Times in whole seconds, money in whole units of the payment
/// token.</summary>
/// <remarks>Read from a JSON file with comments; deploy/chain/parameters.json says what each means.</remarks>
public sealed record DeploymentTerms(
    uint EpochWindowSeconds,
    uint RoundWindowSeconds,
    uint DeliveryWindowSeconds,
    uint BookIntervalSeconds,
    uint RevealGraceSeconds,
    uint RepostGraceSeconds,
    uint RevocationGraceSeconds,
    uint RotationDelaySeconds,
    uint ClaimPeriodSeconds,
    ulong EpochBondUnits,
    ulong RoundBondUnits,
    ulong DeliveryBondUnits,
    ulong DemandDepositUnits,
    ulong RelayFeeUnits,
    ulong MinimumBudgetUnits)
{
    private const uint Hour = 3_600;
    private const uint Day = 86_400;

    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        ReadCommentHandling = JsonCommentHandling.Skip,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>The rules where no file gives others; those of deploy/chain/parameters.json.</summary>
    public static DeploymentTerms Default { get; } = new(
        EpochWindowSeconds: Day, RoundWindowSeconds: 2 * Day, DeliveryWindowSeconds: 3 * Day, BookIntervalSeconds: Hour,
        RevealGraceSeconds: Day, RepostGraceSeconds: 5 * Day, RevocationGraceSeconds: Day / 2, RotationDelaySeconds: 7 * Day,
        ClaimPeriodSeconds: 365 * Day, EpochBondUnits: 1_000_000, RoundBondUnits: 5_000_000, DeliveryBondUnits: 3_000_000,
        DemandDepositUnits: 50_000, RelayFeeUnits: 100, MinimumBudgetUnits: 10_000);

    /// <summary>The rules of an embedded chain, where nobody has to be given days: seconds for what people watch, and bonds as
    /// everywhere.</summary>
    public static DeploymentTerms Embedded { get; } = Default with
    {
        EpochWindowSeconds = 5,
        RoundWindowSeconds = 5,
        DeliveryWindowSeconds = 5,
        BookIntervalSeconds = 10,
        RevealGraceSeconds = 120,
        RepostGraceSeconds = 300,
        RevocationGraceSeconds = 10,
        RotationDelaySeconds = 60,
    };

    /// <summary>Reads a file; every rule must be there, and none that is unknown.</summary>
    /// <exception cref="DeploymentException">The file is missing or damaged.</exception>
    public static DeploymentTerms Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<DeploymentTerms>(File.ReadAllText(path), Format)
                ?? throw new DeploymentException($"{path} holds nothing");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new DeploymentException(
                $"the deployment's parameters cannot be read from {path}: {e.Message}. Start from deploy/chain/parameters.json", e);
        }
    }

    internal Parameters For(Address token, DeploymentRoles roles) => new(
        token, roles.Consortium, roles.Market, roles.PatientsFund, EpochWindowSeconds, RoundWindowSeconds, DeliveryWindowSeconds,
        BookIntervalSeconds, RevealGraceSeconds, RepostGraceSeconds, RevocationGraceSeconds, RotationDelaySeconds, ClaimPeriodSeconds,
        EpochBondUnits, RoundBondUnits, DeliveryBondUnits, DemandDepositUnits, RelayFeeUnits, MinimumBudgetUnits);
}

/// <summary>Who holds the roles of a deployment.</summary>
/// <param name="Consortium">Registers sites, pauses new requests, rotates keys; a multisig on a shared chain.</param>
/// <param name="Market">Posts rounds.</param>
/// <param name="PatientsFund">Gets what nobody claims within the claim period.</param>
public sealed record DeploymentRoles(Address Consortium, Address Market, Address PatientsFund);

/// <summary>A deployment that failed, or that a chain does not hold as its file says.</summary>
public sealed class DeploymentException(string message, Exception? inner = null) : EthereumException(message, inner);
