namespace EmrMarket.Silos.Configuration;

/// <summary>One key of the configuration.</summary>
/// <param name="Key">Its name in a file, parts after colons; also that of its variable (<see cref="Variable"/>).</param>
/// <param name="Default">What holds where nobody says anything, as it is written; empty for nothing.</param>
/// <param name="Meaning">What it is, with its unit and range.</param>
internal sealed record Setting(string Key, string Default, string Meaning)
{
    /// <summary>What variables of the environment begin with.</summary>
    public const string Prefix = "EMR__";

    /// <summary>The option of the command line that says the same; null where there is none.</summary>
    public string? Option { get; init; }

    /// <summary>Whether it is a secret: then it stands in the environment or in a file of mode 0600, and nowhere else.</summary>
    public bool IsSecret { get; init; }

    /// <summary>What the default means, where it is nothing that can be written down.</summary>
    public string Otherwise { get; init; } = "";

    /// <summary>Its variable of the environment.</summary>
    public string Variable => Prefix + Key.Replace(":", "__", StringComparison.Ordinal).ToUpperInvariant();
}
