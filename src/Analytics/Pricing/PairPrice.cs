namespace EmrMarket.Analytics.Pricing;

/// <summary>Why an offer may not serve a request.</summary>
public enum Obstacle
{
    /// <summary>It may.</summary>
    None = 0,

    /// <summary>A requested attribute has a ceiling below the lowest grade accepted.</summary>
    Grade,

    /// <summary>The purpose is not admitted.</summary>
    Purpose,

    /// <summary>The offer expires before the request's deadline.</summary>
    Expiry,

    /// <summary>The request wants another public cell.</summary>
    Cell,
}

/// <summary>The terms on which a class would serve a request, per record.</summary>
/// <param name="Obstacle">The first reason why it may not; the amounts are then 0.</param>
/// <param name="Ask">What the patient asks.</param>
/// <param name="ScorePpb">Effective records, in parts per billion, summed over the requested attributes.</param>
/// <param name="Value">What the researcher pays at most: floor(bid * score / 10^9).</param>
public readonly record struct PairPrice(Obstacle Obstacle, TokenAmount Ask, long ScorePpb, TokenAmount Value)
{
    /// <summary>w, the surplus that a sale creates, token units; negative when the ask is above the value.</summary>
    /// <exception cref="OverflowException">The surplus leaves 128 bits, signed.</exception>
    public Int128 Weight => checked((Int128)Value.Units - (Int128)Ask.Units);

    /// <summary>What the patient is paid: the ask and the class's premium.</summary>
    /// <exception cref="OverflowException">The sum reaches 2^128.</exception>
    public TokenAmount Payment(TokenAmount premium) => Ask + premium;
}
