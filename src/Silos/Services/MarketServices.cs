namespace EmrMarket.Silos.Services;

/// <summary>
/// What people can do, by kind of user. API and pages map to these and to nothing else; who may call is decided before, by the access
/// policies. Arguments and answers have the shapes of the API's JSON: amounts of token units as decimal text, hashes and ids as 64
/// lower-case hexadecimal digits, addresses as 0x and 40, times in unix seconds of the ledger.
/// </summary>
internal static class MarketServices
{
    /// <summary>Adds them all; they need <see cref="Roles.RunningRoles"/>.</summary>
    public static IServiceCollection AddMarketServices(this IServiceCollection services) => services
        .AddSingleton<CatalogueService>()
        .AddSingleton<FundingCheck>()
        .AddSingleton<ResearchService>()
        .AddSingleton<PatientService>()
        .AddSingleton<SiteService>()
        .AddSingleton<ConsentDesk>()
        .AddSingleton<AuditService>()
        .AddSingleton<BatchCheckService>()
        .AddSingleton<AuditorCallService>()
        .AddSingleton<LedgerService>();
}

/// <summary>A service understood a call and refuses it: repeating it will not help.</summary>
/// <param name="code">A stable code, for example <c>unknown-site</c>.</param>
/// <param name="message">What is wrong, expected against got, and how to mend it.</param>
internal sealed class ServiceRefusedException(string code, string message) : Exception(message)
{
    /// <summary>The code.</summary>
    public string Code { get; } = code;
}
