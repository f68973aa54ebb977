using System.Text.Json;

namespace EmrMarket.Silos.Consents;

/// <summary>
/// A rule of a Consent as far as a policy can say it: the uses that it is about are a box, of attributes, purposes, time and grades.
/// </summary>
internal sealed record ConsentProvision
{
    /// <summary>Where it stands, as FHIRPath.</summary>
    public required string Path { get; init; }

    /// <summary>Whether it permits, or denies.</summary>
    public required bool Permits { get; init; }

    /// <summary>A bit per attribute of the schema that it is about.</summary>
    public ulong Attributes { get; init; }

    /// <summary>A bit per purpose that it is about: of a permit those within what it says, of a denial those that it touches.</summary>
    public int Purposes { get; init; }

    /// <summary>The first second of the time that it is about.</summary>
    public long From { get; init; } = long.MinValue;

    /// <summary>The first second after it.</summary>
    public long Until { get; init; } = long.MaxValue;

    /// <summary>The highest grade that a permit covers.</summary>
    public int Ceiling { get; init; }

    /// <summary>What is otherwise, of all that it is about.</summary>
    public IReadOnlyList<ConsentProvision> Exceptions { get; init; } = [];
}

/// <summary>An element of a Consent, and where it stands.</summary>
/// <param name="Json">The element.</param>
/// <param name="Path">As FHIRPath.</param>
internal readonly record struct ConsentElement(JsonElement Json, string Path)
{
    /// <summary>A member, where there is one.</summary>
    public ConsentElement? Member(string name) =>
        Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty(name, out JsonElement member)
            ? new ConsentElement(member, $"{Path}.{name}") : null;
}
