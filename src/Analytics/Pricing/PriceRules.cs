using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Matching;

namespace EmrMarket.Analytics.Pricing;

/// <summary>The market's price arithmetic in exact integers (docs/WIRE.md, "Arithmetic"); the contracts compute the same.</summary>
public static class PriceRules
{
    private const ulong MicroPerEpsilon = 1_000_000;

    /// <summary>What is asked for one report: ceil(rate * micro / 10^6), token units.</summary>
    /// <param name="rate">Token units per epsilon, below 2^96.</param>
    /// <param name="epsilon">The report's loss.</param>
    /// <exception cref="OverflowException">rate * micro reaches 2^128.</exception>
    public static TokenAmount Ask(TokenAmount rate, EpsilonMicro epsilon)
    {
        var micro = (ulong)epsilon.Micro;
        return rate.Units <= ulong.MaxValue >> 32 && micro < 1UL << 32
            ? new TokenAmount((((ulong)rate.Units * micro) + MicroPerEpsilon - 1) / MicroPerEpsilon)
            : new TokenAmount((checked(rate.Units * micro) + MicroPerEpsilon - 1) / MicroPerEpsilon);
    }

    /// <summary>What a record is worth to a researcher: floor(bid * score / 10^9), token units.</summary>
    /// <param name="bid">Token units per effective record, below 2^96.</param>
    /// <param name="scorePpb">Effective records in ppb, at least 0.</param>
    /// <exception cref="OverflowException">The value reaches 2^128.</exception>
    public static TokenAmount Value(TokenAmount bid, long scorePpb)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(scorePpb);
        var (whole, rest) = UInt128.DivRem(bid.Units, (UInt128)QualityTable.Unit);
        return new TokenAmount(checked((whole * (UInt128)scorePpb) + (rest * (UInt128)scorePpb / (UInt128)QualityTable.Unit)));
    }

    /// <summary>
    /// The largest score that a request can be served with: the sum of the largest Q over each attribute's accepted grades, ppb.
    /// </summary>
    public static long MaxScorePpb(QualityTable table, AttributeGrades minimum, AttributeGrades top)
    {
        ArgumentNullException.ThrowIfNull(table);
        long score = 0;
        for (var a = 0; a < top.Length; a++)
        {
            if (top[a] == 0)
            {
                continue;
            }

            long best = 0;
            for (var grade = minimum[a]; grade <= top[a]; grade++)
            {
                best = Math.Max(best, table.QualityOf(a, grade));
            }

            score += best;
        }

        return score;
    }

    /// <summary>
    /// N, the most records that a request takes: min(target, floor(budget / (floor(bid * maxScore / 10^9) + relayFee))), so that a round
    /// can never spend more than the budget; the target alone when a record can cost nothing.
    /// </summary>
    /// <param name="target">Records wanted, at least 0.</param>
    /// <param name="budget">Token units.</param>
    /// <param name="bid">Token units per effective record.</param>
    /// <param name="maxScorePpb">From <see cref="MaxScorePpb"/>.</param>
    /// <param name="relayFee">Token units per record, paid to whoever relays the claim.</param>
    public static long Capacity(long target, TokenAmount budget, TokenAmount bid, long maxScorePpb, TokenAmount relayFee)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(target);
        var most = Value(bid, maxScorePpb) + relayFee;
        return most == TokenAmount.Zero ? target : (long)UInt128.Min((UInt128)target, budget.Units / most.Units);
    }

    /// <summary>Refuses a request that asks for what the schema does not have.</summary>
    /// <exception cref="ArgumentException">An attribute is beyond the table, or its grades are not both 0 or 1 &lt;= lowest &lt;= top &lt;=
    /// highest of the ladder.</exception>
    public static void Check(QualityTable table, RequestTerms request)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(request);
        for (var a = 0; a < Math.Max(request.Minimum.Length, request.Top.Length); a++)
        {
            var (minimum, top) = (request.Minimum[a], request.Top[a]);
            if (a >= table.Attributes || minimum > top || (minimum == 0) != (top == 0) || top > table.Ladder.Count)
            {
                throw new ArgumentException(
                    $"Attribute {a} is asked for at grades {minimum} to {top}; the schema has {table.Attributes} attributes and grades 1 "
                    + $"to {table.Ladder.Count}.",
                    nameof(request));
            }
        }
    }

    /// <summary>The terms on which an offer would serve a request that passes <see cref="Check"/>. O(attributes).</summary>
    public static PairPrice Price(QualityTable table, OfferTerms offer, RequestTerms request)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(offer);
        ArgumentNullException.ThrowIfNull(request);
        if (!offer.Purposes.Contains(request.Purpose))
        {
            return new PairPrice(Obstacle.Purpose, default, 0, default);
        }

        if (offer.ExpiresAtSeconds < request.DeadlineSeconds)
        {
            return new PairPrice(Obstacle.Expiry, default, 0, default);
        }

        if (request.PublicCell.Length > 0 && !string.Equals(request.PublicCell, offer.PublicCell, StringComparison.Ordinal))
        {
            return new PairPrice(Obstacle.Cell, default, 0, default);
        }

        var ask = TokenAmount.Zero;
        long score = 0;
        for (var a = 0; a < request.Top.Length; a++)
        {
            var top = request.Top[a];
            if (top == 0)
            {
                continue;
            }

            // One grade per attribute and request: whoever allows more delivers at the request's grade.
            var grade = Math.Min(offer.Ceilings[a], top);
            if (grade < request.Minimum[a] || grade == 0)
            {
                return new PairPrice(Obstacle.Grade, default, 0, default);
            }

            ask += Ask(offer.Rates[table.TierOf(a)], table.EpsilonOf(a, grade));
            score += table.QualityOf(a, grade);
        }

        return new PairPrice(Obstacle.None, ask, score, Value(request.Bid, score));
    }

    /// <summary>The weights of a round. O(classes * requests * attributes).</summary>
    /// <param name="table">Published for the schema.</param>
    /// <param name="classes">One row each.</param>
    /// <param name="requests">One column each; null for one that was withdrawn and trades with nobody.</param>
    /// <exception cref="ArgumentException">A request asks for what the schema does not have.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A surplus exceeds <see cref="WeightMatrix.Limit"/>: quote prices in a coarser
    /// unit.</exception>
    public static WeightMatrix Weights(QualityTable table, IReadOnlyList<OfferTerms> classes, IReadOnlyList<RequestTerms?> requests) =>
        // How far below zero a surplus lies does not matter: the pair never trades.
        Matrix(table, classes, requests, price => (long)Int128.Clamp(price.Weight, -WeightMatrix.Limit, long.MaxValue));

    /// <summary>What each class asks of each request per record, token units; otherwise as <see cref="Weights"/>.</summary>
    /// <param name="table">Published for the schema.</param>
    /// <param name="classes">One row each.</param>
    /// <param name="requests">One column each; null for one that was withdrawn and trades with nobody.</param>
    /// <exception cref="ArgumentException">A request asks for what the schema does not have.</exception>
    public static WeightMatrix Asks(QualityTable table, IReadOnlyList<OfferTerms> classes, IReadOnlyList<RequestTerms?> requests) =>
        // An ask beyond the limit is above every bid: how far does not matter either.
        Matrix(table, classes, requests, price => (long)UInt128.Min(price.Ask.Units, (UInt128)WeightMatrix.Limit));

    private static WeightMatrix Matrix(
        QualityTable table, IReadOnlyList<OfferTerms> classes, IReadOnlyList<RequestTerms?> requests, Func<PairPrice, long> entry)
    {
        ArgumentNullException.ThrowIfNull(classes);
        ArgumentNullException.ThrowIfNull(requests);
        foreach (var request in requests.OfType<RequestTerms>())
        {
            Check(table, request);
        }

        return WeightMatrix.Create(classes.Count, requests.Count, (c, row) =>
        {
            for (var j = 0; j < row.Length; j++)
            {
                row[j] = requests[j] is { } request && Price(table, classes[c], request) is { Obstacle: Obstacle.None } price
                    ? entry(price)
                    : WeightMatrix.Inadmissible;
            }
        });
    }
}
