namespace EmrMarket.Analytics.Evaluation;

/// <summary>What an experiment found.</summary>
public sealed record ExperimentResult
{
    /// <summary>The experiment's name on the command line.</summary>
    public required string Name { get; init; }

    /// <summary>Its title.</summary>
    public required string Title { get; init; }

    /// <summary>The question that it answers.</summary>
    public required string Question { get; init; }

    /// <summary>The answer, in sentences.</summary>
    public required IReadOnlyList<string> Findings { get; init; }

    /// <summary>Records per repetition.</summary>
    public required long Records { get; init; }

    /// <summary>Independent repetitions.</summary>
    public required int Repetitions { get; init; }

    /// <summary>Its headline numbers by name, each explained in docs/EVALUATION.md.</summary>
    public required IReadOnlyDictionary<string, double> Numbers { get; init; }

    /// <summary>Its plots.</summary>
    public required IReadOnlyList<Figure> Figures { get; init; }
}
