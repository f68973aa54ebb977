namespace EmrMarket.Analytics.Matching;

/// <summary>How many records of a class a request takes. The two sorted lists of these are the leaves X and Y of a round.</summary>
/// <param name="ClassIndex">The class, from 0.</param>
/// <param name="RequestIndex">The request, from 0.</param>
/// <param name="Records">x, in [1, members of the class].</param>
public readonly record struct Sale(int ClassIndex, int RequestIndex, int Records);

/// <summary>What a round decides about a class, with the witness that its premium is the least (docs/MATCHING.md, E8).</summary>
/// <param name="Premium">u, token base units per sale on top of the ask; at least 0 and the least among all optimal duals.</param>
/// <param name="SupportRequest">Where the premium is positive, the request that would take another record of this class at any lower one;
/// else -1.</param>
/// <param name="SupportClass">The class whose own premium holds the surplus of that request down, or -1 when the request is not
/// filled.</param>
/// <param name="Rank">Falls strictly from a class to its support class, so that supports cannot form a circle; 0 when the premium is
/// 0.</param>
public readonly record struct ClassPremium(long Premium, int SupportRequest, int SupportClass, int Rank)
{
    /// <summary>No premium, which needs no support.</summary>
    public static ClassPremium None => new(0, -1, -1, 0);
}

/// <summary>What a round decides about a request.</summary>
/// <param name="Surplus">v, token base units: what the researcher gains at least on each record; the greatest among all optimal
/// duals.</param>
/// <param name="Dropped">Left out because it could not reach its least number of records; it then takes none.</param>
public readonly record struct RequestSurplus(long Surplus, bool Dropped);

/// <summary>A match with its prices.</summary>
/// <param name="Classes">Per class the premium.</param>
/// <param name="Requests">Per request the surplus.</param>
/// <param name="SalesByClass">Sorted by class, then request.</param>
/// <param name="SalesByRequest">The same sales sorted by request, then class.</param>
public sealed record MatchOutcome(
    IReadOnlyList<ClassPremium> Classes,
    IReadOnlyList<RequestSurplus> Requests,
    IReadOnlyList<Sale> SalesByClass,
    IReadOnlyList<Sale> SalesByRequest);
