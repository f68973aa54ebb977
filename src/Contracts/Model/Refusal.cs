namespace EmrMarket.Contracts.Model;

/// <summary>One reason for which a call is refused: the name of a custom error and its arguments.</summary>
/// <param name="Error">The error's name as the contracts' interfaces declare it.</param>
/// <param name="Arguments">Its arguments in order; null where the rules do not fix them (which step of a wrong opening is noticed
/// first).</param>
public sealed record Refusal(string Error, IReadOnlyList<object>? Arguments);

/// <summary>A call breaks at least one rule. The rules do not say which of several broken ones is noticed first, so all are
/// listed.</summary>
public sealed class RefusedException : Exception
{
    /// <summary>A call that breaks the given rules.</summary>
    public RefusedException(IReadOnlyList<Refusal> reasons)
        : base("refused: " + string.Join(", ", reasons.Select(reason => reason.Error))) => Reasons = reasons;

    /// <summary>Every broken rule that could be told.</summary>
    public IReadOnlyList<Refusal> Reasons { get; }
}

/// <summary>Collects the rules that a call breaks.</summary>
internal sealed class Rules
{
    /// <summary>Errors of an opening that does not lead to its root; which one depends on the step at which a verifier notices.</summary>
    private static readonly Refusal[] WrongOpening =
        [.. new[] { "WrongDepth", "OutsideTree", "RootMismatch", "TotalMismatch", "SumOverflow", "EmptyLeafNotZero" }.Select(
            name => new Refusal(name, null))];

    private readonly List<Refusal> _broken = [];

    public Rules Require(bool holds, string error, params object[] arguments)
    {
        if (!holds)
        {
            _broken.Add(new Refusal(error, arguments));
        }

        return this;
    }

    public Rules RequireOpening(bool proves)
    {
        if (!proves)
        {
            _broken.AddRange(WrongOpening);
        }

        return this;
    }

    /// <summary>Adds what another rule refuses with, where both can be told independently.</summary>
    public Rules Gather(Action rule)
    {
        try
        {
            rule();
        }
        catch (RefusedException e)
        {
            _broken.AddRange(e.Reasons);
        }

        return this;
    }

    /// <summary>Ends the call when a rule is broken: what follows has no meaning without it.</summary>
    public void Check()
    {
        if (_broken.Count > 0)
        {
            throw new RefusedException([.. _broken]);
        }
    }
}
